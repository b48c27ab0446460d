#include "linalg/accuracy.h"

#include "spectrum/mp.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void laser_gram_errors(const double *s, int64_t n, double *bound)
{
    double fourth_powers = 0, top = s[0];
    for (int64_t i = 0; i < n; i++)
        fourth_powers += top > 0 ? pow(s[i] / top, 4) : 0;
    /* in units of S[0]: eigenvalues are (S / S[0])^2 */
    double floor = 2 * DBL_EPSILON * sqrt(fourth_powers), part = 0.2 * DBL_EPSILON * (double)n;
    for (int64_t i = 0; i < n; i++) {
        double x = top > 0 ? s[i] / top : 0, change = floor + part * x * x;
        /* x - sqrt(x^2 - change), the larger of the two sides, without cancellation */
        bound[i] = top * (x * x > change ? change / (x + sqrt(x * x - change)) : sqrt(x * x + change));
    }
}

__attribute__((format(printf, 3, 4))) static int not_enough(char *reason, size_t size, const char *format,
                                                            ...)
{
    va_list list;
    va_start(list, format);
    if (reason != NULL)
        vsnprintf(reason, size, format, list);
    va_end(list);
    return 0;
}

/* Largest error of the values between which the quantile q lies. */
static double quantile_error(const double *bound, int64_t n, double q)
{
    int64_t below = (int64_t)floor(q * (double)(n - 1));
    int64_t above = below + 1 < n ? below + 1 : below;
    return fmax(bound[n - 1 - below], bound[n - 1 - above]);
}

/* Largest error of the threshold: it is linear in the quartiles, so it is the threshold of their errors under the
 * worst signs. */
static double threshold_error(const struct laser_rule *rule, const double *bound, int64_t n, double beta)
{
    double e25 = quantile_error(bound, n, 0.25), e50 = quantile_error(bound, n, 0.5),
           e75 = quantile_error(bound, n, 0.75), worst = 0;
    for (int signs = 0; signs < 8; signs++) {
        struct laser_quartiles q = {signs & 1 ? -e25 : e25, signs & 2 ? -e50 : e50, signs & 4 ? -e75 : e75};
        worst = fmax(worst, laser_rule_threshold(rule, &q, beta)); /* not a NaN, of rules that count */
    }
    return worst;
}

static int judge(const double *s, const double *bound, int64_t rows, int64_t columns,
                 const struct laser_rule *rule, double tolerance, char *reason, size_t size)
{
    int64_t n = rows < columns ? rows : columns;
    struct laser_cut cut;
    double noise_error = 0, signal_error = 0;
    laser_rule_apply(rule, s, rows, columns, &cut);
    double doubt = threshold_error(rule, bound, n, laser_mp_beta(rows, columns));
    for (int64_t i = 0; i < n; i++) {
        if (!(s[i] > 2 * bound[i]))
            return not_enough(reason, size,
                              "value %" PRId64 " of %" PRId64
                              " (%.3g of the largest) cannot be told from zero",
                              i + 1, n, s[i] / s[0]);
        if (fabs(s[i] - cut.threshold) <= bound[i] + doubt)
            return not_enough(reason, size, "value %" PRId64 " lies within rounding of the threshold", i + 1);
        *(i < cut.k ? &signal_error : &noise_error) += bound[i];
    }
    if (!laser_rule_is_clear(rule, cut.k, s, n))
        return not_enough(reason, size, "the %s of %" PRId64 " values is within rounding of the share",
                          laser_rule_name(rule), cut.k);
    double relative = (cut.noise > 0 ? noise_error / cut.noise : 0) +
                      (cut.signal > 0 ? signal_error / cut.signal : 0) + bound[0] / s[0];
    if (!(relative <= tolerance))
        return not_enough(reason, size, "the score could be off by %.1g", relative);
    return 1;
}

int laser_gram_is_enough(const double *s, int64_t rows, int64_t columns, const struct laser_rule *rule,
                         double tolerance, char *reason, size_t reason_size)
{
    int64_t n = rows < columns ? rows : columns;
    if (reason != NULL && reason_size > 0)
        reason[0] = 0;
    if (s[0] == 0)
        return 1;
    double *bound = malloc((size_t)n * sizeof *bound);
    if (bound == NULL)
        return not_enough(reason, reason_size, "no memory for the error bounds");
    laser_gram_errors(s, n, bound);
    int enough = judge(s, bound, rows, columns, rule, tolerance, reason, reason_size);
    free(bound);
    return enough;
}
