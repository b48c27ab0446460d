/* One layer: the forward that leaves its inside, and the way back through it. */
#include <string.h>

#include "model/backward.h"

static void add(float *x, const float *y, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] += y[i];
}

static bool has_norm(const struct laser_norm *norm)
{
    return laser_part_present(&norm->weight);
}

/* The output of the MLP that read x is stored in or added to `to`: the shard's part. */
static void mlp_output(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                       float *to, enum laser_output output)
{
    const struct laser_mlp *mlp = &layer->mlp;
    float down = (float)b->model->arch.down_scale;

    if (layer->experts) {
        laser_model_mlp(b->model, b->ws, layer, b->n, x, to, output);
        return;
    }
    laser_backward_activate(b, layer, mlp, b->n);
    for (int64_t i = 0; down != 1 && i < b->n * mlp->columns; i++)
        b->gradient->activated[i] *= down;
    laser_model_project(&mlp->down, &mlp->down_bias, b->n, b->gradient->activated, mlp->columns,
                        b->model->arch.hidden, to, output, &b->gradient->turning.scratch);
}

/* What a block reads: the normed states, or the states where there is no norm before it. */
static const float *read_block(const struct laser_backward *b, const struct laser_norm *norm, const float *x)
{
    if (!laser_norm_present(&b->model->arch, norm))
        return x;
    laser_model_norm(&b->model->arch, norm, b->n, x, b->ws->normed);
    return b->ws->normed;
}

/* A block gave its part in ws->sum: to = x + scale [norm](the sum over the shards), which stays in kept where it is
 * normed. */
static int close_block(const struct laser_backward *b, const struct laser_norm *norm, const float *x,
                       float *kept, float *to)
{
    int64_t size = b->n * b->model->arch.hidden;
    float *sum = b->ws->sum, scale = (float)b->model->arch.residual_scale;
    int result = laser_model_group_sum(b->model, sum, size, b->err);

    if (result == LASER_OK && has_norm(norm)) {
        memcpy(kept, sum, (size_t)size * sizeof *kept);
        laser_model_norm(&b->model->arch, norm, b->n, sum, sum);
    }
    for (int64_t i = 0; scale != 1 && i < size; i++)
        sum[i] *= scale;
    memcpy(to, x, (size_t)size * sizeof *to);
    add(to, sum, size);
    return result;
}

/* Sums as in the forward pass, so that the bits are the same. */
static bool is_direct(const struct laser_backward *b, const struct laser_norm *norm)
{
    return b->model->group.count == 1 && !has_norm(norm) && b->model->arch.residual_scale == 1;
}

/* gradient->inside.middle = hidden plus what the layer has before its MLP. */
static int forward_mixer(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    const struct laser_model *m = b->model;
    const struct laser_inside *inside = &b->gradient->inside;
    bool mixes = layer->mixer != LASER_MIXER_NONE, direct = is_direct(b, &layer->post_attention_norm);
    int result;

    if (direct || !mixes)
        memcpy(inside->middle, hidden, (size_t)(b->n * m->arch.hidden) * sizeof(float));
    if (!mixes)
        return LASER_OK;
    result = laser_model_mix(m, b->ws, layer, b->batch, read_block(b, &layer->attention_norm, hidden),
                             direct ? inside->middle : b->ws->sum, direct ? LASER_ADD : LASER_STORE, b->err);
    if (result == LASER_OK && !direct)
        result = close_block(b, &layer->post_attention_norm, hidden, inside->attention, inside->middle);
    return result;
}

static int forward_serial(const struct laser_backward *b, const struct laser_layer *layer,
                          const float *hidden, float *next)
{
    const struct laser_inside *inside = &b->gradient->inside;
    size_t bytes = (size_t)(b->n * b->model->arch.hidden) * sizeof(float);
    bool direct = is_direct(b, &layer->post_mlp_norm);
    int result = forward_mixer(b, layer, hidden);
    const float *x;

    if (result != LASER_OK)
        return result;
    if (layer->bare) {
        if (next)
            memcpy(next, inside->middle, bytes);
        return LASER_OK;
    }
    x = read_block(b, &layer->mlp_norm, inside->middle);
    if (!layer->experts)
        laser_backward_mlp_up(b, &layer->mlp, b->n, x);
    if (!next && !has_norm(&layer->post_mlp_norm))
        return LASER_OK;
    direct = direct && next;
    if (direct)
        memcpy(next, inside->middle, bytes);
    mlp_output(b, layer, x, direct ? next : b->ws->sum, direct ? LASER_ADD : LASER_STORE);
    if (direct)
        return LASER_OK;
    return close_block(b, &layer->post_mlp_norm, inside->middle, inside->mlp,
                       next ? next : b->gradient->block);
}

