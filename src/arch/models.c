/* The table of types in words. */
#include "arch/models.h"

#include <stdio.h>
#include <string.h>

#include "arch/family.h"

static bool has_option(const struct laser_family *f, enum laser_sets from, enum laser_sets to)
{
    for (const struct laser_option *o = f->options; o->key; o++)
        if (o->sets >= from && o->sets <= to)
            return true;
    return false;
}

static const char *positions_of(const struct laser_family *f)
{
    if (f->alibi)
        return "ALiBi";
    if (f->names->positions)
        return "learned positions";
    if (f->theta == 0 && f->mixer)
        return "no positions";
    if (f->rope_rule == LASER_ROPE_OF_TWO)
        return "two rotary bases";
    if (f->rope_rule != LASER_ROPE_IN_ALL)
        return "rotary positions in some layers";
    return f->partial_rope ? "rotary positions, also of a part of a head" : "rotary positions";
}

static const char *windows_of(const struct laser_family *f)
{
    if (f->window_rule == LASER_WINDOW_NONE || f->mixer) /* their layer_types tell other things apart */
        return NULL;
    if (f->window_key && strcmp(f->window_key, "attention_chunk_size") == 0)
        return "chunks by layer";
    return f->window_rule <= LASER_WINDOW_SWITCHED ? "sliding window" : "sliding windows by layer";
}

static const char *mixer_of(const struct laser_family *f)
{
    static const char *const words[] = {
        [LASER_MIXER_DELTA] = "gated delta rule by layer",
        [LASER_MIXER_STATE_SPACE] = "Mamba-2 by layer",
        [LASER_MIXER_BOTH] = "Mamba-2 beside attention",
        [LASER_MIXER_SELECTIVE] = "Mamba by layer",
        [LASER_MIXER_CONVOLUTION] = "short convolutions by layer",
        [LASER_MIXER_LIGHTNING] = "lightning attention by layer",
    };

    if (f->mixer_rule == LASER_MIXED_ALL && f->mixer == LASER_MIXER_STATE_SPACE)
        return "Mamba-2";
    if (f->mixer_rule == LASER_MIXED_ALL && f->mixer == LASER_MIXER_SELECTIVE)
        return "Mamba";
    return words[f->mixer];
}

static const char *experts_of(const struct laser_family *f)
{
    if (!f->moe)
        return NULL;
    if (f->moe->groups)
        return f->moe->shared ? "experts in groups, shared experts" : "experts in groups";
    return f->moe->shared || f->moe->shared_fixed ? "experts, a shared expert" : "experts";
}

static const char *residual_of(const struct laser_family *f)
{
    return f->residual == LASER_RESIDUAL_PARALLEL || f->residual == LASER_RESIDUAL_PARALLEL_SHARED
               ? "parallel blocks"
               : NULL;
}

void laser_models_variations(const struct laser_family *f, char *text, size_t size)
{
    const char *const words[] = {
        f->masked ? "masked" : NULL,
        positions_of(f),
        windows_of(f),
        f->full_head_size ? "other heads without a window" : NULL,
        f->names->embed_project ? "embeddings of another width" : NULL,
        f->names->group_layer ? "layers that share their weights" : NULL,
        mixer_of(f),
        f->attention_gate || f->names->attention_gate ? "gated attention" : NULL,
        f->qkv_layout == LASER_QKV_LATENT ? "latent attention" : NULL,
        f->names->relative ? "disentangled attention" : NULL,
        f->qk_norm.otherwise || f->qk_norm.key ? "norms of queries and keys" : NULL,
        f->sinks ? "sinks" : NULL,
        has_option(f, LASER_SETS_CLIP_QKV, LASER_SETS_CLIP_QKV) ? "clipped queries, keys and values" : NULL,
        has_option(f, LASER_SETS_ATTENTION_SOFTCAP, LASER_SETS_FINAL_SOFTCAP) ? "soft caps" : NULL,
        has_option(f, LASER_SETS_LOGIT_SCALE, LASER_SETS_RESIDUAL_SCALE) ? "multipliers" : NULL,
        experts_of(f),
        residual_of(f),
        f->norm == LASER_NORM_LAYER ? "layer norms" : NULL};
    size_t n = 0;

    text[0] = '\0';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (words[i] && n < size)
            n += (size_t)snprintf(text + n, size - n, "%s%s", n ? "; " : "", words[i]);
}

void laser_models_list(struct laser_text *out)
{
    const char *const *types = laser_arch_types();
    char variations[512];

    laser_text_puts(out, "models that run, by model_type:\n");
    for (int i = 0; types[i]; i++) {
        laser_models_variations(laser_family_find(types[i]), variations, sizeof variations);
        laser_text_printf(out, "  %-18s %s\n", types[i], variations);
    }
    laser_text_puts(out, "models whose language model (text_config) runs, the rest untouched:\n");
    for (int i = 0; laser_wrapper_at(i); i++)
        laser_text_printf(out, "  %-18s %s, or what text_config says\n", laser_wrapper_at(i)->model_type,
                          laser_wrapper_at(i)->text_type);
    laser_text_puts(out, "every other type can be scanned\n");
}
