/* Sums over short rows of float32, in the order of their elements. */
#ifndef LASER_MODEL_VECTORS_H
#define LASER_MODEL_VECTORS_H

#include <stdint.h>

static inline float laser_row_dot(const float *x, const float *y, int64_t n)
{
    float sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* y[n] += scale x */
static inline void laser_row_add(float scale, const float *x, int64_t n, float *y)
{
    for (int64_t i = 0; i < n; i++)
        y[i] += scale * x[i];
}

#endif
