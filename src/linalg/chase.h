/* Second stage of the two-stage tridiagonalisation: a symmetric band matrix to tridiagonal form, values only.
 *
 * Householder bulge chasing (Murata and Horikoshi 1975; Lang, SIAM J. Sci. Comput. 14, 1993): sweep c
 * annihilates column c below its first subdiagonal and chases the bulge of which only the first column is
 * removed a bandwidth at a time.  Each step works on two blocks of 64 x 64 that fit in the first-level cache,
 * and several sweeps follow each other down the band so that a block is read from the second-level cache by
 * all of them.
 *
 * The band is kept so that A(i, j), j <= i < j + 2 b, lies at band[(i - j) + j * LASER_BAND_COLUMN]; with the
 * leading dimension LASER_BAND_COLUMN - 1 any block inside is an ordinary dense block.
 */
#ifndef LASER_LINALG_CHASE_H
#define LASER_LINALG_CHASE_H

#include <stddef.h>

/* Bandwidth b (number of subdiagonals). */
#define LASER_BAND 64
/* Doubles per column: 2 b for band and bulge; 9 for the entries above the diagonal that whole vectors touch,
 * and to keep the leading dimension a multiple of 8. */
#define LASER_BAND_COLUMN (2 * LASER_BAND + 9)

/* Doubles that the band of an n x n matrix needs: zero columns behind the matrix spare every step the test
 * for its end.  laser_band_origin is where A(0, 0) lies in that array. */
size_t laser_band_size(int n);
double *laser_band_origin(double *storage);

/* band: as above, zero outside the lower band of bandwidth b; destroyed.  d: n, e: n - 1 values out. */
void laser_band_tridiagonalise(int n, double *band, double *d, double *e);

#endif
