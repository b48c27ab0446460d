/* Eigenvectors of a symmetric matrix, for basis.c and the compress module. */
#ifndef LASER_LINALG_EIGEN_H
#define LASER_LINALG_EIGEN_H

#include "base/error.h"

/* a: n x n, lower triangle in Fortran's order; destroyed.  w: n eigenvalues, smallest first.  vectors: n x
 * (end - first), the eigenvectors of the first-largest ... to (end - 1)-largest eigenvalue, 0 = the largest.
 * Up to a quarter of all by dstemr (n x count memory), more by dstedc, which needs another 16 n^2 bytes.
 * LASER_ENOMEM, LASER_ENUMERIC. */
int laser_symmetric_vectors(double *a, int n, int first, int end, double *w, double *vectors,
                            struct laser_error *err);

#endif
