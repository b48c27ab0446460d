#include "checkpoint/scale.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int64_t blocks(int64_t extent, int64_t block)
{
    return (extent + block - 1) / block;
}

/* Which of the forms a scale of shape a x b has; block_rows = 0 on return if none. */
static void recognise(const struct laser_coded *k, int64_t a, int64_t b, struct laser_scale *scale)
{
    *scale = (struct laser_scale){NULL, 0, a, b, 0, 0};
    if (a == 1 && b == 1) {
        scale->block_rows = k->rows;
        scale->block_cols = k->cols;
    } else if (a == k->rows && b == 1) {
        scale->block_rows = 1;
        scale->block_cols = k->cols;
    } else if (a == 1 && b == k->cols) {
        scale->block_rows = k->rows;
        scale->block_cols = 1;
    } else if (a == blocks(k->rows, k->block_rows) && b == blocks(k->cols, k->block_cols)) {
        scale->block_rows = k->block_rows;
        scale->block_cols = k->block_cols;
    }
}

static int wrong_shape(const struct laser_coded *k, const struct laser_tensor *s, struct laser_error *err)
{
    char shape[128] = "[";

    for (int d = 0; d < s->n_dims; d++)
        snprintf(shape + strlen(shape), sizeof shape - strlen(shape), "%s%lld", d > 0 ? ", " : "",
                 (long long)s->shape[d]);
    return laser_error_set(
        err, LASER_EINPUT, s->name,
        "this scale of shape %s] fits neither one value, one a row nor blocks of %lld x %lld "
        "of the weight of %lld x %lld",
        shape, (long long)k->block_rows, (long long)k->block_cols, (long long)k->rows, (long long)k->cols);
}

static int check_values(const struct laser_tensor *s, const struct laser_scale *scale, int64_t n,
                        struct laser_error *err)
{
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(scale->values[i]))
            return laser_error_set(err, LASER_EINPUT, s->name, "scale %lld is %g, expected a finite number",
                                   (long long)(scale->line0 * scale->n_cols + i), scale->values[i]);
    }
    return LASER_OK;
}

int laser_scale_read(const struct laser_checkpoint *c, const struct laser_tensor *weight,
                     const struct laser_tensor *s, const struct laser_coded_window *w,
                     struct laser_scale *scale, struct laser_error *err)
{
    const struct laser_coded *k = weight->coded;
    const bool stacked = k->slices > 1 && s->n_dims >= 1 && s->shape[0] == k->slices;
    const int n_dims = s->n_dims - stacked;
    const int64_t *shape = s->shape + stacked;
    int64_t last, skip;
    int code;

    memset(scale, 0, sizeof *scale);
    if (n_dims <= 2)
        recognise(k, n_dims >= 1 ? shape[0] : 1, n_dims == 2 ? shape[1] : 1, scale);
    if (scale->block_rows == 0)
        return wrong_shape(k, s, err);
    skip = stacked ? w->slice * scale->n_rows : 0;
    scale->line0 = w->row0 / scale->block_rows;
    last = (w->row0 + w->n_rows - 1) / scale->block_rows;
    code = laser_coded_doubles(c, s, scale->n_cols, skip + scale->line0, last - scale->line0 + 1, 0,
                               scale->n_cols, &scale->values, err);
    if (code == LASER_OK)
        code = check_values(s, scale, (last - scale->line0 + 1) * scale->n_cols, err);
    if (code != LASER_OK)
        laser_scale_free(scale);
    return code;
}

void laser_scale_free(struct laser_scale *scale)
{
    free(scale->values);
    scale->values = NULL;
}
