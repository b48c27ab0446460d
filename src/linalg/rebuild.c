#include "linalg/basis.h"
#include "linalg/lapack.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>

/* dgesdd of a column-major p x q matrix with thin factors: u p x n, vt n x q. */
static int thin_svd(double *a, int p, int q, double *s, double *u, double *vt, struct laser_error *err)
{
    int n = p < q ? p : q, lwork = -1, info = 0;
    double size = 0;
    int *iwork = malloc(8 * (size_t)n * sizeof *iwork);
    if (iwork == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for dgesdd");
    dgesdd_("S", &p, &q, a, &p, s, u, &p, vt, &n, &size, &lwork, iwork, &info);
    /* the answer is a rounded double: a margin */
    size = size * 1.0001 + 64;
    double *work = size < INT_MAX ? malloc((size_t)size * sizeof *work) : NULL;
    lwork = size < INT_MAX ? (int)size : 0;
    int code = LASER_OK;
    if (work == NULL) {
        code = laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the %.0f numbers that dgesdd needs",
                               size);
    } else {
        dgesdd_("S", &p, &q, a, &p, s, u, &p, vt, &n, work, &lwork, iwork, &info);
        if (info != 0)
            code = laser_error_set(err, LASER_ENUMERIC, NULL, "dgesdd did not converge (info %d)", info);
    }
    free(work);
    free(iwork);
    return code;
}

int laser_rebuild_reference(double *w, int64_t rows, int64_t columns, const double *s_new, double *out,
                            struct laser_error *err)
{
    const double one = 1, zero = 0;
    if (rows < 1 || columns < 1 || rows > INT_MAX || columns > INT_MAX)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "a matrix of %" PRId64 " x %" PRId64 " for dgesdd",
                               rows, columns);
    /* row-major: to LAPACK the transpose, columns x rows */
    int p = (int)columns, q = (int)rows, n = p < q ? p : q;
    double *s = malloc(((size_t)n + (size_t)p * (size_t)n + (size_t)n * (size_t)q) * sizeof *s);
    if (s == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the vectors of a %d x %d matrix", q,
                               p);
    double *u = s + n, *vt = u + (size_t)p * (size_t)n;
    int code = thin_svd(w, p, q, s, u, vt, err);
    for (size_t j = 0; code == LASER_OK && j < (size_t)n; j++)
        for (size_t i = 0; i < (size_t)p; i++)
            u[i + j * (size_t)p] *= s_new[j];
    if (code == LASER_OK)
        dgemm_("N", "N", &p, &q, &n, &one, u, &p, vt, &n, &zero, out, &p);
    free(s);
    return code;
}
