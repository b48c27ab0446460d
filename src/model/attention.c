/* The attention block of one shard: its heads, and the rows of the output projection that belong to them. */
#include <math.h>
#include <string.h>

#include "arch/rope.h"
#include "kernels/attention.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "model/internal.h"

/* The tables of one kind of rotary positions. */
static void fill_table(const struct laser_rope *rope, struct laser_model_workspace *ws, int64_t first,
                       int64_t length, float *cosines, float *sines)
{
    bool is_long = rope->attention_long != 0 && first + length > rope->original_positions;
    double factor = is_long ? rope->attention_long : rope->attention_factor;
    int64_t half = rope->rotated / 2;

    if (rope->kind == LASER_ROPE_NONE)
        return;
    laser_rope_frequencies(rope, first + length, ws->frequencies);
    laser_rope_table(first, length, (int)half, ws->frequencies, (float)factor, cosines, sines);
    for (int64_t i = 0; rope->reversed && i < length * half; i++)
        sines[i] = -sines[i];
}

void laser_model_fill_tables(const struct laser_model *m, struct laser_model_workspace *ws, int64_t first,
                             int64_t length)
{
    const struct laser_rope *rope = &m->arch.rope;
    bool valid = laser_rope_depends_on_length(rope) ? ws->table_length == length : ws->table_length >= length;

    if (valid && ws->table_first == first)
        return;
    fill_table(rope, ws, first, length, ws->cosines, ws->sines);
    fill_table(&m->arch.local_rope, ws, first, length, ws->local_cosines, ws->local_sines);
    ws->table_first = first;
    ws->table_length = length;
}

/* The attention of each sequence over the cached tokens and its own. */
static void attend_cached(const struct laser_model *m, const struct laser_layer *layer,
                          struct laser_model_cache *cache, struct laser_attention attention,
                          int64_t sequences, const float *qkv, float *context)
{
    int64_t size = layer->head_size, q = m->heads.count * size, kv = layer->kv_heads.count * size,
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
                                    .head_dim = (int)layer->head_size,
                                    .kv_of_head = layer->kv_of_head,
                                    .scale = layer->attention_scale,
                                    .soft_cap = (float)m->arch.attention_softcap,
                                    .window = m->arch.chunked ? 0 : layer->window,
                                    .chunk = m->arch.chunked ? layer->window : 0,
                                    .slopes = m->slopes,
                                    .sinks = layer->sinks.values,
                                    .causal = !m->arch.masked};
}

void laser_model_warm(const struct laser_model *m, const struct laser_layer *layer, int64_t rows,
                      int64_t first, int64_t length, float *qkv)
{
    const struct laser_temperature *t = &m->arch.temperature;
    int64_t q = m->heads.count * layer->head_size, stride = q + 2 * layer->kv_heads.count * layer->head_size;

    if (t->scale == 0 || (t->unturned_only && layer->rope != 0))
        return;
    for (int64_t i = 0; i < rows; i++) {
        float steps = floorf((float)(first + i % length + (int64_t)t->offset) / (float)t->floor);
        float factor = 1 + (float)t->scale * log1pf(steps);

        for (int64_t j = 0; j < q; j++)
            qkv[i * stride + j] *= factor;
    }
}

/* Queries and keys of consecutive rows, sequences of `length`; the first token stands at position
 * first + offset, where the tables begin at `first`. */
static void rotate(const struct laser_model *m, struct laser_model_workspace *ws,
                   const struct laser_layer *layer, int64_t rows, int64_t first, int64_t length,
                   int64_t offset, float *qkv)
{
    const struct laser_arch *a = &m->arch;
    const struct laser_rope *rope = layer->rope == 2 ? &a->local_rope : &a->rope;
    const float *cosines = layer->rope == 2 ? ws->local_cosines : ws->cosines;
    const float *sines = layer->rope == 2 ? ws->local_sines : ws->sines;
    int64_t half = rope->rotated / 2;

    laser_model_fill_tables(m, ws, first, offset + length);
    if (layer->rope != 0)
        laser_rope_apply(rope->interleaved ? LASER_ROPE_INTERLEAVED : LASER_ROPE_HALVES, rows, length,
                         (int)(m->heads.count + layer->kv_heads.count), (int)layer->head_size,
                         (int)rope->rotated, cosines + offset * half, sines + offset * half, qkv,
                         (m->heads.count + 2 * layer->kv_heads.count) * layer->head_size);
    if (ws->unnormed && a->qk_norm_late)
        memcpy(ws->unnormed + (qkv - ws->qkv), qkv,
               (size_t)(rows * (m->heads.count + 2 * layer->kv_heads.count) * layer->head_size) *
                   sizeof *qkv);
    if (a->qk_norm_late)
        laser_model_norm_heads(m, layer, rows, qkv);
    laser_model_warm(m, layer, rows, first + offset, length, qkv);
}

