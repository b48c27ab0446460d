/* The Marchenko-Pastur law: what the squared singular values of a noise matrix look like.
 *
 * For an n x m matrix (n <= m, beta = n / m in (0, 1]) of independent entries of variance sigma^2 the
 * eigenvalues of A A^T / m have the density sqrt((b - x)(x - a)) / (2 pi beta sigma^2 x) on [a, b] with a, b
 * = sigma^2 (1 -/+ sqrt(beta))^2 (Marchenko and Pastur 1967).  A singular value s of A sits at x = s^2 / m.
 *
 * Pure functions, no errors: beta must be in (0, 1], sigma > 0; anything else gives NaN.
 */
#ifndef LASER_SPECTRUM_MP_H
#define LASER_SPECTRUM_MP_H

#include <stdint.h>

/* The edges a and b of the eigenvalue law. */
double laser_mp_lower_edge(double beta, double sigma);
double laser_mp_upper_edge(double beta, double sigma);

/* Density and cumulative share of eigenvalues at x; 0 (and 0 or 1) outside the edges.  At beta = 1 the
 * density has an integrable pole at x = 0, where it is returned as +Infinity. */
double laser_mp_density(double beta, double sigma, double x);
double laser_mp_cumulative(double beta, double sigma, double x);

/* The same for singular values in units of the root of m: at s, with x = s^2. */
double laser_mp_singular_density(double beta, double sigma, double s);

/* The eigenvalue below which the share p in [0, 1] lies, for sigma = 1; mu_beta is laser_mp_median. */
double laser_mp_quantile(double beta, double p);
double laser_mp_median(double beta);

/* n / m of a matrix of any orientation. */
double laser_mp_beta(int64_t rows, int64_t columns);

#endif
