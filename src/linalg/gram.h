/* Singular values by the Gram matrix of the short side, with memory that does not depend on the long side.
 *
 * G = A^T A or A A^T, n x n with n = min(rows, columns), is gathered from slabs, then S = sqrt(eigenvalues of
 * G). The fast route: about n^2 m flops to gather and 4/3 n^3 to tridiagonalise.  Squaring limits it: an
 * error of some eps * S[0]^2 in G moves a value S by eps S[0]^2 / (2 S), and by sqrt(eps) S[0] at most;
 * accuracy.h says when that is not enough.
 *
 * Scale does not matter: G is kept times a power of two, changed exactly when a larger entry arrives, so that
 * neither entries of 1e-170 nor of 1e300 leave the range of a double when squared.
 *
 * Memory: 8 n^2 bytes, and about 3700 n bytes more during laser_gram_values; slabs belong to the caller.
 */
#ifndef LASER_LINALG_GRAM_H
#define LASER_LINALG_GRAM_H

#include "base/error.h"
#include "linalg/slab.h"
#include "linalg/symmetric.h"

#include <stdint.h>

struct laser_gram {
    struct laser_slabs slabs; /* shape, and how much of the matrix has come */
    int exponent;             /* G = 2^(-2 exponent) times the true Gram matrix */
    double *g;                /* n x n, leading dimension n, the lower triangle in Fortran's order */
};

/* rows, columns >= 1.  LASER_EINPUT for an empty matrix or a short side beyond LAPACK's int, LASER_ENOMEM. */
int laser_gram_init(struct laser_gram *gram, int64_t rows, int64_t columns, struct laser_error *err);
void laser_gram_free(struct laser_gram *gram);

/* How many rows (rows >= columns) or columns (else) a slab of about slab_bytes holds, at least 1. */
int64_t laser_gram_slab(int64_t rows, int64_t columns, int64_t slab_bytes);

/* Adds a slab.  rows >= columns: slab holds the next `count` rows, row-major count x columns.  rows <
 * columns: slab holds the next `count` columns of all rows, row-major rows x count.  The slab may be scaled
 * in place. LASER_ENUMERIC where an entry is NaN or infinite (the text names its row and column; G is
 * unchanged), LASER_EINTERNAL where more is given than the matrix has. */
int laser_gram_add(struct laser_gram *gram, double *slab, int64_t count, struct laser_error *err);

/* The n singular values, largest first; destroys G.  LASER_ENOMEM, LASER_ENUMERIC (no convergence),
 * LASER_EINTERNAL if part of the matrix is missing. */
int laser_gram_values(struct laser_gram *gram, enum laser_stages stages, double *s, struct laser_error *err);

/* The two steps around an eigenvalue solver.  normalise scales G to entries of about 1 and returns the
 * exponent e with which roots turns n ascending eigenvalues into the singular values, largest first, times
 * 2^e. */
int laser_gram_normalise(struct laser_gram *gram);
void laser_gram_roots(double *w, int n, int exponent);

/* Largest |x| of count numbers, or NaN / Infinity where one is; *where (may be NULL) is then its position. */
double laser_largest_entry(const double *x, int64_t count, int64_t *where);

#endif
