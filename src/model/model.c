#include "model/model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/family.h"
#include "arch/rope.h"
#include "checkpoint/beside.h"
#include "model/binder.h"
#include "model/pair.h"

/* ALiBi's slopes of all heads, in float32 as transformers rounds them. */
static float slope_of(const struct laser_arch *a, int64_t head)
{
    double heads = (double)a->heads, below = exp2(floor(log2(heads))), above = exp2(ceil(log2(heads)));
    double place = (double)head;

    if (a->alibi == LASER_ALIBI_BLOOM) {
        if (place < below)
            return powf((float)exp2(-8 / below), (float)(place + 1));
        return powf((float)exp2(-4 / below), (float)(2 * (place - below) + 1));
    }
    if (above != heads) /* every second one first, then the others */
        place = place < above / 2 ? 2 * place + 1 : 2 * (place - above / 2);
    return 1 / exp2f((float)(place + 1) * (float)(a->alibi_most / above));
}

/* vocabulary: what this shard has of it; NULL: an even share. */
static int split(struct laser_model *m, const struct laser_share *vocabulary, struct laser_error *err)
{
    const struct laser_arch *a = &m->arch;
    int64_t full = a->full_kv_heads ? a->full_kv_heads : a->kv_heads;
    int index = m->group.index, count = m->group.count;

    m->heads = laser_share_of(a->heads, index, count, 1);
    m->kv_heads = laser_share_kv_heads(a->heads, a->kv_heads, m->heads);
    m->full_kv_heads = laser_share_kv_heads(a->heads, full, m->heads);
    if (a->delta.key_heads > 0)
        m->delta_heads = laser_share_of(a->delta.key_heads, index, count, 1);
    if (a->mix.heads > 0) {
        m->mix_heads = laser_share_of(a->mix.heads, index, count, a->mix.head_size == 1 ? 32 : 1);
        m->mix_groups = laser_share_kv_heads(a->mix.heads, a->mix.groups, m->mix_heads);
    }
    m->vocabulary = vocabulary ? *vocabulary : laser_share_of(a->vocabulary, index, count, 32);
    m->positions = a->names->positions
                       ? laser_share_of(a->max_positions + a->position_offset, index, count, 1)
                       : (struct laser_share){0, 0};
    m->kv_of_head = calloc((size_t)m->heads.count + 1, sizeof *m->kv_of_head);
    m->full_kv_of_head = calloc((size_t)m->heads.count + 1, sizeof *m->kv_of_head);
    m->slopes = a->alibi ? calloc((size_t)m->heads.count + 1, sizeof *m->slopes) : NULL;
    if (!m->kv_of_head || !m->full_kv_of_head || (a->alibi && !m->slopes))
        return laser_error_set(err, LASER_ENOMEM, m->checkpoint->model, "no memory for the heads");
    for (int64_t h = 0; h < m->heads.count; h++) {
        m->kv_of_head[h] = (int)((m->heads.first + h) / (a->heads / a->kv_heads) - m->kv_heads.first);
        m->full_kv_of_head[h] = (int)((m->heads.first + h) / (a->heads / full) - m->full_kv_heads.first);
        if (m->slopes)
            m->slopes[h] = slope_of(a, m->heads.first + h);
    }
    return LASER_OK;
}

static int make_room(struct laser_model *m, struct laser_error *err)
{
    const struct laser_arch *a = &m->arch;
    int64_t sparse = 0;

    m->tensor_layer = malloc((size_t)m->checkpoint->n_tensors * sizeof *m->tensor_layer + 1);
    m->layers = calloc((size_t)a->layers, sizeof *m->layers);
    for (int64_t i = 0; i < a->layers; i++)
        sparse += a->sparse[i];
    m->experts = calloc((size_t)(sparse * a->moe.experts) + 1, sizeof *m->experts);
    if (!m->tensor_layer || !m->layers || !m->experts)
        return laser_error_set(err, LASER_ENOMEM, m->checkpoint->model, "no memory for the list of weights");
    for (int64_t i = 0; i < m->checkpoint->n_tensors; i++)
        m->tensor_layer[i] = -2;
    sparse = 0;
    for (int64_t i = 0; i < a->layers; i++)
        if (a->sparse[i])
            m->layers[i].experts = m->experts + a->moe.experts * sparse++;
    return LASER_OK;
}

int laser_model_check_types(const struct laser_checkpoint *c, const struct laser_arch *arch,
                            struct laser_error *err)
{
    for (int64_t i = 0; arch->quantized && i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i];
        if (t->dtype != LASER_F64 && t->dtype != LASER_F32 && t->dtype != LASER_F16 &&
            t->dtype != LASER_BF16 && !laser_names_ignore(arch->names, t->name))
            return laser_error_set(err, LASER_EINPUT, t->name,
                                   "quantization_config in config.json, and the type is %s: quantised models "
                                   "can be scanned, not evaluated or reduced",
                                   laser_dtype_name(t->dtype));
    }
    return LASER_OK;
}

/* Everything but the architecture and the tensors. */
static struct laser_model *new_model(const struct laser_checkpoint *checkpoint,
                                     const struct laser_model_group *group, enum laser_precision precision)
{
    struct laser_model *m = calloc(1, sizeof *m);

    if (!m)
        return NULL;
    m->checkpoint = checkpoint;
    m->precision = precision;
    m->group = group ? *group : (struct laser_model_group){.index = 0, .count = 1};
    return m;
}

