#include "kernels/storage.h"

#include <math.h>

int laser_storage_bytes(enum laser_storage storage)
{
    switch (storage) {
    case LASER_STORED_F64:
        return 8;
    case LASER_STORED_F32:
        return 4;
    case LASER_STORED_F16:
    case LASER_STORED_BF16:
        return 2;
    case LASER_STORED_F8_E4M3:
    case LASER_STORED_F8_E5M2:
        return 1;
    }
    return 0;
}

static float float_from_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static float widen_f16(uint16_t half)
{
    uint32_t sign = (uint32_t)(half & 0x8000u) << 16;
    uint32_t exponent = (half >> 10) & 0x1fu;
    uint32_t mantissa = half & 0x3ffu;

    if (exponent == 0x1fu)
        return float_from_bits(sign | 0x7f800000u | mantissa << 13);
    if (exponent == 0) {
        float small = (float)mantissa * 0x1p-24f;

        return sign ? -small : small;
    }
    return float_from_bits(sign | (exponent + 112u) << 23 | mantissa << 13);
}

/* Shifted to float32's places the number lacks only the difference of the exponents' biases, 127 - 7. */
static float widen_e4m3(uint8_t byte)
{
    uint32_t sign = (uint32_t)(byte & 0x80u) << 24;
    float value = float_from_bits(sign | (uint32_t)(byte & 0x7fu) << 20) * 0x1p120f;

    return (byte & 0x7f) == 0x7f ? NAN : value;
}

void laser_bfloat16_widen(int64_t n, const uint16_t *from, float *to)
{
    for (int64_t i = 0; i < n; i++)
        to[i] = laser_bfloat16_to_float(from[i]);
}

/* Tensors lie at any byte offset of a file, so elements are copied out before they are looked at. */
#define WIDEN_LOOP(type, expression)                                                                         \
    for (int64_t i = 0; i < n; i++) {                                                                        \
        type element;                                                                                        \
                                                                                                             \
        memcpy(&element, bytes + i * stride * (int64_t)sizeof element, sizeof element);                      \
        to[i] = (expression);                                                                                \
    }                                                                                                        \
    break

void laser_storage_widen(enum laser_storage storage, int64_t n, const void *from, int64_t stride, float *to)
{
    const unsigned char *bytes = from;

    switch (storage) {
    case LASER_STORED_F64:
        WIDEN_LOOP(double, (float)element);
    case LASER_STORED_F32:
        WIDEN_LOOP(float, element);
    case LASER_STORED_F16:
        WIDEN_LOOP(uint16_t, widen_f16(element));
    case LASER_STORED_BF16:
        WIDEN_LOOP(uint16_t, laser_bfloat16_to_float(element));
    case LASER_STORED_F8_E4M3:
        WIDEN_LOOP(uint8_t, widen_e4m3(element));
    case LASER_STORED_F8_E5M2:
        WIDEN_LOOP(uint8_t, widen_f16((uint16_t)(element << 8)));
    }
}
