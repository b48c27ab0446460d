/* Times the solvers of src/linalg on one thread.
 *
 *   bench_svd gram|gesvd COUNT SHAPE...    SHAPE = ROWSxCOLUMNS; prints "ready", waits for a line on standard
 *                                          input, computes COUNT matrices of every shape, prints "SECONDS
 *                                          CPU_SECONDS CHECKSUM"
 *   bench_svd dgemm                        prints the dgemm rate in Gflop/s
 *   bench_svd parts N...                   prints the parts of the symmetric eigenvalue solver
 *
 * A matrix is held as float32 and widened slab by slab, as a checkpoint's is.
 */
#include "linalg/blas.h"
#include "linalg/gram.h"
#include "linalg/reference.h"
#include "plan/solver_cost.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now_s(clockid_t clock)
{
    struct timespec time;
    clock_gettime(clock, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void fail(const char *text)
{
    fprintf(stderr, "bench_svd: %s\n", text);
    exit(1);
}

/* Noise with a few stronger directions: the shape of trained weights is enough, their values do not change
 * the work. */
static float *make_matrix(int64_t rows, int64_t columns)
{
    float *a = malloc((size_t)(rows * columns) * sizeof *a);
    uint64_t seed = (uint64_t)(rows * 7919 + columns);
    if (a == NULL)
        fail("no memory");
    for (int64_t i = 0; i < rows * columns; i++) {
        double sum = 0;
        for (int part = 0; part < 3; part++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            sum += (double)(seed >> 11) / 9007199254740992.0 - 0.5;
        }
        a[i] = (float)(0.04 * sum +
                       0.02 * cos(0.01 * (double)(i / columns)) * sin(0.02 * (double)(i % columns)));
    }
    return a;
}

static void take_slab(const float *a, int64_t rows, int64_t columns, int64_t first, int64_t count,
                      double *slab)
{
    if (rows >= columns) {
        for (int64_t i = 0; i < count * columns; i++)
            slab[i] = a[first * columns + i];
        return;
    }
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < count; j++)
            slab[i * count + j] = a[i * columns + first + j];
}

static double solve(int gram_route, const float *a, int64_t rows, int64_t columns)
{
    int64_t n = rows < columns ? rows : columns, m = rows < columns ? columns : rows, checked = 0;
    int64_t step = laser_gram_slab(rows, columns, 16 << 20);
    struct laser_gram gram;
    struct laser_reference reference;
    struct laser_error err;
    double *slab = malloc((size_t)(step * n) * sizeof *slab), *s = malloc((size_t)n * sizeof *s), sum = 0;
    if (slab == NULL || s == NULL)
        fail("no memory");
    int code = gram_route ? laser_gram_init(&gram, rows, columns, &err)
                          : laser_reference_init(&reference, rows, columns, &err);
    for (; code == LASER_OK && checked < m; checked += step) {
        int64_t count = m - checked < step ? m - checked : step;
        take_slab(a, rows, columns, checked, count, slab);
        code = gram_route ? laser_gram_add(&gram, slab, count, &err)
                          : laser_reference_add(&reference, slab, count, &err);
    }
    if (code == LASER_OK)
        code = gram_route ? laser_gram_values(&gram, LASER_STAGES_AUTO, s, &err)
                          : laser_reference_values(&reference, s, &err);
    if (code != LASER_OK)
        fail(err.text);
    if (gram_route)
        laser_gram_free(&gram);
    else
        laser_reference_free(&reference);
    for (int64_t i = 0; i < n; i++)
        sum += s[i];
    free(slab);
    free(s);
    return sum;
}

static void run_shapes(int gram_route, int count, char **shapes, int shape_count)
{
    float *matrices[16];
    long long rows[16], columns[16];
    double sum = 0;
    char line[16];
    if (shape_count > 16)
        fail("at most 16 shapes");
    for (int i = 0; i < shape_count; i++) {
        if (sscanf(shapes[i], "%lldx%lld", &rows[i], &columns[i]) != 2 || rows[i] < 1 || columns[i] < 1)
            fail("a shape is ROWSxCOLUMNS");
        matrices[i] = make_matrix(rows[i], columns[i]);
    }
    puts("ready");
    fflush(stdout);
    if (fgets(line, sizeof line, stdin) == NULL)
        fail("no line to start on");
    double start_s = now_s(CLOCK_MONOTONIC), start_cpu_s = now_s(CLOCK_PROCESS_CPUTIME_ID);
    for (int i = 0; i < shape_count; i++)
        for (int pass = 0; pass < count; pass++)
            sum += solve(gram_route, matrices[i], rows[i], columns[i]);
    printf("%.6f %.6f %.9g\n", now_s(CLOCK_MONOTONIC) - start_s,
           now_s(CLOCK_PROCESS_CPUTIME_ID) - start_cpu_s, sum);
    for (int i = 0; i < shape_count; i++)
        free(matrices[i]);
}

/* One and two stages on a symmetric matrix, the best of a few passes. */
static void run_parts(int n)
{
    size_t size = (size_t)n * (size_t)n;
    double *a = malloc(2 * size * sizeof *a), *w = malloc((size_t)n * sizeof *w),
           best[2] = {INFINITY, INFINITY};
    struct laser_error err;
    if (a == NULL || w == NULL)
        fail("no memory");
    for (size_t i = 0; i < size; i++)
        a[i] = sin((double)i * 1.7);
    for (int stages = LASER_STAGES_ONE; stages <= LASER_STAGES_TWO; stages++)
        for (int pass = 0; pass < (n < 1500 ? 5 : 2); pass++) {
            memcpy(a + size, a, size * sizeof *a);
            double start_s = now_s(CLOCK_PROCESS_CPUTIME_ID);
            if (laser_symmetric_values(a + size, n, (enum laser_stages)stages, w, &err) != LASER_OK)
                fail(err.text);
            best[stages - 1] = fmin(best[stages - 1], now_s(CLOCK_PROCESS_CPUTIME_ID) - start_s);
        }
    printf("%d one stage %.4f s, two stages %.4f s, model %.4f s\n", n, best[0], best[1],
           laser_solver_seconds(laser_solver_measure_gemm(), LASER_SOLVER_GRAM, n, n) -
               laser_solver_flops_gather(LASER_SOLVER_GRAM, n, n) / (0.9 * laser_solver_measure_gemm()));
    free(a);
    free(w);
}

int main(int argc, char **argv)
{
    const char *core = laser_blas_better_core();
    if (core != NULL) {
        setenv("OPENBLAS_CORETYPE", core, 1);
        execv("/proc/self/exe", argv);
    }
    if (argc == 2 && strcmp(argv[1], "dgemm") == 0) {
        printf("%.2f\n", 1e-9 * laser_solver_measure_gemm());
    } else if (argc > 2 && strcmp(argv[1], "parts") == 0) {
        for (int i = 2; i < argc; i++)
            run_parts(atoi(argv[i]));
    } else if (argc > 3 && (strcmp(argv[1], "gram") == 0 || strcmp(argv[1], "gesvd") == 0)) {
        run_shapes(strcmp(argv[1], "gram") == 0, atoi(argv[2]), argv + 3, argc - 3);
    } else {
        fail("usage: bench_svd gram|gesvd COUNT SHAPE... | dgemm | parts N...");
    }
    return 0;
}
