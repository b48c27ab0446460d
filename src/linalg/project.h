/* Many edits of one matrix from one decomposition, slab by slab.
 *
 * P = W V or U^T W, the matrix in the coordinates of the basis's vectors, is computed once; an edit s ->
 * s_new is then base W + (P diag(f - base)) V^T over the vectors whose factor f = s_new / s differs from that
 * of all others (base: 0 or 1): 2 m n k flops for a cut at rank k, where the filter n x n of linalg/basis.h
 * takes 2 m n^2.
 */
#ifndef LASER_LINALG_PROJECT_H
#define LASER_LINALG_PROJECT_H

#include "linalg/basis.h"

/* One slab as in laser_filter_apply.  rows >= columns: slab is count x columns, projected count x r; rows <
 * columns: slab is rows x count, projected r x count; row-major, r = basis->end - basis->first.
 * LASER_EINTERNAL for a count beyond LAPACK's int. */
int laser_basis_project(const struct laser_basis *basis, const double *slab, int64_t count, double *projected,
                        struct laser_error *err);

/* The edited slab, out, of the shape of `slab`, which may be out itself.  scratch: as large as projected.
 * s_new as in laser_basis_filter.  LASER_EINTERNAL as there. */
int laser_basis_edit(const struct laser_basis *basis, const double *s_new, const double *slab,
                     const double *projected, int64_t count, double *scratch, double *out,
                     struct laser_error *err);

#endif
