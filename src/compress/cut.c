#include "compress/compress.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linalg/lapack.h"

/* Row-major C[m, n] = op(A) op(B), op(A) [m, k]. */
static void multiply(char op_a, char op_b, int64_t m, int64_t n, int64_t k, const double *a, int64_t lda,
                     const double *b, int64_t ldb, double *c)
{
    const double one = 1, zero = 0;
    int im = (int)m, in = (int)n, ik = (int)k, ia = (int)lda, ib = (int)ldb;

    dgemm_(&op_b, &op_a, &in, &im, &ik, &one, b, &ib, a, &ia, &zero, c, &in);
}

static void scale_rows(double *x, int64_t rows, int64_t columns, const double *by, bool divide)
{
    for (int64_t i = 0; i < rows; ++i) {
        double f = divide ? 1 / by[i] : by[i];
        for (int64_t j = 0; j < columns; ++j)
            x[i * columns + j] *= f;
    }
}

static void scale_columns(double *x, int64_t rows, int64_t columns, const double *by, bool divide)
{
    for (int64_t i = 0; i < rows; ++i)
        for (int64_t j = 0; j < columns; ++j)
            x[i * columns + j] = divide ? x[i * columns + j] / by[j] : x[i * columns + j] * by[j];
}

static int check(const double *w, int64_t rows, int64_t columns, const struct laser_root *inputs,
                 const struct laser_root *gradients, struct laser_error *err)
{
    if (rows < 1 || columns < 1 || rows > INT_MAX || columns > INT_MAX ||
        (inputs != NULL && inputs->n != columns) || (gradients != NULL && gradients->n != rows))
        return laser_error_set(err, LASER_EINTERNAL, NULL,
                               "a matrix of %" PRId64 " x %" PRId64 " with covariances of %" PRId64
                               " inputs and %" PRId64 " outputs",
                               rows, columns, inputs != NULL ? inputs->n : columns,
                               gradients != NULL ? gradients->n : rows);
    for (int64_t i = 0; i < rows * columns; ++i)
        if (!isfinite(w[i]))
            return laser_error_set(err, LASER_ENUMERIC, NULL,
                                   "entry (%" PRId64 ", %" PRId64 ") of the matrix is not finite",
                                   i / columns, i % columns);
    return LASER_OK;
}

/* The singular value decomposition of x [rows, columns], destroyed: u [rows, n], vt [n, columns].  In
 * Fortran's order x is its transpose, so that u and vt change places. */
static int decompose(double *x, int64_t rows, int64_t columns, double *s, double *u, double *vt,
                     struct laser_error *err)
{
    int m = (int)columns, n = (int)rows, least = m < n ? m : n, lwork = -1, info = 0;
    int *iwork = malloc(8 * (size_t)least * sizeof *iwork);
    double size = 0, *work = NULL;
    int code = LASER_OK;

    dgesdd_("S", &m, &n, x, &m, s, vt, &m, u, &least, &size, &lwork, iwork, &info);
    if (info != 0 || !(size < INT_MAX))
        code = laser_error_set(err, LASER_ENOMEM, NULL,
                               "the decomposition of %d x %d needs a workspace beyond LAPACK's int", n, m);
    lwork = code == LASER_OK ? (int)size : 1;
    work = malloc((size_t)lwork * sizeof *work);
    if (code == LASER_OK && (work == NULL || iwork == NULL))
        code = laser_error_set(err, LASER_ENOMEM, NULL, "no memory to decompose a matrix of %d x %d", n, m);
    if (code == LASER_OK) {
        dgesdd_("S", &m, &n, x, &m, s, vt, &m, u, &least, work, &lwork, iwork, &info);
        if (info != 0)
            code = laser_error_set(err, LASER_ENUMERIC, NULL, "dgesdd did not converge (info %d)", info);
    }
    free(work);
    free(iwork);
    return code;
}

/* w becomes diag(roots_R) Q_R^T W Q_C diag(roots_C), which has the values of R^(1/2) W C^(1/2). */
static void whiten(double *w, double *other, int64_t rows, int64_t columns, const struct laser_root *inputs,
                   const struct laser_root *gradients)
{
    size_t bytes = (size_t)rows * (size_t)columns * sizeof *w;

    if (inputs != NULL) {
        multiply('N', 'T', rows, columns, columns, w, columns, inputs->vectors, columns, other);
        scale_columns(other, rows, columns, inputs->roots, false);
        memcpy(w, other, bytes);
    }
    if (gradients != NULL) {
        multiply('N', 'N', rows, columns, rows, gradients->vectors, rows, w, columns, other);
        scale_rows(other, rows, columns, gradients->roots, false);
        memcpy(w, other, bytes);
    }
}

