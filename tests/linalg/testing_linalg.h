/* Matrices with known singular values, for the tests of src/linalg. */
#ifndef LASER_TESTS_TESTING_LINALG_H
#define LASER_TESTS_TESTING_LINALG_H

#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A number in [-1/2, 1/2) of a generator with a 64-bit state. */
static inline double uniform(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (double)(*seed >> 11) / 9007199254740992.0 - 0.5;
}

/* x <- (I - 2 u u^T / u.u) x on both sides, a few times: a matrix with the singular values on its diagonal.
 */
static inline void mix(double *a, int64_t rows, int64_t columns, uint64_t seed)
{
    double *u = malloc((size_t)(rows + columns) * sizeof *u);
    assert_non_null(u);
    for (int pass = 0; pass < 4; pass++) {
        int left = pass & 1;
        int64_t length = left ? rows : columns, others = left ? columns : rows;
        int64_t step = left ? columns : 1, jump = left ? 1 : columns;
        double square = 0;
        for (int64_t i = 0; i < length; i++) {
            u[i] = uniform(&seed);
            square += u[i] * u[i];
        }
        for (int64_t j = 0; j < others; j++) {
            double dot = 0;
            for (int64_t i = 0; i < length; i++)
                dot += u[i] * a[i * step + j * jump];
            for (int64_t i = 0; i < length; i++)
                a[i * step + j * jump] -= 2 * dot / square * u[i];
        }
    }
    free(u);
}

/* rows x columns, row-major, singular values scale * s; the caller frees it. */
static inline double *known_matrix(int64_t rows, int64_t columns, const double *s, double scale)
{
    int64_t n = rows < columns ? rows : columns;
    double *a = calloc((size_t)(rows * columns), sizeof *a);
    assert_non_null(a);
    for (int64_t i = 0; i < n; i++)
        a[i * columns + i] = s[i];
    mix(a, rows, columns, (uint64_t)(rows * 1000 + columns));
    for (int64_t i = 0; i < rows * columns; i++)
        a[i] *= scale;
    return a;
}

/* Copies the slab of `count` rows (rows >= columns) or columns (else) from `first` on out of a. */
static inline void copy_slab(const double *a, int64_t rows, int64_t columns, int64_t first, int64_t count,
                             double *slab)
{
    if (rows >= columns)
        memcpy(slab, a + first * columns, (size_t)(count * columns) * sizeof *slab);
    else
        for (int64_t i = 0; i < rows; i++)
            memcpy(slab + i * count, a + i * columns + first, (size_t)count * sizeof *slab);
}

#endif
