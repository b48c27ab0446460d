/* From the divergence of every scored token to the figures of a text: how far a model's distributions are from those of
 * its base.
 *
 * Tokens of one window depend on each other, so all standard errors are over windows, as those of perplexity
 * (corpus/perplexity.h): of means by the ratio estimator, of percentiles by the bootstrap, windows drawn again with
 * replacement from a fixed seed.
 */
#ifndef LASER_CORPUS_DIVERGENCE_H
#define LASER_CORPUS_DIVERGENCE_H

#include <stdint.h>

#include "base/error.h"

/* One scored token. */
struct laser_token_divergence {
    double kl_nats;             /* KL(base || other) over the vocabulary */
    double nll_base, nll_other; /* of the right token */
    double same_top;            /* 1: both have the same most probable token, else 0 */
};

/* A figure and its standard error: NaN for a single window. */
struct laser_divergence_figure {
    double value, stderr_;
};

enum { LASER_KL_MEDIAN, LASER_KL_95, LASER_KL_99, LASER_KL_999, LASER_KL_PERCENTILES };

struct laser_divergence {
    int64_t windows, tokens;
    struct laser_divergence_figure kl; /* mean, nats a token */
    struct laser_divergence_figure
        percentiles[LASER_KL_PERCENTILES];   /* of KL: linear between order statistics */
    double largest;                          /* KL */
    struct laser_divergence_figure same_top; /* share of tokens */
    struct laser_divergence_figure dp; /* mean of p(right token) of the other model minus that of the base */
    struct laser_divergence_figure dp_rms; /* root of the mean square of that */
};

/* "median", "p95", "p99", "p999": names of the percentiles in results. */
const char *laser_divergence_percentile_name(int which);

/* Figures of tokens[sum of counts], those of each of the n windows one after another; counts[n].  LASER_ENUMERIC: a
 * value that is not finite (window and place named); LASER_ENOMEM. */
int laser_divergence_compute(const struct laser_token_divergence *tokens, const int64_t *counts, int64_t n,
                             struct laser_divergence *divergence, struct laser_error *err);

#endif
