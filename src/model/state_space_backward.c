/* The way back through Mamba-2 (state_space.c).  With S before a token, T = a S + B (dt x)' behind it, a =
 * exp(dt A), y = T' C + D x:
 *
 *   dT += C dy';  dC = T dy;  d(dt x) = dT' B;  dB = dT (dt x);  da = <dT, S>;  dS = a dT
 */
#include <math.h>
#include <string.h>

#include "model/backward.h"

/* One head of one sequence. */
struct head {
    const struct laser_recurrence *mix;
    int64_t x, b, c, step, stride, out; /* places in a row */
    const float *rows, *dout;
    float *drows, *scratch; /* scratch: [2 x head size] */
    float rate, shift, skip;
};

/* The time step; *slope: of it with what came in. */
static float step_of(const struct head *h, int64_t t, float *slope)
{
    float raw = h->rows[t * h->stride + h->step] + h->shift, dt = laser_softplus(raw);
    float least = (float)h->mix->step_least, most = (float)h->mix->step_most;

    *slope = dt < least || dt > most ? 0 : laser_sigmoid(raw);
    return fminf(fmaxf(dt, least), most);
}

static void forward(void *context, int64_t t, float *state)
{
    const struct head *h = context;
    const float *row = h->rows + t * h->stride;
    float slope, dt = step_of(h, t, &slope);

    laser_state_space_step(h->mix, expf(dt * h->rate), dt, h->skip, row + h->x, row + h->b, row + h->c, state,
                           h->scratch, h->scratch + h->mix->head_size);
}

static void back(void *context, int64_t t, const float *before, const float *after, float *ds)
{
    const struct head *h = context;
    const float *row = h->rows + t * h->stride, *x = row + h->x, *dy = h->dout + t * h->out;
    float *drow = h->drows + t * h->stride, *dx = drow + h->x, *stepped = h->scratch;
    float slope, dt = step_of(h, t, &slope), decay = expf(dt * h->rate), ddecay = 0, ddt = 0;
    int64_t n = h->mix->head_size;

    memset(stepped, 0, (size_t)n * sizeof *stepped);
    for (int64_t i = 0; i < h->mix->state; i++, ds += n, before += n, after += n) {
        float db = 0, dc = 0;

        for (int64_t p = 0; p < n; p++) {
            dc += after[p] * dy[p];
            ds[p] += row[h->c + i] * dy[p];
            db += ds[p] * dt * x[p];
            stepped[p] += ds[p] * row[h->b + i];
            ddecay += ds[p] * before[p];
            ds[p] *= decay;
        }
        drow[h->b + i] += db;
        drow[h->c + i] += dc;
    }
    for (int64_t p = 0; p < n; p++) {
        dx[p] = h->skip * dy[p] + dt * stepped[p];
        ddt += x[p] * stepped[p];
    }
    drow[h->step] = (ddt + ddecay * decay * h->rate) * slope;
}

static void back_sequence(const struct laser_backward *b, const struct laser_layer *layer, int64_t row,
                          int64_t length)
{
    const struct laser_model *m = b->model;
    const struct laser_recurrence *mix = &m->arch.mix;
    const struct laser_mixer_parts *p = &layer->mix;
    const struct laser_state_row at = laser_state_row_of(m);
    struct laser_model_gradient *g = b->gradient;
    int64_t per = mix->heads / mix->groups, size = mix->head_size;
    float *delta = g->rising + row * at.width;
    struct head head = {.mix = mix,
                        .stride = at.width,
                        .out = at.b,
                        .rows = b->ws->raised + row * at.width,
                        .drows = delta,
                        .scratch = g->step};

    for (int64_t t = 0; t < length; t++) /* the gradients at the gates are there */
        memset(delta + t * at.width + at.b, 0, (size_t)(at.gate - at.b) * sizeof *delta);
    for (int64_t h = 0; h < m->mix_heads.count; h++) {
        const struct laser_backward_recurrence r = {&head, size * mix->state, forward, back};
        int64_t group = (m->mix_heads.first + h) / per - m->mix_groups.first;

        head.x = h * size;
        head.b = at.b + group * mix->state;
        head.c = at.c + group * mix->state;
        head.step = at.step + h;
        head.dout = g->heads + row * at.b + h * size;
        head.rate = -expf(p->decay.values[h]);
        head.shift = p->dt.values[h];
        head.skip = p->skip.values[h];
        laser_backward_steps(&r, length, g->memory_of_steps);
    }
    laser_backward_convolve(p->conv.values, p->conv_bias.values, mix->kernel, at.gate, true, length,
                            g->raw + row * at.width, at.width, delta, at.width);
}

/* y[n, width] times SiLU of the gates: the gradients at the gates go into gradient->rising, dy becomes that at y. */
static void back_gate(const struct laser_backward *b, const struct laser_state_row *at, const float *y,
                      float *dy)
{
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t j = 0; j < at->b; j++) {
            float gate = b->ws->raised[i * at->width + at->gate + j], *d = &dy[i * at->b + j];

            b->gradient->rising[i * at->width + at->gate + j] =
                *d * y[i * at->b + j] * laser_silu_slope(gate);
            *d *= gate * laser_sigmoid(gate);
        }
}

/* dy behind the norm of y by groups becomes that before it; sums of squares and along the gradient go over the
 * shards together. */
