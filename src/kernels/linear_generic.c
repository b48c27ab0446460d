/* The product in plain C: correct on every machine, the fallback where neither BLAS nor AVX-512 is used. */
#include "kernels/linear_layout.h"

enum { TOKENS = 8 };

int64_t laser_product_generic_scratch(const struct laser_linear *linear, int64_t tokens)
{
    (void)tokens;
    return laser_linear_depth(linear) * (LASER_PANEL + TOKENS) * (int64_t)sizeof(float);
}

static void copy_tokens(const struct laser_product *product, int64_t first, int64_t count, float *to)
{
    int64_t in = product->linear->in;
    bool rounded = product->linear->precision == LASER_BFLOAT16;

    for (int64_t t = 0; t < count; t++) {
        const float *x = product->x + (first + t) * product->x_stride;

        for (int64_t k = 0; k < in; k++)
            to[t * in + k] = rounded ? laser_bfloat16_to_float(laser_bfloat16_from_float(x[k])) : x[k];
    }
}

static void multiply_token(int64_t in, const float *x, const float *panel, int64_t lanes, bool add, float *y)
{
    float sums[LASER_PANEL] = {0};

    for (int64_t k = 0; k < in; k++)
        for (int lane = 0; lane < LASER_PANEL; lane++)
            sums[lane] += x[k] * panel[k * LASER_PANEL + lane];
    for (int64_t lane = 0; lane < lanes; lane++)
        y[lane] = add ? y[lane] + sums[lane] : sums[lane];
}

void laser_product_generic(const struct laser_product *product)
{
    int64_t in = product->linear->in;
    float *panel = product->scratch->data;
    float *x = panel + laser_linear_depth(product->linear) * LASER_PANEL;

    for (int64_t o = 0; o < product->count; o += LASER_PANEL) {
        int64_t lanes = product->count - o < LASER_PANEL ? product->count - o : LASER_PANEL;

        laser_linear_widen(product->linear, (product->first + o) / LASER_PANEL, 0, in, panel, LASER_PANEL);
        for (int64_t t = 0; t < product->tokens; t += TOKENS) {
            int64_t count = product->tokens - t < TOKENS ? product->tokens - t : TOKENS;

            copy_tokens(product, t, count, x);
            for (int64_t i = 0; i < count; i++)
                multiply_token(in, x + i * in, panel, lanes, product->add,
                               product->y + (t + i) * product->y_stride + o);
        }
    }
}
