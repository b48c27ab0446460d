/* The head of a job's log: what runs, built how, on which hosts, bound to what. */
#ifndef LASER_MPI_SCHEDULE_LOG_HEADER_H
#define LASER_MPI_SCHEDULE_LOG_HEADER_H

#include "run/run.h"

/* Collective over run->world.  Version, build, libraries, ranks and threads, one line for each node (the
 * first few unless log.level is verbose), and a warning where ranks have more threads than cores. */
void laser_mpi_log_header(const struct laser_run *run);

#endif
