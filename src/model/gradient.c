#include "model/gradient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/norm.h"
#include "model/backward.h"

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Takes count elements off the block; the first pass, with base NULL, only measures. */
static void *take(unsigned char *base, int64_t *used, int64_t count, size_t size)
{
    unsigned char *at = base ? base + *used : NULL;

    *used += (count * (int64_t)size + 63) / 64 * 64;
    return at;
}

/* What the sizes depend on. */
struct sizes {
    int64_t tokens, columns, up, packed, scratch, middle;
    int64_t heads, raised, sums, context, step, memory; /* of mixers: floats, the first four for each token */
    bool scales;
};

static void count_whole(struct sizes *s, const struct laser_part *part)
{
    struct laser_linear linear = {.out = part->out,
                                  .in = part->in,
                                  .precision = part->precision,
                                  .stored = part->stored,
                                  .packed_as =
                                      part->precision == LASER_BFLOAT16 ? LASER_STORED_BF16 : part->stored};
    int64_t turned = part->out < 32 ? 32 : part->out < LASER_TURNED ? part->out : LASER_TURNED;
    struct laser_linear longer = linear;

    if (!laser_part_present(part))
        return;
    longer.in = larger(part->in, part->out);
    s->packed = larger(s->packed, larger(laser_linear_transposed_size(&linear, turned),
                                         laser_linear_transposed_size(&longer, 32)));
    s->scratch = larger(s->scratch, laser_linear_scratch_size(&linear, s->tokens));
    linear.in = LASER_TURNED;
    linear.packed_as = linear.precision == LASER_BFLOAT16 ? LASER_STORED_BF16 : LASER_STORED_F32;
    s->scratch = larger(s->scratch, laser_linear_scratch_size(&linear, s->tokens));
}

static void count_part(struct sizes *s, const struct laser_part *part)
{
    if (!part->split) {
        count_whole(s, part);
        return;
    }
    count_whole(s, &part->split->in);
    for (const struct laser_split_piece *p = part->split->pieces; p; p = p->next)
        count_whole(s, &p->part);
    s->scratch = larger(s->scratch, laser_split_scratch_size(part->split, s->tokens));
    s->middle = larger(s->middle, part->split->in.out);
}

static void count_mlp(struct sizes *s, const struct laser_mlp *mlp)
{
    count_part(s, &mlp->up);
    count_part(s, &mlp->down);
    s->columns = larger(s->columns, mlp->columns);
    s->up = larger(s->up, mlp->up.out);
}

static void count_layer(struct sizes *s, const struct laser_model *m, const struct laser_layer *layer)
{
    const struct laser_part *const parts[] = {
        &layer->qkv,           &layer->o,           &layer->gate,
        &layer->latent.q_down, &layer->latent.q_up, &layer->latent.kv_down,
        &layer->latent.kv_up,  &layer->delta.in,    &layer->delta.out,
        &layer->mix.in,        &layer->mix.out,     &layer->mix.x,
        &layer->mix.step,      &layer->mix.gate};

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        count_part(s, parts[i]);
    count_mlp(s, &layer->mlp);
    count_mlp(s, &layer->shared);
    count_part(s, &layer->router);
    count_part(s, &layer->shared_router);
    for (int64_t e = 0; layer->experts && e < m->arch.moe.experts; e++)
        count_mlp(s, &layer->experts[e]);
}

