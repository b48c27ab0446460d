/* A float64 matrix spread block-cyclically over a process grid, ScaLAPACK's way: m x n, column-major local
 * blocks, square blocks of nb.
 *
 * A weight is stored row by row, rows x cols.  Its bytes, read as columns, are the transpose: loading keeps
 * that order, so that a stored weight of rows x cols becomes a matrix of m = cols, n = rows.  Singular values
 * do not care, and storing goes back the same way.
 */
#ifndef LASER_MPI_GRID_MATRIX_H
#define LASER_MPI_GRID_MATRIX_H

#include <stdint.h>

#include "base/error.h"
#include "grid/grid.h"

struct laser_mpi_matrix {
    const struct laser_mpi_grid *grid; /* borrowed */
    const char *name;                  /* for errors; borrowed, may be NULL */
    int64_t m, n;                      /* global; m = stored columns, n = stored rows */
    int nb;
    int mloc, nloc; /* local; 0 on ranks that hold nothing */
    int lld;        /* max(1, mloc) */
    int desc[9];    /* ScaLAPACK's descriptor; desc[1] = -1 on a rank that idles */
    double *a;      /* local block, lld x nloc; owned; NULL where empty */
};

/* Collective over grid->comm.  The elements are undefined.
 * Agreed errors: LASER_EINPUT (a side < 1 or beyond ScaLAPACK's int), LASER_ENOMEM (no memory, or a local
 * block of 2^31 elements or more, which ScaLAPACK cannot index: the text says that more ranks help). */
int laser_mpi_matrix_create(const struct laser_mpi_grid *grid, const char *name, int64_t m, int64_t n, int nb,
                            struct laser_mpi_matrix *a, struct laser_error *err);

/* Local.  A zeroed matrix is fine. */
void laser_mpi_matrix_free(struct laser_mpi_matrix *a);

/* Reads stored rows row0 .. row0+nrows-1, widened to float64, into dst (nrows x cols, row-major).  Called on
 * one rank at a time or on several at once, for different rows; never for the same row twice in one load. */
typedef int laser_mpi_read_rows(void *context, int64_t row0, int64_t nrows, double *dst,
                                struct laser_error *err);

/* Takes stored rows row0 .. row0+nrows-1 (nrows x cols, row-major).  Each row is given out on exactly one
 * rank. */
typedef int laser_mpi_write_rows(void *context, int64_t row0, int64_t nrows, const double *src,
                                 struct laser_error *err);

/* Collective over the grid.  Every rank of the group, idle ones too, reads a contiguous range of the stored
 * rows, in slabs of at most LASER_MPI_SLAB_BYTES (one row at least), and the slabs are spread. Agreed errors:
 * those of read; LASER_ENUMERIC where an element is NaN or infinite (the text gives its row and column);
 * LASER_ENOMEM.  After an error the elements are undefined. */
int laser_mpi_matrix_load(struct laser_mpi_matrix *a, laser_mpi_read_rows *read, void *context,
                          struct laser_error *err);

/* Collective over the grid; the inverse of laser_mpi_matrix_load, the same ranges of rows on the same ranks,
 * each rank's in ascending order.  The matrix is left as it is.  Agreed errors: those of write, LASER_ENOMEM.
 */
int laser_mpi_matrix_store(const struct laser_mpi_matrix *a, laser_mpi_write_rows *write, void *context,
                           struct laser_error *err);

#define LASER_MPI_SLAB_BYTES (16 << 20)

/* Collective over the grid.  The largest absolute value, the same on every rank.
 * Agreed error: LASER_ENUMERIC where an element is NaN or infinite, with its stored row and column. */
int laser_mpi_matrix_maxabs(const struct laser_mpi_matrix *a, double *max, struct laser_error *err);

/* Local: multiplies by 2^exponent, exactly unless the result underflows. */
void laser_mpi_matrix_scale(struct laser_mpi_matrix *a, int exponent);

#endif
