#include "linalg/basis.h"

#include "linalg/accuracy.h"
#include "linalg/eigen.h"
#include "linalg/lapack.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* f_i = s_new / s; a value of 0 has no direction that could matter. */
static double factor_of(const double *s, const double *s_new, int64_t i)
{
    return s[i] > 0 ? s_new[i] / s[i] : 0;
}

void laser_basis_range(const double *s, const double *s_new, int64_t n, int64_t *first, int64_t *end)
{
    /* the span outside which all are zeroed, and the one outside which none is changed */
    int64_t kept_end = 0, changed_first = n, changed_end = 0, kept_first = n;
    for (int64_t i = 0; i < n; i++) {
        if (s_new[i] > 0) {
            kept_first = i < kept_first ? i : kept_first;
            kept_end = i + 1;
        }
        if (s_new[i] != s[i]) {
            changed_first = i < changed_first ? i : changed_first;
            changed_end = i + 1;
        }
    }
    if (kept_end == 0 || changed_end == 0)
        *first = *end = 0;
    else if (kept_end - kept_first <= changed_end - changed_first)
        *first = kept_first, *end = kept_end;
    else
        *first = changed_first, *end = changed_end;
}

int laser_basis_init(struct laser_basis *basis, struct laser_gram *gram, int64_t first, int64_t end,
                     struct laser_error *err)
{
    const struct laser_slabs *slabs = &gram->slabs;
    int n = slabs->n, exponent = 0;
    *basis = (struct laser_basis){slabs->rows, slabs->columns, n, slabs->by_rows, first, end, NULL, NULL};
    int code = laser_slabs_complete(slabs, err);
    if (code == LASER_OK && !(first >= 0 && first <= end && end <= n))
        code = laser_error_set(err, LASER_EINTERNAL, NULL, "vectors %" PRId64 " to %" PRId64 " of %d", first,
                               end, n);
    if (code == LASER_OK) {
        size_t count = (size_t)n * (size_t)(end > first ? end - first : 1);
        basis->s = malloc((size_t)n * sizeof(double));
        basis->vectors = malloc(count * sizeof(double));
        if (basis->s == NULL || basis->vectors == NULL)
            code = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %zu numbers of singular vectors",
                                   count);
    }
    if (code == LASER_OK) {
        exponent = laser_gram_normalise(gram);
        code = laser_symmetric_vectors(gram->g, n, (int)first, (int)end, basis->s, basis->vectors, err);
    }
    if (code == LASER_OK)
        laser_gram_roots(basis->s, n, exponent);
    laser_gram_free(gram);
    if (code != LASER_OK)
        laser_basis_free(basis);
    return code;
}

void laser_basis_free(struct laser_basis *basis)
{
    free(basis->s);
    free(basis->vectors);
    basis->s = basis->vectors = NULL;
}

double laser_basis_error(const struct laser_basis *basis, const double *s_new)
{
    const double *s = basis->s;
    double fourth_powers = 0, norm = 0, worst = 0;
    if (!(s[0] > 0))
        return 0;
    for (int i = 0; i < basis->n; i++) {
        fourth_powers += pow(s[i] / s[0], 4);
        norm += pow(s_new[i] / s[0], 2);
    }
    /* Neighbours are the closest: a pair further apart has a smaller angle, and the sum over all of them is
     * covered by |G|_F in place of the noise that one pair sees. */
    double rounding = 2 * DBL_EPSILON * sqrt(fourth_powers);
    for (int i = 0; i + 1 < basis->n && s[i + 1] > 0; i++) {
        double jump = fabs(factor_of(s, s_new, i) - factor_of(s, s_new, i + 1)), x = s[i] / s[0];
        double gap = x * x - pow(s[i + 1] / s[0], 2);
        if (jump > 0)
            worst = fmax(worst, jump * x * fmin(1, rounding / fmax(gap, DBL_MIN)));
    }
    return norm > 0 ? worst / sqrt(norm) : 0;
}

/* The common factor of all values outside the range: 0 or 1; -1 if there is none. */
static int outside_factor(const struct laser_basis *basis, const double *s_new)
{
    int zero = 1, same = 1;
    for (int64_t i = 0; i < basis->n; i++)
        if (i < basis->first || i >= basis->end) {
            zero = zero && s_new[i] == 0;
            same = same && s_new[i] == basis->s[i];
        }
    return zero ? 0 : same ? 1 : -1;
}