/* One step of a layer's recurrence, and its states on the way back. */
static void count_recurrence(struct sizes *s, const struct laser_model *m, const struct laser_layer *layer)
{
    const struct laser_recurrence *mix = &m->arch.mix;
    const struct laser_delta *d = &m->arch.delta;
    int64_t steps = s->tokens, size = 0, step = 0;

    switch (layer->mixer) {
    case LASER_MIXER_DELTA:
        size = d->key_size * d->value_size;
        step = larger(3 * d->value_size, d->key_size);
        break;
    case LASER_MIXER_STATE_SPACE:
    case LASER_MIXER_BOTH:
        size = mix->head_size * mix->state;
        step = 2 * mix->head_size;
        break;
    case LASER_MIXER_SELECTIVE:
        size = m->mix_heads.count * mix->state;
        step = m->mix_heads.count;
        break;
    case LASER_MIXER_LIGHTNING:
        steps = s->tokens / mix->block + 1;
        size = m->arch.head_size * m->arch.head_size;
        step = mix->block * m->arch.head_size;
        break;
    case LASER_MIXER_ATTENTION:
    case LASER_MIXER_CONVOLUTION:
    case LASER_MIXER_NONE:
        return;
    }
    s->memory = larger(s->memory, laser_backward_steps_room(steps, size));
    s->step = larger(s->step, step);
}

/* What the mixers of this model keep for each token. */
static void count_mixers(struct sizes *s, const struct laser_model *m)
{
    const struct laser_arch *a = &m->arch;
    int64_t query = laser_model_query_width(m), latent, raised, mixed = laser_model_mixed_width(m);
    bool joins = a->qkv_scale != 1;

    s->heads = larger(query, mixed);
    laser_model_raised_widths(m, &latent, &raised);
    for (int64_t i = 0; i < a->layers; i++) {
        const struct laser_layer *layer = &m->layers[i];

        joins = joins || layer->gate.pieces > 0;
        count_recurrence(s, m, layer);
        if (layer->mixer == LASER_MIXER_LIGHTNING)
            mixed = larger(mixed, query);
    }
    if (a->latent.kv_rank || mixed > 0 || a->mix.heads > 0)
        s->raised = larger(raised, latent);
    if (joins)
        s->raised = larger(s->raised, raised + query + 2 * laser_model_key_width(m));
    if (a->qk_norm == LASER_QK_NORM_WHOLE)
        s->sums = 4;
    s->sums =
        larger(s->sums, a->latent.kv_rank ? a->latent.q_rank + a->latent.kv_rank + a->latent.turned : 0);
    if (mixed > 0 || a->mix.heads > 0) {
        s->sums = larger(s->sums, larger(2 * a->mix.groups, a->mix.rank + 2 * a->mix.state) + 1);
        s->context = larger(2 * mixed, a->mix.rank + 2 * a->mix.state);
    }
    s->scales = a->qkv_scale != 1 || a->context_scale != a->qkv_scale || a->down_scale != 1 ||
                (a->mix.heads > 0 && (a->mix.in_scale != 1 || a->mix.out_scale != 1));
}

static struct sizes measure(const struct laser_model *m, int64_t max_tokens)
{
    const struct laser_part *output = m->output;
    struct laser_linear linear = {.out = output->out,
                                  .in = output->in,
                                  .precision = output->precision,
                                  .packed_as = output->precision == LASER_BFLOAT16 ? LASER_STORED_BF16
                                                                                   : output->stored};
    struct laser_head head = {.linear = &linear, .size = m->vocabulary.count, .scale = 1};
    struct laser_attention attention = {.batch = 1,
                                        .queries = max_tokens,
                                        .keys = max_tokens,
                                        .heads = (int)m->heads.count,
                                        .head_dim = (int)larger(m->arch.head_size, m->arch.full_head_size),
                                        .kv_of_head = m->kv_of_head};
    struct sizes s = {.tokens = max_tokens, .columns = 1, .up = 1, .packed = 64, .scratch = 64};

    for (int64_t i = 0; i < m->arch.layers; i++)
        count_layer(&s, m, &m->layers[i]);
    count_mixers(&s, m);
    count_part(&s, &m->head_dense);
    s.scratch = larger(s.scratch, laser_attention_backward_scratch_size(&attention));
    if (m->vocabulary.count > 0)
        s.scratch = larger(s.scratch, laser_head_backward_scratch_size(&head, max_tokens));
    s.scratch = (s.scratch + 63) / 64 * 64;
    return s;
}