static int forward_parallel(const struct laser_backward *b, const struct laser_layer *layer,
                            const float *hidden, float *next)
{
    static const struct laser_norm none;
    const struct laser_model *m = b->model;
    float *normed = b->ws->normed;
    int result;

    laser_model_norm(&m->arch, &layer->attention_norm, b->n, hidden, normed);
    result = next ? laser_model_attention(m, b->ws, layer, b->batch, normed, b->ws->sum, LASER_STORE, b->err)
                  : laser_model_closed_heads(m, b->ws, layer, b->batch, normed, b->err);
    if (result != LASER_OK)
        return result;
    if (m->arch.residual == LASER_RESIDUAL_PARALLEL)
        laser_model_norm(&m->arch, &layer->mlp_norm, b->n, hidden, normed);
    laser_backward_mlp_up(b, &layer->mlp, b->n, normed);
    if (!next)
        return LASER_OK;
    mlp_output(b, layer, normed, b->ws->sum, LASER_ADD);
    return close_block(b, &none, hidden, NULL, next);
}

/* to = what a block read plus what it gave. */
static int forward_post_block(const struct laser_backward *b, const struct laser_norm *norm, const float *x,
                              float *kept, float *to)
{
    static const struct laser_norm none;
    int result = b->model->group.count == 1 ? LASER_OK : close_block(b, &none, x, NULL, kept);

    if (to)
        laser_model_norm(&b->model->arch, norm, b->n, kept, to);
    return result;
}

static int forward_post(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden,
                        float *next)
{
    const struct laser_model *m = b->model;
    const struct laser_inside *inside = &b->gradient->inside;
    size_t bytes = (size_t)(b->n * m->arch.hidden) * sizeof(float);
    bool direct = m->group.count == 1;
    enum laser_output output = direct ? LASER_ADD : LASER_STORE;
    int result;

    memcpy(inside->attention, hidden, bytes);
    result = laser_model_attention(m, b->ws, layer, b->batch, hidden, direct ? inside->attention : b->ws->sum,
                                   output, b->err);
    if (result != LASER_OK)
        return result;
    result = forward_post_block(b, &layer->post_attention_norm, hidden, inside->attention, inside->middle);
    if (result != LASER_OK)
        return result;
    laser_backward_mlp_up(b, &layer->mlp, b->n, inside->middle);
    memcpy(inside->mlp, inside->middle, bytes);
    mlp_output(b, layer, inside->middle, direct ? inside->mlp : b->ws->sum, output);
    return forward_post_block(b, &layer->post_mlp_norm, inside->middle, inside->mlp, next);
}

/* to = keep x + add (the sum over the shards of ws->sum); to may be x. */
static int blend(const struct laser_backward *b, const struct laser_blend *by, const float *x, float *to)
{
    int64_t size = b->n * b->model->arch.hidden;
    int result = laser_model_group_sum(b->model, b->ws->sum, size, b->err);

    for (int64_t i = 0; i < size; i++)
        to[i] = (float)by->keep * x[i] + (float)by->add * b->ws->sum[i];
    return result;
}

static const struct laser_blend *blend_of(const struct laser_backward *b, const struct laser_layer *layer)
{
    return layer->mixer == LASER_MIXER_ATTENTION ? &b->model->arch.blend_attention
                                                 : &b->model->arch.blend_mixer;
}

static int forward_normed(const struct laser_backward *b, const struct laser_layer *layer,
                          const float *hidden, float *next)
{
    const struct laser_model *m = b->model;
    const struct laser_inside *inside = &b->gradient->inside;
    float *normed = b->ws->normed;
    int result;

    laser_model_norm(&m->arch, &layer->attention_norm, b->n, hidden, normed);
    result = laser_model_mix(m, b->ws, layer, b->batch, normed, b->ws->sum, LASER_STORE, b->err);
    if (result == LASER_OK)
        result = blend(b, blend_of(b, layer), normed, inside->middle);
    if (result != LASER_OK)
        return result;
    laser_model_norm(&m->arch, &layer->mlp_norm, b->n, inside->middle, normed);
    if (!layer->experts)
        laser_backward_mlp_up(b, &layer->mlp, b->n, normed);
    if (!next)
        return LASER_OK;
    mlp_output(b, layer, normed, b->ws->sum, LASER_STORE);
    return blend(b, &m->arch.blend_mlp, normed, next);
}

