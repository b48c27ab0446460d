/* Agreement on errors: the rule that keeps jobs from hanging.
 *
 * A collective function does its local part, agrees, and only then goes on to the next collective.
 * There is no return between two collectives on one rank except right after an agreement.
 */
#ifndef LASER_MPI_COMM_AGREE_H
#define LASER_MPI_COMM_AGREE_H

#include <mpi.h>
#include <stdint.h>

#include "base/error.h"

/* Collective over comm.  code and *err are this rank's own outcome.  Returns, on every rank, the worst
 * code (the largest; LASER_OK if all are).  If it is not LASER_OK, *err holds on every rank the text of the
 * lowest rank that has that code, err->rank being its rank in MPI_COMM_WORLD.  err must not be NULL. */
int laser_mpi_agree(MPI_Comm comm, int code, struct laser_error *err);

/* For tests, local: the count-th agreement from now on (1 is the next one) that the process with this rank in
 * MPI_COMM_WORLD takes part in finds its outcome turned into LASER_EINTERNAL.  count 0 disarms. */
void laser_mpi_agree_inject(int world_rank, int64_t count);

#endif