static bool has_norm(const struct laser_norm *norm)
{
    return laser_part_present(&norm->weight);
}

/* Is there such a norm in this layer, or, where layer is NULL, in any? */
static bool has_post_norm(const struct laser_model *m, const struct laser_layer *layer, bool mlp)
{
    for (int64_t i = 0; !layer && i < m->arch.layers; i++)
        if (has_post_norm(m, &m->layers[i], mlp))
            return true;
    return layer && has_norm(mlp ? &layer->post_mlp_norm : &layer->post_attention_norm);
}

/* layer: one whose inside stays; NULL: of all others.  Queries, keys, values and context of layers that are computed again are those of the workspace. */
static void cut_inside(const struct laser_model_gradient *g, const struct laser_layer *layer, int64_t up,
                       struct laser_inside *inside, unsigned char *base, int64_t *used)
{
    const struct laser_model *m = g->model;
    const struct laser_arch *a = &m->arch;
    int64_t n = g->max_tokens, q = laser_model_query_width(m), kv = laser_model_key_width(m);
    bool attends = !layer || layer->mixer == LASER_MIXER_ATTENTION || layer->mixer == LASER_MIXER_BOTH;
    bool in_turn = a->residual != LASER_RESIDUAL_PARALLEL && a->residual != LASER_RESIDUAL_PARALLEL_SHARED;

    if (layer && attends) {
        inside->qkv = take(base, used, n * (q + 2 * kv), sizeof(float));
        inside->context = take(base, used, n * q, sizeof(float));
    }
    if (attends)
        inside->softmax = take(base, used, n * m->heads.count * 2, sizeof(float));
    if (attends && (a->qk_norm || a->clip_qkv > 0 || a->value_norm))
        inside->unnormed = take(base, used, n * (q + 2 * kv), sizeof(float));
    if (attends &&
        (a->latent.kv_rank || a->attention_gate || a->names->attention_gate || a->context_scale != 1))
        inside->unclosed = take(base, used, n * q, sizeof(float));
    if (in_turn)
        inside->middle = take(base, used, n * a->hidden, sizeof(float));
    if (has_post_norm(m, layer, false))
        inside->attention = take(base, used, n * a->hidden, sizeof(float));
    if (has_post_norm(m, layer, true))
        inside->mlp = take(base, used, n * a->hidden, sizeof(float));
    inside->up = take(base, used, n * up, sizeof(float));
}

/* The insides that stay; those of experts are computed again. */
static void cut_kept(struct laser_model_gradient *g, unsigned char *base, int64_t *used)
{
    const struct laser_model *m = g->model;

    for (int64_t i = 0; i < g->kept; i++) {
        const struct laser_layer *layer = &m->layers[m->arch.layers - g->kept + i];
        struct laser_inside ignored = {0};

        cut_inside(g, layer, layer->experts ? 0 : layer->mlp.up.out, g->insides ? &g->insides[i] : &ignored,
                   base, used);
    }
}

