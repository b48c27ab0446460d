/* The head of a job's log: what runs, built how, on which hosts, bound to what. */
#ifndef LASER_MPI_SCHEDULE_HEADER_H
#define LASER_MPI_SCHEDULE_HEADER_H

#include "schedule/run.h"

/* Collective over run->world.  Version, build, libraries, ranks and threads, one line for each node (the
 * first few unless log.level is verbose), and a warning where ranks have more threads than cores. */
void laser_mpi_header(const struct laser_mpi_run *run);

/* Rank 0, once the model is open: its size, and the memory that a rank may use. */
void laser_mpi_header_model(const struct laser_mpi_run *run);

/* Rank 0; silent elsewhere.  Warns of groups (parallel.group_size, parallel.shards) that are larger than the
 * allocation: as many ranks as work are used then. */
void laser_mpi_header_groups(const struct laser_mpi_run *run);

#endif
