#include "arch/options.h"

#include <math.h>
#include <string.h>
#include <strings.h>

#include "arch/rope.h"

enum laser_activation laser_read_activation(struct laser_config *config, const char *key,
                                            const char *otherwise)
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
                 {"tanh", LASER_ACT_TANH},
                 {"xielu", LASER_ACT_XIELU}};
    const char *name = key ? laser_config_text(config, key, otherwise) : otherwise;

    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(known[i].name, name) == 0)
            return known[i].activation;
    laser_config_refuse(config, key, "the activation \"%.60s\" is not supported", name);
    return LASER_ACT_SILU;
}

/* Refuses what is there and is not what the type is supported with. */
static void must_be(struct laser_config *config, const char *key, bool otherwise, bool supported)
{
    if (laser_config_bool(config, key, otherwise) != supported)
        laser_config_refuse(config, key, "%s is not supported", supported ? "false" : "true");
}

static void turn_all(struct laser_arch *arch)
{
    for (int64_t i = 0; i < arch->layers; i++)
        arch->rope_of[i] = 1;
}

void laser_finish_gemma(struct laser_config *config, struct laser_arch *arch)
{
    if (strcmp(laser_config_text(config, "hidden_act", ""), "gelu") == 0)
        arch->activation = LASER_ACT_GELU_TANH; /* the first Gemma files say gelu and mean its tanh form */
}

void laser_finish_gpt2(struct laser_config *config, struct laser_arch *arch)
{
    if (!laser_config_bool(config, "scale_attn_weights", true))
        arch->attention_scale = 1;
    arch->attention_scale_by_layer = laser_config_bool(config, "scale_attn_by_inverse_layer_idx", false);
}

void laser_finish_gptj(struct laser_config *config, struct laser_arch *arch)
{
    arch->rope = (struct laser_rope){.kind = LASER_ROPE_DEFAULT,
                                     .interleaved = true,
                                     .theta = 10000,
                                     .factor = 1,
                                     .attention_factor = 1,
                                     .max_positions = arch->max_positions,
                                     .original_positions = arch->max_positions};
    arch->rope.rotated = laser_config_integer(config, "rotary_dim", 64, 2, arch->head_size);
    if (json_is_null(json_object_get(config->object, "rotary_dim")) || arch->rope.rotated % 2 != 0 ||
        arch->rope.rotated > arch->head_size)
        laser_config_refuse(config, "rotary_dim", "expected an even number up to the head size %lld",
                            (long long)arch->head_size);
    if (arch->qkv_layout == LASER_QKV_QUARTERS && arch->heads % 4 != 0)
        laser_config_refuse(
            config, "n_head",
            "%lld is no multiple of 4, as the layout of qkv_proj needs of num_attention_heads",
            (long long)arch->heads);
    turn_all(arch);
}

void laser_finish_bigcode(struct laser_config *config, struct laser_arch *arch)
{
    must_be(config, "add_cross_attention", false, false);
    if (!laser_config_bool(config, "scale_attn_weights", true))
        arch->attention_scale = 1;
    if (laser_config_bool(config, "multi_query", true))
        arch->kv_heads = 1;
    else
        arch->qkv_layout = LASER_QKV_BY_HEAD;
}

/* attention_types: [[["global", "local"], 12], ...]: words, and how often they are repeated. */
void laser_finish_gpt_neo(struct laser_config *config, struct laser_arch *arch)
{
    json_t *types = laser_config_value(config, "attention_types"), *item, *word;
    int64_t window = laser_config_integer(config, "window_size", 256, 1, INT64_C(1) << 40), layer = 0;
    size_t i, k;

    arch->attention_scale = 1;
    laser_config_value(config, "attention_layers"); /* the same, written out */
    for (; !types && layer < arch->layers; layer++)
        arch->window[layer] = layer % 2 == 1 ? window : 0;
    json_array_foreach(types, i, item)
    {
        int64_t times = json_integer_value(json_array_get(item, 1));

        for (int64_t n = 0; n < times; n++)
            json_array_foreach(json_array_get(item, 0), k, word)
            {
                const char *text = json_string_value(word);
                bool local = text && strcmp(text, "local") == 0;

                if (!text || (!local && strcmp(text, "global") != 0))
                    laser_config_refuse(config, "attention_types", "\"%.40s\" is not supported",
                                        text ? text : "not a word");
                if (layer < arch->layers)
                    arch->window[layer] = local ? window : 0;
                layer++;
            }
        if (layer > arch->layers)
            break;
    }
    if (layer != arch->layers)
        laser_config_refuse(config, "attention_types", "does not describe %lld layers",
                            (long long)arch->layers);
}

