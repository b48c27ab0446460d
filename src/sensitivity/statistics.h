/* One pass of texts and questions forward and backward through a model, and what it says of every matrix: gradient and
 * Fisher information of the singular values (sensitivity/fisher.h), and the covariances of inputs and of the
 * gradients of outputs.
 *
 * The groups of an evaluation take batches; each adds up in its own memory, in sums that do not depend on the
 * order (sensitivity/exact.h), so the result has the same bits for every number of groups.  In the end the
 * sums of a matrix come together on one rank, its owner.
 */
#ifndef LASER_SENSITIVITY_STATISTICS_H
#define LASER_SENSITIVITY_STATISTICS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "evaluate/evaluate.h"
#include "sensitivity/fisher.h"

/* A pass for gradients takes about as long as so many forward passes over the same tokens (bench/gradient.md). */
#define LASER_GRADIENT_FORWARDS 4.5

/* What is asked for. */
struct laser_statistics_options {
    bool values; /* gradient and Fisher information of the singular values: needs laser_mpi_vectors_make */
    bool block;  /* the Fisher information whole, not its diagonal */
    bool covariances;   /* of inputs and of gradients of outputs */
    bool inputs_only;   /* of inputs alone: a forward pass */
    bool divergence;    /* gradients of the divergence from the model without edits, not of the loss */
    int64_t first, end; /* matrices that are asked for, first <= i < end; end 0: all */
    /* [matrices of the run], borrowed: files of vectors (laser_singular_vectors_read) in the place of the singular
     * vectors; a matrix without one is not asked for.  NULL: the singular vectors of all. */
    const char *const *vectors;
};

/* Of one matrix of run->matrices.  Arrays are there on its owner only, and owned by the statistics. */
struct laser_matrix_statistics {
    struct laser_fisher fisher;
    double *input; /* [columns, columns] sum of x x^T, symmetric; orientation y = W x; NULL where that of
                      another matrix serves */
    int64_t
        input_of; /* number of the matrix that has `input`: its own, or one with the same inputs and owner */
    double *output;        /* [rows, rows] sum of delta delta^T; NULL with inputs_only */
    int64_t rows, columns; /* in that orientation, also where the matrix is stored transposed */
    bool transposed;
    double reached; /* tokens that went through it */
    int owner;      /* rank in world, the same on every rank */
};

struct laser_statistics {
    struct laser_statistics_options options;
    int64_t n_matrices;
    struct laser_matrix_statistics *matrices; /* of run->matrices */
    double
        tokens; /* sum of the weights of the items (laser_item_weight), which the loss is a sum over: of a text
                      alone its scored tokens, of tasks alone their questions */
    double loss; /* sum of the objective's numbers by weight; of a text, nats; rank 0 */
    int64_t windows, questions;
};

void laser_statistics_free(struct laser_statistics *statistics);

/* Local: bytes of the sums of one group. */
double laser_statistics_bytes(const struct laser_run *run, const struct laser_statistics_options *options);

/* Local: is there memory for the Fisher information whole, with what the evaluation takes? */
bool laser_statistics_block_fits(const struct laser_run *run, const struct laser_statistics_options *options);

/* Is a matrix asked for? */
static inline bool laser_statistics_wants(const struct laser_statistics_options *options, int64_t matrix)
{
    return (options->end == 0 || (matrix >= options->first && matrix < options->end)) &&
           (options->vectors == NULL || options->vectors[matrix] != NULL);
}

#endif
