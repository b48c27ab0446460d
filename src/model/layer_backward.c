/* One layer: its inside is computed again, then followed back. */
#include <string.h>

#include "model/backward.h"

static void add(float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

/* ws->sum = the output of the attention block that read x. */
static int attention_output(const struct laser_backward *b, const struct laser_layer *layer, const float *x)
{
    const struct laser_model *m = b->model;

    laser_model_attention(m, b->ws, layer, b->batch, x, b->ws->sum, LASER_STORE);
    return laser_model_group_sum(m, b->ws->sum, b->n * m->arch.hidden, b->err);
}

/* ws->sum = the output of the MLP after its up projection of x. */
static int mlp_output(const struct laser_backward *b, const struct laser_layer *layer, const float *x)
{
    const struct laser_model *m = b->model;
    const struct laser_mlp *mlp = &layer->mlp;

    if (layer->experts)
        laser_model_mlp(m, b->ws, layer, b->n, x, b->ws->sum, LASER_STORE);
    else
        laser_model_project(&mlp->down, &mlp->down_bias, b->n, b->gradient->activated, mlp->columns,
                            m->arch.hidden, b->ws->sum, LASER_STORE, &b->gradient->turning.scratch);
    return laser_model_group_sum(m, b->ws->sum, b->n * m->arch.hidden, b->err);
}

/* gradient->normed, the shard's part, becomes the whole. */
static int sum_normed(const struct laser_backward *b)
{
    return laser_model_group_sum(b->model, b->gradient->normed, b->n * b->model->arch.hidden, b->err);
}

/* gradient->normed = the gradient at x, the input of the MLP, from delta at its output. */
static int mlp_backward(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                        const float *delta)
{
    const struct laser_arch *a = &b->model->arch;
    int result;

    if (!layer->experts) {
        result = laser_backward_mlp(b, &layer->mlp, x, delta, b->gradient->normed);
        return result == LASER_OK ? sum_normed(b) : result;
    }
    result = laser_backward_experts(b, layer, x, delta);
    if (result == LASER_OK)
        result = laser_model_group_sum(b->model, b->gradient->normed,
                                       b->n * (a->hidden + a->moe.per_token + 1), b->err);
    return result == LASER_OK ? laser_backward_routers(b, layer, x) : result;
}

/* gradient->middle = the states between attention and MLP; the output of the attention stays in
 * gradient->block where it has a norm. */
static int serial_forward(const struct laser_backward *b, const struct laser_layer *layer,
                          const float *hidden)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    int64_t size = b->n * a->hidden;
    int result;

    laser_model_norm(a, &layer->attention_norm, b->n, hidden, b->ws->normed);
    result = attention_output(b, layer, b->ws->normed);
    if (laser_part_present(&layer->post_attention_norm.weight)) {
        memcpy(g->block, b->ws->sum, (size_t)size * sizeof(float));
        laser_model_norm(a, &layer->post_attention_norm, b->n, b->ws->sum, b->ws->sum);
    }
    memcpy(g->middle, hidden, (size_t)size * sizeof(float));
    add(g->middle, b->ws->sum, size);
    return result;
}

static int serial_mlp(const struct laser_backward *b, const struct laser_layer *layer)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    const float *delta = g->delta;
    int result = LASER_OK;

    laser_model_norm(a, &layer->mlp_norm, b->n, g->middle, b->ws->normed);
    if (!layer->experts)
        laser_backward_mlp_up(b, &layer->mlp, b->n, b->ws->normed);
    if (laser_part_present(&layer->post_mlp_norm.weight)) {
        result = mlp_output(b, layer, b->ws->normed);
        laser_backward_norm(b, &layer->post_mlp_norm, b->n, b->ws->sum, g->delta, b->ws->sum, false);
        delta = b->ws->sum;
    }
    if (result == LASER_OK)
        result = mlp_backward(b, layer, b->ws->normed, delta);
    if (result == LASER_OK)
        laser_backward_norm(b, &layer->mlp_norm, b->n, g->middle, g->normed, g->delta, true);
    return result;
}

