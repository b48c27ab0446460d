/* Matrices for the tests of mpi/grid and mpi/svd.  Every rank makes the whole (small) matrix. */
#ifndef LASER_TESTS_TESTING_GRID_H
#define LASER_TESTS_TESTING_GRID_H

#include <mpi.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "grid/matrix.h"

/* rows x cols, row-major, as in a file. */
struct stored {
    int64_t rows, cols;
    double *data;
    int64_t fail_row; /* reading or writing this row fails; -1 for none */
    int *touched;     /* how often each row was read or written on this rank */
};

/* Seeded: uniform in (-1, 1). */
double stored_random(uint64_t *seed);

struct stored *stored_new(int64_t rows, int64_t cols, uint64_t seed);

/* With the given singular values (min(rows, cols) of them) and random singular vectors (products of three
 * Householder reflections on each side). */
struct stored *stored_with_values(int64_t rows, int64_t cols, const double *sigma, uint64_t seed);
void stored_free(struct stored *s);

laser_mpi_read_rows stored_read;
laser_mpi_write_rows stored_write;

/* A grid and, loaded on it, the matrix.  With nprow = 0 the grid is the one that layout/gridshape picks. */
struct spread {
    struct laser_mpi_grid grid;
    struct laser_mpi_matrix a;
};
int spread_open(struct spread *s, MPI_Comm comm, struct stored *w, int nprow, int npcol, int nb,
                struct laser_error *err);
void spread_close(struct spread *s);

/* Collective over MPI_COMM_WORLD: true on every rank if true on all, so that a failed test fails everywhere.
 */
int all_ranks(int condition);

/* Collective: are these bytes the same on every rank? */
int same_on_all(const void *data, size_t bytes);

int world_size(void);
int world_rank(void);

/* MPI_Init, the tests, MPI_Finalize; only rank 0 prints results. */
#define GRID_MAIN(tests)                                                                                     \
    int main(int argc, char **argv)                                                                          \
    {                                                                                                        \
        int failed;                                                                                          \
                                                                                                             \
        MPI_Init(&argc, &argv);                                                                              \
        failed = cmocka_run_group_tests(tests, NULL, NULL);                                                  \
        MPI_Finalize();                                                                                      \
        return failed;                                                                                       \
    }

#endif
