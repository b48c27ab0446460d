/* Sums that do not depend on the order of their terms.
 *
 * Terms are rounded to multiples of one unit, a power of two chosen once from the size of a first term; sums
 * of multiples of a unit are exact in float64 as long as they stay below 2^53 units.  So partial sums over
 * any grouping of the same terms, added in any order, have the same bits: on every number of ranks, and where
 * a killed run continues.  Demmel and Nguyen, "Fast reproducible floating-point summation", ARITH 2013,
 * section III, with one bin.
 */
#ifndef LASER_SENSITIVITY_EXACT_H
#define LASER_SENSITIVITY_EXACT_H

#include <stdint.h>

/* A unit for sums whose first terms are at most `largest` in absolute value: 2^-36 of it, which leaves 17
 * bits for the sum to grow.  0 where largest is 0 or not finite. */
double laser_exact_unit(double largest);

/* sum[i] += term[i], rounded to the unit (0: nothing is added unless term is 0).  Returns 0 if a sum left the
 * range in which it is exact or a term is not finite, else 1. */
int laser_exact_add(double *sum, const double *term, int64_t n, double unit);

/* The same from float32 terms. */
int laser_exact_add_float(double *sum, const float *term, int64_t n, double unit);

#endif
