/* W' = sum over i of ratio[i] * sigma[i] * u_i * v_i^T: a matrix with changed singular values.
 *
 * A hard cut at rank k is ratio = 1 for i < k, else 0; shrinkage has values in between.  The eigenvectors of
 * the Gram matrix of the short side are enough: W' = Z diag(ratio) Z^T W.  Where fewer ratios differ from 1
 * than from 0 the difference W' - W is formed instead.
 */
#ifndef LASER_MPI_SVD_REBUILD_H
#define LASER_MPI_SVD_REBUILD_H

#include "grid/matrix.h"

enum laser_mpi_rebuild_route {
    LASER_MPI_REBUILD_GRAM, /* pdsyevd of the Gram matrix */
    LASER_MPI_REBUILD_GESVD /* pdgesvd with vectors: several times slower */
};

/* Collective over a->grid.
 *
 *   a      (global, in and out)  m x n float64; W on entry, W' on success, undefined after an error
 *   ratio  (global, in)          min(m, n) factors, for the largest singular value first; the same on every rank
 *   route  (global, out)         how it was done; may be NULL
 *
 * The eigenvectors of the Gram matrix mix neighbours i and i+1 by an angle of about
 * eps * sigma[0]^2 / (sigma[i]^2 - sigma[i+1]^2).  Where a step in ratio falls between two such neighbours
 * and the product of step, sigma[i] and angle exceeds 2e-8 * |W'|_F, pdgesvd does it, if its own angle, eps *
 * sigma[0] / (sigma[i] - sigma[i+1]), is ten times better; between equal singular values W' is not unique and
 * no route is better than another.
 *
 * Agreed errors: LASER_ENUMERIC (an element is NaN or infinite, no convergence, a ratio that is not finite),
 * LASER_ENOMEM. */
int laser_mpi_svd_rebuild(struct laser_mpi_matrix *a, const double *ratio,
                          enum laser_mpi_rebuild_route *route, struct laser_error *err);

#endif
