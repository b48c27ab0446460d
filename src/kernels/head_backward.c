/* The gradient before the head, in one pass over the vocabulary: like the sum of exponentials, the sum of
 * exp(logit_v - largest) W_v follows the largest logit seen so far (Milakov and Gimelshein, arXiv
 * 1805.02867).
 */
#include <math.h>

#include "kernels/head.h"
#include "kernels/head_block.h"
#include "kernels/vec.h"

static int64_t transposed_bytes(const struct laser_head *head)
{
    int64_t count = head->size < LASER_HEAD_BLOCK ? head->size : LASER_HEAD_BLOCK;

    return laser_linear_transposed_size(head->linear, count);
}

int64_t laser_head_backward_scratch_size(const struct laser_head *head, int64_t tokens)
{
    int64_t rows = tokens < LASER_HEAD_TOKENS ? tokens : LASER_HEAD_TOKENS;
    struct laser_linear turned = *head->linear;
    int64_t bytes = laser_linear_scratch_size(head->linear, rows), other;

    turned.in = LASER_HEAD_BLOCK;
    other = laser_linear_scratch_size(&turned, rows);
    return LASER_HEAD_BLOCK * rows * (int64_t)sizeof(float) + transposed_bytes(head) +
           (bytes > other ? bytes : other);
}

/* Logits become exp(logit - largest), times the slope of the soft cap. */
LASER_INLINE void weigh_some(int64_t n, float largest, float soft_cap, float *logits)
{
    laser_vec v, t;

    laser_vec_load(&v, logits, n);
    t = v;
    v -= largest;
    laser_vec_exp_below_88(&v);
    if (soft_cap > 0) {
        t *= 1 / soft_cap;
        v *= 1 - t * t;
    }
    laser_vec_store(&v, logits, n);
}

LASER_INLINE void weigh_body(int64_t n, float largest, float soft_cap, float *logits)
{
    int64_t i = 0;

    for (; i + LASER_LANES <= n; i += LASER_LANES)
        weigh_some(LASER_LANES, largest, soft_cap, logits + i);
    if (i < n)
        weigh_some(n - i, largest, soft_cap, logits + i);
}

LASER_VARIANTS(weigh, (int64_t n, float largest, float soft_cap, float *logits),
               (n, largest, soft_cap, logits))

LASER_INLINE void shrink_body(int64_t n, float factor, float *x)
{
    laser_vec v;

    for (int64_t i = 0; i < n; i += LASER_LANES) {
        int64_t lanes = n - i < LASER_LANES ? n - i : LASER_LANES;

        laser_vec_load(&v, x + i, lanes);
        v *= factor;
        laser_vec_store(&v, x + i, lanes);
    }
}

LASER_VARIANTS(shrink, (int64_t n, float factor, float *x), (n, factor, x))

/* One token: its logits of entries v .. v + n - 1 of the slice. */
static void take_logits(const struct laser_head *head, int64_t v, int64_t n, float *logits, int64_t target,
                        struct laser_head_token *token, float *sums)
{
    float before = token->largest;

    laser_head_scan_logits(head->first + v, n, logits, target, NULL, token);
    if (before > -INFINITY && token->largest > before)
        shrink(head->linear->in, expf(before - token->largest), sums);
    weigh(n, token->largest, head->soft_cap, logits);
}

void laser_head_backward(const struct laser_head *head, int64_t tokens, const float *x, int64_t x_stride,
                         const int64_t *targets, struct laser_head_token *result, float *sums,
                         int64_t sums_stride, const struct laser_scratch *scratch)
{
    char *packed = scratch->data;
    int64_t bytes = transposed_bytes(head), rows = tokens < LASER_HEAD_TOKENS ? tokens : LASER_HEAD_TOKENS;
    float *logits = (float *)(void *)(packed + bytes);
    int64_t used = bytes + LASER_HEAD_BLOCK * rows * (int64_t)sizeof *logits;
    struct laser_scratch rest = {packed + used, scratch->size_bytes - used};

    for (int64_t t = 0; t < tokens; t++) {
        result[t] = (struct laser_head_token){0, -INFINITY, -INFINITY, INT64_MAX, 0};
        memset(sums + t * sums_stride, 0, (size_t)head->linear->in * sizeof *sums);
    }
    for (int64_t v = 0; v < head->size; v += LASER_HEAD_BLOCK) {
        int64_t n = head->size - v < LASER_HEAD_BLOCK ? head->size - v : LASER_HEAD_BLOCK;
        struct laser_linear turned;

        laser_linear_transpose(head->linear, v, n, packed, &turned);
        for (int64_t t = 0; t < tokens; t += LASER_HEAD_TOKENS) {
            int64_t count = tokens - t < LASER_HEAD_TOKENS ? tokens - t : LASER_HEAD_TOKENS;

            laser_head_block(head, v, n, count, x + t * x_stride, x_stride, logits, &rest);
            for (int64_t i = 0; i < count; i++)
                take_logits(head, v, n, logits + i * LASER_HEAD_BLOCK, targets[t + i], &result[t + i],
                            sums + (t + i) * sums_stride);
            laser_linear_apply(&turned, count, logits, LASER_HEAD_BLOCK, sums + t * sums_stride, sums_stride,
                               LASER_ADD, &rest);
        }
    }
    for (int64_t t = 0; t < tokens && head->scale != 1; t++)
        shrink(head->linear->in, head->scale, sums + t * sums_stride);
}
