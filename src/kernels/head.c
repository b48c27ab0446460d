#include "kernels/head.h"

#include <math.h>

enum { BLOCK = 512, TOKENS = 512 }; /* the logits held at a time: 1 MB, in the second-level cache */

int64_t laser_head_scratch_size(const struct laser_head *head, int64_t tokens)
{
    int64_t rows = tokens < TOKENS ? tokens : TOKENS;

    return BLOCK * rows * (int64_t)sizeof(float) + laser_linear_scratch_size(head->linear, rows);
}

static void cap_logits(const struct laser_head *head, int64_t n, float *logits)
{
    if (head->scale != 1)
        for (int64_t i = 0; i < n; i++)
            logits[i] *= head->scale;
    if (head->soft_cap > 0)
        for (int64_t i = 0; i < n; i++)
            logits[i] = head->soft_cap * tanhf(logits[i] / head->soft_cap);
}

/* One token's logits of entries first .. first + n - 1. */
static void scan_logits(int64_t first, int64_t n, const float *logits, int64_t target, const float *reference,
                        struct laser_head_token *token)
{
    float largest = -INFINITY, sum = 0;
    int64_t at = 0;

    for (int64_t i = 0; i < n; i++)
        if (!(logits[i] <= largest)) {
            largest = logits[i];
            at = i;
        }
    if (!(largest <= token->largest)) {
        token->sum *= exp((double)token->largest - (double)largest);
        token->largest = largest;
        token->argmax = first + at;
    }
    for (int64_t i = 0; i < n; i++)
        sum += expf(logits[i] - token->largest);
    token->sum += sum;
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

void laser_head_merge(int64_t tokens, const struct laser_head_token *from, struct laser_head_token *into)
{
    for (int64_t t = 0; t < tokens; t++) {
        const struct laser_head_token *a = &from[t];
        struct laser_head_token *b = &into[t];
        float largest = isnan(a->largest) || a->largest > b->largest ? a->largest : b->largest;

        if (isinf(largest) && largest < 0) /* two empty slices */
            continue;
        if (a->largest > b->largest || (a->largest == b->largest && a->argmax < b->argmax))
            b->argmax = a->argmax;
        b->sum = a->sum * exp((double)a->largest - largest) + b->sum * exp((double)b->largest - largest);
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
