/* Normalisation of rows, float32 throughout as transformers computes it.  y may be x. */
#ifndef LASER_KERNELS_NORM_H
#define LASER_KERNELS_NORM_H

#include <stdbool.h>
#include <stdint.h>

/* y = x / sqrt(mean(x^2) + eps) * w, with w = weight[width], or 1 + weight where plus_one (Gemma).
 * x[rows, width], y[rows, width]; strides in elements. */
void laser_rmsnorm(int64_t rows, int64_t width, const float *x, int64_t x_stride, const float *weight,
                   float eps, bool plus_one, float *y, int64_t y_stride);

/* The same over each of `heads` heads of head_dim of a row, in place, one weight[head_dim] for all (Qwen 3).
 */
void laser_rmsnorm_heads(int64_t rows, int heads, int head_dim, float *x, int64_t x_stride,
                         const float *weight, float eps, bool plus_one);

/* y = (x - mean) / sqrt(variance + eps) * weight + bias; weight and bias [width], each may be NULL. */
void laser_layernorm(int64_t rows, int64_t width, const float *x, int64_t x_stride, const float *weight,
                     const float *bias, float eps, float *y, int64_t y_stride);

/* Backward: dx (+)= the gradient at x from dy, the gradient at y.  Strides of rows in elements; dx may be dy
 * where nothing is added. */
void laser_rmsnorm_backward(int64_t rows, int64_t width, const float *x, int64_t x_stride,
                            const float *weight, float eps, bool plus_one, const float *dy, int64_t dy_stride,
                            float *dx, int64_t dx_stride, bool add);
void laser_layernorm_backward(int64_t rows, int64_t width, const float *x, int64_t x_stride,
                              const float *weight, float eps, const float *dy, int64_t dy_stride, float *dx,
                              int64_t dx_stride, bool add);

#endif
