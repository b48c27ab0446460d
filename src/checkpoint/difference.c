#include "checkpoint/difference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"
#include "checkpoint/state.h"

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
        code = bytes != NULL ? laser_coded_read_rows(c, part, row0, w->n_rows, w->col0, w->n_cols, bytes, err)
                             : laser_error_set(err, LASER_ENOMEM, part->name, "no memory for a piece of it");
    }
    if (code == LASER_OK)
        laser_dtype_to_f64(part->dtype, bytes, n, dst);
    free(bytes);
    return code;
}

int laser_coded_difference(const struct laser_checkpoint *c, const struct laser_tensor *t,
                           const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const int64_t row0 = w->slice * k->rows + w->row0, n = w->n_rows * w->n_cols;
    double *base = malloc((size_t)n * sizeof *base + 1);
    int code = base != NULL ? read_part(c, k->parts[LASER_PART_CODES], k->cols, row0, w, dst, err)
                            : laser_error_set(err, LASER_ENOMEM, t->name, "no memory for a piece of it");

    if (code == LASER_OK)
        code = read_part(c, k->parts[LASER_PART_ZERO], k->cols, row0, w, base, err);
    for (int64_t i = 0; code == LASER_OK && i < n; i++)
        dst[i] -= base[i];
    free(base);
    return code;
}

int laser_coded_alone(const struct laser_checkpoint *c, const struct laser_tensor *t,
                      const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    (void)c;
    (void)w;
    (void)dst;
    return laser_error_set(err, LASER_EINTERNAL, t->name, "there is no difference to read: %s",
                           laser_coded_reason(t));
}

const char *laser_coded_reason(const struct laser_tensor *t)
{
    static const char *const reasons[] = {"not in the base", "of another shape in the base",
                                          "only in the base"};

    return t->coded != NULL && t->coded->coding == LASER_CODED_ALONE ? reasons[t->coded->bits] : NULL;
}

/* ---- catalogues ---- */

enum { NOT_IN_BASE, OTHER_SHAPE, ONLY_IN_BASE };

static int no_memory(const struct laser_checkpoint *c, struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, c->model, "no memory for the differences");
}

/* A copy of a tensor with everything that it is made of; its files come after the first n_files. */
static struct laser_tensor *copy_tensor(const struct laser_tensor *t, int n_files)
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
                failed = (copy->coded->parts[i] = copy_tensor(t->coded->parts[i], n_files)) == NULL;
        }
    }
    if (!failed)
        return copy;
    laser_coded_free(copy->coded);
    free(copy->name);
    free(copy);
    return NULL;
}

static struct laser_coded *new_coded(enum laser_coding coding, int reason)
{
    struct laser_coded *k = calloc(1, sizeof *k);

    if (k != NULL)
        *k = (struct laser_coded){.coding = coding,
                                  .bits = reason,
                                  .slices = 1,
                                  .rows = 1,
                                  .cols = 1,
                                  .block_rows = 1,
                                  .block_cols = 1};
    return k;
}

/* A tensor that stands alone: it keeps its type and shape, and is not read. */
static int set_alone(const struct laser_checkpoint *c, struct laser_tensor *t, int reason,
                     struct laser_error *err)
{
    struct laser_coded *k = new_coded(LASER_CODED_ALONE, reason);

    if (k == NULL)
        return no_memory(c, err);
    snprintf(k->format, sizeof k->format, "%s", laser_coded_format(t));
    laser_coded_free(t->coded);
    t->coded = k;
    return LASER_OK;
}

static int subtract_tensor(const struct laser_checkpoint *c, struct laser_tensor *t,
                           const struct laser_tensor *base, int n_files, struct laser_error *err)
{
    struct laser_coded *k = new_coded(LASER_CODED_DIFFERENCE, 0);
    struct laser_tensor *part = k != NULL ? copy_tensor(t, 0) : NULL;

    if (part == NULL) {
        free(k);
        return no_memory(c, err);
    }
    k->parts[LASER_PART_CODES] = part;
    k->parts[LASER_PART_ZERO] = copy_tensor(base, n_files);
    if (k->parts[LASER_PART_ZERO] == NULL) {
        laser_coded_free(k);
        return no_memory(c, err);
    }
    k->cols = t->n_dims > 0 ? t->shape[t->n_dims - 1] : 1;
    for (int d = 0; d + 1 < t->n_dims; d++) /* one matrix: a stack's rows follow each other */
        k->rows *= t->shape[d];
    snprintf(k->format, sizeof k->format, "%.10s - %.10s", laser_coded_format(t), laser_coded_format(base));
    laser_coded_free(t->coded);
    t->coded = k;
    t->dtype = LASER_F64;
    t->size_bytes = k->rows * k->cols * (int64_t)sizeof(double);
    return LASER_OK;
}

static bool same_shape(const struct laser_tensor *a, const struct laser_tensor *b)
{
    return a->n_dims == b->n_dims && memcmp(a->shape, b->shape, (size_t)a->n_dims * sizeof a->shape[0]) == 0;
}

