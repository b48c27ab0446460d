/* For each key/value head the keys and values are laid out once.  Then 32 queries at a time stay in the lanes
 * of vectors: scores S^T[keys][32] = K Q^T, a softmax over keys that never leaves a lane, and
 * O^T[head_dim][32] += V^T S^T, for KEYS keys at a time. */
#include "kernels/attention.h"

#include <math.h>

#include "kernels/attention_mask.h"
#include "kernels/block.h"
#include "kernels/vec.h"

enum {
    QUERIES = LASER_QUERIES,
    KEYS = 16 * LASER_BLOCK_ROWS, /* 28 KB of scores, in the first-level cache */
    SLACK = 16                    /* floats that laying out may write beyond its block */
};

/* Where things lie in the scratch, all in floats. */
struct buffers {
    float *keys;    /* [keys / 14][head_dim][14] */
    float *values;  /* [head_dim / 14][keys][14] */
    float *queries; /* [head_dim][32] */
    float *scores;  /* [KEYS][32] */
    float *sums;    /* O^T: [round_up(head_dim, 14)][32] */
};

/* State of 32 queries between blocks of keys. */
struct softmax {
    float largest[QUERIES]; /* score so far */
    float total[QUERIES];   /* of exp(score - largest) */
};

/* What a block of scores needs besides the scores. */
struct block {
    float soft_cap;
    int64_t keys;
    int64_t depth; /* rows of the sums */
    float slope;
    struct laser_attention_mask mask;
};

static int64_t blocks_of(int64_t n)
{
    return (n + LASER_BLOCK_ROWS - 1) / LASER_BLOCK_ROWS;
}

static int64_t lay_out(const struct laser_attention *a, float *data, struct buffers *b)
{
    int64_t dim = a->head_dim, padded = blocks_of(dim) * LASER_BLOCK_ROWS, at = 0;
    const int64_t sizes[5] = {(blocks_of(a->keys) * LASER_BLOCK_ROWS * dim + SLACK + 15) / 16 * 16,
                              (a->keys * padded + SLACK + 15) / 16 * 16, dim * QUERIES, KEYS * QUERIES,
                              padded * QUERIES};
    float **const places[5] = {&b->keys, &b->values, &b->queries, &b->scores, &b->sums};

    for (int i = 0; i < 5; i++) {
        if (data)
            *places[i] = data + at;
        at += sizes[i];
    }
    return at * (int64_t)sizeof(float);
}

int64_t laser_attention_scratch_size(const struct laser_attention *attention)
{
    return lay_out(attention, NULL, &(struct buffers){0});
}

/* Caps and hides the scores in place; raises largest[2] to their maximum. */
LASER_INLINE void finish_scores(const struct block *block, float *scores, laser_vec largest[2])
{
    for (int64_t s = 0; s < block->keys; s++) {
        int64_t distance = block->mask.first_distance - s;
        bool all = laser_attention_all_see(&block->mask, distance),
             changed = !all || block->soft_cap > 0 || block->slope != 0;

        for (int half = 0; half < 2; half++) {
            float *row = scores + s * QUERIES + half * LASER_LANES;
            laser_vec v;

            laser_vec_load(&v, row, LASER_LANES);
            if (block->soft_cap > 0) {
                v *= 1 / block->soft_cap;
                laser_vec_tanh(&v);
                v *= block->soft_cap;
            }
            if (block->slope != 0)
                laser_attention_incline(block->slope, distance, half * LASER_LANES, &v);
            if (!all)
                laser_attention_hide(&block->mask, distance, half * LASER_LANES, &v);
            if (changed)
                laser_vec_store(&v, row, LASER_LANES);
            laser_vec_raise(&largest[half], &v);
        }
    }
}

/* Scores become exp(score - base); adds them to total[2]. */
LASER_INLINE void exponentials(int64_t keys, float *scores, const laser_vec base[2], laser_vec total[2])
{
    for (int64_t s = 0; s < keys; s++)
        for (int half = 0; half < 2; half++) {
            float *row = scores + s * QUERIES + half * LASER_LANES;
            laser_vec v;

            laser_vec_load(&v, row, LASER_LANES);
            v -= base[half];
            laser_vec_exp_below_88(&v);
            laser_vec_store(&v, row, LASER_LANES);
            total[half] += v;
        }
}

/* What was summed under the old largest score shrinks to the new one. */
LASER_INLINE void shrink(int64_t depth, const laser_vec factor[2], float *sums)
{
    for (int64_t d = 0; d < depth; d++)
        for (int half = 0; half < 2; half++) {
            float *row = sums + d * QUERIES + half * LASER_LANES;
            laser_vec v;

            laser_vec_load(&v, row, LASER_LANES);
            v *= factor[half];
            laser_vec_store(&v, row, LASER_LANES);
        }
}

LASER_INLINE void softmax_step_body(const struct block *block, bool first, struct softmax *softmax,
                                    float *scores, float *sums)
{
    laser_vec largest[2], base[2], factor[2], total[2], zero = {0}, nothing;
    laser_vec_mask none;

    laser_vec_fill(&nothing, -INFINITY);
    for (int half = 0; half < 2; half++) {
        laser_vec_load(&factor[half], softmax->largest + half * LASER_LANES, LASER_LANES);
        laser_vec_load(&total[half], softmax->total + half * LASER_LANES, LASER_LANES);
        largest[half] = factor[half];
    }
    finish_scores(block, scores, largest);
    for (int half = 0; half < 2; half++) {
        none = largest[half] == nothing; /* -Infinity minus itself would be NaN */
        laser_vec_select(&base[half], &none, &zero, &largest[half]);
        factor[half] -= base[half];
        laser_vec_exp_below_88(&factor[half]);
        total[half] *= factor[half];
    }
    if (!first)
        shrink(block->depth, factor, sums);
    exponentials(block->keys, scores, base, total);
    for (int half = 0; half < 2; half++) {
        laser_vec_store(&largest[half], softmax->largest + half * LASER_LANES, LASER_LANES);
        laser_vec_store(&total[half], softmax->total + half * LASER_LANES, LASER_LANES);
    }
}