static int back_norm(const struct laser_backward *b, const struct laser_layer *layer, const float *y,
                     float *dy)
{
    const struct laser_model *m = b->model;
    const struct laser_recurrence *mix = &m->arch.mix;
    int64_t size = mix->head_size, width = m->mix_heads.count * size, per = mix->heads / mix->groups;
    float *sums = b->gradient->sums, elements = (float)(per * size);
    const float *weight = layer->mix.norm.values;
    int result;

    memset(sums, 0, (size_t)(2 * b->n * mix->groups) * sizeof *sums);
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t j = 0; j < width; j++) {
            float *sum = &sums[2 * (i * mix->groups + (m->mix_heads.first + j / size) / per)];

            sum[0] += y[i * width + j] * y[i * width + j];
            sum[1] += y[i * width + j] * weight[j] * dy[i * width + j];
        }
    result = laser_model_group_sum(m, sums, 2 * b->n * mix->groups, b->err);
    for (int64_t i = 0; i < b->n && result == LASER_OK; i++)
        for (int64_t j = 0; j < width; j++) {
            const float *sum = &sums[2 * (i * mix->groups + (m->mix_heads.first + j / size) / per)];
            float scale = 1 / sqrtf(sum[0] / elements + (float)m->arch.norm_eps), *d = &dy[i * width + j];

            *d = scale * (weight[j] * *d - y[i * width + j] * scale * scale * sum[1] / elements);
        }
    return result;
}

/* ws->context = what the output matrix reads; gradient->context = the states' output, and behind it, where both are
 * there, what went into the second of gate and norm. */
static int close_again(const struct laser_backward *b, const struct laser_layer *layer)
{
    const struct laser_recurrence *mix = &b->model->arch.mix;
    const struct laser_state_row at = laser_state_row_of(b->model);
    float *context = b->ws->context, *kept = b->gradient->context;
    int64_t size = b->n * at.b;
    int result = LASER_OK;

    memcpy(kept, context, (size_t)size * sizeof *kept);
    if (!mix->normed || !mix->norm_first)
        laser_state_space_gate(&at, b->n, b->ws->raised, context);
    if (mix->normed && !mix->norm_first)
        memcpy(kept + size, context, (size_t)size * sizeof *kept);
    if (mix->normed)
        result = laser_state_space_norm(b->model, b->ws, layer, b->n, context, b->err);
    if (mix->normed && mix->norm_first) {
        memcpy(kept + size, context, (size_t)size * sizeof *kept);
        laser_state_space_gate(&at, b->n, b->ws->raised, context);
    }
    return result;
}

static int back_close(const struct laser_backward *b, const struct laser_layer *layer)
{
    const struct laser_recurrence *mix = &b->model->arch.mix;
    const struct laser_state_row at = laser_state_row_of(b->model);
    const float *first = b->gradient->context, *second = first + b->n * at.b;
    float *dy = b->gradient->heads;
    int result = LASER_OK;

    if (mix->normed && mix->norm_first)
        back_gate(b, &at, second, dy);
    if (mix->normed)
        result = back_norm(b, layer, mix->norm_first ? first : second, dy);
    if (!mix->normed || !mix->norm_first)
        back_gate(b, &at, first, dy);
    return result;
}

int laser_backward_state_space(const struct laser_backward *b, const struct laser_layer *layer,
                               const float *x, const float *delta, float *dx)
{
    const struct laser_model *m = b->model;
    const struct laser_recurrence *mix = &m->arch.mix;
    const struct laser_state_row at = laser_state_row_of(m);
    struct laser_model_gradient *g = b->gradient;
    int64_t width = at.b, h = m->arch.hidden;
    int result;

    if (width > 0) {
        laser_part_apply(&layer->mix.in, b->n, x, h, b->ws->raised, at.width, LASER_STORE,
                         &g->turning.scratch);
        laser_state_space_scale(m, b->n, b->ws->raised);
        memcpy(g->raw, b->ws->raised, (size_t)(b->n * at.width) * sizeof *g->raw);
        laser_model_run_sequences(m, b->ws, layer, b->batch, laser_state_space_run, at.width, width);
    }
    result = close_again(b, layer);
    delta = laser_backward_scaled(b, (float)mix->out_scale, delta);
    if (result == LASER_OK)
        result = laser_backward_report(b, &layer->mix.out, LASER_SPLIT_INPUTS, b->n, b->ws->context, width,
                                       delta, h, NULL);
    laser_backward_project(b, &layer->mix.out, b->n, delta, h, width, g->heads, LASER_STORE);
    if (result == LASER_OK && !laser_backward_inputs_only(b))
        result = back_close(b, layer);
    if (result != LASER_OK)
        return result;
    if (width > 0 && !laser_backward_inputs_only(b)) {
        laser_backward_sequences(b, layer, back_sequence);
        laser_state_space_scale(m, b->n, g->rising);
        for (int64_t i = 0; mix->in_scale != 1 && i < b->n * at.width; i++)
            g->rising[i] /= (float)mix->in_scale;
    }
    result = laser_backward_report(b, &layer->mix.in, LASER_SPLIT_OUTPUTS, b->n,
                                   laser_backward_scaled(b, (float)mix->in_scale, x), h, g->rising, at.width,
                                   NULL);
    laser_backward_project(b, &layer->mix.in, b->n, g->rising, at.width, h, dx, LASER_STORE);
    for (int64_t i = 0; mix->in_scale != 1 && i < b->n * h; i++)
        dx[i] *= (float)mix->in_scale;
    return result;
}
