/* Inside kernels/ only: small matrix products and transposes of cached blocks, for the attention.  AVX-512
 * where the machine has it, else the compiler's vectors. */
#ifndef LASER_KERNELS_BLOCK_H
#define LASER_KERNELS_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

enum {
    LASER_BLOCK_ROWS = 14,   /* of the left operand, and of the result */
    LASER_BLOCK_COLUMNS = 32 /* of the right operand, and of the result */
};

/* Rows x[rows, depth] as left operands: blocks of 14 rows, each [depth][14], missing rows 0.  `to` holds
 * round_up(rows, 14) * depth + 16 floats. */
void laser_block_left(int64_t rows, int64_t depth, const float *x, int64_t x_stride, float *to);

/* The transpose of up to 14 columns as a left operand: to[rows][14] = x[rows, columns], missing columns
 * undefined. `to` holds rows * 14 + 16 floats. */
void laser_block_left_transposed(int64_t rows, int columns, const float *x, int64_t x_stride, float *to);

/* Rows x[rows <= 32, depth] times scale as a right operand, to[depth][32], missing rows 0. */
void laser_block_right(int rows, int64_t depth, const float *x, int64_t x_stride, float scale, float *to);

/* y[m, 32] (+)= a[depth][14] b[depth][32], 1 <= m <= 14 rows of the result, which are 32 floats apart. */
void laser_block_multiply(int m, int64_t depth, const float *a, const float *b, float *y, bool add);

/* Back to rows: to[rows <= 32, depth] = from[depth][32], column r times scale[r]. */
void laser_block_rows(int rows, int64_t depth, const float *from, const float *scale, float *to,
                      int64_t to_stride);

#endif
