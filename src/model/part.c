/* A weight applied to rows, whatever form it has. */
#include "model/internal.h"

void laser_part_apply(const struct laser_part *part, int64_t n, const float *x, int64_t x_stride, float *y,
                      int64_t y_stride, enum laser_output output, const struct laser_scratch *scratch)
{
    if (part->split)
        laser_split_apply(part, n, x, x_stride, y, y_stride, output, scratch);
    else
        laser_part_apply_whole(part, n, x, x_stride, y, y_stride, output, scratch);
}

void laser_part_apply_backward(const struct laser_part *part, int64_t n, const float *dy, int64_t dy_stride,
                               float *dx, int64_t dx_stride, enum laser_output output,
                               const struct laser_turning *turning)
{
    if (part->split)
        laser_split_apply_backward(part, n, dy, dy_stride, dx, dx_stride, output, turning);
    else
        laser_part_apply_whole_backward(part, n, dy, dy_stride, dx, dx_stride, output, turning);
}
