/* Product of a symmetric matrix with a panel of LASER_BAND columns, for the reduction to a band.
 *
 * BLAS's dsymm reads a symmetric matrix once but spends a third of its time packing it when the other factor
 * is this narrow.  With AVX-512 a kernel of three rows by the whole panel keeps 24 accumulators in registers
 * and uses each tile of the triangle for both of its places; other machines go by dsymm and dgemm.
 */
#ifndef LASER_LINALG_PANEL_H
#define LASER_LINALG_PANEL_H

#include <stddef.h>

/* Doubles of workspace for p rows. */
size_t laser_panel_work(int p);

/* y = A v: A p x p, its lower triangle at a with leading dimension lda; v, y p x LASER_BAND with leading
 * dimension ld; all in Fortran's order.  work: laser_panel_work(p) doubles. */
void laser_panel_multiply(const double *a, int lda, int p, const double *v, double *y, int ld, double *work);

#endif
