#include "base/mcnemar.h"

#include <math.h>

double laser_mcnemar_p(int64_t better, int64_t worse)
{
    int64_t n = better + worse;
    /* ln of C(n, better) / 2^n, then term by term. */
    double log_term = lgamma((double)n + 1) - lgamma((double)better + 1) - lgamma((double)worse + 1) -
                      (double)n * log(2),
           ratio = 1, sum = 0;

    if (better == 0)
        return 1;
    for (int64_t k = better; k <= n; ++k) {
        sum += ratio;
        ratio *= (double)(n - k) / (double)(k + 1);
    }
    return fmin(1, exp(log_term + log(sum)));
}

double laser_normal_tail(double z)
{
    return 0.5 * erfc(z / sqrt(2));
}
