#include "kernels/act.h"
#include "kernels/act_apart.h"

#include <math.h>
#include <stddef.h>

#include "kernels/vec.h"

/* x / (1 + exp(-factor x)) */
LASER_INLINE void times_sigmoid(laser_vec *x, float factor)
{
    laser_vec e = *x * -factor;

    laser_vec_exp(&e);
    *x /= 1 + e;
}

/* (1 + tanh u) / 2 is the sigmoid of 2 u. */
LASER_INLINE void gelu_tanh(laser_vec *x)
{
    laser_vec e = *x * -1.59576912f * (1 + 0.044715f * *x * *x);

    laser_vec_exp(&e);
    *x /= 1 + e;
}

LASER_INLINE void gelu(laser_vec *x)
{
    laser_vec u = *x * 0.707106781f;

    laser_vec_erf(&u);
    *x = 0.5f * *x * (1 + u);
}

LASER_INLINE void activate(enum laser_activation activation, laser_vec *x)
{
    laser_vec zero = {0};

    switch (activation) {
    case LASER_ACT_SILU:
        times_sigmoid(x, 1);
        break;
    case LASER_ACT_GELU:
        gelu(x);
        break;
    case LASER_ACT_GELU_TANH:
        gelu_tanh(x);
        break;
    case LASER_ACT_GELU_QUICK:
        times_sigmoid(x, 1.702f);
        break;
    case LASER_ACT_RELU:
        laser_vec_raise(x, &zero);
        break;
    case LASER_ACT_RELU_SQUARED:
        laser_vec_raise(x, &zero);
        *x *= *x;
        break;
    case LASER_ACT_TANH:
        laser_vec_tanh(x);
        break;
    case LASER_ACT_XIELU:
    case LASER_ACT_SWIGLU_CLAMPED:
        break; /* functions of their own */
    }
}

/* y = f(x), or f(x) * up where up is not NULL, for n <= 16 elements. */
LASER_INLINE void activate_some(enum laser_activation activation, int64_t n, const float *x, const float *up,
                                float *y)
{
    laser_vec v, w;

    laser_vec_load(&v, x, n);
    activate(activation, &v);
    if (up) {
        laser_vec_load(&w, up, n);
        v *= w;
    }
    laser_vec_store(&v, y, n);
}

LASER_INLINE void activate_row(enum laser_activation activation, int64_t width, const float *x,
                               const float *up, float *y)
{
    int64_t i = 0;

    for (; i + LASER_LANES <= width; i += LASER_LANES)
        activate_some(activation, LASER_LANES, x + i, up ? up + i : NULL, y + i);
    if (i < width)
        activate_some(activation, width - i, x + i, up ? up + i : NULL, y + i);
}

LASER_INLINE void activate_rows_body(enum laser_activation activation, int64_t width, const float *x,
                                     const float *up, float *y)
{
    LASER_ACTIVATIONS_APART(activate_row, activation, width, x, up, y);
}

LASER_VARIANTS(activate_rows,
               (enum laser_activation activation, int64_t width, const float *x, const float *up, float *y),
               (activation, width, x, up, y))

void laser_activation_apply(enum laser_activation activation, int64_t rows, int64_t width, float *x,
                            int64_t x_stride)
{
    for (int64_t r = 0; r < rows; r++)
        activate_rows(activation, width, x + r * x_stride, NULL, x + r * x_stride);
}

void laser_activation_gated(enum laser_activation activation, int64_t rows, int64_t width, const float *gate,
                            int64_t gate_stride, const float *up, int64_t up_stride, float *y,
                            int64_t y_stride)
{
    for (int64_t r = 0; r < rows; r++)
        activate_rows(activation, width, gate + r * gate_stride, up + r * up_stride, y + r * y_stride);
}

void laser_activation_xielu(const struct laser_xielu *f, int64_t rows, int64_t width, float *x,
                            int64_t x_stride)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++) {
            float v = x[r * x_stride + j];

            x[r * x_stride + j] = v > 0 ? f->alpha_p * v * v + f->beta * v
                                        : (expm1f(fminf(v, f->eps)) - v) * f->alpha_n + f->beta * v;
        }
}

void laser_activation_swiglu_pairs(float limit, float alpha, int64_t rows, int64_t width, const float *x,
                                   int64_t x_stride, float *y, int64_t y_stride)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t j = 0; j < width; j++) {
            const float *row = x + r * x_stride;
            float gate = row[2 * j], up = row[2 * j + 1];

            gate = gate > limit ? limit : gate; /* a NaN stays one */
            up = up > limit ? limit : (up < -limit ? -limit : up);
            y[r * y_stride + j] = (up + 1) * gate / (1 + expf(-alpha * gate));
        }
}