/* left = Q_R diag(1 / roots_R) left, right = right diag(1 / roots_C) Q_C^T */
static void take_back(struct laser_whitened_cut *cut, double *other, const struct laser_root *inputs,
                      const struct laser_root *gradients)
{
    if (gradients != NULL) {
        scale_rows(cut->left, cut->rows, cut->n, gradients->roots, true);
        multiply('T', 'N', cut->rows, cut->n, cut->rows, gradients->vectors, cut->rows, cut->left, cut->n,
                 other);
        memcpy(cut->left, other, (size_t)cut->rows * (size_t)cut->n * sizeof *other);
    }
    if (inputs != NULL) {
        scale_columns(cut->right, cut->n, cut->columns, inputs->roots, true);
        multiply('N', 'N', cut->n, cut->columns, cut->columns, cut->right, cut->columns, inputs->vectors,
                 cut->columns, other);
        memcpy(cut->right, other, (size_t)cut->n * (size_t)cut->columns * sizeof *other);
    }
}

int laser_cut_make(double *w, int64_t rows, int64_t columns, const struct laser_root *inputs,
                   const struct laser_root *gradients, struct laser_whitened_cut *cut,
                   struct laser_error *err)
{
    int64_t n = rows < columns ? rows : columns;
    int code = check(w, rows, columns, inputs, gradients, err);
    double *other;

    *cut = (struct laser_whitened_cut){.rows = rows, .columns = columns, .n = n};
    if (code != LASER_OK)
        return code;
    other = malloc((size_t)rows * (size_t)columns * sizeof *other);
    cut->s = malloc((size_t)n * sizeof *cut->s);
    cut->left = malloc((size_t)rows * (size_t)n * sizeof *cut->left);
    cut->right = malloc((size_t)n * (size_t)columns * sizeof *cut->right);
    if (other == NULL || cut->s == NULL || cut->left == NULL || cut->right == NULL)
        code = laser_error_set(err, LASER_ENOMEM, NULL,
                               "no memory to decompose a matrix of %" PRId64 " x %" PRId64, rows, columns);
    if (code == LASER_OK) {
        whiten(w, other, rows, columns, inputs, gradients);
        code = decompose(w, rows, columns, cut->s, cut->left, cut->right, err);
    }
    if (code == LASER_OK)
        take_back(cut, other, inputs, gradients);
    free(other);
    if (code != LASER_OK)
        laser_cut_free(cut);
    return code;
}

void laser_cut_free(struct laser_whitened_cut *cut)
{
    free(cut->s);
    free(cut->left);
    free(cut->right);
    cut->s = cut->left = cut->right = NULL;
}

int64_t laser_cut_bytes(int64_t rows, int64_t columns)
{
    int64_t n = rows < columns ? rows : columns, long_side = rows < columns ? columns : rows;

    /* other, left and right, and dgesdd's workspace: 4 n^2 + 7 n, and the long side in blocks */
    return 8 * (rows * columns + (rows + columns) * n + n + 4 * n * n + 7 * n + n * n + 64 * long_side) +
           32 * n;
}

void laser_cut_factors(const struct laser_whitened_cut *cut, int64_t k, double *a, double *b)
{
    for (int64_t i = 0; i < k; ++i) {
        const double *right = cut->right + i * cut->columns;
        double p = 0, q = 0, balance = 1;

        for (int64_t r = 0; r < cut->rows; ++r)
            p += cut->left[r * cut->n + i] * cut->left[r * cut->n + i];
        for (int64_t c = 0; c < cut->columns; ++c)
            q += right[c] * right[c];
        p = sqrt(p) * cut->s[i];
        q = sqrt(q);
        if (p > 0 && q > 0)
            balance = sqrt(q / p);
        for (int64_t r = 0; r < cut->rows; ++r)
            a[r * k + i] = cut->left[r * cut->n + i] * cut->s[i] * balance;
        for (int64_t c = 0; c < cut->columns; ++c)
            b[i * cut->columns + c] = right[c] / balance;
    }
}

void laser_cut_product(int64_t rows, int64_t columns, int64_t k, const double *a, const double *b, double *w)
{
    multiply('N', 'N', rows, columns, k, a, k, b, columns, w);
}

double laser_cut_loss(const double *s, int64_t n, int64_t k)
{
    double sum = 0;

    for (int64_t i = n - 1; i >= k; --i)
        sum += s[i] * s[i];
    return sum;
}
