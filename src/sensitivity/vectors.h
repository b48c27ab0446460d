/* Singular vectors of matrices in files, for products with the hidden states and gradients of a model: one
 * file for each matrix in `work/vectors` of the output directory, mapped into memory by the ranks that need
 * it, so that the ranks of a node share one copy and the system may drop it.
 */
#ifndef LASER_SENSITIVITY_VECTORS_H
#define LASER_SENSITIVITY_VECTORS_H

#include <stdint.h>

#include "base/error.h"
#include "run/run.h"

/* The vectors of one matrix, as stored: matrix = left^T diag(sigma) right, n = min(rows, columns). */
struct laser_singular_vectors {
    int64_t n, rows, columns;
    const double *sigma; /* [n] largest first */
    const float *left;   /* [n, rows]: vector i is row i; 0 where the singular value is */
    const float *right;  /* [n, columns] */
    void *map;
    int64_t map_bytes;
};

/* Local.  The file of one matrix.  Nothing may be redirected in the checkpoint.  LASER_EIO, LASER_ENOMEM, LASER_ENUMERIC (a
 * matrix that is not finite). */
int laser_singular_vectors_make(const struct laser_run *run, int64_t matrix, struct laser_error *err);

/* Rank 0: matrices that have no file yet, *n of them; the caller frees *todo, also after an error. */
int laser_singular_vectors_missing(const struct laser_run *run, int64_t **todo, int64_t *n,
                                   struct laser_error *err);

/* Bytes of all files, and of the memory that one rank needs to make the largest. */
void laser_singular_vectors_cost(const struct laser_run *run, double *file_bytes, double *memory_bytes);

/* Local.  Maps the file of one matrix of run->matrices. */
int laser_singular_vectors_open(const struct laser_run *run, int64_t matrix,
                                struct laser_singular_vectors *vectors, struct laser_error *err);

/* The same of a file of any number n of pairs of vectors: sigma [n] float64, left [n, rows] and right [n, cols]
 * float32; they need not be orthonormal. */
int laser_singular_vectors_read(const struct laser_run *run, int64_t matrix, const char *path,
                                struct laser_singular_vectors *vectors, struct laser_error *err);
void laser_singular_vectors_close(struct laser_singular_vectors *vectors);

#endif
