/* With P the softmax of the scores, D = rowsum(dO * O) and dP = dO V^T:
 *   dS = P * (dP - D) * scale * soft_cap'    dQ = dS K    dK = dS^T Q    dV = P^T dO
 * A sink takes part in P alone: it has no key and no value, and the softmax that the forward left knows it.
 * As in the forward 32 queries at a time stay in the lanes: P^T and dS^T [keys][32].  dQ^T sums over the keys
 * of the block; dK and dV sum over all queries of all heads of a key/value head, for which P^T and dS^T are
 * laid out once more, as left operands. */
#include <math.h>

#include "kernels/attention.h"
#include "kernels/attention_mask.h"
#include "kernels/block.h"
#include "kernels/vec.h"

enum {
    QUERIES = LASER_QUERIES,
    KEYS = 8 * LASER_BLOCK_ROWS, /* 14 KB of scores and as much of their gradients */
    SLACK = 32                   /* floats that laying out may write beyond its block */
};

/* Where things lie in the scratch, all in floats. */
struct buffers {
    float *keys, *values;          /* [keys / 14][head_dim][14] */
    float *key_columns;            /* [head_dim / 14][keys][14] */
    float *queries, *dout;         /* right operands, [head_dim][32] */
    float *query_rows, *dout_rows; /* right operands, [head_dim / 32][32][32] */
    float *p, *ds;                 /* [KEYS][32] */
    float *turned;                 /* [KEYS / 14][32][14] */
    float *dq;                     /* [round_up(head_dim, 14)][32] */
    float *dk, *dv;                /* [head_dim / 32][keys][32] */
};

/* What is known of 32 queries: lanes without a query have inverse 0. */
struct lanes {
    float largest[QUERIES], inverse[QUERIES];
    float along[QUERIES]; /* D */
};

struct block {
    float soft_cap, scale, slope;
    int64_t keys;
    struct laser_attention_mask mask;
};

static int64_t round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

static int64_t chunks_of(const struct laser_attention *a)
{
    return round_up(a->head_dim, QUERIES) / QUERIES;
}

static int64_t lay_out(const struct laser_attention *a, float *data, struct buffers *b)
{
    int64_t dim = a->head_dim, padded = round_up(dim, LASER_BLOCK_ROWS), chunks = chunks_of(a), at = 0;
    int64_t left = round_up(round_up(a->keys, LASER_BLOCK_ROWS) * dim + SLACK, 16);
    int64_t columns = round_up(a->keys * padded + SLACK, 16);
    const int64_t sizes[] = {left,
                             left,
                             columns,
                             dim * QUERIES,
                             dim * QUERIES,
                             chunks * QUERIES * QUERIES,
                             chunks * QUERIES * QUERIES,
                             KEYS * QUERIES,
                             KEYS * QUERIES,
                             KEYS * QUERIES + SLACK,
                             padded * QUERIES,
                             chunks * a->keys * QUERIES,
                             chunks * a->keys * QUERIES};
    float **const places[] = {&b->keys,       &b->values,    &b->key_columns, &b->queries, &b->dout,
                              &b->query_rows, &b->dout_rows, &b->p,           &b->ds,      &b->turned,
                              &b->dq,         &b->dk,        &b->dv};

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        if (data)
            *places[i] = data + at;
        at += sizes[i];
    }
    return at * (int64_t)sizeof(float);
}

int64_t laser_attention_backward_scratch_size(const struct laser_attention *attention)
{
    return lay_out(attention, NULL, &(struct buffers){0});
}

/* p: scores become probabilities; ds: gradients at the probabilities become those at the scores before the
 * scale. */
LASER_INLINE void softmax_back_body(const struct block *block, const struct lanes *lanes, float *p, float *ds)
{
    laser_vec largest[2], inverse[2], along[2];

    for (int half = 0; half < 2; half++) {
        laser_vec_load(&largest[half], lanes->largest + half * LASER_LANES, LASER_LANES);
        laser_vec_load(&inverse[half], lanes->inverse + half * LASER_LANES, LASER_LANES);
        laser_vec_load(&along[half], lanes->along + half * LASER_LANES, LASER_LANES);
    }
    for (int64_t s = 0; s < block->keys; s++) {
        int64_t distance = block->mask.first_distance - s;
        bool all = laser_attention_all_see(&block->mask, distance);

        for (int half = 0; half < 2; half++) {
            int64_t at = s * QUERIES + half * LASER_LANES;
            laser_vec v, d, slope;

            laser_vec_load(&v, p + at, LASER_LANES);
            laser_vec_load(&d, ds + at, LASER_LANES);
            laser_vec_fill(&slope, block->scale);
            if (block->soft_cap > 0) {
                v *= 1 / block->soft_cap;
                laser_vec_tanh(&v);
                slope *= 1 - v * v;
                v *= block->soft_cap;
            }
            if (block->slope != 0)
                laser_attention_incline(block->slope, distance, half * LASER_LANES, &v);
            if (!all)
                laser_attention_hide(&block->mask, distance, half * LASER_LANES, &v);
            v -= largest[half];
            laser_vec_exp_below_88(&v);
            v *= inverse[half];
            d = v * (d - along[half]) * slope;
            laser_vec_store(&v, p + at, LASER_LANES);
            laser_vec_store(&d, ds + at, LASER_LANES);
        }
    }
}

