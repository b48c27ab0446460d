/* Mixture of experts.  With out = sum_k w_k expert_k(x), w of the router's logits as moe.c says, the gradient at
 * w_k is delta . expert_k(x): taken before the down projection, it is a sum over the columns of the shards.  Where
 * the weight multiplies the input, expert_k(w_k x), it is x times the gradient there. */
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

static bool weighs_inputs(const struct laser_backward *b)
{
    return b->model->arch.moe.score == LASER_MOE_SIGMOID_INPUT;
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
        scale((weighs_inputs(b) ? g->gathered : g->gathered_delta) + i * h, b->ws->weights[slots[i]], h);
        g->rows[i] = row;
    }
}

/* What the bias of the way down adds to delta . expert(x). */
static float dot_bias(const struct laser_part *bias, const float *delta, int64_t n)
{
    float sum = 0;

    for (int64_t j = 0; laser_part_present(bias) && j < n; j++)
        sum += bias->values[j] * delta[j];
    return sum;
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
        for (int64_t i = 0; i < rows; i++) {
            float weight = weighs_inputs(b) ? 1 : b->ws->weights[slots[done + i]];

            routing_delta(b)[slots[done + i]] =
                meet(g->activated + (done + i) * columns, back + i * columns, weight, columns) +
                dot_bias(&mlp->down_bias, b->ws->gathered + i * h, h);
        }
    }
}

/* From the gradients at the inputs of an expert, in gradient->gathered_delta. */
static void back_input(const struct laser_backward *b, int64_t count, const int64_t *slots, const float *x)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t h = b->model->arch.hidden;

    for (int64_t i = 0; i < count; i++) {
        float *dx = g->gathered_delta + i * h, sum = 0;

        if (weighs_inputs(b)) {
            for (int64_t j = 0; j < h; j++)
                sum += dx[j] * x[g->rows[i] * h + j];
            routing_delta(b)[slots[i]] = sum;
            scale(dx, b->ws->weights[slots[i]], h);
        }
        for (int64_t j = 0; j < h; j++)
            g->normed[g->rows[i] * h + j] += dx[j];
    }
}

static int back_expert(const struct laser_backward *b, const struct laser_layer *layer,
                       const struct laser_mlp *mlp, int64_t count, const int64_t *slots, const float *x,
                       const float *delta)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t h = b->model->arch.hidden;
    int result;

    gather(b, count, slots, x, delta);
    laser_backward_mlp_up(b, mlp, count, g->gathered);
    laser_backward_activate(b, layer, mlp, count);
    result = laser_backward_report(b, &mlp->down, LASER_SPLIT_INPUTS, count, g->activated, mlp->columns,
                                   g->gathered_delta, h, g->rows);
    if (result != LASER_OK)
        return result;
    if (mlp->columns && count)
        back_down(b, mlp, count, slots, delta);
    laser_backward_activation(b, layer, mlp, count);
    result = laser_backward_report(b, &mlp->up, LASER_SPLIT_OUTPUTS, count, g->gathered, h, g->inside.up,
                                   mlp->up.out, g->rows);
    if (mlp->columns == 0 || count == 0)
        return result;
    laser_backward_project(b, &mlp->up, count, g->inside.up, mlp->up.out, h, g->gathered_delta, LASER_STORE);
    back_input(b, count, slots, x);
    return result;
}

/* ws->router[n] = what the shared expert's output is multiplied by. */
static void shared_gates(const struct laser_backward *b, const struct laser_layer *layer, const float *x)
{
    float scale = (float)b->model->arch.moe.shared_scale;
    bool gated = laser_part_present(&layer->shared_router);

    if (gated)
        laser_part_apply(&layer->shared_router, b->n, x, b->model->arch.hidden, b->ws->router, 1, LASER_STORE,
                         &b->gradient->turning.scratch);
    for (int64_t i = 0; i < b->n; i++)
        b->ws->router[i] = gated ? scale / (1 + expf(-b->ws->router[i])) : scale;
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
    laser_backward_activate(b, layer, mlp, b->n);
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
    laser_backward_activation(b, layer, mlp, b->n);
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
        result = back_expert(b, layer, &layer->experts[e], ws->slot_start[e + 1] - ws->slot_start[e],
                             ws->slots + ws->slot_start[e], x, delta);
    return moe->shared > 0 && result == LASER_OK ? back_shared(b, layer, x, delta) : result;
}

static bool takes_sigmoids(const struct laser_moe *moe)
{
    return moe->score == LASER_MOE_SIGMOID || moe->score == LASER_MOE_SIGMOID_INPUT;
}

/* scores[k] of the chosen experts, of which their weights are made; p, the logits, become what the softmax over all
 * gives. */
static void score(const struct laser_moe *moe, const int32_t *chosen, float *p, float *scores)
{
    if (moe->score == LASER_MOE_SOFTMAX)
        laser_model_softmax(p, moe->experts);
    for (int64_t k = 0; k < moe->per_token; k++)
        scores[k] = takes_sigmoids(moe) ? 1 / (1 + expf(-p[chosen[k]])) : p[chosen[k]];
    if (moe->score == LASER_MOE_SOFTMAX_CHOSEN)
        laser_model_softmax(scores, moe->per_token);
}

