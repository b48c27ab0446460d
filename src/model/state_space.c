/* State spaces of Mamba-2: Dao and Gu 2024, arXiv 2405.21060.
 *
 *   S = exp(-dt A) S + dt B x^T;  y = S^T C + D x        for each head, token by token
 *
 * with x, B and C behind a causal convolution and SiLU, dt = softplus(raw + bias).  The output is gated and normed,
 * by group.  Every shard has some heads, and B and C of the groups that these belong to.
 */
#include <string.h>

#include "model/internal.h"

struct laser_state_row laser_state_row_of(const struct laser_model *m)
{
    const struct laser_recurrence *mix = &m->arch.mix;
    int64_t x = m->mix_heads.count * mix->head_size, b = m->mix_groups.count * mix->state;

    return (struct laser_state_row){
        0, x, x + b, x + 2 * b, 2 * x + 2 * b, 2 * x + 2 * b + m->mix_heads.count};
}

/* The state of one head is [state, head_size]. */
void laser_state_space_step(const struct laser_recurrence *mix, float decay, float dt, float skip,
                            const float *x, const float *b, const float *c, float *restrict state,
                            float *restrict stepped, float *restrict y)
{
    for (int64_t p = 0; p < mix->head_size; p++) {
        stepped[p] = dt * x[p];
        y[p] = 0;
    }
    for (int64_t i = 0; i < mix->state; i++, state += mix->head_size)
        for (int64_t p = 0; p < mix->head_size; p++) {
            state[p] = state[p] * decay + b[i] * stepped[p];
            y[p] += c[i] * state[p];
        }
    for (int64_t p = 0; p < mix->head_size; p++)
        y[p] += skip * x[p];
}

void laser_state_space_run(const struct laser_model *m, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, int64_t length, float *rows, float *memory,
                           float *out)
{
    const struct laser_recurrence *mix = &m->arch.mix;
    const struct laser_mixer_parts *p = &layer->mix;
    const struct laser_state_row at = laser_state_row_of(m);
    int64_t per = mix->heads / mix->groups, size = mix->head_size;

    laser_model_convolve(p->conv.values, p->conv_bias.values, mix->kernel, at.gate, true, length, rows,
                         at.width, memory);
    for (int64_t h = 0; h < m->mix_heads.count; h++) {
        int64_t group = (m->mix_heads.first + h) / per - m->mix_groups.first;
        float *state = memory + layer->tail + h * size * mix->state, rate = -expf(p->decay.values[h]);

        for (int64_t t = 0; t < length; t++) {
            const float *row = rows + t * at.width;
            float dt = laser_softplus(row[at.step + h] + p->dt.values[h]);

            dt = fminf(fmaxf(dt, (float)mix->step_least), (float)mix->step_most);
            laser_state_space_step(mix, expf(dt * rate), dt, p->skip.values[h], row + h * size,
                                   row + at.b + group * mix->state, row + at.c + group * mix->state, state,
                                   ws->scratch_state, out + t * at.b + h * size);
        }
    }
}

/* Multipliers of what comes in. */
void laser_state_space_scale(const struct laser_model *m, int64_t n, float *rows)
{
    const struct laser_recurrence *mix = &m->arch.mix;
    const struct laser_state_row at = laser_state_row_of(m);
    const struct {
        int64_t from, to;
        enum laser_state_input input;
    } parts[] = {{at.x, at.b, LASER_STATE_X},
                 {at.b, at.c, LASER_STATE_B},
                 {at.c, at.gate, LASER_STATE_C},
                 {at.gate, at.step, LASER_STATE_GATE},
                 {at.step, at.width, LASER_STATE_STEP}};

    for (size_t k = 0; k < sizeof parts / sizeof parts[0]; k++) {
        float scale = (float)(mix->input_scale[parts[k].input] * mix->in_scale);

        for (int64_t i = 0; scale != 1 && i < n; i++)
            for (int64_t j = parts[k].from; j < parts[k].to; j++)
                rows[i * at.width + j] *= scale;
    }
}

void laser_state_space_gate(const struct laser_state_row *at, int64_t n, const float *rows, float *y)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < at->b; j++) {
            float gate = rows[i * at->width + at->gate + j];

            y[i * at->b + j] *= gate * laser_sigmoid(gate);
        }
}

int laser_state_space_norm(const struct laser_model *m, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, int64_t n, float *y, struct laser_error *err)
{
    const struct laser_recurrence *mix = &m->arch.mix;
    int64_t width = m->mix_heads.count * mix->head_size, per = mix->heads / mix->groups;
    float *squares = ws->latent, elements = (float)(per * mix->head_size);
    int result;

    memset(squares, 0, (size_t)(n * mix->groups) * sizeof *squares);
    for (int64_t i = 0; i < n; i++)
        for (int64_t h = 0; h < m->mix_heads.count; h++) {
            const float *x = y + i * width + h * mix->head_size;
            float *sum = &squares[i * mix->groups + (m->mix_heads.first + h) / per];

            for (int64_t j = 0; j < mix->head_size; j++)
                *sum += x[j] * x[j];
        }
    result = laser_model_group_sum(m, squares, n * mix->groups, err);
    for (int64_t i = 0; result == LASER_OK && i < n; i++)
        for (int64_t h = 0; h < m->mix_heads.count; h++) {
            float sum = squares[i * mix->groups + (m->mix_heads.first + h) / per];
            float scale = 1 / sqrtf(sum / elements + (float)m->arch.norm_eps);

            for (int64_t j = h * mix->head_size; j < (h + 1) * mix->head_size; j++)
                y[i * width + j] *= scale * layer->mix.norm.values[j];
        }
    return result;
}

int laser_model_state_space(const struct laser_model *m, struct laser_model_workspace *ws,
                            const struct laser_layer *layer, const struct laser_model_batch *batch,
                            const float *x, float *out, enum laser_output output, struct laser_error *err)
{
    const struct laser_recurrence *mix = &m->arch.mix;
    const struct laser_state_row at = laser_state_row_of(m);
    int64_t n = laser_model_batch_tokens(batch), width = at.b;
    int result = LASER_OK;

    if (width > 0) {
        laser_part_apply(&layer->mix.in, n, x, m->arch.hidden, ws->raised, at.width, LASER_STORE,
                         &ws->scratch);
        laser_state_space_scale(m, n, ws->raised);
        laser_model_run_sequences(m, ws, layer, batch, laser_state_space_run, at.width, width);
    }
    if (!mix->normed || !mix->norm_first)
        laser_state_space_gate(&at, n, ws->raised, ws->context);
    if (mix->normed)
        result = laser_state_space_norm(m, ws, layer, n, ws->context, err);
    if (mix->normed && mix->norm_first)
        laser_state_space_gate(&at, n, ws->raised, ws->context);
    for (int64_t i = 0; mix->out_scale != 1 && i < n * width; i++)
        ws->context[i] *= (float)mix->out_scale;
    if (result == LASER_OK)
        laser_model_project(&layer->mix.out, &layer->mix.out_bias, n, ws->context, width, m->arch.hidden, out,
                            output, &ws->scratch);
    return result;
}
