/* Which edits stand in the place of the model's own weights, on one rank. */
#ifndef LASER_MPI_EVALUATE_PLACED_H
#define LASER_MPI_EVALUATE_PLACED_H

#include "evaluate/evaluate.h"

struct laser_mpi_placed {
    struct laser_mpi_evaluation *e;
    int32_t *edits; /* in order */
    int n;
    bool *thin;    /* of each edit of the evaluation: applied as two thin products */
    double *saved; /* flops of a token that this saves, known once it was in place */
};

/* LASER_ENOMEM. */
int laser_mpi_placed_init(struct laser_mpi_placed *placed, struct laser_mpi_evaluation *e,
                          struct laser_error *err);
void laser_mpi_placed_free(struct laser_mpi_placed *placed);

/* Puts these edits in place of those that are; of several edits of one matrix the last counts.  Collective
 * over the group. */
int laser_mpi_placed_set(struct laser_mpi_placed *placed, const int32_t *edits, int n,
                         struct laser_error *err);

/* The edit of a list that a matrix has last, or -1. */
int32_t laser_mpi_edit_of(const struct laser_mpi_evaluation *e, const int32_t *edits, int n,
                          const struct laser_matrix *matrix);

#endif
