/* Eigenvalues of a symmetric matrix in memory, one process, no thread of its own.
 *
 * Small matrices: LAPACK's dsytrd.  From LASER_TWO_STAGE_FROM on two stages: blocked reduction to
 * a band of 64 with level-3 BLAS (Bischof, Lang and Sun, ACM TOMS 26, 2000; Grimes and Simon 1988), bulge
 * chasing (chase.h).  Then all eigenvalues of the tridiagonal matrix at once (sturm.h).
 */
#ifndef LASER_LINALG_SYMMETRIC_H
#define LASER_LINALG_SYMMETRIC_H

#include "base/error.h"

/* Where two stages win (measured: bench/svd.md). */
#define LASER_TWO_STAGE_FROM 640

enum laser_stages { LASER_STAGES_AUTO, LASER_STAGES_ONE, LASER_STAGES_TWO };

/* a: n x n, leading dimension n, the lower triangle in Fortran's (column) order is read; destroyed.  w: n
 * eigenvalues, smallest first.  Entries should be of moderate size (laser_gram scales them to about 1).
 * Workspace beside a: 4 MB for 1000 columns (about 3700 n bytes).  LASER_ENOMEM. */
int laser_symmetric_values(double *a, int n, enum laser_stages stages, double *w, struct laser_error *err);

#endif
