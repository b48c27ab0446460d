/* Weights in memory: one arena of packed matrices and float32 vectors, filled from the bindings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

enum { STAGE_BYTES = 16 << 20 };

struct visit {
    struct laser_model *model;
    laser_part_visitor *visit;
    void *context;
};

static void visit_one(const struct visit *v, struct laser_part *part, struct laser_part *bias,
                      enum laser_precision precision)
{
    v->visit(v->model, part, bias, precision, v->context);
}

static void visit_norm(const struct visit *v, struct laser_norm *norm)
{
    visit_one(v, &norm->weight, NULL, LASER_FLOAT32);
    visit_one(v, &norm->bias, NULL, LASER_FLOAT32);
}

/* A matrix, or the pieces of it. */
static void visit_matrix(const struct visit *v, struct laser_part *part, struct laser_part *bias,
                         enum laser_precision precision)
{
    if (!part->split) {
        visit_one(v, part, bias, precision);
        return;
    }
    visit_one(v, &part->split->in, NULL, precision);
    for (struct laser_split_piece *p = part->split->pieces; p; p = p->next)
        visit_one(v, &p->part, bias, precision);
}

static void visit_linear(const struct visit *v, struct laser_part *part, struct laser_part *bias)
{
    visit_one(v, bias, NULL, LASER_FLOAT32);
    visit_matrix(v, part, bias, v->model->precision);
}

static void visit_mlp(const struct visit *v, struct laser_mlp *mlp)
{
    visit_linear(v, &mlp->up, &mlp->up_bias);
    visit_linear(v, &mlp->down, &mlp->down_bias);
}

static void visit_latent(const struct visit *v, struct laser_latent_parts *latent)
{
    visit_norm(v, &latent->q_norm);
    visit_norm(v, &latent->kv_norm);
    visit_linear(v, &latent->q_down, &latent->q_down_bias);
    visit_linear(v, &latent->q_up, &latent->q_up_bias);
    visit_linear(v, &latent->kv_down, &latent->kv_down_bias);
    visit_matrix(v, &latent->kv_up, NULL, v->model->precision);
}

static void visit_delta(const struct visit *v, struct laser_delta_parts *delta)
{
    visit_one(v, &delta->conv, NULL, LASER_FLOAT32);
    visit_one(v, &delta->dt, NULL, LASER_FLOAT32);
    visit_one(v, &delta->decay, NULL, LASER_FLOAT32);
    visit_one(v, &delta->norm, NULL, LASER_FLOAT32);
    visit_matrix(v, &delta->in, NULL, v->model->precision);
    visit_matrix(v, &delta->out, NULL, v->model->precision);
}

/* What makes time steps stays in float32: their errors add up over a text. */
static void visit_mixer(const struct visit *v, struct laser_mixer_parts *mix)
{
    struct laser_part *const vectors[] = {&mix->conv, &mix->conv_bias, &mix->dt,     &mix->decay, &mix->skip,
                                          &mix->norm, &mix->step_norm, &mix->b_norm, &mix->c_norm};

    for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++)
        visit_one(v, vectors[i], NULL, LASER_FLOAT32);
    visit_linear(v, &mix->in, &mix->in_bias);
    visit_linear(v, &mix->out, &mix->out_bias);
    visit_matrix(v, &mix->x, NULL, LASER_FLOAT32);
    visit_one(v, &mix->step_bias, NULL, LASER_FLOAT32);
    visit_matrix(v, &mix->step, &mix->step_bias, LASER_FLOAT32);
    visit_matrix(v, &mix->gate, NULL, v->model->precision);
}

