/* Attention through latents (DeepSeek-V2, arXiv 2405.04434): queries, keys and values are raised from vectors
 * of low rank, which every shard computes; the heads are split as elsewhere.  A part of each key is the same
 * for all heads, and it alone is turned: here it comes first in queries and keys, so that the rest of the
 * attention is that of any other model. */
#include <string.h>

#include "kernels/norm.h"
#include "model/internal.h"

/* Down to a latent of `width` elements (and what lies behind it), its norm, and up to ws->raised. */
static void raise(struct laser_model_workspace *ws, const struct laser_latent *l,
                  const struct laser_part *down, const struct laser_norm *norm, const struct laser_part *up,
                  int64_t width, int64_t n, const float *x, int64_t hidden)
{
    int64_t stride = down->out;

    laser_part_apply(down, n, x, hidden, ws->latent, stride, LASER_STORE, &ws->scratch);
    laser_rmsnorm(n, width, ws->latent, stride, norm->weight.values, (float)l->norm_eps, false, ws->latent,
                  stride);
    laser_part_apply(up, n, ws->latent, stride, ws->raised, up->out, LASER_STORE, &ws->scratch);
}

/* One head of size elements: the turned ones, the plain ones, zeros. */
static void put_head(const struct laser_latent *l, int64_t size, const float *turned, const float *plain,
                     float *to)
{
    memcpy(to, turned, (size_t)l->turned * sizeof *to);
    memcpy(to + l->turned, plain, (size_t)l->plain * sizeof *to);
    memset(to + l->turned + l->plain, 0, (size_t)(size - l->turned - l->plain) * sizeof *to);
}

void laser_model_latent(const struct laser_model *m, struct laser_model_workspace *ws,
                        const struct laser_layer *layer, int64_t n, const float *x)
{
    const struct laser_arch *a = &m->arch;
    const struct laser_latent *l = &a->latent;
    const struct laser_latent_parts *parts = &layer->latent;
    int64_t size = a->head_size, heads = m->heads.count, q = heads * size, stride = 3 * q;
    int64_t query = l->plain + l->turned, up = l->plain + l->value, down = l->kv_rank + l->turned;

    if (l->q_rank > 0)
        raise(ws, l, &parts->q_down, &parts->q_norm, &parts->q_up, l->q_rank, n, x, a->hidden);
    else
        laser_part_apply(&parts->q_up, n, x, a->hidden, ws->raised, heads * query, LASER_STORE, &ws->scratch);
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = 0; h < heads; h++) {
            const float *from = ws->raised + (i * heads + h) * query;

            put_head(l, size, from + l->plain, from, ws->qkv + i * stride + h * size);
        }
    raise(ws, l, &parts->kv_down, &parts->kv_norm, &parts->kv_up, l->kv_rank, n, x, a->hidden);
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = 0; h < heads; h++) {
            const float *from = ws->raised + (i * heads + h) * up;
            float *key = ws->qkv + i * stride + q + h * size, *value = key + q;

            put_head(l, size, ws->latent + i * down + l->kv_rank, from, key);
            memcpy(value, from + l->plain, (size_t)l->value * sizeof *value);
            memset(value + l->value, 0, (size_t)(size - l->value) * sizeof *value);
        }
}

void laser_model_latent_close(const struct laser_model *m, struct laser_model_workspace *ws, int64_t n)
{
    int64_t size = m->arch.head_size, value = m->arch.latent.value;

    for (int64_t i = 0; i < n * m->heads.count && size > value; i++)
        memmove(ws->context + i * value, ws->context + i * size, (size_t)value * sizeof(float));
}
