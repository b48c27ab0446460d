/* Cross-entropy over a vocabulary that may be split among processes, in blocks: no [T, V] matrix of logits is
 * ever held.  Each process scans its own slice; the slices merge by laser_head_merge (associative,
 * commutative).
 *
 * Z = sum_v exp(logit_v), nll = log Z - logit_target.
 */
#ifndef LASER_KERNELS_HEAD_H
#define LASER_KERNELS_HEAD_H

#include <stdint.h>

#include "kernels/linear.h"

/* What is known of one token's logits. */
struct laser_head_token {
    double sum;      /* of exp(logit - largest) over the vocabulary seen so far */
    float largest;   /* -Infinity before any; NaN does not count */
    float target;    /* logit of the target, -Infinity where it is not in the slice */
    int64_t argmax;  /* the first of the largest; INT64_MAX before any */
    int64_t greater; /* logits above reference[t], 0 if no reference was given */
};

struct laser_head {
    const struct laser_linear *linear; /* [V of this slice, D] */
    int64_t first;                     /* global number of the slice's first vocabulary entry */
    int64_t size;   /* entries that count: linear->out, or less where the tail is padding */
    float scale;    /* of the logits before the cap; 1 unless the model says otherwise */
    float soft_cap; /* 0: none */
};

/* Scratch for up to `tokens` tokens. */
int64_t laser_head_scratch_size(const struct laser_head *head, int64_t tokens);

/* Fills result[tokens] from x[tokens, D] (after the final norm) and the target ids (global numbers; a
 * negative one has no target).  reference[tokens] (may be NULL) are logits to count the greater ones of: the
 * merged `target` of an earlier scan; the target itself is never counted. */
void laser_head_scan(const struct laser_head *head, int64_t tokens, const float *x, int64_t x_stride,
                     const int64_t *targets, const float *reference, struct laser_head_token *result,
                     const struct laser_scratch *scratch);

/* into += from, where they describe the same tokens over disjoint slices. */
void laser_head_merge(int64_t tokens, const struct laser_head_token *from, struct laser_head_token *into);

/* log Z - target of a token whose slices are merged. */
double laser_head_nll_nats(const struct laser_head_token *token);

/* The logits themselves, logits[tokens, size]: for a few tokens, as in generation. */
void laser_head_logits(const struct laser_head *head, int64_t tokens, const float *x, int64_t x_stride,
                       float *logits, int64_t logits_stride, const struct laser_scratch *scratch);

int64_t laser_head_backward_scratch_size(const struct laser_head *head, int64_t tokens);

/* Fills result[tokens] as laser_head_scan does, and for the gradient at x
 *   sums[t] = sum_v exp(logit_v - result[t].largest) slope_v W_v,   slope_v = d logit_v / d (W_v . x)
 * over the slice, so that d nll / dx = sums exp(largest - global largest) / Z - slope_target W_target. */
void laser_head_backward(const struct laser_head *head, int64_t tokens, const float *x, int64_t x_stride,
                         const int64_t *targets, struct laser_head_token *result, float *sums,
                         int64_t sums_stride, const struct laser_scratch *scratch);

#endif
