#include "report/spectrum_bins.h"

#include <math.h>
#include <string.h>

#include "spectrum/edit.h"
#include "spectrum/mp.h"
#include "spectrum/rule.h"

int laser_spectrum_ranks(int64_t n, int points, int64_t *ranks)
{
    int count = 0;

    if (n <= points) {
        for (int64_t i = 0; i < n; i++)
            ranks[count++] = i;
        return count;
    }
    /* Ranks from 1 to n, evenly spaced by logarithm, but no two the same: the first ones come one by one. */
    for (int i = 0; i < points; i++) {
        double left = points - 1 - i;
        int64_t last = count > 0 ? ranks[count - 1] : -1, rank;

        rank = left > 0 ? (int64_t)floor(exp(log((double)last + 2) +
                                             (log((double)n) - log((double)last + 2)) / (left + 1))) -
                              1
                        : n - 1;
        if (i == 0)
            rank = 0;
        ranks[count++] = rank > last ? rank : last + 1;
    }
    return count;
}

/* Where the bins begin and end: from edge to edge of what is looked at, without the few far values that would
 * press the bulk into one bin. */
static void find_range(const double *s, struct laser_spectrum_bins *k)
{
    double marks = fmax(k->edge, k->compat), lowest = s[k->n - 1];

    if (isfinite(k->threshold))
        marks = fmax(marks, k->threshold);
    k->high = fmin(fmax(s[0], 1.02 * marks), 1.4 * marks);
    if (!(k->high > 0))
        k->high = s[0] > 0 ? s[0] : 1;
    lowest = fmin(lowest, k->compat);
    if (isfinite(k->threshold))
        lowest = fmin(lowest, k->threshold);
    lowest = fmin(lowest, k->level * (1 - sqrt(k->beta)));
    k->low = lowest > 0.2 * k->high ? 0.95 * lowest : 0;
}

void laser_spectrum_bins_make(const double *s, int64_t rows, int64_t columns, double threshold, int bins,
                              int points, struct laser_spectrum_bins *k)
{
    struct laser_rule compat = {.kind = LASER_RULE_LASERRMT};
    struct laser_cut cut;
    double width;

    memset(k, 0, sizeof *k);
    k->n = rows < columns ? rows : columns;
    k->beta = laser_mp_beta(rows, columns);
    k->level = laser_noise_level(s, rows, columns);
    k->edge = k->level * (1 + sqrt(k->beta));
    laser_rule_apply(&compat, s, rows, columns, &cut);
    k->compat = cut.threshold;
    k->threshold = threshold;
    find_range(s, k);
    /* Few values fill few bins. */
    k->n_bins = bins = (int)fmin(bins, fmax(8, 2 * sqrt((double)k->n)));
    width = (k->high - k->low) / bins;
    for (int64_t i = 0; i < k->n; i++) {
        double at = (s[i] - k->low) / width;
        if (s[i] > k->high)
            k->above++;
        else
            k->counts[at >= bins ? bins - 1 : at > 0 ? (int)at : 0]++;
    }
    k->n_points = laser_spectrum_ranks(k->n, points, k->ranks);
    for (int i = 0; i < k->n_points; i++)
        k->values[i] = s[k->ranks[i]];
}

void laser_noise_density(double beta, double u[LASER_NOISE_CURVE], double f[LASER_NOISE_CURVE])
{
    /* Close together at the edges, where the density rises like a root. */
    double low = 1 - sqrt(beta), high = 1 + sqrt(beta);

    for (int i = 0; i < LASER_NOISE_CURVE; i++) {
        double t = 0.5 - 0.5 * cos(M_PI * i / (LASER_NOISE_CURVE - 1));
        u[i] = low + (high - low) * t;
        f[i] = i == LASER_NOISE_CURVE - 1 ? 0 : laser_mp_singular_density(beta, 1, u[i]);
    }
    /* The lower edge is exact, and the density 0 there, but at beta = 1. */
    f[0] = low > 0 ? 0 : laser_mp_singular_density(beta, 1, 0);
}
