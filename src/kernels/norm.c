#include "kernels/norm.h"

#include <math.h>
#include <stddef.h>

static void rmsnorm_row(int64_t width, const float *x, const float *weight, float eps, float shift, float *y)
{
    float sum = 0, scale;

    for (int64_t i = 0; i < width; i++)
        sum += x[i] * x[i];
    scale = 1 / sqrtf(sum / (float)width + eps);
    for (int64_t i = 0; i < width; i++)
        y[i] = x[i] * scale * (weight[i] + shift);
}

void laser_rmsnorm(int64_t rows, int64_t width, const float *x, int64_t x_stride, const float *weight,
                   float eps, bool plus_one, float *y, int64_t y_stride)
{
    for (int64_t r = 0; r < rows; r++)
        rmsnorm_row(width, x + r * x_stride, weight, eps, plus_one ? 1 : 0, y + r * y_stride);
}

void laser_rmsnorm_heads(int64_t rows, int heads, int head_dim, float *x, int64_t x_stride,
                         const float *weight, float eps, bool plus_one)
{
    for (int64_t r = 0; r < rows; r++)
        laser_rmsnorm(heads, head_dim, x + r * x_stride, head_dim, weight, eps, plus_one, x + r * x_stride,
                      head_dim);
}

void laser_layernorm(int64_t rows, int64_t width, const float *x, int64_t x_stride, const float *weight,
                     const float *bias, float eps, float *y, int64_t y_stride)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *from = x + r * x_stride;
        float *to = y + r * y_stride;
        double sum = 0, squares = 0;
        float mean, scale;

        for (int64_t i = 0; i < width; i++)
            sum += from[i];
        mean = (float)(sum / (double)width);
        for (int64_t i = 0; i < width; i++)
            squares += (double)(from[i] - mean) * (from[i] - mean);
        scale = 1 / sqrtf((float)(squares / (double)width) + eps);
        for (int64_t i = 0; i < width; i++) {
            float value = (from[i] - mean) * scale;

            if (weight)
                value *= weight[i];
            to[i] = bias ? value + bias[i] : value;
        }
    }
}
