/* The edits of a reduction: matrices with changed singular values, each in a file of its own in the output
 * directory (laser_matrix_redirect), to be switched on in a model (evaluate/evaluate.h) or written into a
 * checkpoint.
 */
#ifndef LASER_MPI_REDUCE_EDITS_H
#define LASER_MPI_REDUCE_EDITS_H

#include "evaluate/evaluate.h"
#include "schedule/run.h"
#include "search/strategy.h"

struct laser_mpi_edit_list {
    struct laser_strategy_edit *edits; /* every rank */
    struct laser_mpi_edit *files;      /* every rank: tensor and path of each */
    struct laser_part_record *values;  /* every rank: singular values of each edit's matrix */
    int n;
};

/* Shall the edits of a matrix be evaluated as two factors where they are of low rank? */
bool laser_mpi_edits_want_thin(const struct laser_mpi_run *run, const struct laser_matrix *matrix);

/* Rank 0.  Says how much room the edits of a plan take as files, at most.  ranks: singular values that each
 * leaves. LASER_EIO: the disk has less. */
int laser_mpi_edits_room(const struct laser_mpi_run *run, const struct laser_strategy_plan *plan,
                         const int64_t *ranks, struct laser_error *err);

/* Collective over run->world.  Sends rank 0's edits (of a strategy's plan) to all and computes those whose
 * files are not there yet, matrix by matrix, so that the eigenvectors of one serve all edits of it. */
int laser_mpi_edits_make(struct laser_mpi_run *run, const struct laser_strategy_plan *plan,
                         struct laser_mpi_edit_list *list, struct laser_error *err);

/* Local.  The singular values after an edit (its text), with those that are in a file read.  *rank: how many
 * stay above 0. s_new may be sigma. */
int laser_mpi_edit_values(const struct laser_mpi_run *run, const char *text,
                          const struct laser_matrix *matrix, const double *sigma, double *s_new,
                          int64_t *rank, struct laser_error *err);

void laser_mpi_edits_free(struct laser_mpi_edit_list *list);

#endif
