#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/io.h"
#include "checkpoint/safetensors.h"

/* The library's order of types, which keeps every tensor aligned: larger elements first. */
static int type_rank(enum laser_dtype dtype)
{
    static const enum laser_dtype order[] = {
        LASER_U64, LASER_I64, LASER_F64,     LASER_F32,     LASER_U32,     LASER_I32, LASER_BF16, LASER_F16,
        LASER_U16, LASER_I16, LASER_F8_E8M0, LASER_F8_E4M3, LASER_F8_E5M2, LASER_I8,  LASER_U8,   LASER_BOOL};
    int rank = 0;

    while (rank < LASER_DTYPE_COUNT - 1 && order[rank] != dtype)
        rank++;
    return rank;
}

static int by_layout(const void *a, const void *b)
{
    const struct laser_safetensors_item *x = *(const struct laser_safetensors_item *const *)a;
    const struct laser_safetensors_item *y = *(const struct laser_safetensors_item *const *)b;
    const int m = type_rank(x->dtype), n = type_rank(y->dtype);

    return m != n ? m - n : strcmp(x->name, y->name);
}

static int item_bytes(const char *file, const struct laser_safetensors_item *item, int64_t *bytes,
                      struct laser_error *err)
{
    const int64_t bits = (int64_t)laser_dtype_bits(item->dtype);

    *bytes = bits >= 8 ? bits / 8 : bits;
    if (item->n_dims < 0 || item->n_dims > LASER_MAX_DIMS)
        return laser_error_set(err, LASER_EUSAGE, file, "tensor \"%.300s\" has %d dimensions", item->name,
                               item->n_dims);
    for (int d = 0; d < item->n_dims; d++) {
        if (item->shape[d] < 0 || __builtin_mul_overflow(*bytes, item->shape[d], bytes))
            return laser_error_set(err, LASER_EUSAGE, file,
                                   "tensor \"%.300s\" has a shape that is negative or overflows", item->name);
    }
    if (bits < 8)
        *bytes /= 8;
    return LASER_OK;
}

static json_t *describe(const struct laser_safetensors_item *item, int64_t start, int64_t end)
{
    json_t *shape = json_array();

    for (int d = 0; d < item->n_dims; d++)
        json_array_append_new(shape, json_integer(item->shape[d]));
    return json_pack("{s:s, s:o, s:[I, I]}", "dtype", laser_dtype_name(item->dtype), "shape", shape,
                     "data_offsets", (json_int_t)start, (json_int_t)end);
}

/* The header object of the items in this order. */
static int make_header(const char *file, const struct laser_safetensors_item *const *order, int n,
                       json_t **header, struct laser_error *err)
{
    json_t *root = json_pack("{s:{s:s}}", "__metadata__", "format", "pt");
    int64_t start = 0;
    int code = LASER_OK;

    for (int i = 0; i < n && code == LASER_OK; i++) {
        int64_t bytes = 0;

        code = item_bytes(file, order[i], &bytes, err);
        if (code == LASER_OK && json_object_get(root, order[i]->name) != NULL)
            code =
                laser_error_set(err, LASER_EUSAGE, file, "tensor \"%.300s\" is given twice", order[i]->name);
        if (code == LASER_OK &&
            json_object_set_new(root, order[i]->name, describe(order[i], start, start + bytes)) != 0)
            code = laser_error_set(err, LASER_EUSAGE, file, "tensor name \"%.300s\" is not UTF-8",
                                   order[i]->name);
        start += bytes;
    }
    if (code != LASER_OK) {
        json_decref(root);
        root = NULL;
    }
    *header = root;
    return code;
}

int laser_safetensors_header_text(const json_t *header, char **text, int64_t *n)
{
    char *dump = json_dumps(header, JSON_COMPACT);
    const size_t length = dump != NULL ? strlen(dump) : 0;
    const size_t padded = (length + 7) / 8 * 8;

    *text = dump != NULL ? malloc(8 + padded) : NULL;
    if (*text == NULL) {
        free(dump);
        return LASER_ENOMEM;
    }
    for (int i = 0; i < 8; i++)
        (*text)[i] = (char)(padded >> (8 * i) & 0xff);
    memcpy(*text + 8, dump, length);
    memset(*text + 8 + length, ' ', padded - length);
    *n = 8 + (int64_t)padded;
    free(dump);
    return LASER_OK;
}

static int write_items(struct laser_output *out, const struct laser_safetensors_item *const *order, int n,
                       const json_t *header, struct laser_error *err)
{
    char *text = NULL;
    int64_t length = 0;
    int code = laser_safetensors_header_text(header, &text, &length);

    if (code != LASER_OK)
        return laser_error_set(err, code, out->path, "no memory for the header");
    code = laser_output_write(out, text, length, err);
    free(text);
    for (int i = 0; i < n && code == LASER_OK; i++) {
        int64_t bytes = 0;

        code = item_bytes(out->path, order[i], &bytes, err);
        if (code == LASER_OK)
            code = laser_output_write(out, order[i]->data, bytes, err);
    }
    return code;
}

int laser_safetensors_write(const char *file, const struct laser_safetensors_item *items, int n_items,
                            struct laser_error *err)
{
    const struct laser_safetensors_item **order = malloc(((size_t)n_items + 1) * sizeof *order);
    struct laser_output out;
    json_t *header = NULL;
    int code;

    if (order == NULL)
        return laser_error_set(err, LASER_ENOMEM, file, "no memory for the tensor list");
    for (int i = 0; i < n_items; i++)
        order[i] = &items[i];
    if (n_items > 1)
        qsort(order, (size_t)n_items, sizeof *order, by_layout);
    code = make_header(file, order, n_items, &header, err);
    if (code == LASER_OK && (code = laser_output_begin(file, &out, err)) == LASER_OK) {
        code = write_items(&out, order, n_items, header, err);
        if (code == LASER_OK)
            code = laser_output_commit(&out, err);
        else
            laser_output_abort(&out);
    }
    json_decref(header);
    free(order);
    return code;
}
