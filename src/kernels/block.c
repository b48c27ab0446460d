#include "kernels/block.h"

#include "kernels/linear_avx512.h"
#include "kernels/vec.h"

_Static_assert((int)LASER_BLOCK_ROWS == (int)LASER_BLOCK && (int)LASER_BLOCK_COLUMNS == (int)LASER_PANEL,
               "blocks are those of the linear layers");

static bool has_avx512(void)
{
#if defined(__x86_64__)
    return laser_kernels_simd() == LASER_SIMD_AVX512;
#else
    return false;
#endif
}

void laser_block_left(int64_t rows, int64_t depth, const float *x, int64_t x_stride, float *to)
{
    if (has_avx512()) {
        laser_avx512_prepare(LASER_OPERAND_FLOAT, rows, depth, depth, x, x_stride, to);
        return;
    }
    for (int64_t r = 0; r < laser_round_up(rows, LASER_BLOCK_ROWS); r++) {
        float *block = to + r / LASER_BLOCK_ROWS * LASER_BLOCK_ROWS * depth + r % LASER_BLOCK_ROWS;

        for (int64_t k = 0; k < depth; k++)
            block[k * LASER_BLOCK_ROWS] = r < rows ? x[r * x_stride + k] : 0;
    }
}

void laser_block_left_transposed(int64_t rows, int columns, const float *x, int64_t x_stride, float *to)
{
    if (has_avx512()) {
        laser_avx512_copy_columns(rows, columns, x, x_stride, to);
        return;
    }
    for (int64_t r = 0; r < rows; r++)
        for (int i = 0; i < columns; i++)
            to[r * LASER_BLOCK_ROWS + i] = x[r * x_stride + i];
}

void laser_block_right(int rows, int64_t depth, const float *x, int64_t x_stride, float scale, float *to)
{
    if (has_avx512()) {
        laser_avx512_columns(rows, depth, x, x_stride, scale, to);
        return;
    }
    for (int64_t k = 0; k < depth; k++)
        for (int r = 0; r < LASER_BLOCK_COLUMNS; r++)
            to[k * LASER_BLOCK_COLUMNS + r] = r < rows ? x[r * x_stride + k] * scale : 0;
}

void laser_block_rows(int rows, int64_t depth, const float *from, const float *scale, float *to,
                      int64_t to_stride)
{
    if (has_avx512()) {
        laser_avx512_rows(rows, depth, from, scale, to, to_stride);
        return;
    }
    for (int r = 0; r < rows; r++)
        for (int64_t k = 0; k < depth; k++)
            to[r * to_stride + k] = from[k * LASER_BLOCK_COLUMNS + r] * scale[r];
}

/* Three rows at a time: 12 of AVX2's 16 registers hold sums. */
LASER_INLINE void multiply_rows(int rows, int64_t depth, const float *a, const float *b, float *y, bool add)
{
    laser_vec sums[3][2] = {{{0}, {0}}, {{0}, {0}}, {{0}, {0}}}, low, high;

    for (int64_t k = 0; k < depth; k++, a += LASER_BLOCK_ROWS, b += LASER_BLOCK_COLUMNS) {
        laser_vec_load(&low, b, LASER_LANES);
        laser_vec_load(&high, b + LASER_LANES, LASER_LANES);
        for (int i = 0; i < rows; i++) {
            sums[i][0] += a[i] * low;
            sums[i][1] += a[i] * high;
        }
    }
    for (int i = 0; i < rows; i++, y += LASER_BLOCK_COLUMNS) {
        if (add) {
            laser_vec_load(&low, y, LASER_LANES);
            laser_vec_load(&high, y + LASER_LANES, LASER_LANES);
            sums[i][0] += low;
            sums[i][1] += high;
        }
        laser_vec_store(&sums[i][0], y, LASER_LANES);
        laser_vec_store(&sums[i][1], y + LASER_LANES, LASER_LANES);
    }
}

LASER_INLINE void multiply_block_body(int m, int64_t depth, const float *a, const float *b, float *y,
                                      bool add)
{
    int i = 0;

    for (; i + 3 <= m; i += 3)
        multiply_rows(3, depth, a + i, b, y + i * LASER_BLOCK_COLUMNS, add);
    for (; i < m; i++)
        multiply_rows(1, depth, a + i, b, y + i * LASER_BLOCK_COLUMNS, add);
}

LASER_VARIANTS(multiply_block, (int m, int64_t depth, const float *a, const float *b, float *y, bool add),
               (m, depth, a, b, y, add))

void laser_block_multiply(int m, int64_t depth, const float *a, const float *b, float *y, bool add)
{
    if (has_avx512())
        laser_avx512_float[m](depth, a, b, y, LASER_BLOCK_COLUMNS, LASER_BLOCK_COLUMNS, add);
    else
        multiply_block(m, depth, a, b, y, add);
}
