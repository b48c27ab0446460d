#include <stdlib.h>
#include <string.h>

#include "checkpoint/coded.h"
#include "checkpoint/matrix.h"

/* Bytes read in one piece: large enough to be sequential, small enough to be converted out of the cache. */
#define PIECE_BYTES (INT64_C(1) << 20)

/* What is made at once of a tensor that is not stored as it is seen: many rows, because some formats store
 * them side by side. */
#define CODED_BYTES (INT64_C(8) << 20)

/* A window whose rows take at least this share of the stored rows is read with what lies between. */
#define DENSE_SHARE 4

/* One read or write of a window. */
struct window {
    const struct laser_checkpoint *c;
    const struct laser_matrix *m;
    const struct laser_tensor *tensor;
    int64_t element; /* bytes of one */
    int64_t row0;
    int64_t n_rows;
    int64_t col0;
    int64_t n_cols;
};

static int open_window(struct window *w, struct laser_error *err)
{
    const struct laser_matrix *m = w->m;

    if (w->row0 < 0 || w->n_rows < 0 || w->col0 < 0 || w->n_cols < 0 || w->n_rows > m->rows - w->row0 ||
        w->n_cols > m->cols - w->col0)
        return laser_error_set(err, LASER_EINTERNAL, m->name,
                               "rows %lld + %lld, columns %lld + %lld asked of %lld x %lld",
                               (long long)w->row0, (long long)w->n_rows, (long long)w->col0,
                               (long long)w->n_cols, (long long)m->rows, (long long)m->cols);
    w->tensor = &w->c->tensors[m->tensor];
    w->element = (int64_t)laser_dtype_size(m->dtype);
    return LASER_OK;
}

/* Row of the tensor's 2-D slice (expert) that holds row i of the matrix, counted from element `first`. */
static int64_t stored_row(const struct laser_matrix *m, int64_t i)
{
    return i / m->block_rows * m->block_stride + i % m->block_rows;
}

/* Position in the tensor, in elements, of element (i, j) of the matrix. */
static int64_t position(const struct laser_matrix *m, int64_t i, int64_t j)
{
    return m->first + stored_row(m, i) * m->ld + m->col0 + j * m->col_step;
}

/* Widens n elements that stand col_step apart; with a step they are first moved together, in place. */
static void widen(const struct window *w, char *bytes, int64_t n, double *dst)
{
    const int64_t step = w->m->col_step * w->element;

    for (int64_t j = 1; step != w->element && j < n; j++)
        memmove(bytes + j * w->element, bytes + j * step, (size_t)w->element);
    laser_dtype_to_f64(w->m->dtype, bytes, n, dst);
}

/* Elements from the first to the last of n columns. */
static int64_t span(const struct laser_matrix *m, int64_t n)
{
    return n > 0 ? (n - 1) * m->col_step + 1 : 0;
}

/* Rows i .. i+n-1, which follow each other in the file, with everything between them. */
static int read_dense(const struct window *w, int64_t i, int64_t n, char *buffer, double *dst, int64_t ld,
                      struct laser_error *err)
{
    const struct laser_matrix *m = w->m;
    const int64_t elements = (n - 1) * m->ld + span(m, w->n_cols);
    const int code = laser_checkpoint_read(w->c, w->tensor, position(m, i, w->col0) * w->element,
                                           elements * w->element, buffer, err);

    if (code != LASER_OK)
        return code;
    if (w->n_cols == m->ld && ld == w->n_cols)
        laser_dtype_to_f64(m->dtype, buffer, n * w->n_cols, dst);
    for (int64_t r = 0; (w->n_cols != m->ld || ld != w->n_cols) && r < n; r++)
        widen(w, buffer + r * m->ld * w->element, w->n_cols, dst + r * ld);
    return LASER_OK;
}

/* One row, in pieces of at most PIECE_BYTES. */
static int read_row(const struct window *w, int64_t i, char *buffer, double *dst, struct laser_error *err)
{
    const struct laser_matrix *m = w->m;
    const int64_t most = PIECE_BYTES / (w->element * m->col_step);

    for (int64_t j = 0; j < w->n_cols; j += most) {
        const int64_t n = w->n_cols - j < most ? w->n_cols - j : most;
        const int code = laser_checkpoint_read(w->c, w->tensor, position(m, i, w->col0 + j) * w->element,
                                               span(m, n) * w->element, buffer, err);

        if (code != LASER_OK)
            return code;
        widen(w, buffer, n, dst + j);
    }
    return LASER_OK;
}

