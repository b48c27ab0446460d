/* Inside mpi/svd: the Gram matrix of the short side, and workspace of ScaLAPACK's routines. */
#ifndef LASER_MPI_SVD_GRAM_H
#define LASER_MPI_SVD_GRAM_H

#include "grid/matrix.h"

/* The short side. */
static inline int64_t laser_mpi_svd_side(const struct laser_mpi_matrix *a)
{
    return a->m < a->n ? a->m : a->n;
}

/* Collective.  Checks that all elements are finite and scales a by 2^*exponent where squares of its elements
 * could leave the range of float64 (*exponent = 0 otherwise); *max is the largest absolute value after that.
 * Agreed error: LASER_ENUMERIC. */
int laser_mpi_svd_scale(struct laser_mpi_matrix *a, double *max, int *exponent, struct laser_error *err);

/* Collective.  Creates *gram: A A^T (m <= n) or A^T A, the lower triangle; the rest is zero.  The caller
 * frees it. Agreed error: LASER_ENOMEM. */
int laser_mpi_svd_gram_create(const struct laser_mpi_matrix *a, struct laser_mpi_matrix *gram,
                              struct laser_error *err);

/* Local.  The length for a workspace that a query answered: with a margin, because answers come back rounded
 * (a float64 for an integer formula) and pdgesvd's are low.  -1 where it leaves int. */
int laser_mpi_svd_workspace(double answer);

#endif
