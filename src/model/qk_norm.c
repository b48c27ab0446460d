/* Norms of queries and keys. */
#include <math.h>

#include "kernels/norm.h"
#include "model/internal.h"
#include "model/vectors.h"

static void norm_each(const struct laser_arch *arch, const struct laser_norm *norm, int64_t size, int64_t n,
                      int64_t heads, float *x, int64_t stride)
{
    int64_t step = arch->qk_norm == LASER_QK_NORM_EACH ? size : 0;

    if (arch->norm == LASER_NORM_RMS && step == 0) {
        laser_rmsnorm_heads(n, (int)heads, (int)size, x, stride, norm->weight.values, (float)arch->norm_eps,
                            arch->norm_plus_one);
        return;
    }
    for (int64_t h = 0; h < heads; h++) {
        const float *weight = norm->weight.values ? norm->weight.values + h * step : NULL;

        if (arch->norm == LASER_NORM_RMS)
            laser_rmsnorm(n, size, x + h * size, stride, weight, (float)arch->norm_eps, arch->norm_plus_one,
                          x + h * size, stride);
        else
            laser_layernorm(n, size, x + h * size, stride, weight, norm->bias.values, (float)arch->norm_eps,
                            x + h * size, stride);
    }
}

void laser_model_norm_heads(const struct laser_model *m, const struct laser_layer *layer, int64_t n,
                            float *qkv)
{
    const struct laser_arch *a = &m->arch;
    int64_t size = layer->head_size, q = m->heads.count * size, stride = q + 2 * layer->kv_heads.count * size;

    if (a->qk_norm != LASER_QK_NORM_HEADS && a->qk_norm != LASER_QK_NORM_EACH)
        return;
    if (a->qk_norm_turned && layer->rope == 0)
        return;
    norm_each(a, &layer->q_norm, size, n, m->heads.count, qkv, stride);
    norm_each(a, &layer->k_norm, size, n, layer->kv_heads.count, qkv + q, stride);
}

static void scale_row(float *x, int64_t n, float mean_square, float eps, const float *weight)
{
    float scale = 1 / sqrtf(mean_square + eps);

    for (int64_t i = 0; i < n; i++)
        x[i] *= scale * weight[i];
}

/* Key-value heads that several shards hold count on the one that has their first query head. */
int laser_model_norm_whole(const struct laser_model *m, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, int64_t n, struct laser_error *err)
{
    const struct laser_arch *a = &m->arch;
    int64_t size = layer->head_size, q = m->heads.count * size, kv = layer->kv_heads.count * size;
    int64_t stride = q + 2 * kv, group = a->heads / a->kv_heads;
    bool shares_first = layer->kv_heads.count > 0 && layer->kv_heads.first * group < m->heads.first;
    int64_t foreign = shares_first ? size : 0;
    float eps = (float)a->norm_eps;
    int result;

    for (int64_t i = 0; i < n; i++) {
        const float *row = ws->qkv + i * stride;

        ws->pairs[2 * i] = laser_row_dot(row, row, q);
        ws->pairs[2 * i + 1] = laser_row_dot(row + q + foreign, row + q + foreign, kv - foreign);
    }
    result = laser_model_group_sum(m, ws->pairs, 2 * n, err);
    for (int64_t i = 0; i < n && result == LASER_OK; i++) {
        float *row = ws->qkv + i * stride;

        scale_row(row, q, ws->pairs[2 * i] / (float)(a->heads * size), eps, layer->q_norm.weight.values);
        scale_row(row + q, kv, ws->pairs[2 * i + 1] / (float)(a->kv_heads * size), eps,
                  layer->k_norm.weight.values);
    }
    return result;
}
