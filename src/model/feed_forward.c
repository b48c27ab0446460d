/* A layer's feed-forward block: one for all tokens, or experts. */
#include "model/internal.h"

void laser_model_mlp(const struct laser_model *m, struct laser_model_workspace *ws,
                     const struct laser_layer *layer, int64_t n, const float *x, float *out,
                     enum laser_output output)
{
    if (layer->experts)
        laser_model_moe(m, ws, layer, n, x, out, output);
    else
        laser_model_mlp_dense(m, ws, layer, n, x, out, output);
}
