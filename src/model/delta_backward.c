/* The way back through the gated delta rule (delta.c).  With S the state before a token, T = a S + k e' behind it,
 * e = beta (v - r), r = a S' k and o = T' q:
 *
 *   dT += q do';  dq = T do;  de = dT' k;  dk = dT e + a S dr;  dv = beta de = -dr;  dbeta = de (v - r)
 *   d(a S) = dT + k dr';  da = <d(a S), S>;  dS = a d(a S)
 */
#include <math.h>
#include <string.h>

#include "model/backward.h"

/* One value head of one sequence. */
struct head {
    const struct laser_model *model;
    const struct laser_layer *layer;
    int64_t q, k, v, z, beta, a, stride, width, out; /* places in a row; of this head in the context */
    const float *rows, *dout;
    float *drows, *scratch; /* scratch: [4 x value size] */
    float rate, shift;      /* -exp(decay); what is added to the raw step */
};

static float decay_of(const struct head *h, int64_t t)
{
    return expf(h->rate * laser_softplus(h->rows[t * h->stride + h->a] + h->shift));
}

static void forward(void *context, int64_t t, float *state)
{
    const struct head *h = context;
    const float *row = h->rows + t * h->stride;

    laser_delta_step(&h->model->arch.delta, decay_of(h, t), laser_sigmoid(row[h->beta]), row + h->q,
                     row + h->k, row + h->v, state, h->scratch, h->scratch + h->width);
}

/* o from the state, and back through its norm and gate: dz, and do in `o`. */
static void back_gate(const struct head *h, int64_t t, const float *after, float *o)
{
    const float *row = h->rows + t * h->stride, *dy = h->dout + t * h->out;
    const float *weight = h->layer->delta.norm.values, *z = row + h->z, *q = row + h->q;
    float *dz = h->drows + t * h->stride + h->z, squares = 0, along = 0, scale;
    int64_t n = h->width;

    memset(o, 0, (size_t)n * sizeof *o);
    for (int64_t i = 0; i < h->model->arch.delta.key_size; i++)
        for (int64_t j = 0; j < n; j++)
            o[j] += after[i * n + j] * q[i];
    for (int64_t j = 0; j < n; j++)
        squares += o[j] * o[j];
    scale = 1 / sqrtf(squares / (float)n + (float)h->model->arch.norm_eps);
    for (int64_t j = 0; j < n; j++) {
        dz[j] = dy[j] * o[j] * scale * weight[j] * laser_silu_slope(z[j]);
        along += dy[j] * weight[j] * z[j] * laser_sigmoid(z[j]) * o[j];
    }
    along *= scale * scale / (float)n;
    for (int64_t j = 0; j < n; j++)
        o[j] = scale * (dy[j] * weight[j] * z[j] * laser_sigmoid(z[j]) - o[j] * along);
}

static void back(void *context, int64_t t, const float *before, const float *after, float *ds)
{
    const struct head *h = context;
    const float *row = h->rows + t * h->stride, *q = row + h->q, *k = row + h->k, *v = row + h->v;
    float *drow = h->drows + t * h->stride, *dq = drow + h->q, *dk = drow + h->k, *dv = drow + h->v;
    float *o = h->scratch, *e = o + h->width, *de = e + h->width, dbeta = 0, ddecay = 0;
    float decay = decay_of(h, t), beta = laser_sigmoid(row[h->beta]);
    int64_t n = h->width, keys = h->model->arch.delta.key_size;

    back_gate(h, t, after, o);
    memset(e, 0, (size_t)n * sizeof *e);
    memset(de, 0, (size_t)n * sizeof *de);
    for (int64_t i = 0; i < keys; i++)
        for (int64_t j = 0; j < n; j++) {
            dq[i] += after[i * n + j] * o[j];
            ds[i * n + j] += q[i] * o[j];
            de[j] += k[i] * ds[i * n + j];
            e[j] += decay * before[i * n + j] * k[i];
        }
    for (int64_t j = 0; j < n; j++) {
        dbeta += de[j] * (v[j] - e[j]);
        e[j] = beta * (v[j] - e[j]);
        dv[j] = beta * de[j];
    }
    for (int64_t i = 0; i < keys; i++)
        for (int64_t j = 0; j < n; j++) {
            dk[i] += ds[i * n + j] * e[j] - decay * before[i * n + j] * dv[j];
            ds[i * n + j] -= k[i] * dv[j];
            ddecay += ds[i * n + j] * before[i * n + j];
            ds[i * n + j] *= decay;
        }
    drow[h->beta] = dbeta * beta * (1 - beta);
    drow[h->a] = ddecay * decay * h->rate * laser_sigmoid(row[h->a] + h->shift);
}