int laser_backward_forward(const struct laser_backward *b, const struct laser_layer *layer,
                           const float *hidden, float *next)
{
    int64_t size = b->n * b->model->arch.hidden;
    enum laser_residual residual = b->model->arch.residual;
    int result;

    if (residual == LASER_RESIDUAL_SERIAL)
        result = forward_serial(b, layer, hidden, next);
    else if (residual == LASER_RESIDUAL_NORMED)
        result = forward_normed(b, layer, hidden, next);
    else if (residual == LASER_RESIDUAL_POST)
        result = forward_post(b, layer, hidden, next);
    else
        result = forward_parallel(b, layer, hidden, next);
    for (int64_t i = 0; next && laser_part_present(&layer->scalar) && i < size; i++)
        next[i] *= layer->scalar.values[0];
    return result;
}

/* gradient->normed, the shard's part, becomes the whole. */
static int sum_normed(const struct laser_backward *b)
{
    if (laser_backward_inputs_only(b))
        return LASER_OK;
    return laser_model_group_sum(b->model, b->gradient->normed, b->n * b->model->arch.hidden, b->err);
}

/* gradient->normed = the gradient at x, the input of the MLP, from delta at its output. */
static int back_mlp(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                    const float *delta)
{
    const struct laser_arch *a = &b->model->arch;
    int result;

    if (!layer->experts) {
        laser_backward_activate(b, layer, &layer->mlp, b->n);
        result = laser_backward_mlp(b, layer, x, delta, b->gradient->normed);
        return result == LASER_OK ? sum_normed(b) : result;
    }
    result = laser_backward_experts(b, layer, x, delta);
    if (result == LASER_OK)
        result = laser_model_group_sum(b->model, b->gradient->normed,
                                       b->n * (a->hidden + a->moe.per_token + 1), b->err);
    return result == LASER_OK ? laser_backward_routers(b, layer, x) : result;
}

/* The gradient at the output of a block: gradient->delta, or, behind a scale and a norm of x, in gradient->block. */
static const float *block_delta(const struct laser_backward *b, const struct laser_norm *norm, const float *x)
{
    struct laser_model_gradient *g = b->gradient;
    const float scale = (float)b->model->arch.residual_scale, *delta = g->delta;
    int64_t size = b->n * b->model->arch.hidden;

    for (int64_t i = 0; scale != 1 && i < size; i++)
        g->block[i] = scale * delta[i];
    delta = scale != 1 ? g->block : delta;
    if (!has_norm(norm))
        return delta;
    laser_backward_norm(b, norm, b->n, x, delta, g->block, false);
    return g->block;
}

/* gradient->delta += the gradient in gradient->normed, through the norm of x before a block. */
static void leave_block(const struct laser_backward *b, const struct laser_norm *norm, const float *x)
{
    struct laser_model_gradient *g = b->gradient;

    if (laser_norm_present(&b->model->arch, norm))
        laser_backward_norm(b, norm, b->n, x, g->normed, g->delta, true);
    else
        add(g->delta, g->normed, b->n * b->model->arch.hidden);
}

static int back_serial(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    struct laser_model_gradient *g = b->gradient;
    int result = LASER_OK;

    if (!layer->bare) {
        result = back_mlp(b, layer, read_block(b, &layer->mlp_norm, g->inside.middle),
                          block_delta(b, &layer->post_mlp_norm, g->inside.mlp));
        if (result != LASER_OK)
            return result;
        leave_block(b, &layer->mlp_norm, g->inside.middle);
    }
    if (layer->mixer == LASER_MIXER_NONE)
        return LASER_OK;
    result = laser_backward_mix(b, layer, read_block(b, &layer->attention_norm, hidden),
                                block_delta(b, &layer->post_attention_norm, g->inside.attention), g->normed);
    if (result == LASER_OK)
        result = sum_normed(b);
    if (result == LASER_OK)
        leave_block(b, &layer->attention_norm, hidden);
    return result;
}

