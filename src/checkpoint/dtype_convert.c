#include "checkpoint/dtype.h"

#include <math.h>
#include <string.h>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Elements are converted in blocks of a constant length, staged through aligned buffers: the compiler then
 * vectorises the loops at -O2 and src and dst may have any alignment. */
#define BLOCK 256

static inline float float_of_bits(uint32_t bits)
{
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static inline uint32_t bits_of_float(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* Without branches and without denormal arithmetic (which some processors do slowly and others may have
 * switched off). */
static inline float widen_f16(uint32_t h)
{
    const uint32_t magnitude = h & 0x7fffu;
    const uint32_t shifted = magnitude << 13;
    const float tiny = (float)(int32_t)magnitude * 0x1p-24f;
    uint32_t bits = magnitude < 0x400u ? bits_of_float(tiny) : shifted + (112u << 23);

    bits = magnitude >= 0x7c00u ? shifted | 0x7f800000u : bits;
    return float_of_bits(bits | (h & 0x8000u) << 16);
}

/* The 8-bit types by table, which the compiler works out: E and M are the fields of a byte. */
#define E4M3(b)                                                                                              \
    (((b) >> 7 ? -1.0f : 1.0f) * (((b)&0x7f) == 0x7f ? NAN                                                   \
                                  : ((b) >> 3 & 15) == 0                                                     \
                                      ? (float)((b)&7) * 0x1p-9f                                             \
                                      : (float)(8 + ((b)&7)) * 0x1p-10f * (float)(1 << ((b) >> 3 & 15))))
#define E5M2(b)                                                                                              \
    (((b) >> 7 ? -1.0f : 1.0f) * (((b) >> 2 & 31) == 31 ? ((b)&3 ? NAN : INFINITY)                           \
                                  : ((b) >> 2 & 31) == 0                                                     \
                                      ? (float)((b)&3) * 0x1p-16f                                            \
                                      : (float)(4 + ((b)&3)) * 0x1p-17f * (float)(1u << ((b) >> 2 & 31))))
#define ROW4(value, b)  value(b), value((b) + 1), value((b) + 2), value((b) + 3)
#define ROW16(value, b) ROW4(value, b), ROW4(value, (b) + 4), ROW4(value, (b) + 8), ROW4(value, (b) + 12)
#define ROW64(value, b)                                                                                      \
    ROW16(value, b), ROW16(value, (b) + 16), ROW16(value, (b) + 32), ROW16(value, (b) + 48)
#define ROW256(value) ROW64(value, 0), ROW64(value, 64), ROW64(value, 128), ROW64(value, 192)

static const float e4m3_values[256] = {ROW256(E4M3)};
static const float e5m2_values[256] = {ROW256(E5M2)};

/* Rounding of a float32 to a type of 1 + exponent_bits + mantissa_bits bits, to nearest even, branch-free.
 * Without infinities, what is beyond the largest value becomes it. */
static inline uint32_t narrow(float value, int exponent_bits, int mantissa_bits, int has_infinity)
{
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int shift = 23 - mantissa_bits;
    const uint32_t bits = bits_of_float(value);
    const uint32_t magnitude = bits & 0x7fffffffu;
    const uint32_t sign = (bits >> 31) << (exponent_bits + mantissa_bits);
    const uint32_t all_ones = (1u << (exponent_bits + mantissa_bits)) - 1;
    const uint32_t infinity = ((1u << exponent_bits) - 1) << mantissa_bits;
    const uint32_t last = has_infinity ? infinity : all_ones - 1;
    const uint32_t smallest_normal = (uint32_t)(127 - bias + 1) << 23;
    /* Adding this float aligns the last bit of the sum with the last bit of a denormal. */
    const uint32_t magic = (uint32_t)(127 - bias + 1 + shift) << 23;
    const uint32_t tiny = bits_of_float(float_of_bits(magnitude) + float_of_bits(magic)) - magic;
    const uint32_t odd = (magnitude >> shift) & 1;
    const uint32_t rounded =
        (magnitude - ((uint32_t)(127 - bias) << 23) + ((1u << (shift - 1)) - 1) + odd) >> shift;
    uint32_t h = magnitude < smallest_normal ? tiny : (rounded < last ? rounded : last);

    h = magnitude > 0x7f800000u ? (has_infinity ? infinity | (1u << (mantissa_bits - 1)) : all_ones) : h;
    return h | sign;
}

static inline uint32_t narrow_bf16(float value)
{
    const uint32_t bits = bits_of_float(value);
    const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;

    return (bits & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u | (bits >> 31 << 15) : rounded;
}

/* float64 to float32 "to odd": truncated, with the last bit set if anything was lost.  Rounding the result
 * to nearest even in a type at least two bits shorter gives what rounding the float64 once would. */
static inline float to_odd(double value)
{
    const float nearest = (float)value;
    const uint32_t away = fabs((double)nearest) > fabs(value);
    const uint32_t inexact = (double)nearest != value;

    return float_of_bits((bits_of_float(nearest) - away) | inexact);
}

/* One function per type and direction, for one block: `expression` gives element i. */
#define CONVERSION(function, source, target, expression)                                                     \
    static void function(const void *restrict from, void *restrict to)                                       \
    {                                                                                                        \
        const source *src = from;                                                                            \
        target *dst = to;                                                                                    \
        for (int i = 0; i < BLOCK; i++)                                                                      \
            dst[i] = (target)(expression);                                                                   \
    }

/* A power of two; the smallest, 2^-127, is subnormal in float32. */
static inline float widen_e8m0(uint32_t b)
{
    return b == 255 ? NAN : b == 0 ? 0x1p-127f : float_of_bits(b << 23);
}

CONVERSION(f32_of_f64, double, float, src[i])
CONVERSION(f32_of_f16, uint16_t, float, widen_f16(src[i]))
CONVERSION(f32_of_bf16, uint16_t, float, float_of_bits((uint32_t)src[i] << 16))
CONVERSION(f32_of_e4m3, uint8_t, float, e4m3_values[src[i]])
CONVERSION(f32_of_e5m2, uint8_t, float, e5m2_values[src[i]])
CONVERSION(f32_of_e8m0, uint8_t, float, widen_e8m0(src[i]))
CONVERSION(f64_of_e8m0, uint8_t, double, widen_e8m0(src[i]))
CONVERSION(f64_of_f32, float, double, src[i])
CONVERSION(f64_of_f16, uint16_t, double, widen_f16(src[i]))
CONVERSION(f64_of_bf16, uint16_t, double, float_of_bits((uint32_t)src[i] << 16))
CONVERSION(f64_of_e4m3, uint8_t, double, e4m3_values[src[i]])
CONVERSION(f64_of_e5m2, uint8_t, double, e5m2_values[src[i]])
CONVERSION(f64_of_i64, int64_t, double, src[i])
CONVERSION(f64_of_i32, int32_t, double, src[i])
CONVERSION(f64_of_i16, int16_t, double, src[i])
CONVERSION(f64_of_i8, int8_t, double, src[i])
CONVERSION(f64_of_u64, uint64_t, double, src[i])
CONVERSION(f64_of_u32, uint32_t, double, src[i])
CONVERSION(f64_of_u16, uint16_t, double, src[i])
CONVERSION(f64_of_u8, uint8_t, double, src[i])
CONVERSION(f64_of_bool, uint8_t, double, src[i] != 0)
CONVERSION(f32_of_i64, int64_t, float, src[i])
CONVERSION(f32_of_i32, int32_t, float, src[i])
CONVERSION(f32_of_u64, uint64_t, float, src[i])
CONVERSION(f32_of_u32, uint32_t, float, src[i])
CONVERSION(f32_of_i16, int16_t, float, src[i])
CONVERSION(f32_of_i8, int8_t, float, src[i])
CONVERSION(f32_of_u16, uint16_t, float, src[i])
CONVERSION(f32_of_u8, uint8_t, float, src[i])
CONVERSION(f32_of_bool, uint8_t, float, src[i] != 0)
CONVERSION(f16_of_f32, float, uint16_t, narrow(src[i], 5, 10, 1))
CONVERSION(bf16_of_f32, float, uint16_t, narrow_bf16(src[i]))
CONVERSION(e4m3_of_f32, float, uint8_t, narrow(src[i], 4, 3, 0))
CONVERSION(e5m2_of_f32, float, uint8_t, narrow(src[i], 5, 2, 1))
CONVERSION(f16_of_f64, double, uint16_t, narrow(to_odd(src[i]), 5, 10, 1))
CONVERSION(bf16_of_f64, double, uint16_t, narrow_bf16(to_odd(src[i])))
CONVERSION(e4m3_of_f64, double, uint8_t, narrow(to_odd(src[i]), 4, 3, 0))
CONVERSION(e5m2_of_f64, double, uint8_t, narrow(to_odd(src[i]), 5, 2, 1))

#if defined(__x86_64__)
/* The processor's own conversion, where it has one. */
__attribute__((target("avx,f16c"))) static void f32_of_f16_native(const void *restrict from,
                                                                  void *restrict to)
{
    const __m128i *src = from;
    float *dst = to;

    for (int i = 0; i < BLOCK / 8; i++)
        _mm256_storeu_ps(dst + 8 * i, _mm256_cvtph_ps(_mm_loadu_si128(src + i)));
}

__attribute__((target("avx,f16c"))) static void f64_of_f16_native(const void *restrict from,
                                                                  void *restrict to)
{
    const __m128i *src = from;
    double *dst = to;

    for (int i = 0; i < BLOCK / 8; i++) {
        const __m256 eight = _mm256_cvtph_ps(_mm_loadu_si128(src + i));

        _mm256_storeu_pd(dst + 8 * i, _mm256_cvtps_pd(_mm256_castps256_ps128(eight)));
        _mm256_storeu_pd(dst + 8 * i + 4, _mm256_cvtps_pd(_mm256_extractf128_ps(eight, 1)));
    }
}

static int has_f16c(void)
{
    return __builtin_cpu_supports(
        "avx2"); /* every processor with AVX2 has F16C, which clang 14 cannot name */
}
#else
#define f32_of_f16_native f32_of_f16
#define f64_of_f16_native f64_of_f16

static int has_f16c(void)
{
    return 0;
}
#endif

typedef void block_function(const void *restrict from, void *restrict to);

static block_function *const f64_of[LASER_DTYPE_COUNT] = {
    [LASER_F32] = f64_of_f32,      [LASER_F16] = f64_of_f16,      [LASER_BF16] = f64_of_bf16,
    [LASER_F8_E4M3] = f64_of_e4m3, [LASER_F8_E5M2] = f64_of_e5m2, [LASER_I64] = f64_of_i64,
    [LASER_I32] = f64_of_i32,      [LASER_I16] = f64_of_i16,      [LASER_I8] = f64_of_i8,
    [LASER_U64] = f64_of_u64,      [LASER_U32] = f64_of_u32,      [LASER_U16] = f64_of_u16,
    [LASER_U8] = f64_of_u8,        [LASER_BOOL] = f64_of_bool,    [LASER_F8_E8M0] = f64_of_e8m0,
};

static block_function *const f32_of[LASER_DTYPE_COUNT] = {
    [LASER_F64] = f32_of_f64,      [LASER_F16] = f32_of_f16,      [LASER_BF16] = f32_of_bf16,
    [LASER_F8_E4M3] = f32_of_e4m3, [LASER_F8_E5M2] = f32_of_e5m2, [LASER_I64] = f32_of_i64,
    [LASER_I32] = f32_of_i32,      [LASER_I16] = f32_of_i16,      [LASER_I8] = f32_of_i8,
    [LASER_U64] = f32_of_u64,      [LASER_U32] = f32_of_u32,      [LASER_U16] = f32_of_u16,
    [LASER_U8] = f32_of_u8,        [LASER_BOOL] = f32_of_bool,    [LASER_F8_E8M0] = f32_of_e8m0,
};

static block_function *const of_f64[LASER_DTYPE_COUNT] = {
    [LASER_F32] = f32_of_f64,      [LASER_F16] = f16_of_f64,      [LASER_BF16] = bf16_of_f64,
    [LASER_F8_E4M3] = e4m3_of_f64, [LASER_F8_E5M2] = e5m2_of_f64,
};

static block_function *const of_f32[LASER_DTYPE_COUNT] = {
    [LASER_F64] = f64_of_f32,      [LASER_F16] = f16_of_f32,      [LASER_BF16] = bf16_of_f32,
    [LASER_F8_E4M3] = e4m3_of_f32, [LASER_F8_E5M2] = e5m2_of_f32,
};

/* NULL for convert: source and target are the same type.  Blocks that are incomplete or not aligned are
 * staged; the copies stay in the first-level cache. */
static void convert_all(block_function *convert, size_t in_size, size_t out_size, const char *src, int64_t n,
                        char *dst)
{
    _Alignas(64) char in[BLOCK * 8] = {0};
    _Alignas(64) char out[BLOCK * 8];
    const int aligned = (uintptr_t)src % in_size == 0 && (uintptr_t)dst % out_size == 0;

    if (convert == NULL) {
        if (n > 0)
            memcpy(dst, src, (size_t)n * in_size);
        return;
    }
    for (int64_t i = 0; i < n; i += BLOCK) {
        const size_t count = (size_t)(n - i < BLOCK ? n - i : BLOCK);

        if (aligned && count == BLOCK) {
            convert(src, dst);
        } else {
            memcpy(in, src, count * in_size);
            convert(in, out);
            memcpy(dst, out, count * out_size);
        }
        src += count * in_size;
        dst += count * out_size;
    }
}

void laser_dtype_to_f64(enum laser_dtype dtype, const void *src, int64_t n, double *dst)
{
    block_function *const convert = dtype == LASER_F16 && has_f16c() ? f64_of_f16_native : f64_of[dtype];

    convert_all(convert, laser_dtype_size(dtype), sizeof *dst, src, n, (char *)dst);
}

void laser_dtype_to_f32(enum laser_dtype dtype, const void *src, int64_t n, float *dst)
{
    block_function *const convert = dtype == LASER_F16 && has_f16c() ? f32_of_f16_native : f32_of[dtype];

    convert_all(convert, laser_dtype_size(dtype), sizeof *dst, src, n, (char *)dst);
}

bool laser_dtype_from_f64(enum laser_dtype dtype, const double *src, int64_t n, void *dst)
{
    if (!laser_dtype_is_float(dtype))
        return false;
    convert_all(of_f64[dtype], sizeof *src, laser_dtype_size(dtype), (const char *)src, n, dst);
    return true;
}

bool laser_dtype_from_f32(enum laser_dtype dtype, const float *src, int64_t n, void *dst)
{
    if (!laser_dtype_is_float(dtype))
        return false;
    convert_all(of_f32[dtype], sizeof *src, laser_dtype_size(dtype), (const char *)src, n, dst);
    return true;
}
