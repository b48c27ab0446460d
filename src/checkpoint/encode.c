#include "checkpoint/encode.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded_rows.h"
#include "checkpoint/io.h"

/* Elements that are encoded at once. */
#define CHUNK_ELEMENTS (INT64_C(1) << 20)

enum { MOST_CODES = 256 };

/* The numbers that codes stand for, smallest first. */
struct alphabet {
    int n;
    unsigned char codes[MOST_CODES];
    double numbers[MOST_CODES];
};

bool laser_coded_encodes(const struct laser_tensor *t)
{
    switch (t->coded != NULL ? t->coded->coding : LASER_CODED_COUNT) {
    case LASER_CODED_SCALED:
    case LASER_CODED_PACKED:
    case LASER_CODED_AFFINE:
    case LASER_CODED_FP4:
    case LASER_CODED_BNB8:
        return true;
    default:
        return false;
    }
}

/* Rows and columns of one matrix as it is seen. */
static void extents(const struct laser_coded *k, int64_t *rows, int64_t *cols)
{
    *rows = k->transposed ? k->cols : k->rows;
    *cols = k->transposed ? k->rows : k->cols;
}

bool laser_matrix_encodes(const struct laser_checkpoint *c, const struct laser_matrix *m)
{
    const struct laser_tensor *t = &c->tensors[m->tensor];
    int64_t rows, cols;

    if (t->coded == NULL || c->anew)
        return true;
    if (!laser_coded_encodes(t))
        return false;
    extents(t->coded, &rows, &cols);
    return m->rows == rows && m->cols == cols && m->ld == cols && m->col0 == 0 && m->col_step == 1 &&
           m->block_rows == rows && m->first % (rows * cols) == 0;
}

static double number_of(const struct laser_coded *k, int code)
{
    const unsigned char byte = (unsigned char)code;
    double number;

    if (k->coding == LASER_CODED_FP4)
        return laser_fp4_values[code];
    if (k->coding != LASER_CODED_SCALED && k->coding != LASER_CODED_BNB8)
        return code - (k->coding == LASER_CODED_PACKED ? 1 << (k->bits - 1) : 0);
    laser_dtype_to_f64(k->parts[LASER_PART_CODES]->dtype, &byte, 1, &number);
    return number;
}

static void make_alphabet(const struct laser_coded *k, struct alphabet *a)
{
    a->n = 0;
    for (int code = 0; code < 1 << k->bits; code++) {
        const double number = number_of(k, code);
        int at = a->n;

        if (!isfinite(number))
            continue;
        for (; at > 0 && a->numbers[at - 1] > number; at--) {
            a->numbers[at] = a->numbers[at - 1];
            a->codes[at] = a->codes[at - 1];
        }
        a->numbers[at] = number;
        a->codes[at] = (unsigned char)code;
        a->n++;
    }
}

/* Place of the nearest of n values, which rise or fall; of two, the one with an even place. */
static int nearest(const double *v, int n, double x)
{
    const bool rises = v[n - 1] >= v[0];
    int low = 0, high = n - 1;

    while (high - low > 1) {
        const int middle = (low + high) / 2;

        if ((v[middle] <= x) == rises)
            low = middle;
        else
            high = middle;
    }
    if (fabs(v[low] - x) == fabs(v[high] - x))
        return low % 2 == 0 ? low : high;
    return fabs(v[low] - x) < fabs(v[high] - x) ? low : high;
}

static void put_code(const struct laser_coded *k, unsigned char *row, int64_t j, unsigned code)
{
    const int64_t at = j * k->bits;

    for (int b = 0; b < k->bits; b++) {
        const int64_t bit = at + b;
        const unsigned char mask = (unsigned char)(1u << bit % 8);

        row[bit / 8] = (unsigned char)((row[bit / 8] & ~mask) | (code >> b & 1 ? mask : 0));
    }
}

/* Columns j ... end - 1 of one row, which share scale and zero point; now: the values that its codes have. */
static void encode_block(const struct laser_rows *r, const struct alphabet *a, double s, double z, int64_t j,
                         int64_t end, const double *now, double *values, unsigned char *row)
{
    double v[MOST_CODES];

    memcpy(v, a->numbers, (size_t)a->n * sizeof *v);
    laser_rows_apply(r, s, z, a->n, v);
    laser_rows_round(r->t->dtype, a->n, v);
    for (; j < end; j++) {
        if (values[j] != now[j]) {
            const int place = nearest(v, a->n, values[j]);

            put_code(r->k, row, j, a->codes[place]);
            values[j] = v[place];
        }
    }
}

