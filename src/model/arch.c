#include "model/arch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/config_policy.h"
#include "model/config_reader.h"
#include "model/family.h"
#include "model/rope.h"

static bool read_switch(struct laser_config *config, struct laser_switch s)
{
    return s.key ? laser_config_bool(config, s.key, s.otherwise) : s.otherwise;
}

static enum laser_activation read_activation(struct laser_config *config, const struct laser_family *family)
{
    static const struct {
        const char *name;
        enum laser_activation activation;
    } known[] = {{"silu", LASER_ACT_SILU},
                 {"swish", LASER_ACT_SILU},
                 {"gelu", LASER_ACT_GELU},
                 {"gelu_python", LASER_ACT_GELU},
                 {"gelu_new", LASER_ACT_GELU_TANH},
                 {"gelu_fast", LASER_ACT_GELU_TANH},
                 {"gelu_pytorch_tanh", LASER_ACT_GELU_TANH},
                 {"gelu_python_tanh", LASER_ACT_GELU_TANH},
                 {"quick_gelu", LASER_ACT_GELU_QUICK},
                 {"relu", LASER_ACT_RELU},
                 {"relu2", LASER_ACT_RELU_SQUARED},
                 {"tanh", LASER_ACT_TANH}};
    const char *key = family->keys->activation;
    const char *name = laser_config_text(config, key, family->activation);

    if (strcmp(family->model_type, "gemma") == 0 && strcmp(name, "gelu") == 0)
        return LASER_ACT_GELU_TANH; /* the first Gemma files say gelu and mean its tanh form */
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].activation;
    laser_config_refuse(config, key, "the activation \"%.60s\" is not supported", name);
    return LASER_ACT_SILU;
}

static void read_sizes(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch)
{
    enum { MOST = 1 << 30 };
    const struct laser_keys *keys = family->keys;
    bool gpt = strcmp(keys->hidden, "n_embd") == 0;

    arch->hidden = laser_config_integer(config, keys->hidden, LASER_CONFIG_REQUIRED, 1, 1 << 24);
    arch->layers = laser_config_integer(config, keys->layers, LASER_CONFIG_REQUIRED, 1, 1 << 16);
    arch->heads = laser_config_integer(config, keys->heads, LASER_CONFIG_REQUIRED, 1, 1 << 16);
    arch->vocabulary = laser_config_integer(config, "vocab_size", LASER_CONFIG_REQUIRED, 1, 1 << 24);
    arch->intermediate = laser_config_integer(config, keys->intermediate,
                                              gpt ? 4 * arch->hidden : LASER_CONFIG_REQUIRED, 1, MOST);
    arch->max_positions =
        laser_config_integer(config, keys->positions, family->positions, 1, INT64_C(1) << 40);
    arch->kv_heads = arch->heads;
    if (keys->kv_heads) {
        bool stated =
            json_object_get(config->object, keys->kv_heads) != NULL; /* null means: as many as heads */
        arch->kv_heads = laser_config_integer(
            config, keys->kv_heads, stated || !family->kv_heads ? arch->heads : family->kv_heads, 1, 1 << 16);
    }
    if (arch->heads % arch->kv_heads != 0)
        laser_config_refuse(config, keys->kv_heads, "%lld does not divide the %lld heads",
                            (long long)arch->kv_heads, (long long)arch->heads);
    arch->head_size = family->head_size ? family->head_size : arch->hidden / arch->heads;
    if (keys->head_size)
        arch->head_size = laser_config_integer(config, keys->head_size, arch->head_size, 1, 1 << 16);
    if (family->head_size_fixed &&
        laser_config_integer(config, "head_dim", arch->head_size, 1, 1 << 16) != arch->head_size)
        laser_config_refuse(config, "head_dim", "expected hidden_size / num_attention_heads, %lld",
                            (long long)arch->head_size);
    if (arch->head_size < 1 || (!keys->head_size && arch->hidden % arch->heads != 0))
        laser_config_refuse(config, keys->heads, "%lld heads do not divide the hidden size %lld",
                            (long long)arch->heads, (long long)arch->hidden);
    arch->norm_eps = laser_config_real(config, keys->eps, family->eps, 0, 1);
}

