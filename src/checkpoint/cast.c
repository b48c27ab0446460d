#include "checkpoint/cast.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/combine.h"
#include "checkpoint/state.h"

static int no_memory(const struct laser_checkpoint *c, struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, c->model, "no memory for the catalogue");
}

/* The type that one tensor is to have. */
static enum laser_dtype wanted(const struct laser_tensor *t, enum laser_dtype dtype)
{
    if (!laser_dtype_is_float(t->dtype))
        return t->dtype;
    if (dtype != LASER_DTYPE_COUNT)
        return dtype;
    return t->coded != NULL && t->coded->coding == LASER_CODED_SUM ? t->coded->parts[LASER_PART_CODES]->dtype
                                                                   : t->dtype;
}

static int cast_one(const struct laser_checkpoint *c, struct laser_tensor *t, enum laser_dtype dtype,
                    struct laser_error *err)
{
    struct laser_coded *k;
    struct laser_tensor *part;
    int64_t elements = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);

    if (wanted(t, dtype) == t->dtype || elements == 0)
        return LASER_OK;
    dtype = wanted(t, dtype);
    k = calloc(1, sizeof *k);
    part = k != NULL ? laser_tensor_copy(t, 0) : NULL;
    if (part == NULL) {
        free(k);
        return no_memory(c, err);
    }
    *k = (struct laser_coded){
        .coding = LASER_CODED_CAST, .slices = 1, .rows = 1, .cols = 1, .block_rows = 1, .block_cols = 1};
    k->parts[LASER_PART_CODES] = part;
    k->cols = t->n_dims > 0 ? t->shape[t->n_dims - 1] : 1;
    k->rows = elements / k->cols;
    snprintf(k->format, sizeof k->format, "%s", laser_coded_format(t));
    laser_coded_free(t->coded);
    t->coded = k;
    t->dtype = dtype;
    t->size_bytes = elements * (int64_t)laser_dtype_size(dtype);
    return LASER_OK;
}

/* "bfloat16" for LASER_BF16, as torch has it. */
static const char *torch_name(enum laser_dtype dtype)
{
    return dtype == LASER_BF16 ? "bfloat16" : dtype == LASER_F16 ? "float16" : "float32";
}

static int set_config(struct laser_checkpoint *c, enum laser_dtype dtype, struct laser_error *err)
{
    json_t *const places[] = {c->config, json_object_get(c->config, "text_config")};
    char *text;

    if (c->config == NULL)
        return LASER_OK;
    for (int i = 0; i < 2 && dtype != LASER_DTYPE_COUNT; i++) {
        json_t *o = places[i];
        const bool newer = json_object_get(o, "dtype") != NULL;
        const bool older = json_object_get(o, "torch_dtype") != NULL;

        if (newer)
            json_object_set_new(o, "dtype", json_string(torch_name(dtype)));
        if (json_is_object(o) && (older || (i == 0 && !newer)))
            json_object_set_new(o, "torch_dtype", json_string(torch_name(dtype)));
    }
    text = json_dumps(c->config, JSON_INDENT(2));
    if (text == NULL)
        return no_memory(c, err);
    free(c->config_text);
    c->config_text = text;
    return LASER_OK;
}

int laser_checkpoint_cast(struct laser_checkpoint *c, enum laser_dtype dtype, struct laser_error *err)
{
    int code = set_config(c, dtype, err);

    c->total_size_bytes = 0;
    for (int64_t i = 0; code == LASER_OK && i < c->n_tensors; i++) {
        code = cast_one(c, &c->tensors[i], dtype, err);
        c->total_size_bytes += c->tensors[i].size_bytes;
    }
    c->anew = true;
    return code;
}