/* Routers stay in float32: a rounded router would choose other experts. */
static void visit_layer(const struct visit *v, struct laser_layer *layer)
{
    visit_norm(v, &layer->attention_norm);
    visit_norm(v, &layer->mlp_norm);
    visit_norm(v, &layer->post_attention_norm);
    visit_norm(v, &layer->post_mlp_norm);
    visit_norm(v, &layer->q_norm);
    visit_norm(v, &layer->k_norm);
    visit_linear(v, &layer->qkv, &layer->qkv_bias);
    visit_linear(v, &layer->relative, &layer->relative_bias);
    visit_latent(v, &layer->latent);
    visit_matrix(v, &layer->gate, NULL, v->model->precision);
    visit_delta(v, &layer->delta);
    visit_mixer(v, &layer->mix);
    visit_one(v, &layer->decays.rate, NULL, LASER_FLOAT32);
    visit_one(v, &layer->decays.query, NULL, LASER_FLOAT32);
    visit_one(v, &layer->decays.key, NULL, LASER_FLOAT32);
    visit_one(v, &layer->decays.diagonal, NULL, LASER_FLOAT32);
    visit_one(v, &layer->sinks, NULL, LASER_FLOAT32);
    visit_one(v, &layer->scalar, NULL, LASER_FLOAT32);
    visit_linear(v, &layer->o, &layer->o_bias);
    visit_one(v, &layer->activation, NULL, LASER_FLOAT32);
    visit_mlp(v, &layer->mlp);
    visit_one(v, &layer->router_bias, NULL, LASER_FLOAT32);
    visit_matrix(v, &layer->router, &layer->router_bias, LASER_FLOAT32);
    visit_one(v, &layer->correction, NULL, LASER_FLOAT32);
    visit_linear(v, &layer->moe_down, &layer->moe_down_bias);
    visit_linear(v, &layer->moe_up, &layer->moe_up_bias);
    visit_matrix(v, &layer->shared_router, NULL, LASER_FLOAT32);
    visit_mlp(v, &layer->shared);
    for (int64_t e = 0; layer->experts && e < v->model->arch.moe.experts; e++)
        visit_mlp(v, &layer->experts[e]);
}

/* Tables that are only looked up stay in float32. */
void laser_model_visit(struct laser_model *m, laser_part_visitor *visit, void *context)
{
    const struct visit v = {m, visit, context};

    visit_one(&v, &m->head_bias, NULL, LASER_FLOAT32);
    visit_one(&v, &m->embed, &m->head_bias, m->output == &m->embed ? m->precision : LASER_FLOAT32);
    visit_one(&v, &m->position_table, NULL, LASER_FLOAT32);
    visit_one(&v, &m->type_table, NULL, LASER_FLOAT32);
    visit_one(&v, &m->relative, NULL, LASER_FLOAT32);
    visit_norm(&v, &m->relative_norm);
    visit_one(&v, &m->side, NULL, LASER_FLOAT32);
    visit_one(&v, &m->side_bias, NULL, LASER_FLOAT32);
    visit_norm(&v, &m->side_norm);
    visit_norm(&v, &m->embed_norm);
    visit_norm(&v, &m->final_norm);
    visit_one(&v, &m->head, &m->head_bias, m->precision);
    visit_linear(&v, &m->embed_project, &m->embed_project_bias);
    visit_linear(&v, &m->head_dense, &m->head_dense_bias);
    visit_norm(&v, &m->head_norm);
    for (int64_t i = 0; i < m->arch.layers; i++)
        visit_layer(&v, &m->layers[i]);
}

static void place_part(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                       enum laser_precision precision, void *context)
{
    (void)context;
    if (!laser_part_present(part) || m->arena_bytes < 0)
        return;
    part->precision = precision;
    part->bias = bias;
    part->offset_bytes = m->arena_bytes;
    part->size_bytes = part->in ? laser_linear_size(precision, part->stored, part->out, part->in)
                                : (part->out * (int64_t)sizeof(float) + 63) / 64 * 64;
    if (part->size_bytes < 0 || part->size_bytes > INT64_MAX / 2 - m->arena_bytes)
        m->arena_bytes = -1;
    else
        m->arena_bytes += part->size_bytes;
}

/* Lets a part point at its bytes. */
static void point_part(struct laser_part *part, void *bytes)
{
    if (part->in == 0)
        part->values = bytes;
    else
        laser_linear_init(&part->linear, part->precision, part->stored, part->out, part->in, bytes,
                          part->bias && laser_part_present(part->bias) ? part->bias->values + part->bias_first
                                                                       : NULL,
                          NULL);
}

static void connect_part(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                         enum laser_precision precision, void *context)
{
    (void)bias;
    (void)precision;
    (void)context;
    if (laser_part_present(part))
        point_part(part, m->arena + part->offset_bytes);
}

static void free_part(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                      enum laser_precision precision, void *context)
{
    (void)m;
    (void)bias;
    (void)precision;
    (void)context;
    free(part->own);
    part->own = NULL;
    laser_part_drop_thin(part);
}

int64_t laser_model_place(struct laser_model *model)
{
    model->arena_bytes = 0;
    laser_model_visit(model, place_part, NULL);
    return model->arena_bytes;
}

/* Widens staged elements in place to float32 where the part holds pieces of several types. */
static const void *as_stored(enum laser_storage from, enum laser_storage to, int64_t n, unsigned char *raw,
                             float *wide)
{
    if (from == to)
        return raw;
    laser_storage_widen(from, n, raw, 1, wide);
    return wide;
}

