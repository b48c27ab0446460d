#include "plan/solver_cost.h"

#include "linalg/chase.h"
#include "linalg/lapack.h"
#include "plan/machine.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

static double shorter(int64_t rows, int64_t columns)
{
    return (double)(rows < columns ? rows : columns);
}

static double longer(int64_t rows, int64_t columns)
{
    return (double)(rows < columns ? columns : rows);
}

double laser_solver_flops_gather(enum laser_solver solver, int64_t rows, int64_t columns)
{
    double n = shorter(rows, columns), m = longer(rows, columns);
    return (solver == LASER_SOLVER_GRAM ? 1 : 2) * n * n * m;
}

double laser_solver_flops_values(enum laser_solver solver, int64_t rows, int64_t columns)
{
    double n = shorter(rows, columns);
    return (solver == LASER_SOLVER_GRAM ? 4. : 8.) / 3 * n * n * n;
}

double laser_solver_seconds(double gemm, enum laser_solver solver, int64_t rows, int64_t columns)
{
    double gather = laser_solver_flops_gather(solver, rows, columns), n = shorter(rows, columns);
    double values = laser_solver_flops_values(solver, rows, columns);
    double squares = LASER_SQUARE_SECONDS * LASER_SQUARE_GEMM / gemm * n * n + LASER_CALL_SECONDS;
    if (solver == LASER_SOLVER_GESVD)
        return gather / (LASER_QR_SHARE * gemm) + values / (LASER_BIDIAGONAL_SHARE * gemm) + squares;
    return gather / (LASER_GATHER_SHARE * gemm) +
           values / (LASER_REDUCTION_SHARE * gemm * n / (n + LASER_REDUCTION_HALF)) + squares;
}

int64_t laser_solver_bytes(enum laser_solver solver, int64_t rows, int64_t columns, int64_t slab_bytes)
{
    int64_t n = rows < columns ? rows : columns, row = 8 * n;
    /* panels and band of symmetric.c and chase.c; blocks of reference.c and dgebrd */
    int64_t work = solver == LASER_SOLVER_GRAM ? row * (3 * LASER_BAND + LASER_BAND_COLUMN + 4) : row * 200;
    return row * n + work + (slab_bytes > row ? slab_bytes : row);
}

double laser_solver_measure_gemm(void)
{
    enum { N = 384 };
    const int n = N;
    const double one = 1, zero = 0;
    double *a = calloc(3 * (size_t)N * N, sizeof *a), best = 0;
    if (a == NULL)
        return 0;
    for (int i = 0; i < 2 * N * N; i++)
        a[i] = (double)(i % 7);
    for (int pass = 0; pass < 4; pass++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        dgemm_("N", "N", &n, &n, &n, &one, a, &n, a + N * N, &n, &zero, a + 2 * N * N, &n);
        clock_gettime(CLOCK_MONOTONIC, &end);
        double elapsed_s = (double)(end.tv_sec - start.tv_sec) + 1e-9 * (double)(end.tv_nsec - start.tv_nsec);
        best = fmax(best, 2. * N * N * N / elapsed_s);
    }
    free(a);
    return best;
}
