/* The product by the sgemm of the BLAS library, on blocks of outputs widened to float32. */
#include <limits.h>

#include "kernels/linear_layout.h"

enum { OUTPUTS = 256, TOKENS = 1024 }; /* of one sgemm */

/* Fortran's sgemm, C = alpha A B + beta C, column-major. */
void sgemm_(const char *transa, const char *transb, const int *m, const int *n, const int *k,
            const float *alpha, const float *a, const int *lda, const float *b, const int *ldb,
            const float *beta, float *c, const int *ldc, size_t transa_length, size_t transb_length);

int64_t laser_product_openblas_scratch(const struct laser_linear *linear, int64_t tokens)
{
    int64_t rows = tokens < TOKENS ? tokens : TOKENS;

    if (linear->precision == LASER_FLOAT32)
        rows = 0;
    return linear->in * (OUTPUTS + rows) * (int64_t)sizeof(float);
}

static void round_tokens(const struct laser_product *product, int64_t first, int64_t count, float *to)
{
    int64_t in = product->linear->in;

    for (int64_t t = 0; t < count; t++)
        for (int64_t k = 0; k < in; k++)
            to[t * in + k] = laser_bfloat16_to_float(
                laser_bfloat16_from_float(product->x[(first + t) * product->x_stride + k]));
}

static void multiply(const struct laser_product *product, int64_t first_token, int64_t tokens, const float *x,
                     int64_t x_stride, float *weights)
{
    const float one = 1, beta = product->add ? 1 : 0;
    int k = (int)product->linear->in, n = (int)tokens, lda = OUTPUTS, ldb = (int)x_stride,
        ldc = (int)product->y_stride;

    for (int64_t o = 0; o < product->count; o += OUTPUTS) {
        int m = (int)(product->count - o < OUTPUTS ? product->count - o : OUTPUTS);
        float *y = product->y + first_token * product->y_stride + o;

        for (int lane = 0; lane < m; lane += LASER_PANEL)
            laser_linear_widen(product->linear, (product->first + o + lane) / LASER_PANEL, 0, k,
                               weights + lane, OUTPUTS);
        sgemm_("N", "N", &m, &n, &k, &one, weights, &lda, x, &ldb, &beta, y, &ldc, 1, 1);
    }
}

void laser_product_openblas(const struct laser_product *product)
{
    int64_t in = product->linear->in;
    float *weights = product->scratch->data, *rounded = weights + in * OUTPUTS;

    /* BLAS counts in int. */
    if (in > INT_MAX || product->x_stride > INT_MAX || product->y_stride > INT_MAX) {
        laser_product_generic(product);
        return;
    }
    for (int64_t t = 0; t < product->tokens; t += TOKENS) {
        int64_t count = product->tokens - t < TOKENS ? product->tokens - t : TOKENS;

        if (product->linear->precision == LASER_BFLOAT16) {
            round_tokens(product, t, count, rounded);
            multiply(product, t, count, rounded, in, weights);
        } else {
            multiply(product, t, count, product->x + t * product->x_stride, product->x_stride, weights);
        }
    }
}
