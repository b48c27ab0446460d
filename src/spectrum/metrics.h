/* Everything that is reported about the spectrum of one matrix.
 *
 * Eigenvalues are S^2.  Metrics with a name of WeightWatcher's (0.7.7) have its definition unless the comment
 * says otherwise; it writes -1 where a fit failed, here such a member is NaN.
 */
#ifndef LASER_SPECTRUM_METRICS_H
#define LASER_SPECTRUM_METRICS_H

#include "base/error.h"
#include "spectrum/rule.h"

#include <stdint.h>

struct laser_metrics {
    int64_t rows, columns;
    int64_t n; /* number of singular values: min(rows, columns) */

    double s_max, s_min;
    struct laser_cut cut; /* threshold, k, signal, noise, scores of the chosen rule */
    double energy_kept;   /* sum_{i<k} S^2 / sum S^2; 1 for a zero matrix */

    double frobenius;      /* sqrt(sum S^2) */
    double stable_rank;    /* sum S^2 / S[0]^2; 0 for a zero matrix, as the next two */
    double effective_rank; /* exp of the entropy of S / sum S (Roy and Vetterli 2007) */
    double entropy;        /* of S^2 / sum S^2 over log(matrix_rank), with WeightWatcher's 1e-10 added */
    int64_t matrix_rank;   /* number of S > S[0] * max(rows, columns) * 2^-52 */

    double noise_sigma; /* median estimate of the standard deviation of a noise entry */
    double mp_edge;     /* true Marchenko-Pastur edge for it, as a singular value */
    int64_t num_spikes; /* number of S above the edge */
    double sigma_mp; /* noise_sigma over the root mean square entry (WeightWatcher fits a density instead) */
    double mp_softrank; /* edge^2 / S[0]^2 */

    double alpha, ks_distance, xmin, xmax, alpha_sigma; /* laser_powerlaw_fit of the eigenvalues above 1e-5 */
    int64_t tail;

    double log_norm;          /* log10 sum S^2 */
    double log_spectral_norm; /* log10 S[0]^2 */
    double alpha_weighted;    /* alpha * log_spectral_norm */
    double log_alpha_norm;    /* log10 sum (S^2)^alpha */
    const char *status;       /* "success", or "failed" where there is no power law fit; static text */
    const char *warning;      /* "", "over-trained" (alpha < 2), "under-trained" (alpha > 6); static text */
};

/* s: min(rows, columns) finite singular values, largest first, rows and columns >= 1.  LASER_ENOMEM. */
int laser_metrics_fill(const struct laser_rule *rule, const double *s, int64_t rows, int64_t columns,
                       struct laser_metrics *metrics, struct laser_error *err);

#endif
