#include "kernels/head.h"

#include <math.h>

#include "kernels/head_block.h"
#include "kernels/vec.h"

enum { BLOCK = LASER_HEAD_BLOCK, TOKENS = LASER_HEAD_TOKENS };

int64_t laser_head_scratch_size(const struct laser_head *head, int64_t tokens)
{
    int64_t rows = tokens < TOKENS ? tokens : TOKENS;

    return BLOCK * rows * (int64_t)sizeof(float) + laser_linear_scratch_size(head->linear, rows);
}

LASER_INLINE void cap_some(int64_t n, float scale, float soft_cap, float *logits)
{
    laser_vec v;

    laser_vec_load(&v, logits, n);
    v *= scale;
    if (soft_cap > 0) {
        v *= 1 / soft_cap;
        laser_vec_tanh(&v);
        v *= soft_cap;
    }
    laser_vec_store(&v, logits, n);
}

LASER_INLINE void cap_body(int64_t n, float scale, float soft_cap, float *logits)
{
    int64_t i = 0;

    for (; i + LASER_LANES <= n; i += LASER_LANES)
        cap_some(LASER_LANES, scale, soft_cap, logits + i);
    if (i < n)
        cap_some(n - i, scale, soft_cap, logits + i);
}

LASER_VARIANTS(cap, (int64_t n, float scale, float soft_cap, float *logits), (n, scale, soft_cap, logits))

static void cap_logits(const struct laser_head *head, int64_t n, float *logits)
{
    if (head->scale != 1 || head->soft_cap > 0)
        cap(n, head->scale, head->soft_cap, logits);
}

/* The n < 16 logits of a tail; the lanes after them hold -Infinity, which no maximum and no sum sees. */
LASER_INLINE void load_logits(laser_vec *v, const float *logits, int64_t n)
{
    laser_vec_fill(v, -INFINITY);
    memcpy(v, logits, (size_t)n * sizeof *logits);
}

LASER_INLINE void find_largest_body(int64_t n, const float *logits, float *result)
{
    laser_vec largest[2], v, tail;
    float lanes[LASER_LANES];
    int64_t i = 0;

    load_logits(&tail, logits + n / LASER_LANES * LASER_LANES, n % LASER_LANES);
    largest[0] = largest[1] = tail;
    for (; i + 2 * LASER_LANES <= n; i += 2 * LASER_LANES)
        for (int j = 0; j < 2; j++) {
            laser_vec_load(&v, logits + i + j * LASER_LANES, LASER_LANES);
            laser_vec_raise(&largest[j], &v);
        }
    if (i + LASER_LANES <= n) {
        laser_vec_load(&v, logits + i, LASER_LANES);
        laser_vec_raise(&largest[0], &v);
    }
    laser_vec_raise(&largest[0], &largest[1]);
    memcpy(lanes, &largest[0], sizeof lanes);
    *result = -INFINITY;
    for (int j = 0; j < LASER_LANES; j++)
        *result = lanes[j] > *result ? lanes[j] : *result;
}

LASER_VARIANTS(find_largest, (int64_t n, const float *logits, float *result), (n, logits, result))

LASER_INLINE void sum_body(int64_t n, const float *logits, float base, float *result)
{
    laser_vec total = {0}, v, tail;

    for (int64_t i = 0; i + LASER_LANES <= n; i += LASER_LANES) {
        laser_vec_load(&v, logits + i, LASER_LANES);
        v -= base;
        laser_vec_exp_below_88(&v);
        total += v;
    }
    load_logits(&tail, logits + n / LASER_LANES * LASER_LANES, n % LASER_LANES);
    tail -= base;
    laser_vec_exp_below_88(&tail);
    total += tail;
    *result = laser_vec_sum(&total);
}

LASER_VARIANTS(sum, (int64_t n, const float *logits, float base, float *result), (n, logits, base, result))

static int64_t first_equal(int64_t n, const float *logits, float value)
{
    for (int64_t i = 0; i < n; i++)
        if (logits[i] == value)
            return i;
    return 0;
}

int64_t laser_head_largest(int64_t n, const float *logits, float *largest)
{
    find_largest(n, logits, largest);
    return first_equal(n, logits, *largest);
}

void laser_head_scan_logits(int64_t first, int64_t n, const float *logits, int64_t target,
                            const float *reference, struct laser_head_token *token)
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

void laser_head_block(const struct laser_head *head, int64_t v, int64_t n, int64_t tokens, const float *x,
                      int64_t x_stride, float *logits, const struct laser_scratch *scratch)
{
    laser_linear_apply_range(head->linear, v, n, tokens, x, x_stride, logits, BLOCK, LASER_STORE, scratch);
    for (int64_t t = 0; t < tokens; t++)
        cap_logits(head, n, logits + t * BLOCK);
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

        laser_head_block(head, v, n, tokens, x, x_stride, logits, &rest);
        for (int64_t t = 0; t < tokens; t++)
            laser_head_scan_logits(head->first + v, n, logits + t * BLOCK, targets[t],
                                   reference ? &reference[t] : NULL, &result[t]);
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
