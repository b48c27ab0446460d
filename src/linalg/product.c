#include "linalg/product.h"

#include "linalg/gram.h"
#include "linalg/reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SLAB_BYTES = 1 << 20 };

/* A matrix, slab by slab; slabs of columns are gathered first. */
static int take(struct laser_reference *reference, const double *a, int64_t rows, int64_t cols,
                struct laser_error *err)
{
    const int64_t longest = rows >= cols ? rows : cols, other = rows >= cols ? cols : rows;
    int64_t step = SLAB_BYTES / 8 / other > 0 ? SLAB_BYTES / 8 / other : 1;
    const int64_t most = laser_gram_slab(rows, cols, SLAB_BYTES);
    double *slab;
    int code = LASER_OK;

    step = step < most ? step : most;
    slab = malloc((size_t)(step * other) * sizeof *slab);
    if (slab == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a slab of a factor");
    for (int64_t at = 0; code == LASER_OK && at < longest; at += step) {
        const int64_t n = longest - at < step ? longest - at : step;

        if (rows >= cols)
            memcpy(slab, a + at * cols, (size_t)(n * cols) * sizeof *slab);
        for (int64_t i = 0; rows < cols && i < rows; i++)
            memcpy(slab + i * n, a + i * cols + at, (size_t)n * sizeof *slab);
        code = laser_reference_add(reference, slab, n, err);
    }
    free(slab);
    return code;
}

/* right becomes L' right; L is lower, in Fortran's order: L' (i, k) = L (k, i), at i + ... * rank. */
static int fold(const struct laser_reference *reference, double *right, int64_t rank, int64_t cols,
                struct laser_error *err)
{
    double *column = malloc((size_t)rank * sizeof *column);

    if (column == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for a column of a factor");
    for (int64_t j = 0; j < cols; j++) {
        for (int64_t i = 0; i < rank; i++) {
            double sum = 0;

            for (int64_t k = i; k < rank; k++)
                sum += reference->factor[k + i * rank] * right[k * cols + j];
            column[i] = ldexp(sum, reference->exponent);
        }
        for (int64_t i = 0; i < rank; i++)
            right[i * cols + j] = column[i];
    }
    free(column);
    return LASER_OK;
}

int laser_product_values(double *left, double *right, int64_t rows, int64_t rank, int64_t cols, double *sigma,
                         struct laser_error *err)
{
    const int64_t n = rows < cols ? rows : cols;
    struct laser_reference reference;
    int code;

    if (rank < 1 || rank > n)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "factors of rank %lld of a matrix of %lld x %lld",
                               (long long)rank, (long long)rows, (long long)cols);
    memset(sigma, 0, (size_t)n * sizeof *sigma);
    code = laser_reference_init(&reference, rows, rank, err);
    if (code != LASER_OK)
        return code;
    code = take(&reference, left, rows, rank, err);
    if (code == LASER_OK)
        code = fold(&reference, right, rank, cols, err);
    laser_reference_free(&reference);
    if (code != LASER_OK)
        return code;
    code = laser_reference_init(&reference, rank, cols, err);
    if (code != LASER_OK)
        return code;
    code = take(&reference, right, rank, cols, err);
    if (code == LASER_OK)
        code = laser_reference_values(&reference, sigma, err);
    laser_reference_free(&reference);
    return code;
}
