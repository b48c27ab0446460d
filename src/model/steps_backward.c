/* The way back through recurrences: states are kept at every SEGMENT-th step, and computed again within (Griewank
 * and Walther 2000, in one level); and through their short convolution. */
#include <string.h>

#include "model/backward.h"

enum { SEGMENT = 16 }; /* less memory than 8 or 32 for texts of 100 to 500 tokens */

int64_t laser_backward_steps_room(int64_t steps, int64_t size)
{
    return (steps / SEGMENT + 1 + SEGMENT + 2) * size;
}

void laser_backward_steps(const struct laser_backward_recurrence *r, int64_t steps, float *room)
{
    int64_t size = r->size, segments = (steps + SEGMENT - 1) / SEGMENT;
    size_t bytes = (size_t)size * sizeof(float);
    float *starts = room, *inner = starts + segments * size, *delta = inner + (SEGMENT + 1) * size;

    memset(starts, 0, bytes);
    for (int64_t s = 1; s < segments; s++) {
        memcpy(starts + s * size, starts + (s - 1) * size, bytes);
        for (int64_t t = (s - 1) * SEGMENT; t < s * SEGMENT; t++)
            r->forward(r->context, t, starts + s * size);
    }
    memset(delta, 0, bytes);
    for (int64_t s = segments - 1; s >= 0; s--) {
        int64_t first = s * SEGMENT, count = steps - first < SEGMENT ? steps - first : SEGMENT;

        memcpy(inner, starts + s * size, bytes);
        for (int64_t i = 0; i < count; i++) {
            memcpy(inner + (i + 1) * size, inner + i * size, bytes);
            r->forward(r->context, first + i, inner + (i + 1) * size);
        }
        for (int64_t i = count - 1; i >= 0; i--)
            r->back(r->context, first + i, inner + i * size, inner + (i + 1) * size, delta);
    }
}

float laser_backward_convolved(const float *weight, const float *bias, int64_t kernel, int64_t t, int64_t c,
                               const float *rows, int64_t stride)
{
    float sum = bias ? bias[c] : 0;

    for (int64_t j = 0; j < kernel && j <= t; j++)
        sum += weight[c * kernel + kernel - 1 - j] * rows[(t - j) * stride + c];
    return sum;
}

void laser_backward_convolve(const float *weight, const float *bias, int64_t kernel, int64_t channels,
                             bool silu, int64_t length, const float *rows, int64_t stride, float *delta,
                             int64_t delta_stride)
{
    for (int64_t t = 0; silu && t < length; t++)
        for (int64_t c = 0; c < channels; c++)
            delta[t * delta_stride + c] *=
                laser_silu_slope(laser_backward_convolved(weight, bias, kernel, t, c, rows, stride));
    for (int64_t t = 0; t < length; t++) /* later gradients are still those of outputs */
        for (int64_t c = 0; c < channels; c++) {
            float sum = 0;

            for (int64_t j = 0; j < kernel && t + j < length; j++)
                sum += weight[c * kernel + kernel - 1 - j] * delta[(t + j) * delta_stride + c];
            delta[t * delta_stride + c] = sum;
        }
}
