/* Activation functions of the MLP, in float32. */
#ifndef LASER_KERNELS_ACT_H
#define LASER_KERNELS_ACT_H

#include <stdint.h>

enum laser_activation {
    LASER_ACT_SILU,       /* x / (1 + exp(-x)) */
    LASER_ACT_GELU,       /* x / 2 (1 + erf(x / sqrt 2)) */
    LASER_ACT_GELU_TANH,  /* x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): gelu_new, gelu_pytorch_tanh,
                             gelu_fast */
    LASER_ACT_GELU_QUICK, /* x / (1 + exp(-1.702 x)) */
    LASER_ACT_RELU,       /* max(x, 0) */
    LASER_ACT_RELU_SQUARED,
    LASER_ACT_TANH,
    LASER_ACT_XIELU,         /* with parameters, laser_activation_xielu; arXiv 2411.13010 */
    LASER_ACT_SWIGLU_CLAMPED /* of pairs, laser_activation_swiglu_pairs */
};

/* x = f(x), x[rows, width], stride in elements. */
void laser_activation_apply(enum laser_activation activation, int64_t rows, int64_t width, float *x,
                            int64_t x_stride);

/* y = f(gate) * up, each [rows, width] with its stride.  y may be gate or up. */
void laser_activation_gated(enum laser_activation activation, int64_t rows, int64_t width, const float *gate,
                            int64_t gate_stride, const float *up, int64_t up_stride, float *y,
                            int64_t y_stride);

/* x = x > 0 ? alpha_p x^2 + beta x : alpha_n (exp(min(x, eps)) - 1 - x) + beta x. */
struct laser_xielu {
    float alpha_p, alpha_n, beta, eps;
};
void laser_activation_xielu(const struct laser_xielu *f, int64_t rows, int64_t width, float *x,
                            int64_t x_stride);

/* x[rows, 2 width] holds gate and up in turn: with g = min(gate, limit) and u = up within +-limit,
 * y[rows, width] = (u + 1) g / (1 + exp(-alpha g)) (gpt-oss).  y may be x. */
void laser_activation_swiglu_pairs(float limit, float alpha, int64_t rows, int64_t width, const float *x,
                                   int64_t x_stride, float *y, int64_t y_stride);

/* Backward, from dy, the gradient at y: the gradients take the places of x; of gate and up. */
void laser_activation_backward(enum laser_activation activation, int64_t rows, int64_t width, float *x,
                               int64_t x_stride, const float *dy, int64_t dy_stride);
void laser_activation_gated_backward(enum laser_activation activation, int64_t rows, int64_t width,
                                     float *gate, int64_t gate_stride, float *up, int64_t up_stride,
                                     const float *dy, int64_t dy_stride);
void laser_activation_xielu_backward(const struct laser_xielu *f, int64_t rows, int64_t width, float *x,
                                     int64_t x_stride, const float *dy, int64_t dy_stride);
void laser_activation_swiglu_pairs_backward(float limit, float alpha, int64_t rows, int64_t width, float *x,
                                            int64_t x_stride, const float *dy, int64_t dy_stride);

#endif
