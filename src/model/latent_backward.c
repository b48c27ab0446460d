/* The way back through latents (latent.c).  Every shard has the latents whole, and of the gradient there a part: one
 * sum for queries, keys and values together. */
#include <string.h>

#include "kernels/norm.h"
#include "model/backward.h"

/* Gradients of heads, turned elements first, back into the order of the way up: plain, then `more` of what follows. */
static void gather_queries(const struct laser_backward *b, float *rows)
{
    const struct laser_model *m = b->model;
    const struct laser_latent *l = &m->arch.latent;
    int64_t size = m->arch.head_size, heads = m->heads.count, query = l->plain + l->turned;

    for (int64_t i = 0; i < b->n * heads; i++, rows += query) {
        const float *from = b->ws->qkv + i / heads * 3 * heads * size + i % heads * size;

        memcpy(rows, from + l->turned, (size_t)l->plain * sizeof *rows);
        memcpy(rows + l->plain, from, (size_t)l->turned * sizeof *rows);
    }
}

/* The same of keys and values; what all heads share is added up in shared[n, stride]. */
static void gather_keys(const struct laser_backward *b, float *rows, float *shared, int64_t stride)
{
    const struct laser_model *m = b->model;
    const struct laser_latent *l = &m->arch.latent;
    int64_t size = m->arch.head_size, heads = m->heads.count, up = l->plain + l->value;

    for (int64_t i = 0; i < b->n; i++)
        for (int64_t h = 0; h < heads; h++, rows += up) {
            const float *key = b->ws->qkv + (i * 3 + 1) * heads * size + h * size;

            memcpy(rows, key + l->turned, (size_t)l->plain * sizeof *rows);
            memcpy(rows + l->plain, key + heads * size, (size_t)l->value * sizeof *rows);
            for (int64_t j = 0; j < l->turned; j++)
                shared[i * stride + j] += key[j];
        }
}

/* Latents again: ws->latent[n, down's outputs] before the norm, and at `normed` behind it. */
static void lower(const struct laser_backward *b, const struct laser_part *down,
                  const struct laser_norm *norm, int64_t width, const float *x, float *normed)
{
    const struct laser_arch *a = &b->model->arch;

    laser_part_apply(down, b->n, x, a->hidden, b->ws->latent, down->out, LASER_STORE,
                     &b->gradient->turning.scratch);
    laser_rmsnorm(b->n, width, b->ws->latent, down->out, norm->weight.values, (float)a->latent.norm_eps,
                  false, normed, width);
}

/* The way up, whose gradient is rows[n, up's outputs]; adds this shard's part of that at the latents to to. */
static int back_up(const struct laser_backward *b, const struct laser_part *up, const float *latent,
                   int64_t width, const float *rows, float *to, int64_t stride)
{
    int result = laser_backward_report(b, up, LASER_SPLIT_OUTPUTS, b->n, latent, width, rows, up->out, NULL);

    if (result == LASER_OK && laser_part_present(up) && !laser_backward_inputs_only(b))
        laser_part_apply_backward(up, b->n, rows, up->out, to, stride, LASER_ADD, &b->gradient->turning);
    return result;
}

/* The way down, from the whole gradient behind the norm: its matrix and inputs are the same on every shard, and the
 * first adds what goes to x. */
static int back_down(const struct laser_backward *b, const struct laser_part *down,
                     const struct laser_norm *norm, int64_t width, const float *x, float *delta,
                     int64_t stride, float *dx)
{
    const struct laser_arch *a = &b->model->arch;
    int result;

    laser_part_apply(down, b->n, x, a->hidden, b->ws->latent, down->out, LASER_STORE,
                     &b->gradient->turning.scratch);
    laser_rmsnorm_backward(b->n, width, b->ws->latent, down->out, norm->weight.values,
                           (float)a->latent.norm_eps, false, delta, stride, delta, stride, false);
    result = laser_backward_report(b, down, LASER_SPLIT_NONE, b->n, x, a->hidden, delta, stride, NULL);
    if (b->model->group.index == 0)
        laser_backward_project(b, down, b->n, delta, stride, a->hidden, dx, LASER_ADD);
    return result;
}

int laser_backward_latent(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                          float *dx)
{
    const struct laser_model *m = b->model;
    const struct laser_latent *l = &m->arch.latent;
    const struct laser_latent_parts *parts = &layer->latent;
    int64_t down = l->kv_rank + l->turned, stride = l->q_rank + down, h = m->arch.hidden;
    float *rows = b->gradient->rising, *sums = b->gradient->sums, *normed = b->gradient->raw;
    int result = LASER_OK;

    memset(sums, 0, (size_t)(b->n * stride) * sizeof *sums);
    memset(dx, 0, (size_t)(b->n * h) * sizeof *dx);
    gather_queries(b, rows);
    if (l->q_rank > 0) {
        lower(b, &parts->q_down, &parts->q_norm, l->q_rank, x, normed);
        result = back_up(b, &parts->q_up, normed, l->q_rank, rows, sums, stride);
    } else {
        result = back_up(b, &parts->q_up, x, h, rows, dx, h);
    }
    if (result != LASER_OK)
        return result;
    gather_keys(b, rows, sums + l->q_rank + l->kv_rank, stride);
    lower(b, &parts->kv_down, &parts->kv_norm, l->kv_rank, x, normed);
    result = back_up(b, &parts->kv_up, normed, l->kv_rank, rows, sums + l->q_rank, stride);
    if (result == LASER_OK && !laser_backward_inputs_only(b))
        result = laser_model_group_sum(m, sums, b->n * stride, b->err);
    if (result == LASER_OK && l->q_rank > 0)
        result = back_down(b, &parts->q_down, &parts->q_norm, l->q_rank, x, sums, stride, dx);
    if (result == LASER_OK)
        result = back_down(b, &parts->kv_down, &parts->kv_norm, l->kv_rank, x, sums + l->q_rank, stride, dx);
    return result;
}
