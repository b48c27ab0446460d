/* Edits of low rank as two thin matrices, in files of their own beside those of the edited matrices: a model
 * applies them in less time (laser_model_thin).
 */
#ifndef LASER_EVALUATE_THIN_H
#define LASER_EVALUATE_THIN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

/* The matrix is left[rows, k] right[k, columns], as stored, row-major. */
struct laser_thin_factors {
    int64_t rows, columns, k;
    float *left, *right; /* one allocation */
};

/* Do two thin products take at most half of the time of one? */
bool laser_thin_pays(int64_t rows, int64_t columns, int64_t k);

/* Sizes are set and left and right are there, not filled.  LASER_ENOMEM. */
int laser_thin_init(struct laser_thin_factors *thin, int64_t rows, int64_t columns, int64_t k,
                    struct laser_error *err);
void laser_thin_free(struct laser_thin_factors *thin);

/* Local. LASER_EIO, LASER_ENOMEM; LASER_EINPUT: not such a file. */
int laser_thin_write(const char *path, const struct laser_thin_factors *thin, struct laser_error *err);
int laser_thin_read(const char *path, struct laser_thin_factors *thin, struct laser_error *err);

#endif
