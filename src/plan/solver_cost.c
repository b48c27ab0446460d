#include "plan/solver_cost.h"

#include "linalg/chase.h"
#include "linalg/lapack.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

/* Shares of the dgemm rate, and seconds per n^2 for the parts that are not products (chasing and counting),
 * measured where dgemm ran at SQUARE_GEMM. */
#define GATHER_SHARE     0.9
#define REDUCTION_SHARE  0.95
#define REDUCTION_HALF   300.0 /* n at which the reduction runs at half of its best */
#define SQUARE_SECONDS   2e-8
#define SQUARE_GEMM      65e9
#define QR_SHARE         0.5
#define BIDIAGONAL_SHARE 0.15
#define CALL_SECONDS     2e-5

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
    double squares = SQUARE_SECONDS * SQUARE_GEMM / gemm * n * n + CALL_SECONDS;
    if (solver == LASER_SOLVER_GESVD)
        return gather / (QR_SHARE * gemm) + values / (BIDIAGONAL_SHARE * gemm) + squares;
    return gather / (GATHER_SHARE * gemm) + values / (REDUCTION_SHARE * gemm * n / (n + REDUCTION_HALF)) +
           squares;
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
