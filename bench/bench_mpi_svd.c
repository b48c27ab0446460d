/* Seconds of every route of mpi/svd on one matrix: mpirun -n RANKS bench_mpi_svd ROWS COLS [REPEATS [gesvd]]
 *
 * Prints one line: rows x columns, ranks, grid, nb, then the minimum over the repeats of load, gram, rebuild
 * at half the rank, store, and (only with the word gesvd) gesvd.  The matrix is noise of falling size plus
 * one strong signal.
 */
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "layout/gridshape.h"
#include "svd/rebuild.h"
#include "svd/values.h"

enum step { LOAD, GRAM, REBUILD, STORE, GESVD, STEPS };

static int64_t columns;

static int fill(void *context, int64_t row0, int64_t nrows, double *dst, struct laser_error *err)
{
    int64_t i, j;

    (void)context;
    (void)err;
    for (i = 0; i < nrows; i++) {
        uint64_t seed = (uint64_t)(row0 + i + 1) * 0x9E3779B97F4A7C15u;

        for (j = 0; j < columns; j++) {
            seed = seed * 6364136223846793005u + 1442695040888963407u;
            dst[i * columns + j] =
                ((double)(seed >> 11) / 9007199254740992.0 - 0.5) / (1 + 0.001 * (double)j) +
                (double)((row0 + i) % 7) * (double)(j % 5) * 0.01;
        }
    }
    return LASER_OK;
}

static int drop(void *context, int64_t row0, int64_t nrows, const double *src, struct laser_error *err)
{
    (void)context;
    (void)row0;
    (void)nrows;
    (void)src;
    (void)err;
    return LASER_OK;
}

static double since(double start_s)
{
    MPI_Barrier(MPI_COMM_WORLD);
    return laser_clock_s() - start_s;
}

static int one_pass(struct laser_mpi_matrix *a, double *sigma, double *ratio, int with_gesvd, double *best_s,
                    struct laser_error *err)
{
    int64_t side = a->m < a->n ? a->m : a->n, i;
    double start_s = since(0), t[STEPS] = {0};
    int code, s;

    for (i = 0; i < side; i++)
        ratio[i] = i < side / 2;
    code = laser_mpi_matrix_load(a, fill, NULL, err);
    t[LOAD] = since(start_s);
    start_s = since(0);
    if (code == LASER_OK)
        code = laser_mpi_svd_gram(a, sigma, err);
    t[GRAM] = since(start_s);
    start_s = since(0);
    if (code == LASER_OK)
        code = laser_mpi_svd_rebuild(a, ratio, NULL, err);
    t[REBUILD] = since(start_s);
    start_s = since(0);
    if (code == LASER_OK)
        code = laser_mpi_matrix_store(a, drop, NULL, err);
    t[STORE] = since(start_s);
    if (code == LASER_OK && with_gesvd) {
        code = laser_mpi_matrix_load(a, fill, NULL, err);
        start_s = since(0);
        if (code == LASER_OK)
            code = laser_mpi_svd_gesvd(a, sigma, err);
        t[GESVD] = since(start_s);
    }
    for (s = 0; s < STEPS; s++)
        best_s[s] = t[s] < best_s[s] ? t[s] : best_s[s];
    return code;
}

int main(int argc, char **argv)
{
    double best_s[STEPS] = {1e9, 1e9, 1e9, 1e9, 1e9}, *sigma, *ratio;
    struct laser_grid_shape shape;
    struct laser_mpi_grid grid;
    struct laser_mpi_matrix a;
    struct laser_error err = {0};
    int64_t rows;
    int ranks, rank, repeats, code;

    MPI_Init(&argc, &argv);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    rows = argc > 2 ? atoll(argv[1]) : 576;
    columns = argc > 2 ? atoll(argv[2]) : 1536;
    repeats = argc > 3 ? atoi(argv[3]) : 3;
    shape = laser_layout_gridshape(columns, rows, ranks);
    sigma = malloc((size_t)(rows + columns) * sizeof *sigma);
    ratio = malloc((size_t)(rows + columns) * sizeof *ratio);
    code = sigma == NULL || ratio == NULL ? LASER_ENOMEM : LASER_OK;
    if (code == LASER_OK)
        code = laser_mpi_grid_create(MPI_COMM_WORLD, shape.nprow, shape.npcol, &grid, &err);
    if (code == LASER_OK)
        code = laser_mpi_matrix_create(&grid, "bench", columns, rows, shape.nb, &a, &err);
    while (code == LASER_OK && repeats-- > 0)
        code = one_pass(&a, sigma, ratio, argc > 4, best_s, &err);
    if (rank == 0 && code == LASER_OK)
        printf("%lld x %lld, %d ranks, %d x %d grid, nb %d: load %.4f gram %.4f rebuild %.4f store %.4f "
               "gesvd %.4f\n",
               (long long)rows, (long long)columns, ranks, shape.nprow, shape.npcol, shape.nb, best_s[LOAD],
               best_s[GRAM], best_s[REBUILD], best_s[STORE], best_s[GESVD]);
    if (rank == 0 && code != LASER_OK)
        fprintf(stderr, "%s\n", err.text);
    MPI_Finalize();
    return code;
}