/* The gradients dw at weights = scale scores / max(sum + more, least) become those at the scores. */
static void back_weights(const struct laser_moe *moe, const float *scores, float *dw)
{
    float sum = (float)moe->more_sum, along = 0;

    for (int64_t k = 0; k < moe->per_token; k++) {
        sum += scores[k];
        along += dw[k] * scores[k];
    }
    if (sum < (float)moe->least_sum) {
        sum = (float)moe->least_sum;
        along = 0;
    }
    for (int64_t k = 0; k < moe->per_token; k++)
        dw[k] = (float)moe->scale * (moe->normalized ? (dw[k] - along / sum) / sum : dw[k]);
}

/* One token: gradients at its scores become those at the logits, in p, which holds the softmax where that goes over
 * all. */
static void back_scores(const struct laser_moe *moe, const int32_t *chosen, const float *scores, float *ds,
                        float *p)
{
    float along = 0;

    for (int64_t k = 0; k < moe->per_token; k++)
        along += ds[k] * scores[k];
    for (int64_t k = 0; k < moe->per_token; k++)
        ds[k] *= takes_sigmoids(moe) ? scores[k] * (1 - scores[k]) : scores[k];
    for (int64_t e = 0; e < moe->experts; e++)
        p[e] *= moe->score == LASER_MOE_SOFTMAX ? -along : 0;
    for (int64_t k = 0; k < moe->per_token; k++)
        p[chosen[k]] += ds[k] - (moe->score == LASER_MOE_SOFTMAX_CHOSEN ? along * scores[k] : 0);
}

/* Each weight is one of a softmax over the logits that are near the largest; for the second the first is out. */
static void back_sparsely(const struct laser_moe *moe, const int32_t *chosen, const float *dw, float *work,
                          float *p)
{
    int64_t n = moe->experts;

    memcpy(work, p, (size_t)n * sizeof *p);
    memset(p, 0, (size_t)n * sizeof *p);
    for (int64_t k = 0; k < moe->per_token; k++) {
        float best = work[chosen[k]], sum = 0, weight;

        for (int pass = 0; pass < 2; pass++)
            for (int64_t e = 0; e < n; e++) {
                bool taken = k > 0 && e == chosen[0];
                bool far = (best - work[e]) / fmaxf(fabsf(work[e]), best) > 2 * (float)moe->jitter;

                if (taken || far)
                    continue;
                weight = expf(work[e] - best);
                if (pass == 0)
                    sum += weight;
                else
                    p[e] -= dw[k] * weight / (sum * sum);
            }
        p[chosen[k]] += dw[k] / sum;
    }
}

static void back_router(const struct laser_backward *b, int64_t i)
{
    const struct laser_moe *moe = &b->model->arch.moe;
    struct laser_model_workspace *ws = b->ws;
    const int32_t *chosen = ws->chosen + i * moe->per_token;
    float *p = ws->router + i * moe->experts, *dw = routing_delta(b) + i * moe->per_token;

    if (moe->score == LASER_MOE_SPARSEMIXER) {
        back_sparsely(moe, chosen, dw, ws->choice, p);
        return;
    }
    score(moe, chosen, p, ws->choice);
    back_weights(moe, ws->choice, dw);
    back_scores(moe, chosen, ws->choice, dw, p);
}

static int back_shared_router(const struct laser_backward *b, const struct laser_layer *layer, const float *x)
{
    int64_t h = b->model->arch.hidden;
    float *router = b->ws->router, scale = (float)b->model->arch.moe.shared_scale;
    int result;

    shared_gates(b, layer, x);
    for (int64_t i = 0; i < b->n; i++)
        router[i] = gate_delta(b)[i] * router[i] * (1 - router[i] / scale);
    result = laser_backward_report(b, &layer->shared_router, LASER_SPLIT_NONE, b->n, x, h, router, 1, NULL);
    laser_backward_project(b, &layer->shared_router, b->n, router, 1, h, b->gradient->normed, LASER_ADD);
    return result;
}

int laser_backward_routers(const struct laser_backward *b, const struct laser_layer *layer, const float *x)
{
    const struct laser_moe *moe = &b->model->arch.moe;
    struct laser_model_workspace *ws = b->ws;
    int64_t h = b->model->arch.hidden, e = moe->experts;
    int result = LASER_OK;

    if (moe->shared > 0 && moe->shared_gated)
        result = back_shared_router(b, layer, x);
    if (result != LASER_OK)
        return result;
    laser_part_apply(&layer->router, b->n, x, h, ws->router, e, LASER_STORE, &b->gradient->turning.scratch);
    for (int64_t i = 0; i < b->n; i++)
        back_router(b, i);
    result = laser_backward_report(b, &layer->router, LASER_SPLIT_NONE, b->n, x, h, ws->router, e, NULL);
    laser_backward_project(b, &layer->router, b->n, ws->router, e, h, b->gradient->normed, LASER_ADD);
    return result;
}
