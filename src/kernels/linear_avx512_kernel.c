/* The register blocks of the AVX-512 product. */
#include "kernels/linear_avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>

#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif
#define INLINE static inline __attribute__((always_inline))

LASER_TARGET_AVX512 INLINE __mmask16 lane_mask(int lanes)
{
    return lanes >= 16 ? (__mmask16)0xffff : lanes <= 0 ? (__mmask16)0 : (__mmask16)((1u << lanes) - 1);
}

LASER_TARGET_AVX512 INLINE void store_block(int m, __m512 (*sums)[2], float *y, int64_t y_stride, int lanes,
                                            bool add)
{
    __mmask16 low = lane_mask(lanes), high = lane_mask(lanes - 16);

    if (add) {
        UNROLL
        for (int i = 0; i < m; i++) {
            float *to = y + i * y_stride;

            sums[i][0] = _mm512_add_ps(sums[i][0], _mm512_maskz_loadu_ps(low, to));
            sums[i][1] = _mm512_add_ps(sums[i][1], _mm512_maskz_loadu_ps(high, to + 16));
        }
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        _mm512_mask_storeu_ps(y + i * y_stride, low, sums[i][0]);
        _mm512_mask_storeu_ps(y + i * y_stride + 16, high, sums[i][1]);
    }
}

LASER_TARGET_AVX512 INLINE void clear_block(int m, __m512 (*sums)[2])
{
    UNROLL
    for (int i = 0; i < m; i++)
        sums[i][0] = sums[i][1] = _mm512_setzero_ps();
}

/* The rows of y are wanted when the loop over inputs ends.  They are asked for one after another while it
 * runs: all at once would fill the line buffers that a and b need. */
LASER_TARGET_AVX512 INLINE void prefetch_row(const float *y)
{
    __builtin_prefetch(y, 1);
    __builtin_prefetch(y + 16, 1);
}

LASER_TARGET_AVX512 INLINE void float_steps(int m, int64_t steps, const float *a, const float *b,
                                            __m512 (*sums)[2])
{
    for (int64_t k = 0; k < steps; k++) {
        __m512 low = _mm512_loadu_ps(b), high = _mm512_loadu_ps(b + 16);

        UNROLL
        for (int i = 0; i < m; i++) {
            __m512 x = _mm512_set1_ps(a[i]);

            sums[i][0] = _mm512_fmadd_ps(x, low, sums[i][0]);
            sums[i][1] = _mm512_fmadd_ps(x, high, sums[i][1]);
        }
        a += LASER_BLOCK;
        b += LASER_PANEL;
    }
}

LASER_TARGET_AVX512BF16 INLINE void pairs_steps(int m, int64_t steps, const int *a, const int *b,
                                                __m512 (*sums)[2])
{
    for (int64_t k = 0; k < steps; k++) {
        __m512i low = _mm512_loadu_si512(b), high = _mm512_loadu_si512(b + 16);

        UNROLL
        for (int i = 0; i < m; i++) {
            __m512i x = _mm512_set1_epi32(a[i]);

            sums[i][0] = _mm512_dpbf16_ps(sums[i][0], (__m512bh)x, (__m512bh)low);
            sums[i][1] = _mm512_dpbf16_ps(sums[i][1], (__m512bh)x, (__m512bh)high);
        }
        a += LASER_BLOCK;
        b += LASER_PANEL;
    }
}

#define BLOCK(target, kind, type, inputs_per_step)                                                           \
    target INLINE void kind##_block(int m, int64_t depth, const type *a, const type *b, float *y,            \
                                    int64_t y_stride, int lanes, bool add)                                   \
    {                                                                                                        \
        int64_t steps = depth / (inputs_per_step), part = steps / (m + 1);                                   \
        __m512 sums[LASER_BLOCK][2];                                                                         \
                                                                                                             \
        clear_block(m, sums);                                                                                \
        for (int i = 0; i < m; i++) {                                                                        \
            prefetch_row(y + i * y_stride);                                                                  \
            kind##_steps(m, part, a, b, sums);                                                               \
            a += part * LASER_BLOCK;                                                                         \
            b += part * LASER_PANEL;                                                                         \
        }                                                                                                    \
        kind##_steps(m, steps - part * m, a, b, sums);                                                       \
        store_block(m, sums, y, y_stride, lanes, add);                                                       \
    }

BLOCK(LASER_TARGET_AVX512, float, float, 1)
BLOCK(LASER_TARGET_AVX512BF16, pairs, int, 2)