static void cut(struct laser_model_gradient *g, const struct sizes *s, unsigned char *base)
{
    const struct laser_arch *a = &g->model->arch;
    int64_t n = g->max_tokens, h = a->hidden, wide = larger(h, a->embed_width), used = 0;
    bool sparse = a->moe.experts > 0;

    g->states = take(base, &used, (a->layers + 1) * n * h, sizeof(float));
    g->delta = take(base, &used, n * h, sizeof(float));
    g->normed = take(base, &used, n * (wide + (sparse ? a->moe.per_token + 1 : 0)), sizeof(float));
    g->heads = take(base, &used, n * s->heads, sizeof(float));
    g->activated = take(base, &used, n * s->columns, sizeof(float));
    g->block = take(base, &used, n * wide, sizeof(float));
    g->scaled = s->scales ? take(base, &used, n * h, sizeof(float)) : NULL;
    g->raw = take(base, &used, n * s->raised, sizeof(float));
    g->rising = take(base, &used, n * s->raised, sizeof(float));
    g->context = take(base, &used, n * s->context, sizeof(float));
    g->sums = take(base, &used, n * s->sums, sizeof(float));
    g->step = take(base, &used, s->step, sizeof(float));
    g->memory_of_steps = take(base, &used, s->memory, sizeof(float));
    g->largest = take(base, &used, n, sizeof(float));
    g->rows = take(base, &used, n, sizeof(int64_t));
    if (sparse) {
        g->gathered = take(base, &used, n * h, sizeof(float));
        g->gathered_delta = take(base, &used, n * h, sizeof(float));
    }
    g->turning.packed_bytes = s->packed;
    g->turning.packed = take(base, &used, s->packed, 1);
    g->turning.middle = take(base, &used, n * s->middle, sizeof(float));
    g->turning.middle_delta = take(base, &used, n * s->middle, sizeof(float));
    cut_inside(g, NULL, s->up, &g->shared, base, &used);
    cut_kept(g, base, &used);
    g->bytes = used;
}

/* Measures with as many kept layers as fit into `limit` bytes; returns the bytes. */
static int64_t fit(struct laser_model_gradient *g, const struct sizes *s, int64_t limit)
{
    int64_t layers = g->model->arch.layers;

    for (g->kept = 0;; g->kept++) {
        cut(g, s, NULL);
        if (g->bytes + s->scratch > limit && g->kept > 0)
            break;
        if (g->kept == layers || g->bytes + s->scratch > limit)
            return g->bytes + s->scratch;
    }
    g->kept--;
    cut(g, s, NULL);
    return g->bytes + s->scratch;
}

int64_t laser_model_gradient_bytes_within(const struct laser_model *model, int64_t max_tokens,
                                          int64_t limit_bytes)
{
    struct laser_model_gradient g = {.model = model, .max_tokens = max_tokens};
    struct sizes s = measure(model, max_tokens);

    return fit(&g, &s, limit_bytes);
}

int64_t laser_model_gradient_bytes(const struct laser_model *model, int64_t max_tokens)
{
    return laser_model_gradient_bytes_within(model, max_tokens, 0);
}

/* Gates may be rows of the matrix of the queries: one product of factors for two parts. */
static bool has_gates(const struct laser_model *m)
{
    for (int64_t i = 0; i < m->arch.layers; i++)
        if (m->layers[i].gate.pieces > 0)
            return true;
    return false;
}

int laser_model_gradient_create_within(const struct laser_model *model, int64_t max_tokens,
                                       int64_t limit_bytes, struct laser_model_gradient **gradient,
                                       struct laser_error *err)
{
    struct laser_model_gradient *g;
    struct sizes s;
    int result;

    *gradient = NULL;
    if (max_tokens < 1 || max_tokens > INT64_C(1) << 26)
        return laser_error_set(err, LASER_EUSAGE, NULL, "a batch of %lld tokens", (long long)max_tokens);
    if (laser_arch_lacks_gradient(&model->arch))
        return laser_error_set(err, LASER_EINPUT, model->checkpoint->model,
                               "a gradient through %s (%s) is not supported", model->arch.model_type,
                               laser_arch_lacks_gradient(&model->arch));
    if (model->splits && has_gates(model))
        return laser_error_set(
            err, LASER_EINPUT, model->checkpoint->model,
            "a gradient through gated attention of a factored checkpoint is not supported");
    if (model->splits && model->group.count > 1)
        return laser_error_set(
            err, LASER_EINPUT, model->checkpoint->model,
            "its weights are stored as products of two; gradients through them are taken by whole "
            "models, not by shards (parallel.shards=1)");
    g = calloc(1, sizeof *g);
    if (!g)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a gradient");
    g->model = model;
    g->max_tokens = max_tokens;
    s = measure(model, max_tokens);
    fit(g, &s, limit_bytes);
    g->memory = aligned_alloc(64, (size_t)g->bytes);
    g->insides = calloc((size_t)g->kept + 1, sizeof *g->insides);
    result = g->memory && g->insides
                 ? laser_scratch_reserve(&g->turning.scratch, s.scratch, err)
                 : laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %.1f MB of hidden states",
                                   (double)g->bytes / 1e6);
    if (result != LASER_OK) {
        laser_model_gradient_free(g);
        return result;
    }
    cut(g, &s, g->memory);
    *gradient = g;
    return LASER_OK;
}