LASER_VARIANTS(softmax_back, (const struct block *block, const struct lanes *lanes, float *p, float *ds),
               (block, lanes, p, ds))

/* One key/value head of a sequence. */
static void load_keys(const struct laser_attention *a, const struct buffers *b, const float *k,
                      int64_t k_stride, const float *v, int64_t v_stride)
{
    size_t bytes = (size_t)(chunks_of(a) * a->keys * QUERIES) * sizeof(float);

    laser_block_left(a->keys, a->head_dim, k, k_stride, b->keys);
    laser_block_left(a->keys, a->head_dim, v, v_stride, b->values);
    for (int64_t d = 0; d < a->head_dim; d += LASER_BLOCK_ROWS) {
        int columns = (int)(a->head_dim - d < LASER_BLOCK_ROWS ? a->head_dim - d : LASER_BLOCK_ROWS);

        laser_block_left_transposed(a->keys, columns, k + d, k_stride, b->key_columns + d * a->keys);
    }
    memset(b->dk, 0, bytes);
    memset(b->dv, 0, bytes);
}

/* Rows x[count <= 32, dim] as [dim / 32][32][32], the missing ones 0. */
static void copy_rows(int count, int64_t dim, const float *x, int64_t x_stride, float *to)
{
    for (int64_t d = 0; d < dim; d += QUERIES)
        for (int i = 0; i < QUERIES; i++, to += QUERIES) {
            int64_t n = i >= count ? 0 : dim - d < QUERIES ? dim - d : QUERIES;

            if (n > 0)
                memcpy(to, x + i * x_stride + d, (size_t)n * sizeof *to);
            if (n < QUERIES)
                memset(to + n, 0, (size_t)(QUERIES - n) * sizeof *to);
        }
}

/* 32 queries of one head: row, the first of them in the batch. */
static void load_queries(const struct laser_attention *a, const struct laser_attention_gradient *g,
                         const struct buffers *b, int64_t row, int head, int count, struct lanes *lanes)
{
    int64_t at = (int64_t)head * a->head_dim;
    const float *q = g->q + row * g->q_stride + at, *dout = g->dout + row * g->dout_stride + at,
                *out = g->out + row * g->out_stride + at;

    laser_block_right(count, a->head_dim, q, g->q_stride, a->scale, b->queries);
    laser_block_right(count, a->head_dim, dout, g->dout_stride, 1, b->dout);
    copy_rows(count, a->head_dim, q, g->q_stride, b->query_rows);
    copy_rows(count, a->head_dim, dout, g->dout_stride, b->dout_rows);
    for (int i = 0; i < QUERIES; i++) {
        const float *kept = a->softmax + 2 * ((row + i) * a->heads + head);
        float sum = 0;

        lanes->largest[i] = i < count ? kept[0] : 0;
        lanes->inverse[i] = i < count ? kept[1] : 0;
        for (int64_t d = 0; i < count && d < a->head_dim; d++)
            sum += dout[i * g->dout_stride + d] * out[i * g->out_stride + d];
        lanes->along[i] = sum;
    }
}

/* to[chunks][keys of the sequence][32] += from^T rows, for a block of keys. */
static void add_to_keys(const struct laser_attention *a, const struct buffers *b, int64_t first_key,
                        int64_t keys, const float *from, const float *rows, float *to)
{
    laser_block_left(keys, QUERIES, from, QUERIES, b->turned);
    for (int64_t c = 0; c < chunks_of(a); c++)
        for (int64_t s = 0; s < keys; s += LASER_BLOCK_ROWS) {
            int m = (int)(keys - s < LASER_BLOCK_ROWS ? keys - s : LASER_BLOCK_ROWS);

            laser_block_multiply(m, QUERIES, b->turned + s * QUERIES, rows + c * QUERIES * QUERIES,
                                 to + (c * a->keys + first_key + s) * QUERIES, true);
        }
}

