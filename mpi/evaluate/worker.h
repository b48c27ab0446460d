/* A worker's side of an evaluation: the edits that are in place in its copy of the model, and hidden states
 * that can be used again.
 */
#ifndef LASER_MPI_EVALUATE_WORKER_H
#define LASER_MPI_EVALUATE_WORKER_H

#include "evaluate/evaluate.h"

/* Local.  Memory for batches of this evaluation; LASER_ENOMEM. */
int laser_mpi_worker_create(struct laser_mpi_evaluation *evaluation, struct laser_mpi_worker **out,
                            struct laser_error *err);
void laser_mpi_worker_free(struct laser_mpi_worker *worker);

#endif
