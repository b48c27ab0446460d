/* The scales of FP8 weights: see matrix.h. */
#ifndef LASER_CHECKPOINT_SCALE_H
#define LASER_CHECKPOINT_SCALE_H

#include "checkpoint/matrix.h"

/* The scale of element (i, j) of a tensor (or of one expert of a stack) is
 * values[(i / block_rows) * n_cols + j / block_cols]. */
struct laser_scale {
    double *values; /* NULL: no scale */
    int64_t n_rows;
    int64_t n_cols;
    int64_t block_rows;
    int64_t block_cols;
};

/* Reads the scale of a matrix.  LASER_EINPUT (its shape fits neither of the forms), LASER_EIO, LASER_ENOMEM.
 * Free with laser_scale_free. */
int laser_scale_read(const struct laser_checkpoint *c, const struct laser_matrix *m,
                     struct laser_scale *scale, struct laser_error *err);
void laser_scale_free(struct laser_scale *scale);

/* Multiplies (or divides) n values, which are elements row, col, col+step, ... of the tensor. */
void laser_scale_apply(const struct laser_scale *scale, int64_t row, int64_t col, int64_t step, int64_t n,
                       bool divide, double *values);

#endif
