/* Scales (and zero points) of weights whose codes stand row by row: one for all, one a row, one a column, or
 * one a block. */
#ifndef LASER_CHECKPOINT_SCALE_H
#define LASER_CHECKPOINT_SCALE_H

#include "checkpoint/coded.h"

/* The scale of element (i, j) of one matrix is values[(i / block_rows - line0) * n_cols + j / block_cols]. */
struct laser_scale {
    double *values;
    int64_t line0;
    int64_t n_rows;
    int64_t n_cols;
    int64_t block_rows;
    int64_t block_cols;
};

/* Reads what rows row0 ... of the matrix `slice` of a weight need of its scale s.  LASER_EINPUT (its shape
 * fits none of the forms; a value that is not finite; one scale for all that is zero), LASER_EIO,
 * LASER_ENOMEM.  Free with laser_scale_free. */
int laser_scale_read(const struct laser_checkpoint *c, const struct laser_tensor *weight,
                     const struct laser_tensor *s, const struct laser_coded_window *w,
                     struct laser_scale *scale, struct laser_error *err);
void laser_scale_free(struct laser_scale *scale);

/* The line of scales of row i. */
static inline const double *laser_scale_line(const struct laser_scale *scale, int64_t i)
{
    return scale->values + (i / scale->block_rows - scale->line0) * scale->n_cols;
}

#endif
