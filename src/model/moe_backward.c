/* Mixture of experts.  With out = sum_k w_k expert_k(x), w = softmax(router(x)) at the chosen experts (made
 * to sum to 1 where moe.normalized), the gradient at w_k is delta . expert_k(x): taken before the down
 * projection, it is a sum over the columns of the shards. */
#include <math.h>
#include <string.h>

#include "model/backward.h"

/* The gradients at the routing weights [n, per token], and at the gate of the shared expert [n]. */
static float *routing_delta(const struct laser_backward *b)
{
    return b->gradient->normed + b->n * b->model->arch.hidden;
}

static float *gate_delta(const struct laser_backward *b)
{
    return routing_delta(b) + b->n * b->model->arch.moe.per_token;
}

static void scale(float *x, float factor, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] *= factor;
}

/* Activated columns and the gradient there, before the factor of their output: the gradient at the factor is
 * returned, that with it takes the place of the columns. */
static float meet(float *activated, const float *back, float factor, int64_t n)
{
    float sum = 0;

    for (int64_t i = 0; i < n; i++) {
        sum += activated[i] * back[i];
        activated[i] = factor * back[i];
    }
    return sum;
}

/* The rows of one expert: inputs, gradients at the output of the layer, and where they come from. */
static void gather(const struct laser_backward *b, int64_t count, const int64_t *slots, const float *x,
                   const float *delta)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t h = b->model->arch.hidden;

    for (int64_t i = 0; i < count; i++) {
        int64_t row = slots[i] / b->model->arch.moe.per_token;

        memcpy(g->gathered + i * h, x + row * h, (size_t)h * sizeof *x);
        memcpy(g->gathered_delta + i * h, delta + row * h, (size_t)h * sizeof *delta);
        scale(g->gathered_delta + i * h, b->ws->weights[slots[i]], h);
        g->rows[i] = row;
    }
}

/* delta, without the routing weights, goes through the down projection and meets gradient->activated. */
static void back_down(const struct laser_backward *b, const struct laser_mlp *mlp, int64_t count,
                      const int64_t *slots, const float *delta)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t h = b->model->arch.hidden, columns = mlp->columns, step = b->ws->mlp_tokens;
    float *back = b->ws->up;

    for (int64_t done = 0; done < count; done += step) {
        int64_t rows = count - done < step ? count - done : step;

        for (int64_t i = 0; i < rows; i++)
            memcpy(b->ws->gathered + i * h, delta + g->rows[done + i] * h, (size_t)h * sizeof *delta);
        laser_backward_project(b, &mlp->down, rows, b->ws->gathered, h, columns, back, LASER_STORE);
        for (int64_t i = 0; i < rows; i++)
            routing_delta(b)[slots[done + i]] = meet(g->activated + (done + i) * columns, back + i * columns,
                                                     b->ws->weights[slots[done + i]], columns);
    }
}

static int back_expert(const struct laser_backward *b, const struct laser_mlp *mlp, int64_t count,
                       const int64_t *slots, const float *x, const float *delta)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t h = b->model->arch.hidden;
    int result;

    gather(b, count, slots, x, delta);
    laser_backward_mlp_up(b, mlp, count, g->gathered);
    laser_backward_activate(b, mlp, count);
    result = laser_backward_report(b, &mlp->down, LASER_SPLIT_INPUTS, count, g->activated, mlp->columns,
                                   g->gathered_delta, h, g->rows);
    if (result != LASER_OK)
        return result;
    if (mlp->columns && count)
        back_down(b, mlp, count, slots, delta);
    laser_backward_activation(b, mlp, count);
    result = laser_backward_report(b, &mlp->up, LASER_SPLIT_OUTPUTS, count, g->gathered, h, g->inside.up,
                                   mlp->up.out, g->rows);
    if (mlp->columns == 0 || count == 0)
        return result;
    laser_backward_project(b, &mlp->up, count, g->inside.up, mlp->up.out, h, g->gathered_delta, LASER_STORE);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < h; j++)
            g->normed[g->rows[i] * h + j] += g->gathered_delta[i * h + j];
    return result;
}

/* ws->router[n] = the gates of the shared expert. */
static void shared_gates(const struct laser_backward *b, const struct laser_layer *layer, const float *x)
{
    laser_part_apply(&layer->shared_router, b->n, x, b->model->arch.hidden, b->ws->router, 1, LASER_STORE,
                     &b->gradient->turning.scratch);
    for (int64_t i = 0; i < b->n; i++)
        b->ws->router[i] = 1 / (1 + expf(-b->ws->router[i]));
}

/* out = gate down(activated): the forward applies the gate first, which is the same, but the gradient at the
 * output of the down projection is that before the gate. */