static void encode_row(const struct laser_rows *r, const struct alphabet *a, int64_t i, double *values,
                       double *now)
{
    const double *scales = laser_scale_line(&r->scale, r->w->row0 + i);
    const int64_t n = r->w->n_cols;

    laser_rows_unpack(r, i, now);
    for (int64_t j = 0; j < n;) {
        const int64_t block = r->index != NULL ? (int64_t)r->index[j] : j / r->scale.block_cols;
        const int64_t stop = r->index != NULL ? j + 1 : (block + 1) * r->scale.block_cols;
        const int64_t end = stop < n ? stop : n;
        const double z = laser_rows_zero(r, i, j, block);

        laser_rows_apply(r, scales[block], z, end - j, now + j);
        laser_rows_round(r->t->dtype, end - j, now + j);
        encode_block(r, a, scales[block], z, j, end, now, values, r->codes + i * r->row_bytes);
        j = end;
    }
}

/* Rows row0 ... of a matrix as it is stored: values become what the codes hold; out: their codes are written, if
 * it is not NULL, `position` being that of the first row of all. */
static int encode_rows(const struct laser_checkpoint *c, const struct laser_tensor *t,
                       const struct laser_coded_window *w, double *values, int64_t position,
                       struct laser_output *out, struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const int64_t all = k->parts[LASER_PART_CODES]->size_bytes / (k->slices * k->rows);
    struct laser_rows r = {.c = c, .t = t, .k = k, .w = w};
    struct alphabet a;
    double *now = malloc((size_t)k->cols * sizeof *now);
    int code = now != NULL ? laser_rows_open(&r, err)
                           : laser_error_set(err, LASER_ENOMEM, t->name, "no memory for a row of it");

    make_alphabet(k, &a);
    for (int64_t i = 0; code == LASER_OK && i < w->n_rows; i++) {
        encode_row(&r, &a, i, values + i * w->n_cols, now);
        if (out != NULL)
            code = laser_output_write_at(out, position + (w->slice * k->rows + w->row0 + i) * all,
                                         (const char *)r.codes + i * r.row_bytes, r.row_bytes, err);
    }
    free(now);
    laser_rows_close(&r);
    return code;
}

/* One matrix as it is stored, chunk by chunk. */
static int encode_slice(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t slice,
                        double *values, int64_t position, struct laser_output *out, struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const int64_t step = CHUNK_ELEMENTS / k->cols > 0 ? CHUNK_ELEMENTS / k->cols : 1;
    int code = LASER_OK;

    for (int64_t row = 0; code == LASER_OK && row < k->rows; row += step) {
        const struct laser_coded_window w = {slice, row, step < k->rows - row ? step : k->rows - row, 0,
                                             k->cols};

        code = encode_rows(c, t, &w, values + row * k->cols, position, out, err);
    }
    return code;
}

static void transpose(const double *in, int64_t rows, int64_t cols, double *out)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            out[j * rows + i] = in[i * cols + j];
}

/* The elements `bytes` of one matrix as it is seen, encoded. */
static int encode_seen(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t slice,
                       void *bytes, bool back, int64_t position, struct laser_output *out,
                       struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const int64_t n = k->rows * k->cols;
    double *values = malloc((size_t)n * sizeof *values);
    double *stored = k->transposed ? malloc((size_t)n * sizeof *stored) : values;
    int code = values != NULL && stored != NULL
                   ? LASER_OK
                   : laser_error_set(err, LASER_ENOMEM, t->name, "no memory to quantise it again");

    if (code == LASER_OK) {
        laser_dtype_to_f64(t->dtype, bytes, n, values);
        if (k->transposed)
            transpose(values, k->cols, k->rows, stored);
        code = encode_slice(c, t, slice, stored, position, out, err);
    }
    if (code == LASER_OK && back) {
        if (k->transposed)
            transpose(stored, k->rows, k->cols, values);
        laser_dtype_from_f64(t->dtype, values, n, bytes);
    }
    if (stored != values)
        free(stored);
    free(values);
    return code;
}

int laser_matrix_snap(const struct laser_checkpoint *c, const struct laser_matrix *m, void *bytes,
                      struct laser_error *err)
{
    const struct laser_tensor *t = &c->tensors[m->tensor];

    if (t->coded == NULL || c->anew)
        return LASER_OK;
    if (!laser_matrix_encodes(c, m))
        return laser_error_set(err, LASER_EINTERNAL, m->name, "%s: not a matrix that can be quantised again",
                               laser_coded_format(t));
    return encode_seen(c, t, m->first / (m->rows * m->cols), bytes, true, 0, NULL, err);
}

int laser_coded_put(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t position,
                    struct laser_output *out, struct laser_error *err)
{
    const struct laser_coded *k = t->coded;
    const int64_t size = k->rows * k->cols * (int64_t)laser_dtype_size(t->dtype);
    void *bytes = malloc((size_t)size);
    int code = bytes != NULL ? LASER_OK
                             : laser_error_set(err, LASER_ENOMEM, t->name, "no memory to quantise it again");

    for (int64_t slice = 0; code == LASER_OK && slice < k->slices; slice++) {
        code = laser_checkpoint_read(c, t, slice * size, size, bytes, err);
        if (code == LASER_OK)
            code = encode_seen(c, t, slice, bytes, false, position, out, err);
    }
    free(bytes);
    return code;
}
