/* Softmax attention of a batch of sequences, float32, blocked over keys so that no [T, S] matrix of a whole
 * sequence is held: Dao et al. 2022, arXiv 2205.14135 (online softmax: Milakov and Gimelshein, arXiv
 * 1805.02867).
 *
 * B sequences, T queries and S keys each; row b * T + t of q and out, row b * S + s of k and v.  Query t
 * stands at position query_offset + t among the keys (0 in a prompt; S - T with a cache).  It sees key s if
 *   s < lengths[b]                                      (lengths given)
 *   s <= query_offset + t                               (causal)
 *   query_offset + t - s < window                       (window > 0; not causal: the distance either way)
 *   s >= chunk floor((query_offset + t) / chunk)        (chunk > 0, causal)
 *
 * Score = soft_cap(scale * q.k) - slope * (query_offset + t - s), soft_cap(z) = cap tanh(z / cap) for cap >
 * 0. A sink is one more score of the head, whose value is 0.  A query that sees nothing gives 0.
 */
#ifndef LASER_KERNELS_ATTENTION_H
#define LASER_KERNELS_ATTENTION_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/scratch.h"

struct laser_attention {
    int64_t batch;         /* B */
    int64_t queries, keys; /* T, S */
    int64_t query_offset;
    int heads, head_dim; /* of q and out: row = heads * head_dim */
    const int *
        kv_of_head; /* [heads] which key/value head of the row serves a query head: caller's; NULL: its own */
    float scale;    /* 1 / sqrt(head_dim), or what the model says */
    float soft_cap; /* 0: none */
    int64_t window; /* 0: none */
    int64_t chunk;  /* 0: none */
    bool causal;
    const float *slopes, *sinks; /* [heads], caller's, or NULL */
    const int64_t *lengths;      /* [B] or NULL */
    float *softmax; /* [B T, heads, 2] or NULL: left for the backward, the largest score of a query and the
                       inverse of its sum of exp(score - largest) */
};

/* Scratch that laser_attention_apply needs. */
int64_t laser_attention_scratch_size(const struct laser_attention *attention);

/* out[B * T, heads * head_dim] from q of the same shape and k, v[B * S, kv heads * head_dim]; strides of rows
 * in elements.  out overlaps none of the inputs, or is exactly q. */
void laser_attention_apply(const struct laser_attention *attention, const float *q, int64_t q_stride,
                           const float *k, int64_t k_stride, const float *v, int64_t v_stride, float *out,
                           int64_t out_stride, const struct laser_scratch *scratch);

/* Backward.  What went in and came out of laser_attention_apply, and where the gradients go: dq, dk and dv
 * have the shapes of q, k and v, and may be exactly these. */
struct laser_attention_gradient {
    const float *q, *k, *v, *out;
    int64_t q_stride, k_stride, v_stride, out_stride;
    const float *dout; /* the gradient at out, rows as out's */
    int64_t dout_stride;
    float *dq, *dk, *dv;
    int64_t dq_stride, dk_stride, dv_stride;
};

int64_t laser_attention_backward_scratch_size(const struct laser_attention *attention);

/* The scores are computed again a block at a time (Dao et al., algorithm 4), with attention->softmax as
 * laser_attention_apply left it. */
void laser_attention_backward(const struct laser_attention *attention,
                              const struct laser_attention_gradient *gradient,
                              const struct laser_scratch *scratch);

#endif
