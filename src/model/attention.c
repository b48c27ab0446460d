/* The attention block of one shard: its heads, and the rows of the output projection that belong to them. */
#include <string.h>

#include "kernels/attention.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "model/internal.h"
#include "model/rope.h"

static void norm_heads(const struct laser_arch *arch, const struct laser_norm *norm, int64_t n, int64_t heads,
                       float *x, int64_t stride)
{
    int64_t size = arch->head_size;

    if (!laser_part_present(&norm->weight))
        return;
    if (arch->norm == LASER_NORM_RMS) {
        laser_rmsnorm_heads(n, (int)heads, (int)size, x, stride, norm->weight.values, (float)arch->norm_eps,
                            arch->norm_plus_one);
        return;
    }
    for (int64_t h = 0; h < heads; h++)
        laser_layernorm(n, size, x + h * size, stride, norm->weight.values, norm->bias.values,
                        (float)arch->norm_eps, x + h * size, stride);
}

void laser_model_fill_tables(const struct laser_model *m, struct laser_model_workspace *ws, int64_t first,
                             int64_t length)
{
    const struct laser_rope *rope = &m->arch.rope;
    bool valid = laser_rope_depends_on_length(rope) ? ws->table_length == length : ws->table_length >= length;

    if (rope->kind == LASER_ROPE_NONE || (valid && ws->table_first == first))
        return;
    laser_rope_frequencies(rope, first + length, ws->frequencies);
    laser_rope_table(first, length, (int)(rope->rotated / 2), ws->frequencies, (float)rope->attention_factor,
                     ws->cosines, ws->sines);
    ws->table_first = first;
    ws->table_length = length;
}

/* The attention of each sequence over the cached tokens and its own. */
static void attend_cached(const struct laser_model *m, const struct laser_layer *layer,
                          struct laser_model_cache *cache, struct laser_attention attention,
                          int64_t sequences, const float *qkv, float *context)
{
    int64_t size = m->arch.head_size, q = m->heads.count * size, kv = m->kv_heads.count * size,
            stride = q + 2 * kv, length = attention.queries, index = layer - m->layers;

    attention.batch = 1;
    attention.keys = cache->length + length;
    attention.query_offset = cache->length;
    for (int64_t i = 0; i < sequences; i++) {
        const float *rows = qkv + i * length * stride;

        laser_model_cache_write(cache, index, length, kv, rows + q, rows + q + kv, stride);
        laser_attention_apply(&attention, rows, stride, laser_model_cache_keys(cache, index), kv,
                              laser_model_cache_values(cache, index), kv, context + i * length * q, q,
                              &cache->scratch);
    }
}

struct laser_attention laser_model_attention_shape(const struct laser_model *m,
                                                   const struct laser_layer *layer, int64_t sequences,
                                                   int64_t queries, int64_t offset)
{
    return (struct laser_attention){.batch = sequences,
                                    .queries = queries,
                                    .keys = offset + queries,
                                    .query_offset = offset,
                                    .heads = (int)m->heads.count,
                                    .head_dim = (int)m->arch.head_size,
                                    .kv_of_head = m->kv_of_head,
                                    .scale = layer->attention_scale,
                                    .soft_cap = (float)m->arch.attention_softcap,
                                    .window = layer->window,
                                    .causal = !m->arch.masked};
}

/* Queries and keys of consecutive rows, sequences of `length`; the first token stands at position
 * first + offset, where the tables begin at `first`. */
static void rotate(const struct laser_model *m, struct laser_model_workspace *ws, int64_t rows, int64_t first,
                   int64_t length, int64_t offset, float *qkv)
{
    const struct laser_arch *a = &m->arch;
    int64_t half = a->rope.rotated / 2;

    laser_model_fill_tables(m, ws, first, offset + length);
    if (a->rope.kind != LASER_ROPE_NONE)
        laser_rope_apply(a->rope.interleaved ? LASER_ROPE_INTERLEAVED : LASER_ROPE_HALVES, rows, length,
                         (int)(m->heads.count + m->kv_heads.count), (int)a->head_size, (int)a->rope.rotated,
                         ws->cosines + offset * half, ws->sines + offset * half, qkv,
                         (m->heads.count + 2 * m->kv_heads.count) * a->head_size);
}

