/* What the backward pass (src/model) covers. */
#include "arch/arch.h"

const char *laser_arch_lacks_gradient(const struct laser_arch *a)
{
    const struct {
        bool is_there;
        const char *name;
    } variations[] = {
        {a->qkv_layout == LASER_QKV_LATENT, "latent attention"},
        {a->qk_norm > LASER_QK_NORM_HEADS || (a->qk_norm && (a->qk_norm_late || a->qk_norm_plain)),
         "this norm of queries and keys"},
        {a->full_head_size > 0 || a->full_kv_heads > 0 || a->value_norm || a->names->layer_scalar,
         "heads that differ from layer to layer"},
        {a->first_plain || (a->names->head_dense && a->names->final_norm), "these norms"},
        {a->embed_projects, "an embedding of another width"},
        {a->groups > 0, "layers that share their weights"},
        {a->disentangled.span > 0, "disentangled attention"},
        {a->side_kernel > 0, "a convolution beside a layer"},
        {a->delta.key_heads > 0, "the gated delta rule"},
        {laser_arch_keeps_states(a), "states kept from token to token"},
        {a->attention_gate || a->names->attention_gate, "gated attention"},
        {a->clip_qkv > 0, "clipped queries, keys and values"},
        {a->sinks, "attention sinks"},
        {a->alibi != LASER_ALIBI_NONE, "ALiBi"},
        {a->temperature.scale != 0, "temperature by position"},
        {a->chunked, "chunked attention"},
        {a->rope.reversed, "these rotary positions"},
        {a->activation == LASER_ACT_XIELU || a->activation == LASER_ACT_SWIGLU_CLAMPED, "this activation"},
        {a->moe.experts > 0 && (a->moe.score != LASER_MOE_SOFTMAX || a->moe.corrected || a->moe.groups > 1 ||
                                a->moe.scale != 1 || a->moe.shared_scale != 1),
         "this routing of experts"},
        {a->moe.shared > 0 && !a->moe.shared_gated, "a shared expert without a gate"},
        {a->norm_plain || a->embed_norm_plain, "norms without weights"},
        {a->residual == LASER_RESIDUAL_SERIAL && !a->names->attention_norm,
         "blocks without a norm before them"},
        {a->residual_scale != 1, "scaled residuals"},
        {a->residual == LASER_RESIDUAL_NORMED, "residuals behind the norm"},
        {a->logit_scale != 1, "scaled logits"},
    };

    for (unsigned i = 0; i < sizeof variations / sizeof variations[0]; i++)
        if (variations[i].is_there)
            return variations[i].name;
    return NULL;
}