int laser_model_gradient_create(const struct laser_model *model, int64_t max_tokens,
                                struct laser_model_gradient **gradient, struct laser_error *err)
{
    return laser_model_gradient_create_within(model, max_tokens, 0, gradient, err);
}

void laser_model_gradient_free(struct laser_model_gradient *g)
{
    if (!g)
        return;
    laser_scratch_free(&g->turning.scratch);
    free(g->teacher);
    free(g->memory);
    free(g->insides);
    free(g);
}

static bool is_finite(const float *x, int64_t n)
{
    float sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * 0; /* 0, or a NaN that stays */
    return sum == 0;
}

/* Where a layer leaves its inside; false where it does not stay. */
static bool enter(const struct laser_backward *b, int64_t layer)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t kept = layer - (b->model->arch.layers - g->kept);

    g->inside = kept < 0 ? g->shared : g->insides[kept];
    b->ws->qkv = g->inside.qkv ? g->inside.qkv : g->shared.qkv;
    b->ws->context = g->inside.context ? g->inside.context : g->shared.context;
    b->ws->softmax = g->inside.softmax;
    b->ws->unnormed = g->inside.unnormed;
    b->ws->unclosed = g->inside.unclosed;
    return kept >= 0;
}

/* The hidden states before each layer, and after the last. */
static int run_forward(const struct laser_backward *b, const int32_t *tokens)
{
    const struct laser_model *m = b->model;
    int64_t size = b->n * m->arch.hidden;
    float *states = b->gradient->states;
    int result = laser_model_embed(m, b->ws, tokens, b->batch, states, b->err);

    for (int64_t i = 0; i < m->arch.layers && result == LASER_OK; i++, states += size)
        if (enter(b, i)) {
            result = laser_backward_forward(b, &m->layers[i], states, states + size);
        } else {
            memcpy(states + size, states, (size_t)size * sizeof *states);
            result = laser_model_layers(m, b->ws, i, i + 1, b->batch, states + size, b->err);
        }
    return result;
}

static int run_backward(const struct laser_backward *b)
{
    const struct laser_model *m = b->model;
    int64_t size = b->n * m->arch.hidden;
    int result = LASER_OK;

    for (int64_t i = m->arch.layers - 1; i >= 0 && result == LASER_OK; i--) {
        const float *hidden = b->gradient->states + i * size;

        if (!enter(b, i))
            result = laser_backward_forward(b, &m->layers[i], hidden, NULL);
        if (result == LASER_OK)
            result = laser_backward_layer(b, &m->layers[i], hidden);
        if (result == LASER_OK && !is_finite(b->gradient->delta, size))
            result = laser_error_set(b->err, LASER_ENUMERIC, m->checkpoint->model,
                                     "the gradient before layer %lld is not finite", (long long)i);
    }
    return result;
}

/* The way back through a layer hands its inputs to the sink; gradients on the way are zero, and no product is
 * taken. */
static int run_inputs(const struct laser_backward *b, const int32_t *tokens, const int32_t *targets,
                      double *nll)
{
    const struct laser_model *m = b->model;
    struct laser_model_gradient *g = b->gradient;
    int64_t size = b->n * m->arch.hidden;
    float *hidden = g->states, *next = hidden + size;
    int result = laser_model_embed(m, b->ws, tokens, b->batch, hidden, b->err);

    memset(g->delta, 0, (size_t)size * sizeof *g->delta);
    for (int64_t i = 0; i < m->arch.layers && result == LASER_OK; i++, hidden += size, next += size) {
        enter(b, i);
        result = laser_backward_forward(b, &m->layers[i], hidden, next);
        if (result == LASER_OK)
            result = laser_backward_layer(b, &m->layers[i], hidden);
    }
    return result == LASER_OK ? laser_model_nll(m, b->ws, b->n, hidden, targets, nll, b->err) : result;
}

