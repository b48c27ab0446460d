/* Inside kernels/ only: how packed weights lie in memory, and what the implementations of the product share.
 *
 * Outputs are cut into panels of 32.  A panel holds, input by input, the weights of its 32 outputs: float32
 * as [in][32], narrower types in pairs of inputs as [in / 2][32][2], so that one 32-bit lane is the operand
 * of a bfloat16 dot product and widens by a shift and a mask.
 */
#ifndef LASER_KERNELS_LINEAR_LAYOUT_H
#define LASER_KERNELS_LINEAR_LAYOUT_H

#include "kernels/linear.h"

enum { LASER_PANEL = 32 };

/* y[tokens, count] (+)= x[tokens, in] W[first .. first + count - 1]^T; the bias is already dealt with. */
struct laser_product {
    const struct laser_linear *linear;
    int64_t first, count;
    int64_t tokens;
    const float *x;
    int64_t x_stride;
    float *y;
    int64_t y_stride;
    bool add;
    const struct laser_scratch *scratch;
};

static inline int64_t laser_round_up(int64_t n, int64_t step)
{
    return (n + step - 1) / step * step;
}

/* Inputs as packed: even. */
static inline int64_t laser_linear_depth(const struct laser_linear *linear)
{
    return laser_round_up(linear->in, 2);
}

/* The first byte of a panel at input k (even). */
static inline const void *laser_linear_panel(const struct laser_linear *linear, int64_t panel, int64_t k)
{
    return (const char *)linear->packed +
           (panel * laser_linear_depth(linear) + k) * LASER_PANEL * laser_storage_bytes(linear->packed_as);
}

/* Widens inputs k .. k + n - 1 (k even; n even or up to the end) of a panel to float32: to[i * to_stride +
 * lane]. */
void laser_linear_widen(const struct laser_linear *linear, int64_t panel, int64_t k, int64_t n, float *to,
                        int64_t to_stride);

/* The implementations, and the scratch that each needs. */
void laser_product_generic(const struct laser_product *product);
int64_t laser_product_generic_scratch(const struct laser_linear *linear, int64_t tokens);
void laser_product_openblas(const struct laser_product *product);
int64_t laser_product_openblas_scratch(const struct laser_linear *linear, int64_t tokens);
void laser_product_onednn(const struct laser_product *product);
int64_t laser_product_onednn_scratch(const struct laser_linear *linear, int64_t tokens);
void laser_product_avx512(const struct laser_product *product);
void laser_product_avx512bf16(const struct laser_product *product);
int64_t laser_product_avx512_scratch(const struct laser_linear *linear, int64_t tokens);

#endif
