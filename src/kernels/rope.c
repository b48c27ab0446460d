#include "kernels/rope.h"

#include <math.h>

#include "kernels/vec.h"

void laser_rope_table(int64_t first_position, int64_t positions, int half, const float *inverse_frequency,
                      float attention_scaling, float *cosines, float *sines)
{
    for (int64_t p = 0; p < positions; p++)
        for (int j = 0; j < half; j++) {
            float angle = (float)(first_position + p) * inverse_frequency[j];

            cosines[p * half + j] = cosf(angle) * attention_scaling;
            sines[p * half + j] = sinf(angle) * attention_scaling;
        }
}

/* Pairs j .. j + n - 1 of a head, n <= 16. */
LASER_INLINE void turn_some(int j, int n, int half, const float *cosines, const float *sines, float sign,
                            float *x)
{
    laser_vec a, b, c, s, turned;

    laser_vec_load(&a, x + j, n);
    laser_vec_load(&b, x + half + j, n);
    laser_vec_load(&c, cosines + j, n);
    laser_vec_load(&s, sines + j, n);
    s *= sign;
    turned = a * c - b * s;
    b = b * c + a * s;
    laser_vec_store(&turned, x + j, n);
    laser_vec_store(&b, x + half + j, n);
}

LASER_INLINE void turn_halves_body(int heads, int head_dim, int half, const float *cosines,
                                   const float *sines, float sign, float *x)
{
    for (int h = 0; h < heads; h++, x += head_dim) {
        int j = 0;

        for (; j + LASER_LANES <= half; j += LASER_LANES)
            turn_some(j, LASER_LANES, half, cosines, sines, sign, x);
        if (j < half)
            turn_some(j, half - j, half, cosines, sines, sign, x);
    }
}

LASER_VARIANTS(turn_halves,
               (int heads, int head_dim, int half, const float *cosines, const float *sines, float sign,
                float *x),
               (heads, head_dim, half, cosines, sines, sign, x))

static void turn_pairs(int heads, int head_dim, int half, const float *cosines, const float *sines,
                       float sign, float *x)
{
    for (int h = 0; h < heads; h++, x += head_dim)
        for (int j = 0; j < half; j++) {
            float a = x[2 * j], b = x[2 * j + 1];

            x[2 * j] = a * cosines[j] - b * (sign * sines[j]);
            x[2 * j + 1] = b * cosines[j] + a * (sign * sines[j]);
        }
}

static void turn(enum laser_rope_style style, int64_t tokens, int64_t table_rows, int heads, int head_dim,
                 int half, const float *cosines, const float *sines, float sign, float *x, int64_t x_stride)
{
    for (int64_t t = 0; t < tokens; t++) {
        int64_t row = t % table_rows * half;

        if (style == LASER_ROPE_HALVES)
            turn_halves(heads, head_dim, half, cosines + row, sines + row, sign, x + t * x_stride);
        else
            turn_pairs(heads, head_dim, half, cosines + row, sines + row, sign, x + t * x_stride);
    }
}

void laser_rope_apply(enum laser_rope_style style, int64_t tokens, int64_t table_rows, int heads,
                      int head_dim, int rotary_dim, const float *cosines, const float *sines, float *x,
                      int64_t x_stride)
{
    turn(style, tokens, table_rows, heads, head_dim, rotary_dim / 2, cosines, sines, 1, x, x_stride);
}

void laser_rope_backward(enum laser_rope_style style, int64_t tokens, int64_t table_rows, int heads,
                         int head_dim, int rotary_dim, const float *cosines, const float *sines, float *dx,
                         int64_t dx_stride)
{
    turn(style, tokens, table_rows, heads, head_dim, rotary_dim / 2, cosines, sines, -1, dx, dx_stride);
}