void laser_finish_opt(struct laser_config *config, struct laser_arch *arch)
{
    must_be(config, "do_layer_norm_before", true, true);
    must_be(config, "_remove_final_layer_norm", false, false);
    must_be(config, "layer_norm_elementwise_affine", true, true);
    if (laser_config_integer(config, "word_embed_proj_dim", arch->hidden, 1, 1 << 24) != arch->hidden)
        laser_config_refuse(config, "word_embed_proj_dim", "other than hidden_size %lld is not supported",
                            (long long)arch->hidden);
}

void laser_finish_bloom(struct laser_config *config, struct laser_arch *arch)
{
    (void)arch;
    must_be(config, "apply_residual_connection_post_layernorm", false, false);
}

void laser_finish_falcon(struct laser_config *config, struct laser_arch *arch)
{
    bool newer = laser_config_bool(config, "new_decoder_architecture", false);
    bool one = laser_config_bool(config, "multi_query", true);
    bool parallel = laser_config_bool(config, "parallel_attn", true);
    int64_t norms = laser_config_integer(config, "num_ln_in_parallel_attn", newer ? 2 : 1, 1, 2);

    must_be(config, "alibi", false, false);
    if (newer && !parallel)
        laser_config_refuse(config, "parallel_attn", "false with new_decoder_architecture is not supported");
    arch->qkv_layout = LASER_QKV_BY_GROUP;
    if (!newer)
        arch->kv_heads = one ? 1 : arch->heads;
    if (!parallel)
        arch->residual = LASER_RESIDUAL_SERIAL;
    else if (newer && norms == 2) {
        arch->residual = LASER_RESIDUAL_PARALLEL;
        arch->names = &laser_names_falcon_two_norms;
    } else
        arch->residual = LASER_RESIDUAL_PARALLEL_SHARED;
}

void laser_finish_mpt(struct laser_config *config, struct laser_arch *arch)
{
    struct laser_config inner = {.path = config->path,
                                 .err = config->err,
                                 .prefix = "attn_config.",
                                 .object = laser_config_value(config, "attn_config")};

    if (!inner.object)
        return;
    arch->clip_qkv = laser_config_real(&inner, "clip_qkv", 0, 0, 1e9);
    arch->attention_scale = laser_config_real(&inner, "softmax_scale", arch->attention_scale, 1e-9, 1e9);
    if (config->result == LASER_OK)
        config->result = inner.result;
}

void laser_finish_llama4(struct laser_config *config, struct laser_arch *arch)
{
    json_t *tuned = laser_config_value(config, "attn_temperature_tuning");
    int64_t chunk = laser_config_integer(config, "attention_chunk_size", 8192, 0, INT64_C(1) << 40);
    bool types = laser_config_value(config, "layer_types") != NULL;

    if (json_is_null(json_object_get(config->object, "attention_chunk_size")))
        chunk = 0;
    arch->chunked = true;
    for (int64_t i = 0; !types && i < arch->layers; i++)
        arch->window[i] = arch->rope_of[i] ? chunk : 0;
    arch->temperature =
        (struct laser_temperature){.scale = laser_config_real(config, "attn_scale", 0.1, 0, 1e6),
                                   .floor = laser_config_real(config, "floor_scale", 8192, 1, 1e12),
                                   .offset = 1,
                                   .unturned_only = true};
    if (tuned && !json_is_true(tuned) && json_number_value(tuned) == 0)
        arch->temperature.scale = 0;
}

static void scale_latent(struct laser_arch *arch)
{
    if (arch->rope.mscale_all != 0) {
        double m = laser_rope_mscale(arch->rope.factor, arch->rope.mscale_all);
        arch->attention_scale *= m * m;
    }
}

