#include "checkpoint/difference.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"
#include "checkpoint/combine.h"
#include "checkpoint/state.h"

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
    if (!laser_tensor_same_shape(t, partner)) {
        found->n_reshaped++;
        return set_alone(c, t, OTHER_SHAPE, err);
    }
    found->n_compared++;
    if (!laser_dtype_is_float(t->dtype) || !laser_dtype_is_float(partner->dtype) || t->size_bytes == 0)
        return LASER_OK;
    return laser_tensor_combine(c, t, partner, n_files, LASER_CODED_DIFFERENCE, LASER_F64, err);
}

/* A tensor of the base that the tuned model lacks, at the end of the list. */
static int add_missing(struct laser_checkpoint *c, const struct laser_tensor *t, int n_files,
                       struct laser_difference *found, struct laser_error *err)
{
    struct laser_tensor *copy = laser_tensor_copy(t, n_files);

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
        code = laser_checkpoint_add_files(tuned, base, err);
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
