#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "sensitivity/gather.h"
#include "store/parts.h"

int laser_mpi_spectrum_read(const struct laser_run *run, struct laser_scan_spectrum *s,
                            struct laser_error *err)
{
    int code = laser_scan_spectrum_create(run, s, err);

    for (int64_t i = 0; code == LASER_OK && run->rank == 0 && i < s->n_matrices; ++i)
        if (run->outcomes[i].status == LASER_OUTCOME_SCANNED)
            code = laser_part_read(run->output, &run->outcomes[i].values, s->original + s->first[i], err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code != LASER_OK) {
        laser_scan_spectrum_free(s);
        return code;
    }
    if (run->rank == 0)
        memcpy(s->values, s->original, (size_t)s->n_values * sizeof *s->values);
    MPI_Bcast(s->values, (int)s->n_values, MPI_DOUBLE, 0, laser_mpi_world(run));
    return LASER_OK;
}

int laser_mpi_predict(const struct laser_run *run, const struct laser_statistics *statistics,
                      const struct laser_scan_spectrum *s, struct laser_predicted *edits, int64_t n,
                      struct laser_error *err)
{
    double *changes = calloc((size_t)n + 1, sizeof *changes),
           *work = malloc((size_t)s->n_values * sizeof *work + 1);
    int code = changes == NULL || work == NULL
                   ? laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " edits", n)
                   : LASER_OK;

    for (int64_t i = 0; code == LASER_OK && i < n; ++i) {
        const struct laser_matrix_statistics *m = &statistics->matrices[edits[i].matrix];

        edits[i].change = NAN;
        if (m->owner == run->rank && m->fisher.gradient != NULL)
            laser_predict_edit(run, m, s, &edits[i], work);
        changes[i] = m->owner == run->rank ? edits[i].change : 0;
    }
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK) {
        MPI_Allreduce(MPI_IN_PLACE, changes, (int)n, MPI_DOUBLE, MPI_SUM, laser_mpi_world(run));
        for (int64_t i = 0; i < n; ++i)
            edits[i].change = changes[i];
    }
    free(changes);
    free(work);
    return code;
}