void laser_finish_latent(struct laser_config *config, struct laser_arch *arch)
{
    arch->rope.interleaved = laser_config_bool(config, "rope_interleave", true);
    scale_latent(arch);
}

void laser_finish_deepseek2(struct laser_config *config, struct laser_arch *arch)
{
    const char *method = laser_config_text(config, "topk_method", "greedy");

    if (strcmp(method, "greedy") == 0)
        arch->moe.groups = arch->moe.top_groups = 1;
    else if (strcmp(method, "group_limited_greedy") != 0)
        laser_config_refuse(config, "topk_method", "\"%.40s\" is not supported", method);
    scale_latent(arch);
}

void laser_finish_minicpm3(struct laser_config *config, struct laser_arch *arch)
{
    double layers = (double)arch->layers;
    double depth = laser_config_real(config, "scale_depth", 1.4, 1e-9, 1e9);
    double base = laser_config_real(config, "dim_model_base", 256, 1e-9, 1e9);

    arch->residual_scale =
        json_is_null(json_object_get(config->object, "scale_depth")) ? 1 : depth / sqrt(layers);
    if (!json_is_null(json_object_get(config->object, "dim_model_base")))
        arch->logit_scale = base / (double)arch->hidden;
}

void laser_finish_gpt_oss(struct laser_config *config, struct laser_arch *arch)
{
    laser_finish_stated_rope(config, arch);
    arch->activation = LASER_ACT_SWIGLU_CLAMPED; /* whatever hidden_act says */
    arch->act_limit = laser_config_real(config, "swiglu_limit", 7, 1e-9, 1e9);
    arch->act_alpha = laser_config_real(config, "swiglu_alpha", 1.702, 1e-9, 1e9);
}

/* layer_rope_theta: each layer's base, 0 for none; up to two different ones. */
void laser_finish_layer_thetas(struct laser_config *config, struct laser_arch *arch)
{
    json_t *list = laser_config_value(config, "layer_rope_theta");
    double thetas[2] = {0, 0};

    if (!list)
        return;
    if (!json_is_array(list) || (int64_t)json_array_size(list) != arch->layers) {
        laser_config_refuse(config, "layer_rope_theta", "expected a list of %lld numbers (num_hidden_layers)",
                            (long long)arch->layers);
        return;
    }
    for (int64_t i = 0; i < arch->layers; i++) {
        double theta = json_number_value(json_array_get(list, (size_t)i));
        int which = theta == 0 ? 0 : thetas[0] == 0 || thetas[0] == theta ? 1 : 2;

        if (which > 0 && thetas[which - 1] == 0)
            thetas[which - 1] = theta;
        if (which > 0 && thetas[which - 1] != theta)
            laser_config_refuse(config, "layer_rope_theta", "more than two bases are not supported");
        arch->rope_of[i] = (unsigned char)which;
    }
    if (thetas[0] != 0)
        arch->rope.theta = thetas[0];
    if (thetas[1] == 0)
        return;
    if (arch->rope.kind == LASER_ROPE_LONGROPE || arch->rope.kind == LASER_ROPE_DYNAMIC)
        laser_config_refuse(config, "layer_rope_theta", "two bases are not supported with this rope_type");
    arch->local_rope = arch->rope;
    arch->local_rope.short_factor = arch->local_rope.long_factor = NULL;
    arch->local_rope.theta = thetas[1];
}

void laser_finish_stated_rope(struct laser_config *config, struct laser_arch *arch)
{
    if (!laser_config_value(config, "rope_parameters") && !laser_config_value(config, "rope_scaling"))
        laser_config_refuse(config, "rope_parameters", "is missing: models of type %s have scaled positions",
                            arch->model_type);
}

void laser_finish_hyperclovax(struct laser_config *config, struct laser_arch *arch)
{
    if (!laser_config_bool(config, "use_post_norm", true))
        laser_config_refuse(config, "use_post_norm", "false is not supported");
    (void)arch;
}

void laser_finish_japanese(struct laser_config *config, struct laser_arch *arch)
{
    arch->intermediate = arch->hidden * laser_config_integer(config, "intermediate_multiple_size", 4, 1, 64);
}

