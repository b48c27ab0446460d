#include "compress/compress.h"

#include <float.h>
#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "linalg/eigen.h"

const struct laser_compress_method laser_compress_methods[] = {
    {"both", true, true, "whitened by the inputs and by the output gradients: least predicted loss"},
    {"inputs", true, false, "whitened by the inputs: least squared error of the outputs (SVD-LLM)"},
    {"plain", false, false, "largest singular values of the weight itself: no statistics"},
    {NULL, false, false, NULL},
};

const struct laser_compress_method *laser_compress_method_find(const char *name)
{
    for (const struct laser_compress_method *m = laser_compress_methods; m->name != NULL; ++m)
        if (strcmp(m->name, name) == 0)
            return m;
    return NULL;
}

/* The lower triangle, in Fortran's order, of the mean; *zero: nothing but zeros. */
static int copy_mean(const double *sum, int64_t n, double tokens, double *mean, bool *zero,
                     struct laser_error *err)
{
    *zero = true;
    for (int64_t i = 0; i < n; ++i)
        for (int64_t j = 0; j <= i; ++j) {
            double x = sum[i * n + j] / tokens;
            if (!isfinite(x))
                return laser_error_set(err, LASER_ENUMERIC, NULL,
                                       "entry (%" PRId64 ", %" PRId64 ") of a covariance is not finite", i,
                                       j);
            mean[j * n + i] = x;
            *zero = *zero && x == 0;
        }
    return LASER_OK;
}

/* Damped roots, largest first, from n ascending eigenvalues. */
static void take_roots(const double *w, bool zero, struct laser_root *root)
{
    int64_t n = root->n;
    double largest = !zero && w[n - 1] > 0 ? w[n - 1] : 0;
    double damping = largest > 0 ? LASER_ROOT_DAMPING * largest : 1;

    root->rank = 0;
    for (int64_t i = 0; i < n; ++i) {
        double x = w[n - 1 - i];
        root->rank += largest > 0 && x > (double)n * DBL_EPSILON * largest;
        root->roots[i] = sqrt((largest > 0 && x > 0 ? x : 0) + damping);
    }
}

int laser_root_make(const double *sum, int64_t n, double tokens, struct laser_root *root,
                    struct laser_error *err)
{
    double *mean, *w;
    bool zero = true;
    int code;

    *root = (struct laser_root){.n = n};
    if (!(tokens >= 1))
        return laser_error_set(err, LASER_EUSAGE, NULL, "a covariance of %g tokens", tokens);
    if (n < 1 || n > INT_MAX)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "a covariance of %" PRId64 " rows", n);
    mean = malloc((size_t)n * (size_t)n * sizeof *mean);
    w = malloc((size_t)n * sizeof *w);
    root->vectors = malloc((size_t)n * (size_t)n * sizeof *root->vectors);
    root->roots = malloc((size_t)n * sizeof *root->roots);
    code = mean == NULL || w == NULL || root->vectors == NULL || root->roots == NULL
               ? laser_error_set(err, LASER_ENOMEM, NULL,
                                 "no memory for the root of a covariance of %" PRId64 " rows", n)
               : copy_mean(sum, n, tokens, mean, &zero, err);
    if (code == LASER_OK)
        code = laser_symmetric_vectors(mean, (int)n, 0, (int)n, w, root->vectors, err);
    if (code == LASER_OK)
        take_roots(w, zero, root);
    free(mean);
    free(w);
    if (code != LASER_OK)
        laser_root_free(root);
    return code;
}

void laser_root_free(struct laser_root *root)
{
    free(root->vectors);
    free(root->roots);
    root->vectors = root->roots = NULL;
}

int64_t laser_root_bytes(int64_t n)
{
    return 32 * n * n + 128 * n;
}

double laser_cut_memory(int64_t rows, int64_t columns, const struct laser_compress_method *method)
{
    double r = method->gradients ? (double)rows : 0, c = method->inputs ? (double)columns : 0;
    double sums = 8 * (r * r + c * c), roots = sums;
    double first = (double)laser_root_bytes((int64_t)c),
           second = 8 * c * c + (double)laser_root_bytes((int64_t)r),
           cut = roots + 8 * (double)rows * (double)columns + (double)laser_cut_bytes(rows, columns);

    return sums + fmax(fmax(first, second), cut);
}