/* beside: only the head, of the entries of the vocabulary that this model has too; NULL: the whole model. */
static int describe(struct laser_model *m, const struct laser_model *beside, struct laser_error *err)
{
    const struct laser_checkpoint *checkpoint = m->checkpoint;
    struct laser_share vocabulary;
    char where[512];
    int result;

    snprintf(where, sizeof where, "%s/config.json", checkpoint->dir);
    result = laser_arch_read(checkpoint->config, where, &m->arch, err);
    if (result == LASER_OK)
        result = laser_beside_check(checkpoint, err);
    if (result == LASER_OK)
        result = laser_model_check_types(checkpoint, &m->arch, err);
    if (result == LASER_OK && beside)
        vocabulary = laser_share_within(beside->vocabulary, m->arch.vocabulary);
    if (result == LASER_OK)
        result = split(m, beside ? &vocabulary : NULL, err);
    if (result == LASER_OK)
        result = make_room(m, err);
    if (result == LASER_OK)
        result = laser_model_bind(m, err);
    if (result == LASER_OK && beside)
        laser_model_keep_head(m);
    if (result == LASER_OK && laser_model_place(m) < 0)
        result = laser_error_set(err, LASER_EINPUT, where, "the weights are larger than any memory");
    return result;
}

static int make(const struct laser_checkpoint *checkpoint, const struct laser_model_group *group,
                enum laser_precision precision, const struct laser_model *beside, struct laser_model **model,
                struct laser_error *err)
{
    struct laser_model *m = new_model(checkpoint, group, precision);
    int result;

    *model = NULL;
    if (!m)
        return laser_error_set(err, LASER_ENOMEM, checkpoint->model, "no memory for the model");
    result = describe(m, beside, err);
    if (result != LASER_OK) {
        laser_model_free(m);
        return result;
    }
    *model = m;
    return LASER_OK;
}

int laser_model_describe(const struct laser_checkpoint *checkpoint, const struct laser_model_group *group,
                         enum laser_precision precision, struct laser_model **model, struct laser_error *err)
{
    return make(checkpoint, group, precision, NULL, model, err);
}

int laser_model_head_describe(const struct laser_checkpoint *base, const struct laser_model *model,
                              struct laser_model **head, struct laser_error *err)
{
    return make(base, &model->group, model->precision, model, head, err);
}

int laser_model_sketch(const struct laser_arch *arch, const struct laser_model_group *group,
                       enum laser_precision precision, enum laser_storage stored, laser_sketch_note *note,
                       void *context, struct laser_model **model, struct laser_error *err)
{
    static char nowhere[] = "config.json";
    static const struct laser_checkpoint empty = {.model = nowhere, .dir = nowhere};
    const struct laser_sketch sketch = {stored, note, context};
    struct laser_model *m = new_model(&empty, group, precision);
    int result;

    *model = NULL;
    if (!m)
        return laser_error_set(err, LASER_ENOMEM, arch->model_type, "no memory for the model");
    m->arch = *arch;
    m->arch_is_lent = true;
    result = split(m, NULL, err);
    if (result == LASER_OK)
        result = make_room(m, err);
    if (result == LASER_OK)
        result = laser_model_bind_sketch(m, &sketch, err);
    if (result == LASER_OK && laser_model_place(m) < 0)
        result =
            laser_error_set(err, LASER_EINPUT, arch->model_type, "the weights are larger than any memory");
    if (result != LASER_OK) {
        laser_model_free(m);
        return result;
    }
    *model = m;
    return LASER_OK;
}

int laser_model_open(const struct laser_checkpoint *checkpoint, enum laser_precision precision,
                     struct laser_model **model, struct laser_error *err)
{
    int result = laser_model_describe(checkpoint, NULL, precision, model, err);

    if (result == LASER_OK)
        result = laser_model_load(*model, err);
    if (result != LASER_OK) {
        laser_model_free(*model);
        *model = NULL;
    }
    return result;
}

const struct laser_arch *laser_model_arch(const struct laser_model *model)
{
    return &model->arch;
}

int64_t laser_model_weights_bytes(const struct laser_model *model)
{
    return model->arena_bytes;
}

bool laser_model_is_factored(const struct laser_model *model)
{
    return model->splits != NULL;
}

int64_t laser_model_layer_of(const struct laser_model *model, const char *tensor)
{
    int64_t index = laser_checkpoint_find_index(model->checkpoint, tensor);

    return index < 0 ? -2 : model->tensor_layer[index];
}

int64_t laser_model_batch_offset(const struct laser_model_batch *batch, int64_t sequence)
{
    int64_t n = 0;

    while (batch->parents && (sequence = batch->parents[sequence]) >= 0)
        n += batch->lengths[sequence];
    return n;
}

bool laser_arch_continues(const struct laser_arch *arch)
{
    return !arch->masked && !laser_rope_depends_on_length(&arch->rope) && !laser_arch_keeps_states(arch);
}

int64_t laser_model_batch_tokens(const struct laser_model_batch *batch)
{
    int64_t n = 0;

    if (!batch->lengths)
        return batch->sequences * batch->length;
    for (int64_t i = 0; i < batch->sequences; i++)
        n += batch->lengths[i];
    return n;
}
