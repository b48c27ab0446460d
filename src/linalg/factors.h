/* Two thin matrices whose product is W times a filter of chosen singular vectors. */
#ifndef LASER_LINALG_FACTORS_H
#define LASER_LINALG_FACTORS_H

#include <stdint.h>

#include "base/error.h"
#include "linalg/basis.h"

/* A B = sum over j < k of f[j] S_i u_i v_i^T, i = select[j] (0: the largest singular value), W = U S V^T.
 * w: rows x columns, row-major; basis: all vectors of W; a: rows x k, b: k x columns, row-major.  f = 1 gives
 * the best approximation of rank k; f = S_new / S - 1 the change of an edit.  LASER_ENOMEM, LASER_EINTERNAL.
 */
int laser_factors_make(const struct laser_basis *basis, const double *w, const int *select, const double *f,
                       int k, double *a, double *b, struct laser_error *err);

/* All vectors of W in one go; w as above, unchanged.  As laser_gram_add and laser_basis_init. */
int laser_factors_basis(double *w, int64_t rows, int64_t columns, struct laser_basis *basis,
                        struct laser_error *err);

#endif