static int run(const struct laser_backward *b, const int32_t *tokens, const int32_t *targets,
               const float *weights, double *nll)
{
    const struct laser_arch *a = &b->model->arch;
    int64_t size = b->n * a->hidden;
    int result = run_forward(b, tokens);

    if (result == LASER_OK)
        result = laser_backward_head(b, b->gradient->states + a->layers * size, targets, weights, nll);
    if (result == LASER_OK && !is_finite(b->gradient->delta, size))
        result = laser_error_set(b->err, LASER_ENUMERIC, b->model->checkpoint->model,
                                 "the gradient after layer %lld is not finite", (long long)a->layers - 1);
    return result == LASER_OK ? run_backward(b) : result;
}

int laser_model_gradient_teach(const struct laser_model *model, struct laser_model_workspace *workspace,
                               struct laser_model_gradient *gradient, const int32_t *tokens,
                               const struct laser_model_batch *batch, const int32_t *targets,
                               const float *weights, double *nll, struct laser_error *err)
{
    const struct laser_backward b = {model, workspace, gradient, batch, laser_model_batch_tokens(batch),
                                     NULL,  err};
    int64_t size = gradient->max_tokens * model->arch.hidden;
    int result = LASER_OK;

    if (b.n > gradient->max_tokens)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "a gradient of %lld tokens, prepared for %lld",
                               (long long)b.n, (long long)gradient->max_tokens);
    if (!gradient->teacher)
        gradient->teacher = malloc((size_t)size * sizeof *gradient->teacher);
    if (!gradient->teacher)
        result = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a gradient");
    else
        result = laser_model_embed(model, workspace, tokens, batch, gradient->states, err);
    if (result == LASER_OK)
        result = laser_model_layers(model, workspace, 0, model->arch.layers, batch, gradient->states, err);
    gradient->teaching = LASER_TEACHER_RECORD;
    if (result == LASER_OK)
        result = laser_backward_head(&b, gradient->states, targets, weights, nll);
    gradient->taught = result == LASER_OK;
    return result;
}

int laser_model_gradient_run(const struct laser_model *model, struct laser_model_workspace *workspace,
                             struct laser_model_gradient *gradient, const int32_t *tokens,
                             const struct laser_model_batch *batch, const int32_t *targets,
                             const float *weights, double *nll, const struct laser_model_gradient_sink *sink,
                             struct laser_error *err)
{
    const struct laser_backward b = {model, workspace, gradient, batch, laser_model_batch_tokens(batch),
                                     sink,  err};
    float *qkv = workspace->qkv, *context = workspace->context;
    int result;

    if (batch->cache || batch->parents || b.n > gradient->max_tokens)
        return laser_error_set(err, LASER_EINTERNAL, NULL,
                               "a gradient of %lld tokens, prepared for %lld without cache and parents",
                               (long long)b.n, (long long)gradient->max_tokens);
    gradient->shared.qkv = qkv;
    gradient->shared.context = context;
    gradient->teaching = gradient->taught ? LASER_TEACHER_SUBTRACT : LASER_TEACHER_NONE;
    gradient->taught = false;
    result = laser_backward_inputs_only(&b) ? run_inputs(&b, tokens, targets, nll)
                                            : run(&b, tokens, targets, weights, nll);
    workspace->qkv = qkv;
    workspace->context = context;
    workspace->softmax = NULL;
    workspace->unnormed = NULL;
    workspace->unclosed = NULL;
    return result;
}