static void read_attention(struct laser_config *config, const struct laser_family *family,
                           struct laser_arch *arch)
{
    arch->attention_scale = 1 / sqrt((double)arch->head_size);
    if (strcmp(family->model_type, "gpt2") == 0) {
        if (!laser_config_bool(config, "scale_attn_weights", true))
            arch->attention_scale = 1;
        arch->attention_scale_by_layer = laser_config_bool(config, "scale_attn_by_inverse_layer_idx", false);
    }
    if (strcmp(family->model_type, "gemma2") == 0) {
        arch->attention_scale = 1 / sqrt(laser_config_real(config, "query_pre_attn_scalar", 256, 1e-6, 1e9));
        arch->attention_softcap = laser_config_value(config, "attn_logit_softcapping")
                                      ? laser_config_real(config, "attn_logit_softcapping", 50, 1e-6, 1e9)
                                      : 0;
        arch->final_softcap = laser_config_value(config, "final_logit_softcapping")
                                  ? laser_config_real(config, "final_logit_softcapping", 30, 1e-6, 1e9)
                                  : 0;
        if (!json_object_get(config->object, "attn_logit_softcapping"))
            arch->attention_softcap = 50; /* missing is the default, null is none */
        if (!json_object_get(config->object, "final_logit_softcapping"))
            arch->final_softcap = 30;
    }
    if (strcmp(family->model_type, "gptj") == 0) {
        arch->rope = (struct laser_rope){.kind = LASER_ROPE_DEFAULT,
                                         .interleaved = true,
                                         .theta = family->theta,
                                         .factor = 1,
                                         .attention_factor = 1,
                                         .max_positions = arch->max_positions,
                                         .original_positions = arch->max_positions};
        arch->rope.rotated = laser_config_integer(config, "rotary_dim", 64, 2, arch->head_size);
        if (json_is_null(json_object_get(config->object, "rotary_dim")) || arch->rope.rotated % 2 != 0 ||
            arch->rope.rotated > arch->head_size)
            laser_config_refuse(config, "rotary_dim", "expected an even number up to the head size %lld",
                                (long long)arch->head_size);
    } else if (family->theta != 0) {
        laser_rope_read(config, family, arch);
    }
}

static int64_t ruled_window(const struct laser_family *family, int64_t layer, int64_t window, bool switched,
                            int64_t border)
{
    switch (family->window_rule) {
    case LASER_WINDOW_NONE:
        return 0;
    case LASER_WINDOW_ALL:
        return window;
    case LASER_WINDOW_SWITCHED:
        return switched ? window : 0;
    case LASER_WINDOW_UPPER:
        return switched && layer >= border ? window : 0;
    case LASER_WINDOW_LOWER_EVEN:
        return switched && layer % 2 == 0 && layer < border ? window : 0;
    case LASER_WINDOW_EVEN:
        return layer % 2 == 0 ? window : 0;
    }
    return 0;
}

/* layer_types must be known words; families that do not honour them do not read them. */
static void read_layer_types(struct laser_config *config, const struct laser_family *family, int64_t window,
                             struct laser_arch *arch)
{
    json_t *types =
        family->window_rule >= LASER_WINDOW_UPPER ? laser_config_value(config, "layer_types") : NULL;

    if (!types)
        return;
    if (!json_is_array(types) || (int64_t)json_array_size(types) != arch->layers) {
        laser_config_refuse(config, "layer_types", "expected a list of %lld words", (long long)arch->layers);
        return;
    }
    for (int64_t i = 0; i < arch->layers; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));
        bool sliding = type && strcmp(type, "sliding_attention") == 0;

        if (!type || (!sliding && strcmp(type, "full_attention") != 0))
            laser_config_refuse(config, "layer_types", "layer %lld: \"%.60s\" is not supported", (long long)i,
                                type ? type : "not a word");
        else if (sliding && window == 0)
            laser_config_refuse(config, "layer_types", "layer %lld slides, but there is no window",
                                (long long)i);
        else
            arch->window[i] = sliding ? window : 0;
    }
}

static void read_windows(struct laser_config *config, const struct laser_family *family,
                         struct laser_arch *arch)
{
    bool switched = true, has_switch;
    int64_t window = 0, border = 0;

    has_switch = family->window_rule == LASER_WINDOW_SWITCHED || family->window_rule == LASER_WINDOW_UPPER ||
                 family->window_rule == LASER_WINDOW_LOWER_EVEN;
    if (family->window_rule != LASER_WINDOW_NONE) {
        bool stated = json_object_get(config->object, "sliding_window") != NULL; /* null means: no window */
        window =
            laser_config_integer(config, "sliding_window", stated ? 0 : family->window, 0, INT64_C(1) << 40);
    }
    if (has_switch)
        switched = laser_config_bool(config, "use_sliding_window", false);
    if (has_switch && family->window_rule != LASER_WINDOW_SWITCHED)
        border = laser_config_integer(config, "max_window_layers", 28, 0, 1 << 30);
    for (int64_t i = 0; i < arch->layers; i++)
        arch->window[i] = ruled_window(family, i, window, switched, border);
    read_layer_types(config, family, switched ? window : 0, arch);
}