/* Layers without rotary positions are the ones that slide. */
void laser_finish_smollm3(struct laser_config *config, struct laser_arch *arch)
{
    for (int64_t i = 0; !laser_config_value(config, "layer_types") && i < arch->layers; i++)
        if (arch->rope_of[i])
            arch->window[i] = 0;
}

/* The rotated elements of a head, stated as a number. */
void laser_finish_rotary_dim(struct laser_config *config, struct laser_arch *arch)
{
    if (!laser_config_value(config, "rotary_dim"))
        return;
    arch->rope.rotated = laser_config_integer(config, "rotary_dim", arch->head_size, 2, arch->head_size);
    if (arch->rope.rotated % 2 != 0)
        laser_config_refuse(config, "rotary_dim", "expected an even number");
}

void laser_finish_flint(struct laser_config *config, struct laser_arch *arch)
{
    bool types = laser_config_value(config, "layer_types") != NULL;
    bool dense = laser_config_value(config, "mlp_only_layers") != NULL;
    int64_t window = json_is_null(json_object_get(config->object, "sliding_window"))
                         ? 0
                         : laser_config_integer(config, "sliding_window", 513, 0, INT64_C(1) << 40);

    for (int64_t i = 0; !dense && i < 2 && i < arch->layers; i++)
        arch->sparse[i] = false;
    for (int64_t i = 0; !types && i < arch->layers; i++) {
        bool full = i < 2 || i % 4 == 1 || i + 1 == arch->layers;

        arch->window[i] = full ? 0 : window;
        arch->rope_of[i] = !full;
    }
}

void laser_finish_gemma3(struct laser_config *config, struct laser_arch *arch)
{
    must_be(config, "use_bidirectional_attention", false, false);
    (void)arch;
}

void laser_finish_afmoe(struct laser_config *config, struct laser_arch *arch)
{
    if (laser_config_bool(config, "mup_enabled", false))
        arch->embed_scale = sqrt((double)arch->hidden);
}

/* Its "gelu" is the tanh form. */
void laser_finish_openai_gpt(struct laser_config *config, struct laser_arch *arch)
{
    if (strcmp(laser_config_text(config, "afn", "gelu"), "gelu") == 0)
        arch->activation = LASER_ACT_GELU_TANH;
}

/* local_attention counts the tokens to both sides; the decoder sees half of them. */
void laser_finish_modernbert(struct laser_config *config, struct laser_arch *arch)
{
    int64_t local = laser_config_integer(config, "local_attention", 128, 2, INT64_C(1) << 40);
    int64_t every = laser_config_integer(config, "global_attn_every_n_layers", 3, 1, 1 << 20);
    int64_t window = local / 2 + (arch->masked ? 1 : 0);
    bool listed = laser_config_value(config, "layer_types") != NULL;

    if (arch->masked && laser_config_value(config, "sliding_window"))
        laser_config_refuse(config, "sliding_window", "is not supported (local_attention is)");
    for (int64_t i = 0; i < arch->layers; i++) {
        bool slides = listed ? arch->window[i] != 0 : i % every != 0;

        arch->window[i] = slides ? window : 0;
        arch->rope_of[i] = slides ? 2 : 1;
    }
    arch->first_plain = true;
    arch->norm_bias = laser_config_bool(config, "norm_bias", false);
    arch->head_bias = laser_config_bool(config, "decoder_bias", true);
    arch->head_dense_bias = laser_config_bool(config, "classifier_bias", false);
    arch->head_activation = laser_read_activation(config, "classifier_activation", "gelu");
}

/* Is a word in a list of words, or in a text of them with bars between? */
static bool names_word(json_t *value, const char *word)
{
    const char *text = json_string_value(value);
    const size_t n = strlen(word);

    for (size_t i = 0; i < json_array_size(value); i++)
        if (json_is_string(json_array_get(value, i)) &&
            strcmp(json_string_value(json_array_get(value, i)), word) == 0)
            return true;
    while (text && *text) {
        text += strspn(text, "| ");
        if (strcspn(text, "| ") == n && strncasecmp(text, word, n) == 0)
            return true;
        text += strcspn(text, "| ");
    }
    return false;
}

