/* The attention block of one shard: the gradient at its heads, and through its projections. */
#include "kernels/attention.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "model/backward.h"

/* dx[n, heads D] of this stride, in place, from the gradient behind the norm of each head. */
static void back_norm(const struct laser_backward *b, const struct laser_norm *norm, int64_t heads,
                      const float *x, int64_t x_stride, float *dx, int64_t dx_stride)
{
    const struct laser_arch *a = &b->model->arch;
    int64_t size = a->head_size;
    float eps = (float)a->norm_eps;

    if (!laser_part_present(&norm->weight))
        return;
    for (int64_t h = 0; h < heads; h++, x += size, dx += size)
        if (a->norm == LASER_NORM_RMS)
            laser_rmsnorm_backward(b->n, size, x, x_stride, norm->weight.values, eps, a->norm_plus_one, dx,
                                   dx_stride, dx, dx_stride, false);
        else
            laser_layernorm_backward(b->n, size, x, x_stride, norm->weight.values, eps, dx, dx_stride, dx,
                                     dx_stride, false);
}

/* Queries, keys and values of a run in ws->qkv become their gradients, before the rotation. */
static void back_run(const struct laser_backward *b, const struct laser_layer *layer,
                     const struct laser_model_run *run)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    struct laser_model_workspace *ws = b->ws;
    bool local = layer->rope == 2;
    const struct laser_rope *rope = local ? &a->local_rope : &a->rope;
    int64_t q = m->heads.count * a->head_size, kv = m->kv_heads.count * a->head_size, stride = q + 2 * kv;
    float *qkv = ws->qkv + run->row * stride;
    struct laser_attention attention = laser_model_attention_shape(m, layer, run->count, run->length, 0);
    const struct laser_attention_gradient gradient = {.q = qkv,
                                                      .k = qkv + q,
                                                      .v = qkv + q + kv,
                                                      .out = ws->context + run->row * q,
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
    laser_model_fill_tables(m, ws, 0, run->length);
    if (layer->rope != 0)
        laser_rope_backward(rope->interleaved ? LASER_ROPE_INTERLEAVED : LASER_ROPE_HALVES,
                            run->count * run->length, run->length, (int)(m->heads.count + m->kv_heads.count),
                            (int)a->head_size, (int)rope->rotated, local ? ws->local_cosines : ws->cosines,
                            local ? ws->local_sines : ws->sines, qkv, stride);
}

int laser_backward_attention(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                             const float *delta, float *dx)
{
    const struct laser_model *m = b->model;
    struct laser_model_workspace *ws = b->ws;
    int64_t h = m->arch.hidden, size = m->arch.head_size, q = m->heads.count * size;
    int64_t kv = m->kv_heads.count * size, stride = q + 2 * kv;
    struct laser_model_run run = {0};
    int result =
        laser_backward_report(b, &layer->o, LASER_SPLIT_INPUTS, b->n, ws->context, q, delta, h, NULL);

    if (result != LASER_OK)
        return result;
    laser_backward_project(b, &layer->o, b->n, delta, h, q, b->gradient->heads, LASER_STORE);
    while (m->heads.count > 0 && !laser_backward_inputs_only(b) && laser_model_next_run(b->batch, &run))
        back_run(b, layer, &run);
    back_norm(b, &layer->q_norm, m->heads.count, ws->unnormed, q + kv, ws->qkv, stride);
    back_norm(b, &layer->k_norm, m->kv_heads.count, ws->unnormed ? ws->unnormed + q : NULL, q + kv,
              ws->qkv + q, stride);
    result = laser_backward_report(b, &layer->qkv, LASER_SPLIT_OUTPUTS, b->n, x, h, ws->qkv, stride, NULL);
    laser_backward_project(b, &layer->qkv, b->n, ws->qkv, stride, h, dx, LASER_STORE);
    return result;
}
