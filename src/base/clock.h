/* Seconds on a clock that is never set back, from some moment in the past: for differences. */
#ifndef LASER_BASE_CLOCK_H
#define LASER_BASE_CLOCK_H

double laser_clock_s(void);

#endif
