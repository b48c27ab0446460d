/* A last resort against jobs that hang: a rank that is lost (its node is gone, nobody tells) leaves the
 * others in a collective that never ends.  A thread of rank 0, which uses no MPI, looks whether rank 0 still
 * moves.
 */
#ifndef LASER_MPI_COMM_WATCH_H
#define LASER_MPI_COMM_WATCH_H

#include "comm/log.h"

/* Rank 0 of more than one; stall_s <= 0: no watch.  When rank 0 has neither ticked nor read or written a file
 * for stall_s, the process ends with LASER_ESTOPPED and a message, and the launcher ends the others. */
void laser_mpi_watch_start(const struct laser_mpi_log *log, double stall_s);

/* Rank 0 moves. */
void laser_mpi_watch_tick(void);

/* Ends the watch; harmless without one. */
void laser_mpi_watch_stop(void);

#endif
