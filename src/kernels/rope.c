#include "kernels/rope.h"

#include <math.h>

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

static void turn_halves(int half, const float *cosines, const float *sines, float *x)
{
    for (int j = 0; j < half; j++) {
        float a = x[j], b = x[j + half];

        x[j] = a * cosines[j] - b * sines[j];
        x[j + half] = b * cosines[j] + a * sines[j];
    }
}

static void turn_pairs(int half, const float *cosines, const float *sines, float *x)
{
    for (int j = 0; j < half; j++) {
        float a = x[2 * j], b = x[2 * j + 1];

        x[2 * j] = a * cosines[j] - b * sines[j];
        x[2 * j + 1] = b * cosines[j] + a * sines[j];
    }
}

void laser_rope_apply(enum laser_rope_style style, int64_t tokens, int64_t table_rows, int heads,
                      int head_dim, int rotary_dim, const float *cosines, const float *sines, float *x,
                      int64_t x_stride)
{
    int half = rotary_dim / 2;

    for (int64_t t = 0; t < tokens; t++)
        for (int h = 0; h < heads; h++) {
            int64_t row = t % table_rows * half;
            float *head = x + t * x_stride + (int64_t)h * head_dim;

            if (style == LASER_ROPE_HALVES)
                turn_halves(half, cosines + row, sines + row, head);
            else
                turn_pairs(half, cosines + row, sines + row, head);
        }
}
