/* Sums of outer products in float32. */
#ifndef LASER_LINALG_OUTER_H
#define LASER_LINALG_OUTER_H

#include <stdint.h>

#include "base/error.h"

/* out[n, n] = x^T x for x[rows, n] (row-major, rows x_stride apart): the upper triangle, row <= column; the
 * rest is not touched.  LASER_EINTERNAL: a size beyond BLAS's int. */
int laser_outer_sum(int64_t rows, int64_t n, const float *x, int64_t x_stride, float *out,
                    struct laser_error *err);

#endif
