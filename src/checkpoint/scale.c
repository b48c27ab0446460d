#include "checkpoint/scale.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_BLOCK 128

static int64_t blocks(int64_t extent, int64_t block)
{
    return (extent + block - 1) / block;
}

/* quantization_config.weight_block_size = [rows, columns] */
static void configured_block(const struct laser_checkpoint *c, int64_t *rows, int64_t *cols)
{
    const json_t *size =
        json_object_get(json_object_get(c->config, "quantization_config"), "weight_block_size");
    const json_int_t r = json_integer_value(json_array_get(size, 0));
    const json_int_t k = json_integer_value(json_array_get(size, 1));

    *rows = r > 0 && r <= INT32_MAX ? r : DEFAULT_BLOCK;
    *cols = k > 0 && k <= INT32_MAX ? k : DEFAULT_BLOCK;
}

/* Which of the forms the scale tensor has for a weight of rows x cols; 0-sized on return if none. */
static void recognise(const struct laser_checkpoint *c, const int64_t *shape, int n_dims, int64_t rows,
                      int64_t cols, struct laser_scale *scale)
{
    const int64_t a = n_dims >= 1 ? shape[0] : 1;
    const int64_t b = n_dims >= 2 ? shape[1] : 1;
    int64_t block_rows, block_cols;

    configured_block(c, &block_rows, &block_cols);
    *scale = (struct laser_scale){NULL, a, b, 0, 0};
    if (n_dims > 2)
        return;
    if (a == 1 && b == 1) {
        scale->block_rows = rows;
        scale->block_cols = cols;
    } else if (a == rows && b == 1) {
        scale->block_rows = 1;
        scale->block_cols = cols;
    } else if (a == 1 && b == cols) {
        scale->block_rows = rows;
        scale->block_cols = 1;
    } else if (n_dims == 2 && a == blocks(rows, block_rows) && b == blocks(cols, block_cols)) {
        scale->block_rows = block_rows;
        scale->block_cols = block_cols;
    }
}

/* E8M0: an exponent and nothing else; 255 is NaN. */
static void powers_of_two(const unsigned char *raw, int64_t n, double *values)
{
    for (int64_t i = 0; i < n; i++)
        values[i] = raw[i] == 255 ? NAN : ldexp(1, raw[i] - 127);
}

static int read_values(const struct laser_checkpoint *c, const struct laser_tensor *s, int64_t first,
                       int64_t n, struct laser_scale *scale, struct laser_error *err)
{
    const int64_t size = (int64_t)laser_dtype_size(s->dtype);
    void *raw = malloc((size_t)(n * size));
    int code = LASER_OK;

    scale->values = malloc((size_t)n * sizeof *scale->values);
    if (raw == NULL || scale->values == NULL)
        code = laser_error_set(err, LASER_ENOMEM, s->name, "no memory for %lld scales", (long long)n);
    if (code == LASER_OK)
        code = laser_checkpoint_read(c, s, first * size, n * size, raw, err);
    if (code == LASER_OK && s->dtype == LASER_F8_E8M0)
        powers_of_two(raw, n, scale->values);
    else if (code == LASER_OK)
        laser_dtype_to_f64(s->dtype, raw, n, scale->values);
    free(raw);
    if (code != LASER_OK)
        laser_scale_free(scale);
    return code;
}

int laser_scale_read(const struct laser_checkpoint *c, const struct laser_matrix *m,
                     struct laser_scale *scale, struct laser_error *err)
{
    const struct laser_tensor *t = &c->tensors[m->tensor];
    const struct laser_tensor *s;
    const int64_t rows = t->n_dims >= 2 ? t->shape[t->n_dims - 2] : 1;
    const int64_t cols = t->shape[t->n_dims - 1];
    int64_t first = 0;

    memset(scale, 0, sizeof *scale);
    if (m->scale < 0)
        return LASER_OK;
    s = &c->tensors[m->scale];
    if (m->expert >= 0 && s->n_dims >= 1 && s->shape[0] == t->shape[0]) {
        recognise(c, s->shape + 1, s->n_dims - 1, rows, cols, scale);
        first = m->expert * scale->n_rows * scale->n_cols;
    } else {
        recognise(c, s->shape, s->n_dims, rows, cols, scale);
    }
    if (scale->block_rows == 0 || (!laser_dtype_is_float(s->dtype) && s->dtype != LASER_F8_E8M0))
        return laser_error_set(
            err, LASER_EINPUT, s->name,
            "this scale (%s, %d-D) fits neither one value, one a row nor blocks of the weight of "
            "%lld x %lld",
            laser_dtype_name(s->dtype), s->n_dims, (long long)rows, (long long)cols);
    return read_values(c, s, first, scale->n_rows * scale->n_cols, scale, err);
}

void laser_scale_free(struct laser_scale *scale)
{
    free(scale->values);
    scale->values = NULL;
}

void laser_scale_apply(const struct laser_scale *scale, int64_t row, int64_t col, int64_t step, int64_t n,
                       bool divide, double *values)
{
    const double *line = scale->values + row / scale->block_rows * scale->n_cols;

    for (int64_t j = 0; j < n;) {
        const int64_t block = (col + j * step) / scale->block_cols;
        const int64_t end = ((block + 1) * scale->block_cols - col + step - 1) / step;
        const int64_t stop = end < n ? end : n;

        for (; j < stop; j++) {
            if (!divide)
                values[j] *= line[block];
            else
                values[j] = line[block] != 0 ? values[j] / line[block] : 0; /* such a block reads as zero */
        }
    }
}
