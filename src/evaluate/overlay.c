#include "evaluate/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "evaluate/thin.h"

int laser_overlay_init(struct laser_overlay *p, struct laser_evaluation *e, struct laser_error *err)
{
    *p = (struct laser_overlay){.e = e};
    p->edits = calloc((size_t)e->n_edits + LASER_SEARCH_MAX_EDITS, sizeof *p->edits);
    p->thin = calloc((size_t)e->n_edits + 1, sizeof *p->thin);
    p->saved = calloc((size_t)e->n_edits + 1, sizeof *p->saved);
    if (p->edits == NULL || p->thin == NULL || p->saved == NULL)
        return laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for %d edits", e->n_edits);
    for (int i = 0; i < e->n_edits; ++i)
        p->thin[i] = e->edits[i].thin != NULL && laser_model_takes_thin(e->model, e->edits[i].tensor);
    return LASER_OK;
}

void laser_overlay_free(struct laser_overlay *p)
{
    free(p->edits);
    free(p->thin);
    free(p->saved);
    *p = (struct laser_overlay){0};
}

int32_t laser_overlay_edit_of(const struct laser_evaluation *e, const int32_t *edits, int n,
                              const struct laser_matrix *matrix)
{
    for (int i = n - 1; i >= 0; --i)
        if (e->edits[edits[i]].matrix == matrix)
            return edits[i];
    return -1;
}

/* Of a stack, only the expert. */
static int reload(struct laser_evaluation *e, const struct laser_edit_file *edit, struct laser_error *err)
{
    const struct laser_tensor *tensor = &e->run->checkpoint->tensors[edit->matrix->tensor];
    int64_t first = 0, count = INT64_MAX;

    if (edit->matrix->expert >= 0 && tensor->n_dims == 3) {
        count = tensor->shape[1] * tensor->shape[2];
        first = edit->matrix->expert * count;
    }
    return laser_model_reload_part(e->model, edit->tensor, first, count, LASER_RELOAD_PRIVATE, err);
}

static int set_dense(struct laser_evaluation *e, const struct laser_edit_file *edit, const char *path,
                     struct laser_error *err)
{
    int code = laser_matrix_redirect(e->run->checkpoint, edit->matrix, path, err);

    return code == LASER_OK ? reload(e, edit, err) : code;
}

static int set_thin(struct laser_overlay *p, int32_t edit, struct laser_error *err)
{
    struct laser_thin_factors thin;
    int code = laser_thin_read(p->e->edits[edit].thin, &thin, err);

    if (code != LASER_OK)
        return code;
    p->saved[edit] =
        2 * ((double)thin.rows * (double)thin.columns - (double)thin.k * (double)(thin.rows + thin.columns));
    code = laser_model_thin(p->e->model, p->e->edits[edit].tensor, thin.k, thin.left, thin.right, err);
    laser_thin_free(&thin);
    return code;
}

/* Puts the matrix of one edit into the state that the new list asks for. */
static int switch_matrix(struct laser_overlay *p, int32_t edit, const int32_t *edits, int n,
                         struct laser_error *err)
{
    const struct laser_edit_file *of = &p->e->edits[edit];
    int32_t is = laser_overlay_edit_of(p->e, p->edits, p->n, of->matrix);
    int32_t shall = laser_overlay_edit_of(p->e, edits, n, of->matrix);
    bool is_thin = is >= 0 && p->thin[is], shall_thin = shall >= 0 && p->thin[shall];
    bool is_dense = is >= 0 && !is_thin, shall_dense = shall >= 0 && !shall_thin;
    int code = LASER_OK;

    if (is == shall)
        return LASER_OK;
    if (is_dense || shall_dense)
        code = set_dense(p->e, of, shall_dense ? p->e->edits[shall].path : NULL, err);
    if (code == LASER_OK && shall_thin)
        return set_thin(p, shall, err);
    return code == LASER_OK && is_thin ? laser_model_thin(p->e->model, of->tensor, 0, NULL, NULL, err) : code;
}

int laser_overlay_set(struct laser_overlay *p, const int32_t *edits, int n, struct laser_error *err)
{
    const struct laser_evaluation *e = p->e;
    int code = LASER_OK;

    if (n == p->n && (n == 0 || memcmp(edits, p->edits, (size_t)n * sizeof *edits) == 0))
        return LASER_OK;
    for (int i = 0; code == LASER_OK && i < p->n; ++i)
        code = switch_matrix(p, p->edits[i], edits, n, err);
    /* Those that had none before. */
    for (int i = 0; code == LASER_OK && i < n; ++i)
        if (laser_overlay_edit_of(e, p->edits, p->n, e->edits[edits[i]].matrix) < 0)
            code = switch_matrix(p, edits[i], edits, n, err);
    code = e->agree != NULL ? e->agree(e, code, err) : code;
    if (code == LASER_OK) {
        if (n > 0)
            memcpy(p->edits, edits, (size_t)n * sizeof *edits);
        p->n = n;
    }
    return code;
}
