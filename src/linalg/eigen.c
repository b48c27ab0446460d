#include "linalg/eigen.h"

#include "linalg/lapack.h"
#include "linalg/sturm.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* T = diag(d) with e beside it. */
struct tridiagonal {
    int n;
    double *d, *e, *tau;
};

/* count vectors of eigenvalues il ... iu (1 = smallest), columns in ascending order, by the MRRR algorithm.
 */
static int some_vectors(const struct tridiagonal *t, int il, int iu, double *w, double *z,
                        struct laser_error *err)
{
    int n = t->n, count = iu - il + 1, found = 0, lwork = 18 * n, liwork = 10 * n, try_rac = 1, info = 0;
    double zero = 0;
    double *work = malloc((size_t)(lwork + 2 * n) * sizeof *work);
    int *iwork = malloc((size_t)(liwork + 2 * n) * sizeof *iwork);
    int code = LASER_OK;
    if (work == NULL || iwork == NULL) {
        code = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %d eigenvectors", count);
    } else {
        double *d = work + lwork, *e = d + n;
        memcpy(d, t->d, (size_t)n * sizeof *d);
        memcpy(e, t->e, (size_t)n * sizeof *e);
        dstemr_("V", "I", &n, d, e, &zero, &zero, &il, &iu, &found, w, z, &n, &count, iwork + liwork,
                &try_rac, work, &lwork, iwork, &liwork, &info);
        if (info != 0 || found != count)
            code = laser_error_set(err, LASER_ENUMERIC, NULL, "dstemr: %d of %d vectors (info %d)", found,
                                   count, info);
    }
    free(work);
    free(iwork);
    return code;
}

/* All vectors by divide and conquer, of which columns il ... iu are copied to z. */
static int all_vectors(const struct tridiagonal *t, int il, int iu, double *w, double *z,
                       struct laser_error *err)
{
    int n = t->n, liwork = 3 + 5 * n, info = 0, code = LASER_OK;
    size_t square = (size_t)n * (size_t)n, size = square + 4 * (size_t)n + 1;
    if (size > INT_MAX)
        return laser_error_set(err, LASER_ENOMEM, NULL,
                               "all vectors of a %d x %d matrix are beyond LAPACK's int", n, n);
    int lwork = (int)size;
    double *all = malloc((square + size + (size_t)n) * sizeof *all);
    int *iwork = malloc((size_t)liwork * sizeof *iwork);
    if (all == NULL || iwork == NULL) {
        code = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %d eigenvectors", n);
    } else {
        double *e = all + square + size;
        memcpy(w, t->d, (size_t)n * sizeof *w);
        memcpy(e, t->e, (size_t)n * sizeof *e);
        dstedc_("I", &n, w, e, all, &n, all + square, &lwork, iwork, &liwork, &info);
        if (info != 0)
            code = laser_error_set(err, LASER_ENUMERIC, NULL, "dstedc did not converge (info %d)", info);
        else
            memcpy(z, all + (size_t)(il - 1) * (size_t)n, (size_t)(iu - il + 1) * (size_t)n * sizeof *z);
    }
    free(all);
    free(iwork);
    return code;
}

/* dstemr ascends, the caller's vectors descend. */
static void reverse_columns(double *z, int n, int count)
{
    for (int j = 0; j < count / 2; j++) {
        double *low = z + (size_t)j * (size_t)n, *high = z + (size_t)(count - 1 - j) * (size_t)n;
        for (int i = 0; i < n; i++) {
            double swap = low[i];
            low[i] = high[i];
            high[i] = swap;
        }
    }
}

static int tridiagonalise(double *a, struct tridiagonal *t, struct laser_error *err)
{
    int n = t->n, lwork = 64 * n, info = 0;
    double *work = malloc((size_t)lwork * sizeof *work);
    if (work == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory to tridiagonalise a %d x %d matrix", n, n);
    dsytrd_("L", &n, a, &n, t->d, t->e, t->tau, work, &lwork, &info);
    free(work);
    return LASER_OK;
}

/* z <- Q z with the Q of dsytrd. */
static int transform_back(const double *a, const struct tridiagonal *t, int count, double *z,
                          struct laser_error *err)
{
    int n = t->n, lwork = 64 * (count > n ? count : n) + 4160, info = 0;
    double *work = malloc((size_t)lwork * sizeof *work);
    if (work == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory to transform %d vectors", count);
    dormtr_("L", "L", "N", &n, &count, a, &n, t->tau, z, &n, work, &lwork, &info);
    free(work);
    return LASER_OK;
}

static int values_only(const struct tridiagonal *t, double *w, struct laser_error *err)
{
    int n = t->n;
    double *e = malloc((size_t)n * sizeof *e);
    if (e == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %d numbers", n);
    memcpy(w, t->d, (size_t)n * sizeof *w);
    memcpy(e, t->e, (size_t)n * sizeof *e);
    int code = laser_tridiagonal_values(n, w, e, err);
    free(e);
    return code;
}

/* Is it less work to compute only these vectors?  (Measured, bench/svd.md: from a fifth to a third of all.)
 * Beyond LAPACK's int there is no other way. */
static int take_some(int n, int count)
{
    return count <= n / 4 || (double)n * n + 4.0 * n + 1 > INT_MAX;
}

int laser_symmetric_vectors(double *a, int n, int first, int end, double *w, double *vectors,
                            struct laser_error *err)
{
    int count = end - first, il = n - end + 1, iu = n - first;
    struct tridiagonal t = {.n = n, .d = malloc(4 * (size_t)n * sizeof(double))};
    if (t.d == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %d numbers", n);
    t.e = t.d + n;
    t.tau = t.e + n;
    double *scratch = t.tau + n;
    t.e[n - 1] = 0;
    int code = tridiagonalise(a, &t, err);
    if (code == LASER_OK)
        code = values_only(&t, w, err);
    if (code == LASER_OK && count > 0)
        code = take_some(n, count) ? some_vectors(&t, il, iu, scratch, vectors, err)
                                   : all_vectors(&t, il, iu, scratch, vectors, err);
    if (code == LASER_OK && count > 0)
        code = transform_back(a, &t, count, vectors, err);
    if (code == LASER_OK)
        reverse_columns(vectors, n, count);
    free(t.d);
    return code;
}
