/* Lightning attention (MiniMax-01, arXiv 2501.08313): linear attention in which each head forgets at a rate of its
 * own, S = exp(-rate) S + k v^T, o = S^T q.  Tokens go in blocks: within one as attention without a softmax,
 * between them through the state.  Checkpoints may hold the decays, rounded; then these count, as in transformers.
 */
#include <string.h>

#include "model/internal.h"
#include "model/vectors.h"

/* Of a head in its layer, in float32 as transformers rounds it. */
static float rate_of(const struct laser_model *m, const struct laser_layer *layer, int64_t head)
{
    double place = (double)(layer - m->layers), last = (double)(m->arch.layers - 1);
    float rate = powf((float)exp2(-8 / (double)m->arch.heads), (float)(head + 1));

    return rate * (float)(1 - place / (last + 1e-5) + 1e-5);
}

struct laser_decays laser_lightning_decays(const struct laser_model *m, const struct laser_layer *layer,
                                           int64_t head)
{
    const struct laser_decay_parts *p = &layer->decays;
    int64_t block = m->arch.mix.block;

    return (struct laser_decays){
        laser_part_present(&p->rate) ? p->rate.values[head] : rate_of(m, layer, m->heads.first + head),
        laser_part_present(&p->query) ? p->query.values + head * block : NULL,
        laser_part_present(&p->key) ? p->key.values + head * block : NULL,
        laser_part_present(&p->diagonal) ? p->diagonal.values + head * block * block : NULL, block};
}

/* n <= block tokens of one head; q[t stride], keys and values behind it; the state is [size, size]. */
void laser_lightning_block(const struct laser_decays *d, int64_t n, int64_t size, const float *q,
                           int64_t stride, float *state, float *out, int64_t out_stride)
{
    float kept = expf(-d->rate * (float)n);

    for (int64_t i = 0; i < n; i++) {
        const float *row = q + i * stride;
        float *y = out + i * out_stride, decay = d->query ? d->query[i] : expf(-d->rate * (float)(i + 1));

        memset(y, 0, (size_t)size * sizeof *y);
        for (int64_t k = 0; k < size; k++)
            laser_row_add(decay * row[k], state + k * size, size, y);
        for (int64_t j = 0; j <= i; j++) {
            const float *key = q + j * stride + size;
            float between = d->diagonal ? d->diagonal[i * d->block + j] : expf(-d->rate * (float)(i - j));

            laser_row_add(laser_row_dot(row, key, size) * between, key + size, size, y);
        }
    }
    for (int64_t k = 0; k < size * size; k++)
        state[k] *= kept;
    for (int64_t j = 0; j < n; j++) {
        const float *key = q + j * stride + size;
        float decay = d->key ? d->key[d->block - n + j] : expf(-d->rate * (float)(n - 1 - j));

        for (int64_t k = 0; k < size; k++)
            laser_row_add(decay * key[k], key + size, size, state + k * size);
    }
}

void laser_lightning_run(const struct laser_model *m, struct laser_model_workspace *ws,
                         const struct laser_layer *layer, int64_t length, float *rows, float *memory,
                         float *out)
{
    int64_t size = m->arch.head_size, width = m->heads.count * size, stride = 3 * width,
            block = m->arch.mix.block;

    (void)ws;
    for (int64_t h = 0; h < m->heads.count; h++) {
        const struct laser_decays d = laser_lightning_decays(m, layer, h);

        for (int64_t t = 0; t < length; t += block)
            laser_lightning_block(&d, length - t < block ? length - t : block, size,
                                  rows + t * stride + 3 * h * size, stride, memory + h * size * size,
                                  out + t * width + h * size, width);
    }
}

int laser_lightning_norm(const struct laser_model *m, struct laser_model_workspace *ws,
                         const struct laser_layer *layer, int64_t n, struct laser_error *err)
{
    int64_t width = m->heads.count * m->arch.head_size;
    float elements = (float)(m->arch.heads * m->arch.head_size);
    int result;

    for (int64_t i = 0; i < n; i++)
        ws->pairs[i] = laser_row_dot(ws->context + i * width, ws->context + i * width, width);
    result = laser_model_group_sum(m, ws->pairs, n, err);
    for (int64_t i = 0; result == LASER_OK && i < n; i++)
        for (int64_t j = 0; j < width; j++)
            ws->context[i * width + j] *=
                layer->mix.norm.values[j] /
                sqrtf(ws->pairs[i] / elements + 1e-6f); /* whatever rms_norm_eps says */
    return result;
}

int laser_model_lightning(const struct laser_model *m, struct laser_model_workspace *ws,
                          const struct laser_layer *layer, const struct laser_model_batch *batch,
                          const float *x, float *out, enum laser_output output, struct laser_error *err)
{
    const struct laser_mixer_parts *p = &layer->mix;
    int64_t n = laser_model_batch_tokens(batch), width = m->heads.count * m->arch.head_size,
            stride = 3 * width;
    int result;

    if (width > 0) {
        laser_part_apply(&p->in, n, x, m->arch.hidden, ws->raised, stride, LASER_STORE, &ws->scratch);
        laser_activation_apply(LASER_ACT_SILU, n, stride, ws->raised, stride);
        laser_model_run_sequences(m, ws, layer, batch, laser_lightning_run, stride, width);
    }
    result = laser_lightning_norm(m, ws, layer, n, err);
    if (result == LASER_OK && width > 0)
        laser_model_apply_gate(&p->gate, ws, n, x, m->arch.hidden);
    if (result == LASER_OK)
        laser_model_project(&p->out, &p->out_bias, n, ws->context, width, m->arch.hidden, out, output,
                            &ws->scratch);
    return result;
}
