#include "spectrum/metrics.h"

#include "spectrum/edit.h"
#include "spectrum/mp.h"
#include "spectrum/powerlaw.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

/* Added to every probability and to the rank by WeightWatcher. */
#define ENTROPY_EPSILON 1e-10

/* Norms, ranks and entropies; all in S / S[0], so that squares neither overflow nor vanish. */
static void fill_norms(const double *s, struct laser_metrics *m)
{
    double squares = 0, kept = 0, sum = 0, effective = 0, entropy = 0, scale = s[0];
    m->s_max = s[0];
    m->s_min = s[m->n - 1];
    m->matrix_rank = 0;
    m->energy_kept = 1;
    if (!(scale > 0)) {
        m->entropy = NAN;
        return;
    }
    double tolerance = scale * (double)(m->rows > m->columns ? m->rows : m->columns) * DBL_EPSILON;
    for (int64_t i = m->n - 1; i >= 0; i--) {
        double x = s[i] / scale;
        squares += x * x;
        sum += x;
        kept += i < m->cut.k ? x * x : 0;
        m->matrix_rank += s[i] > tolerance;
    }
    for (int64_t i = 0; i < m->n; i++) {
        double x = s[i] / scale, p = x / sum, q = x * x / squares + ENTROPY_EPSILON;
        effective -= p > 0 ? p * log(p) : 0;
        entropy -= q * log(q);
    }
    m->energy_kept = kept / squares;
    m->frobenius = scale * sqrt(squares);
    m->stable_rank = squares;
    m->effective_rank = exp(effective);
    m->entropy = entropy / log((double)m->matrix_rank + ENTROPY_EPSILON);
}

static void fill_noise(const double *s, struct laser_metrics *m)
{
    double beta = laser_mp_beta(m->rows, m->columns), level = laser_noise_level(s, m->rows, m->columns);
    double larger = (double)(m->rows > m->columns ? m->rows : m->columns);
    m->noise_sigma = level / sqrt(larger);
    m->mp_edge = level * (1 + sqrt(beta));
    m->num_spikes = 0;
    while (m->num_spikes < m->n && s[m->num_spikes] > m->mp_edge)
        m->num_spikes++;
    double root_mean_square = m->frobenius / sqrt((double)m->n) / sqrt(larger);
    m->sigma_mp = root_mean_square > 0 ? m->noise_sigma / root_mean_square : NAN;
    m->mp_softrank = s[0] > 0 ? pow(m->mp_edge / s[0], 2) : NAN;
}

/* Sums of powers by logarithms: S^2 and (S^2)^alpha may leave the range of a double. */
static void fill_logs(const double *s, const struct laser_powerlaw *fit, struct laser_metrics *m)
{
    double log_top = log10(s[0]), sum = 0;
    m->log_spectral_norm = 2 * log_top;
    m->log_norm = log10(m->stable_rank) + 2 * log_top;
    m->alpha = fit->alpha;
    m->ks_distance = fit->ks_distance;
    m->xmin = fit->xmin;
    m->xmax = fit->xmax;
    m->alpha_sigma = fit->sigma;
    m->tail = fit->tail;
    m->alpha_weighted = fit->alpha * m->log_spectral_norm;
    for (int64_t i = m->n - 1; i >= 0; i--)
        sum += pow(s[i] / s[0], 2 * fit->alpha);
    m->log_alpha_norm = log10(sum) + 2 * fit->alpha * log_top;
    m->status = isnan(fit->alpha) ? "failed" : "success";
    m->warning = fit->alpha < 2 ? "over-trained" : fit->alpha > 6 ? "under-trained" : "";
}

int laser_metrics_fill(const struct laser_rule *rule, const double *s, int64_t rows, int64_t columns,
                       struct laser_metrics *metrics, struct laser_error *err)
{
    struct laser_powerlaw fit;
    int64_t n = rows < columns ? rows : columns;
    *metrics = (struct laser_metrics){.rows = rows, .columns = columns, .n = n};
    double *eigenvalues = malloc((size_t)n * sizeof *eigenvalues);
    if (eigenvalues == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %lld eigenvalues", (long long)n);
    for (int64_t i = 0; i < n; i++)
        eigenvalues[i] = s[i] * s[i];
    int code = laser_powerlaw_fit(eigenvalues, n, LASER_POWERLAW_FLOOR, &fit, err);
    free(eigenvalues);
    if (code != LASER_OK)
        return code;
    laser_rule_apply(rule, s, rows, columns, &metrics->cut);
    fill_norms(s, metrics);
    fill_noise(s, metrics);
    fill_logs(s, &fit, metrics);
    return LASER_OK;
}
