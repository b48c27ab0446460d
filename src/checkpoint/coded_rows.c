/* Quantised weights whose codes stand row by row, with scales per block. */
#include <math.h>
#include <stdlib.h>

#include "checkpoint/coded_rows.h"

/* FP4 (e2m1). */
const double laser_fp4_values[16] = {0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6};

/* The product as float32 has it. */
static double single(double value)
{
    return (float)value;
}

/* Rounds to a type that has fewer bits. */
void laser_rows_round(enum laser_dtype dtype, int64_t n, double *v)
{
    char rounded[256 * sizeof(double)];

    for (int64_t j = 0; j < n; j += 256) {
        const int64_t m = n - j < 256 ? n - j : 256;

        laser_dtype_from_f64(dtype, v + j, m, rounded);
        laser_dtype_to_f64(dtype, rounded, m, v + j);
    }
}

/* Codes whose places are a whole number of bytes from the start of the row. */
static int read_codes(struct laser_rows *r, struct laser_error *err)
{
    const struct laser_coded *k = r->k;
    const struct laser_tensor *codes = k->parts[LASER_PART_CODES];
    const int64_t all = codes->size_bytes / (k->slices * k->rows);
    const int64_t end = r->w->col0 + r->w->n_cols;
    int64_t first;
    int code;

    r->first_code = r->w->col0 / 8 * 8;
    first = r->first_code * k->bits / 8;
    r->row_bytes = (end * k->bits + 7) / 8 - first;
    code = laser_coded_bytes(r->c, codes, all, r->w->slice * k->rows + r->w->row0, r->w->n_rows, first,
                             r->row_bytes, &r->codes, err);
    for (int64_t i = 0; code == LASER_OK && k->flipped && i < r->w->n_rows; i++)
        for (int64_t bit = 0; bit < (end - r->first_code) * k->bits; bit += k->bits)
            r->codes[i * r->row_bytes + bit / 8] ^= (unsigned char)(1u << bit % 8);
    return code;
}

/* Zero points of compressed-tensors' packed weights: packed down the columns, [rows * bits / 32, groups]. */
static int read_packed_zeros(struct laser_rows *r, struct laser_error *err)
{
    const struct laser_coded *k = r->k;
    const struct laser_tensor *z = k->parts[LASER_PART_ZERO];
    const int64_t words = z->shape[0], groups = z->shape[1];
    unsigned char *bytes = NULL, *column;
    int code = laser_coded_bytes(r->c, z, groups * 4, 0, words, 0, groups * 4, &bytes, err);

    r->n_groups = groups;
    r->zeros = malloc((size_t)(r->w->n_rows * groups) * sizeof *r->zeros);
    column = malloc((size_t)words * 4 + 8);
    if (code == LASER_OK && (r->zeros == NULL || column == NULL))
        code = laser_error_set(err, LASER_ENOMEM, z->name, "no memory for zero points");
    for (int64_t g = 0; code == LASER_OK && g < groups; g++) {
        for (int64_t i = 0; i < words * 4; i++)
            column[i] = bytes[(i / 4 * groups + g) * 4 + i % 4];
        for (int64_t i = 0; i < 8; i++)
            column[words * 4 + i] = 0;
        for (int64_t i = 0; i < r->w->n_rows; i++)
            r->zeros[i * groups + g] =
                (double)laser_coded_bits(column, r->w->row0 + i, k->bits) - (double)(1 << (k->bits - 1));
    }
    free(column);
    free(bytes);
    return code;
}

static int read_index(struct laser_rows *r, struct laser_error *err)
{
    const struct laser_tensor *index = r->k->parts[LASER_PART_INDEX];
    const int code = laser_coded_doubles(r->c, index, r->k->cols, 0, 1, 0, r->k->cols, &r->index, err);

    for (int64_t j = 0; code == LASER_OK && j < r->k->cols; j++) {
        if (!(r->index[j] >= 0 && r->index[j] < (double)r->scale.n_cols))
            return laser_error_set(err, LASER_EINPUT, index->name,
                                   "column %lld is of group %g, there are %lld", (long long)j, r->index[j],
                                   (long long)r->scale.n_cols);
    }
    return code;
}

static int read_scale2(struct laser_rows *r, struct laser_error *err)
{
    const struct laser_tensor *s = r->k->parts[LASER_PART_SCALE2];
    const int64_t n = s->size_bytes / (int64_t)laser_dtype_size(s->dtype);
    const int64_t at = n > 1 && n == r->k->slices ? r->w->slice : 0;
    const int code = laser_coded_doubles(r->c, s, n, 0, 1, at, 1, &r->scale2, err);

    if (code == LASER_OK && !(isfinite(*r->scale2) && *r->scale2 != 0))
        return laser_error_set(err, LASER_EINPUT, s->name,
                               "the scale of all scales is %g, expected a finite number that is not zero",
                               *r->scale2);
    return code;
}

/* One scale for the whole matrix that is zero would make nothing of it. */
static int check_single(const struct laser_rows *r, struct laser_error *err)
{
    if (r->scale.n_rows * r->scale.n_cols == 1 && r->k->rows * r->k->cols > 1 && r->scale.values[0] == 0)
        return laser_error_set(err, LASER_EINPUT, r->k->parts[LASER_PART_SCALE]->name,
                               "the scale of the whole weight is 0");
    return LASER_OK;
}

