/* Values and derivatives of the activation functions. */
#include <math.h>
#include <stddef.h>

#include "kernels/act.h"
#include "kernels/act_apart.h"
#include "kernels/vec.h"

/* x s with s = 1 / (1 + exp(-argument)): value x becomes x s, *slope s + x s (1 - s) argument'. */
LASER_INLINE void sigmoid_unit(laser_vec *x, const laser_vec *argument, const laser_vec *argument_slope,
                               laser_vec *slope)
{
    laser_vec e = -*argument, s;

    laser_vec_exp(&e);
    s = 1 / (1 + e);
    *slope = s + *x * s * (1 - s) * *argument_slope;
    *x *= s;
}

LASER_INLINE void gelu(laser_vec *x, laser_vec *slope)
{
    laser_vec u = *x * 0.707106781f, e = *x * *x * -0.5f;

    laser_vec_erf(&u);
    laser_vec_exp(&e);
    *slope = 0.5f * (1 + u) + *x * e * 0.398942280f;
    *x = 0.5f * *x * (1 + u);
}

/* x becomes f(x), *slope f'(x); where f has a corner, at 0, the slope is 0. */
LASER_INLINE void activate(enum laser_activation activation, laser_vec *x, laser_vec *slope)
{
    laser_vec zero = {0}, one = zero + 1, square = *x * *x, u, v;
    laser_vec_mask above = *x > zero;

    switch (activation) {
    case LASER_ACT_SILU:
        u = *x;
        sigmoid_unit(x, &u, &one, slope);
        break;
    case LASER_ACT_GELU:
        gelu(x, slope);
        break;
    case LASER_ACT_GELU_TANH: /* (1 + tanh u) / 2 is the sigmoid of 2 u */
        u = *x * 1.59576912f * (1 + 0.044715f * square);
        v = 1.59576912f * (1 + 0.134145f * square);
        sigmoid_unit(x, &u, &v, slope);
        break;
    case LASER_ACT_GELU_QUICK:
        u = *x * 1.702f;
        v = one * 1.702f;
        sigmoid_unit(x, &u, &v, slope);
        break;
    case LASER_ACT_RELU:
        laser_vec_select(slope, &above, &one, &zero);
        laser_vec_raise(x, &zero);
        break;
    case LASER_ACT_RELU_SQUARED:
        laser_vec_raise(x, &zero);
        *slope = 2 * *x;
        *x *= *x;
        break;
    case LASER_ACT_TANH:
        laser_vec_tanh(x);
        *slope = 1 - *x * *x;
        break;
    case LASER_ACT_XIELU: /* functions of their own */
    case LASER_ACT_SWIGLU_CLAMPED:
        *slope = zero / zero;
        break;
    }
}

LASER_INLINE void backward_some(enum laser_activation activation, int64_t n, float *x, float *up,
                                const float *dy)
{
    laser_vec v, w, slope = {0}, d;

    laser_vec_load(&v, x, n);
    laser_vec_load(&d, dy, n);
    activate(activation, &v, &slope);
    if (up) {
        laser_vec_load(&w, up, n);
        v *= d;
        laser_vec_store(&v, up, n);
        d *= w;
    }
    d *= slope;
    laser_vec_store(&d, x, n);
}

LASER_INLINE void backward_row(enum laser_activation activation, int64_t width, float *x, float *up,
                               const float *dy)
{
    int64_t i = 0;

    for (; i + LASER_LANES <= width; i += LASER_LANES)
        backward_some(activation, LASER_LANES, x + i, up ? up + i : NULL, dy + i);
    if (i < width)
        backward_some(activation, width - i, x + i, up ? up + i : NULL, dy + i);
}

LASER_INLINE void backward_rows_body(enum laser_activation activation, int64_t width, float *x, float *up,
                                     const float *dy)
{
    LASER_ACTIVATIONS_APART(backward_row, activation, width, x, up, dy);
}

LASER_VARIANTS(backward_rows,
               (enum laser_activation activation, int64_t width, float *x, float *up, const float *dy),
               (activation, width, x, up, dy))

void laser_activation_backward(enum laser_activation activation, int64_t rows, int64_t width, float *x,
                               int64_t x_stride, const float *dy, int64_t dy_stride)
{
    for (int64_t r = 0; r < rows; r++)
        backward_rows(activation, width, x + r * x_stride, NULL, dy + r * dy_stride);
}

void laser_activation_gated_backward(enum laser_activation activation, int64_t rows, int64_t width,
                                     float *gate, int64_t gate_stride, float *up, int64_t up_stride,
                                     const float *dy, int64_t dy_stride)
{
    for (int64_t r = 0; r < rows; r++)
        backward_rows(activation, width, gate + r * gate_stride, up + r * up_stride, dy + r * dy_stride);
}

void laser_activation_xielu_backward(const struct laser_xielu *f, int64_t rows, int64_t width, float *x,
                                     int64_t x_stride, const float *dy, int64_t dy_stride)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++) {
            float v = x[r * x_stride + j], slope = f->beta;

            if (v > 0)
                slope += 2 * f->alpha_p * v;
            else
                slope += f->alpha_n * ((v < f->eps ? expf(v) : 0) - 1);
            x[r * x_stride + j] = slope * dy[r * dy_stride + j];
        }
}

/* Beyond the limits nothing depends on gate or up. */
void laser_activation_swiglu_pairs_backward(float limit, float alpha, int64_t rows, int64_t width, float *x,
                                            int64_t x_stride, const float *dy, int64_t dy_stride)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++) {
            float *row = x + r * x_stride + 2 * j, d = dy[r * dy_stride + j], gate = row[0], up = row[1];
            float g = gate > limit ? limit : gate, u = up > limit ? limit : (up < -limit ? -limit : up);
            float s = 1 / (1 + expf(-alpha * g));

            row[0] = gate > limit ? 0 : d * (u + 1) * s * (1 + alpha * g * (1 - s));
            row[1] = up > limit || up < -limit ? 0 : d * g * s;
        }
}