static void read_sparse_layers(struct laser_config *config, struct laser_arch *arch)
{
    json_t *dense = laser_config_value(config, "mlp_only_layers");
    int64_t step = laser_config_integer(config, "decoder_sparse_step", 1, 1, 1 << 30);
    size_t index;
    json_t *value;

    for (int64_t i = 0; i < arch->layers; i++)
        arch->sparse[i] = (i + 1) % step == 0;
    json_array_foreach(dense, index, value)
    {
        int64_t layer = json_is_integer(value) ? json_integer_value(value) : -1;
        if (layer < 0)
            laser_config_refuse(config, "mlp_only_layers", "entry %zu is not a layer number", index);
        else if (layer < arch->layers)
            arch->sparse[layer] = false;
    }
}

static void read_moe(struct laser_config *config, const struct laser_family *family, struct laser_arch *arch)
{
    bool mixtral = family->moe == LASER_MOE_MIXTRAL;
    struct laser_moe *moe = &arch->moe;

    if (family->moe == LASER_MOE_NONE)
        return;
    moe->per_token = laser_config_integer(config, "num_experts_per_tok",
                                          mixtral ? 2 : (family->moe == LASER_MOE_QWEN2 ? 4 : 8), 1, 1 << 16);
    moe->intermediate = arch->intermediate;
    moe->normalized = true;
    if (mixtral) {
        moe->experts = laser_config_integer(config, "num_local_experts", 8, 1, 1 << 16);
        for (int64_t i = 0; i < arch->layers; i++)
            arch->sparse[i] = true;
    } else {
        const char *key = family->aliases ? "num_local_experts" : "num_experts";
        moe->experts = laser_config_integer(config, key, LASER_CONFIG_REQUIRED, 1, 1 << 16);
        moe->intermediate =
            laser_config_integer(config, "moe_intermediate_size", LASER_CONFIG_REQUIRED, 1, 1 << 30);
        moe->normalized = laser_config_bool(config, "norm_topk_prob", false);
        if (family->moe == LASER_MOE_QWEN2)
            moe->shared = laser_config_integer(config, "shared_expert_intermediate_size", 5632, 1, 1 << 30);
        read_sparse_layers(config, arch);
    }
    if (moe->per_token > moe->experts)
        laser_config_refuse(config, "num_experts_per_tok", "%lld of %lld experts", (long long)moe->per_token,
                            (long long)moe->experts);
}

/* The class named in the file must be a language model: a classifier has no head to evaluate. */
static void check_class(struct laser_config *config, const struct laser_family *family)
{
    json_t *classes = laser_config_value(config, "architectures");
    const char *name = json_string_value(json_array_get(classes, 0));
    size_t n = name ? strlen(name) : 0;

    if (!name || (n > 5 && !strcmp(name + n - 5, "Model")))
        return;
    if (family->masked ? strstr(name, "ForMaskedLM") != NULL
                       : strstr(name, "ForCausalLM") || strstr(name, "LMHeadModel"))
        return;
    laser_config_refuse(config, "architectures", "%.100s is not a %s language model", name,
                        family->masked ? "masked" : "causal");
}

/* Token types and the padding token, from which positions are counted. */
static void read_masked(struct laser_config *config, struct laser_arch *arch)
{
    const char *positions = laser_config_text(config, "position_embedding_type", "absolute");

    arch->masked = true;
    arch->token_types = laser_config_integer(config, "type_vocab_size", 2, 1, 1 << 16);
    arch->padding = (int32_t)laser_config_integer(config, "pad_token_id", 1, 0, 1 << 24);
    if (strcmp(positions, "absolute") != 0)
        laser_config_refuse(config, "position_embedding_type", "\"%.40s\" is not supported (absolute is)",
                            positions);
    if (laser_arch_longest(arch) < 1)
        laser_config_refuse(config, "max_position_embeddings",
                            "%lld positions, of which those up to %ld are not for tokens",
                            (long long)arch->max_positions, (long)arch->padding);
}

/* Modules whose weights are products of two thin ones: as ASVD and this program write them. */
static void read_low_ranks(struct laser_config *config, struct laser_arch *arch)
{
    json_t *ranks = laser_config_value(config, "truncation_ranks"), *rank;
    const char *module;

    if (!ranks)
        return;
    if (!json_is_object(ranks)) {
        laser_config_refuse(config, "truncation_ranks", "expected an object: module name to rank");
        return;
    }
    json_object_foreach(ranks, module, rank)
    {
        if (!json_is_integer(rank) || json_integer_value(rank) < 1) {
            char *found = json_dumps(rank, JSON_ENCODE_ANY | JSON_COMPACT);
            laser_config_refuse(config, "truncation_ranks",
                                "found %.80s for %.200s, expected a rank of 1 or more",
                                found ? found : "something", module);
            free(found);
        }
    }
    if (json_object_size(ranks) > 0)
        arch->low_ranks = json_incref(ranks);
}