/* One tensor of the tuned model. */
static int subtract_one(struct laser_checkpoint *c, struct laser_tensor *t,
                        const struct laser_checkpoint *base, int n_files, struct laser_difference *found,
                        struct laser_error *err)
{
    const struct laser_tensor *partner = laser_checkpoint_find(base, t->name);

    if (partner == NULL) {
        found->n_only_here++;
        return set_alone(c, t, NOT_IN_BASE, err);
    }
    if (!same_shape(t, partner)) {
        found->n_reshaped++;
        return set_alone(c, t, OTHER_SHAPE, err);
    }
    found->n_compared++;
    if (!laser_dtype_is_float(t->dtype) || !laser_dtype_is_float(partner->dtype) || t->size_bytes == 0)
        return LASER_OK;
    return subtract_tensor(c, t, partner, n_files, err);
}

/* A tensor of the base that the tuned model lacks, at the end of the list. */
static int add_missing(struct laser_checkpoint *c, const struct laser_tensor *t, int n_files,
                       struct laser_difference *found, struct laser_error *err)
{
    struct laser_tensor *copy = copy_tensor(t, n_files);

    if (copy == NULL)
        return no_memory(c, err);
    c->tensors[c->n_tensors++] = *copy;
    free(copy);
    found->n_only_base++;
    return set_alone(c, &c->tensors[c->n_tensors - 1], ONLY_IN_BASE, err);
}

static int add_all_missing(struct laser_checkpoint *c, const struct laser_checkpoint *base, int n_files,
                           struct laser_difference *found, struct laser_error *err)
{
    struct laser_tensor *more =
        realloc(c->tensors, (size_t)(c->n_tensors + base->n_tensors + 1) * sizeof *more);
    bool *missing = calloc((size_t)base->n_tensors + 1, sizeof *missing);
    int code = more != NULL && missing != NULL ? LASER_OK : no_memory(c, err);

    if (more != NULL)
        c->tensors = more;
    for (int64_t i = 0; code == LASER_OK && i < base->n_tensors; i++)
        missing[i] = laser_checkpoint_find(c, base->tensors[i].name) == NULL;
    for (int64_t i = 0; code == LASER_OK && i < base->n_tensors; i++) {
        if (missing[i])
            code = add_missing(c, &base->tensors[i], n_files, found, err);
    }
    free(missing);
    return code == LASER_OK ? laser_checkpoint_sort(c, err) : code;
}

/* The files of base, behind those of c. */
static int add_files(struct laser_checkpoint *c, const struct laser_checkpoint *base, struct laser_error *err)
{
    struct laser_checkpoint_file *more =
        realloc(c->files, (size_t)(c->n_files + base->n_files) * sizeof *more);

    if (more == NULL)
        return no_memory(c, err);
    c->files = more;
    for (int i = 0; i < base->n_files; i++) {
        struct laser_checkpoint_file *f = &c->files[c->n_files++];

        *f = base->files[i];
        f->name = strdup(base->files[i].name);
        f->path = strdup(base->files[i].path);
        if (f->name == NULL || f->path == NULL)
            return no_memory(c, err);
    }
    laser_checkpoint_state_free(c);
    return laser_checkpoint_state_init(c, err);
}

static int check_architecture(const struct laser_checkpoint *tuned, const struct laser_checkpoint *base,
                              struct laser_error *err)
{
    const char *a = json_string_value(json_object_get(tuned->config, "model_type"));
    const char *b = json_string_value(json_object_get(base->config, "model_type"));

    if (a != NULL && b != NULL && strcmp(a, b) != 0)
        return laser_error_set(
            err, LASER_EINPUT, base->model,
            "a base of another architecture: its model_type is \"%.60s\", that of %.300s is \"%.60s\"", b,
            tuned->model, a);
    return LASER_OK;
}

int laser_checkpoint_subtract(struct laser_checkpoint *tuned, const struct laser_checkpoint *base,
                              struct laser_difference *found, struct laser_error *err)
{
    const int n_files = tuned->n_files;
    const int64_t n = tuned->n_tensors;
    int code = check_architecture(tuned, base, err);

    memset(found, 0, sizeof *found);
    if (code == LASER_OK)
        code = add_files(tuned, base, err);
    for (int64_t i = 0; code == LASER_OK && i < n; i++)
        code = subtract_one(tuned, &tuned->tensors[i], base, n_files, found, err);
    if (code == LASER_OK && found->n_compared == 0)
        return laser_error_set(
            err, LASER_EINPUT, base->model,
            "no tensor has the name and shape of one of %.300s (%s, ...; there %s, ...): no base of it",
            tuned->model, base->n_tensors > 0 ? base->tensors[0].name : "none",
            n > 0 ? tuned->tensors[0].name : "none");
    return code == LASER_OK ? add_all_missing(tuned, base, n_files, found, err) : code;
}
