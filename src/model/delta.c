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
void laser_delta_step(const struct laser_delta *d, float decay, float beta, const float *q, const float *k,
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
        x[j] *= scale * weight[j] * gate[j] * laser_sigmoid(gate[j]);
}

/* All tokens of one sequence: rows[length, stride] to out[length, heads x size]. */
void laser_delta_run(const struct laser_model *m, struct laser_model_workspace *ws,
                     const struct laser_layer *layer, int64_t length, float *rows, float *memory, float *out)
{
    const struct laser_delta *d = &m->arch.delta;
    const struct laser_delta_parts *p = &layer->delta;
    int64_t keys = m->delta_heads.count, per = d->value_heads / d->key_heads, heads = keys * per;
    int64_t size = d->value_size, value = heads * size, key = keys * d->key_size;
    int64_t stride = p->in.out, z = 2 * key + value, beta = z + value, a = beta + heads;

    laser_model_convolve(p->conv.values, NULL, d->kernel, z, true, length, rows, stride, memory);
    for (int64_t t = 0; t < length; t++)
        for (int64_t h = 0; h < keys; h++) {
            normalize(rows + t * stride + h * d->key_size, d->key_size, 1 / sqrtf((float)d->key_size));
            normalize(rows + t * stride + key + h * d->key_size, d->key_size, 1);
        }
    for (int64_t h = 0; h < heads; h++) {
        float *state = memory + layer->tail + h * d->key_size * size;

        for (int64_t t = 0; t < length; t++) {
            const float *row = rows + t * stride;
            const float *q = row + h / per * d->key_size;
            float x = row[a + h] + p->dt.values[h];
            float rate = -expf(p->decay.values[h]) * laser_softplus(x);
            float *to = out + t * value + h * size;

            laser_delta_step(d, expf(rate), laser_sigmoid(row[beta + h]), q, q + key,
                             row + 2 * key + h * size, state, ws->scratch_state, to);
            norm_and_gate(p->norm.values, (float)m->arch.norm_eps, size, row + z + h * size, to);
        }
    }
}

int laser_model_delta(const struct laser_model *m, struct laser_model_workspace *ws,
                      const struct laser_layer *layer, const struct laser_model_batch *batch, const float *x,
                      float *out, enum laser_output output, struct laser_error *err)
{
    int64_t n = laser_model_batch_tokens(batch), width = laser_delta_width(m), stride = layer->delta.in.out;

    (void)err;
    if (width > 0) {
        laser_part_apply(&layer->delta.in, n, x, m->arch.hidden, ws->raised, stride, LASER_STORE,
                         &ws->scratch);
        laser_model_run_sequences(m, ws, layer, batch, laser_delta_run, stride, width);
    }
    laser_model_project(&layer->delta.out, &layer->o_bias, n, ws->context, width, m->arch.hidden, out, output,
                        &ws->scratch);
    return LASER_OK;
}
