#include "sensitivity/exact.h"

#include <math.h>

enum { UNIT_BITS = 36, SUM_BITS = 53 };

double laser_exact_unit(double largest)
{
    int exponent;

    if (!(largest > 0) || !isfinite(largest))
        return 0;
    frexp(largest, &exponent);
    return ldexp(1, exponent - UNIT_BITS);
}

/* Adding and subtracting 1.5 * 2^52 units rounds to the nearest unit, ties to even. */
static double shift_of(double unit)
{
    return ldexp(1.5 * unit, SUM_BITS - 1);
}

/* Terms are below half of the shift where they are exact; a NaN fails the comparison. */
static int add_one(double *sum, double term, double shift, double limit)
{
    double shifted = term + shift;

    *sum += shifted - shift;
    return fabs(*sum) < limit && fabs(term) < limit;
}

int laser_exact_add(double *sum, const double *term, int64_t n, double unit)
{
    double shift = shift_of(unit), limit = ldexp(unit, SUM_BITS - 2);
    int good = 1;

    for (int64_t i = 0; i < n; ++i)
        good &= unit > 0 ? add_one(&sum[i], term[i], shift, limit) : term[i] == 0;
    return good;
}

int laser_exact_add_float(double *sum, const float *term, int64_t n, double unit)
{
    double shift = shift_of(unit), limit = ldexp(unit, SUM_BITS - 2);
    int good = 1;

    for (int64_t i = 0; i < n; ++i)
        good &= unit > 0 ? add_one(&sum[i], (double)term[i], shift, limit) : term[i] == 0;
    return good;
}
