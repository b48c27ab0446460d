/* The gated delta rule in place of attention: Yang, Kautz and Hatamizadeh 2024, arXiv 2412.06464,
 * equation 10.
 *
 *   S = exp(g) S;  S += k (beta (v - S^T k))^T;  o = S^T q        for each value head, token by token
 *
 * with q, k and v behind a causal convolution and SiLU, q and k of length 1.  The output is normed and gated.
 * Every shard has some key heads and the value heads that belong to them.
 */
#include <math.h>
#include <string.h>

#include "model/internal.h"

static float sigmoid(float x)
{
    return 1 / (1 + expf(-x));
}

/* Convolution over time of the first `channels` of rows[length, stride], then SiLU; in place, the last row
 * first, because a row needs those before it. */
static void convolve(const float *weight, int64_t kernel, int64_t channels, int64_t length, float *rows,
                     int64_t stride)
{
    for (int64_t t = length - 1; t >= 0; t--)
        for (int64_t c = 0; c < channels; c++) {
            const float *w = weight + c * kernel;
            float sum = 0;

            for (int64_t j = 0; j < kernel; j++)
                if (t - (kernel - 1) + j >= 0)
                    sum += w[j] * rows[(t - (kernel - 1) + j) * stride + c];
            rows[t * stride + c] = sum * sigmoid(sum);
        }
}

static void normalize(float *x, int64_t n, float scale)
{
    float sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    scale /= sqrtf(sum + 1e-6f);
    for (int64_t i = 0; i < n; i++)
        x[i] *= scale;
}

/* One token of one value head. */
static void step(const struct laser_delta *d, float decay, float beta, const float *q, const float *k,
                 const float *v, float *state, float *recalled, float *out)
{
    int64_t width = d->value_size;

    memset(recalled, 0, (size_t)width * sizeof *recalled);
    memset(out, 0, (size_t)width * sizeof *out);
    for (int64_t i = 0; i < d->key_size; i++)
        for (int64_t j = 0; j < width; j++) {
            state[i * width + j] *= decay;
            recalled[j] += state[i * width + j] * k[i];
        }
    for (int64_t j = 0; j < width; j++)
        recalled[j] = (v[j] - recalled[j]) * beta;
    for (int64_t i = 0; i < d->key_size; i++)
        for (int64_t j = 0; j < width; j++) {
            state[i * width + j] += k[i] * recalled[j];
            out[j] += state[i * width + j] * q[i];
        }
}

static void norm_and_gate(const float *weight, float eps, int64_t n, const float *gate, float *x)
{
    float sum = 0, scale;

    for (int64_t j = 0; j < n; j++)
        sum += x[j] * x[j];
    scale = 1 / sqrtf(sum / (float)n + eps);
    for (int64_t j = 0; j < n; j++)
        x[j] *= scale * weight[j] * gate[j] * sigmoid(gate[j]);
}

/* All tokens of one sequence: rows[length, stride] to out[length, heads x size]. */
static void run_sequence(const struct laser_model *m, struct laser_model_workspace *ws,
                         const struct laser_layer *layer, int64_t length, float *rows, float *out)
{
    const struct laser_delta *d = &m->arch.delta;
    const struct laser_delta_parts *p = &layer->delta;
    int64_t keys = m->delta_heads.count, per = d->value_heads / d->key_heads, heads = keys * per;
    int64_t size = d->value_size, value = heads * size, key = keys * d->key_size;
    int64_t stride = p->in.out, z = 2 * key + value, beta = z + value, a = beta + heads;
    float *recalled = ws->state + d->key_size * size;

    convolve(p->conv.values, d->kernel, z, length, rows, stride);
    for (int64_t t = 0; t < length; t++)
        for (int64_t h = 0; h < keys; h++) {
            normalize(rows + t * stride + h * d->key_size, d->key_size, 1 / sqrtf((float)d->key_size));
            normalize(rows + t * stride + key + h * d->key_size, d->key_size, 1);
        }
    for (int64_t h = 0; h < heads; h++) {
        memset(ws->state, 0, (size_t)(d->key_size * size) * sizeof(float));
        for (int64_t t = 0; t < length; t++) {
            const float *row = rows + t * stride;
            const float *q = row + h / per * d->key_size;
            float x = row[a + h] + p->dt.values[h];
            float rate = -expf(p->decay.values[h]) * (x > 20 ? x : log1pf(expf(x)));
            float *to = out + t * value + h * size;

            step(d, expf(rate), sigmoid(row[beta + h]), q, q + key, row + 2 * key + h * size, ws->state,
                 recalled, to);
            norm_and_gate(p->norm.values, (float)m->arch.norm_eps, size, row + z + h * size, to);
        }
    }
}

void laser_model_delta(const struct laser_model *m, struct laser_model_workspace *ws,
                       const struct laser_layer *layer, const struct laser_model_batch *batch, const float *x,
                       float *out, enum laser_output output)
{
    int64_t n = laser_model_batch_tokens(batch), width = laser_delta_width(m), row = 0;
    int64_t stride = layer->delta.in.out;

    if (width > 0) {
        laser_part_apply(&layer->delta.in, n, x, m->arch.hidden, ws->raised, stride, LASER_STORE,
                         &ws->scratch);
        for (int64_t s = 0; s < batch->sequences; s++) {
            int64_t length = batch->lengths ? batch->lengths[s] : batch->length;

            run_sequence(m, ws, layer, length, ws->raised + row * stride, ws->context + row * width);
            row += length;
        }
    }
    laser_model_project(&layer->delta.out, &layer->o_bias, n, ws->context, width, m->arch.hidden, out, output,
                        &ws->scratch);
}
