/* How fast this machine computes, found by a few short measurements: for estimates of time, never for what is
 * computed or by whom, which has to be the same in every start.
 */
#ifndef LASER_MPI_SCHEDULE_SPEED_H
#define LASER_MPI_SCHEDULE_SPEED_H

#include "layout/cost.h"
#include "schedule/run.h"

/* Collective over run->world, a tenth of a second.  All working ranks measure at the same time, so that
 * what neighbours take from each other (cores, memory, clock) is in it; the result is their mean, the same on
 * every rank. */
void laser_mpi_speed_measure(const struct laser_mpi_run *run, struct laser_mpi_speed *speed);

/* The rates of the cost model for this speed: the defaults where nothing was measured. */
void laser_mpi_speed_rates(const struct laser_mpi_speed *speed, struct laser_cost_rates *rates);

/* Seconds for one that the cost model expects at its default rates; 0 where nothing was measured. */
double laser_mpi_speed_slowness(const struct laser_mpi_speed *speed);

#endif