static enum laser_storage storage_of(enum laser_dtype dtype)
{
    switch (dtype) {
    case LASER_F64:
        return LASER_STORED_F64;
    case LASER_F16:
        return LASER_STORED_F16;
    case LASER_BF16:
        return LASER_STORED_BF16;
    case LASER_F8_E4M3:
        return LASER_STORED_F8_E4M3;
    case LASER_F8_E5M2:
        return LASER_STORED_F8_E5M2;
    default:
        return LASER_STORED_F32; /* nothing else is bound */
    }
}

/* Half of the staging area is raw bytes, half is for widening. */
static int fill_matrix(const struct laser_checkpoint *c, const struct laser_binding *b, unsigned char *stage,
                       struct laser_error *err)
{
    const struct laser_tensor *tensor = &c->tensors[b->tensor];
    enum laser_storage storage = storage_of(tensor->dtype);
    struct laser_part *part = b->part;
    int64_t fits = STAGE_BYTES / 2 / 8 / part->in, step = fits >= 32 ? fits / 32 * 32 : (fits > 0 ? fits : 1);
    float *wide = (float *)(void *)(stage + STAGE_BYTES / 2);

    if (fits < 1)
        return laser_error_set(err, LASER_EINPUT, tensor->name, "rows of %lld elements are too long",
                               (long long)part->in);
    for (int64_t done = 0; done < b->count; done += step) {
        int64_t n = b->count - done < step ? b->count - done : step;
        int result;
        const void *data;

        if (b->transposed)
            result =
                laser_checkpoint_read_runs(c, tensor, b->origin + done, part->in, n, b->stride, stage, err);
        else
            result = laser_checkpoint_read_runs(c, tensor, b->origin + done * b->stride, n, part->in,
                                                b->stride, stage, err);
        if (result != LASER_OK)
            return result;
        data = as_stored(storage, part->stored, n * part->in, stage, wide);
        if (b->transposed)
            laser_linear_pack_columns(&part->linear, b->first + done, n, data, n);
        else
            laser_linear_pack_rows(&part->linear, b->first + done, n, data, part->in);
    }
    return LASER_OK;
}

static int fill_vector(const struct laser_checkpoint *c, const struct laser_binding *b, unsigned char *stage,
                       struct laser_error *err)
{
    const struct laser_tensor *tensor = &c->tensors[b->tensor];
    int64_t step = STAGE_BYTES / 8, size = (int64_t)laser_dtype_size(tensor->dtype);

    for (int64_t done = 0; done < b->count; done += step) {
        int64_t n = b->count - done < step ? b->count - done : step;
        int result = laser_checkpoint_read(c, tensor, (b->origin + done) * size, n * size, stage, err);

        if (result != LASER_OK)
            return result;
        laser_storage_widen(storage_of(tensor->dtype), n, stage, 1, b->part->values + b->first + done);
        for (int64_t i = 0; b->part->shift != 0 && i < n; i++)
            b->part->values[b->first + done + i] += b->part->shift;
        for (int64_t i = 0; b->part->factor != 0 && b->part->factor != 1 && i < n; i++)
            b->part->values[b->first + done + i] *= b->part->factor;
    }
    return LASER_OK;
}

static int fill(const struct laser_model *m, const struct laser_binding *b, unsigned char *stage,
                struct laser_error *err)
{
    return b->part->in ? fill_matrix(m->checkpoint, b, stage, err)
                       : fill_vector(m->checkpoint, b, stage, err);
}

static unsigned char *new_stage(const struct laser_model *m, struct laser_error *err, int *result)
{
    unsigned char *stage = aligned_alloc(64, STAGE_BYTES);

    if (!stage)
        *result = laser_error_set(err, LASER_ENOMEM, m->checkpoint->model, "no memory to read weights");
    return stage;
}

static int fill_all(const struct laser_model *m, struct laser_error *err)
{
    int result = LASER_OK;
    unsigned char *stage = new_stage(m, err, &result);

    for (int64_t i = 0; i < m->binding_count && result == LASER_OK; i++)
        result = fill(m, &m->bindings[i], stage, err);
    free(stage);
    return result;
}

int laser_model_load(struct laser_model *model, struct laser_error *err)
{
    const struct laser_model_group *g = &model->group;
    int64_t bytes = model->arena_bytes ? model->arena_bytes : 64;
    int result = LASER_OK;

    model->fills = true;
    model->arena_is_ours = !g->weights_alloc;
    model->arena = g->weights_alloc ? g->weights_alloc(g->context, bytes, &model->fills)
                                    : aligned_alloc(64, (size_t)bytes);
    if (!model->arena)
        return laser_error_set(err, LASER_ENOMEM, model->checkpoint->model,
                               "no memory for %.1f MB of weights", (double)bytes / 1e6);
    if ((uintptr_t)model->arena % 64 != 0)
        result = laser_error_set(err, LASER_EINTERNAL, NULL, "memory for weights is not aligned to 64 bytes");
    if (result == LASER_OK) {
        laser_model_visit(model, connect_part, NULL);
        if (model->fills)
            result = fill_all(model, err);
    }
    if (g->weights_alloc && g->weights_ready)
        g->weights_ready(g->context);
    return result;
}

