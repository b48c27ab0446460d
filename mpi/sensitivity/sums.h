/* A worker's side of a pass: sums over the batches that it ran, matrix by matrix. */
#ifndef LASER_MPI_SENSITIVITY_SUMS_H
#define LASER_MPI_SENSITIVITY_SUMS_H

#include "evaluate/worker.h"
#include "sensitivity/statistics.h"

struct laser_mpi_sums;

/* Local, on every rank of a group.  LASER_ENOMEM with what would do; LASER_EINPUT. */
int laser_mpi_sums_create(struct laser_mpi_evaluation *evaluation,
                          const struct laser_mpi_statistics_options *options, struct laser_mpi_sums **sums,
                          struct laser_error *err);
void laser_mpi_sums_free(struct laser_mpi_sums *sums);

/* *sink takes the gradients of laser_mpi_gradient_batch. */
void laser_mpi_sums_sink(struct laser_mpi_sums *sums, struct laser_mpi_gradient_sink *sink);

/* After the first batch: the units of all sums follow from its terms.  keep: it counts. */
void laser_mpi_sums_fix_units(struct laser_mpi_sums *sums, bool keep);

/* On a group's leader: the arrays go to *statistics, whose matrices are empty. */
void laser_mpi_sums_hand_over(struct laser_mpi_sums *sums, struct laser_mpi_statistics *statistics);

void laser_mpi_matrix_statistics_free(struct laser_mpi_matrix_statistics *matrix);

#endif