int laser_rows_open(struct laser_rows *r, struct laser_error *err)
{
    struct laser_tensor *const *parts = r->k->parts;
    int code = laser_scale_read(r->c, r->t, parts[LASER_PART_SCALE], r->w, &r->scale, err);

    if (code == LASER_OK)
        code = check_single(r, err);
    if (code == LASER_OK && parts[LASER_PART_ZERO] != NULL)
        code = r->k->coding == LASER_CODED_PACKED
                   ? read_packed_zeros(r, err)
                   : laser_scale_read(r->c, r->t, parts[LASER_PART_ZERO], r->w, &r->zero, err);
    if (code == LASER_OK && parts[LASER_PART_INDEX] != NULL)
        code = read_index(r, err);
    if (code == LASER_OK && parts[LASER_PART_SCALE2] != NULL)
        code = read_scale2(r, err);
    return code == LASER_OK ? read_codes(r, err) : code;
}

void laser_rows_close(struct laser_rows *r)
{
    laser_scale_free(&r->scale);
    laser_scale_free(&r->zero);
    free(r->zeros);
    free(r->index);
    free(r->scale2);
    free(r->codes);
}

/* The codes of row i of the window as numbers. */
void laser_rows_unpack(const struct laser_rows *r, int64_t i, double *dst)
{
    const struct laser_coded *k = r->k;
    const unsigned char *codes = r->codes + i * r->row_bytes;
    const int64_t skip = r->w->col0 - r->first_code, n = r->w->n_cols;
    const double middle = k->coding == LASER_CODED_PACKED ? (double)(1 << (k->bits - 1)) : 0;

    if (k->coding == LASER_CODED_SCALED || k->coding == LASER_CODED_BNB8)
        laser_dtype_to_f64(k->parts[LASER_PART_CODES]->dtype, codes + skip, n, dst);
    else if (k->coding == LASER_CODED_FP4)
        for (int64_t j = 0; j < n; j++)
            dst[j] = laser_fp4_values[codes[(skip + j) / 2] >> 4 * ((skip + j) % 2) & 15];
    else if (k->bits == 4)
        for (int64_t j = 0; j < n; j++)
            dst[j] = (double)(codes[(skip + j) / 2] >> 4 * ((skip + j) % 2) & 15) - middle;
    else
        for (int64_t j = 0; j < n; j++)
            dst[j] = (double)laser_coded_bits(codes, skip + j, k->bits) - middle;
}

/* n columns of one block: s is its scale, z its zero point (or what is added). */
void laser_rows_apply(const struct laser_rows *r, double s, double z, int64_t n, double *v)
{
    switch (r->k->coding) {
    case LASER_CODED_FP4:
        if (r->scale2 != NULL)
            s = single(r->k->divides ? s / *r->scale2 : s * *r->scale2);
        for (int64_t j = 0; j < n; j++)
            v[j] = single(v[j] * s);
        break;
    case LASER_CODED_BNB8: /* two products in float32, as bitsandbytes has them */
        for (int64_t j = 0; j < n; j++)
            v[j] = single(single(v[j] * s) * (double)7.874015718698502e-3f);
        break;
    case LASER_CODED_AFFINE:
        for (int64_t j = 0; j < n; j++)
            v[j] *= s;
        laser_rows_round(r->t->dtype, n, v); /* the product is rounded by itself */
        for (int64_t j = 0; j < n; j++)
            v[j] += z;
        break;
    default:
        for (int64_t j = 0; j < n; j++)
            v[j] = (v[j] - z) * s;
    }
}

double laser_rows_zero(const struct laser_rows *r, int64_t i, int64_t j, int64_t group)
{
    if (r->zeros != NULL)
        return r->zeros[i * r->n_groups + (group < r->n_groups ? group : 0)];
    return r->zero.values != NULL ? laser_scale_line(&r->zero, r->w->row0 + i)[j / r->zero.block_cols] : 0;
}

/* Row i of the window. */
static void make_row(const struct laser_rows *r, int64_t i, double *dst)
{
    const double *scales = laser_scale_line(&r->scale, r->w->row0 + i);
    const int64_t col0 = r->w->col0, n = r->w->n_cols;

    laser_rows_unpack(r, i, dst);
    for (int64_t j = 0; j < n;) {
        const int64_t block =
            r->index != NULL ? (int64_t)r->index[col0 + j] : (col0 + j) / r->scale.block_cols;
        const int64_t end = r->index != NULL ? j + 1 : (block + 1) * r->scale.block_cols - col0;
        const int64_t stop = end < n ? end : n;
        const double z = laser_rows_zero(r, i, col0 + j, block);

        laser_rows_apply(r, scales[block], z, stop - j, dst + j);
        j = stop;
    }
}

int laser_coded_rows(const struct laser_checkpoint *c, const struct laser_tensor *t,
                     const struct laser_coded_window *w, double *dst, struct laser_error *err)
{
    struct laser_rows r = {.c = c, .t = t, .k = t->coded, .w = w};
    const int code = laser_rows_open(&r, err);

    for (int64_t i = 0; code == LASER_OK && i < w->n_rows; i++)
        make_row(&r, i, dst + i * w->n_cols);
    laser_rows_close(&r);
    return code;
}
