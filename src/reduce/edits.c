#include "reduce/edits.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "spectrum/edit.h"
#include "store/values.h"

/* What is evaluated by itself is what is written only where neither the checkpoint nor the arithmetic rounds
 * to less than float32. */
bool laser_edits_want_thin(const struct laser_run *run, const struct laser_matrix *m)
{
    enum laser_deck_factored factored = run->settings->evaluate.factored;

    if (!laser_matrix_is_whole(run->checkpoint, m) || run->change != NULL ||
        (run->checkpoint->tensors[m->tensor].coded != NULL && !run->checkpoint->anew) ||
        factored == LASER_DECK_FACTORED_NEVER)
        return false;
    return factored == LASER_DECK_FACTORED_ALWAYS || ((m->dtype == LASER_F32 || m->dtype == LASER_F64) &&
                                                      run->settings->evaluate.precision == LASER_FLOAT32);
}

int laser_edit_values(const struct laser_run *run, const struct laser_edit *edit,
                      const struct laser_matrix *m, const double *sigma, double *s_new, int64_t *rank,
                      struct laser_error *err)
{
    int64_t n = m->rows < m->cols ? m->rows : m->cols;
    struct laser_edit what = *edit;
    double *values = NULL;
    int code = LASER_OK;

    if (what.kind == LASER_EDIT_VALUES) {
        values = malloc((size_t)n * sizeof *values);
        code = values == NULL
                   ? laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its singular values")
                   : laser_values_read(run->values[0] != '\0' ? run->values : run->output, what.hash, m->name,
                                       n, values, err);
        what.values = values;
    }
    if (code == LASER_OK)
        *rank = laser_edit_apply(&what, sigma, m->rows, m->cols, s_new);
    free(values);
    return code;
}

void laser_edit_thin_path(const char *path, char *thin, size_t size)
{
    snprintf(thin, size, "%.*s-thin.safetensors", (int)(strlen(path) - strlen(".safetensors")), path);
}

int laser_edit_ratio(const struct laser_run *run, const struct laser_strategy_edit *edit, const double *sigma,
                     const struct laser_matrix *m, double *ratio, struct laser_error *err)
{
    int64_t n = m->rows < m->cols ? m->rows : m->cols, rank;
    int code = laser_edit_values(run, &edit->what, m, sigma, ratio, &rank, err);

    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; i < n; ++i)
        ratio[i] = sigma[i] > 0 ? ratio[i] / sigma[i] : 0;
    return LASER_OK;
}

/* A name that stands for model, matrix and edit, so that a file left by an earlier start is used again and
 * never mistaken for another one. */
static void edit_path(const struct laser_run *run, const struct laser_matrix *m, const char *text,
                      uint64_t model, char *path, size_t size)
{
    char key[4096];

    snprintf(key, sizeof key, "%016" PRIx64 " %s %s", model, m->name, text);
    snprintf(path, size, "%s/work/edits/%016" PRIx64 ".safetensors", run->output,
             (uint64_t)XXH3_64bits(key, strlen(key)));
}

int laser_edit_list_fill(struct laser_run *run, struct laser_edit_list *list, struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_run_print(run);

    for (int e = 0; e < list->n; ++e) {
        const struct laser_matrix *m = &run->matrices.matrices[list->edits[e].matrix];
        char path[8192];
        edit_path(run, m, list->edits[e].text, print.content ^ print.times, path, sizeof path);
        list->files[e].matrix = m;
        list->files[e].tensor = run->checkpoint->tensors[m->tensor].name;
        list->files[e].path = strdup(path);
        if (list->files[e].path == NULL)
            return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", list->n);
    }
    return LASER_OK;
}

int64_t *laser_edit_list_missing(const struct laser_run *run, const struct laser_edit_list *list, int64_t *n)
{
    int64_t *todo = calloc((size_t)list->n + 1, sizeof *todo);
    unsigned char *listed = calloc((size_t)run->matrices.n_matrices + 1, 1);

    *n = 0;
    for (int e = 0; todo != NULL && listed != NULL && e < list->n; ++e) {
        int matrix = list->edits[e].matrix;
        if (listed[matrix] || list->edits[e].skip || access(list->files[e].path, R_OK) == 0)
            continue;
        listed[matrix] = 1;
        todo[(*n)++] = matrix;
    }
    if (listed == NULL) {
        free(todo);
        todo = NULL;
    }
    free(listed);
    return todo;
}

void laser_edit_list_free(struct laser_edit_list *list)
{
    for (int e = 0; list->files != NULL && e < list->n; ++e) {
        free(list->files[e].path);
        free(list->files[e].thin);
    }
    free(list->edits);
    free(list->files);
    free(list->values);
    memset(list, 0, sizeof *list);
}
