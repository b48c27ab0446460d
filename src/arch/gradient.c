/* What the backward pass (src/model) covers. */
#include "arch/arch.h"

const char *laser_arch_lacks_gradient(const struct laser_arch *a)
{
    const struct {
        bool is_there;
        const char *name;
    } variations[] = {
        {a->moe.width > 0, "experts of another width"},
        {a->clip_qkv > 0 && a->qk_norm != LASER_QK_NORM_NONE && a->qk_norm != LASER_QK_NORM_WHOLE,
         "clipped queries and keys behind norms of heads"},
        {a->moe.experts > 0 &&
             (a->residual == LASER_RESIDUAL_PARALLEL || a->residual == LASER_RESIDUAL_PARALLEL_SHARED),
         "experts in parallel blocks"},
        {a->groups > 0, "layers that share their weights"},
        {a->disentangled.span > 0, "disentangled attention"},
        {a->side_kernel > 0, "a convolution beside a layer"},
    };

    for (unsigned i = 0; i < sizeof variations / sizeof variations[0]; i++)
        if (variations[i].is_there)
            return variations[i].name;
    return NULL;
}
