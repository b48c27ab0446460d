/* The noise that the step of a quantised format brings into a matrix. */
#ifndef LASER_CHECKPOINT_STEP_H
#define LASER_CHECKPOINT_STEP_H

#include "checkpoint/matrix.h"

/* *sigma = sqrt(mean of step^2 / 12), the standard deviation of the error of rounding to the nearest of values
 * that lie a step apart, where the error is spread evenly (W. R. Bennett, Spectra of quantized signals, Bell System
 * Technical Journal 27, 1948, p. 446).  The step of an element is its distance from the value whose code differs
 * in the lowest bit: the scale of integers, the spacing at that value of FP8, FP4 and NF4.  The mean is over 1024 rows
 * in 16 runs that are spread evenly, or all. 0 for a matrix of another kind: not quantised, a difference, with an
 * adapter, or columns of a fused tensor. */
int laser_matrix_step_noise(const struct laser_checkpoint *c, const struct laser_matrix *m, double *sigma,
                            struct laser_error *err);

#endif
