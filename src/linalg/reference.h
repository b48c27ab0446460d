/* Singular values by orthogonal transformations alone: the reference route.
 *
 * A sequential QR (or LQ) factorisation takes the matrix slab by slab into one n x n triangle (Demmel,
 * Grigori, Hoemmen and Langou, SIAM J. Sci. Comput. 34, 2012: the flat tree), then dgesvd computes the
 * triangle's singular values.  Backward stable throughout: S is right to a modest multiple of eps * S[0]
 * however small it is. Two to ten times slower than the Gram route.
 *
 * Memory: 8 n^2 bytes for the triangle, and about 0.6 MB per 1000 columns of workspace; slabs belong to the
 * caller.
 */
#ifndef LASER_LINALG_REFERENCE_H
#define LASER_LINALG_REFERENCE_H

#include "base/error.h"
#include "linalg/slab.h"

#include <stdint.h>

struct laser_reference {
    struct laser_slabs slabs;
    int exponent;   /* the triangle is 2^-exponent times the true one */
    double *factor; /* n x n: L (slabs of rows, lower) or R (slabs of columns, upper) in Fortran's order */
    double *work;
};

/* As laser_gram_init; the slabs are those of laser_gram_add too, but destroyed.  The same errors. */
int laser_reference_init(struct laser_reference *reference, int64_t rows, int64_t columns,
                         struct laser_error *err);
void laser_reference_free(struct laser_reference *reference);
int laser_reference_add(struct laser_reference *reference, double *slab, int64_t count,
                        struct laser_error *err);

/* The n singular values, largest first; destroys the triangle.  LASER_ENUMERIC if dgesvd does not converge,
 * LASER_ENOMEM, LASER_EINTERNAL if part of the matrix is missing. */
int laser_reference_values(struct laser_reference *reference, double *s, struct laser_error *err);

#endif
