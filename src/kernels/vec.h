/* Inside kernels/ only: vectors of 16 floats in the compiler's own vector type, compiled once for each
 * instruction set (LASER_VARIANTS), and the few transcendental functions that the forward pass needs.
 *
 * Vectors go by pointer: by value their passing would depend on the instruction set.  The functions are
 * always inlined, so nothing passes through memory.  Coefficients: tools/make_vec_coefficients.py.
 */
#ifndef LASER_KERNELS_VEC_H
#define LASER_KERNELS_VEC_H

#include <stdint.h>
#include <string.h>

#include "kernels/dispatch.h"

#define LASER_INLINE static inline __attribute__((always_inline))

enum { LASER_LANES = 16 };

typedef float laser_vec __attribute__((vector_size(64)));
typedef int32_t laser_vec_mask __attribute__((vector_size(64))); /* 0 or -1 in each lane */
typedef uint32_t laser_vec_bits __attribute__((vector_size(64)));

/* Defines `static void name parameters` which calls name_body (an always inlined function) compiled for the
 * best instruction set of the machine. */
#if defined(__x86_64__)
#define LASER_VARIANTS(name, parameters, arguments)                                                          \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma"))) static void name##_avx512 parameters   \
    {                                                                                                        \
        name##_body arguments;                                                                               \
    }                                                                                                        \
    __attribute__((target("avx2,fma"))) static void name##_avx2 parameters                                   \
    {                                                                                                        \
        name##_body arguments;                                                                               \
    }                                                                                                        \
    static void name parameters                                                                              \
    {                                                                                                        \
        switch (laser_kernels_simd()) {                                                                      \
        case LASER_SIMD_AVX512:                                                                              \
            name##_avx512 arguments;                                                                         \
            break;                                                                                           \
        case LASER_SIMD_AVX2:                                                                                \
            name##_avx2 arguments;                                                                           \
            break;                                                                                           \
        case LASER_SIMD_BASE:                                                                                \
            name##_body arguments;                                                                           \
            break;                                                                                           \
        }                                                                                                    \
    }
#else
#define LASER_VARIANTS(name, parameters, arguments)                                                          \
    static void name parameters                                                                              \
    {                                                                                                        \
        name##_body arguments;                                                                               \
    }
#endif

/* The first n floats; lanes from n on are 0. */
LASER_INLINE void laser_vec_load(laser_vec *v, const float *from, int64_t n)
{
    if (n >= LASER_LANES) {
        memcpy(v, from, sizeof *v);
    } else {
        *v = (laser_vec){0};
        memcpy(v, from, (size_t)n * sizeof(float));
    }
}

LASER_INLINE void laser_vec_store(const laser_vec *v, float *to, int64_t n)
{
    memcpy(to, v, n >= LASER_LANES ? sizeof *v : (size_t)n * sizeof(float));
}

LASER_INLINE void laser_vec_fill(laser_vec *v, float value)
{
    *v = (laser_vec){0} + value;
}

/* Lane by lane: mask ? a : b. */
LASER_INLINE void laser_vec_select(laser_vec *v, const laser_vec_mask *mask, const laser_vec *a,
                                   const laser_vec *b)
{
    *v = (laser_vec)((*mask & (laser_vec_mask)*a) | (~*mask & (laser_vec_mask)*b));
}

/* v = larger of v and a; a NaN in v stays, one in a does not count. */
LASER_INLINE void laser_vec_raise(laser_vec *v, const laser_vec *a)
{
    laser_vec_mask larger = *a > *v;

    laser_vec_select(v, &larger, a, v);
}

