#include "sensitivity/predict.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "spectrum/edit.h"
#include "store/parts.h"

void laser_mpi_spectrum_free(struct laser_mpi_spectrum *s)
{
    free(s->first);
    free(s->original);
    free(s->values);
    memset(s, 0, sizeof *s);
}

int laser_mpi_spectrum_read(const struct laser_mpi_run *run, struct laser_mpi_spectrum *s,
                            struct laser_error *err)
{
    int code = LASER_OK;

    *s = (struct laser_mpi_spectrum){.n_matrices = run->matrices.n_matrices};
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
    for (int64_t i = 0; code == LASER_OK && run->rank == 0 && i < s->n_matrices; ++i)
        if (run->outcomes[i].status == LASER_OUTCOME_SCANNED)
            code = laser_part_read(run->output, &run->outcomes[i].values, s->original + s->first[i], err);
    code = laser_mpi_agree(run->world, code, err);
    if (code != LASER_OK) {
        laser_mpi_spectrum_free(s);
        return code;
    }
    if (run->rank == 0)
        memcpy(s->values, s->original, (size_t)s->n_values * sizeof *s->values);
    MPI_Bcast(s->values, (int)s->n_values, MPI_DOUBLE, 0, run->world);
    return LASER_OK;
}

/* On the owner of the matrix. */
static int predict(const struct laser_mpi_run *run, const struct laser_mpi_matrix_statistics *m,
                   const struct laser_mpi_spectrum *s, struct laser_mpi_predicted *edit, double *work,
                   struct laser_error *err)
{
    const struct laser_matrix *w = &run->matrices.matrices[edit->matrix];
    const double *values = s->values + s->first[edit->matrix];
    struct laser_edit what;
    int code = laser_edit_parse(edit->text, &what, err);

    if (code != LASER_OK || what.kind == LASER_EDIT_VALUES)
        return code;
    laser_edit_apply(&what, values, w->rows, w->cols, work);
    for (int64_t i = 0; i < m->fisher.n; ++i)
        work[i] -= values[i];
    edit->change = laser_fisher_predict(&m->fisher, work) / m->fisher.tokens;
    return LASER_OK;
}

int laser_mpi_predict(const struct laser_mpi_run *run, const struct laser_mpi_statistics *statistics,
                      const struct laser_mpi_spectrum *s, struct laser_mpi_predicted *edits, int64_t n,
                      struct laser_error *err)
{
    double *changes = calloc((size_t)n + 1, sizeof *changes),
           *work = malloc((size_t)s->n_values * sizeof *work + 1);
    int code = changes == NULL || work == NULL
                   ? laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " edits", n)
                   : LASER_OK;

    for (int64_t i = 0; code == LASER_OK && i < n; ++i) {
        const struct laser_mpi_matrix_statistics *m = &statistics->matrices[edits[i].matrix];

        edits[i].change = NAN;
        if (m->owner == run->rank && m->fisher.gradient != NULL)
            code = predict(run, m, s, &edits[i], work, err);
        changes[i] = m->owner == run->rank ? edits[i].change : 0;
    }
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK) {
        MPI_Allreduce(MPI_IN_PLACE, changes, (int)n, MPI_DOUBLE, MPI_SUM, run->world);
        for (int64_t i = 0; i < n; ++i)
            edits[i].change = changes[i];
    }
    free(changes);
    free(work);
    return code;
}