/* x behind the convolution became x scale / sqrt(x x + 1e-6): its gradient, in place. */
static void back_length(const struct laser_layer *layer, int64_t kernel, int64_t size, int64_t t, int64_t at,
                        float scale, const float *raw, int64_t stride, float *delta, float *x)
{
    float squares = 1e-6f, along = 0;

    for (int64_t i = 0; i < size; i++) {
        float y = laser_backward_convolved(layer->delta.conv.values, NULL, kernel, t, at + i, raw, stride);

        x[i] = y * laser_sigmoid(y);
        squares += x[i] * x[i];
        along += x[i] * delta[i];
    }
    scale /= sqrtf(squares);
    for (int64_t i = 0; i < size; i++)
        delta[i] = scale * (delta[i] - x[i] * along / squares);
}

/* raw and active: what came in before and behind the convolution; delta becomes the gradient at raw. */
static void back_sequence(const struct laser_backward *b, const struct laser_layer *layer, int64_t row,
                          int64_t length)
{
    const struct laser_model *m = b->model;
    const struct laser_delta *d = &m->arch.delta;
    struct laser_model_gradient *g = b->gradient;
    int64_t keys = m->delta_heads.count, per = d->value_heads / d->key_heads, heads = keys * per;
    int64_t size = d->key_size, key = keys * size, value = heads * d->value_size,
            stride = layer->delta.in.out;
    float *raw = g->raw + row * stride, *delta = g->rising + row * stride;
    struct head head = {.model = m,
                        .layer = layer,
                        .stride = stride,
                        .width = d->value_size,
                        .out = value,
                        .rows = b->ws->raised + row * stride,
                        .drows = delta,
                        .scratch = g->step};

    memset(delta, 0, (size_t)(length * stride) * sizeof *delta);
    for (int64_t h = 0; h < heads; h++) {
        const struct laser_backward_recurrence r = {&head, size * d->value_size, forward, back};

        head.q = h / per * size;
        head.k = key + head.q;
        head.v = 2 * key + h * d->value_size;
        head.z = head.v + value;
        head.beta = 2 * key + 2 * value + h;
        head.a = head.beta + heads;
        head.dout = g->heads + row * value + h * d->value_size;
        head.rate = -expf(layer->delta.decay.values[h]);
        head.shift = layer->delta.dt.values[h];
        laser_backward_steps(&r, length, g->memory_of_steps);
    }
    for (int64_t t = 0; t < length; t++)
        for (int64_t h = 0; h < 2 * keys; h++)
            back_length(layer, d->kernel, size, t, h * size, h < keys ? 1 / sqrtf((float)size) : 1, raw,
                        stride, delta + t * stride + h * size, g->step);
    laser_backward_convolve(layer->delta.conv.values, NULL, d->kernel, 2 * key + value, true, length, raw,
                            stride, delta, stride);
}

int laser_backward_delta(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                         const float *delta, float *dx)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    int64_t width = laser_delta_width(m), stride = layer->delta.in.out, h = m->arch.hidden;
    int result;

    if (width > 0) {
        laser_backward_enter(b, &layer->delta.in, x);
        laser_model_run_sequences(m, b->ws, layer, b->batch, laser_delta_run, stride, width);
    }
    result = laser_backward_report(b, &layer->delta.out, LASER_SPLIT_INPUTS, b->n, b->ws->context, width,
                                   delta, h, NULL);
    laser_backward_project(b, &layer->delta.out, b->n, delta, h, width, g->heads, LASER_STORE);
    if (width > 0 && !laser_backward_inputs_only(b))
        laser_backward_sequences(b, layer, back_sequence);
    if (result == LASER_OK)
        result = laser_backward_report(b, &layer->delta.in, LASER_SPLIT_OUTPUTS, b->n, x, h, g->rising,
                                       stride, NULL);
    laser_backward_project(b, &layer->delta.in, b->n, g->rising, stride, h, dx, LASER_STORE);
    return result;
}