/* Rotation and attention of a run of sequences. */
static void attend(const struct laser_model *m, struct laser_model_workspace *ws,
                   const struct laser_layer *layer, const struct laser_model_batch *batch,
                   const struct laser_run *run)
{
    int64_t size = m->arch.head_size, q = m->heads.count * size, kv = m->kv_heads.count * size,
            stride = q + 2 * kv;
    float *qkv = ws->qkv + run->row * stride, *context = ws->context + run->row * q;
    struct laser_attention attention = laser_model_attention_shape(m, layer, run->count, run->length, 0);

    if (ws->softmax)
        attention.softmax = ws->softmax + 2 * run->row * m->heads.count;
    rotate(m, ws, run->count * run->length, laser_model_batch_start(batch), run->length, 0, qkv);
    if (batch->cache)
        attend_cached(m, layer, batch->cache, attention, run->count, qkv, context);
    else
        laser_attention_apply(&attention, qkv, stride, qkv + q, stride, qkv + q + kv, stride, context, q,
                              &ws->scratch);
}

static int64_t first_row(const struct laser_model_batch *batch, int64_t sequence)
{
    int64_t row = 0;

    for (int64_t s = 0; s < sequence; s++)
        row += batch->lengths[s];
    return row;
}

/* One sequence that goes on from others, which were rotated before: the keys and values of all of them are
 * put one after another. */
static void attend_after(const struct laser_model *m, struct laser_model_workspace *ws,
                         const struct laser_layer *layer, const struct laser_model_batch *batch,
                         int64_t sequence, int64_t row)
{
    int64_t size = m->arch.head_size, q = m->heads.count * size, kv = m->kv_heads.count * size,
            stride = q + 2 * kv, offset = laser_model_batch_offset(batch, sequence), end;
    const struct laser_attention attention =
        laser_model_attention_shape(m, layer, 1, batch->lengths[sequence], offset);

    rotate(m, ws, batch->lengths[sequence], 0, batch->lengths[sequence], offset, ws->qkv + row * stride);
    end = offset + batch->lengths[sequence];
    for (int64_t s = sequence; s >= 0; s = batch->parents[s]) {
        const float *from = ws->qkv + (s == sequence ? row : first_row(batch, s)) * stride + q;

        end -= batch->lengths[s];
        for (int64_t t = 0; t < batch->lengths[s]; t++)
            memcpy(ws->chain + (end + t) * 2 * kv, from + t * stride, (size_t)(2 * kv) * sizeof(float));
    }
    laser_attention_apply(&attention, ws->qkv + row * stride, stride, ws->chain, 2 * kv, ws->chain + kv,
                          2 * kv, ws->context + row * q, q, &ws->scratch);
}

/* Neighbours of equal length go together; a sequence that goes on from another stands alone. */
bool laser_model_next_run(const struct laser_model_batch *batch, struct laser_run *run)
{
    int64_t s = run->first + run->count;

    run->row += run->count * run->length;
    run->first = s;
    run->count = batch->lengths ? 1 : batch->sequences;
    if (s >= batch->sequences)
        return false;
    run->length = batch->lengths ? batch->lengths[s] : batch->length;
    if (!batch->lengths || (batch->parents && batch->parents[s] >= 0))
        return true;
    while (s + run->count < batch->sequences && batch->lengths[s + run->count] == run->length &&
           (!batch->parents || batch->parents[s + run->count] < 0))
        run->count++;
    return true;
}

void laser_model_heads(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, const struct laser_model_batch *batch, const float *x)
{
    const struct laser_arch *a = &m->arch;
    int64_t n = laser_model_batch_tokens(batch), size = a->head_size, q = m->heads.count * size;
    int64_t normed = q + m->kv_heads.count * size, stride = normed + m->kv_heads.count * size;
    struct laser_run run = {0};

    if (m->heads.count == 0)
        return;
    laser_part_apply(&layer->qkv, n, x, a->hidden, ws->qkv, stride, LASER_STORE, &ws->scratch);
    for (int64_t i = 0; ws->unnormed && i < n; i++)
        memcpy(ws->unnormed + i * normed, ws->qkv + i * stride, (size_t)normed * sizeof(float));
    norm_heads(a, &layer->q_norm, n, m->heads.count, ws->qkv, stride);
    norm_heads(a, &layer->k_norm, n, m->kv_heads.count, ws->qkv + q, stride);
    while (laser_model_next_run(batch, &run))
        if (batch->parents && batch->parents[run.first] >= 0)
            attend_after(m, ws, layer, batch, run.first, run.row);
        else
            attend(m, ws, layer, batch, &run);
}

void laser_model_attention(const struct laser_model *m, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, const struct laser_model_batch *batch,
                           const float *x, float *out, enum laser_output output)
{
    laser_model_heads(m, ws, layer, batch, x);
    laser_model_project(&layer->o, &layer->o_bias, laser_model_batch_tokens(batch), ws->context,
                        m->heads.count * m->arch.head_size, m->arch.hidden, out, output, &ws->scratch);
}
