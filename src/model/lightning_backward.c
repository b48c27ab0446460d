/* The way back through lightning attention (lightning.c), block by block.  With S before a block and S' behind it,
 * y_i = c_i S'q_i + sum_j w_ij (q_i k_j) v_j and S' = a S + sum_j d_j k_j v_j':
 *
 *   dq_i = c_i S dy_i + sum_j w_ij (dy_i v_j) k_j     dk_j = d_j dS' v_j + sum_i w_ij (dy_i v_j) q_i
 *   dv_j = d_j dS'' k_j + sum_i w_ij (q_i k_j) dy_i   dS = a dS' + sum_i c_i q_i dy_i'
 */
#include <math.h>
#include <string.h>

#include "model/backward.h"
#include "model/vectors.h"

/* One head of one sequence. */
struct head {
    struct laser_decays decays;
    int64_t length, size, stride, out;
    const float *rows, *dout;
    float *drows, *scratch; /* scratch: [block, size] */
};

static int64_t tokens_of(const struct head *h, int64_t block)
{
    int64_t left = h->length - block * h->decays.block;

    return left < h->decays.block ? left : h->decays.block;
}

static void forward(void *context, int64_t block, float *state)
{
    const struct head *h = context;

    laser_lightning_block(&h->decays, tokens_of(h, block), h->size,
                          h->rows + block * h->decays.block * h->stride, h->stride, state, h->scratch,
                          h->size);
}

/* Tokens i and j <= i of one block. */
static void back_pair(const struct head *h, int64_t i, int64_t j, const float *rows, const float *dy,
                      float *drows)
{
    const struct laser_decays *d = &h->decays;
    const float *q = rows + i * h->stride, *k = rows + j * h->stride + h->size, *v = k + h->size;
    float *dq = drows + i * h->stride, *dk = drows + j * h->stride + h->size;
    float between = d->diagonal ? d->diagonal[i * d->block + j] : expf(-d->rate * (float)(i - j));
    float along = between * laser_row_dot(dy, v, h->size);

    laser_row_add(along, k, h->size, dq);
    laser_row_add(along, q, h->size, dk);
    laser_row_add(between * laser_row_dot(q, k, h->size), dy, h->size, dk + h->size);
}

static void back(void *context, int64_t block, const float *before, const float *after, float *ds)
{
    const struct head *h = context;
    const struct laser_decays *d = &h->decays;
    int64_t n = tokens_of(h, block), size = h->size, first = block * d->block;
    const float *rows = h->rows + first * h->stride, *dout = h->dout + first * h->out;
    float *drows = h->drows + first * h->stride, kept = expf(-d->rate * (float)n);

    (void)after;
    for (int64_t j = 0; j < n; j++) {
        const float *k = rows + j * h->stride + size, *v = k + size;
        float *dk = drows + j * h->stride + size;
        float decay = d->key ? d->key[d->block - n + j] : expf(-d->rate * (float)(n - 1 - j));

        for (int64_t c = 0; c < size; c++) {
            dk[c] += decay * laser_row_dot(ds + c * size, v, size);
            laser_row_add(decay * k[c], ds + c * size, size, dk + size);
        }
    }
    for (int64_t c = 0; c < size * size; c++)
        ds[c] *= kept;
    for (int64_t i = 0; i < n; i++) {
        const float *q = rows + i * h->stride, *dy = dout + i * h->out;
        float *dq = drows + i * h->stride, decay = d->query ? d->query[i] : expf(-d->rate * (float)(i + 1));

        for (int64_t c = 0; c < size; c++) {
            dq[c] += decay * laser_row_dot(before + c * size, dy, size);
            laser_row_add(decay * q[c], dy, size, ds + c * size);
        }
        for (int64_t j = 0; j <= i; j++)
            back_pair(h, i, j, rows, dy, drows);
    }
}

static void back_sequence(const struct laser_backward *b, const struct laser_layer *layer, int64_t row,
                          int64_t length)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    int64_t size = m->arch.head_size, width = m->heads.count * size, stride = 3 * width;
    int64_t block = m->arch.mix.block;

    memset(g->rising + row * stride, 0, (size_t)(length * stride) * sizeof *g->rising);
    for (int64_t i = 0; i < m->heads.count; i++) {
        struct head h = {.decays = laser_lightning_decays(m, layer, i),
                         .length = length,
                         .size = size,
                         .stride = stride,
                         .out = width,
                         .rows = b->ws->raised + row * stride + 3 * i * size,
                         .dout = g->heads + row * width + i * size,
                         .drows = g->rising + row * stride + 3 * i * size,
                         .scratch = g->step};
        const struct laser_backward_recurrence r = {&h, size * size, forward, back};

        laser_backward_steps(&r, (length + block - 1) / block, g->memory_of_steps);
    }
}

