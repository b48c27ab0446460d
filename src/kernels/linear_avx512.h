/* Inside kernels/ only: pieces of the AVX-512 product.  Call them on a machine that has it. */
#ifndef LASER_KERNELS_LINEAR_AVX512_H
#define LASER_KERNELS_LINEAR_AVX512_H

#include "kernels/linear_layout.h"

/* Tokens of a register block: 14 x 2 vectors of sums, 2 of weights and 1 of activations fill 31 of 32
 * registers. */
enum { LASER_BLOCK = 14 };

#define LASER_TARGET_AVX512     __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma")))
#define LASER_TARGET_AVX512BF16 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,fma,avx512bf16")))

enum laser_operand {
    LASER_OPERAND_FLOAT,   /* x as it is: [k][14] */
    LASER_OPERAND_ROUNDED, /* rounded to bfloat16, held as float32: [k][14] */
    LASER_OPERAND_PAIRS    /* bfloat16 pairs of inputs: [k / 2][14][2] */
};

/* Lays out inputs of `tokens` rows x (stride in elements) for the kernels: blocks of 14 tokens, each `depth`
 * inputs (even; those from n on are zeros, n <= depth <= n + 1) long.  `to` has room for round_up(tokens, 14)
 * * depth + 32 floats (half of that for pairs). */
void laser_avx512_prepare(enum laser_operand operand, int64_t tokens, int64_t n, int64_t depth,
                          const float *x, int64_t x_stride, float *to);

/* to[depth][32] = scale times the transpose of x[rows <= 32, depth], missing rows 0; and back, to[rows,
 * depth] = from[depth][32] with column r times scale[r]. */
void laser_avx512_columns(int rows, int64_t depth, const float *x, int64_t x_stride, float scale, float *to);
void laser_avx512_rows(int rows, int64_t depth, const float *from, const float *scale, float *to,
                       int64_t to_stride);

/* to[rows][14] = x[rows, columns <= 14], writing up to 2 floats beyond. */
void laser_avx512_copy_columns(int64_t rows, int columns, const float *x, int64_t x_stride, float *to);

/* Widens `depth` (even) inputs of a panel, packed as 16 or 8 bits, to to[depth][32]. */
void laser_avx512_widen(enum laser_storage packed_as, int64_t depth, const void *panel, float *to);

/* One register block: y[m, lanes] (+)= a[depth][14] b[depth][32] with m tokens, 1 <= m <= 14, and `lanes`
 * outputs, 1 <= lanes <= 32. */
typedef void laser_avx512_kernel(int64_t depth, const void *a, const void *b, float *y, int64_t y_stride,
                                 int lanes, bool add);

/* Index m; entry 0 is NULL.  float32 a and b. */
extern laser_avx512_kernel *const laser_avx512_float[LASER_BLOCK + 1];
/* bfloat16 pairs in a and b: needs AVX512_BF16. */
extern laser_avx512_kernel *const laser_avx512_pairs[LASER_BLOCK + 1];
/* float32 a, bfloat16 pairs in b, widened in registers; up to 6 tokens. */
enum { LASER_FEW = 6 };
extern laser_avx512_kernel *const laser_avx512_few[LASER_FEW + 1];

#endif