/* gradient->block = add delta, the gradient at what a block gave. */
static const float *blended_delta(const struct laser_backward *b, const struct laser_blend *by)
{
    struct laser_model_gradient *g = b->gradient;

    for (int64_t i = 0; i < b->n * b->model->arch.hidden; i++)
        g->block[i] = (float)by->add * g->delta[i];
    return g->block;
}

/* gradient->delta at keep norm(x) + ... becomes that at x, with gradient->normed from the block. */
static void leave_blend(const struct laser_backward *b, const struct laser_blend *by,
                        const struct laser_norm *norm, const float *x)
{
    struct laser_model_gradient *g = b->gradient;

    for (int64_t i = 0; i < b->n * b->model->arch.hidden; i++)
        g->normed[i] += (float)by->keep * g->delta[i];
    laser_backward_norm(b, norm, b->n, x, g->normed, g->delta, false);
}

static int back_normed(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    struct laser_model_gradient *g = b->gradient;
    const struct laser_blend *mlp = &b->model->arch.blend_mlp, *mixer = blend_of(b, layer);
    int result = back_mlp(b, layer, read_block(b, &layer->mlp_norm, g->inside.middle), blended_delta(b, mlp));

    if (result != LASER_OK)
        return result;
    leave_blend(b, mlp, &layer->mlp_norm, g->inside.middle);
    result = laser_backward_mix(b, layer, read_block(b, &layer->attention_norm, hidden),
                                blended_delta(b, mixer), g->normed);
    if (result == LASER_OK)
        result = sum_normed(b);
    if (result == LASER_OK)
        leave_blend(b, mixer, &layer->attention_norm, hidden);
    return result;
}

/* Both blocks read the same hidden states: one sum for the two, of what passed their norms. */
static int back_parallel(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    bool shared = a->residual == LASER_RESIDUAL_PARALLEL_SHARED;
    const struct laser_norm *mlp_norm = shared ? &layer->attention_norm : &layer->mlp_norm;
    int64_t size = b->n * a->hidden;
    float *normed = b->ws->normed;
    int result;

    laser_model_norm(a, mlp_norm, b->n, hidden, normed);
    laser_backward_activate(b, layer, &layer->mlp, b->n);
    result = laser_backward_mlp(b, layer, normed, g->delta, g->normed);
    if (result != LASER_OK)
        return result;
    laser_backward_norm(b, mlp_norm, b->n, hidden, g->normed, g->block, false);
    laser_model_norm(a, &layer->attention_norm, b->n, hidden, normed);
    result = laser_backward_attention(b, layer, normed, g->delta, g->normed);
    if (result != LASER_OK)
        return result;
    laser_backward_norm(b, &layer->attention_norm, b->n, hidden, g->normed, g->block, true);
    result = laser_model_group_sum(b->model, g->block, size, b->err);
    add(g->delta, g->block, size);
    return result;
}

/* The norms come after the sums with what the blocks read. */
static int back_post(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t size = b->n * b->model->arch.hidden;
    int result;

    laser_backward_norm(b, &layer->post_mlp_norm, b->n, g->inside.mlp, g->delta, g->delta, false);
    result = back_mlp(b, layer, g->inside.middle, g->delta);
    if (result != LASER_OK)
        return result;
    add(g->delta, g->normed, size);
    laser_backward_norm(b, &layer->post_attention_norm, b->n, g->inside.attention, g->delta, g->delta, false);
    result = laser_backward_attention(b, layer, hidden, g->delta, g->normed);
    if (result == LASER_OK)
        result = sum_normed(b);
    add(g->delta, g->normed, size);
    return result;
}

int laser_backward_layer(const struct laser_backward *b, const struct laser_layer *layer, const float *hidden)
{
    int64_t size = b->n * b->model->arch.hidden;

    for (int64_t i = 0; laser_part_present(&layer->scalar) && i < size; i++)
        b->gradient->delta[i] *= layer->scalar.values[0];
    switch (b->model->arch.residual) {
    case LASER_RESIDUAL_SERIAL:
        return back_serial(b, layer, hidden);
    case LASER_RESIDUAL_NORMED:
        return back_normed(b, layer, hidden);
    case LASER_RESIDUAL_POST:
        return back_post(b, layer, hidden);
    default:
        return back_parallel(b, layer, hidden);
    }
}