/* A private copy of a part, to change. */
static int make_own(struct laser_model *m, struct laser_part *part, struct laser_error *err)
{
    if (part->own)
        return LASER_OK;
    part->own = aligned_alloc(64, (size_t)part->size_bytes);
    if (!part->own)
        return laser_error_set(err, LASER_ENOMEM, m->checkpoint->model, "no memory for a copy of %.1f MB",
                               (double)part->size_bytes / 1e6);
    memcpy(part->own, m->arena + part->offset_bytes, (size_t)part->size_bytes);
    point_part(part, part->own);
    return LASER_OK;
}

/* Back to the shared bytes.  A matrix looks up its bias again, in case that one moved. */
static void drop_own(struct laser_model *m, struct laser_part *part)
{
    free(part->own);
    part->own = NULL;
    point_part(part, m->arena + part->offset_bytes);
}

static void reconnect(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                      enum laser_precision precision, void *context)
{
    (void)bias;
    (void)precision;
    (void)context;
    if (laser_part_present(part))
        point_part(part, part->own ? part->own : (void *)(m->arena + part->offset_bytes));
}

/* Elements of a tensor that changed. */
struct change {
    int64_t tensor, first, count;
};

static bool touches(const struct laser_binding *b, const struct change *change)
{
    int64_t in = b->part->in ? b->part->in : 1;
    int64_t end = b->transposed ? b->origin + (in - 1) * b->stride + b->count
                                : b->origin + (b->count - 1) * b->stride + in;

    return b->tensor == change->tensor && b->origin - change->first < change->count && end > change->first;
}

static int reload_here(struct laser_model *m, const struct change *change, bool make_private,
                       struct laser_error *err)
{
    int result = LASER_OK;
    unsigned char *stage = new_stage(m, err, &result);

    for (int64_t i = 0; i < m->binding_count && result == LASER_OK; i++) {
        const struct laser_binding *b = &m->bindings[i];

        if (!touches(b, change))
            continue;
        if (make_private)
            result = make_own(m, b->part, err);
        if (result == LASER_OK)
            result = fill(m, b, stage, err);
    }
    free(stage);
    return result;
}

int laser_model_reload(struct laser_model *model, const char *name, enum laser_model_reload how,
                       struct laser_error *err)
{
    return laser_model_reload_part(model, name, 0, INT64_MAX, how, err);
}

int laser_model_reload_part(struct laser_model *model, const char *name, int64_t first, int64_t count,
                            enum laser_model_reload how, struct laser_error *err)
{
    const struct laser_model_group *g = &model->group;
    const struct change change = {laser_checkpoint_find_index(model->checkpoint, name), first, count};
    int result = LASER_OK;

    if (change.tensor < 0 || model->tensor_layer[change.tensor] == -2)
        return laser_error_set(err, LASER_EINPUT, name, "the model has no such weight");
    if (model->arena_is_ours)
        return reload_here(model, &change, false, err);
    if (how == LASER_RELOAD_PRIVATE) {
        result = reload_here(model, &change, true, err);
        laser_model_visit(model, reconnect, NULL);
        return result;
    }
    g->weights_ready(g->context); /* nobody computes with the shared weights any more */
    for (int64_t i = 0; i < model->binding_count; i++)
        if (touches(&model->bindings[i], &change))
            drop_own(model, model->bindings[i].part);
    laser_model_visit(model, reconnect, NULL);
    if (model->fills)
        result = reload_here(model, &change, false, err);
    g->weights_ready(g->context);
    return result;
}

void laser_model_free(struct laser_model *model)
{
    if (!model)
        return;
    if (model->layers)
        laser_model_visit(model, free_part, NULL);
    laser_split_free_all(model);
    if (model->arena_is_ours)
        free(model->arena);
    if (!model->arch_is_lent)
        laser_arch_free(&model->arch);
    free(model->layers);
    free(model->experts);
    free(model->bindings);
    free(model->pieces);
    free(model->piece_rows);
    free(model->tensor_layer);
    free(model->kv_of_head);
    free(model->full_kv_of_head);
    free(model->slopes);
    free(model);
}
