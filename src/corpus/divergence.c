#include "corpus/divergence.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DRAWS 200

static const struct {
    const char *name;
    double share;
} percentiles[LASER_KL_PERCENTILES] = {{"median", 0.5}, {"p95", 0.95}, {"p99", 0.99}, {"p999", 0.999}};

const char *laser_divergence_percentile_name(int which)
{
    return percentiles[which].name;
}

/* What a mean is taken of. */
static double kl_of(const struct laser_token_divergence *t)
{
    return t->kl_nats;
}

static double same_top_of(const struct laser_token_divergence *t)
{
    return t->same_top;
}

static double dp_of(const struct laser_token_divergence *t)
{
    return exp(-t->nll_other) - exp(-t->nll_base);
}

static double dp_square_of(const struct laser_token_divergence *t)
{
    return dp_of(t) * dp_of(t);
}

/* Mean over all tokens with the standard error over windows. */
static struct laser_divergence_figure mean_of(const struct laser_token_divergence *tokens,
                                              const int64_t *counts, int64_t n,
                                              double (*value)(const struct laser_token_divergence *))
{
    double sum = 0, squares = 0, all = 0;
    int64_t at = 0;

    for (int64_t w = 0; w < n; ++w)
        for (int64_t i = 0; i < counts[w]; ++i, ++at)
            sum += value(&tokens[at]);
    all = (double)at;
    at = 0;
    for (int64_t w = 0; w < n; ++w) {
        double own = 0;
        for (int64_t i = 0; i < counts[w]; ++i, ++at)
            own += value(&tokens[at]) - sum / all;
        squares += own * own;
    }
    return (struct laser_divergence_figure){
        sum / all, n > 1 ? sqrt((double)n / (double)(n - 1) * squares) / all : (double)NAN};
}

struct ranked {
    double kl;
    int64_t window;
};

static int by_kl(const void *a, const void *b)
{
    double x = ((const struct ranked *)a)->kl, y = ((const struct ranked *)b)->kl;

    return x < y ? -1 : x > y;
}

/* How often a value counts: as often as its window was drawn (times NULL: once). */
static int64_t weight(const struct ranked *ranked, const int64_t *times)
{
    return times != NULL ? times[ranked->window] : 1;
}

/* Percentiles of ranked[m]. */
static void percentiles_of(const struct ranked *ranked, int64_t m, const int64_t *times, double *values)
{
    int64_t total = 0, seen = 0, at = -1;

    for (int64_t i = 0; i < m; ++i)
        total += weight(&ranked[i], times);
    for (int k = 0; k < LASER_KL_PERCENTILES; ++k) {
        double place = percentiles[k].share * (double)(total - 1);
        int64_t whole = (int64_t)place, next;
        while (seen <= whole) { /* of the first `seen`, ranked[at] is the largest */
            ++at;
            seen += weight(&ranked[at], times);
        }
        values[k] = ranked[at].kl;
        next = at;
        while (place > (double)whole && seen <= whole + 1 &&
               (next == at || weight(&ranked[next], times) == 0))
            ++next;
        values[k] += (place - (double)whole) * (ranked[next].kl - ranked[at].kl);
    }
}

/* splitmix64 (Steele, Lea and Flood 2014). */
static uint64_t next_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static void bootstrap(const struct ranked *ranked, int64_t m, int64_t n, int64_t *times,
                      struct laser_divergence *d)
{
    double sums[LASER_KL_PERCENTILES] = {0}, squares[LASER_KL_PERCENTILES] = {0};
    uint64_t state = 0;

    for (int draw = 0; draw < DRAWS; ++draw) {
        double values[LASER_KL_PERCENTILES];
        memset(times, 0, (size_t)n * sizeof *times);
        for (int64_t w = 0; w < n; ++w)
            ++times[next_random(&state) % (uint64_t)n];
        percentiles_of(ranked, m, times, values);
        for (int k = 0; k < LASER_KL_PERCENTILES; ++k) {
            double off = values[k] - d->percentiles[k].value; /* of what is near it: no cancellation */
            sums[k] += off;
            squares[k] += off * off;
        }
    }
    for (int k = 0; k < LASER_KL_PERCENTILES; ++k)
        d->percentiles[k].stderr_ =
            n > 1 ? sqrt(fmax(0, squares[k] - sums[k] * sums[k] / DRAWS) / (DRAWS - 1)) : (double)NAN;
}

static int rank_tokens(const struct laser_token_divergence *tokens, const int64_t *counts, int64_t n,
                       struct laser_divergence *d, struct laser_error *err)
{
    struct ranked *ranked = malloc((size_t)d->tokens * sizeof *ranked);
    int64_t *times = malloc((size_t)n * sizeof *times), at = 0;
    double values[LASER_KL_PERCENTILES];

    if (ranked == NULL || times == NULL) {
        free(ranked);
        free(times);
        return laser_error_set(err, LASER_ENOMEM, "divergence", "no memory for %" PRId64 " tokens",
                               d->tokens);
    }
    for (int64_t w = 0; w < n; ++w)
        for (int64_t i = 0; i < counts[w]; ++i, ++at)
            ranked[at] = (struct ranked){tokens[at].kl_nats, w};
    qsort(ranked, (size_t)at, sizeof *ranked, by_kl);
    percentiles_of(ranked, at, NULL, values);
    for (int k = 0; k < LASER_KL_PERCENTILES; ++k)
        d->percentiles[k].value = values[k];
    d->largest = ranked[at - 1].kl;
    bootstrap(ranked, at, n, times, d);
    free(ranked);
    free(times);
    return LASER_OK;
}

/* All tokens finite, and each window with at least one. */
static int check(const struct laser_token_divergence *tokens, const int64_t *counts, int64_t n,
                 int64_t *n_tokens, struct laser_error *err)
{
    int64_t at = 0;

    for (int64_t w = 0; w < n; ++w)
        for (int64_t i = 0; i < counts[w]; ++i, ++at)
            if (!isfinite(tokens[at].kl_nats) || !isfinite(tokens[at].nll_base) ||
                !isfinite(tokens[at].nll_other))
                return laser_error_set(err, LASER_ENUMERIC, "divergence",
                                       "scored token %" PRId64 " of window %" PRId64
                                       ": the divergence is not finite, because a logit is not",
                                       i, w);
    *n_tokens = at;
    return LASER_OK;
}

int laser_divergence_compute(const struct laser_token_divergence *tokens, const int64_t *counts, int64_t n,
                             struct laser_divergence *d, struct laser_error *err)
{
    int code;

    memset(d, 0, sizeof *d);
    d->windows = n;
    code = check(tokens, counts, n, &d->tokens, err);
    if (code != LASER_OK)
        return code;
    if (d->tokens == 0)
        return laser_error_set(err, LASER_EINPUT, "divergence", "there is no scored token");
    d->kl = mean_of(tokens, counts, n, kl_of);
    d->same_top = mean_of(tokens, counts, n, same_top_of);
    d->dp = mean_of(tokens, counts, n, dp_of);
    d->dp_rms = mean_of(tokens, counts, n, dp_square_of);
    d->dp_rms.value = sqrt(d->dp_rms.value);
    d->dp_rms.stderr_ = d->dp_rms.value > 0 ? d->dp_rms.stderr_ / (2 * d->dp_rms.value) : d->dp_rms.stderr_;
    return rank_tokens(tokens, counts, n, d, err);
}
