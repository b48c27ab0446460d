#include "checkpoint/source.h"

#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"

/* Elements of W and of D that are held at once while an edit is put together. */
#define PIECE_ELEMENTS (INT64_C(1) << 17)

/* Why a matrix has no difference, or NULL. */
static const char *reason_of(const struct laser_checkpoint *model, const struct laser_checkpoint *change,
                             const struct laser_matrix *m, int64_t *tensor)
{
    *tensor = laser_checkpoint_find_index(change, model->tensors[m->tensor].name);
    if (*tensor < 0)
        return "not in the base";
    return laser_coded_reason(&change->tensors[*tensor]);
}

int laser_matrix_source_open(const struct laser_checkpoint *model, const struct laser_checkpoint *change,
                             const struct laser_matrix *matrix, struct laser_matrix_source *s,
                             struct laser_error *err)
{
    const char *reason;
    int64_t tensor;

    *s = (struct laser_matrix_source){.model = model, .change = change, .matrix = matrix};
    if (change == NULL)
        return LASER_OK;
    reason = reason_of(model, change, matrix, &tensor);
    if (reason != NULL)
        return laser_error_set(err, LASER_EINPUT, matrix->name, "it has no difference: %s", reason);
    s->in_change = *matrix;
    s->in_change.tensor = tensor;
    s->in_change.dtype = change->tensors[tensor].dtype;
    return LASER_OK;
}

double laser_matrix_source_element_bytes(const struct laser_checkpoint *model,
                                         const struct laser_checkpoint *change, const struct laser_matrix *m)
{
    const int64_t i =
        change != NULL ? laser_checkpoint_find_index(change, model->tensors[m->tensor].name) : m->tensor;
    const struct laser_tensor *t = i >= 0 ? &(change != NULL ? change : model)->tensors[i] : NULL;

    return t == NULL || t->size_bytes == 0 ? 0
                                           : (double)laser_coded_file_bytes(t) *
                                                 (double)laser_dtype_size(t->dtype) / (double)t->size_bytes;
}

int laser_matrix_source_read(const struct laser_matrix_source *s, int64_t row0, int64_t n_rows, int64_t col0,
                             int64_t n_cols, double *dst, int64_t ld, struct laser_error *err)
{
    return laser_matrix_read(s->change != NULL ? s->change : s->model,
                             s->change != NULL ? &s->in_change : s->matrix, row0, n_rows, col0, n_cols, dst,
                             ld, err);
}

/* w = W + (src - D) of a few rows; d is room for D. */
static int add_change(const struct laser_matrix_source *s, int64_t row0, int64_t n_rows, int64_t col0,
                      int64_t n_cols, const double *src, int64_t ld, double *w, double *d,
                      struct laser_error *err)
{
    int code = laser_matrix_read(s->model, s->matrix, row0, n_rows, col0, n_cols, w, n_cols, err);

    if (code == LASER_OK)
        code = laser_matrix_source_read(s, row0, n_rows, col0, n_cols, d, n_cols, err);
    for (int64_t i = 0; code == LASER_OK && i < n_rows; i++)
        for (int64_t j = 0; j < n_cols; j++)
            w[i * n_cols + j] += src[i * ld + j] - d[i * n_cols + j];
    return code;
}

int laser_matrix_source_write(const struct laser_matrix_source *s, int64_t row0, int64_t n_rows, int64_t col0,
                              int64_t n_cols, const double *src, int64_t ld, void *bytes,
                              struct laser_error *err)
{
    const struct laser_matrix alone = laser_matrix_alone(s->matrix);
    int64_t step = n_cols > 0 && PIECE_ELEMENTS / n_cols > 1 ? PIECE_ELEMENTS / n_cols : 1;
    double *w;
    int code = LASER_OK;

    if (s->change == NULL)
        return laser_matrix_write(s->model, &alone, row0, n_rows, col0, n_cols, src, ld, bytes, err);
    step = step < n_rows ? step : n_rows;
    w = malloc((size_t)(2 * step * n_cols) * sizeof *w + 1);
    if (w == NULL)
        return laser_error_set(err, LASER_ENOMEM, s->matrix->name, "no memory for a piece of it");
    for (int64_t i = 0; code == LASER_OK && i < n_rows; i += step) {
        const int64_t n = n_rows - i < step ? n_rows - i : step;

        code = add_change(s, row0 + i, n, col0, n_cols, src + i * ld, ld, w, w + step * n_cols, err);
        if (code == LASER_OK)
            code = laser_matrix_write(s->model, &alone, row0 + i, n, col0, n_cols, w, n_cols, bytes, err);
    }
    free(w);
    return code;
}

static int by_tensor(const void *a, const void *b)
{
    const struct laser_matrix_skip *x = a, *y = b;

    return x->tensor < y->tensor ? -1 : x->tensor > y->tensor;
}

/* A tensor may have several matrices, and is skipped once. */
static void skip(struct laser_matrix_list *list, int64_t tensor, const char *reason)
{
    for (int64_t i = 0; i < list->n_skipped; i++) {
        if (list->skipped[i].tensor == tensor)
            return;
    }
    list->skipped[list->n_skipped++] = (struct laser_matrix_skip){tensor, reason};
}

int laser_matrix_list_changed(const struct laser_checkpoint *model, const struct laser_checkpoint *change,
                              struct laser_matrix_list *list, struct laser_error *err)
{
    struct laser_matrix_skip *more =
        realloc(list->skipped, (size_t)(list->n_skipped + list->n_matrices + 1) * sizeof *more);
    int64_t kept = 0, tensor;

    if (more == NULL)
        return laser_error_set(err, LASER_ENOMEM, model->model, "no memory for the list of matrices");
    list->skipped = more;
    for (int64_t i = 0; i < list->n_matrices; i++) {
        struct laser_matrix *m = &list->matrices[i];
        const char *reason = reason_of(model, change, m, &tensor);

        if (reason == NULL) {
            list->matrices[kept++] = *m;
            continue;
        }
        skip(list, m->tensor, reason);
        free(m->name);
        free(m->type);
    }
    list->n_matrices = kept;
    qsort(list->skipped, (size_t)list->n_skipped, sizeof *list->skipped, by_tensor);
    return kept > 0 ? LASER_OK
                    : laser_error_set(err, LASER_EINPUT, model->model,
                                      "none of the matrices selected has a partner in the base");
}
