/* Weights in memory: one arena of packed matrices and float32 vectors, filled from the bindings. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/internal.h"

enum { STAGE_BYTES = 16 << 20 };

typedef void (*part_visitor)(struct laser_model *model, struct laser_part *part, struct laser_part *bias,
                             enum laser_precision precision);

static void visit_norm(struct laser_model *m, struct laser_norm *norm, part_visitor visit)
{
    visit(m, &norm->weight, NULL, LASER_FLOAT32);
    visit(m, &norm->bias, NULL, LASER_FLOAT32);
}

/* A matrix, or the pieces of it. */
static void visit_matrix(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                         enum laser_precision precision, part_visitor visit)
{
    if (!part->split) {
        visit(m, part, bias, precision);
        return;
    }
    visit(m, &part->split->in, NULL, precision);
    for (struct laser_split_piece *p = part->split->pieces; p; p = p->next)
        visit(m, &p->part, bias, precision);
}

static void visit_linear(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                         part_visitor visit)
{
    visit(m, bias, NULL, LASER_FLOAT32);
    visit_matrix(m, part, bias, m->precision, visit);
}

static void visit_mlp(struct laser_model *m, struct laser_mlp *mlp, part_visitor visit)
{
    visit_linear(m, &mlp->up, &mlp->up_bias, visit);
    visit_linear(m, &mlp->down, &mlp->down_bias, visit);
}

/* Every part in a fixed order, a bias before its matrix.  Routers and tables that are only looked up stay in
 * float32: a rounded router would choose other experts. */
static void visit_parts(struct laser_model *m, part_visitor visit)
{
    const struct laser_arch *a = &m->arch;

    visit(m, &m->head_bias, NULL, LASER_FLOAT32);
    visit(m, &m->embed, &m->head_bias, m->output == &m->embed ? m->precision : LASER_FLOAT32);
    visit(m, &m->position_table, NULL, LASER_FLOAT32);
    visit(m, &m->type_table, NULL, LASER_FLOAT32);
    visit_norm(m, &m->embed_norm, visit);
    visit_norm(m, &m->final_norm, visit);
    visit(m, &m->head, &m->head_bias, m->precision);
    visit_linear(m, &m->head_dense, &m->head_dense_bias, visit);
    visit_norm(m, &m->head_norm, visit);
    for (int64_t i = 0; i < a->layers; i++) {
        struct laser_layer *layer = &m->layers[i];

        visit_norm(m, &layer->attention_norm, visit);
        visit_norm(m, &layer->mlp_norm, visit);
        visit_norm(m, &layer->post_attention_norm, visit);
        visit_norm(m, &layer->post_mlp_norm, visit);
        visit_norm(m, &layer->q_norm, visit);
        visit_norm(m, &layer->k_norm, visit);
        visit_linear(m, &layer->qkv, &layer->qkv_bias, visit);
        visit_linear(m, &layer->o, &layer->o_bias, visit);
        visit_mlp(m, &layer->mlp, visit);
        visit_matrix(m, &layer->router, NULL, LASER_FLOAT32, visit);
        visit_matrix(m, &layer->shared_router, NULL, LASER_FLOAT32, visit);
        visit_mlp(m, &layer->shared, visit);
        for (int64_t e = 0; layer->experts && e < a->moe.experts; e++)
            visit_mlp(m, &layer->experts[e], visit);
    }
}

static void place_part(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                       enum laser_precision precision)
{
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
                         enum laser_precision precision)
{
    (void)bias;
    (void)precision;
    if (laser_part_present(part))
        point_part(part, m->arena + part->offset_bytes);
}

static void free_part(struct laser_model *m, struct laser_part *part, struct laser_part *bias,
                      enum laser_precision precision)
{
    (void)m;
    (void)bias;
    (void)precision;
    free(part->own);
    part->own = NULL;
    laser_part_drop_thin(part);
}

int64_t laser_model_place(struct laser_model *model)
{
    model->arena_bytes = 0;
    visit_parts(model, place_part);
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
        visit_parts(model, connect_part);
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
                      enum laser_precision precision)
{
    (void)bias;
    (void)precision;
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
        visit_parts(model, reconnect);
        return result;
    }
    g->weights_ready(g->context); /* nobody computes with the shared weights any more */
    for (int64_t i = 0; i < model->binding_count; i++)
        if (touches(&model->bindings[i], &change))
            drop_own(model, model->bindings[i].part);
    visit_parts(model, reconnect);
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
        visit_parts(model, free_part);
    laser_split_free_all(model);
    if (model->arena_is_ours)
        free(model->arena);
    laser_arch_free(&model->arch);
    free(model->layers);
    free(model->experts);
    free(model->bindings);
    free(model->pieces);
    free(model->piece_rows);
    free(model->tensor_layer);
    free(model->kv_of_head);
    free(model);
}
