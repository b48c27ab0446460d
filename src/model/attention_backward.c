/* The attention block of one shard: the gradient at its heads, and through its projections. */
#include "kernels/attention.h"

#include <string.h>

#include "kernels/rope.h"
#include "model/backward.h"

/* Queries, keys and values of a run in ws->qkv become their gradients, before the rotation. */
static void back_run(const struct laser_backward *b, const struct laser_layer *layer,
                     const struct laser_model_run *run)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    struct laser_model_workspace *ws = b->ws;
    bool local = layer->rope == 2;
    const struct laser_rope *rope = local ? &a->local_rope : &a->rope;
    int64_t q = m->heads.count * layer->head_size, kv = layer->kv_heads.count * layer->head_size;
    int64_t stride = q + 2 * kv, rows = run->count * run->length;
    float *qkv = ws->qkv + run->row * stride;
    struct laser_attention attention = laser_model_attention_shape(m, layer, run->count, run->length, 0);
    const struct laser_attention_gradient gradient = {.q = qkv,
                                                      .k = qkv + q,
                                                      .v = qkv + q + kv,
                                                      .out = laser_backward_unclosed(b) + run->row * q,
                                                      .q_stride = stride,
                                                      .k_stride = stride,
                                                      .v_stride = stride,
                                                      .out_stride = q,
                                                      .dout = b->gradient->heads + run->row * q,
                                                      .dout_stride = q,
                                                      .dq = qkv,
                                                      .dk = qkv + q,
                                                      .dv = qkv + q + kv,
                                                      .dq_stride = stride,
                                                      .dk_stride = stride,
                                                      .dv_stride = stride};

    attention.softmax = b->gradient->inside.softmax + 2 * run->row * m->heads.count;
    laser_attention_backward(&attention, &gradient, &b->gradient->turning.scratch);
    laser_model_warm(m, layer, rows, 0, run->length, qkv);
    if (a->qk_norm_late)
        laser_backward_norm_heads(b, layer, run->row, rows);
    laser_model_fill_tables(m, ws, 0, run->length);
    if (layer->rope != 0)
        laser_rope_backward(rope->interleaved ? LASER_ROPE_INTERLEAVED : LASER_ROPE_HALVES, rows, run->length,
                            (int)(m->heads.count + layer->kv_heads.count), (int)layer->head_size,
                            (int)rope->rotated, local ? ws->local_cosines : ws->cosines,
                            local ? ws->local_sines : ws->sines, qkv, stride);
}

/* The gradient at what the output projection reads, in gradient->heads, becomes that at the context of the
 * softmax; where there are gates, theirs goes into gradient->rising. */
static void back_close(const struct laser_backward *b, const struct laser_layer *layer, const float *x)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    int64_t size = layer->head_size, value = m->arch.latent.value, count = b->n * m->heads.count;
    const float *whole = laser_backward_unclosed(b);
    float *gates = b->ws->raised;

    if (laser_part_present(&layer->gate)) {
        laser_part_apply(&layer->gate, b->n, x, m->arch.hidden, gates, layer->gate.out, LASER_STORE,
                         &g->turning.scratch);
        for (int64_t i = 0; i < b->n * layer->gate.out; i++) {
            float s = laser_sigmoid(gates[i]);

            gates[i] = g->heads[i] * whole[i] * s * (1 - s);
            g->heads[i] *= s;
        }
    }
    for (int64_t i = count - 1; m->arch.latent.kv_rank && i >= 0; i--) {
        memmove(g->heads + i * size, g->heads + i * value, (size_t)value * sizeof(float));
        memset(g->heads + i * size + value, 0, (size_t)(size - value) * sizeof(float));
    }
}

/* Queries, keys and values, behind the gates where there are some: these may be rows of the same matrices. */
static int back_projections(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                            float *dx)
{
    const struct laser_arch *a = &b->model->arch;
    const float *gates = b->ws->raised, *qkv = b->ws->qkv, *delta = qkv;
    int64_t gate = layer->gate.out, width = layer->qkv.out, stride = gate + width;
    float scale = (float)a->qkv_scale, *rows = b->gradient->rising;
    struct laser_part all = layer->qkv;
    int result;

    if (layer->gate.pieces > 0) {
        all.first_piece = layer->gate.first_piece;
        all.pieces += layer->gate.pieces;
    }
    if (gate > 0 || scale != 1) {
        for (int64_t i = 0; i < b->n; i++) {
            memcpy(rows + i * stride, gates + i * gate, (size_t)gate * sizeof *rows);
            for (int64_t j = 0; j < width; j++)
                rows[i * stride + gate + j] = qkv[i * width + j] / scale;
        }
        delta = rows;
    }
    result = laser_backward_report(b, &all, LASER_SPLIT_OUTPUTS, b->n, laser_backward_scaled(b, scale, x),
                                   a->hidden, delta, stride, NULL);
    laser_backward_project(b, &layer->qkv, b->n, qkv, width, a->hidden, dx, LASER_STORE);
    if (gate > 0)
        laser_backward_project(b, &layer->gate, b->n, gates, gate, a->hidden, dx, LASER_ADD);
    return result;
}

/* The gradient at the context, before what closes it, in gradient->heads; scales as in bind_attention.c. */
static int back_output(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                       const float *delta)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t width = laser_model_context_width(m, layer), h = a->hidden;
    float outer = (float)(a->context_scale / a->qkv_scale), *context = b->ws->context;
    int result;

    delta = laser_backward_scaled(b, outer, delta);
    for (int64_t i = 0; outer != 1 && i < b->n * width; i++)
        context[i] /= outer;
    result = laser_backward_report(b, &layer->o, LASER_SPLIT_INPUTS, b->n, context, width, delta, h, NULL);
    if (result != LASER_OK || laser_backward_inputs_only(b))
        return result;
    laser_backward_project(b, &layer->o, b->n, delta, h, width, b->gradient->heads, LASER_STORE);
    for (int64_t i = 0; a->qkv_scale != 1 && i < b->n * width; i++)
        b->gradient->heads[i] *= (float)a->qkv_scale;
    back_close(b, layer, x);
    return LASER_OK;
}

int laser_backward_attention(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                             const float *delta, float *dx)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    struct laser_model_run run = {0};
    int result = back_output(b, layer, x, delta);

    if (result != LASER_OK)
        return result;
    while (m->heads.count > 0 && !laser_backward_inputs_only(b) && laser_model_next_run(b->batch, &run))
        back_run(b, layer, &run);
    if (!laser_backward_inputs_only(b) && !a->qk_norm_late && b->gradient->inside.unnormed)
        result = laser_backward_qk_norm(b, layer);
    if (result != LASER_OK)
        return result;
    return a->latent.kv_rank ? laser_backward_latent(b, layer, x, dx) : back_projections(b, layer, x, dx);
}
