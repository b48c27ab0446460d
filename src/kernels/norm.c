#include "kernels/norm.h"

#include <math.h>
#include <stddef.h>

#include "kernels/vec.h"

LASER_INLINE float sum_of_squares(int64_t width, const float *x, float mean)
{
    laser_vec sums[4] = {{0}, {0}, {0}, {0}}, v;
    int64_t i = 0;

    for (; i + 4 * LASER_LANES <= width; i += 4 * LASER_LANES)
        for (int j = 0; j < 4; j++) {
            laser_vec_load(&v, x + i + j * LASER_LANES, LASER_LANES);
            v -= mean;
            sums[j] += v * v;
        }
    for (; i + LASER_LANES <= width; i += LASER_LANES) {
        laser_vec_load(&v, x + i, LASER_LANES);
        v -= mean;
        sums[0] += v * v;
    }
    v = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    {
        float total = laser_vec_sum(&v);

        for (; i < width; i++)
            total += (x[i] - mean) * (x[i] - mean);
        return total;
    }
}

/* y = (x - mean) * scale * (weight + shift) + bias; weight and bias may be NULL. */
struct affine {
    float mean, scale;
    const float *weight;
    float shift;
    const float *bias;
};

/* Elements i .. i + n - 1, n <= 16. */
LASER_INLINE void scale_some(const struct affine *f, int64_t i, int64_t n, const float *x, float *y)
{
    laser_vec v, w;

    laser_vec_load(&v, x + i, n);
    v = (v - f->mean) * f->scale;
    if (f->weight) {
        laser_vec_load(&w, f->weight + i, n);
        v *= w + f->shift;
    }
    if (f->bias) {
        laser_vec_load(&w, f->bias + i, n);
        v += w;
    }
    laser_vec_store(&v, y + i, n);
}

LASER_INLINE void scale_row(const struct affine *f, int64_t width, const float *x, float *y)
{
    int64_t i = 0;

    for (; i + LASER_LANES <= width; i += LASER_LANES)
        scale_some(f, i, LASER_LANES, x, y);
    if (i < width)
        scale_some(f, i, width - i, x, y);
}

LASER_INLINE void rmsnorm_body(int64_t rows, int64_t width, const float *x, int64_t x_stride,
                               const float *weight, float eps, float shift, float *y, int64_t y_stride)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *from = x + r * x_stride;
        float scale = 1 / sqrtf(sum_of_squares(width, from, 0) / (float)width + eps);

        scale_row(&(struct affine){0, scale, weight, shift, NULL}, width, from, y + r * y_stride);
    }
}

LASER_VARIANTS(rmsnorm,
               (int64_t rows, int64_t width, const float *x, int64_t x_stride, const float *weight, float eps,
                float shift, float *y, int64_t y_stride),
               (rows, width, x, x_stride, weight, eps, shift, y, y_stride))

void laser_rmsnorm(int64_t rows, int64_t width, const float *x, int64_t x_stride, const float *weight,
                   float eps, bool plus_one, float *y, int64_t y_stride)
{
    rmsnorm(rows, width, x, x_stride, weight, eps, plus_one ? 1 : 0, y, y_stride);
}

void laser_rmsnorm_heads(int64_t rows, int heads, int head_dim, float *x, int64_t x_stride,
                         const float *weight, float eps, bool plus_one)
{
    for (int64_t r = 0; r < rows; r++)
        laser_rmsnorm(heads, head_dim, x + r * x_stride, head_dim, weight, eps, plus_one, x + r * x_stride,
                      head_dim);
}

/* In float64, as a row of large equal values needs. */
LASER_INLINE float mean_of(int64_t width, const float *x)
{
    double sums[8] = {0};
    double total = 0;
    int64_t i = 0;

    for (; i + 8 <= width; i += 8)
        for (int j = 0; j < 8; j++)
            sums[j] += x[i + j];
    for (; i < width; i++)
        total += x[i];
    for (int j = 0; j < 8; j++)
        total += sums[j];
    return (float)(total / (double)width);
}

LASER_INLINE void layernorm_body(int64_t rows, int64_t width, const float *x, int64_t x_stride,
                                 const float *weight, const float *bias, float eps, float *y,
                                 int64_t y_stride)
{
    for (int64_t r = 0; r < rows; r++) {
        const float *from = x + r * x_stride;
        float mean = mean_of(width, from);
        float scale = 1 / sqrtf(sum_of_squares(width, from, mean) / (float)width + eps);

        scale_row(&(struct affine){mean, scale, weight, 0, bias}, width, from, y + r * y_stride);
    }
}

LASER_VARIANTS(layernorm,
               (int64_t rows, int64_t width, const float *x, int64_t x_stride, const float *weight,
                const float *bias, float eps, float *y, int64_t y_stride),
               (rows, width, x, x_stride, weight, bias, eps, y, y_stride))

void laser_layernorm(int64_t rows, int64_t width, const float *x, int64_t x_stride, const float *weight,
                     const float *bias, float eps, float *y, int64_t y_stride)
{
    layernorm(rows, width, x, x_stride, weight, bias, eps, y, y_stride);
}