int laser_basis_filter(const struct laser_basis *basis, const double *s_new, double *filter,
                       struct laser_error *err)
{
    int n = basis->n, count = (int)(basis->end - basis->first), outside = outside_factor(basis, s_new);
    const double one = 1, base = outside;
    if (outside < 0)
        return laser_error_set(err, LASER_EINTERNAL, NULL,
                               "the edit needs vectors outside %" PRId64 " to %" PRId64, basis->first,
                               basis->end);
    double *scaled = malloc((size_t)n * (size_t)(count > 0 ? count : 1) * sizeof *scaled);
    if (scaled == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %d vectors of %d", count, n);
    for (int64_t j = 0; j < count; j++) {
        double f = factor_of(basis->s, s_new, basis->first + j) - base;
        for (int64_t i = 0; i < n; i++)
            scaled[i + j * n] = f * basis->vectors[i + j * n];
    }
    memset(filter, 0, (size_t)n * (size_t)n * sizeof *filter);
    for (size_t i = 0; i < (size_t)n; i++)
        filter[i * (size_t)n + i] = base;
    if (count > 0)
        dgemm_("N", "T", &n, &n, &count, &one, scaled, &n, basis->vectors, &n, &one, filter, &n);
    free(scaled);
    return LASER_OK;
}

static int count_fits(int64_t count, struct laser_error *err)
{
    if (count >= 0 && count <= INT_MAX)
        return LASER_OK;
    return laser_error_set(err, LASER_EINTERNAL, NULL, "a slab of %" PRId64 " is beyond LAPACK's int", count);
}

int laser_filter_apply(const struct laser_basis *basis, const double *filter, const double *in, int64_t count,
                       double *out, struct laser_error *err)
{
    int n = basis->n, k = (int)count, code = count_fits(count, err);
    const double one = 1, zero = 0;
    if (code != LASER_OK || k == 0)
        return code;
    /* Row-major arrays are their transposes to BLAS; the filter is symmetric. */
    if (basis->by_rows)
        dgemm_("N", "N", &n, &k, &n, &one, filter, &n, in, &n, &zero, out, &n);
    else
        dgemm_("N", "N", &k, &n, &n, &one, in, &k, filter, &n, &zero, out, &k);
    return LASER_OK;
}

static int factors_exist(const struct laser_basis *basis, const double *s_new, int64_t k,
                         struct laser_error *err)
{
    int fits = basis->first == 0 && k >= 0 && k <= basis->end;
    for (int64_t i = k; fits && i < basis->n; i++)
        fits = s_new[i] == 0;
    if (fits)
        return LASER_OK;
    return laser_error_set(err, LASER_EINTERNAL, NULL,
                           "factors of rank %" PRId64 " from vectors %" PRId64 " to %" PRId64, k,
                           basis->first, basis->end);
}

int laser_basis_short_factor(const struct laser_basis *basis, const double *s_new, int64_t k, double *factor,
                             struct laser_error *err)
{
    int code = factors_exist(basis, s_new, k, err);
    if (code != LASER_OK)
        return code;
    for (int64_t j = 0; j < k; j++) {
        const double *vector = basis->vectors + j * basis->n;
        if (basis->by_rows) /* B = V_k^T, k x columns */
            memcpy(factor + j * basis->n, vector, (size_t)basis->n * sizeof *vector);
        for (int64_t i = 0; !basis->by_rows && i < basis->n; i++) /* A = U_k diag(f), rows x k */
            factor[i * k + j] = vector[i] * factor_of(basis->s, s_new, j);
    }
    return LASER_OK;
}

int laser_basis_long_factor(const struct laser_basis *basis, const double *s_new, int64_t k,
                            const double *slab, int64_t count, double *factor, struct laser_error *err)
{
    int n = basis->n, rank = (int)k, width = (int)count, code = factors_exist(basis, s_new, k, err);
    const double one = 1, zero = 0;
    if (code == LASER_OK)
        code = count_fits(count, err);
    if (code != LASER_OK || rank == 0 || width == 0)
        return code;
    if (!basis->by_rows) { /* B = U_k^T W: k x count */
        dgemm_("N", "N", &width, &rank, &n, &one, slab, &width, basis->vectors, &n, &zero, factor, &width);
        return LASER_OK;
    }
    /* A = W V_k diag(f): count x k */
    dgemm_("T", "N", &rank, &width, &n, &one, basis->vectors, &n, slab, &n, &zero, factor, &rank);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < k; j++)
            factor[i * k + j] *= factor_of(basis->s, s_new, j);
    return LASER_OK;
}