static int read_window(const struct window *w, char *buffer, double *dst, int64_t ld, struct laser_error *err)
{
    const struct laser_matrix *m = w->m;
    const int64_t row_bytes = m->ld * w->element;
    const bool dense = row_bytes <= PIECE_BYTES && span(m, w->n_cols) >= m->ld / DENSE_SHARE;
    int code = LASER_OK;

    for (int64_t i = 0; i < w->n_rows && code == LASER_OK;) {
        const int64_t row = w->row0 + i;
        const int64_t to_block_end = m->block_rows - row % m->block_rows;
        int64_t n = dense ? PIECE_BYTES / row_bytes : 1;

        n = n < to_block_end ? n : to_block_end;
        n = n < w->n_rows - i ? n : w->n_rows - i;
        code = dense ? read_dense(w, row, n, buffer, dst + i * ld, ld, err)
                     : read_row(w, row, buffer, dst + i * ld, err);
        i += n;
    }
    return code;
}

/* Of a tensor that is made: rows that follow each other, as many as CODED_BYTES hold. */
static int read_coded(const struct window *w, double *dst, int64_t ld, struct laser_error *err)
{
    const struct laser_matrix *m = w->m;
    const int64_t row_bytes = span(m, w->n_cols) * w->element;
    const int64_t most = CODED_BYTES / row_bytes > 0 ? CODED_BYTES / row_bytes : 1;
    char *buffer = malloc((size_t)(row_bytes * (most < w->n_rows ? most : w->n_rows)));
    int code = buffer != NULL
                   ? LASER_OK
                   : laser_error_set(err, LASER_ENOMEM, m->name, "no memory for a buffer of its rows");

    for (int64_t i = 0; i < w->n_rows && code == LASER_OK;) {
        const int64_t to_block_end = m->block_rows - (w->row0 + i) % m->block_rows;
        int64_t n = most < to_block_end ? most : to_block_end;

        n = n < w->n_rows - i ? n : w->n_rows - i;
        code = laser_checkpoint_read_runs(w->c, w->tensor, position(m, w->row0 + i, w->col0), n,
                                          span(m, w->n_cols), m->ld, buffer, err);
        for (int64_t r = 0; r < n && code == LASER_OK; r++)
            widen(w, buffer + r * row_bytes, w->n_cols, dst + (i + r) * ld);
        i += n;
    }
    free(buffer);
    return code;
}

int laser_matrix_read(const struct laser_checkpoint *c, const struct laser_matrix *matrix, int64_t row0,
                      int64_t n_rows, int64_t col0, int64_t n_cols, double *dst, int64_t ld,
                      struct laser_error *err)
{
    struct window w = {.c = c, .m = matrix, .row0 = row0, .n_rows = n_rows, .col0 = col0, .n_cols = n_cols};
    char *buffer = NULL;
    int64_t bytes;
    int code = open_window(&w, err);

    if (code == LASER_OK && n_rows > 0 && n_cols > 0 && w.tensor->coded != NULL)
        return read_coded(&w, dst, ld, err);
    if (code == LASER_OK && n_rows > 0 && n_cols > 0) {
        /* A small window needs a small buffer: n_rows * ld may be anything, so the division comes first. */
        bytes =
            n_rows > PIECE_BYTES / (matrix->ld * w.element) ? PIECE_BYTES : n_rows * matrix->ld * w.element;
        buffer = malloc((size_t)bytes);
        if (buffer == NULL)
            code = laser_error_set(err, LASER_ENOMEM, matrix->name, "no memory for a buffer of %lld bytes",
                                   (long long)bytes);
        else
            code = read_window(&w, buffer, dst, ld, err);
    }
    free(buffer);
    return code;
}

enum { WRITE_COLUMNS = 512 };

/* Columns j .. j+n-1 of row i: rounded, and put where they belong. */
static void write_columns(const struct window *w, int64_t i, int64_t j, int64_t n, const double *src,
                          char *bytes)
{
    char rounded[WRITE_COLUMNS * sizeof(double)];
    char *to = bytes + position(w->m, i, j) * w->element;

    laser_dtype_from_f64(w->m->dtype, src, n, rounded);
    for (int64_t k = 0; k < n && w->m->col_step > 1; k++)
        memcpy(to + k * w->m->col_step * w->element, rounded + k * w->element, (size_t)w->element);
    if (w->m->col_step == 1)
        memcpy(to, rounded, (size_t)(n * w->element));
}

int laser_matrix_write(const struct laser_checkpoint *c, const struct laser_matrix *matrix, int64_t row0,
                       int64_t n_rows, int64_t col0, int64_t n_cols, const double *src, int64_t ld,
                       void *bytes, struct laser_error *err)
{
    struct window w = {.c = c, .m = matrix, .row0 = row0, .n_rows = n_rows, .col0 = col0, .n_cols = n_cols};
    const int code = open_window(&w, err);

    if (code != LASER_OK)
        return code;
    for (int64_t i = 0; i < n_rows; i++) {
        for (int64_t j = 0; j < n_cols; j += WRITE_COLUMNS) {
            const int64_t n = n_cols - j < WRITE_COLUMNS ? n_cols - j : WRITE_COLUMNS;

            write_columns(&w, row0 + i, col0 + j, n, src + i * ld + j, bytes);
        }
    }
    return LASER_OK;
}
