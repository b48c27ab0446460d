#include "checkpoint/combine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/state.h"

static int no_memory(const struct laser_checkpoint *c, struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, c->model, "no memory for the catalogue of two models");
}

/* ---- elements ---- */

/* Rows of a part, whatever it is, as float64. */
static int read_part(const struct laser_checkpoint *c, const struct laser_tensor *part, int64_t cols,
                     int64_t row0, const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    const int64_t size = (int64_t)laser_dtype_size(part->dtype), n = w->n_rows * w->n_cols;
    unsigned char *bytes = NULL;
    int code;

    if (part->coded == NULL) {
        code = laser_coded_bytes(c, part, cols * size, row0, w->n_rows, w->col0 * size, w->n_cols * size,
                                 &bytes, err);
    } else {
        bytes = malloc((size_t)(n * size) + 1);
        code = bytes != NULL
                   ? c->state->reader->rows(c, part, row0, w->n_rows, w->col0, w->n_cols, bytes, err)
                   : laser_error_set(err, LASER_ENOMEM, part->name, "no memory for a piece of it");
    }
    if (code == LASER_OK)
        laser_dtype_to_f64(part->dtype, bytes, n, dst);
    free(bytes);
    return code;
}

int laser_coded_combined(const struct laser_checkpoint *c, const struct laser_tensor *t,
                         const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const int64_t row0 = w->slice * k->rows + w->row0, n = w->n_rows * w->n_cols;
    double *other = malloc((size_t)n * sizeof *other + 1);
    int code = other != NULL ? read_part(c, k->parts[LASER_PART_CODES], k->cols, row0, w, dst, err)
                             : laser_error_set(err, LASER_ENOMEM, t->name, "no memory for a piece of it");

    if (code == LASER_OK && k->coding != LASER_CODED_CAST)
        code = read_part(c, k->parts[LASER_PART_ZERO], k->cols, row0, w, other, err);
    for (int64_t i = 0; code == LASER_OK && k->coding != LASER_CODED_CAST && i < n; i++)
        dst[i] = k->coding == LASER_CODED_SUM ? dst[i] + other[i] : dst[i] - other[i];
    free(other);
    return code;
}

/* ---- catalogues ---- */

/* A copy of a tensor with everything that it is made of; its files come after the first n_files. */
struct laser_tensor *laser_tensor_copy(const struct laser_tensor *t, int n_files)
{
    struct laser_tensor *copy = malloc(sizeof *copy);
    bool failed = copy == NULL;

    if (copy == NULL)
        return NULL;
    *copy = *t;
    copy->name = strdup(t->name);
    copy->file += n_files;
    copy->coded = NULL;
    failed = copy->name == NULL;
    if (!failed && t->coded != NULL) {
        copy->coded = malloc(sizeof *copy->coded);
        failed = copy->coded == NULL;
        if (!failed) {
            *copy->coded = *t->coded;
            memset(copy->coded->parts, 0, sizeof copy->coded->parts);
        }
        for (int i = 0; !failed && i < LASER_CODED_PARTS; i++) {
            if (t->coded->parts[i] != NULL)
                failed = (copy->coded->parts[i] = laser_tensor_copy(t->coded->parts[i], n_files)) == NULL;
        }
    }
    if (!failed)
        return copy;
    laser_coded_free(copy->coded);
    free(copy->name);
    free(copy);
    return NULL;
}

bool laser_tensor_same_shape(const struct laser_tensor *a, const struct laser_tensor *b)
{
    return a->n_dims == b->n_dims && memcmp(a->shape, b->shape, (size_t)a->n_dims * sizeof a->shape[0]) == 0;
}

int laser_tensor_combine(const struct laser_checkpoint *c, struct laser_tensor *t,
                         const struct laser_tensor *other, int n_files, enum laser_coding coding,
                         enum laser_dtype dtype, struct laser_error *err)
{
    struct laser_coded *k = calloc(1, sizeof *k);
    struct laser_tensor *part = k != NULL ? laser_tensor_copy(t, 0) : NULL;

    if (part == NULL) {
        free(k);
        return no_memory(c, err);
    }
    *k = (struct laser_coded){
        .coding = coding, .slices = 1, .rows = 1, .cols = 1, .block_rows = 1, .block_cols = 1};
    k->parts[LASER_PART_CODES] = part;
    k->parts[LASER_PART_ZERO] = laser_tensor_copy(other, n_files);
    if (k->parts[LASER_PART_ZERO] == NULL) {
        laser_coded_free(k);
        return no_memory(c, err);
    }
    k->cols = t->n_dims > 0 ? t->shape[t->n_dims - 1] : 1;
    for (int d = 0; d + 1 < t->n_dims; d++) /* one matrix: a stack's rows follow each other */
        k->rows *= t->shape[d];
    snprintf(k->format, sizeof k->format, "%.10s %c %.10s", laser_coded_format(t),
             coding == LASER_CODED_SUM ? '+' : '-', laser_coded_format(other));
    laser_coded_free(t->coded);
    t->coded = k;
    t->dtype = dtype;
    t->size_bytes = k->rows * k->cols * (int64_t)laser_dtype_size(dtype);
    return LASER_OK;
}

int laser_checkpoint_add_files(struct laser_checkpoint *c, const struct laser_checkpoint *other,
                               struct laser_error *err)
{
    struct laser_checkpoint_file *more =
        realloc(c->files, (size_t)(c->n_files + other->n_files) * sizeof *more);
    const struct laser_coded_reader *reader = c->state->reader;

    if (more == NULL)
        return no_memory(c, err);
    laser_checkpoint_state_free(c); /* it counts on n_files */
    c->files = more;
    for (int i = 0; i < other->n_files; i++) {
        struct laser_checkpoint_file *f = &c->files[c->n_files++];

        *f = other->files[i];
        f->name = strdup(other->files[i].name);
        f->path = strdup(other->files[i].path);
        if (f->name == NULL || f->path == NULL)
            return no_memory(c, err);
    }
    return laser_checkpoint_state_init(c, reader, err);
}
