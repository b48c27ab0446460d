/* With r = 1 / sqrt(mean((x - m)^2) + eps), z = (x - m) r and g = w dy:
 *   layer norm  dx = r (g - mean(g) - z mean(g z))
 *   RMS norm    the same with m = 0 and without mean(g) */
#include <math.h>
#include <stddef.h>

#include "kernels/norm.h"
#include "kernels/vec.h"

struct row {
    int64_t width;
    const float *x, *weight, *dy;
    float shift; /* of the weight */
    bool centred;
};

/* (x - mean) and g of elements i .. i + n - 1; lanes from n on are 0. */
LASER_INLINE void load_some(const struct row *row, float mean, int64_t i, int64_t n, laser_vec *v,
                            laser_vec *g)
{
    laser_vec w, zero = {0};

    laser_vec_load(v, row->x + i, n);
    *v -= mean;
    if (n < LASER_LANES)
        memcpy((char *)v + n * (int64_t)sizeof(float), &zero, (size_t)(LASER_LANES - n) * sizeof(float));
    laser_vec_load(g, row->dy + i, n);
    if (row->weight) {
        laser_vec_load(&w, row->weight + i, n);
        *g *= w + row->shift;
    }
}

/* In float64, as a row of large equal values needs. */
LASER_INLINE float mean_of(int64_t width, const float *x)
{
    double sums[8] = {0}, total = 0;
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

LASER_INLINE void backward_row(const struct row *row, float eps, float *dx, bool add)
{
    laser_vec squares = {0}, sum = {0}, product = {0}, v, g;
    float mean = row->centred ? mean_of(row->width, row->x) : 0, n = (float)row->width, scale, mean_g, along;

    for (int64_t i = 0; i < row->width; i += LASER_LANES) {
        load_some(row, mean, i, row->width - i < LASER_LANES ? row->width - i : LASER_LANES, &v, &g);
        squares += v * v;
        sum += g;
        product += g * v;
    }
    scale = 1 / sqrtf(laser_vec_sum(&squares) / n + eps);
    mean_g = row->centred ? laser_vec_sum(&sum) / n : 0;
    along = laser_vec_sum(&product) / n * scale * scale;
    for (int64_t i = 0; i < row->width; i += LASER_LANES) {
        int64_t lanes = row->width - i < LASER_LANES ? row->width - i : LASER_LANES;

        load_some(row, mean, i, lanes, &v, &g);
        v = (g - mean_g - v * along) * scale;
        if (add) {
            laser_vec_load(&g, dx + i, lanes);
            v += g;
        }
        laser_vec_store(&v, dx + i, lanes);
    }
}

LASER_INLINE void backward_body(const struct row *row, float eps, float *dx, bool add)
{
    backward_row(row, eps, dx, add);
}

LASER_VARIANTS(backward, (const struct row *row, float eps, float *dx, bool add), (row, eps, dx, add))

void laser_rmsnorm_backward(int64_t rows, int64_t width, const float *x, int64_t x_stride,
                            const float *weight, float eps, bool plus_one, const float *dy, int64_t dy_stride,
                            float *dx, int64_t dx_stride, bool add)
{
    for (int64_t r = 0; r < rows; r++)
        backward(&(struct row){width, x + r * x_stride, weight, dy + r * dy_stride, plus_one ? 1 : 0, false},
                 eps, dx + r * dx_stride, add);
}

void laser_layernorm_backward(int64_t rows, int64_t width, const float *x, int64_t x_stride,
                              const float *weight, float eps, const float *dy, int64_t dy_stride, float *dx,
                              int64_t dx_stride, bool add)
{
    for (int64_t r = 0; r < rows; r++)
        backward(&(struct row){width, x + r * x_stride, weight, dy + r * dy_stride, 0, true}, eps,
                 dx + r * dx_stride, add);
}
