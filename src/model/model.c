#include "model/model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/beside.h"
#include "model/internal.h"
#include "model/rope.h"

static int split(struct laser_model *m, struct laser_error *err)
{
    const struct laser_arch *a = &m->arch;
    int64_t group = a->heads / a->kv_heads;
    int index = m->group.index, count = m->group.count;

    m->heads = laser_share_of(a->heads, index, count, 1);
    m->kv_heads = laser_share_kv_heads(a, m->heads);
    m->vocabulary = laser_share_of(a->vocabulary, index, count, 32);
    m->positions =
        a->names->positions ? laser_share_of(a->max_positions, index, count, 1) : (struct laser_share){0, 0};
    m->kv_of_head = calloc((size_t)m->heads.count + 1, sizeof *m->kv_of_head);
    if (!m->kv_of_head)
        return laser_error_set(err, LASER_ENOMEM, m->checkpoint->model, "no memory for the heads");
    for (int64_t h = 0; h < m->heads.count; h++)
        m->kv_of_head[h] = (int)((m->heads.first + h) / group - m->kv_heads.first);
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

bool laser_arch_ignores(const struct laser_arch *arch, const char *tensor)
{
    size_t n = strlen(tensor);

    for (int i = 0; i < 4 && arch->names->ignored[i]; i++) {
        size_t tail = strlen(arch->names->ignored[i]);
        if (n >= tail && strcmp(tensor + n - tail, arch->names->ignored[i]) == 0)
            return true;
    }
    return false;
}

int laser_model_check_types(const struct laser_checkpoint *c, const struct laser_arch *arch,
                            struct laser_error *err)
{
    for (int64_t i = 0; arch->quantized && i < c->n_tensors; i++) {
        const struct laser_tensor *t = &c->tensors[i];
        if (t->dtype != LASER_F64 && t->dtype != LASER_F32 && t->dtype != LASER_F16 &&
            t->dtype != LASER_BF16 && !laser_arch_ignores(arch, t->name))
            return laser_error_set(err, LASER_EINPUT, t->name,
                                   "quantization_config in config.json, and the type is %s: quantised models "
                                   "can be scanned, not evaluated or reduced",
                                   laser_dtype_name(t->dtype));
    }
    return LASER_OK;
}

int laser_model_describe(const struct laser_checkpoint *checkpoint, const struct laser_model_group *group,
                         enum laser_precision precision, struct laser_model **model, struct laser_error *err)
{
    struct laser_model *m = calloc(1, sizeof *m);
    char where[512];
    int result;

    *model = NULL;
    if (!m)
        return laser_error_set(err, LASER_ENOMEM, checkpoint->model, "no memory for the model");
    m->checkpoint = checkpoint;
    m->precision = precision;
    m->group = group ? *group : (struct laser_model_group){.index = 0, .count = 1};
    snprintf(where, sizeof where, "%s/config.json", checkpoint->dir);
    result = laser_arch_read(checkpoint->config, where, &m->arch, err);
    if (result == LASER_OK)
        result = laser_beside_check(checkpoint, err);
    if (result == LASER_OK)
        result = laser_model_check_types(checkpoint, &m->arch, err);
    if (result == LASER_OK)
        result = split(m, err);
    if (result == LASER_OK)
        result = make_room(m, err);
    if (result == LASER_OK)
        result = laser_model_bind(m, err);
    if (result == LASER_OK && laser_model_place(m) < 0)
        result = laser_error_set(err, LASER_EINPUT, where, "the weights are larger than any memory");
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
    return !arch->masked && !laser_rope_depends_on_length(&arch->rope);
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
