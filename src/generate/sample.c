#include "generate/sample.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static int check_logits(int64_t vocabulary, const float *logits, int32_t *best, struct laser_error *err)
{
    int64_t largest = 0;
    bool has_nan = false;

    for (int64_t i = 0; i < vocabulary; i++) {
        has_nan = has_nan || isnan(logits[i]);
        if (logits[i] > logits[largest])
            largest = i;
    }
    if (has_nan || !isfinite(logits[largest]))
        return laser_error_set(err, LASER_ENUMERIC, NULL, "the logits of the next token are not finite");
    *best = (int32_t)largest;
    return LASER_OK;
}

static int likelier_first(const void *a, const void *b)
{
    const struct laser_sampling_token *x = a, *y = b;

    if (x->logit != y->logit)
        return x->logit < y->logit ? 1 : -1;
    return (x->id > y->id) - (x->id < y->id);
}

static int64_t cut_top_k(const struct laser_sampling *s, int64_t n, const struct laser_sampling_token *tokens)
{
    int64_t kept = s->top_k;

    if (s->top_k <= 0 || s->top_k >= n)
        return n;
    while (kept < n && tokens[kept].logit == tokens[s->top_k - 1].logit)
        kept++;
    return kept;
}

static void fill_probabilities(double temperature, int64_t n, struct laser_sampling_token *tokens)
{
    double sum = 0, largest = tokens[0].logit;

    for (int64_t i = 0; i < n; i++)
        sum += tokens[i].probability = exp((tokens[i].logit - largest) / temperature);
    for (int64_t i = 0; i < n; i++)
        tokens[i].probability /= sum;
}

int laser_sampling_distribution(const struct laser_sampling *s, int64_t vocabulary, const float *logits,
                                struct laser_sampling_token *tokens, int64_t *kept, struct laser_error *err)
{
    int32_t best;
    double before = 0;
    int64_t n;
    int result = check_logits(vocabulary, logits, &best, err);

    if (result != LASER_OK)
        return result;
    for (int64_t i = 0; i < vocabulary; i++)
        tokens[i] = (struct laser_sampling_token){.logit = logits[i], .id = (int32_t)i};
    qsort(tokens, (size_t)vocabulary, sizeof *tokens, likelier_first);
    n = cut_top_k(s, vocabulary, tokens);
    fill_probabilities(s->temperature, n, tokens);
    for (*kept = 0; *kept < n && (*kept == 0 || before < s->top_p || s->top_p >= 1); ++*kept)
        before += tokens[*kept].probability;
    for (int64_t i = 0; i < *kept; i++)
        tokens[i].probability /= before;
    return LASER_OK;
}

/* SplitMix64 (Steele, Lea, Flood 2014, OOPSLA, figure 16): a good mixing of 64 bits. */
static uint64_t mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* In [0, 1), with 53 bits. */
static double uniform(uint64_t seed, uint64_t sequence, uint64_t step)
{
    return (double)(mix(mix(mix(seed) ^ sequence) ^ step) >> 11) * 0x1p-53;
}

int laser_sampling_next(const struct laser_sampling *s, int64_t vocabulary, const float *logits,
                        uint64_t sequence, uint64_t step, struct laser_sampling_token *tokens, int32_t *next,
                        struct laser_error *err)
{
    double u = uniform(s->seed, sequence, step);
    int64_t kept, at = 0;
    int result;

    if (s->temperature == 0)
        return check_logits(vocabulary, logits, next, err);
    result = laser_sampling_distribution(s, vocabulary, logits, tokens, &kept, err);
    if (result != LASER_OK)
        return result;
    while (at < kept - 1 && u >= tokens[at].probability)
        u -= tokens[at++].probability;
    *next = tokens[at].id;
    return LASER_OK;
}
