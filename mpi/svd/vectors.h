/* Inside mpi/svd: eigenvectors of a Gram matrix, singular vectors.  Collective over the grid. */
#ifndef LASER_MPI_SVD_VECTORS_H
#define LASER_MPI_SVD_VECTORS_H

#include "grid/matrix.h"

/* By pdsyevd.  gram (in): lower triangle, destroyed.  *w: eigenvalues, ascending; right on rank 0 of the
 * group, allocated on all.  *z: created, column i belongs to w[i].  On success the caller frees both. Agreed
 * errors: LASER_ENOMEM, LASER_ENUMERIC. */
int laser_mpi_svd_eigenvectors(struct laser_mpi_matrix *gram, double **w, struct laser_mpi_matrix *z,
                               struct laser_error *err);

/* By pdgesvd.  a is destroyed.  *s: singular values, largest first, the same on every rank; *u: m x min(m,
 * n), *vt: min(m, n) x n, both created.  On success the caller frees all three. Agreed errors: LASER_ENOMEM
 * (also a workspace beyond ScaLAPACK's int), LASER_ENUMERIC. */
int laser_mpi_svd_vectors(struct laser_mpi_matrix *a, double **s, struct laser_mpi_matrix *u,
                          struct laser_mpi_matrix *vt, struct laser_error *err);

#endif