static int back_shared(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                       const float *delta)
{
    struct laser_model_gradient *g = b->gradient;
    const struct laser_mlp *mlp = &layer->shared;
    int64_t h = b->model->arch.hidden, columns = mlp->columns, step = b->ws->mlp_tokens;
    float *back = b->ws->up;
    int result;

    laser_backward_mlp_up(b, mlp, b->n, x);
    laser_backward_activate(b, mlp, b->n);
    shared_gates(b, layer, x);
    memcpy(g->gathered_delta, delta, (size_t)(b->n * h) * sizeof *delta);
    for (int64_t i = 0; i < b->n; i++)
        scale(g->gathered_delta + i * h, b->ws->router[i], h);
    result = laser_backward_report(b, &mlp->down, LASER_SPLIT_INPUTS, b->n, g->activated, columns,
                                   g->gathered_delta, h, NULL);
    if (result != LASER_OK)
        return result;
    for (int64_t done = 0; columns && done < b->n; done += step) {
        int64_t rows = b->n - done < step ? b->n - done : step;

        laser_backward_project(b, &mlp->down, rows, delta + done * h, h, columns, back, LASER_STORE);
        for (int64_t i = 0; i < rows; i++)
            gate_delta(b)[done + i] = meet(g->activated + (done + i) * columns, back + i * columns,
                                           b->ws->router[done + i], columns);
    }
    laser_backward_activation(b, mlp, b->n);
    result =
        laser_backward_report(b, &mlp->up, LASER_SPLIT_OUTPUTS, b->n, x, h, g->inside.up, mlp->up.out, NULL);
    laser_backward_project(b, &mlp->up, b->n, g->inside.up, mlp->up.out, h, g->normed, LASER_ADD);
    return result;
}

int laser_backward_experts(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                           const float *delta)
{
    const struct laser_model *m = b->model;
    const struct laser_moe *moe = &m->arch.moe;
    struct laser_model_workspace *ws = b->ws;
    int result = LASER_OK;

    b->gradient->inside.up = b->gradient->shared.up; /* that of each expert in turn */
    memset(b->gradient->normed, 0, (size_t)(b->n * (m->arch.hidden + moe->per_token + 1)) * sizeof(float));
    laser_model_route(m, ws, layer, b->n, x);
    for (int64_t e = 0; e < moe->experts && result == LASER_OK; e++)
        result = back_expert(b, &layer->experts[e], ws->slot_start[e + 1] - ws->slot_start[e],
                             ws->slots + ws->slot_start[e], x, delta);
    return moe->shared > 0 && result == LASER_OK ? back_shared(b, layer, x, delta) : result;
}

/* One token: gradients at its routing weights w become those at the logits, in p, the softmax. */
static void back_softmax(const struct laser_moe *moe, const int32_t *chosen, const float *w, float *dw,
                         float *p)
{
    float along = 0, sum = 0;

    for (int64_t k = 0; k < moe->per_token; k++) {
        along += dw[k] * w[k];
        sum += p[chosen[k]];
    }
    for (int64_t k = 0; moe->normalized && k < moe->per_token; k++)
        dw[k] = (dw[k] - along) / sum;
    along = 0;
    for (int64_t k = 0; k < moe->per_token; k++)
        along += dw[k] * p[chosen[k]];
    for (int64_t k = 0; k < moe->per_token; k++)
        dw[k] *= p[chosen[k]];
    for (int64_t e = 0; e < moe->experts; e++)
        p[e] *= -along;
    for (int64_t k = 0; k < moe->per_token; k++)
        p[chosen[k]] += dw[k];
}

int laser_backward_routers(const struct laser_backward *b, const struct laser_layer *layer, const float *x)
{
    const struct laser_moe *moe = &b->model->arch.moe;
    struct laser_model_workspace *ws = b->ws;
    int64_t h = b->model->arch.hidden, k = moe->per_token, e = moe->experts;
    float *normed = b->gradient->normed;
    int result = LASER_OK;

    if (moe->shared > 0) {
        shared_gates(b, layer, x);
        for (int64_t i = 0; i < b->n; i++)
            ws->router[i] = gate_delta(b)[i] * ws->router[i] * (1 - ws->router[i]);
        result = laser_backward_report(b, &layer->shared_router, LASER_SPLIT_NONE, b->n, x, h, ws->router, 1,
                                       NULL);
        laser_backward_project(b, &layer->shared_router, b->n, ws->router, 1, h, normed, LASER_ADD);
    }
    if (result != LASER_OK)
        return result;
    laser_part_apply(&layer->router, b->n, x, h, ws->router, e, LASER_STORE, &b->gradient->turning.scratch);
    for (int64_t i = 0; i < b->n; i++) {
        laser_model_softmax(ws->router + i * e, e);
        back_softmax(moe, ws->chosen + i * k, ws->weights + i * k, routing_delta(b) + i * k,
                     ws->router + i * e);
    }
    result = laser_backward_report(b, &layer->router, LASER_SPLIT_NONE, b->n, x, h, ws->router, e, NULL);
    laser_backward_project(b, &layer->router, b->n, ws->router, e, h, normed, LASER_ADD);
    return result;
}
