/* Power law fit of the upper tail of a spectrum, as WeightWatcher fits eigenvalues.
 *
 * For every candidate xmin = x_i (all values but the largest) the exponent is the maximum likelihood estimate
 * alpha = 1 + n / sum log(x_j / xmin) over the n values x_j >= xmin (Clauset, Shalizi and Newman 2009,
 * equation 3.1), and D the largest distance between the fitted and the empirical cumulative distribution (i /
 * n, i from 0).  The fit is the one of smallest D.  With fewer than 20 values WeightWatcher (0.7.7) takes
 * tails of 8 and more only (all values where there are fewer) and the exponent 1 + (n - 1) / sum; so does
 * this one.
 */
#ifndef LASER_SPECTRUM_POWERLAW_H
#define LASER_SPECTRUM_POWERLAW_H

#include "base/error.h"

#include <stdint.h>

struct laser_powerlaw {
    double alpha, ks_distance, xmin, xmax;
    double sigma; /* standard error of alpha: (alpha - 1) / sqrt(tail) */
    int64_t tail; /* values >= xmin */
};

/* Eigenvalues at or below this are left out of WeightWatcher's fit (an absolute number, so the fit is not
 * independent of the scale of the weights). */
#define LASER_POWERLAW_FLOOR 1e-5

/* x: n values, largest first; those above floor are fitted.  All members NaN and tail 0 where no fit exists
 * (fewer than two such values, or all equal).  LASER_ENOMEM. */
int laser_powerlaw_fit(const double *x, int64_t n, double floor, struct laser_powerlaw *fit,
                       struct laser_error *err);

#endif
