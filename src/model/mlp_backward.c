#include <string.h>

#include "model/backward.h"

void laser_backward_mlp_up(const struct laser_backward *b, const struct laser_mlp *mlp, int64_t n,
                           const float *x)
{
    if (mlp->columns && n)
        laser_part_apply(&mlp->up, n, x, b->model->arch.hidden, b->gradient->inside.up, mlp->up.out,
                         LASER_STORE, &b->gradient->turning.scratch);
}

void laser_backward_activate(const struct laser_backward *b, const struct laser_mlp *mlp, int64_t n)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    int64_t columns = mlp->columns, stride = mlp->up.out;
    const float *up = g->inside.up;

    if (columns == 0)
        return;
    if (a->gated) {
        laser_activation_gated(a->activation, n, columns, up, stride, up + columns, stride, g->activated,
                               columns);
        return;
    }
    memcpy(g->activated, up, (size_t)(n * columns) * sizeof(float));
    laser_activation_apply(a->activation, n, columns, g->activated, columns);
}

void laser_backward_activation(const struct laser_backward *b, const struct laser_mlp *mlp, int64_t n)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    int64_t columns = mlp->columns, stride = mlp->up.out;

    if (columns == 0)
        return;
    if (a->gated)
        laser_activation_gated_backward(a->activation, n, columns, g->inside.up, stride,
                                        g->inside.up + columns, stride, g->activated, columns);
    else
        laser_activation_backward(a->activation, n, columns, g->inside.up, stride, g->activated, columns);
}

int laser_backward_mlp(const struct laser_backward *b, const struct laser_mlp *mlp, const float *x,
                       const float *delta, float *dx)
{
    struct laser_model_gradient *g = b->gradient;
    int64_t h = b->model->arch.hidden;
    int result = laser_backward_report(b, &mlp->down, LASER_SPLIT_INPUTS, b->n, g->activated, mlp->columns,
                                       delta, h, NULL);

    if (result != LASER_OK)
        return result;
    laser_backward_project(b, &mlp->down, b->n, delta, h, mlp->columns, g->activated, LASER_STORE);
    laser_backward_activation(b, mlp, b->n);
    result =
        laser_backward_report(b, &mlp->up, LASER_SPLIT_OUTPUTS, b->n, x, h, g->inside.up, mlp->up.out, NULL);
    laser_backward_project(b, &mlp->up, b->n, g->inside.up, mlp->up.out, h, dx, LASER_STORE);
    return result;
}
