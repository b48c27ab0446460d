#include "kernels/act.h"

#include <math.h>

static float activate(enum laser_activation activation, float x)
{
    switch (activation) {
    case LASER_ACT_SILU:
        return x / (1 + expf(-x));
    case LASER_ACT_GELU:
        return 0.5f * x * (1 + erff(x * 0.70710678118654752f));
    case LASER_ACT_GELU_TANH:
        return 0.5f * x * (1 + tanhf(0.79788456080286536f * (x + 0.044715f * x * x * x)));
    case LASER_ACT_GELU_QUICK:
        return x / (1 + expf(-1.702f * x));
    case LASER_ACT_RELU:
        return x > 0 ? x : 0;
    case LASER_ACT_RELU_SQUARED:
        return x > 0 ? x * x : 0;
    case LASER_ACT_TANH:
        return tanhf(x);
    }
    return x;
}

void laser_activation_apply(enum laser_activation activation, int64_t rows, int64_t width, float *x,
                            int64_t x_stride)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++)
            x[r * x_stride + i] = activate(activation, x[r * x_stride + i]);
}

void laser_activation_gated(enum laser_activation activation, int64_t rows, int64_t width, const float *gate,
                            int64_t gate_stride, const float *up, int64_t up_stride, float *y,
                            int64_t y_stride)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t i = 0; i < width; i++)
            y[r * y_stride + i] = activate(activation, gate[r * gate_stride + i]) * up[r * up_stride + i];
}