/* Rotation and attention of a run of sequences. */
static void attend(const struct laser_model *m, struct laser_model_workspace *ws,
                   const struct laser_layer *layer, const struct laser_model_batch *batch,
                   const struct laser_model_run *run)
{
    int64_t size = layer->head_size, q = m->heads.count * size, kv = layer->kv_heads.count * size,
            stride = q + 2 * kv;
    float *qkv = ws->qkv + run->row * stride, *context = ws->context + run->row * q;
    struct laser_attention attention = laser_model_attention_shape(m, layer, run->count, run->length, 0);

    if (ws->softmax)
        attention.softmax = ws->softmax + 2 * run->row * m->heads.count;
    rotate(m, ws, layer, run->count * run->length, laser_model_batch_start(batch), run->length, 0, qkv);
    if (m->arch.disentangled.span)
        laser_model_disentangled(m, ws, layer, run->count, run->length, qkv, context);
    else if (batch->cache)
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
    int64_t size = layer->head_size, q = m->heads.count * size, kv = layer->kv_heads.count * size,
            stride = q + 2 * kv, offset = laser_model_batch_offset(batch, sequence), end;
    const struct laser_attention attention =
        laser_model_attention_shape(m, layer, 1, batch->lengths[sequence], offset);

    rotate(m, ws, layer, batch->lengths[sequence], 0, batch->lengths[sequence], offset,
           ws->qkv + row * stride);
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
bool laser_model_next_run(const struct laser_model_batch *batch, struct laser_model_run *run)
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

static void clip(float limit, int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] > limit ? limit : (x[i] < -limit ? -limit : x[i]);
}

static void norm_values(const struct laser_arch *a, const struct laser_layer *layer, int64_t n,
                        int64_t stride, float *values)
{
    laser_rmsnorm_heads(n, (int)layer->kv_heads.count, (int)layer->head_size, values, stride, NULL,
                        (float)a->norm_eps, false);
}

/* ws->qkv, up to the rotation. */
static int project(const struct laser_model *m, struct laser_model_workspace *ws,
                   const struct laser_layer *layer, int64_t n, const float *x, struct laser_error *err)
{
    const struct laser_arch *a = &m->arch;
    int64_t stride = (m->heads.count + 2 * layer->kv_heads.count) * layer->head_size;
    int result = LASER_OK;

    if (m->heads.count > 0 && a->latent.kv_rank)
        laser_model_latent(m, ws, layer, n, x);
    else if (m->heads.count > 0)
        laser_part_apply(&layer->qkv, n, x, a->hidden, ws->qkv, stride, LASER_STORE, &ws->scratch);
    if (ws->unnormed && !a->qk_norm_late)
        memcpy(ws->unnormed, ws->qkv, (size_t)(n * stride) * sizeof(float));
    if (a->qk_norm == LASER_QK_NORM_WHOLE)
        result = laser_model_norm_whole(m, ws, layer, n, err);
    else if (m->heads.count > 0 && !a->qk_norm_late)
        laser_model_norm_heads(m, layer, n, ws->qkv);
    if (a->value_norm && m->heads.count > 0)
        norm_values(a, layer, n, stride, ws->qkv + stride - layer->kv_heads.count * layer->head_size);
    if (a->clip_qkv > 0)
        clip((float)a->clip_qkv, n * stride, ws->qkv);
    return result;
}

void laser_model_apply_gate(const struct laser_part *gate, struct laser_model_workspace *ws, int64_t n,
                            const float *x, int64_t hidden)
{
    laser_part_apply(gate, n, x, hidden, ws->raised, gate->out, LASER_STORE, &ws->scratch);
    for (int64_t i = 0; i < n * gate->out; i++)
        ws->context[i] /= 1 + expf(-ws->raised[i]);
}

int laser_model_heads(const struct laser_model *m, struct laser_model_workspace *ws,
                      const struct laser_layer *layer, const struct laser_model_batch *batch, const float *x,
                      struct laser_error *err)
{
    struct laser_model_run run = {0};
    int result = project(m, ws, layer, laser_model_batch_tokens(batch), x, err);

    if (m->arch.disentangled.span && m->heads.count > 0)
        laser_model_disentangled_begin(m, ws, layer);
    while (result == LASER_OK && m->heads.count > 0 && laser_model_next_run(batch, &run))
        if (batch->parents && batch->parents[run.first] >= 0)
            attend_after(m, ws, layer, batch, run.first, run.row);
        else
            attend(m, ws, layer, batch, &run);
    return result;
}

/* What comes between the softmax and the output projection. */
static void close_heads(const struct laser_model *m, struct laser_model_workspace *ws,
                        const struct laser_layer *layer, int64_t n, const float *x)
{
    const struct laser_arch *a = &m->arch;

    if (ws->unclosed)
        memcpy(ws->unclosed, ws->context, (size_t)(n * m->heads.count * layer->head_size) * sizeof(float));
    if (a->latent.kv_rank)
        laser_model_latent_close(m, ws, n);
    if (laser_part_present(&layer->gate))
        laser_model_apply_gate(&layer->gate, ws, n, x, a->hidden);
    for (int64_t i = 0; a->context_scale != 1 && i < n * laser_model_context_width(m, layer); i++)
        ws->context[i] *= (float)a->context_scale;
}

int laser_model_closed_heads(const struct laser_model *m, struct laser_model_workspace *ws,
                             const struct laser_layer *layer, const struct laser_model_batch *batch,
                             const float *x, struct laser_error *err)
{
    int result = laser_model_heads(m, ws, layer, batch, x, err);

    if (result == LASER_OK)
        close_heads(m, ws, layer, laser_model_batch_tokens(batch), x);
    return result;
}

int laser_model_attention(const struct laser_model *m, struct laser_model_workspace *ws,
                          const struct laser_layer *layer, const struct laser_model_batch *batch,
                          const float *x, float *out, enum laser_output output, struct laser_error *err)
{
    int result = laser_model_closed_heads(m, ws, layer, batch, x, err);

    if (result == LASER_OK)
        laser_model_project(&layer->o, &layer->o_bias, laser_model_batch_tokens(batch), ws->context,
                            laser_model_context_width(m, layer), m->arch.hidden, out, output, &ws->scratch);
    return result;
}
