#include "kernels/linear.h"

#include "kernels/linear_layout.h"

static enum laser_storage packed_storage(enum laser_precision precision, enum laser_storage stored)
{
    if (precision == LASER_BFLOAT16)
        return LASER_STORED_BF16;
    return stored == LASER_STORED_F64 ? LASER_STORED_F32 : stored;
}

int64_t laser_linear_size(enum laser_precision precision, enum laser_storage stored, int64_t out, int64_t in)
{
    int64_t bytes = laser_storage_bytes(packed_storage(precision, stored));
    int64_t elements;

    if (!laser_storage_bytes(stored) || out < 1 || in < 1 || out > INT64_MAX - LASER_PANEL ||
        in > INT64_MAX - 2)
        return -1;
    if (__builtin_mul_overflow(laser_round_up(out, LASER_PANEL), laser_round_up(in, 2), &elements) ||
        __builtin_mul_overflow(elements, bytes, &elements))
        return -1;
    return elements;
}

int laser_linear_init(struct laser_linear *linear, enum laser_precision precision, enum laser_storage stored,
                      int64_t out, int64_t in, void *packed, const float *bias, struct laser_error *err)
{
    if (laser_linear_size(precision, stored, out, in) < 0)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "linear layer of %lld outputs and %lld inputs",
                               (long long)out, (long long)in);
    if ((uintptr_t)packed % 64)
        return laser_error_set(err, LASER_EINTERNAL, NULL, "packed weights are not aligned to 64 bytes");
    *linear = (struct laser_linear){.out = out,
                                    .in = in,
                                    .precision = precision,
                                    .stored = stored,
                                    .packed_as = packed_storage(precision, stored),
                                    .packed = packed,
                                    .bias = bias};
    return LASER_OK;
}

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

int64_t laser_linear_scratch_size(const struct laser_linear *linear, int64_t tokens)
{
    int64_t size = laser_product_generic_scratch(linear, tokens);

    size = larger(size, laser_product_openblas_scratch(linear, tokens));
    size = larger(size, laser_product_onednn_scratch(linear, tokens));
    return larger(size, laser_product_avx512_scratch(linear, tokens));
}

static void start_with_bias(const float *bias, const struct laser_product *product)
{
    for (int64_t t = 0; t < product->tokens; t++) {
        float *y = product->y + t * product->y_stride;

        if (!product->add)
            memcpy(y, bias, (size_t)product->count * sizeof *y);
        else
            for (int64_t o = 0; o < product->count; o++)
                y[o] += bias[o];
    }
}

void laser_linear_apply_range(const struct laser_linear *linear, int64_t first, int64_t count, int64_t tokens,
                              const float *x, int64_t x_stride, float *y, int64_t y_stride,
                              enum laser_output output, const struct laser_scratch *scratch)
{
    struct laser_product product = {
        linear, first, count, tokens, x, x_stride, y, y_stride, output == LASER_ADD, scratch};

    if (tokens < 1 || count < 1)
        return;
    if (linear->bias) {
        start_with_bias(linear->bias + first, &product);
        product.add = true;
    }
    switch (laser_kernels_current(linear->precision)) {
    case LASER_KERNELS_GENERIC:
        laser_product_generic(&product);
        break;
    case LASER_KERNELS_AVX512:
        laser_product_avx512(&product);
        break;
    case LASER_KERNELS_AVX512BF16:
        laser_product_avx512bf16(&product);
        break;
    case LASER_KERNELS_ONEDNN:
        laser_product_onednn(&product);
        break;
    case LASER_KERNELS_OPENBLAS:
        laser_product_openblas(&product);
        break;
    }
}

void laser_linear_apply(const struct laser_linear *linear, int64_t tokens, const float *x, int64_t x_stride,
                        float *y, int64_t y_stride, enum laser_output output,
                        const struct laser_scratch *scratch)
{
    laser_linear_apply_range(linear, 0, linear->out, tokens, x, x_stride, y, y_stride, output, scratch);
}
