/* Singular values of one matrix of the checkpoint, by one rank or by a group. */
#ifndef LASER_MPI_SCHEDULE_SOLVE_H
#define LASER_MPI_SCHEDULE_SOLVE_H

#include "comm/team.h"
#include "schedule/run.h"
#include "spectrum/rule.h"

/* Collective over team->group_comm.  Reads the matrix (each byte once; twice where the Gram route turned out
 * not to be enough) and gives its min(rows, cols) values in sigma, largest first, on the leader at least.
 * Fills solver, bytes_read, read_s and solve_s of *outcome.  Agreed errors over the group: LASER_ENUMERIC
 * (NaN or Inf, no convergence), LASER_EIO, LASER_ENOMEM. */
int laser_mpi_solve_values(const struct laser_run *run, const struct laser_mpi_team *team,
                           const struct laser_matrix *matrix, const struct laser_rule *rule, double *sigma,
                           struct laser_outcome *outcome, struct laser_error *err);

#endif
