#include <math.h>

#include "base/mcnemar.h"
#include "search/search.h"

const char *laser_search_reason_name(enum laser_search_reason reason)
{
    static const char *const names[] = {"accepted",   "worse",    "within error", "given up early",
                                        "not finite", "measured", "no better",    "too far from the base"};

    return names[reason];
}

void laser_search_paired(const double *a, const double *b, const double *weights, int n, double *mean,
                         double *se)
{
    double sum = 0, weight = 0, spread = 0;

    for (int i = 0; i < n; ++i) {
        sum += weights[i] * (a[i] - b[i]);
        weight += weights[i];
    }
    *mean = sum / weight;
    for (int i = 0; i < n; ++i) {
        double d = weights[i] * (a[i] - b[i] - *mean);
        spread += d * d;
    }
    *se = n > 1 ? sqrt(spread * n / (n - 1)) / weight : NAN;
}

double laser_search_z(int n)
{
    double low = 2, high = 40;

    /* The tail falls with z: bisection. */
    for (int i = 0; i < 80; ++i) {
        double z = (low + high) / 2;
        if (laser_normal_tail(z) > 0.05 / (n > 0 ? n : 1))
            low = z;
        else
            high = z;
    }
    return high;
}
