/* Element types in which a weight is stored, and their conversion.  All are little-endian, as safetensors. */
#ifndef LASER_KERNELS_STORAGE_H
#define LASER_KERNELS_STORAGE_H

#include <stdint.h>
#include <string.h>

enum laser_storage {
    LASER_STORED_F64,
    LASER_STORED_F32,
    LASER_STORED_F16,
    LASER_STORED_BF16,
    LASER_STORED_F8_E4M3, /* the "fn" kind: no infinity */
    LASER_STORED_F8_E5M2
};

/* Bytes of one element, 0 for a value that is no storage. */
int laser_storage_bytes(enum laser_storage storage);

/* Widens n elements with a distance of stride elements to float32; float64 rounds to nearest even. */
void laser_storage_widen(enum laser_storage storage, int64_t n, const void *from, int64_t stride, float *to);

/* Widens n bfloat16 values. */
void laser_bfloat16_widen(int64_t n, const uint16_t *from, float *to);

static inline float laser_bfloat16_to_float(uint16_t bits)
{
    uint32_t wide = (uint32_t)bits << 16;
    float value;

    memcpy(&value, &wide, sizeof value);
    return value;
}

/* Nearest, ties to even; a NaN stays a (quiet) NaN. */
static inline uint16_t laser_bfloat16_from_float(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return (uint16_t)((bits >> 16) | 0x40u);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

#endif
