/* The direction of a step in all singular values: one pass of the calibration text, and what follows from it.
 */
#ifndef LASER_MPI_REDUCE_TUNE_STEP_H
#define LASER_MPI_REDUCE_TUNE_STEP_H

#include <stdint.h>

#include "base/error.h"
#include "evaluate/evaluate.h"

/* The singular values of all matrices of the scan, one after another, on rank 0. */
struct laser_mpi_spectrum {
    int64_t n_matrices, n_values;
    int64_t *first;   /* [n_matrices + 1] where the values of a matrix begin */
    double *original; /* [n_values] */
    double *values;   /* [n_values] as they are now */
};

/* Where the loss falls, to second order: for length L its sum changes by L slope + L^2 curvature / 2. */
struct laser_mpi_direction {
    double *step; /* [n_values] rank 0 */
    double slope, curvature, tokens, loss;
};

struct laser_mpi_step_options {
    bool block;
    double damping;
    int64_t first_batch, end_batch; /* of calibration */
    uint64_t key; /* stands for all that the direction depends on: an earlier start's is used again */
};

/* Collective over run->world.  *spectrum from the scan's values.  Free with laser_mpi_spectrum_free. */
int laser_mpi_spectrum_read(const struct laser_mpi_run *run, struct laser_mpi_spectrum *spectrum,
                            struct laser_error *err);
void laser_mpi_spectrum_free(struct laser_mpi_spectrum *spectrum);

/* Collective.  With these edits in place (rank 0's), which make the values what they are now. direction->step
 * is the caller's. */
int laser_mpi_direction_find(struct laser_mpi_evaluation *evaluation,
                             const struct laser_mpi_spectrum *spectrum,
                             const struct laser_mpi_step_options *options, const int32_t *edits, int n_edits,
                             struct laser_mpi_direction *direction, struct laser_error *err);

#endif
