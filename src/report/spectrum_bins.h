/* A spectrum made small enough to be drawn: bins of its density, its values at chosen ranks, its edges, and
 * the Marchenko-Pastur density over them.
 */
#ifndef LASER_REPORT_SPECTRUM_BINS_H
#define LASER_REPORT_SPECTRUM_BINS_H

#include <stdint.h>

enum { LASER_SPECTRUM_BINS = 48, LASER_SPECTRUM_POINTS = 64, LASER_NOISE_CURVE = 121 };

struct laser_spectrum_bins {
    int64_t n;        /* singular values */
    double beta;      /* n / the longer side */
    double level;     /* median estimate of the noise's sqrt(m) sigma */
    double edge;      /* true Marchenko-Pastur edge for it */
    double compat;    /* threshold of the rule laserrmt */
    double threshold; /* of the run's own rule; NaN where it has none */

    double low, high; /* range of the bins; it holds edge, compat and threshold */
    int n_bins;
    int64_t counts[LASER_SPECTRUM_BINS]; /* singular values of each bin; the last one holds high, too */
    int64_t above;                       /* values beyond high */

    int n_points;
    int64_t
        ranks[LASER_SPECTRUM_POINTS]; /* 0-based: the first ones, then farther and farther apart, the last */
    double values[LASER_SPECTRUM_POINTS];
};

/* s: min(rows, columns) >= 1 singular values, finite, largest first.  bins and points: at most the sizes
 * above, at least 8; a short spectrum gets fewer bins. */
void laser_spectrum_bins_make(const double *s, int64_t rows, int64_t columns, double threshold, int bins,
                              int points, struct laser_spectrum_bins *result);

/* The ranks that the bins of n values have: a function of both numbers alone.  Returns how many. */
int laser_spectrum_ranks(int64_t n, int points, int64_t *ranks);

/* The density of the noise's singular values in units of its level: f[i] at u[i], from edge to edge; the
 * trapezoids below it sum to 1 within 1e-3.  beta in (0, 1]. */
void laser_noise_density(double beta, double u[LASER_NOISE_CURVE], double f[LASER_NOISE_CURVE]);

#endif
