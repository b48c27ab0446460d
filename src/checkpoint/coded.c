/* Windows and bytes of tensors that are not stored as they are seen. */
#include "checkpoint/coded.h"

#include <stdlib.h>

#include "checkpoint/state.h"

/* Elements that are made at once: float64, so 8 MB. */
#define CHUNK_ELEMENTS (INT64_C(1) << 20)

typedef int rows_function(const struct laser_checkpoint *c, const struct laser_tensor *t,
                          const struct laser_coded_window *w, double *dst, struct laser_error *err);

static rows_function *const decoders[LASER_CODED_COUNT] = {
    [LASER_CODED_SCALED] = laser_coded_rows,     [LASER_CODED_PACKED] = laser_coded_rows,
    [LASER_CODED_AFFINE] = laser_coded_rows,     [LASER_CODED_FP4] = laser_coded_rows,
    [LASER_CODED_GPTQ] = laser_coded_transposed, [LASER_CODED_AWQ] = laser_coded_transposed,
    [LASER_CODED_BNB4] = laser_coded_flat,       [LASER_CODED_BNB8] = laser_coded_rows,
    [LASER_CODED_BLOCKS] = laser_coded_blocks,   [LASER_CODED_DIFFERENCE] = laser_coded_combined,
    [LASER_CODED_SUM] = laser_coded_combined,    [LASER_CODED_PRODUCT] = laser_coded_product,
    [LASER_CODED_CAST] = laser_coded_combined,   [LASER_CODED_ALONE] = laser_coded_alone,
};

/* A window of the matrix as it is seen. */
static int make_window(const struct laser_checkpoint *c, const struct laser_tensor *t,
                       const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const struct laser_coded_window stored = {w->slice, w->col0, w->n_cols, w->row0, w->n_rows};
    double *turned;
    int code;

    if (!k->transposed)
        return decoders[k->coding](c, t, w, dst, err);
    turned = malloc((size_t)(w->n_rows * w->n_cols) * sizeof *turned);
    if (turned == NULL)
        return laser_error_set(err, LASER_ENOMEM, t->name, "no memory to turn a piece of it");
    code = decoders[k->coding](c, t, &stored, turned, err);
    for (int64_t j = 0; code == LASER_OK && j < w->n_cols; j++) {
        for (int64_t i = 0; i < w->n_rows; i++)
            dst[i * w->n_cols + j] = turned[j * w->n_rows + i];
    }
    free(turned);
    return code;
}

/* Rows and columns of one matrix as it is seen. */
static void extents(const struct laser_tensor *t, int64_t *rows, int64_t *cols)
{
    *rows = t->coded->transposed ? t->coded->cols : t->coded->rows;
    *cols = t->coded->transposed ? t->coded->rows : t->coded->cols;
}

int laser_coded_read_rows(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t row0,
                          int64_t n_rows, int64_t col0, int64_t n_cols, void *dst, struct laser_error *err)
{
    const int64_t size = (int64_t)laser_dtype_size(t->dtype);
    int64_t rows, cols, step, room;
    double *values;
    int code = LASER_OK;

    extents(t, &rows, &cols);
    if (n_rows <= 0 || n_cols <= 0)
        return LASER_OK;
    step = CHUNK_ELEMENTS / n_cols > 0 ? CHUNK_ELEMENTS / n_cols : 1;
    room = (step < n_rows ? step : n_rows) * n_cols;
    values = malloc((size_t)room * sizeof *values);
    if (values == NULL)
        return laser_error_set(err, LASER_ENOMEM, t->name, "no memory to widen it");
    for (int64_t done = 0; code == LASER_OK && done < n_rows;) {
        const int64_t row = row0 + done, in_slice = rows - row % rows;
        int64_t n = step < n_rows - done ? step : n_rows - done;
        struct laser_coded_window w = {row / rows, row % rows, 0, col0, n_cols};

        n = n < in_slice ? n : in_slice;
        w.n_rows = n;
        code = make_window(c, t, &w, values, err);
        if (code == LASER_OK)
            laser_dtype_from_f64(t->dtype, values, n * n_cols, (char *)dst + done * n_cols * size);
        done += n;
    }
    free(values);
    return code;
}

int laser_coded_read(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t byte_offset,
                     int64_t n_bytes, void *dst, struct laser_error *err)
{
    const int64_t size = (int64_t)laser_dtype_size(t->dtype);
    int64_t rows, cols, first = byte_offset / size, left = n_bytes / size;
    char *to = dst;

    if (byte_offset % size != 0 || n_bytes % size != 0)
        return laser_error_set(err, LASER_EINTERNAL, t->name, "bytes %lld + %lld: not whole elements",
                               (long long)byte_offset, (long long)n_bytes);
    extents(t, &rows, &cols);
    while (left > 0) {
        const int64_t col = first % cols;
        const bool whole = col == 0 && left >= cols;
        const int64_t n_rows = whole ? left / cols : 1;
        const int64_t n_cols = whole ? cols : (left < cols - col ? left : cols - col);
        const int code = laser_coded_read_rows(c, t, first / cols, n_rows, col, n_cols, to, err);

        if (code != LASER_OK)
            return code;
        first += n_rows * n_cols;
        left -= n_rows * n_cols;
        to += n_rows * n_cols * size;
    }
    return LASER_OK;
}

const struct laser_coded_reader laser_coded_reader = {.bytes = laser_coded_read,
                                                      .rows = laser_coded_read_rows};
