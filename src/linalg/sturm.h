/* All eigenvalues of a symmetric tridiagonal matrix, by counting and root finding on many shifts at once.
 *
 * The recurrence p_k = (d_k - x) p_(k-1) - e_(k-1)^2 p_(k-2) of the leading minors of T - x I gives the
 * number of eigenvalues below x (its sign changes: Givens 1954) and the characteristic polynomial at x; it
 * needs no division, so 32 shifts run through it in vector registers.  Eigenvalues are first isolated by
 * multisection, then found by the ITP method (Oliveira and Takahashi, ACM TOMS 47, 2020), which keeps its
 * bracket by the count.  Each is right to a few ulps of |T| whatever n is, and takes about ten counts; dsterf
 * takes one quotient after another, which is five times slower and drifts with n.
 */
#ifndef LASER_LINALG_STURM_H
#define LASER_LINALG_STURM_H

#include "base/error.h"

/* d: n diagonal entries, destroyed; out: n eigenvalues, smallest first.  e: n - 1 entries beside it,
 * destroyed. All finite.  LASER_ENOMEM. */
int laser_tridiagonal_values(int n, double *d, double *e, struct laser_error *err);

#endif
