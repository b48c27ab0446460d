/* Singular values of one matrix spread over a process grid.
 *
 * All functions are collective over a->grid: every rank of the group, idle ones too, calls them with the same
 * matrix.  sigma (global, out) has min(m, n) values, largest first, with the same bits on every rank.
 * Repeatable from run to run for a fixed grid; between grids values agree to about min(m, n) * eps *
 * sigma[0]. err (global, out) is written if and only if the result is not LASER_OK.
 *
 * Agreed errors: LASER_ENUMERIC (an element is NaN or infinite: nothing was computed; or the iteration did
 * not converge), LASER_ENOMEM.
 */
#ifndef LASER_MPI_SVD_VALUES_H
#define LASER_MPI_SVD_VALUES_H

#include "grid/matrix.h"

enum laser_mpi_solver {
    LASER_MPI_SOLVER_AUTO, /* gram, then gesvd where gram is not enough */
    LASER_MPI_SOLVER_GRAM,
    LASER_MPI_SOLVER_GESVD
};

/* Are the singular values of the Gram route, count of them, accurate enough for what they are used for?
 * Called on the first rank of the group only; its answer holds for all. */
typedef int laser_mpi_gram_test(void *context, const double *sigma, int64_t count);

/* By the Gram matrix of the short side: pdsyrk, pdsyntrd, then the eigenvalues as in linalg/sturm.h.  The
 * error of sigma[i] is about eps * sigma[0]^2 / sigma[i], at most about sqrt(eps) * sigma[0] (2e-8); what
 * cannot be told from zero is zero (linalg/gram.h).  a is kept (where its elements are beyond 2^+-200 it is
 * scaled and scaled back). */
int laser_mpi_svd_gram(struct laser_mpi_matrix *a, double *sigma, struct laser_error *err);

/* By ScaLAPACK's pdgesvd, after a QR factorisation of a long matrix: backward stable, the reference.  Error
 * about eps * sigma[0] for every value.  a is destroyed. */
int laser_mpi_svd_gesvd(struct laser_mpi_matrix *a, double *sigma, struct laser_error *err);

/* By the solver asked for; with LASER_MPI_SOLVER_AUTO gram first, then gesvd if enough says no.  enough may
 * be NULL: then gram is enough where every value is good to 2e-8 * sigma[0], that is, none is below 1e-7 *
 * sigma[0].  *used (may be NULL) is LASER_MPI_SOLVER_GRAM or _GESVD.  a is destroyed if gesvd was used. */
int laser_mpi_svd_values(struct laser_mpi_matrix *a, enum laser_mpi_solver solver,
                         laser_mpi_gram_test *enough, void *context, double *sigma,
                         enum laser_mpi_solver *used, struct laser_error *err);

#endif
