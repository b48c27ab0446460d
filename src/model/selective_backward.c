/* The way back through Mamba (selective.c): of each channel, with S before a token and T = exp(dt A) S + dt B x
 * behind it, y = (C T + D x) silu(gate).  The gradient at time steps, B and C is a sum over the shards. */
#include <math.h>
#include <string.h>

#include "kernels/norm.h"
#include "model/backward.h"

/* All channels of one sequence. */
struct channels {
    const struct laser_recurrence *mix;
    const struct laser_layer *layer;
    int64_t count, stride, width;
    const float *rows, *steps, *inner, *dout, *rates;
    float *drows, *dsteps, *dinner, *scratch; /* scratch: [channels] */
};

static void forward(void *context, int64_t t, float *state)
{
    const struct channels *c = context;
    const float *row = c->rows + t * c->stride, *inner = c->inner + t * c->width + c->mix->rank;

    laser_selective_step(c->mix->state, c->count, c->rates, c->layer->mix.skip.values, row, row + c->count,
                         c->steps + t * c->count, inner, inner + c->mix->state, state, c->scratch);
}

/* Through gate and skip: scratch = the gradient at C T + D x. */
static void back_gate(const struct channels *c, int64_t t, const float *after)
{
    const float *x = c->rows + t * c->stride, *gate = x + c->count, *dy = c->dout + t * c->count;
    const float *cs = c->inner + t * c->width + c->mix->rank + c->mix->state;
    const float *skip = c->layer->mix.skip.values;
    float *dx = c->drows + t * c->stride, *dgate = dx + c->count, *y = c->scratch;

    for (int64_t j = 0; j < c->count; j++)
        y[j] = skip[j] * x[j];
    for (int64_t i = 0; i < c->mix->state; i++)
        for (int64_t j = 0; j < c->count; j++)
            y[j] += cs[i] * after[i * c->count + j];
    for (int64_t j = 0; j < c->count; j++) {
        dgate[j] = dy[j] * y[j] * laser_silu_slope(gate[j]);
        y[j] = dy[j] * gate[j] * laser_sigmoid(gate[j]);
        dx[j] = skip[j] * y[j];
    }
}

static void back(void *context, int64_t t, const float *before, const float *after, float *ds)
{
    const struct channels *c = context;
    const float *x = c->rows + t * c->stride, *dt = c->steps + t * c->count, *rate = c->rates;
    const float *bs = c->inner + t * c->width + c->mix->rank, *cs = bs + c->mix->state;
    float *dx = c->drows + t * c->stride, *dstep = c->dsteps + t * c->count, *dy = c->scratch;
    float *dbs = c->dinner + t * c->width + c->mix->rank, *dcs = dbs + c->mix->state;
    int64_t n = c->count;

    back_gate(c, t, after);
    memset(dstep, 0, (size_t)n * sizeof *dstep);
    for (int64_t i = 0; i < c->mix->state; i++, ds += n, before += n, after += n, rate += n)
        for (int64_t j = 0; j < n; j++) {
            float decay = expf(dt[j] * rate[j]);

            dcs[i] += after[j] * dy[j];
            ds[j] += cs[i] * dy[j];
            dbs[i] += ds[j] * dt[j] * x[j];
            dx[j] += ds[j] * dt[j] * bs[i];
            dstep[j] += ds[j] * (before[j] * decay * rate[j] + bs[i] * x[j]);
            ds[j] *= decay;
        }
    for (int64_t j = 0; j < n; j++) /* of the softplus */
        dstep[j] *= dt[j] > 20 ? 1 : -expm1f(-dt[j]);
}

static void back_sequence(const struct laser_backward *b, const struct laser_layer *layer, int64_t row,
                          int64_t length)
{
    const struct laser_recurrence *mix = &b->model->arch.mix;
    struct laser_model_gradient *g = b->gradient;
    int64_t n = b->model->mix_heads.count, stride = layer->mix.in.out, width = mix->rank + 2 * mix->state;
    struct channels c = {.mix = mix,
                         .layer = layer,
                         .count = n,
                         .stride = stride,
                         .width = width,
                         .rows = b->ws->raised + row * stride,
                         .steps = b->ws->raised + b->n * stride + row * n,
                         .inner = b->ws->latent + row * width,
                         .dout = g->heads + row * n,
                         .rates = b->ws->scratch_state,
                         .drows = g->rising + row * stride,
                         .dsteps = g->rising + b->n * stride + row * n,
                         .dinner = g->sums + row * width,
                         .scratch = g->step};
    const struct laser_backward_recurrence r = {&c, n * mix->state, forward, back};

    laser_backward_steps(&r, length, g->memory_of_steps);
}

static void back_convolution(const struct laser_backward *b, const struct laser_layer *layer, int64_t row,
                             int64_t length)
{
    int64_t stride = layer->mix.in.out;

    laser_backward_convolve(layer->mix.conv.values, layer->mix.conv_bias.values, b->model->arch.mix.kernel,
                            b->model->mix_heads.count, true, length, b->gradient->raw + row * stride, stride,
                            b->gradient->rising + row * stride, stride);
}

