/* Operands of the AVX-512 product: activations transposed into blocks of 14 tokens, weights widened to
 * float32. */
#include "kernels/linear_avx512.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define INLINE static inline __attribute__((always_inline))

/* The transpose of 16 x 16 words, in place: four rounds of exchanges. */
LASER_TARGET_AVX512 INLINE void transpose(__m512i r[16])
{
    __m512i s[16];

    for (int i = 0; i < 16; i += 2) {
        s[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        s[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    for (int i = 0; i < 16; i += 4) {
        r[i] = _mm512_unpacklo_epi64(s[i], s[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(s[i], s[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(s[i + 1], s[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(s[i + 1], s[i + 3]);
    }
    for (int i = 0; i < 16; i += 8)
        for (int j = 0; j < 4; j++) {
            s[i + j] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0x88);
            s[i + j + 4] = _mm512_shuffle_i32x4(r[i + j], r[i + j + 4], 0xdd);
        }
    for (int j = 0; j < 8; j++) {
        r[j] = _mm512_shuffle_i32x4(s[j], s[j + 8], 0x88);
        r[j + 8] = _mm512_shuffle_i32x4(s[j], s[j + 8], 0xdd);
    }
}

/* bfloat16 nearest even in the upper halves, as laser_bfloat16_from_float. */
LASER_TARGET_AVX512 INLINE __m512i round_upper(__m512 x)
{
    __m512i bits = _mm512_castps_si512(x);
    __m512i tie = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
    __m512i rounded = _mm512_add_epi32(_mm512_add_epi32(bits, _mm512_set1_epi32(0x7fff)), tie);
    __mmask16 nan = _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q);

    rounded = _mm512_mask_or_epi32(rounded, nan, bits, _mm512_set1_epi32(0x400000));
    return _mm512_and_si512(rounded, _mm512_set1_epi32((int)0xffff0000u));
}

/* 16 words of one token: float32 values, or pairs from 32 of them. */
LASER_TARGET_AVX512 INLINE __m512i load_words(enum laser_operand operand, int64_t left, const float *x)
{
    __mmask16 first = left >= 16 ? (__mmask16)0xffff : (__mmask16)((1u << left) - 1);
    __m512 values = _mm512_maskz_loadu_ps(first, x);
    __m512i low, high, even, odd;
    __mmask16 second;

    if (operand == LASER_OPERAND_FLOAT)
        return _mm512_castps_si512(values);
    low = round_upper(values);
    if (operand == LASER_OPERAND_ROUNDED)
        return low;
    second = left >= 32 ? (__mmask16)0xffff : left > 16 ? (__mmask16)((1u << (left - 16)) - 1) : (__mmask16)0;
    high = round_upper(_mm512_maskz_loadu_ps(second, x + 16));
    even = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    odd = _mm512_setr_epi32(1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
    return _mm512_or_si512(_mm512_srli_epi32(_mm512_permutex2var_epi32(low, even, high), 16),
                           _mm512_permutex2var_epi32(low, odd, high));
}

/* One block of m tokens.  Each store writes 16 words of which the next one overwrites the last two. */
LASER_TARGET_AVX512 INLINE void prepare_block(enum laser_operand operand, int64_t m, int64_t n, int64_t depth,
                                              const float *x, int64_t x_stride, int *to)
{
    int per_word = operand == LASER_OPERAND_PAIRS ? 2 : 1;

    for (int64_t k = 0; k < depth; k += 16 * per_word) {
        int64_t words = (depth - k) / per_word < 16 ? (depth - k) / per_word : 16;
        __m512i r[16];

        for (int i = 0; i < 16; i++)
            r[i] = i < m ? load_words(operand, n - k, x + i * x_stride + k) : _mm512_setzero_si512();
        transpose(r);
        for (int i = 0; i < 16; i++)
            if (i < words)
                _mm512_storeu_si512(to + (k / per_word + i) * LASER_BLOCK, r[i]);
    }
}

#define PREPARE(name, operand)                                                                               \
    LASER_TARGET_AVX512 static void name(int64_t m, int64_t n, int64_t depth, const float *x,                \
                                         int64_t x_stride, int *to)                                          \
    {                                                                                                        \
        prepare_block(operand, m, n, depth, x, x_stride, to);                                                \
    }

PREPARE(prepare_float, LASER_OPERAND_FLOAT)
PREPARE(prepare_rounded, LASER_OPERAND_ROUNDED)
PREPARE(prepare_pairs, LASER_OPERAND_PAIRS)

void laser_avx512_prepare(enum laser_operand operand, int64_t tokens, int64_t n, int64_t depth,
                          const float *x, int64_t x_stride, float *to)
{
    for (int64_t t = 0; t < tokens; t += LASER_BLOCK) {
        int64_t m = tokens - t < LASER_BLOCK ? tokens - t : LASER_BLOCK;
        const float *from = x + t * x_stride;

        if (operand == LASER_OPERAND_FLOAT)
            prepare_float(m, n, depth, from, x_stride, (int *)to + t * depth);
        else if (operand == LASER_OPERAND_ROUNDED)
            prepare_rounded(m, n, depth, from, x_stride, (int *)to + t * depth);
        else
            prepare_pairs(m, n, depth, from, x_stride, (int *)to + t * depth / 2);
    }
}

LASER_TARGET_AVX512 INLINE __mmask16 first_lanes(int64_t n)
{
    return n >= 16 ? (__mmask16)0xffff : n <= 0 ? (__mmask16)0 : (__mmask16)((1u << n) - 1);
}

LASER_TARGET_AVX512 void laser_avx512_columns(int rows, int64_t depth, const float *x, int64_t x_stride,
                                              float scale, float *to)
{
    __m512i r[16];

    for (int64_t k = 0; k < depth; k += 16)
        for (int half = 0; half < 32; half += 16) {
            for (int i = 0; i < 16; i++)
                r[i] = half + i < rows
                           ? _mm512_castps_si512(_mm512_mul_ps(
                                 _mm512_set1_ps(scale), _mm512_maskz_loadu_ps(first_lanes(depth - k),
                                                                              x + (half + i) * x_stride + k)))
                           : _mm512_setzero_si512();
            transpose(r);
            for (int i = 0; i < 16 && k + i < depth; i++)
                _mm512_storeu_si512(to + (k + i) * LASER_PANEL + half, r[i]);
        }
}

LASER_TARGET_AVX512 void laser_avx512_rows(int rows, int64_t depth, const float *from, const float *scale,
                                           float *to, int64_t to_stride)
{
    __m512i r[16];

    for (int half = 0; half < rows; half += 16) {
        __m512 factors = _mm512_maskz_loadu_ps(first_lanes(rows - half), scale + half);

        for (int64_t k = 0; k < depth; k += 16) {
            for (int i = 0; i < 16; i++)
                r[i] = k + i < depth ? _mm512_castps_si512(_mm512_mul_ps(
                                           factors, _mm512_loadu_ps(from + (k + i) * LASER_PANEL + half)))
                                     : _mm512_setzero_si512();
            transpose(r);
            for (int i = 0; i < 16 && half + i < rows; i++)
                _mm512_mask_storeu_ps(to + (half + i) * to_stride + k, first_lanes(depth - k),
                                      _mm512_castsi512_ps(r[i]));
        }
    }
}

LASER_TARGET_AVX512 void laser_avx512_copy_columns(int64_t rows, int columns, const float *x,
                                                   int64_t x_stride, float *to)
{
    __mmask16 lanes = first_lanes(columns);

    for (int64_t r = 0; r < rows; r++)
        _mm512_storeu_ps(to + r * LASER_BLOCK, _mm512_maskz_loadu_ps(lanes, x + r * x_stride));
}

LASER_TARGET_AVX512 static void widen_bfloat16(int64_t pairs, const int *from, float *to)
{
    const __m512i upper = _mm512_set1_epi32((int)0xffff0000u);

    for (int64_t i = 0; i < pairs; i++) {
        __m512i low = _mm512_loadu_si512(from + i * LASER_PANEL);
        __m512i high = _mm512_loadu_si512(from + i * LASER_PANEL + 16);
        int *row = (int *)to + i * 2 * LASER_PANEL;

        _mm512_storeu_si512(row, _mm512_slli_epi32(low, 16));
        _mm512_storeu_si512(row + 16, _mm512_slli_epi32(high, 16));
        _mm512_storeu_si512(row + 32, _mm512_and_si512(low, upper));
        _mm512_storeu_si512(row + 48, _mm512_and_si512(high, upper));
    }
}

LASER_TARGET_AVX512 INLINE __m512 half_to_float(__m512i words)
{
    return _mm512_cvtph_ps(_mm512_cvtepi32_epi16(words));
}

LASER_TARGET_AVX512 static void widen_half(int64_t pairs, const int *from, float *to)
{
    for (int64_t i = 0; i < 2 * pairs; i++) {
        __m512i words = _mm512_loadu_si512(from + i * 16);
        float *row = to + i / 2 * 2 * LASER_PANEL + i % 2 * 16;

        _mm512_storeu_ps(row, half_to_float(words));
        _mm512_storeu_ps(row + LASER_PANEL, half_to_float(_mm512_srli_epi32(words, 16)));
    }
}

/* Bytes in the low bits of words.  e5m2 is the upper half of a half.  e4m3 shifted to float32's places lacks
 * only the difference of the exponents' biases, 127 - 7, even where it is subnormal; 0x7f is its NaN. */
LASER_TARGET_AVX512 INLINE __m512 byte_to_float(enum laser_storage packed_as, __m512i bytes)
{
    __m512i sign = _mm512_slli_epi32(_mm512_and_si512(bytes, _mm512_set1_epi32(0x80)), 24);
    __m512i rest = _mm512_and_si512(bytes, _mm512_set1_epi32(0x7f));
    __m512 size;

    if (packed_as == LASER_STORED_F8_E5M2)
        return half_to_float(_mm512_slli_epi32(bytes, 8));
    size = _mm512_mul_ps(_mm512_castsi512_ps(_mm512_slli_epi32(rest, 20)), _mm512_set1_ps(0x1p120f));
    size = _mm512_mask_blend_ps(_mm512_cmpeq_epi32_mask(rest, _mm512_set1_epi32(0x7f)), size,
                                _mm512_set1_ps(__builtin_nanf("")));
    return _mm512_castsi512_ps(_mm512_or_si512(_mm512_castps_si512(size), sign));
}

LASER_TARGET_AVX512 static void widen_bytes(enum laser_storage packed_as, int64_t pairs, const char *from,
                                            float *to)
{
    const __m512i byte = _mm512_set1_epi32(0xff);

    for (int64_t i = 0; i < 2 * pairs; i++) {
        __m512i words = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const void *)(from + i * 32)));
        float *row = to + i / 2 * 2 * LASER_PANEL + i % 2 * 16;

        _mm512_storeu_ps(row, byte_to_float(packed_as, _mm512_and_si512(words, byte)));
        _mm512_storeu_ps(row + LASER_PANEL, byte_to_float(packed_as, _mm512_srli_epi32(words, 8)));
    }
}

void laser_avx512_widen(enum laser_storage packed_as, int64_t depth, const void *panel, float *to)
{
    if (packed_as == LASER_STORED_BF16)
        widen_bfloat16(depth / 2, panel, to);
    else if (packed_as == LASER_STORED_F16)
        widen_half(depth / 2, panel, to);
    else
        widen_bytes(packed_as, depth / 2, panel, to);
}

#endif
