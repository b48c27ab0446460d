#include "sensitivity/fisher.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linalg/solve.h"

double laser_fisher_at(const struct laser_fisher *f, int64_t i, int64_t j)
{
    if (!f->block)
        return i == j ? f->fisher[i] : 0;
    return i <= j ? f->fisher[i * f->n + j] : f->fisher[j * f->n + i];
}

void laser_fisher_error(const struct laser_fisher *f, double *error)
{
    double w = f->windows;

    for (int64_t i = 0; i < f->n; ++i) {
        double spread = f->squares[i] - f->gradient[i] * f->gradient[i] / w;

        error[i] = w > 1 ? sqrt(w / (w - 1) * (spread > 0 ? spread : 0)) : NAN;
    }
}

/* Neighbours closer than n eps of the largest. */
int64_t laser_fisher_unknowns(const double *s, int64_t n, int64_t *unknown)
{
    double tolerance = n > 0 ? (double)n * DBL_EPSILON * s[0] : 0;
    int64_t count = 0;

    for (int64_t i = 0; i < n; ++i) {
        if (!(s[i] > tolerance))
            unknown[i] = -1;
        else
            unknown[i] = i > 0 && s[i - 1] - s[i] <= tolerance ? count - 1 : count++;
    }
    return count;
}

/* The end of the run of equal values that begins at i. */
static int64_t end_of_run(const int64_t *unknown, int64_t n, int64_t i)
{
    int64_t end = i + 1;

    while (end < n && unknown[i] >= 0 && unknown[end] == unknown[i])
        ++end;
    return end;
}

void laser_fisher_share(const int64_t *unknown, int64_t n, float *p)
{
    for (int64_t i = 0, end; i < n; i = end) {
        float sum = 0;

        end = end_of_run(unknown, n, i);
        for (int64_t j = i; j < end; ++j)
            sum += p[j];
        for (int64_t j = i; end > i + 1 && j < end; ++j)
            p[j] = sum / sqrtf((float)(end - i));
    }
}

/* Of the unknowns: F_ii, or the sum over all pairs of c equal values divided by c. */
static double mean_of_diagonal(const struct laser_fisher *f, const int64_t *unknown, int64_t m)
{
    double sum = 0;

    for (int64_t i = 0, end; i < f->n; i = end) {
        double pairs = 0;

        end = end_of_run(unknown, f->n, i);
        for (int64_t j = i; j < end; ++j)
            for (int64_t k = i; k < end; ++k)
                pairs += laser_fisher_at(f, j, k);
        sum += unknown[i] >= 0 ? pairs / (double)(end - i) : 0;
    }
    return m > 0 ? sum / (double)m : 0;
}

static void solve_diagonal(const struct laser_fisher *f, const int64_t *unknown, int64_t m, double damping,
                           double *sums, double *direction)
{
    double *g = sums, *h = sums + m;

    memset(sums, 0, (size_t)(2 * m) * sizeof *sums);
    for (int64_t i = 0; i < f->n; ++i)
        if (unknown[i] >= 0) {
            g[unknown[i]] += f->gradient[i];
            h[unknown[i]] += f->fisher[i] + damping;
        }
    for (int64_t i = 0; i < f->n; ++i)
        direction[i] = unknown[i] >= 0 ? -g[unknown[i]] / h[unknown[i]] : 0;
}

static int solve_block(const struct laser_fisher *f, const int64_t *unknown, int64_t m, double damping,
                       double *sums, double *direction, struct laser_error *err)
{
    double *a = calloc((size_t)(m * m), sizeof *a);
    int code;

    if (a == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a system of %" PRId64 " unknowns", m);
    memset(sums, 0, (size_t)m * sizeof *sums);
    for (int64_t i = 0; i < f->n; ++i) {
        if (unknown[i] < 0)
            continue;
        sums[unknown[i]] -= f->gradient[i];
        a[unknown[i] * m + unknown[i]] += damping;
        for (int64_t j = 0; j < f->n; ++j)
            if (unknown[j] >= 0)
                a[unknown[i] * m + unknown[j]] += laser_fisher_at(f, i, j);
    }
    code = laser_solve_positive(m, a, 1, sums, err);
    for (int64_t i = 0; i < f->n; ++i)
        direction[i] = code == LASER_OK && unknown[i] >= 0 ? sums[unknown[i]] : 0;
    free(a);
    return code;
}

int laser_fisher_direction(const struct laser_fisher *f, const double *s, double damping, double *direction,
                           struct laser_error *err)
{
    int64_t *unknown = malloc((size_t)f->n * sizeof *unknown + 1), m;
    double *sums = malloc((size_t)f->n * 2 * sizeof *sums + 1), scale;
    int code = LASER_OK;

    if (unknown == NULL || sums == NULL) {
        free(unknown);
        free(sums);
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %" PRId64 " singular values", f->n);
    }
    m = laser_fisher_unknowns(s, f->n, unknown);
    scale = mean_of_diagonal(f, unknown, m);
    memset(direction, 0, (size_t)f->n * sizeof *direction);
    if (!isfinite(scale))
        code = laser_error_set(err, LASER_ENUMERIC, NULL, "the Fisher information is not finite");
    else if (scale > 0 && m > 0 && f->block)
        code = solve_block(f, unknown, m, damping * scale, sums, direction, err);
    else if (scale > 0 && m > 0)
        solve_diagonal(f, unknown, m, damping * scale, sums, direction);
    free(unknown);
    free(sums);
    return code;
}

int laser_fisher_direction_scaled(const struct laser_fisher *f, const double *s, double damping,
                                  double curvature, double *direction, double *scale, struct laser_error *err)
{
    int code = laser_fisher_direction(f, s, damping, direction, err);
    double mean = 0;

    for (int64_t i = 0; i < f->n; ++i)
        mean += laser_fisher_at(f, i, i) / (double)f->n;
    *scale = mean > 0 ? curvature / mean : 0;
    for (int64_t i = 0; i < f->n; ++i)
        direction[i] = mean > 0 ? direction[i] / *scale : 0;
    return code;
}

void laser_fisher_move(int64_t n, const double *s, const double *direction, double length, bool only_shrink,
                       const double *original, double *s_new)
{
    for (int64_t i = 0; i < n; ++i) {
        double moved = s[i] + length * direction[i];

        if (moved < 0)
            moved = 0;
        s_new[i] = only_shrink && moved > original[i] ? original[i] : moved;
    }
}

double laser_fisher_predict(const struct laser_fisher *f, const double *d)
{
    double linear = 0, quadratic = 0;

    for (int64_t i = 0; i < f->n; ++i) {
        double row = 0;

        if (d[i] == 0)
            continue;
        linear += f->gradient[i] * d[i];
        if (!f->block) {
            quadratic += f->fisher[i] * d[i] * d[i];
            continue;
        }
        for (int64_t j = i + 1; j < f->n; ++j)
            row += f->fisher[i * f->n + j] * d[j];
        quadratic += d[i] * (f->fisher[i * f->n + i] * d[i] + 2 * row);
    }
    return linear + quadratic / 2;
}
