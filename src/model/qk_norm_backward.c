/* The way back through norms and clips of queries, keys and values, in place in ws->qkv. */
#include <math.h>
#include <string.h>

#include "kernels/norm.h"
#include "model/backward.h"
#include "model/vectors.h"

static void back_each(const struct laser_backward *b, const struct laser_norm *norm, int64_t size,
                      int64_t rows, int64_t heads, const float *x, float *dx, int64_t stride)
{
    const struct laser_arch *a = &b->model->arch;
    int64_t step = a->qk_norm == LASER_QK_NORM_EACH ? size : 0;
    float eps = (float)a->norm_eps;

    for (int64_t h = 0; h < heads; h++, x += size, dx += size) {
        const float *weight = norm->weight.values ? norm->weight.values + h * step : NULL;

        if (a->norm == LASER_NORM_RMS)
            laser_rmsnorm_backward(rows, size, x, stride, weight, eps, a->norm_plus_one, dx, stride, dx,
                                   stride, false);
        else
            laser_layernorm_backward(rows, size, x, stride, weight, eps, dx, stride, dx, stride, false);
    }
}

void laser_backward_norm_heads(const struct laser_backward *b, const struct laser_layer *layer, int64_t row,
                               int64_t rows)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = layer->head_size, q = m->heads.count * size, kv = layer->kv_heads.count * size;
    int64_t stride = q + 2 * kv;
    const float *x = b->ws->unnormed + row * stride;
    float *dx = b->ws->qkv + row * stride;

    if (a->qk_norm != LASER_QK_NORM_HEADS && a->qk_norm != LASER_QK_NORM_EACH)
        return;
    if (a->qk_norm_turned && layer->rope == 0)
        return;
    back_each(b, &layer->q_norm, size, rows, m->heads.count, x, dx, stride);
    back_each(b, &layer->k_norm, size, rows, layer->kv_heads.count, x + q, dx + q, stride);
}

/* x[n] norms to x scale weight: where that was clipped, no gradient passes.  weight NULL: 1. */
static void mask_clipped(float limit, int64_t n, const float *x, float scale, const float *weight, float *dx)
{
    for (int64_t j = 0; limit > 0 && j < n; j++)
        if (fabsf(x[j] * scale * (weight ? weight[j] : 1)) > limit)
            dx[j] = 0;
}

/* One row of queries, or of keys: dx = scale (w dx - x scale^2 along / elements). */
static void back_row(int64_t n, const float *x, const float *weight, float scale, float along, float *dx)
{
    for (int64_t j = 0; j < n; j++)
        dx[j] = scale * (weight[j] * dx[j] - x[j] * scale * scale * along);
}

static float sum_of_products(const float *x, const float *weight, const float *dx, int64_t n)
{
    float sum = 0;

    for (int64_t j = 0; j < n; j++)
        sum += x[j] * weight[j] * dx[j];
    return sum;
}

/* Sums over all heads of the model: first those of squares, and after them those along the gradients.  A key head
 * that several shards hold counts its squares on the one with its first query, and takes what the norm gives back
 * for all there; its own gradient each shard has a part of. */
static int back_whole(const struct laser_backward *b, const struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = layer->head_size, q = m->heads.count * size, kv = layer->kv_heads.count * size;
    int64_t stride = q + 2 * kv, group = a->heads / a->kv_heads;
    int64_t foreign = layer->kv_heads.count > 0 && layer->kv_heads.first * group < m->heads.first ? size : 0;
    const float *wq = layer->q_norm.weight.values, *wk = layer->k_norm.weight.values;
    float *squares = b->gradient->sums, *along = squares + 2 * b->n, limit = (float)a->clip_qkv;
    int result;

    for (int64_t i = 0; i < b->n; i++) {
        const float *x = b->ws->unnormed + i * stride;

        squares[2 * i] = laser_row_dot(x, x, q);
        squares[2 * i + 1] = laser_row_dot(x + q + foreign, x + q + foreign, kv - foreign);
    }
    result = laser_model_group_sum(m, squares, 2 * b->n, b->err);
    for (int64_t i = 0; i < b->n && result == LASER_OK; i++) {
        const float *x = b->ws->unnormed + i * stride;
        float *dx = b->ws->qkv + i * stride;

        squares[2 * i] = 1 / sqrtf(squares[2 * i] / (float)(a->heads * size) + (float)a->norm_eps);
        squares[2 * i + 1] = 1 / sqrtf(squares[2 * i + 1] / (float)(a->kv_heads * size) + (float)a->norm_eps);
        mask_clipped(limit, q, x, squares[2 * i], wq, dx);
        mask_clipped(limit, kv, x + q, squares[2 * i + 1], wk, dx + q);
        mask_clipped(limit, kv, x + q + kv, 1, NULL, dx + q + kv);
        along[2 * i] = sum_of_products(x, wq, dx, q);
        along[2 * i + 1] = sum_of_products(x + q, wk, dx + q, kv);
    }
    if (result == LASER_OK)
        result = laser_model_group_sum(m, along, 2 * b->n, b->err);
    for (int64_t i = 0; i < b->n && result == LASER_OK; i++) {
        const float *x = b->ws->unnormed + i * stride;
        float *dx = b->ws->qkv + i * stride, keys = along[2 * i + 1] / (float)(a->kv_heads * size);

        back_row(q, x, wq, squares[2 * i], along[2 * i] / (float)(a->heads * size), dx);
        back_row(foreign, x + q, wk, squares[2 * i + 1], 0, dx + q);
        back_row(kv - foreign, x + q + foreign, wk + foreign, squares[2 * i + 1], keys, dx + q + foreign);
    }
    return result;
}

int laser_backward_qk_norm(const struct laser_backward *b, const struct laser_layer *layer)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    int64_t size = layer->head_size, q = m->heads.count * size, kv = layer->kv_heads.count * size;
    int64_t stride = q + 2 * kv;

    if (a->qk_norm == LASER_QK_NORM_WHOLE)
        return back_whole(b, layer);
    if (a->qk_norm == LASER_QK_NORM_NONE)
        mask_clipped((float)a->clip_qkv, b->n * stride, b->ws->unnormed, 1, NULL, b->ws->qkv);
    laser_backward_norm_heads(b, layer, 0, b->n);
    for (int64_t h = 0; a->value_norm && h < layer->kv_heads.count; h++)
        laser_rmsnorm_backward(b->n, size, b->ws->unnormed + q + kv + h * size, stride, NULL,
                               (float)a->norm_eps, false, b->ws->qkv + q + kv + h * size, stride,
                               b->ws->qkv + q + kv + h * size, stride, false);
    return LASER_OK;
}
