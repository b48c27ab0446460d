#include "corpus/perplexity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double nan_value = NAN;

/* Sums of a set of windows, taken in window order. */
struct sums {
    int64_t windows, tokens;
    double nll, squares;
};

static void add_window(struct sums *sums, const struct laser_window *window,
                       const struct laser_window_nll *nll)
{
    sums->windows++;
    sums->tokens += window->n_scored;
    sums->nll += nll->sum_nats;
    sums->squares += nll->sum_squares_nats2;
}

static struct laser_perplexity describe(const struct sums *sums, int64_t words, int64_t bytes)
{
    double n = (double)sums->tokens, mean = sums->windows ? sums->nll / n : nan_value;
    return (struct laser_perplexity){
        .windows = sums->windows,
        .tokens = sums->tokens,
        .nll_nats = mean,
        .stderr_nats = nan_value,
        .ppl = exp(mean),
        .stderr_ppl = nan_value,
        .words = words,
        .bytes = bytes,
        .word_ppl = words ? exp(sums->nll / (double)words) : nan_value,
        .byte_ppl = bytes ? exp(sums->nll / (double)bytes) : nan_value,
        .bits_per_byte = bytes ? sums->nll / (double)bytes / M_LN2 : nan_value,
    };
}

static void set_stderr(struct laser_perplexity *p, double variance)
{
    p->stderr_nats = sqrt(variance);
    p->stderr_ppl = p->ppl * p->stderr_nats;
}

/* llama-perplexity: tokens as independent draws; rounding can take the difference below 0. */
static double token_variance(const struct sums *sums, double mean)
{
    double n = (double)sums->tokens;
    return sums->tokens > 1 ? fmax(sums->squares / n - mean * mean, 0) / (n - 1) : nan_value;
}

static double window_variance(double sum_of_squares, int64_t windows, int64_t tokens)
{
    double w = (double)windows, n = (double)tokens;
    return windows > 1 ? w / (w - 1) * sum_of_squares / (n * n) : nan_value;
}

/* Without data sets only the sums matter: a pair of evaluations. */
static int check_finite(const struct laser_dataset *datasets, const struct laser_window *windows,
                        const struct laser_window_nll *nll, int64_t n_windows, struct laser_error *err)
{
    for (int64_t i = 0; i < n_windows; i++)
        if (!isfinite(nll[i].sum_nats) || (datasets != NULL && !isfinite(nll[i].sum_squares_nats2)))
            return laser_error_set(err, LASER_ENUMERIC, datasets ? datasets[windows[i].dataset].name : NULL,
                                   "window %lld (tokens from %lld of its data set) has a NLL of %g",
                                   (long long)i, (long long)windows[i].first, nll[i].sum_nats);
    return LASER_OK;
}

/* One data set, or all of them for dataset < 0. */
static struct laser_perplexity compute(enum laser_convention convention, const struct laser_window *windows,
                                       const struct laser_window_nll *nll, int64_t n_windows, int32_t dataset,
                                       int64_t words, int64_t bytes)
{
    struct sums sums = {0};
    for (int64_t i = 0; i < n_windows; i++)
        if (dataset < 0 || windows[i].dataset == dataset)
            add_window(&sums, &windows[i], &nll[i]);
    struct laser_perplexity p = describe(&sums, words, bytes);
    if (convention == LASER_CONVENTION_LLAMA_CPP) {
        set_stderr(&p, token_variance(&sums, p.nll_nats));
        return p;
    }
    double squares = 0;
    for (int64_t i = 0; i < n_windows; i++) {
        if (dataset < 0 || windows[i].dataset == dataset) {
            double residual = nll[i].sum_nats - p.nll_nats * windows[i].n_scored;
            squares += residual * residual;
        }
    }
    set_stderr(&p, window_variance(squares, sums.windows, sums.tokens));
    return p;
}

int laser_perplexity_compute(enum laser_convention convention, const struct laser_dataset *datasets,
                             int32_t n_datasets, const struct laser_window *windows,
                             const struct laser_window_nll *nll, int64_t n_windows,
                             struct laser_perplexity *per_dataset, struct laser_perplexity *pooled,
                             struct laser_error *err)
{
    int64_t words = 0, bytes = 0;
    bool all_text = true;
    int result = check_finite(datasets, windows, nll, n_windows, err);
    if (result != LASER_OK)
        return result;
    for (int32_t i = 0; i < n_datasets; i++) {
        words += datasets[i].n_words;
        bytes += datasets[i].n_bytes;
        all_text = all_text && datasets[i].n_bytes > 0;
        if (per_dataset)
            per_dataset[i] =
                compute(convention, windows, nll, n_windows, i, datasets[i].n_words, datasets[i].n_bytes);
    }
    *pooled = compute(convention, windows, nll, n_windows, -1, all_text ? words : 0, all_text ? bytes : 0);
    return LASER_OK;
}

/* A window that moved. */
struct move {
    double size;
    int64_t window;
};

static int compare_moves(const void *x, const void *y)
{
    const struct move *a = x, *b = y;
    if (a->size != b->size)
        return a->size > b->size ? -1 : 1;
    return a->window < b->window ? -1 : a->window > b->window;
}

static int sort_moved(const struct laser_window *windows, const struct laser_window_nll *a,
                      const struct laser_window_nll *b, int64_t n_windows, double tolerance, int64_t moved,
                      int64_t *order, struct laser_error *err)
{
    int64_t n = 0;
    struct move *moves = calloc((size_t)moved + 1, sizeof *moves);
    if (!moves)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %lld windows", (long long)moved);
    for (int64_t i = 0; i < n_windows; i++) {
        double size = fabs(b[i].sum_nats - a[i].sum_nats) / windows[i].n_scored;
        if (size > tolerance)
            moves[n++] = (struct move){size, i};
    }
    qsort(moves, (size_t)n, sizeof *moves, compare_moves);
    for (int64_t i = 0; i < n; i++)
        order[i] = moves[i].window;
    free(moves);
    return LASER_OK;
}

int laser_paired_compute(const struct laser_window *windows, const struct laser_window_nll *a,
                         const struct laser_window_nll *b, int64_t n_windows, double tolerance_nats,
                         struct laser_paired *paired, int64_t *order, struct laser_error *err)
{
    double sum = 0, squares = 0;
    int result = check_finite(NULL, windows, a, n_windows, err);
    if (result == LASER_OK)
        result = check_finite(NULL, windows, b, n_windows, err);
    if (result != LASER_OK)
        return result;
    if (n_windows < 1)
        return laser_error_set(err, LASER_EINPUT, NULL, "no windows to compare");
    *paired = (struct laser_paired){.windows = n_windows, .tokens = laser_windows_scored(windows, n_windows)};
    for (int64_t i = 0; i < n_windows; i++) {
        double change = b[i].sum_nats - a[i].sum_nats, mean = change / windows[i].n_scored;
        sum += change;
        paired->better += mean < -tolerance_nats;
        paired->worse += mean > tolerance_nats;
    }
    paired->moved = paired->better + paired->worse;
    paired->difference_nats = sum / (double)paired->tokens;
    for (int64_t i = 0; i < n_windows; i++) {
        double residual = b[i].sum_nats - a[i].sum_nats - paired->difference_nats * windows[i].n_scored;
        squares += residual * residual;
    }
    paired->stderr_nats = sqrt(window_variance(squares, n_windows, paired->tokens));
    paired->z = paired->difference_nats == 0 ? 0 : paired->difference_nats / paired->stderr_nats;
    return order ? sort_moved(windows, a, b, n_windows, tolerance_nats, paired->moved, order, err) : LASER_OK;
}
