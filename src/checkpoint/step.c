#include "checkpoint/step.h"

#include <math.h>
#include <stdlib.h>

#include "checkpoint/coded.h"

enum { RUNS = 16, RUN_ROWS = 64 };

/* Is every element a code of its own? */
static bool has_codes(const struct laser_coded *k)
{
    switch (k->coding) {
    case LASER_CODED_DIFFERENCE:
    case LASER_CODED_SUM:
    case LASER_CODED_PRODUCT:
    case LASER_CODED_CAST:
    case LASER_CODED_ALONE:
    case LASER_CODED_COUNT:
        return false;
    case LASER_CODED_BLOCKS:
        return laser_coded_flips_blocks(k);
    default:
        return true;
    }
}

/* Squares of the steps of some rows, added to *sum. */
static int add_rows(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t row0,
                    int64_t n_rows, int64_t cols, double *sum, int64_t *count, struct laser_error *err)
{
    const int64_t n = n_rows * cols;
    struct laser_coded other = *t->coded;
    struct laser_tensor flipped = *t;
    double *a = malloc(2 * (size_t)n * sizeof *a), *b = a + n;
    void *bytes = malloc((size_t)n * laser_dtype_size(t->dtype));
    int code = a != NULL && bytes != NULL
                   ? laser_coded_read_rows(c, t, row0, n_rows, 0, cols, bytes, err)
                   : laser_error_set(err, LASER_ENOMEM, t->name, "no memory for its steps");

    other.flipped = true;
    flipped.coded = &other;
    if (code == LASER_OK) {
        laser_dtype_to_f64(t->dtype, bytes, n, a);
        code = laser_coded_read_rows(c, &flipped, row0, n_rows, 0, cols, bytes, err);
    }
    if (code == LASER_OK)
        laser_dtype_to_f64(t->dtype, bytes, n, b);
    for (int64_t i = 0; code == LASER_OK && i < n; i++) {
        const double step = a[i] - b[i];

        if (isfinite(step)) { /* the neighbour of the largest FP8 is no number */
            *sum += step * step;
            ++*count;
        }
    }
    free(a);
    free(bytes);
    return code;
}

int laser_matrix_step_noise(const struct laser_checkpoint *c, const struct laser_matrix *m, double *sigma,
                            struct laser_error *err)
{
    const struct laser_tensor *t = &c->tensors[m->tensor];
    const int64_t runs = m->rows > RUNS * RUN_ROWS ? RUNS : 1, length = runs > 1 ? RUN_ROWS : m->rows;
    double sum = 0;
    int64_t count = 0;
    int code = LASER_OK;

    *sigma = 0;
    if (t->coded == NULL || !has_codes(t->coded) || m->col0 != 0 || m->col_step != 1 || m->cols != m->ld ||
        m->first % m->ld != 0 || laser_checkpoint_is_redirected(c, t))
        return LASER_OK;
    for (int64_t run = 0; code == LASER_OK && run < runs; run++) {
        const int64_t first = runs > 1 ? run * (m->rows - length) / (runs - 1) : 0;

        for (int64_t i = first; code == LASER_OK && i < first + length;) {
            const int64_t left = m->block_rows - i % m->block_rows, rest = first + length - i;
            const int64_t n = left < rest ? left : rest;

            code = add_rows(c, t, m->first / m->ld + i / m->block_rows * m->block_stride + i % m->block_rows,
                            n, m->cols, &sum, &count, err);
            i += n;
        }
    }
    if (code == LASER_OK && count > 0)
        *sigma = sqrt(sum / (double)count / 12);
    return code;
}
