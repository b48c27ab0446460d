#include "linalg/factors.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "linalg/gram.h"
#include "linalg/lapack.h"

int laser_factors_basis(double *w, int64_t rows, int64_t columns, struct laser_basis *basis,
                        struct laser_error *err)
{
    int64_t n = rows < columns ? rows : columns;
    struct laser_gram gram;
    int code = laser_gram_init(&gram, rows, columns, err);

    memset(basis, 0, sizeof *basis);
    if (code != LASER_OK)
        return code;
    code = laser_gram_add(&gram, w, rows >= columns ? rows : columns, err);
    if (code != LASER_OK) {
        laser_gram_free(&gram);
        return code;
    }
    return laser_basis_init(basis, &gram, 0, n, err);
}

/* Row-major matrices are transposed ones in Fortran's order: A^T = P^T W^T or A = P, B^T = W^T P or B = P^T.
 */
int laser_factors_make(const struct laser_basis *basis, const double *w, const int *select, const double *f,
                       int k, double *a, double *b, struct laser_error *err)
{
    int n = basis->n, rows = (int)basis->rows, columns = (int)basis->columns;
    double one = 1, zero = 0, *p = malloc(((size_t)n * (size_t)k + 1) * sizeof *p);

    if (p == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for %d vectors of %d", k, n);
    if (basis->rows > INT_MAX || basis->columns > INT_MAX || basis->first != 0 || basis->end != n) {
        free(p);
        return laser_error_set(err, LASER_EINTERNAL, NULL, "all %d vectors are needed", n);
    }
    for (int j = 0; j < k; ++j)
        memcpy(p + (size_t)j * (size_t)n, basis->vectors + (size_t)select[j] * (size_t)n,
               (size_t)n * sizeof *p);
    if (basis->rows >= basis->columns) { /* p: V */
        if (k > 0)
            dgemm_("T", "N", &k, &rows, &n, &one, p, &n, w, &columns, &zero, a, &k);
        for (int64_t i = 0; i < rows; ++i)
            for (int j = 0; j < k; ++j)
                a[i * k + j] *= f[j];
        memcpy(b, p, (size_t)n * (size_t)k * sizeof *p);
    } else { /* p: U */
        if (k > 0)
            dgemm_("N", "N", &columns, &k, &rows, &one, w, &columns, p, &n, &zero, b, &columns);
        for (int64_t i = 0; i < rows; ++i)
            for (int j = 0; j < k; ++j)
                a[i * k + j] = f[j] * p[(size_t)j * (size_t)n + (size_t)i];
    }
    free(p);
    return LASER_OK;
}