static void read_all(struct laser_config *config, const struct laser_family *family, struct laser_arch *arch)
{
    const char *dtype;

    check_class(config, family);
    read_sizes(config, family, arch);
    if (config->result != LASER_OK)
        return;
    arch->window = calloc((size_t)arch->layers, sizeof *arch->window);
    arch->sparse = calloc((size_t)arch->layers, sizeof *arch->sparse);
    if (!arch->window || !arch->sparse) {
        config->result = laser_error_set(config->err, LASER_ENOMEM, config->path, "no memory for %lld layers",
                                         (long long)arch->layers);
        return;
    }
    arch->names = family->names;
    read_low_ranks(config, arch);
    arch->norm = family->norm;
    arch->norm_plus_one = family->norm_plus_one;
    arch->qkv_layout = family->qkv_layout;
    arch->transposed = family->transposed;
    arch->gated = family->gated;
    arch->head_bias = family->head_bias;
    arch->residual = family->residual;
    if (family->residual_key && !laser_config_bool(config, family->residual_key, true))
        arch->residual = LASER_RESIDUAL_SERIAL;
    arch->tied = read_switch(config, family->tied);
    arch->q_bias = read_switch(config, family->q_bias);
    arch->o_bias = read_switch(config, family->o_bias);
    arch->mlp_bias = read_switch(config, family->mlp_bias);
    arch->qk_norm = read_switch(config, family->qk_norm);
    arch->activation = read_activation(config, family);
    arch->embed_scale = family->embed_scaled ? sqrt((double)arch->hidden) : 1;
    if (family->masked)
        read_masked(config, arch);
    read_attention(config, family, arch);
    read_windows(config, family, arch);
    read_moe(config, family, arch);
    dtype = laser_config_text(config, "dtype", laser_config_text(config, "torch_dtype", ""));
    snprintf(arch->stored_dtype, sizeof arch->stored_dtype, "%s", dtype);
    arch->quantized = json_object_size(laser_config_value(config, "quantization_config")) > 0;
    laser_config_judge(config, family->guards, laser_config_bookkeeping, family->model_type);
    snprintf(arch->ignored, sizeof arch->ignored, "%s", config->ignored);
}

/* A copy of the file in which every key has the one name that is asked for; NULL: no memory. */
static json_t *without_aliases(json_t *object, const struct laser_config_alias *aliases)
{
    json_t *copy = json_copy(object);

    for (; copy && aliases && aliases->alias; aliases++) {
        json_t *value = json_object_get(copy, aliases->alias);
        if (!value)
            continue;
        json_object_set(copy, aliases->key, value);
        json_object_del(copy, aliases->alias);
    }
    return copy;
}

static void refuse_type(struct laser_config *config, const char *type)
{
    const char *const *types = laser_arch_types();
    char list[320] = "";

    for (size_t i = 0, n = 0; types[i] && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", types[i]);
    if (type[0] == '\0')
        laser_config_refuse(config, "model_type", "missing; supported are %s", list);
    else
        laser_config_refuse(config, "model_type", "\"%.100s\" is not supported; supported are %s", type,
                            list);
}

int64_t laser_arch_longest(const struct laser_arch *arch)
{
    if (!arch->names->positions)
        return INT64_MAX;
    return arch->masked ? arch->max_positions - arch->padding - 1 : arch->max_positions;
}

int laser_arch_read(json_t *object, const char *where, struct laser_arch *arch, struct laser_error *err)
{
    struct laser_config config = {.object = object, .path = where, .prefix = "", .err = err};
    const struct laser_family *family;
    const char *type;

    memset(arch, 0, sizeof *arch);
    if (!json_is_object(object))
        return laser_error_set(err, LASER_EINPUT, where, "the model has no config.json");
    type = laser_config_text(&config, "model_type", "");
    family = laser_family_find(type);
    if (family) {
        snprintf(arch->model_type, sizeof arch->model_type, "%s", type);
        config.object = without_aliases(object, family->aliases);
        if (config.object)
            read_all(&config, family, arch);
        else
            config.result = laser_error_set(err, LASER_ENOMEM, where, "no memory");
        json_decref(config.object);
    } else if (config.result == LASER_OK) {
        refuse_type(&config, type);
    }
    if (config.result != LASER_OK)
        laser_arch_free(arch);
    return config.result;
}

int64_t laser_arch_low_rank(const struct laser_arch *arch, const char *module)
{
    return arch->low_ranks ? json_integer_value(json_object_get(arch->low_ranks, module)) : 0;
}

void laser_arch_free(struct laser_arch *arch)
{
    laser_rope_free(&arch->rope);
    free(arch->window);
    free(arch->sparse);
    arch->window = NULL;
    arch->sparse = NULL;
    json_decref(arch->low_ranks);
    arch->low_ranks = NULL;
}
