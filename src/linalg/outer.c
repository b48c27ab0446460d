#include "linalg/outer.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>

#include "linalg/lapack.h"

int laser_outer_sum(int64_t rows, int64_t n, const float *x, int64_t x_stride, float *out,
                    struct laser_error *err)
{
    int order = (int)n, depth = (int)rows, stride = (int)x_stride;
    const float one = 1, zero = 0;

    if (n < 1 || n > INT_MAX || rows < 0 || rows > INT_MAX || x_stride < n || x_stride > INT_MAX)
        return laser_error_set(err, LASER_EINTERNAL, NULL,
                               "%" PRId64 " outer products of %" PRId64 " are beyond BLAS's int", rows, n);
    /* Row-major arrays are their transposes to BLAS: the upper triangle is its lower one. */
    ssyrk_("L", "N", &order, &depth, &one, x, &stride, &zero, out, &order);
    return LASER_OK;
}
