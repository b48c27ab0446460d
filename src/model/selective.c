/* State spaces of Mamba: Gu and Dao 2023, arXiv 2312.00752, algorithm 2.
 *
 *   S = exp(dt A) S + dt x B;  y = S C + D x        for each channel, token by token
 *
 * with x behind a causal convolution and SiLU; time steps, B and C come from x, so that there is a sum over the
 * shards between.  Every shard has some channels.
 */
#include <string.h>

#include "kernels/norm.h"
#include "model/internal.h"

/* A row of time steps (as a latent), B and C, the same on all shards. */
static int64_t inner_width(const struct laser_recurrence *mix)
{
    return mix->rank + 2 * mix->state;
}

/* One token: x[channels] with its gate, dt[channels], the state [state, channels]; rate as the state. */
void laser_selective_step(int64_t states, int64_t channels, const float *rate, const float *skip,
                          const float *x, const float *gate, const float *dt, const float *b, const float *c,
                          float *restrict state, float *restrict y)
{
    memset(y, 0, (size_t)channels * sizeof *y);
    for (int64_t i = 0; i < states; i++, state += channels, rate += channels)
        for (int64_t j = 0; j < channels; j++) {
            state[j] = expf(dt[j] * rate[j]) * state[j] + dt[j] * b[i] * x[j];
            y[j] += c[i] * state[j];
        }
    for (int64_t j = 0; j < channels; j++)
        y[j] = (y[j] + skip[j] * x[j]) * gate[j] * laser_sigmoid(gate[j]);
}

void laser_selective_convolve(const struct laser_model *m, struct laser_model_workspace *ws,
                              const struct laser_layer *layer, int64_t length, float *rows, float *memory,
                              float *out)
{
    (void)ws;
    (void)out;
    laser_model_convolve(layer->mix.conv.values, layer->mix.conv_bias.values, m->arch.mix.kernel,
                         m->mix_heads.count, true, length, rows, layer->mix.in.out, memory);
}

int laser_selective_inner(const struct laser_model *m, struct laser_model_workspace *ws,
                          const struct laser_layer *layer, int64_t n, float *steps, float *unnormed,
                          struct laser_error *err)
{
    const struct laser_recurrence *mix = &m->arch.mix;
    const struct laser_mixer_parts *p = &layer->mix;
    static const struct laser_part none;
    int64_t width = inner_width(mix), channels = m->mix_heads.count;
    const struct {
        const struct laser_part *norm;
        int64_t at, size;
    } normed[] = {{&p->step_norm, 0, mix->rank},
                  {&p->b_norm, mix->rank, mix->state},
                  {&p->c_norm, mix->rank + mix->state, mix->state}};
    int result;

    laser_model_project(&p->x, &none, n, ws->raised, p->in.out, width, ws->latent, LASER_STORE, &ws->scratch);
    result = laser_model_group_sum(m, ws->latent, n * width, err);
    if (unnormed)
        memcpy(unnormed, ws->latent, (size_t)(n * width) * sizeof *unnormed);
    for (int k = 0; result == LASER_OK && mix->inner != LASER_INNER_NONE && k < 3; k++)
        laser_rmsnorm(n, normed[k].size, ws->latent + normed[k].at, width, normed[k].norm->values,
                      (float)mix->inner_eps, false, ws->latent + normed[k].at, width);
    if (result == LASER_OK && channels > 0)
        laser_part_apply(&p->step, n, ws->latent, width, steps, channels, LASER_STORE, &ws->scratch);
    for (int64_t i = 0; i < n * channels; i++)
        steps[i] = laser_softplus(steps[i]);
    return result;
}

/* The sequences after the convolution, which left its tail in the memory and takes no part here. */
static void scan(const struct laser_model *m, struct laser_model_workspace *ws,
                 const struct laser_layer *layer, int64_t row, int64_t length, const float *steps,
                 float *state)
{
    const struct laser_recurrence *mix = &m->arch.mix;
    int64_t channels = m->mix_heads.count, width = inner_width(mix), stride = layer->mix.in.out;

    for (int64_t t = row; t < row + length; t++) {
        const float *x = ws->raised + t * stride, *inner = ws->latent + t * width;

        laser_selective_step(mix->state, channels, ws->scratch_state, layer->mix.skip.values, x, x + channels,
                             steps + t * channels, inner + mix->rank, inner + mix->rank + mix->state, state,
                             ws->context + t * channels);
    }
}

void laser_selective_rates(const struct laser_model *m, const struct laser_layer *layer, float *rates)
{
    int64_t channels = m->mix_heads.count, states = m->arch.mix.state;

    for (int64_t j = 0; j < channels; j++)
        for (int64_t i = 0; i < states; i++)
            rates[i * channels + j] = -expf(layer->mix.decay.values[j * states + i]);
}

int laser_model_selective(const struct laser_model *m, struct laser_model_workspace *ws,
                          const struct laser_layer *layer, const struct laser_model_batch *batch,
                          const float *x, float *out, enum laser_output output, struct laser_error *err)
{
    int64_t n = laser_model_batch_tokens(batch), channels = m->mix_heads.count, stride = layer->mix.in.out,
            row = 0;
    float *steps = ws->raised + n * stride;
    int result;

    if (channels > 0) {
        laser_part_apply(&layer->mix.in, n, x, m->arch.hidden, ws->raised, stride, LASER_STORE, &ws->scratch);
        laser_model_run_sequences(m, ws, layer, batch, laser_selective_convolve, stride, 0);
    }
    result = laser_selective_inner(m, ws, layer, n, steps, NULL, err);
    if (result != LASER_OK)
        return result;
    laser_selective_rates(m, layer, ws->scratch_state);
    for (int64_t s = 0; channels > 0 && s < batch->sequences; s++) {
        int64_t length = batch->lengths ? batch->lengths[s] : batch->length;

        scan(m, ws, layer, row, length, steps, laser_model_begin_state(ws, layer, batch));
        row += length;
    }
    laser_model_project(&layer->mix.out, &layer->mix.out_bias, n, ws->context, channels, m->arch.hidden, out,
                        output, &ws->scratch);
    return LASER_OK;
}
