/* Singular vectors of the short side, and matrices with changed singular values.
 *
 * With W = U S V^T and factors f_i = S_new,i / S_i the edited matrix is W V diag(f) V^T (rows >= columns) or
 * U diag(f) U^T W (rows < columns): only the vectors of the short side are needed, which are the eigenvectors
 * of the Gram matrix, and of those only the ones where f is neither the value of all others, 0 or 1.
 *
 * The vectors of the Gram matrix are off by angles of about eps |G| / (S_i^2 - S_j^2): laser_basis_error
 * bounds what that makes of a given edit; where it is too much, laser_rebuild_reference goes by dgesdd.
 */
#ifndef LASER_LINALG_BASIS_H
#define LASER_LINALG_BASIS_H

#include "base/error.h"
#include "linalg/gram.h"

#include <stdint.h>

struct laser_basis {
    int64_t rows, columns;
    int n;              /* short side */
    int by_rows;        /* 1 if the vectors are those of the columns (V), 0 if those of the rows (U) */
    int64_t first, end; /* vectors first <= i < end are there, i = 0 for the largest value */
    double *s;          /* n singular values, largest first */
    double *vectors;    /* n x (end - first), vector i at column i - first, Fortran's order */
};

/* The range of vectors that the edit s -> s_new needs; empty for the edit that changes nothing or zeroes all.
 */
void laser_basis_range(const double *s, const double *s_new, int64_t n, int64_t *first, int64_t *end);

/* Vectors first ... end - 1 and all values from a complete Gram matrix, which is destroyed and freed, also
 * after an error.  Memory beside G: 8 n (end - first) bytes; another 16 n^2 where more than a quarter of all
 * are asked for. LASER_ENOMEM, LASER_ENUMERIC (no convergence), LASER_EINTERNAL (an incomplete G). */
int laser_basis_init(struct laser_basis *basis, struct laser_gram *gram, int64_t first, int64_t end,
                     struct laser_error *err);
void laser_basis_free(struct laser_basis *basis);

/* Estimated |error| / |result|, Frobenius norms, of the edit s -> s_new by these vectors.  Above
 * about 1e-7 take laser_rebuild_reference. */
double laser_basis_error(const struct laser_basis *basis, const double *s_new);

/* filter: n x n, symmetric: V diag(f) V^T or U diag(f) U^T.  s_new: n values; those outside first ... end - 1
 * must be all zero or all unchanged (LASER_EINTERNAL otherwise).  LASER_ENOMEM. */
int laser_basis_filter(const struct laser_basis *basis, const double *s_new, double *filter,
                       struct laser_error *err);

/* One slab of the edited matrix: rows >= columns: in, out are count x columns (out = in F); rows < columns:
 * rows x count (out = F in); row-major.  Sizes beyond LAPACK's int: LASER_EINTERNAL. */
int laser_filter_apply(const struct laser_basis *basis, const double *filter, const double *in, int64_t count,
                       double *out, struct laser_error *err);

/* The edited matrix in factors, W_new = A B with A rows x k and B k x columns, row-major, k = number of
 * values that s_new keeps, which must be 0 ... k - 1 and among the vectors.  The factor of the short side
 * does not see W:
 *   rows >= columns  A = W V_k diag(f) (slab by slab: `count` rows), B = V_k^T
 *   rows <  columns  A = U_k diag(f), B = U_k^T W (slab by slab: `count` columns, k x count)
 */
int laser_basis_short_factor(const struct laser_basis *basis, const double *s_new, int64_t k, double *factor,
                             struct laser_error *err);
int laser_basis_long_factor(const struct laser_basis *basis, const double *s_new, int64_t k,
                            const double *slab, int64_t count, double *factor, struct laser_error *err);

/* out = U diag(s_new) V^T from dgesdd with vectors: rows x columns, row-major, w is destroyed.  Memory: about
 * 8 (5 n^2 + n m) bytes.  The reference; several times slower.  LASER_ENOMEM, LASER_ENUMERIC,
 * LASER_EINTERNAL. */
int laser_rebuild_reference(double *w, int64_t rows, int64_t columns, const double *s_new, double *out,
                            struct laser_error *err);

#endif