static int run_serial(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    const float *delta = g->delta;
    int result = serial_forward(b, layer, hidden);

    if (result == LASER_OK)
        result = serial_mlp(b, layer);
    if (result != LASER_OK)
        return result;
    if (laser_part_present(&layer->post_attention_norm.weight)) {
        laser_backward_norm(b, &layer->post_attention_norm, b->n, g->block, g->delta, g->block, false);
        delta = g->block;
    }
    laser_model_norm(a, &layer->attention_norm, b->n, hidden, b->ws->normed);
    result = laser_backward_attention(b, layer, b->ws->normed, delta, g->normed);
    if (result == LASER_OK)
        result = sum_normed(b);
    if (result == LASER_OK)
        laser_backward_norm(b, &layer->attention_norm, b->n, hidden, g->normed, g->delta, true);
    return result;
}

/* Both blocks read the same hidden states: one sum for the two, of what passed their norms. */
static int run_parallel(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    const struct laser_model *m = b->model;
    const struct laser_arch *a = &m->arch;
    struct laser_model_gradient *g = b->gradient;
    bool shared = a->residual == LASER_RESIDUAL_PARALLEL_SHARED;
    const struct laser_norm *mlp_norm = shared ? &layer->attention_norm : &layer->mlp_norm;
    int64_t size = b->n * a->hidden;
    int result;

    laser_model_norm(a, mlp_norm, b->n, hidden, g->middle);
    laser_backward_mlp_up(b, &layer->mlp, b->n, g->middle);
    result = laser_backward_mlp(b, &layer->mlp, g->middle, g->delta, g->normed);
    if (result != LASER_OK)
        return result;
    laser_backward_norm(b, mlp_norm, b->n, hidden, g->normed, g->block, false);
    laser_model_norm(a, &layer->attention_norm, b->n, hidden, b->ws->normed);
    laser_model_heads(m, b->ws, layer, b->batch, b->ws->normed);
    result = laser_backward_attention(b, layer, b->ws->normed, g->delta, g->normed);
    if (result != LASER_OK)
        return result;
    laser_backward_norm(b, &layer->attention_norm, b->n, hidden, g->normed, g->block, true);
    result = laser_model_group_sum(m, g->block, size, b->err);
    add(g->delta, g->block, size);
    return result;
}

/* The norms come after the sums with what the blocks read. */
static int run_post(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    int64_t size = b->n * a->hidden;
    int result = attention_output(b, layer, hidden);

    memcpy(g->block, hidden, (size_t)size * sizeof(float));
    add(g->block, b->ws->sum, size);
    laser_model_norm(a, &layer->post_attention_norm, b->n, g->block, g->middle);
    laser_backward_mlp_up(b, &layer->mlp, b->n, g->middle);
    if (result == LASER_OK)
        result = mlp_output(b, layer, g->middle);
    add(b->ws->sum, g->middle, size);
    laser_backward_norm(b, &layer->post_mlp_norm, b->n, b->ws->sum, g->delta, g->delta, false);
    if (result == LASER_OK)
        result = mlp_backward(b, layer, g->middle, g->delta);
    if (result != LASER_OK)
        return result;
    add(g->delta, g->normed, size);
    laser_backward_norm(b, &layer->post_attention_norm, b->n, g->block, g->delta, g->delta, false);
    result = laser_backward_attention(b, layer, hidden, g->delta, g->normed);
    if (result == LASER_OK)
        result = sum_normed(b);
    add(g->delta, g->normed, size);
    return result;
}

int laser_backward_layer(const struct laser_backward *b, int64_t index)
{
    const struct laser_model *m = b->model;
    const struct laser_layer *layer = &m->layers[index];
    const float *hidden = b->gradient->states + index * b->n * m->arch.hidden;

    if (m->arch.residual == LASER_RESIDUAL_SERIAL)
        return run_serial(b, layer, hidden);
    if (layer->experts)
        return laser_error_set(b->err, LASER_EINTERNAL, NULL,
                               "no gradient of experts whose residual is not serial");
    return m->arch.residual == LASER_RESIDUAL_POST ? run_post(b, layer, hidden)
                                                   : run_parallel(b, layer, hidden);
}
