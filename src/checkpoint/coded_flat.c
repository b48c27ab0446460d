/* bitsandbytes' 4-bit weights: blocks of the flattened matrix, scales that may be quantised themselves. */
#include <math.h>
#include <stdlib.h>

#include "checkpoint/coded.h"

/* The tables, and pieces of one run of elements. */
struct flat {
    const struct laser_checkpoint *c;
    const struct laser_coded *k;
    double *table;
    double *table2;
};

static double single(double value)
{
    return (float)value;
}

/* Scales of blocks first ... */
static int read_scales(const struct flat *f, int64_t first, int64_t n, double **scales,
                       struct laser_error *err)
{
    const struct laser_tensor *s = f->k->parts[LASER_PART_SCALE], *s2 = f->k->parts[LASER_PART_SCALE2];
    const int64_t all = s->size_bytes / (int64_t)laser_dtype_size(s->dtype);
    double *outer = NULL;
    int64_t first2;
    int code = laser_coded_doubles(f->c, s, all, 0, 1, first, n, scales, err);

    if (code == LASER_OK && s2 != NULL) {
        first2 = first / f->k->block2;
        code = laser_coded_doubles(f->c, s2, s2->shape[0], 0, 1, first2,
                                   (first + n - 1) / f->k->block2 + 1 - first2, &outer, err);
        for (int64_t i = 0; code == LASER_OK && i < n; i++) {
            const double product = f->table2[(int)(*scales)[i]] * outer[(first + i) / f->k->block2 - first2];

            (*scales)[i] = single(single(product) + f->k->offset);
        }
        free(outer);
    }
    for (int64_t i = 0; code == LASER_OK && i < n; i++) {
        if (!isfinite((*scales)[i]))
            return laser_error_set(err, LASER_EINPUT, s->name, "scale %lld is %g, expected a finite number",
                                   (long long)(first + i), (*scales)[i]);
    }
    return code;
}

/* Elements first ... of the flattened matrix. */
static int make_run(const struct flat *f, int64_t first, int64_t n, double *dst, struct laser_error *err)
{
    const struct laser_tensor *codes = f->k->parts[LASER_PART_CODES];
    const int64_t block0 = first / f->k->block_cols,
                  n_blocks = (first + n - 1) / f->k->block_cols + 1 - block0;
    const int64_t byte0 = first / 2, n_bytes = (first + n + 1) / 2 - byte0;
    unsigned char *bytes = NULL;
    double *scales = NULL;
    int code = laser_coded_bytes(f->c, codes, codes->size_bytes, 0, 1, byte0, n_bytes, &bytes, err);

    if (code == LASER_OK)
        code = read_scales(f, block0, n_blocks, &scales, err);
    for (int64_t i = 0; code == LASER_OK && i < n; i++) {
        const int64_t e = first + i;
        const unsigned q = (bytes[e / 2 - byte0] >> (e % 2 == 0 ? 4 : 0) & 15) ^ f->k->flipped;

        dst[i] = single(f->table[q] * scales[e / f->k->block_cols - block0]);
    }
    free(bytes);
    free(scales);
    return code;
}

int laser_coded_flat(const struct laser_checkpoint *c, const struct laser_tensor *t,
                     const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    struct flat f = {.c = c, .k = t->coded};
    const bool whole = w->n_cols == f.k->cols;
    const int64_t n_runs = whole ? 1 : w->n_rows, run = whole ? w->n_rows * w->n_cols : w->n_cols;
    int code = laser_coded_doubles(c, f.k->parts[LASER_PART_TABLE], 16, 0, 1, 0, 16, &f.table, err);

    if (code == LASER_OK && f.k->parts[LASER_PART_TABLE2] != NULL)
        code = laser_coded_doubles(c, f.k->parts[LASER_PART_TABLE2], 256, 0, 1, 0, 256, &f.table2, err);
    for (int64_t i = 0; code == LASER_OK && i < n_runs; i++)
        code = make_run(&f, (w->row0 + i) * f.k->cols + w->col0, run, dst + i * run, err);
    free(f.table);
    free(f.table2);
    return code;
}
