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

int64_t laser_mcnemar_fewest(double chance)
{
    int64_t n = 1;

    while (n < 1100 && !(laser_mcnemar_p(n, 0) < chance))
        ++n;
    return n;
}

enum laser_verdict laser_verdict_paired(double difference, double error)
{
    if (!isfinite(error) || !(fabs(difference) > 2 * error))
        return LASER_VERDICT_SAME;
    return difference < 0 ? LASER_VERDICT_BETTER : LASER_VERDICT_WORSE;
}

enum laser_verdict laser_verdict_counts(int64_t better, int64_t worse)
{
    if (laser_mcnemar_p(better, worse) < laser_normal_tail(2))
        return LASER_VERDICT_BETTER;
    return laser_mcnemar_p(worse, better) < laser_normal_tail(2) ? LASER_VERDICT_WORSE : LASER_VERDICT_SAME;
}

const char *laser_verdict_name(enum laser_verdict verdict)
{
    static const char *const names[] = {"no difference", "better", "worse"};

    return names[verdict];
}
