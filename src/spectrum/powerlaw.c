#include "spectrum/powerlaw.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Below this many values WeightWatcher uses its own variant, with tails of at least SMALL_TAIL. */
#define SMALL_SAMPLE 20
#define SMALL_TAIL   8

/* Kolmogorov-Smirnov distance of the largest `tail` values.  log_x is largest first. */
static double ks_distance(const double *log_x, int64_t tail, double alpha)
{
    double log_min = log_x[tail - 1], worst = 0, step = 1 / (double)tail;
    for (int64_t j = 0; j < tail; j++) {
        double theory = 1 - exp((1 - alpha) * (log_x[j] - log_min));
        double gap = fabs(theory - (double)(tail - 1 - j) * step);
        worst = gap > worst ? gap : worst;
    }
    return worst;
}

static void fit_logs(const double *log_x, int64_t count, struct laser_powerlaw *fit, int64_t *best_tail)
{
    int small = count < SMALL_SAMPLE;
    double sum = count > 0 ? log_x[0] : 0, best = INFINITY;
    for (int64_t tail = 2; tail <= count; tail++) {
        sum += log_x[tail - 1];
        double spread = sum - (double)tail * log_x[tail - 1];
        if (!(spread > (small ? 1e-12 : 0)) || (small && tail < (count < SMALL_TAIL ? count : SMALL_TAIL)))
            continue;
        double alpha = 1 + (double)(small ? tail - 1 : tail) / spread;
        double distance = ks_distance(log_x, tail, alpha);
        /* of equal distances the longest tail, as a search that starts at the smallest value finds it */
        if (distance <= best) {
            best = distance;
            fit->alpha = alpha;
            fit->ks_distance = distance;
            *best_tail = tail;
        }
    }
}

int laser_powerlaw_fit(const double *x, int64_t n, double floor, struct laser_powerlaw *fit,
                       struct laser_error *err)
{
    int64_t count = 0, tail = 0;
    *fit = (struct laser_powerlaw){NAN, NAN, NAN, NAN, NAN, 0};
    while (count < n && x[count] > floor)
        count++;
    if (count < 2)
        return LASER_OK;
    double *log_x = malloc((size_t)count * sizeof *log_x);
    if (log_x == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %lld logarithms", (long long)count);
    for (int64_t i = 0; i < count; i++)
        log_x[i] = log(x[i]);
    fit_logs(log_x, count, fit, &tail);
    free(log_x);
    if (tail > 0) {
        fit->xmin = x[tail - 1];
        fit->xmax = x[0];
        fit->sigma = (fit->alpha - 1) / sqrt((double)tail);
        fit->tail = tail;
    }
    return LASER_OK;
}
