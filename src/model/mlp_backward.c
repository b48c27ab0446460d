#include <string.h>

#include "model/backward.h"

static void scale_rows(float scale, int64_t n, int64_t columns, float *x, int64_t stride)
{
    for (int64_t i = 0; scale != 1 && i < n; i++)
        for (int64_t j = 0; j < columns; j++)
            x[i * stride + j] *= scale;
}

void laser_backward_mlp_up(const struct laser_backward *b, const struct laser_mlp *mlp, int64_t n,
                           const float *x)
{
    float *up = b->gradient->inside.up;

    if (mlp->columns == 0 || n == 0)
        return;
    laser_part_apply(&mlp->up, n, x, b->model->arch.hidden, up, mlp->up.out, LASER_STORE,
                     &b->gradient->turning.scratch);
    scale_rows((float)b->model->arch.gate_scale, n, mlp->columns, up, mlp->up.out);
}

void laser_backward_activate(const struct laser_backward *b, const struct laser_layer *layer,
                             const struct laser_mlp *mlp, int64_t n)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    int64_t columns = mlp->columns, stride = mlp->up.out;
    const float *up = g->inside.up;

    if (columns == 0)
        return;
    if (a->activation == LASER_ACT_SWIGLU_CLAMPED) {
        laser_activation_swiglu_pairs((float)a->act_limit, (float)a->act_alpha, n, columns, up, stride,
                                      g->activated, columns);
        return;
    }
    if (a->gated) {
        laser_activation_gated(a->activation, n, columns, up, stride, up + columns, stride, g->activated,
                               columns);
        return;
    }
    memcpy(g->activated, up, (size_t)(n * columns) * sizeof(float));
    if (a->activation == LASER_ACT_XIELU) {
        const struct laser_xielu f = laser_model_xielu(layer);

        laser_activation_xielu(&f, n, columns, g->activated, columns);
    } else {
        laser_activation_apply(a->activation, n, columns, g->activated, columns);
    }
}

void laser_backward_activation(const struct laser_backward *b, const struct laser_layer *layer,
                               const struct laser_mlp *mlp, int64_t n)
{
    const struct laser_arch *a = &b->model->arch;
    struct laser_model_gradient *g = b->gradient;
    int64_t columns = mlp->columns, stride = mlp->up.out;
    float *up = g->inside.up;

    if (columns == 0)
        return;
    if (a->activation == LASER_ACT_SWIGLU_CLAMPED) {
        laser_activation_swiglu_pairs_backward((float)a->act_limit, (float)a->act_alpha, n, columns, up,
                                               stride, g->activated, columns);
    } else if (a->gated) {
        laser_activation_gated_backward(a->activation, n, columns, up, stride, up + columns, stride,
                                        g->activated, columns);
        scale_rows((float)a->gate_scale, n, columns, up, stride);
    } else if (a->activation == LASER_ACT_XIELU) {
        const struct laser_xielu f = laser_model_xielu(layer);

        laser_activation_xielu_backward(&f, n, columns, up, stride, g->activated, columns);
    } else {
        laser_activation_backward(a->activation, n, columns, up, stride, g->activated, columns);
    }
}

int laser_backward_mlp(const struct laser_backward *b, const struct laser_layer *layer, const float *x,
                       const float *delta, float *dx)
{
    struct laser_model_gradient *g = b->gradient;
    const struct laser_mlp *mlp = &layer->mlp;
    int64_t h = b->model->arch.hidden;
    int result;

    delta = laser_backward_scaled(b, (float)b->model->arch.down_scale, delta);
    result = laser_backward_report(b, &mlp->down, LASER_SPLIT_INPUTS, b->n, g->activated, mlp->columns, delta,
                                   h, NULL);
    if (result != LASER_OK)
        return result;
    laser_backward_project(b, &mlp->down, b->n, delta, h, mlp->columns, g->activated, LASER_STORE);
    laser_backward_activation(b, layer, mlp, b->n);
    result =
        laser_backward_report(b, &mlp->up, LASER_SPLIT_OUTPUTS, b->n, x, h, g->inside.up, mlp->up.out, NULL);
    laser_backward_project(b, &mlp->up, b->n, g->inside.up, mlp->up.out, h, dx, LASER_STORE);
    return result;
}