/* Even and odd inputs have sums of their own: few tokens would otherwise wait for the latency of one sum. */
LASER_TARGET_AVX512 INLINE void few_block(int m, int64_t depth, const float *a, const int *b, float *y,
                                          int64_t y_stride, int lanes, bool add)
{
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000u);
    __m512 even[LASER_FEW][2], odd[LASER_FEW][2];

    UNROLL
    for (int i = 0; i < m; i++)
        even[i][0] = even[i][1] = odd[i][0] = odd[i][1] = _mm512_setzero_ps();
    for (int64_t k = 0; k < depth; k += 2) {
        __m512i low = _mm512_loadu_si512(b), high = _mm512_loadu_si512(b + 16);
        __m512 low_even = _mm512_castsi512_ps(_mm512_slli_epi32(low, 16));
        __m512 low_odd = _mm512_castsi512_ps(_mm512_and_si512(low, upper));
        __m512 high_even = _mm512_castsi512_ps(_mm512_slli_epi32(high, 16));
        __m512 high_odd = _mm512_castsi512_ps(_mm512_and_si512(high, upper));

        UNROLL
        for (int i = 0; i < m; i++) {
            even[i][0] = _mm512_fmadd_ps(_mm512_set1_ps(a[i]), low_even, even[i][0]);
            even[i][1] = _mm512_fmadd_ps(_mm512_set1_ps(a[i]), high_even, even[i][1]);
            odd[i][0] = _mm512_fmadd_ps(_mm512_set1_ps(a[i + LASER_BLOCK]), low_odd, odd[i][0]);
            odd[i][1] = _mm512_fmadd_ps(_mm512_set1_ps(a[i + LASER_BLOCK]), high_odd, odd[i][1]);
        }
        a += 2 * LASER_BLOCK;
        b += LASER_PANEL;
    }
    UNROLL
    for (int i = 0; i < m; i++) {
        even[i][0] = _mm512_add_ps(even[i][0], odd[i][0]);
        even[i][1] = _mm512_add_ps(even[i][1], odd[i][1]);
    }
    store_block(m, even, y, y_stride, lanes, add);
}

/* One function per number of tokens, so that each keeps its sums in registers. */
#define KERNEL(target, kind, m)                                                                              \
    target static void kind##_##m(int64_t depth, const void *a, const void *b, float *y, int64_t y_stride,   \
                                  int lanes, bool add)                                                       \
    {                                                                                                        \
        kind##_block(m, depth, a, b, y, y_stride, lanes, add);                                               \
    }

#define KERNELS(target, kind)                                                                                \
    KERNEL(target, kind, 1)                                                                                  \
    KERNEL(target, kind, 2)                                                                                  \
    KERNEL(target, kind, 3)                                                                                  \
    KERNEL(target, kind, 4)                                                                                  \
    KERNEL(target, kind, 5)                                                                                  \
    KERNEL(target, kind, 6)

#define MORE_KERNELS(target, kind)                                                                           \
    KERNEL(target, kind, 7)                                                                                  \
    KERNEL(target, kind, 8)                                                                                  \
    KERNEL(target, kind, 9)                                                                                  \
    KERNEL(target, kind, 10)                                                                                 \
    KERNEL(target, kind, 11)                                                                                 \
    KERNEL(target, kind, 12)                                                                                 \
    KERNEL(target, kind, 13)                                                                                 \
    KERNEL(target, kind, 14)

KERNELS(LASER_TARGET_AVX512, float)
MORE_KERNELS(LASER_TARGET_AVX512, float)
KERNELS(LASER_TARGET_AVX512BF16, pairs)
MORE_KERNELS(LASER_TARGET_AVX512BF16, pairs)
KERNELS(LASER_TARGET_AVX512, few)

laser_avx512_kernel *const laser_avx512_float[LASER_BLOCK + 1] = {
    NULL,    float_1, float_2,  float_3,  float_4,  float_5,  float_6, float_7,
    float_8, float_9, float_10, float_11, float_12, float_13, float_14};
laser_avx512_kernel *const laser_avx512_pairs[LASER_BLOCK + 1] = {
    NULL,    pairs_1, pairs_2,  pairs_3,  pairs_4,  pairs_5,  pairs_6, pairs_7,
    pairs_8, pairs_9, pairs_10, pairs_11, pairs_12, pairs_13, pairs_14};
laser_avx512_kernel *const laser_avx512_few[LASER_FEW + 1] = {NULL, few_1, few_2, few_3, few_4, few_5, few_6};

#endif