static void read_relative(struct laser_config *config, struct laser_arch *arch)
{
    struct laser_disentangled *d = &arch->disentangled;
    json_t *kinds = laser_config_value(config, "pos_att_type");
    int64_t farthest = laser_config_integer(config, "max_relative_positions", -1, -1, 1 << 20);

    d->by_content = names_word(kinds, "c2p");
    d->by_position = names_word(kinds, "p2c");
    arch->attention_scale /= sqrt(1.0 + d->by_content + d->by_position);
    d->shared = laser_config_bool(config, "share_att_key", false);
    d->normed = names_word(laser_config_value(config, "norm_rel_ebd"), "layer_norm");
    d->buckets = laser_config_integer(config, "position_buckets", -1, -1, 1 << 20);
    d->buckets = d->buckets < 0 ? 0 : d->buckets;
    d->farthest = farthest < 1 ? arch->max_positions : farthest;
    if (d->buckets == 1 || (d->buckets > 0 && d->farthest <= d->buckets / 2 + 1))
        laser_config_refuse(config, "position_buckets", "%lld, where max_relative_positions is %lld",
                            (long long)d->buckets, (long long)d->farthest);
    if (laser_config_bool(config, "relative_attention", false))
        d->span = d->buckets > 0 ? d->buckets : d->farthest;
    else
        *d = (struct laser_disentangled){.normed = d->normed};
}

static void read_side(struct laser_config *config, struct laser_arch *arch)
{
    arch->side_kernel = laser_config_integer(config, "conv_kernel_size", 0, 0, 1 << 10);
    arch->side_groups = laser_config_integer(config, "conv_groups", 1, 1, 1 << 16);
    arch->side_activation = laser_read_activation(config, "conv_act", "tanh");
    if (arch->side_kernel > 0 && arch->side_kernel % 2 == 0)
        laser_config_refuse(config, "conv_kernel_size",
                            "%lld is even, and the result would be shorter than the text",
                            (long long)arch->side_kernel);
    if (arch->hidden % arch->side_groups != 0)
        laser_config_refuse(config, "conv_groups", "%lld does not divide hidden_size, %lld",
                            (long long)arch->side_groups, (long long)arch->hidden);
}

void laser_finish_deberta(struct laser_config *config, struct laser_arch *arch)
{
    bool newer = !laser_config_bool(config, "legacy", true);

    read_relative(config, arch);
    read_side(config, arch);
    arch->names = &laser_names_deberta[newer][laser_config_bool(config, "position_biased_input", true)];
    arch->tied = arch->tied || newer;
    if (newer && arch->embed_width != arch->hidden)
        laser_config_refuse(config, "embedding_size",
                            "%lld, and the head without `legacy` reads the hidden size, %lld",
                            (long long)arch->embed_width, (long long)arch->hidden);
}

void laser_finish_ernie(struct laser_config *config, struct laser_arch *arch)
{
    must_be(config, "use_task_id", false, false);
    (void)arch;
}

void laser_finish_biogpt(struct laser_config *config, struct laser_arch *arch)
{
    if (laser_config_bool(config, "scale_embedding", true))
        arch->embed_scale = sqrt((double)arch->hidden);
}

static int64_t of_layer(json_t *layer, const char *key, int64_t otherwise)
{
    json_t *value = json_object_get(layer, key);

    return json_is_integer(value) ? json_integer_value(value) : otherwise;
}