/* From the gradients at time steps, B and C to those at what they come from, x; unnormed as
 * laser_selective_inner. */
static int back_inner(const struct laser_backward *b, const struct laser_layer *layer, const float *unnormed)
{
    const struct laser_model *m = b->model;
    const struct laser_recurrence *mix = &m->arch.mix;
    const struct laser_mixer_parts *p = &layer->mix;
    struct laser_model_gradient *g = b->gradient;
    int64_t n = m->mix_heads.count, stride = p->in.out, width = mix->rank + 2 * mix->state;
    float *sums = g->sums, *dsteps = g->rising + b->n * stride;
    const struct {
        const struct laser_part *norm;
        int64_t at, size;
    } normed[] = {{&p->step_norm, 0, mix->rank},
                  {&p->b_norm, mix->rank, mix->state},
                  {&p->c_norm, mix->rank + mix->state, mix->state}};
    int result =
        laser_backward_report(b, &p->step, LASER_SPLIT_OUTPUTS, b->n, b->ws->latent, width, dsteps, n, NULL);

    if (n > 0 && !laser_backward_inputs_only(b))
        laser_part_apply_backward(&p->step, b->n, dsteps, n, sums, width, LASER_ADD, &g->turning);
    if (result == LASER_OK && !laser_backward_inputs_only(b))
        result = laser_model_group_sum(m, sums, b->n * width, b->err);
    for (int k = 0; mix->inner != LASER_INNER_NONE && k < 3; k++)
        laser_rmsnorm_backward(b->n, normed[k].size, unnormed + normed[k].at, width, normed[k].norm->values,
                               (float)mix->inner_eps, false, sums + normed[k].at, width, sums + normed[k].at,
                               width, false);
    if (result == LASER_OK)
        result = laser_backward_report(b, &p->x, LASER_SPLIT_INPUTS, b->n, b->ws->raised, stride, sums, width,
                                       NULL);
    if (n > 0 && !laser_backward_inputs_only(b))
        laser_part_apply_backward(&p->x, b->n, sums, width, g->rising, stride, LASER_ADD, &g->turning);
    return result;
}

/* The forward again, up to what the output matrix reads. */
static int run_again(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                     float *unnormed)
{
    const struct laser_model *m = b->model;
    const struct laser_recurrence *mix = &m->arch.mix;
    int64_t n = m->mix_heads.count, stride = layer->mix.in.out, width = mix->rank + 2 * mix->state, row = 0;
    float *steps = b->ws->raised + b->n * stride;
    int result;

    if (n > 0) {
        laser_backward_enter(b, &layer->mix.in, x);
        laser_model_run_sequences(m, b->ws, layer, b->batch, laser_selective_convolve, stride, 0);
    }
    result = laser_selective_inner(m, b->ws, layer, b->n, steps, unnormed, b->err);
    laser_selective_rates(m, layer, b->ws->scratch_state);
    for (int64_t s = 0; n > 0 && result == LASER_OK && s < b->batch->sequences; s++) {
        int64_t length = b->batch->lengths ? b->batch->lengths[s] : b->batch->length;
        float *state = laser_model_begin_state(b->ws, layer, b->batch);

        for (int64_t t = row; t < row + length; t++) {
            const float *at = b->ws->raised + t * stride, *inner = b->ws->latent + t * width + mix->rank;

            laser_selective_step(mix->state, n, b->ws->scratch_state, layer->mix.skip.values, at, at + n,
                                 steps + t * n, inner, inner + mix->state, state, b->ws->context + t * n);
        }
        row += length;
    }
    return result;
}

int laser_backward_selective(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                             const float *delta, float *dx)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    int64_t n = m->mix_heads.count, stride = layer->mix.in.out, h = m->arch.hidden;
    float *unnormed = g->context;
    int result = run_again(b, layer, x, unnormed);

    if (result == LASER_OK)
        result = laser_backward_report(b, &layer->mix.out, LASER_SPLIT_INPUTS, b->n, b->ws->context, n, delta,
                                       h, NULL);
    laser_backward_project(b, &layer->mix.out, b->n, delta, h, n, g->heads, LASER_STORE);
    memset(g->sums, 0, (size_t)(b->n * (m->arch.mix.rank + 2 * m->arch.mix.state)) * sizeof *g->sums);
    if (n > 0 && !laser_backward_inputs_only(b))
        laser_backward_sequences(b, layer, back_sequence);
    if (result == LASER_OK)
        result = back_inner(b, layer, unnormed);
    if (n > 0 && !laser_backward_inputs_only(b))
        laser_backward_sequences(b, layer, back_convolution);
    if (result == LASER_OK)
        result = laser_backward_report(b, &layer->mix.in, LASER_SPLIT_OUTPUTS, b->n, x, h, g->rising, stride,
                                       NULL);
    laser_backward_project(b, &layer->mix.in, b->n, g->rising, stride, h, dx, LASER_STORE);
    return result;
}