/* The gradient in gradient->heads, through the gates, whose go into `gates`, and the norm over all heads. */
static int back_close(const struct laser_backward *b, const struct laser_layer *layer, float *gates)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    int64_t width = m->heads.count * m->arch.head_size;
    const float *weight = layer->mix.norm.values, *y = g->context;
    float elements = (float)(m->arch.heads * m->arch.head_size), *along = g->sums;
    int result;

    for (int64_t i = 0; i < b->n; i++) {
        float scale = 1 / sqrtf(b->ws->pairs[i] / elements + 1e-6f);

        along[i] = 0;
        for (int64_t j = 0; j < width; j++) {
            float s = laser_sigmoid(gates[i * width + j]), *d = &g->heads[i * width + j];

            gates[i * width + j] = *d * y[i * width + j] * scale * weight[j] * s * (1 - s);
            *d *= s;
            along[i] += *d * weight[j] * y[i * width + j];
        }
    }
    result = laser_model_group_sum(m, along, b->n, b->err);
    for (int64_t i = 0; i < b->n && result == LASER_OK; i++) {
        float scale = 1 / sqrtf(b->ws->pairs[i] / elements + 1e-6f);

        for (int64_t j = 0; j < width; j++) {
            float *d = &g->heads[i * width + j];

            *d = scale * (weight[j] * *d - y[i * width + j] * scale * scale * along[i] / elements);
        }
    }
    return result;
}

/* The forward again: gradient->context before the norm, ws->context as the output matrix reads it, gates. */
static int run_again(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                     float *gates)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    int64_t width = m->heads.count * m->arch.head_size, stride = 3 * width;
    int result;

    if (width > 0) {
        laser_backward_enter(b, &layer->mix.in, x);
        laser_activation_apply(LASER_ACT_SILU, b->n, stride, b->ws->raised, stride);
        laser_model_run_sequences(m, b->ws, layer, b->batch, laser_lightning_run, stride, width);
        laser_part_apply(&layer->mix.gate, b->n, x, m->arch.hidden, gates, width, LASER_STORE,
                         &g->turning.scratch);
    }
    memcpy(g->context, b->ws->context, (size_t)(b->n * width) * sizeof *g->context);
    result = laser_lightning_norm(m, b->ws, layer, b->n, b->err);
    for (int64_t i = 0; i < b->n * width; i++)
        b->ws->context[i] *= laser_sigmoid(gates[i]);
    return result;
}

int laser_backward_lightning(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                             const float *delta, float *dx)
{
    const struct laser_model *m = b->model;
    const struct laser_mixer_parts *p = &layer->mix;
    struct laser_model_gradient *g = b->gradient;
    int64_t width = m->heads.count * m->arch.head_size, stride = 3 * width, h = m->arch.hidden;
    float *gates = g->context + b->n * width;
    int result = run_again(b, layer, x, gates);

    if (result == LASER_OK)
        result = laser_backward_report(b, &p->out, LASER_SPLIT_INPUTS, b->n, b->ws->context, width, delta, h,
                                       NULL);
    laser_backward_project(b, &p->out, b->n, delta, h, width, g->heads, LASER_STORE);
    if (result == LASER_OK && !laser_backward_inputs_only(b))
        result = back_close(b, layer, gates);
    if (result == LASER_OK)
        result = laser_backward_report(b, &p->gate, LASER_SPLIT_OUTPUTS, b->n, x, h, gates, width, NULL);
    laser_backward_project(b, &p->gate, b->n, gates, width, h, dx, LASER_STORE);
    if (width > 0 && !laser_backward_inputs_only(b)) {
        laser_backward_sequences(b, layer, back_sequence);
        for (int64_t i = 0; i < b->n * stride; i++)
            g->rising[i] *= laser_silu_slope(g->raw[i]);
    }
    if (result == LASER_OK)
        result = laser_backward_report(b, &p->in, LASER_SPLIT_OUTPUTS, b->n, x, h, g->rising, stride, NULL);
    laser_backward_project(b, &p->in, b->n, g->rising, stride, h, dx, LASER_ADD);
    return result;
}
