/* From the NLL of each window to perplexities, their standard errors and paired differences.
 *
 * Every sum runs over the windows in their order, so results do not depend on which rank computed which
 * window.
 */
#ifndef LASER_CORPUS_PERPLEXITY_H
#define LASER_CORPUS_PERPLEXITY_H

#include <stdint.h>

#include "base/error.h"
#include "corpus/dataset.h"
#include "corpus/window.h"

/* What the forward pass reports of one window: sums over its scored positions. */
struct laser_window_nll {
    double sum_nats;          /* sum of -log p */
    double sum_squares_nats2; /* sum of (log p)^2; needed by the standard error of llama.cpp only */
};

struct laser_perplexity {
    int64_t windows;
    int64_t tokens;  /* scored tokens N */
    double nll_nats; /* mean NLL: sum of all NLL / N.  The windows of laserrmt are equally long, so this is
                        its mean over windows too */
    double
        stderr_nats; /* standard error of nll_nats, see laser_perplexity_compute(); NaN for a single window */
    double ppl;      /* exp(nll_nats) */
    double stderr_ppl;    /* ppl * stderr_nats (delta method) */
    int64_t words, bytes; /* of the text; 0 for token ids */
    double word_ppl;      /* exp(sum NLL / words), NaN where words is 0 */
    double byte_ppl;      /* exp(sum NLL / bytes), NaN where bytes is 0 */
    double bits_per_byte; /* sum NLL / bytes / ln 2, NaN where bytes is 0 */
};

/* Perplexity of each data set (per_dataset[n_datasets], may be NULL) and of all together.
 *
 * Standard error: NLL is summed by window because tokens of one window depend on each other.  With S_w and
 * N_w the NLL and tokens of window w, W windows, N = sum N_w and m = sum S_w / N, stderr^2 = W / (W - 1) *
 * sum_w (S_w - m N_w)^2 / N^2 which is the standard error of a mean, s / sqrt(W), where all windows are
 * equally long (ratio estimator: Cochran, Sampling Techniques, section 2.11).  For llama.cpp it is that
 * program's formula over tokens: stderr^2 = (sum v^2 / N - m^2) / (N - 1).
 *
 * Data sets without a window have windows = 0 and NaN figures.  Word and byte figures are of use for whole
 * texts only (lm-eval).  LASER_ENUMERIC (where = data set) for a NLL that is not finite, naming the window.
 */
int laser_perplexity_compute(enum laser_convention convention, const struct laser_dataset *datasets,
                             int32_t n_datasets, const struct laser_window *windows,
                             const struct laser_window_nll *nll, int64_t n_windows,
                             struct laser_perplexity *per_dataset, struct laser_perplexity *pooled,
                             struct laser_error *err);

/* Two models on the same windows. */
struct laser_paired {
    int64_t windows;
    int64_t tokens;
    int64_t moved;          /* windows whose mean NLL differs by more than the tolerance */
    int64_t better, worse;  /* of these: lower and higher NLL in b */
    double difference_nats; /* mean NLL of b minus that of a */
    double stderr_nats;     /* its standard error from the paired differences by window, formula as above with
                               S_w = NLL_b - NLL_a; NaN for a single window */
    double z;               /* difference / stderr; 0 where both are 0 */
};

/* Compares b with a.  order (may be NULL, [n_windows]) receives the indices of the moved windows, the largest
 * change of mean NLL first, equal changes in window order.  LASER_ENUMERIC for a NLL that is not finite. */
int laser_paired_compute(const struct laser_window *windows, const struct laser_window_nll *a,
                         const struct laser_window_nll *b, int64_t n_windows, double tolerance_nats,
                         struct laser_paired *paired, int64_t *order, struct laser_error *err);

#endif
