/* How fast the machine computes (plan/calibrate.h), measured by all ranks at once. */
#ifndef LASER_MPI_SCHEDULE_CALIBRATE_H
#define LASER_MPI_SCHEDULE_CALIBRATE_H

#include "run/run.h"

/* Collective over run->world, a tenth of a second.  All working ranks measure at the same time, so that
 * what neighbours take from each other (cores, memory, clock) is in it; the result is their mean, the same on
 * every rank. */
void laser_mpi_calibrate(const struct laser_run *run, struct laser_calibration *speed);

#endif