/* per_layer_config: {"layer": {"head_dim": .., "num_key_value_heads": ..}}; all that are named are alike. */
static void read_per_layer(struct laser_config *config, json_t *object, struct laser_arch *arch)
{
    const char *key = "per_layer_config", *index;
    json_t *layer;

    if (!json_is_object(object)) {
        laser_config_refuse(config, key, "expected an object");
        return;
    }
    json_object_foreach(object, index, layer)
    {
        int64_t size = of_layer(layer, "head_dim", arch->head_size);
        int64_t kv_heads = of_layer(layer, "num_key_value_heads", arch->kv_heads);
        size_t known = (json_object_get(layer, "head_dim") != NULL) +
                       (json_object_get(layer, "num_key_value_heads") != NULL);

        if (size < 1 || size > 1 << 16 || kv_heads < 1 || kv_heads > 1 << 16 ||
            json_object_size(layer) != known)
            laser_config_refuse(config, key, "layer %.20s: expected head_dim and num_key_value_heads", index);
        else if (arch->full_head_size && (arch->full_head_size != size || arch->full_kv_heads != kv_heads))
            laser_config_refuse(config, key, "layer %.20s differs from another one", index);
        arch->full_head_size = size;
        arch->full_kv_heads = kv_heads;
    }
}

void laser_read_full_heads(struct laser_config *config, const struct laser_family *family,
                           struct laser_arch *arch)
{
    json_t *layers = laser_config_value(config, "per_layer_config");
    int64_t size =
        laser_config_integer(config, family->full_head_size, family->full_head_size_otherwise, 1, 1 << 16);
    int64_t kv_heads = laser_config_integer(config, "num_global_key_value_heads", arch->kv_heads, 1, 1 << 16);

    arch->full_value_is_key = laser_config_bool(config, "attention_k_eq_v", false);
    if (layers) {
        read_per_layer(config, layers, arch);
    } else {
        arch->full_head_size = size;
        arch->full_kv_heads = arch->full_value_is_key ? kv_heads : arch->kv_heads;
    }
    if (arch->full_kv_heads && arch->heads % arch->full_kv_heads != 0)
        laser_config_refuse(config, "num_global_key_value_heads", "%lld does not divide the %lld heads",
                            (long long)arch->full_kv_heads, (long long)arch->heads);
}

/* Layers that look back at others, or at the embedding, are not supported: a search runs from a layer on. */
void laser_finish_gemma4(struct laser_config *config, struct laser_arch *arch)
{
    json_t *layers;

    laser_finish_stated_rope(config, arch);
    if (laser_config_integer(config, "hidden_size_per_layer_input", 256, 0, 1 << 20) != 0)
        laser_config_refuse(config, "hidden_size_per_layer_input",
                            "inputs of each layer are not supported (0 is)");
    if (laser_config_integer(config, "num_kv_shared_layers", 0, 0, 1 << 20) != 0)
        laser_config_refuse(config, "num_kv_shared_layers",
                            "shared keys and values are not supported (0 is)");
    must_be(config, "enable_moe_block", false, false);
    if (laser_config_value(config, "use_bidirectional_attention") &&
        strcmp(laser_config_text(config, "use_bidirectional_attention", ""), "vision") != 0)
        laser_config_refuse(config, "use_bidirectional_attention", "is not supported");
    arch->attention_scale = 1;
    arch->window[arch->layers - 1] = 0; /* whatever the list says */
    arch->rope_of[arch->layers - 1] = 1;
    layers = laser_config_value(config, "per_layer_config");
    for (int64_t i = 0; layers && i < arch->layers; i++) {
        char index[24];

        snprintf(index, sizeof index, "%lld", (long long)i);
        if (arch->full_head_size && !json_object_get(layers, index) != (arch->window[i] > 0))
            laser_config_refuse(config, "per_layer_config", "layer %s: expected the layers of full attention",
                                index);
    }
}

void laser_finish_granite_hybrid(struct laser_config *config, struct laser_arch *arch)
{
    const char *positions = laser_config_text(config, "position_embedding_type", "");

    for (int64_t i = 0; strcmp(positions, "rope") != 0 && i < arch->layers; i++)
        arch->rope_of[i] = 0;
}

/* n multipliers; without the key they are 1. */
static void read_multipliers(struct laser_config *config, const char *key, int64_t n, double *values)
{
    json_t *list = laser_config_value(config, key);

    for (int64_t i = 0; i < n; i++) {
        json_t *value = json_array_get(list, (size_t)i);

        values[i] = list ? json_number_value(value) : 1;
        if (list && (!json_is_number(value) || (int64_t)json_array_size(list) != n || values[i] == 0)) {
            laser_config_refuse(config, key, "expected a list of %lld numbers other than 0", (long long)n);
            return;
        }
    }
}

