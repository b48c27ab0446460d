/* A coded tensor that is put together from its parts: what the recognisers of all formats share. */
#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/coded_resolve.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/state.h"

int laser_resolve_no_memory(struct laser_resolver *r)
{
    return laser_error_set(r->err, LASER_ENOMEM, r->c->model, "no memory for the catalogue");
}

bool laser_resolve_ends(const char *name, const char *ending, int *base_length)
{
    const size_t n = strlen(name), m = strlen(ending);

    if (n < m || strcmp(name + n - m, ending) != 0)
        return false;
    *base_length = (int)(n - m);
    return true;
}

enum laser_dtype laser_resolve_dtype(const struct laser_tensor *scale)
{
    return scale != NULL &&
                   (scale->dtype == LASER_F16 || scale->dtype == LASER_BF16 || scale->dtype == LASER_F64)
               ? scale->dtype
               : LASER_F32;
}

void laser_making_fail(struct laser_making *m, const char *where, const char *fmt, ...)
{
    char text[600];
    va_list arguments;

    if (m->code != LASER_OK)
        return;
    va_start(arguments, fmt);
    vsnprintf(text, sizeof text, fmt, arguments);
    va_end(arguments);
    m->code = laser_error_set(m->r->err, LASER_EINPUT, where, "%s", text);
}

/* A part keeps a copy of its tensor; the tensor itself leaves the catalogue. */
static void add_part(struct laser_making *m, enum laser_coded_part part, const struct laser_tensor *t)
{
    struct laser_tensor *copy = malloc(sizeof *copy);

    if (copy != NULL) {
        *copy = *t;
        copy->name = strdup(t->name);
    }
    if (copy == NULL || copy->name == NULL) {
        free(copy);
        m->code = laser_resolve_no_memory(m->r);
        return;
    }
    m->k->parts[part] = copy;
    m->r->taken[t - m->r->c->tensors] = true;
}

struct laser_making laser_making_begin(struct laser_resolver *r, const struct laser_tensor *codes,
                                       int base_length, enum laser_coding coding, const char *format,
                                       int bits)
{
    struct laser_making m = {.r = r, .base = codes->name, .base_length = base_length};

    m.k = calloc(1, sizeof *m.k);
    if (m.k == NULL) {
        m.code = laser_resolve_no_memory(r);
        return m;
    }
    m.k->coding = coding;
    m.k->bits = bits;
    m.k->slices = m.k->block_rows = m.k->block_cols = 1;
    snprintf(m.k->format, sizeof m.k->format, "%s", format);
    add_part(&m, LASER_PART_CODES, codes);
    return m;
}

const struct laser_tensor *laser_making_part(struct laser_making *m, enum laser_coded_part part,
                                             const char *ending, bool required)
{
    const struct laser_tensor *t;
    char *name = NULL;

    if (m->code != LASER_OK)
        return NULL;
    if (asprintf(&name, "%.*s%s", m->base_length, m->base, ending) < 0) {
        m->code = laser_resolve_no_memory(m->r);
        return NULL;
    }
    t = laser_checkpoint_find(m->r->c, name);
    if (t != NULL)
        add_part(m, part, t);
    else if (required)
        laser_making_fail(m, m->k->parts[LASER_PART_CODES]->name,
                          "the tensor \"%.300s\" that it is scaled with is missing (%s)", name, m->k->format);
    free(name);
    return m->code == LASER_OK ? m->k->parts[part] : NULL;
}

static int64_t groups_of(int64_t cols, int64_t group)
{
    return (cols + group - 1) / group;
}

/* Sizes of groups that config.json names: at the top, or in one of compressed-tensors' config_groups. */
static int64_t configured_group(const json_t *config, int64_t cols, int64_t n_groups)
{
    json_int_t size = json_integer_value(json_object_get(config, "group_size"));
    const char *key;
    json_t *group;

    if (size > 0 && groups_of(cols, size) == n_groups)
        return size;
    json_object_foreach(json_object_get(config, "config_groups"), key, group)
    {
        size = json_integer_value(json_object_get(json_object_get(group, "weights"), "group_size"));
        if (size > 0 && groups_of(cols, size) == n_groups)
            return size;
    }
    return 0;
}

void laser_making_group(struct laser_making *m, int64_t cols, int64_t n_groups,
                        const struct laser_tensor *scale)
{
    int64_t group;

    if (m->code != LASER_OK)
        return;
    group = configured_group(m->r->config, cols, n_groups);
    if (group == 0 && n_groups > 0 && cols % n_groups == 0)
        group = cols / n_groups;
    if (group == 0)
        laser_making_fail(m, scale->name,
                          "%lld groups do not make the %lld columns of the weight, and config.json "
                          "has no group_size that does",
                          (long long)n_groups, (long long)cols);
    m->k->block_cols = group > 0 ? group : 1;
}

int laser_making_end(struct laser_making *m, const char *ending, enum laser_dtype dtype, int64_t n_slices)
{
    struct laser_tensor *t = &m->r->made[m->r->n_made];
    struct laser_coded *k = m->k;
    const int64_t rows = k != NULL && k->transposed ? k->cols : k != NULL ? k->rows : 0;
    int64_t elements = 0;

    if (m->code == LASER_OK &&
        (k->rows < 1 || k->cols < 1 || __builtin_mul_overflow(k->rows, k->cols, &elements) ||
         __builtin_mul_overflow(elements, 8 * (n_slices > 0 ? n_slices : 1), &elements)))
        laser_making_fail(m, m->base, "%lld x %lld is no shape of a weight", (long long)k->rows,
                          (long long)k->cols);
    if (m->code != LASER_OK) {
        laser_coded_free(k);
        return m->code;
    }
    *t = (struct laser_tensor){.dtype = dtype, .n_dims = n_slices > 0 ? 3 : 2, .coded = k};
    k->slices = n_slices > 0 ? n_slices : 1;
    t->shape[0] = n_slices;
    t->shape[t->n_dims - 2] = rows;
    t->shape[t->n_dims - 1] = k->transposed ? k->rows : k->cols;
    t->file = k->parts[LASER_PART_CODES]->file;
    t->offset = k->parts[LASER_PART_CODES]->offset;
    t->size_bytes = k->slices * k->rows * k->cols * (int64_t)laser_dtype_size(dtype);
    m->r->n_made++;
    return asprintf(&t->name, "%.*s%s", m->base_length, m->base, ending) >= 0
               ? LASER_OK
               : (t->name = NULL, laser_resolve_no_memory(m->r));
}
