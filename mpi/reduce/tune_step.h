/* The direction of a step in all singular values: one pass of the calibration text, and what follows from it.
 */
#ifndef LASER_MPI_REDUCE_TUNE_STEP_H
#define LASER_MPI_REDUCE_TUNE_STEP_H

#include <stdint.h>

#include "base/error.h"
#include "evaluate/evaluate.h"
#include "sensitivity/gather.h"

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

/* Collective.  With these edits in place (rank 0's), which make the values what they are now. direction->step
 * is the caller's. */
int laser_mpi_direction_find(struct laser_evaluation *evaluation, const struct laser_scan_spectrum *spectrum,
                             const struct laser_mpi_step_options *options, const int32_t *edits, int n_edits,
                             struct laser_mpi_direction *direction, struct laser_error *err);

#endif
