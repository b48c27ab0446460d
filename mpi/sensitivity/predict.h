/* What edits of single matrices are predicted to do, from the sensitivity of their singular values.
 */
#ifndef LASER_MPI_SENSITIVITY_PREDICT_H
#define LASER_MPI_SENSITIVITY_PREDICT_H

#include <stdint.h>

#include "base/error.h"
#include "schedule/run.h"
#include "sensitivity/statistics.h"

/* The singular values of all matrices of the scan, one after another. */
struct laser_mpi_spectrum {
    int64_t n_matrices, n_values;
    int64_t *first;   /* [n_matrices + 1] where the values of a matrix begin */
    double *original; /* [n_values] as the scan found them; rank 0 */
    double *values;   /* [n_values] as they are now; every rank */
};

/* Collective over run->world.  *spectrum from the scan's values.  Free with laser_mpi_spectrum_free. */
int laser_mpi_spectrum_read(const struct laser_mpi_run *run, struct laser_mpi_spectrum *spectrum,
                            struct laser_error *err);
void laser_mpi_spectrum_free(struct laser_mpi_spectrum *spectrum);

/* An edit of one matrix: laser_edit_parse reads its text. */
struct laser_mpi_predicted {
    int64_t matrix;
    const char *text;
    double change; /* out: predicted change of the mean loss of a scored token, nats; NaN where the matrix has
                      no sums */
};

/* Collective over run->world; edits[n] are the same on every rank but for `change`, which is filled in on
 * all. g . d + d' F d / 2 with d the change of the singular values.  LASER_EUSAGE: no such edit. */
int laser_mpi_predict(const struct laser_mpi_run *run, const struct laser_mpi_statistics *statistics,
                      const struct laser_mpi_spectrum *spectrum, struct laser_mpi_predicted *edits, int64_t n,
                      struct laser_error *err);

#endif
