/* Element types of safetensors files and their conversion to and from float64 and float32. */
#ifndef LASER_CHECKPOINT_DTYPE_H
#define LASER_CHECKPOINT_DTYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* LASER_F8_E4M3 is the "fn" variant: no infinities, largest value 448, NaN = 0x7f and 0xff.  LASER_F8_E8M0
 * holds powers of two, 2^(bits - 127), NaN = 0xff: the scales of other tensors, never weights. */
enum laser_dtype {
    LASER_F64,
    LASER_F32,
    LASER_F16,
    LASER_BF16,
    LASER_F8_E4M3,
    LASER_F8_E5M2,
    LASER_I64,
    LASER_I32,
    LASER_I16,
    LASER_I8,
    LASER_U64,
    LASER_U32,
    LASER_U16,
    LASER_U8,
    LASER_BOOL,
    LASER_F8_E8M0,     /* powers of two: scales of MX formats */
    LASER_DTYPE_COUNT, /* of the types that are converted; the others are known by name and size alone */
    LASER_F8_E4M3FNUZ = LASER_DTYPE_COUNT,
    LASER_F8_E5M2FNUZ,
    LASER_C64,
    LASER_F4,
    LASER_F6_E2M3,
    LASER_F6_E3M2,
    LASER_DTYPE_END
};

/* Bytes of one element; for an element of less than a byte, 1. */
size_t laser_dtype_size(enum laser_dtype dtype);

/* Bits of one element. */
size_t laser_dtype_bits(enum laser_dtype dtype);

/* The name in a safetensors header ("BF16", "F8_E4M3"); never NULL. */
const char *laser_dtype_name(enum laser_dtype dtype);

/* False if the name is none of these types. */
bool laser_dtype_parse(const char *name, enum laser_dtype *dtype);

bool laser_dtype_is_float(enum laser_dtype dtype);

/* Widens n elements. src needs no alignment; src and dst must not overlap.  Exact for every floating type
 * (64-bit integers are rounded, F64 to float32 is rounded to nearest even). */
void laser_dtype_to_f64(enum laser_dtype dtype, const void *src, int64_t n, double *dst);
void laser_dtype_to_f32(enum laser_dtype dtype, const void *src, int64_t n, float *dst);

/* Rounds n elements to nearest even, once (a float64 does not pass through a rounded float32).  Overflow
 * gives Inf, except that F8_E4M3 saturates at 448 (Inf too), as torch 2.15 does; NaN stays NaN.  dst needs no
 * alignment.  False, with nothing written, if dtype is not a floating type. */
bool laser_dtype_from_f64(enum laser_dtype dtype, const double *src, int64_t n, void *dst);
bool laser_dtype_from_f32(enum laser_dtype dtype, const float *src, int64_t n, void *dst);

#endif