LASER_INLINE float laser_vec_sum(const laser_vec *v)
{
    float lanes[LASER_LANES];

    memcpy(lanes, v, sizeof lanes);
    for (int width = LASER_LANES / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            lanes[i] += lanes[i + width];
    return lanes[0];
}

/* e^x within 2 ulp for -87 <= x <= 88; 0 below, undefined above, NaN for NaN.  Cody and Waite 1980,
 * chapter 6. */
LASER_INLINE void laser_vec_exp_below_88(laser_vec *x)
{
    const float round = 0x1.8p23f; /* adding it leaves the nearest integer in the low bits */
    laser_vec zero = {0}, n = *x * 1.44269504f + round, r, p;
    laser_vec_mask keep = ~(*x < -87.0f);
    laser_vec_bits power = (laser_vec_bits)n - (laser_vec_bits)(zero + round);

    n -= round;
    r = *x - n * 0x1.62e4p-1f - n * 0x1.7f7d1cp-20f; /* log 2 in two parts, the first exact in its products */
    p = 1 + r +
        r * r * (0.5f + r * (0.166665122f + r * (0.0416661873f + r * (0.00836959854f + r * 0.00139517186f))));
    p *= (laser_vec)((power + 127) << 23);
    laser_vec_select(x, &keep, &p, &zero);
}

/* The same, and e^88 above 88. */
LASER_INLINE void laser_vec_exp(laser_vec *x)
{
    laser_vec high;
    laser_vec_mask above = *x > 88.0f;

    laser_vec_fill(&high, 88.0f);
    laser_vec_select(x, &above, &high, x);
    laser_vec_exp_below_88(x);
}

/* 8 doubles, for sums whose small differences count. */
enum { LASER_LANES64 = 8 };

typedef double laser_vec64 __attribute__((vector_size(64)));
typedef int64_t laser_vec64_mask __attribute__((vector_size(64)));
typedef uint64_t laser_vec64_bits __attribute__((vector_size(64)));
typedef float laser_vec_half __attribute__((vector_size(32)));

LASER_INLINE double laser_vec64_sum(const laser_vec64 *v)
{
    double lanes[LASER_LANES64];

    memcpy(lanes, v, sizeof lanes);
    for (int width = LASER_LANES64 / 2; width > 0; width /= 2)
        for (int i = 0; i < width; i++)
            lanes[i] += lanes[i + width];
    return lanes[0];
}

/* e^x within 2 ulp for -700 <= x <= 700; 0 below, NaN for NaN: the same reduction, and Taylor's polynomial to x^12,
 * whose remainder is below 2e-16. */
LASER_INLINE void laser_vec64_exp_below_0(laser_vec64 *x)
{
    const double round = 0x1.8p52;
    laser_vec64 zero = {0}, n = *x * 0x1.71547652b82fep+0 + round, r, p;
    laser_vec64_mask keep = ~(*x < -700.0);
    laser_vec64_bits power = (laser_vec64_bits)n - (laser_vec64_bits)(zero + round);

    n -= round;
    r = *x - n * 0x1.62e42feep-1 - n * 0x1.a39ef35793c76p-33;
    p = 0x1.1eed8eff8d898p-29 * r + 0x1.ae64567f544e4p-26;
    p = p * r + 0x1.27e4fb7789f5cp-22;
    p = p * r + 0x1.71de3a556c734p-19;
    p = p * r + 0x1.a01a01a01a01ap-16;
    p = p * r + 0x1.a01a01a01a01ap-13;
    p = p * r + 0x1.6c16c16c16c17p-10;
    p = p * r + 0x1.1111111111111p-7;
    p = p * r + 0x1.5555555555555p-5;
    p = p * r + 0x1.5555555555555p-3;
    p = p * r + 0.5;
    p = 1 + (r + r * r * p);
    p *= (laser_vec64)((power + 1023) << 52);
    *x = (laser_vec64)((keep & (laser_vec64_mask)p) | (~keep & (laser_vec64_mask)zero));
}

/* tanh, within 3 ulp. */
LASER_INLINE void laser_vec_tanh(laser_vec *x)
{
    laser_vec s = *x * *x, e = 2 * *x, near, far;
    laser_vec_mask is_near = s <= 0.625f * 0.625f;

    near = *x + *x * s *
                    (-0.333332837f +
                     s * (0.133314908f + s * (-0.0537434965f + s * (0.0206505861f + s * -0.0057170447f))));
    laser_vec_exp(&e);
    far = 1 - 2 / (e + 1);
    laser_vec_select(x, &is_near, &near, &far);
}

/* The error function, within 1e-7. */
LASER_INLINE void laser_vec_erf(laser_vec *x)
{
    laser_vec_bits sign = (laser_vec_bits)*x & 0x80000000u;
    laser_vec s = *x * *x, t = (laser_vec)((laser_vec_bits)*x ^ sign), near, far;
    laser_vec_mask is_near = t <= 0.92f;

    near =
        *x +
        *x * (0.128379151f +
              s * (-0.376125067f +
                   s * (0.112819552f + s * (-0.0267712846f + s * (0.00499960175f + s * -0.000602180837f)))));
    {
        laser_vec_mask beyond = t > 4.0f;
        laser_vec four, e;

        laser_vec_fill(&four, 4.0f);
        laser_vec_select(&e, &beyond, &four, &t);
        e = e * (-0.128652155f +
                 e * (-0.635135889f +
                      e * (-0.106263146f +
                           e * (0.0237853453f +
                                e * (-0.00365376356f + e * (0.000325652596f + e * -1.15222783e-05f)))))) -
            e;
        laser_vec_exp(&e);
        far = 1 - e;
    }
    far = (laser_vec)((laser_vec_bits)far | sign);
    laser_vec_select(x, &is_near, &near, &far);
}

#endif
