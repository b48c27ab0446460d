#include "kernels/head.h"

#include <math.h>

#include "kernels/vec.h"

/* Logits held at a time, 4 MB: wide enough that preparing x for each block does not count. */
enum { BLOCK = 2048, TOKENS = 512 };

int64_t laser_head_scratch_size(const struct laser_head *head, int64_t tokens)
{
    int64_t rows = tokens < TOKENS ? tokens : TOKENS;

    return BLOCK * rows * (int64_t)sizeof(float) + laser_linear_scratch_size(head->linear, rows);
}

LASER_INLINE void cap_body(int64_t n, float scale, float soft_cap, float *logits)
{
    for (int64_t i = 0; i < n; i += LASER_LANES) {
        laser_vec v;

        laser_vec_load(&v, logits + i, n - i);
        v *= scale;
        if (soft_cap > 0) {
            v *= 1 / soft_cap;
            laser_vec_tanh(&v);
            v *= soft_cap;
        }
        laser_vec_store(&v, logits + i, n - i);
    }
}

LASER_VARIANTS(cap, (int64_t n, float scale, float soft_cap, float *logits), (n, scale, soft_cap, logits))

static void cap_logits(const struct laser_head *head, int64_t n, float *logits)
{
    if (head->scale != 1 || head->soft_cap > 0)
        cap(n, head->scale, head->soft_cap, logits);
}

/* The tail of a block is filled with -Infinity, which no maximum and no sum sees. */
LASER_INLINE void load_logits(laser_vec *v, const float *logits, int64_t n)
{
    laser_vec_fill(v, -INFINITY);
    memcpy(v, logits, n >= LASER_LANES ? sizeof *v : (size_t)n * sizeof *logits);
}

LASER_INLINE void find_largest_body(int64_t n, const float *logits, float *result)
{
    laser_vec largest[2], v;
    float lanes[LASER_LANES];

    laser_vec_fill(&largest[0], -INFINITY);
    largest[1] = largest[0];
    for (int64_t i = 0; i < n; i += LASER_LANES) {
        load_logits(&v, logits + i, n - i);
        laser_vec_raise(&largest[i / LASER_LANES % 2], &v);
    }
    laser_vec_raise(&largest[0], &largest[1]);
    memcpy(lanes, &largest[0], sizeof lanes);
    for (int i = 1; i < LASER_LANES; i++)
        lanes[0] = lanes[i] > lanes[0] ? lanes[i] : lanes[0];
    *result = lanes[0];
}

LASER_VARIANTS(find_largest, (int64_t n, const float *logits, float *result), (n, logits, result))

LASER_INLINE void sum_body(int64_t n, const float *logits, float base, float *result)
{
    laser_vec sums[2] = {{0}, {0}}, v;

    for (int64_t i = 0; i < n; i += LASER_LANES) {
        load_logits(&v, logits + i, n - i);
        v -= base;
        laser_vec_exp(&v);
        sums[i / LASER_LANES % 2] += v;
    }
    sums[0] += sums[1];
    *result = laser_vec_sum(&sums[0]);
}

LASER_VARIANTS(sum, (int64_t n, const float *logits, float base, float *result), (n, logits, base, result))

static int64_t first_equal(int64_t n, const float *logits, float value)
{
    for (int64_t i = 0; i < n; i++)
        if (logits[i] == value)
            return i;
    return 0;
}

/* One token's logits of entries first .. first + n - 1. */
static void scan_logits(int64_t first, int64_t n, const float *logits, int64_t target, const float *reference,
                        struct laser_head_token *token)
{
    float largest, block_sum;

    find_largest(n, logits, &largest);
    if (largest > token->largest) {
        token->sum *= exp((double)token->largest - (double)largest);
        token->largest = largest;
        token->argmax = first + first_equal(n, logits, largest);
    }
    sum(n, logits, token->largest > -INFINITY ? token->largest : 0, &block_sum);
    token->sum += block_sum;
    if (target >= first && target < first + n)
        token->target = logits[target - first];
    if (reference)
        for (int64_t i = 0; i < n; i++)
            token->greater += logits[i] > *reference && first + i != target;
}

static void scan_tokens(const struct laser_head *head, int64_t tokens, const float *x, int64_t x_stride,
                        const int64_t *targets, const float *reference, struct laser_head_token *result,
                        const struct laser_scratch *scratch)
{
    float *logits = scratch->data;
    struct laser_scratch rest = {logits + BLOCK * tokens,
                                 scratch->size_bytes - BLOCK * tokens * (int64_t)sizeof *logits};

    for (int64_t t = 0; t < tokens; t++)
        result[t] = (struct laser_head_token){0, -INFINITY, -INFINITY, INT64_MAX, 0};
    for (int64_t v = 0; v < head->size; v += BLOCK) {
        int64_t n = head->size - v < BLOCK ? head->size - v : BLOCK;

        laser_linear_apply_range(head->linear, v, n, tokens, x, x_stride, logits, BLOCK, LASER_STORE, &rest);
        for (int64_t t = 0; t < tokens; t++) {
            cap_logits(head, n, logits + t * BLOCK);
            scan_logits(head->first + v, n, logits + t * BLOCK, targets[t], reference ? &reference[t] : NULL,
                        &result[t]);
        }
    }
}

void laser_head_scan(const struct laser_head *head, int64_t tokens, const float *x, int64_t x_stride,
                     const int64_t *targets, const float *reference, struct laser_head_token *result,
                     const struct laser_scratch *scratch)
{
    for (int64_t t = 0; t < tokens; t += TOKENS) {
        int64_t count = tokens - t < TOKENS ? tokens - t : TOKENS;

        scan_tokens(head, count, x + t * x_stride, x_stride, targets + t, reference ? reference + t : NULL,
                    result + t, scratch);
    }
}

/* The sum under another largest logit; an empty slice (or one of NaN, whose sum is NaN) has -Infinity. */
static double shrunk(const struct laser_head_token *token, float largest)
{
    return token->largest > -INFINITY ? token->sum * exp((double)token->largest - (double)largest)
                                      : token->sum;
}

void laser_head_merge(int64_t tokens, const struct laser_head_token *from, struct laser_head_token *into)
{
    for (int64_t t = 0; t < tokens; t++) {
        const struct laser_head_token *a = &from[t];
        struct laser_head_token *b = &into[t];
        float largest = a->largest > b->largest ? a->largest : b->largest;

        if (a->largest > b->largest || (a->largest == b->largest && a->argmax < b->argmax))
            b->argmax = a->argmax;
        b->sum = shrunk(a, largest) + shrunk(b, largest);
        b->largest = largest;
        b->target = fmaxf(a->target, b->target);
        b->greater += a->greater;
    }
}

double laser_head_nll_nats(const struct laser_head_token *token)
{
    return log(token->sum) + (double)token->largest - (double)token->target;
}

void laser_head_logits(const struct laser_head *head, int64_t tokens, const float *x, int64_t x_stride,
                       float *logits, int64_t logits_stride, const struct laser_scratch *scratch)
{
    laser_linear_apply_range(head->linear, 0, head->size, tokens, x, x_stride, logits, logits_stride,
                             LASER_STORE, scratch);
    for (int64_t t = 0; t < tokens; t++)
        cap_logits(head, head->size, logits + t * logits_stride);
}
