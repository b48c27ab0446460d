/* The edits of a plan (reduce/edits.h) made by all ranks. */
#ifndef LASER_MPI_REDUCE_EDITS_MAKE_H
#define LASER_MPI_REDUCE_EDITS_MAKE_H

#include "reduce/edits.h"

/* Collective over run->world.  Sends rank 0's edits (of a strategy's plan) to all and computes those whose
 * files are not there yet, matrix by matrix, so that the eigenvectors of one serve all edits of it. */
int laser_mpi_edits_make(struct laser_run *run, const struct laser_strategy_plan *plan,
                         struct laser_edit_list *list, struct laser_error *err);

#endif
