#include "linalg/reference.h"

#include "linalg/gram.h"
#include "linalg/lapack.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* Columns that dtpqrt and dtplqt treat at a time. */
enum { BLOCK = 48 };

int laser_reference_init(struct laser_reference *reference, int64_t rows, int64_t columns,
                         struct laser_error *err)
{
    *reference = (struct laser_reference){.exponent = 0};
    int code = laser_slabs_init(&reference->slabs, rows, columns, err);
    if (code != LASER_OK)
        return code;
    size_t n = (size_t)reference->slabs.n;
    reference->factor = calloc(n * n, sizeof(double));
    reference->work = malloc(2 * BLOCK * n * sizeof(double));
    if (reference->factor == NULL || reference->work == NULL) {
        laser_reference_free(reference);
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a triangle of %zu x %zu", n, n);
    }
    return LASER_OK;
}

void laser_reference_free(struct laser_reference *reference)
{
    free(reference->factor);
    free(reference->work);
    reference->factor = reference->work = NULL;
}

/* Makes room for entries as large as `largest`. */
static void adapt_scale(struct laser_reference *reference, double largest)
{
    size_t n = (size_t)reference->slabs.n, empty = 1;
    for (size_t i = 0; i < n * n && empty; i++)
        empty = reference->factor[i] == 0;
    int exponent = laser_scale_choose(reference->exponent, (int)empty, largest);
    if (!empty)
        laser_scale(reference->factor, n * n, reference->exponent - exponent);
    reference->exponent = exponent;
}

int laser_reference_add(struct laser_reference *reference, double *slab, int64_t count,
                        struct laser_error *err)
{
    const int zero = 0;
    double largest;
    int code = laser_slabs_check(&reference->slabs, slab, count, &largest, err);
    if (code != LASER_OK || count == 0)
        return code;
    adapt_scale(reference, largest);
    laser_scale(slab, (size_t)count * (size_t)reference->slabs.n, -reference->exponent);
    int n = reference->slabs.n, k = (int)count, block = n < BLOCK ? n : BLOCK, info = 0;
    double *t = reference->work, *work = reference->work + (size_t)BLOCK * (size_t)n;
    /* A row-major slab is its transpose in Fortran's order: rows are columns to the right of L, columns are
     * rows below R. */
    if (reference->slabs.by_rows)
        dtplqt_(&n, &k, &zero, &block, reference->factor, &n, slab, &n, t, &block, work, &info);
    else
        dtpqrt_(&k, &n, &zero, &block, reference->factor, &n, slab, &k, t, &block, work, &info);
    if (info != 0)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "argument %d of the slab's factorisation", -info);
    reference->slabs.taken += count;
    return LASER_OK;
}

int laser_reference_values(struct laser_reference *reference, double *s, struct laser_error *err)
{
    int n = reference->slabs.n, one = 1, lwork = -1, info = 0, exponent = 0;
    double size = 0, dummy = 0, *a = reference->factor;
    int code = laser_slabs_complete(&reference->slabs, err);
    if (code != LASER_OK)
        return code;
    frexp(laser_largest_entry(a, (int64_t)n * n, NULL), &exponent);
    laser_scale(a, (size_t)n * (size_t)n, -exponent);
    dgesvd_("N", "N", &n, &n, a, &n, s, &dummy, &one, &dummy, &one, &size, &lwork, &info);
    if (info != 0 || !(size < INT_MAX))
        return laser_error_set(err, LASER_EINTERNAL, NULL, "dgesvd's workspace for n = %d is %g", n, size);
    lwork = (int)size;
    double *work = malloc((size_t)lwork * sizeof *work);
    if (work == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %d numbers of workspace", lwork);
    dgesvd_("N", "N", &n, &n, a, &n, s, &dummy, &one, &dummy, &one, work, &lwork, &info);
    free(work);
    if (info != 0)
        return laser_error_set(err, LASER_ENUMERIC, NULL, "dgesvd: %d superdiagonals did not converge", info);
    for (int i = 0; i < n; i++)
        s[i] = ldexp(s[i], exponent + reference->exponent);
    return LASER_OK;
}
