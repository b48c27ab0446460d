/* Rank 0: what is to be known of a model that was opened, one line each, nothing where there is nothing. */
#ifndef LASER_MPI_SCHEDULE_NOTES_H
#define LASER_MPI_SCHEDULE_NOTES_H

#include "checkpoint/writer.h"
#include "schedule/run.h"

/* Which of two models in one directory is worked on. */
void laser_mpi_say_beside(const struct laser_mpi_run *run);

/* Fused matrices that were to be split and are not. */
void laser_mpi_say_whole(const struct laser_mpi_run *run);

/* Weights of the model directory that a written model does not have. */
void laser_mpi_say_left_out(const struct laser_mpi_run *run, const struct laser_writer *writer);

#endif
