#include "linalg/project.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "linalg/lapack.h"

static int count_fits(int64_t count, struct laser_error *err)
{
    if (count >= 0 && count <= INT_MAX)
        return LASER_OK;
    return laser_error_set(err, LASER_EINTERNAL, NULL, "a slab of %" PRId64 " is beyond LAPACK's int", count);
}

/* Row-major arrays are their transposes to BLAS. */
int laser_basis_project(const struct laser_basis *basis, const double *slab, int64_t count, double *projected,
                        struct laser_error *err)
{
    int n = basis->n, k = (int)count, r = (int)(basis->end - basis->first), code = count_fits(count, err);
    const double one = 1, zero = 0;

    if (code != LASER_OK || k == 0 || r == 0)
        return code;
    if (basis->by_rows)
        dgemm_("T", "N", &r, &k, &n, &one, basis->vectors, &n, slab, &n, &zero, projected, &r);
    else
        dgemm_("N", "N", &k, &r, &n, &one, slab, &k, basis->vectors, &n, &zero, projected, &k);
    return LASER_OK;
}

/* f = s_new / s less the factor of all others. */
static double weight_of(const struct laser_basis *basis, const double *s_new, int64_t i, int base)
{
    return (basis->s[i] > 0 ? s_new[i] / basis->s[i] : 0) - base;
}

/* 0 or 1 for all values outside the vectors, -1 if they differ. */
static int base_of(const struct laser_basis *basis, const double *s_new)
{
    int zero = 1, same = 1;

    for (int64_t i = 0; i < basis->n; i++)
        if (i < basis->first || i >= basis->end) {
            zero = zero && s_new[i] == 0;
            same = same && s_new[i] == basis->s[i];
        }
    return zero && same ? -2 : zero ? 0 : same ? 1 : -1;
}

/* The range lo <= i < hi whose weights are not 0. */
static void range_of(const struct laser_basis *basis, const double *s_new, int base, int64_t *lo, int64_t *hi)
{
    *lo = basis->first;
    *hi = basis->end;
    while (*lo < *hi && weight_of(basis, s_new, *lo, base) == 0)
        ++*lo;
    while (*hi > *lo && weight_of(basis, s_new, *hi - 1, base) == 0)
        --*hi;
}

/* With all vectors there (-2) either base will do: the one that leaves less to add. */
static int choose_base(const struct laser_basis *basis, const double *s_new, int64_t *lo, int64_t *hi)
{
    int base = base_of(basis, s_new);
    int64_t from, to;

    range_of(basis, s_new, base == 1, lo, hi);
    if (base != -2)
        return base;
    range_of(basis, s_new, 1, &from, &to);
    if (to - from >= *hi - *lo)
        return 0;
    *lo = from;
    *hi = to;
    return 1;
}

/* The coordinates lo ... lo + width - 1 times their weights: count x width or width x count. */
static void weigh(const struct laser_basis *basis, const double *s_new, int base, int64_t lo, int64_t width,
                  const double *projected, int64_t count, double *weighted)
{
    int64_t r = basis->end - basis->first, skip = lo - basis->first;

    for (int64_t j = 0; j < width; j++) {
        double weight = weight_of(basis, s_new, lo + j, base);
        for (int64_t i = 0; i < count; i++)
            if (basis->by_rows)
                weighted[i * width + j] = projected[i * r + skip + j] * weight;
            else
                weighted[j * count + i] = projected[(skip + j) * count + i] * weight;
    }
}

int laser_basis_edit(const struct laser_basis *basis, const double *s_new, const double *slab,
                     const double *projected, int64_t count, double *scratch, double *out,
                     struct laser_error *err)
{
    int64_t lo, hi;
    int base = choose_base(basis, s_new, &lo, &hi), code = count_fits(count, err);
    int n = basis->n, k = (int)count, width = (int)(hi - lo);
    size_t size = (size_t)n * (size_t)count * sizeof *out;
    const double one = 1, beta = base == 1;
    const double *vectors = basis->vectors + (lo - basis->first) * n;

    if (code == LASER_OK && base == -1)
        code = laser_error_set(err, LASER_EINTERNAL, NULL,
                               "the edit needs vectors outside %" PRId64 " to %" PRId64, basis->first,
                               basis->end);
    if (code != LASER_OK || count == 0)
        return code;
    if (base != 1)
        memset(out, 0, size);
    else if (out != slab)
        memcpy(out, slab, size);
    if (width == 0)
        return LASER_OK;
    weigh(basis, s_new, base, lo, width, projected, count, scratch);
    if (basis->by_rows)
        dgemm_("N", "N", &n, &k, &width, &one, vectors, &n, scratch, &width, &beta, out, &n);
    else
        dgemm_("N", "T", &k, &n, &width, &one, scratch, &k, vectors, &n, &beta, out, &k);
    return LASER_OK;
}
