#include <math.h>
#include <string.h>

#include "kernels/norm.h"
#include "model/internal.h"

void laser_model_norm(const struct laser_arch *arch, const struct laser_norm *norm, int64_t n, const float *x,
                      float *y)
{
    laser_model_norm_width(arch, norm, n, arch->hidden, x, y);
}

void laser_model_norm_width(const struct laser_arch *arch, const struct laser_norm *norm, int64_t n,
                            int64_t h, const float *x, float *y)
{
    if (arch->norm == LASER_NORM_RMS)
        laser_rmsnorm(n, h, x, h, norm->weight.values, (float)arch->norm_eps, arch->norm_plus_one, y, h);
    else
        laser_layernorm(n, h, x, h, norm->weight.values, norm->bias.values, (float)arch->norm_eps, y, h);
}

void laser_model_project(const struct laser_part *part, const struct laser_part *bias, int64_t n,
                         const float *x, int64_t x_stride, int64_t width, float *out,
                         enum laser_output output, const struct laser_scratch *scratch)
{
    if (laser_part_present(part)) {
        laser_part_apply(part, n, x, x_stride, out, width, output, scratch);
        return;
    }
    if (output == LASER_STORE)
        memset(out, 0, (size_t)(n * width) * sizeof *out);
    for (int64_t i = 0; laser_part_present(bias) && i < n; i++)
        for (int64_t j = 0; j < width; j++)
            out[i * width + j] += bias->values[j];
}

struct laser_xielu laser_model_xielu(const struct laser_layer *layer)
{
    const float *p = layer->activation.values;

    return (struct laser_xielu){laser_softplus(p[0]), p[2] + laser_softplus(p[1]), p[2], p[3]};
}

static void apply_xielu(const struct laser_layer *layer, int64_t n, int64_t columns, float *x, int64_t stride)
{
    const struct laser_xielu f = laser_model_xielu(layer);

    laser_activation_xielu(&f, n, columns, x, stride);
}

static void scale_rows(float scale, int64_t n, int64_t columns, float *x, int64_t stride)
{
    for (int64_t i = 0; scale != 1 && i < n; i++)
        for (int64_t j = 0; j < columns; j++)
            x[i * stride + j] *= scale;
}

int64_t laser_model_mlp_up(const struct laser_model *m, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, const struct laser_mlp *mlp, int64_t n,
                           const float *x)
{
    const struct laser_arch *a = &m->arch;
    int64_t columns = mlp->columns, stride = mlp->up.out, width = mlp->up.in;

    laser_part_apply(&mlp->up, n, x, width, ws->up, stride, LASER_STORE, &ws->scratch);
    scale_rows((float)a->gate_scale, n, columns, ws->up, stride);
    if (a->activation == LASER_ACT_SWIGLU_CLAMPED)
        laser_activation_swiglu_pairs((float)a->act_limit, (float)a->act_alpha, n, columns, ws->up, stride,
                                      ws->up, stride);
    else if (a->activation == LASER_ACT_XIELU)
        apply_xielu(layer, n, columns, ws->up, stride);
    else if (a->gated)
        laser_activation_gated(a->activation, n, columns, ws->up, stride, ws->up + columns, stride, ws->up,
                               stride);
    else
        laser_activation_apply(a->activation, n, columns, ws->up, stride);
    scale_rows((float)a->down_scale, n, columns, ws->up, stride);
    return stride;
}

void laser_model_mlp_dense(const struct laser_model *m, struct laser_model_workspace *ws,
                           const struct laser_layer *layer, int64_t n, const float *x, float *out,
                           enum laser_output output)
{
    const struct laser_mlp *mlp = &layer->mlp;
    int64_t h = m->arch.hidden;

    for (int64_t done = 0; done < n; done += ws->mlp_tokens) {
        int64_t rows = n - done < ws->mlp_tokens ? n - done : ws->mlp_tokens;
        int64_t stride = mlp->columns ? laser_model_mlp_up(m, ws, layer, mlp, rows, x + done * h) : 0;

        laser_model_project(&mlp->down, &mlp->down_bias, rows, ws->up, stride, h, out + done * h, output,
                            &ws->scratch);
    }
}
