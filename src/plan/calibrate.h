/* How fast this machine computes, found by a few short measurements: for estimates of time, never for what is
 * computed or by whom, which has to be the same in every start.
 */
#ifndef LASER_PLAN_CALIBRATE_H
#define LASER_PLAN_CALIBRATE_H

#include "plan/cost.h"
#include "run/run.h"

/* Local, a tenth of a second: the rates of this rank; cores stays 0. */
void laser_calibrate(const struct laser_run *run, struct laser_calibration *speed);

/* The rates of the cost model for this speed: the defaults where nothing was measured. */
void laser_calibration_rates(const struct laser_calibration *speed, struct laser_cost_rates *rates);

/* Seconds for one that the cost model expects at its default rates; 0 where nothing was measured. */
double laser_calibration_slowness(const struct laser_calibration *speed);

#endif
