/* One pass of texts and questions forward and backward through a model, and what it says of every matrix: gradient and
 * Fisher information of the singular values (sensitivity/fisher.h), and the covariances of inputs and of the
 * gradients of outputs.
 *
 * The groups of an evaluation take batches; each adds up in its own memory, in sums that do not depend on the
 * order (sensitivity/exact.h), so the result has the same bits for every number of groups.  In the end the
 * sums of a matrix come together on one rank, its owner.
 */
#ifndef LASER_MPI_SENSITIVITY_STATISTICS_H
#define LASER_MPI_SENSITIVITY_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "evaluate/evaluate.h"
#include "sensitivity/fisher.h"

/* What is asked for. */
struct laser_mpi_statistics_options {
    bool values; /* gradient and Fisher information of the singular values: needs laser_mpi_vectors_make */
    bool block;  /* the Fisher information whole, not its diagonal */
    bool covariances;   /* of inputs and of gradients of outputs */
    int64_t first, end; /* matrices that are asked for, first <= i < end; end 0: all */
};

/* Of one matrix of run->matrices.  Arrays are there on its owner only, and owned by the statistics. */
struct laser_mpi_matrix_statistics {
    struct laser_fisher fisher;
    double *input; /* [columns, columns] sum of x x^T, symmetric; orientation y = W x; NULL where that of
                      another matrix serves */
    int64_t
        input_of; /* number of the matrix that has `input`: its own, or one with the same inputs and owner */
    double *output;        /* [rows, rows] sum of delta delta^T */
    int64_t rows, columns; /* in that orientation, also where the matrix is stored transposed */
    bool transposed;
    double reached; /* tokens that went through it */
    int owner;      /* rank in world, the same on every rank */
};

struct laser_mpi_statistics {
    struct laser_mpi_statistics_options options;
    int64_t n_matrices;
    struct laser_mpi_matrix_statistics *matrices; /* of run->matrices */
    double
        tokens; /* sum of the weights of the items (laser_mpi_item_weight), which the loss is a sum over: of a
                      text alone its scored tokens, of tasks alone their questions */
    double loss; /* sum of the objective's numbers by weight; of a text, nats; rank 0 */
    int64_t windows, questions;
};

/* Collective over run->world.  Batches first_batch .. end_batch - 1 of the evaluation, with these edits in
 * place (of rank 0).  After LASER_OK free with laser_mpi_statistics_free.  LASER_ENUMERIC: a loss or a
 * gradient is not finite (the layer and the window are named); LASER_ENOMEM: refused before the work, with
 * what would do. */
int laser_mpi_statistics_gather(struct laser_mpi_evaluation *evaluation,
                                const struct laser_mpi_statistics_options *options, int64_t first_batch,
                                int64_t end_batch, const int32_t *edits, int n_edits,
                                struct laser_mpi_statistics *statistics, struct laser_error *err);
void laser_mpi_statistics_free(struct laser_mpi_statistics *statistics);

/* Local: bytes of the sums of one group. */
double laser_mpi_statistics_bytes(const struct laser_mpi_run *run,
                                  const struct laser_mpi_statistics_options *options);

/* Is a matrix asked for? */
static inline bool laser_mpi_statistics_wants(const struct laser_mpi_statistics_options *options,
                                              int64_t matrix)
{
    return options->end == 0 || (matrix >= options->first && matrix < options->end);
}

#endif