/* template: what does not depend on the block of keys. */
static void back_block(const struct laser_attention *a, const struct buffers *b, const struct block *template,
                       int64_t first_key, int64_t keys, int64_t position, bool first,
                       const struct lanes *lanes)
{
    struct block block = *template;

    block.keys = keys;
    block.mask.first_distance = position - first_key;

    for (int64_t s = 0; s < keys; s += LASER_BLOCK_ROWS) {
        int m = (int)(keys - s < LASER_BLOCK_ROWS ? keys - s : LASER_BLOCK_ROWS);
        int64_t at = (first_key + s) * a->head_dim;

        laser_block_multiply(m, a->head_dim, b->keys + at, b->queries, b->p + s * QUERIES, false);
        laser_block_multiply(m, a->head_dim, b->values + at, b->dout, b->ds + s * QUERIES, false);
    }
    softmax_back(&block, lanes, b->p, b->ds);
    for (int64_t d = 0; d < a->head_dim; d += LASER_BLOCK_ROWS) {
        int m = (int)(a->head_dim - d < LASER_BLOCK_ROWS ? a->head_dim - d : LASER_BLOCK_ROWS);

        laser_block_multiply(m, keys, b->key_columns + d * a->keys + first_key * LASER_BLOCK_ROWS, b->ds,
                             b->dq + d * QUERIES, !first);
    }
    add_to_keys(a, b, first_key, keys, b->p, b->dout_rows, b->dv);
    add_to_keys(a, b, first_key, keys, b->ds, b->query_rows, b->dk);
}

static void back_queries(const struct laser_attention *a, const struct laser_attention_gradient *g,
                         const struct buffers *b, int64_t sequence, int64_t t, int head)
{
    static const float ones[QUERIES] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                        1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    int64_t row = sequence * a->queries + t, low, high;
    int count = (int)(a->queries - t < QUERIES ? a->queries - t : QUERIES);
    struct block block = {.soft_cap = a->soft_cap,
                          .scale = a->scale,
                          .slope = a->slopes ? a->slopes[head] : 0,
                          .mask = {.window = a->window, .causal = a->causal}};
    int32_t reach[QUERIES];
    struct lanes lanes;

    block.mask.reach = laser_attention_reach(a, t, reach);
    laser_attention_range(a, laser_attention_length(a, sequence), t, count, &low, &high);
    load_queries(a, g, b, row, head, count, &lanes);
    for (int64_t s = low; s < high; s += KEYS)
        back_block(a, b, &block, s, high - s < KEYS ? high - s : KEYS, a->query_offset + t, s == low, &lanes);
    if (low >= high)
        memset(b->dq, 0, (size_t)(a->head_dim * QUERIES) * sizeof(float));
    laser_block_rows(count, a->head_dim, b->dq, ones,
                     g->dq + row * g->dq_stride + (int64_t)head * a->head_dim, g->dq_stride);
}

/* from[chunks][keys][32] to rows. */
static void store_keys(const struct laser_attention *a, const float *from, float *to, int64_t to_stride)
{
    for (int64_t d = 0; d < a->head_dim; d += QUERIES, from += a->keys * QUERIES) {
        int64_t n = a->head_dim - d < QUERIES ? a->head_dim - d : QUERIES;

        for (int64_t s = 0; s < a->keys; s++)
            memcpy(to + s * to_stride + d, from + s * QUERIES, (size_t)n * sizeof *to);
    }
}

void laser_attention_backward(const struct laser_attention *attention,
                              const struct laser_attention_gradient *gradient,
                              const struct laser_scratch *scratch)
{
    const struct laser_attention *a = attention;
    const struct laser_attention_gradient *g = gradient;
    struct buffers b;
    int kv_heads = 0;

    lay_out(a, scratch->data, &b);
    for (int h = 0; h < a->heads; h++) {
        int kv = a->kv_of_head ? a->kv_of_head[h] : h;
        kv_heads = kv >= kv_heads ? kv + 1 : kv_heads;
    }
    for (int64_t n = 0; n < a->batch; n++)
        for (int kv = 0; kv < kv_heads; kv++) {
            int64_t row = n * a->keys, at = (int64_t)kv * a->head_dim;

            load_keys(a, &b, g->k + row * g->k_stride + at, g->k_stride, g->v + row * g->v_stride + at,
                      g->v_stride);
            for (int h = 0; h < a->heads; h++)
                for (int64_t t = 0; t < a->queries && (a->kv_of_head ? a->kv_of_head[h] : h) == kv;
                     t += QUERIES)
                    back_queries(a, g, &b, n, t, h);
            store_keys(a, b.dk, g->dk + row * g->dk_stride + at, g->dk_stride);
            store_keys(a, b.dv, g->dv + row * g->dv_stride + at, g->dv_stride);
        }
}
