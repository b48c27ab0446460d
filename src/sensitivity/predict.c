#include "sensitivity/predict.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "spectrum/edit.h"

void laser_scan_spectrum_free(struct laser_scan_spectrum *s)
{
    free(s->first);
    free(s->original);
    free(s->values);
    memset(s, 0, sizeof *s);
}

int laser_scan_spectrum_create(const struct laser_run *run, struct laser_scan_spectrum *s,
                               struct laser_error *err)
{
    int code = LASER_OK;

    *s = (struct laser_scan_spectrum){.n_matrices = run->matrices.n_matrices};
    s->first = malloc(((size_t)s->n_matrices + 1) * sizeof *s->first);
    if (s->first == NULL)
        code =
            laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " matrices", s->n_matrices);
    for (int64_t i = 0; code == LASER_OK && i < s->n_matrices; ++i) {
        const struct laser_matrix *m = &run->matrices.matrices[i];

        s->first[i] = s->n_values;
        s->n_values += m->rows < m->cols ? m->rows : m->cols;
    }
    if (code == LASER_OK) {
        s->first[s->n_matrices] = s->n_values;
        s->original = calloc((size_t)s->n_values + 1, sizeof *s->original);
        s->values = calloc((size_t)s->n_values + 1, sizeof *s->values);
        if (s->original == NULL || s->values == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " singular values",
                                   s->n_values);
    }
    return code;
}

void laser_predict_edit(const struct laser_run *run, const struct laser_matrix_statistics *m,
                        const struct laser_scan_spectrum *s, struct laser_predicted *edit, double *work)
{
    const struct laser_matrix *w = &run->matrices.matrices[edit->matrix];
    const double *values = s->values + s->first[edit->matrix];

    if (edit->what.kind == LASER_EDIT_VALUES)
        return;
    laser_edit_apply(&edit->what, values, w->rows, w->cols, work);
    for (int64_t i = 0; i < m->fisher.n; ++i)
        work[i] -= values[i];
    edit->change = laser_fisher_predict(&m->fisher, work) / m->fisher.tokens;
}