LASER_VARIANTS(softmax_step,
               (const struct block *block, bool first, struct softmax *softmax, float *scores, float *sums),
               (block, first, softmax, scores, sums))

static void load_keys(const struct laser_attention *a, const struct buffers *b, const float *k,
                      int64_t k_stride, const float *v, int64_t v_stride)
{
    laser_block_left(a->keys, a->head_dim, k, k_stride, b->keys);
    for (int64_t d = 0; d < a->head_dim; d += LASER_BLOCK_ROWS) {
        int columns = (int)(a->head_dim - d < LASER_BLOCK_ROWS ? a->head_dim - d : LASER_BLOCK_ROWS);

        laser_block_left_transposed(a->keys, columns, v + d, v_stride, b->values + d * a->keys);
    }
}

/* template: what does not depend on the block of keys. */
static void attend_block(const struct laser_attention *a, const struct buffers *b,
                         const struct block *template, int64_t first_key, int64_t keys, int64_t position,
                         bool first, struct softmax *softmax)
{
    struct block block = *template;

    block.mask.first_distance = position - first_key;
    block.keys = keys;

    for (int64_t s = 0; s < keys; s += LASER_BLOCK_ROWS) {
        int m = (int)(keys - s < LASER_BLOCK_ROWS ? keys - s : LASER_BLOCK_ROWS);

        laser_block_multiply(m, a->head_dim, b->keys + (first_key + s) * a->head_dim, b->queries,
                             b->scores + s * QUERIES, false);
    }
    softmax_step(&block, first, softmax, b->scores, b->sums);
    for (int64_t d = 0; d < a->head_dim; d += LASER_BLOCK_ROWS) {
        int m = (int)(a->head_dim - d < LASER_BLOCK_ROWS ? a->head_dim - d : LASER_BLOCK_ROWS);

        laser_block_multiply(m, keys, b->values + d * a->keys + first_key * LASER_BLOCK_ROWS, b->scores,
                             b->sums + d * QUERIES, !first);
    }
}

/* Queries t .. t + count - 1 of head h. */
static void attend(const struct laser_attention *a, const struct buffers *b, int h, int64_t length, int64_t t,
                   int count, const float *q, int64_t q_stride, float *out, int64_t out_stride, float *kept)
{
    struct block block = {.soft_cap = a->soft_cap,
                          .depth = a->head_dim,
                          .slope = a->slopes ? a->slopes[h] : 0,
                          .mask = {.window = a->window, .causal = a->causal}};
    struct softmax softmax;
    int32_t reach[QUERIES];
    int64_t low, high;

    for (int i = 0; i < QUERIES; i++) {
        softmax.largest[i] = a->sinks ? a->sinks[h] : -INFINITY;
        softmax.total[i] = a->sinks ? 1 : 0;
    }
    block.mask.reach = laser_attention_reach(a, t, reach);
    laser_attention_range(a, length, t, count, &low, &high);
    laser_block_right(count, a->head_dim, q, q_stride, a->scale, b->queries);
    for (int64_t s = low; s < high; s += KEYS)
        attend_block(a, b, &block, s, high - s < KEYS ? high - s : KEYS, a->query_offset + t, s == low,
                     &softmax);
    if (low >= high)
        memset(b->sums, 0, (size_t)(a->head_dim * QUERIES) * sizeof(float));
    for (int i = 0; i < QUERIES; i++) /* a NaN stays one */
        softmax.total[i] = softmax.total[i] == 0 ? 0 : 1 / softmax.total[i];
    laser_block_rows(count, a->head_dim, b->sums, softmax.total, out, out_stride);
    for (int i = 0; kept && i < count; i++, kept += 2 * a->heads) {
        kept[0] = softmax.largest[i] == -INFINITY ? 0 : softmax.largest[i];
        kept[1] = softmax.total[i];
    }
}

void laser_attention_apply(const struct laser_attention *attention, const float *q, int64_t q_stride,
                           const float *k, int64_t k_stride, const float *v, int64_t v_stride, float *out,
                           int64_t out_stride, const struct laser_scratch *scratch)
{
    const struct laser_attention *a = attention;
    struct buffers b;

    lay_out(a, scratch->data, &b);
    for (int64_t n = 0; n < a->batch; n++) {
        int64_t length = laser_attention_length(a, n);
        int loaded = -1;

        for (int h = 0; h < a->heads; h++) {
            int kv = a->kv_of_head ? a->kv_of_head[h] : h;
            int64_t head = (int64_t)h * a->head_dim, kv_head = (int64_t)kv * a->head_dim;

            if (kv != loaded)
                load_keys(a, &b, k + n * a->keys * k_stride + kv_head, k_stride,
                          v + n * a->keys * v_stride + kv_head, v_stride);
            loaded = kv;
            for (int64_t t = 0; t < a->queries; t += QUERIES) {
                int64_t row = n * a->queries + t;
                int count = (int)(a->queries - t < QUERIES ? a->queries - t : QUERIES);

                attend(a, &b, h, length, t, count, q + row * q_stride + head, q_stride,
                       out + row * out_stride + head, out_stride,
                       a->softmax ? a->softmax + 2 * (row * a->heads + h) : NULL);
            }
        }
    }
}