/* What the program does with the multipliers: struct laser_arch. */
void laser_finish_falcon_h1(struct laser_config *config, struct laser_arch *arch)
{
    double in = laser_config_real(config, "attention_in_multiplier", 1, 1e-9, 1e9);
    double key = laser_config_real(config, "key_multiplier", 1, 1e-9, 1e9), mlp[2];

    arch->qkv_scale = in;
    arch->attention_scale *= in * in * key;
    arch->context_scale = in * laser_config_real(config, "attention_out_multiplier", 1, 1e-9, 1e9);
    read_multipliers(config, "mlp_multipliers", 2, mlp);
    arch->gate_scale = mlp[0];
    arch->down_scale = mlp[1];
    read_multipliers(config, "ssm_multipliers", LASER_STATE_INPUTS, arch->mix.input_scale);
    arch->mix.in_scale = laser_config_real(config, "ssm_in_multiplier", 1, 1e-9, 1e9);
    arch->mix.out_scale = laser_config_real(config, "ssm_out_multiplier", 1, 1e-9, 1e9);
    arch->mix.normed = laser_config_bool(config, "mamba_rms_norm", false);
    arch->mix.norm_first = laser_config_bool(config, "mamba_norm_before_gate", true);
}

void laser_finish_lfm2(struct laser_config *config, struct laser_arch *arch)
{
    int64_t multiple = laser_config_integer(config, "block_multiple_of", 256, 1, 1 << 24);
    double factor = laser_config_real(config, "block_ffn_dim_multiplier", 1, 1e-9, 1e9);
    bool rounds = !json_is_null(json_object_get(config->object, "block_ffn_dim_multiplier"));

    if (!laser_config_bool(config, "block_auto_adjust_ff_dim", true))
        return;
    arch->intermediate = 2 * arch->intermediate / 3;
    if (rounds) {
        arch->intermediate = (int64_t)(factor * (double)arch->intermediate);
        arch->intermediate = (arch->intermediate + multiple - 1) / multiple * multiple;
    }
}

void laser_finish_lfm2_moe(struct laser_config *config, struct laser_arch *arch)
{
    if (!laser_config_value(config, "layer_types"))
        laser_config_refuse(config, "layer_types", "is missing");
    arch->moe.corrected = laser_config_bool(config, "use_expert_bias", true);
}

static void read_blend(struct laser_config *config, const char *keep, const char *add,
                       struct laser_blend *blend)
{
    blend->keep = laser_config_real(config, keep, 1, -1e9, 1e9);
    blend->add = laser_config_real(config, add, 1, -1e9, 1e9);
}

void laser_finish_minimax(struct laser_config *config, struct laser_arch *arch)
{
    int64_t window = json_is_null(json_object_get(config->object, "sliding_window"))
                         ? 0
                         : laser_config_integer(config, "sliding_window", 0, 0, INT64_C(1) << 40);

    for (int64_t i = 0; i < arch->layers; i++)
        arch->window[i] = arch->mixer[i] == LASER_MIXER_ATTENTION ? window : 0;
    arch->mix.block = laser_config_integer(config, "block_size", 256, 1, 1 << 16);
    arch->mix.out_scale = 1;
    read_blend(config, "full_attn_alpha_factor", "full_attn_beta_factor", &arch->blend_attention);
    read_blend(config, "linear_attn_alpha_factor", "linear_attn_beta_factor", &arch->blend_mixer);
    read_blend(config, "mlp_alpha_factor", "mlp_beta_factor", &arch->blend_mlp);
}

/* An indexer chooses index_topk tokens for each to see: all of them in a text that is no longer. */
void laser_finish_indexed(struct laser_config *config, struct laser_arch *arch)
{
    static const char *const indexers[] = {"index_head_dim", "index_n_heads", "indexer_types"};

    arch->index_topk = laser_config_integer(config, "index_topk", 2048, 1, INT64_C(1) << 40);
    for (size_t i = 0; i < sizeof indexers / sizeof *indexers; i++)
        laser_config_value(config, indexers[i]); /* how they are chosen */
    scale_latent(arch);
}
