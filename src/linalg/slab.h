/* What the accumulators of this module share: the shape of a slab, its test for NaN and infinity, and scaling
 * by powers of two.  Private to the module. */
#ifndef LASER_LINALG_SLAB_H
#define LASER_LINALG_SLAB_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

/* Entries within 2^-LASER_SAFE ... 2^LASER_SAFE need no scaling: their squares and the sums of them stay far
 * from the limits of a double, and what underflows beside them is beyond the last digit. */
#define LASER_SAFE 300

/* A matrix that arrives in slabs. */
struct laser_slabs {
    int64_t rows, columns, taken;
    int n, by_rows;
};

/* LASER_EINPUT for an empty matrix or one whose short side is beyond LAPACK's int. */
int laser_slabs_init(struct laser_slabs *slabs, int64_t rows, int64_t columns, struct laser_error *err);

/* Tests the next slab and returns its largest |entry|.  LASER_ENUMERIC, LASER_EINTERNAL as laser_gram_add. */
int laser_slabs_check(const struct laser_slabs *slabs, const double *slab, int64_t count, double *largest,
                      struct laser_error *err);

/* LASER_EINTERNAL unless all of the matrix has come. */
int laser_slabs_complete(const struct laser_slabs *slabs, struct laser_error *err);

/* The exponent to scale by when the largest entry so far was in 2^exponent (empty: none but zeros) and
 * `largest` arrives: unchanged unless squares would leave the range. */
int laser_scale_choose(int exponent, int empty, double largest);

/* x <- 2^exponent x, exact but for underflow. */
void laser_scale(double *x, size_t count, int exponent);

#endif
