/* The scan: singular values and scores of every matrix, over all groups. */
#ifndef LASER_MPI_SCHEDULE_SCAN_H
#define LASER_MPI_SCHEDULE_SCAN_H

#include "schedule/run.h"

/* Collective.  Finishes run->outcomes: what the ledger has is kept, the rest is computed, largest first, by
 * groups of ranks of the size that the plan gives each matrix.  A matrix that fails is recorded as failed and
 * the scan goes on.  On return rank 0's outcomes all have metrics under the deck's rule. */
int laser_mpi_scan_matrices(struct laser_run *run, struct laser_error *err);

/* Collective.  The command `scan`: laser_mpi_scan_matrices, then spectra.h5, results.json, the scan files and
 * the table.  LASER_ENUMERIC (all files written) if a matrix failed. */
int laser_mpi_scan(struct laser_run *run, struct laser_error *err);

#endif
