/* Two models' distributions over one vocabulary, in blocks like the head's scan: no [T, V] matrix of logits is ever
 * held, and the vocabulary may be split among processes.
 *
 * With logits a of the base and b of the other, p = exp(a) / Z_a and q = exp(b) / Z_b:
 *
 *   KL(p || q) = sum_v p_v (a_v - b_v) - log Z_a + log Z_b
 *
 * A divergence is a small difference of large terms, so all sums are float64 over float64 exponentials of the
 * float32 logits.
 */
#ifndef LASER_KERNELS_DIVERGENCE_H
#define LASER_KERNELS_DIVERGENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/head.h"

/* What is known of one model's logits of one token. */
struct laser_pair_side {
    double sum;     /* of exp(logit - largest) */
    float largest;  /* -Infinity before any */
    float target;   /* logit of the target, -Infinity where it is not in the slice */
    int64_t argmax; /* the first of the largest; INT64_MAX before any */
};

/* Of both. */
struct laser_pair_token {
    struct laser_pair_side base, other;
    double cross; /* sum of exp(base logit - largest of the base) (base logit - other logit) */
};

/* Where logits come from. */
struct laser_logits {
    const struct laser_head *head; /* a head over x[tokens, D] (after the final norm), or */
    const float *x;
    int64_t x_stride;
    /* a table of logits, of all entries of the vocabulary: those of `token` from entry v on, into logits[n] */
    void (*read)(const void *context, int64_t token, int64_t v, int64_t n, float *logits);
    const void *context;
};

/* Scratch for up to `tokens` tokens of two sources; heads may be NULL. */
int64_t laser_pair_scratch_size(const struct laser_head *base, const struct laser_head *other,
                                int64_t tokens);

/* Scans entries first .. first + size - 1 (global numbers) of `other`, all in its slice, and fills result[tokens] from
 * those of them below `common`, which are in the slice of `base` too.  alone[tokens] (may be NULL): what
 * laser_head_scan says of `other`, with the same bits where it scans the same entries.  targets[tokens]: global
 * numbers; a negative one has no target. */
void laser_pair_scan(const struct laser_logits *base, const struct laser_logits *other, int64_t first,
                     int64_t size, int64_t common, int64_t tokens, const int64_t *targets,
                     struct laser_pair_token *result, struct laser_head_token *alone,
                     const struct laser_scratch *scratch);

/* into += from, where they describe the same tokens over disjoint slices. */
void laser_pair_merge(int64_t tokens, const struct laser_pair_token *from, struct laser_pair_token *into);

/* A token whose slices are merged, in nats. */
struct laser_pair_values {
    double kl;                  /* KL(base || other), never below 0; NaN if a logit is not finite */
    double nll_base, nll_other; /* of the target; 0 without one */
    bool same_top;              /* the first of the largest logits is the same */
};

struct laser_pair_values laser_pair_values(const struct laser_pair_token *token);

#endif
