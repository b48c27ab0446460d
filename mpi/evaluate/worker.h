/* A worker's side of an evaluation: the edits that are in place in its copy of the model, and hidden states
 * that can be used again.
 */
#ifndef LASER_MPI_EVALUATE_WORKER_H
#define LASER_MPI_EVALUATE_WORKER_H

#include "evaluate/evaluate.h"
#include "model/gradient.h"

/* Local.  Memory for batches of this evaluation; LASER_ENOMEM. */
int laser_mpi_worker_create(struct laser_mpi_evaluation *evaluation, struct laser_mpi_worker **out,
                            struct laser_error *err);
void laser_mpi_worker_free(struct laser_mpi_worker *worker);

/* Collective over a group: forward and backward through a batch of windows with these edits in place; *sink
 * gets inputs and gradients of every linear layer of the summed loss.  scores as of laser_mpi_evaluate_batch,
 * but a loss that is not finite is LASER_ENUMERIC. */
int laser_mpi_gradient_batch(struct laser_mpi_evaluation *evaluation, int64_t batch, const int32_t *edits,
                             int n_edits, const struct laser_model_gradient_sink *sink,
                             struct laser_mpi_item_score *scores, struct laser_error *err);

/* Collective over a group: laser_model_gradient_teach with no edit in place.  The next laser_mpi_gradient_batch,
 * of the same batch, gives the gradient of the divergence from the model as it is without edits. */
int laser_mpi_gradient_teach(struct laser_mpi_evaluation *evaluation, int64_t batch, struct laser_error *err);

/* Local: bytes of the hidden states and working arrays of laser_mpi_gradient_batch. */
int64_t laser_mpi_gradient_bytes(const struct laser_mpi_evaluation *evaluation);

/* Collective over a group: no edit is in place any more. */
int laser_mpi_worker_clear(struct laser_mpi_worker *worker, struct laser_error *err);

/* Local.  The evaluation has another list of edits now: none of the old ones may be in place.  LASER_ENOMEM.
 */
int laser_mpi_worker_edits(struct laser_mpi_worker *worker, struct laser_error *err);

#endif
