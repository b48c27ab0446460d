/* The command `compress`: a smaller checkpoint whose weights are products of two thin ones. */
#ifndef LASER_MPI_COMPRESS_COMPRESS_H
#define LASER_MPI_COMPRESS_COMPRESS_H

#include "schedule/run.h"

/* Collective over run->world. */
int laser_mpi_command_compress(struct laser_run *run, struct laser_error *err);

#endif
