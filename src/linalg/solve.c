#include "linalg/solve.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>

#include "linalg/lapack.h"

int laser_solve_positive(int64_t n, double *a, int64_t columns, double *b, struct laser_error *err)
{
    int order = (int)n, sides = (int)columns, info = 0;

    if (n < 1 || n > INT_MAX || columns < 1 || columns > INT_MAX)
        return laser_error_set(err, LASER_EINTERNAL, NULL,
                               "a system of %" PRId64 " unknowns is beyond LAPACK's int", n);
    dposv_("L", &order, &sides, a, &order, b, &order, &info);
    if (info > 0)
        return laser_error_set(err, LASER_ENUMERIC, NULL,
                               "a matrix that should be positive definite is not (row %d)", info);
    return info == 0 ? LASER_OK
                     : laser_error_set(err, LASER_EINTERNAL, NULL, "dposv refused its argument %d", -info);
}
