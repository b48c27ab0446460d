/* Singular values of a product of two thin factors, without the product. */
#ifndef LASER_LINALG_PRODUCT_H
#define LASER_LINALG_PRODUCT_H

#include "base/error.h"

#include <stdint.h>

/* The singular values of left (rows x rank) times right (rank x cols), both row-major, largest first: rank of
 * them, and zeros up to min(rows, cols). left = Q L' by a QR factorisation, so that the values are those of
 * L' right, which is rank x cols; both steps are those of reference.h, and as stable.  rank <= min(rows,
 * cols).  Both factors are destroyed. LASER_ENUMERIC, LASER_ENOMEM. */
int laser_product_values(double *left, double *right, int64_t rows, int64_t rank, int64_t cols, double *sigma,
                         struct laser_error *err);

#endif
