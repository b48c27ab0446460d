#include "arch/arch.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/config_reader.h"
#include "arch/family.h"
#include "arch/layers.h"
#include "arch/options.h"
#include "arch/rope.h"

static bool read_switch(struct laser_config *config, struct laser_switch s)
{
    return s.key ? laser_config_bool(config, s.key, s.otherwise) : s.otherwise;
}

static void read_head_sizes(struct laser_config *config, const struct laser_family *family,
                            struct laser_arch *arch)
{
    const struct laser_keys *keys = family->keys;
    bool stated;

    arch->kv_heads = arch->heads;
    if (keys->kv_heads) {
        stated = json_object_get(config->object, keys->kv_heads) != NULL; /* null means: as many as heads */
        arch->kv_heads = laser_config_integer(
            config, keys->kv_heads, stated || !family->kv_heads ? arch->heads : family->kv_heads, 1, 1 << 16);
    }
    if (arch->heads % arch->kv_heads != 0)
        laser_config_refuse(config, keys->kv_heads, "%lld does not divide the %lld heads (%s)",
                            (long long)arch->kv_heads, (long long)arch->heads, keys->heads);
    stated = keys->head_size && json_object_get(config->object, keys->head_size) != NULL;
    arch->head_size = family->head_size && !stated ? family->head_size : arch->hidden / arch->heads;
    if (keys->head_size)
        arch->head_size = laser_config_integer(config, keys->head_size, arch->head_size, 1, 1 << 16);
    if (!keys->heads) /* no attention */
        arch->head_size = 1;
    if (arch->head_size < 1 || (!keys->head_size && arch->hidden % arch->heads != 0))
        laser_config_refuse(config, keys->heads, "%lld heads do not divide the hidden size %lld",
                            (long long)arch->heads, (long long)arch->hidden);
    if (family->full_head_size)
        laser_read_full_heads(config, family, arch);
    if (family->head_size_fixed &&
        laser_config_integer(config, "head_dim", arch->head_size, 1, 1 << 16) != arch->head_size)
        laser_config_refuse(config, "head_dim", "expected hidden_size / num_attention_heads, %lld",
                            (long long)arch->head_size);
}

static void read_sizes(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch)
{
    enum { MOST = 1 << 30 };
    const struct laser_keys *keys = family->keys;

    arch->hidden = laser_config_integer(config, keys->hidden, LASER_CONFIG_REQUIRED, 1, 1 << 24);
    if (family->mixer_rule == LASER_MIXED_BLOCKS)
        arch->layers = laser_mixers_count(config);
    else
        arch->layers = laser_config_integer(config, keys->layers, LASER_CONFIG_REQUIRED, 1, 1 << 16);
    if (keys->groups && config->result == LASER_OK) {
        arch->groups = laser_config_integer(config, keys->groups, 1, 1, 1 << 16);
        if (arch->groups > arch->layers)
            laser_config_refuse(config, keys->groups, "%lld groups of layers, but %s is %lld",
                                (long long)arch->groups, keys->layers, (long long)arch->layers);
        arch->group_layers = laser_config_integer(config, keys->group_layers, 1, 1, 1 << 10);
        arch->layers *= arch->group_layers;
    }
    arch->heads =
        keys->heads ? laser_config_integer(config, keys->heads, LASER_CONFIG_REQUIRED, 1, 1 << 16) : 1;
    arch->vocabulary = laser_config_integer(config, "vocab_size", LASER_CONFIG_REQUIRED, 1, 1 << 24);
    arch->intermediate = 4 * arch->hidden;
    if (keys->intermediate)
        arch->intermediate =
            laser_config_integer(config, keys->intermediate,
                                 keys->four_times ? arch->intermediate : LASER_CONFIG_REQUIRED, 1, MOST);
    arch->max_positions = 2048;
    if (keys->positions)
        arch->max_positions = laser_config_integer(
            config, keys->positions, family->positions ? family->positions : 2048, 1, INT64_C(1) << 40);
    read_head_sizes(config, family, arch);
    arch->norm_eps = keys->eps ? laser_config_real(config, keys->eps, family->eps, 0, 1) : family->eps;
}

/* Latents give the size of a head: what the products of queries and keys run over, or the values where they
 * are longer. */
static void read_latent(struct laser_config *config, const struct laser_family *family,
                        struct laser_arch *arch)
{
    struct laser_latent *latent = &arch->latent;
    int64_t value = family->value_size ? family->value_size : arch->hidden / arch->heads;

    latent->kv_rank = laser_config_integer(config, "kv_lora_rank", LASER_CONFIG_REQUIRED, 1, 1 << 24);
    if (laser_config_value(config, "q_lora_rank"))
        latent->q_rank = laser_config_integer(config, "q_lora_rank", LASER_CONFIG_REQUIRED, 1, 1 << 24);
    else if (!json_object_get(config->object, "q_lora_rank") && !family->no_q_rank)
        laser_config_refuse(config, "q_lora_rank", "is missing");
    latent->plain = laser_config_integer(config, "qk_nope_head_dim", LASER_CONFIG_REQUIRED, 1, 1 << 16);
    latent->turned = laser_config_integer(config, "qk_rope_head_dim", LASER_CONFIG_REQUIRED, 2, 1 << 16);
    latent->value = laser_config_integer(config, "v_head_dim", value, 1, 1 << 16);
    latent->norm_eps = 1e-6; /* whatever rms_norm_eps says */
    arch->kv_heads = arch->heads;
    arch->head_size = latent->plain + latent->turned;
    if (arch->head_size < latent->value)
        arch->head_size = latent->value;
}

static void set_option(struct laser_arch *arch, enum laser_sets sets, double value)
{
    switch (sets) {
    case LASER_SETS_EMBED_SCALE:
        arch->embed_scale = value;
        break;
    case LASER_SETS_LOGIT_SCALE:
        arch->logit_scale = value;
        break;
    case LASER_SETS_LOGIT_DIVISOR:
        arch->logit_scale = 1 / value;
        break;
    case LASER_SETS_RESIDUAL_SCALE:
        arch->residual_scale = value;
        break;
    case LASER_SETS_ATTENTION_SCALE:
        arch->attention_scale = value;
        break;
    case LASER_SETS_ATTENTION_SCALAR:
        arch->attention_scale = 1 / sqrt(value);
        break;
    case LASER_SETS_ATTENTION_SOFTCAP:
        arch->attention_softcap = value;
        break;
    case LASER_SETS_FINAL_SOFTCAP:
        arch->final_softcap = value;
        break;
    case LASER_SETS_CLIP_QKV:
        arch->clip_qkv = value;
        break;
    }
}

static void read_options(struct laser_config *config, const struct laser_family *family,
                         struct laser_arch *arch)
{
    for (const struct laser_option *option = family->options; option->key; option++) {
        bool is_null = json_is_null(json_object_get(config->object, option->key));
        double value = laser_config_real(config, option->key, option->otherwise, 1e-9, 1e12);

        if (!is_null && value != 0)
            set_option(arch, option->sets, value);
    }
}

static void read_switches(struct laser_config *config, const struct laser_family *family,
                          struct laser_arch *arch)
{
    arch->residual = family->residual;
    if (family->residual_key && !laser_config_bool(config, family->residual_key, family->residual_otherwise))
        arch->residual = LASER_RESIDUAL_SERIAL;
    arch->tied = read_switch(config, family->tied);
    arch->q_bias = read_switch(config, family->q_bias);
    arch->o_bias = read_switch(config, family->o_bias);
    arch->mlp_bias = read_switch(config, family->mlp_bias);
    arch->head_bias = read_switch(config, family->head_bias);
    if (read_switch(config, family->qk_norm))
        arch->qk_norm = family->qk_kind ? family->qk_kind : LASER_QK_NORM_HEADS;
    arch->activation = laser_read_activation(config, family->keys->activation, family->activation);
}

/* What the row says by itself. */
static void copy_row(const struct laser_family *family, struct laser_arch *arch)
{
    arch->names = family->names;
    arch->norm = family->norm;
    arch->norm_plus_one = family->norm_plus_one;
    arch->norm_plain = family->norm_plain;
    arch->norm_bias = family->norm == LASER_NORM_LAYER && !family->no_norm_bias && !family->norm_plain;
    arch->qk_norm_late = family->qk_norm_late;
    arch->qk_norm_plain = family->qk_norm_plain;
    arch->qk_norm_turned = family->qk_norm_turned;
    arch->qk_norm_bias = family->qk_norm_bias;
    arch->qkv_layout = family->qkv_layout;
    arch->transposed = family->transposed;
    arch->stacks_in_out = family->stacks_in_out;
    arch->stacks_either = family->stored.either_stacks;
    arch->mixed_gate_up = family->mixed_gate_up;
    arch->gated = family->gated;
    arch->sinks = family->sinks;
    arch->value_norm = family->value_norm;
    arch->attention_gate = family->attention_gate;
    arch->alibi = family->alibi;
    arch->alibi_most = 8;
    arch->position_offset = family->position_offset;
    arch->embed_width = arch->hidden;
    arch->embed_norm_plain = family->embed_norm_plain;
    arch->embed_scale = family->embed_scaled ? sqrt((double)arch->hidden) : 1;
    arch->logit_scale = arch->residual_scale = 1;
    arch->qkv_scale = arch->context_scale = arch->gate_scale = arch->down_scale = 1;
    arch->attention_scale =
        1 / sqrt((double)(arch->latent.kv_rank ? arch->latent.plain + arch->latent.turned : arch->head_size));
}

/* The class named in the file must be a language model: a classifier has no head to evaluate. */
static void check_class(struct laser_config *config, const struct laser_family *family)
{
    json_t *classes = laser_config_value(config, "architectures");
    const char *name = json_string_value(json_array_get(classes, 0));
    size_t n = name ? strlen(name) : 0;

    if (!name || (n > 5 && !strcmp(name + n - 5, "Model")))
        return;
    if (family->masked ? strstr(name, "ForMaskedLM") || strstr(name, "ForPreTraining")
                       : strstr(name, "ForCausalLM") || strstr(name, "LMHeadModel") ||
                             strstr(name, "ForConditionalGeneration"))
        return;
    laser_config_refuse(config, "architectures", "%.100s is not a %s language model", name,
                        family->masked ? "masked" : "causal");
}

/* Token types and the padding token, from which positions are counted. */
static void read_masked(struct laser_config *config, const struct laser_family *family,
                        struct laser_arch *arch)
{
    const char *positions = laser_config_text(config, "position_embedding_type", "absolute");

    arch->masked = true;
    arch->head_dense_bias = true;
    arch->head_activation = family->head_acts ? arch->activation : LASER_ACT_GELU;
    if (family->names->types)
        arch->token_types = laser_config_integer(config, "type_vocab_size",
                                                 family->types_optional ? 0
                                                 : family->token_types  ? family->token_types
                                                                        : 2,
                                                 family->types_optional ? 0 : 1, 1 << 16);
    arch->padding = (int32_t)laser_config_integer(config, "pad_token_id", 1, 0, 1 << 24);
    if (family->pads_count)
        arch->padding = -1;
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

/* ["gate", first, rows, block, stride] */
static bool read_part(const json_t *list, struct laser_low_part *part)
{
    json_int_t n[4];

    if (!json_is_array(list) || json_array_size(list) != 5 || !json_is_string(json_array_get(list, 0)))
        return false;
    for (size_t i = 0; i < 4; i++) {
        const json_t *value = json_array_get(list, i + 1);

        n[i] = json_integer_value(value);
        if (!json_is_integer(value) || n[i] < 0 || n[i] > INT32_MAX)
            return false;
    }
    *part = (struct laser_low_part){json_string_value(json_array_get(list, 0)), n[0], n[1], n[2], n[3]};
    return part->rows > 0 && part->block > 0 && part->stride >= part->block && part->rows % part->block == 0;
}

/* Weights that are stored in parts: this program's own. */
static void read_low_parts(struct laser_config *config, struct laser_arch *arch)
{
    json_t *modules = laser_config_value(config, "truncation_parts"), *parts;
    struct laser_low_part part;
    const char *module;

    if (!modules)
        return;
    if (!json_is_object(modules)) {
        laser_config_refuse(config, "truncation_parts", "expected an object: module name to list of parts");
        return;
    }
    json_object_foreach(modules, module, parts)
    {
        bool good = json_is_array(parts) && json_array_size(parts) > 0;

        for (size_t i = 0; good && i < json_array_size(parts); i++)
            good = read_part(json_array_get(parts, i), &part);
        if (!good)
            laser_config_refuse(
                config, "truncation_parts",
                "the parts of %.200s: expected a list of [name, first output, outputs, outputs "
                "in a block, outputs from one block to the next]",
                module);
    }
    if (json_object_size(modules) > 0)
        arch->low_parts = json_incref(modules);
}

static void read_all(struct laser_config *config, const struct laser_family *family, struct laser_arch *arch)
{
    size_t layers;

    check_class(config, family);
    read_sizes(config, family, arch);
    if (config->result != LASER_OK)
        return;
    layers = (size_t)arch->layers;
    arch->window = calloc(layers, sizeof *arch->window);
    arch->sparse = calloc(layers, sizeof *arch->sparse);
    arch->rope_of = calloc(layers, sizeof *arch->rope_of);
    arch->mixer = calloc(layers, sizeof *arch->mixer);
    arch->bare = calloc(layers, sizeof *arch->bare);
    if (!arch->window || !arch->sparse || !arch->rope_of || !arch->mixer || !arch->bare) {
        config->result = laser_error_set(config->err, LASER_ENOMEM, config->path, "no memory for %lld layers",
                                         (long long)arch->layers);
        return;
    }
    read_low_ranks(config, arch);
    read_low_parts(config, arch);
    if (family->qkv_layout == LASER_QKV_LATENT)
        read_latent(config, family, arch);
    copy_row(family, arch);
    read_switches(config, family, arch);
    read_options(config, family, arch);
    if (family->embed_width)
        arch->embed_width = laser_config_integer(
            config, family->embed_width,
            family->embed_width_otherwise ? family->embed_width_otherwise : arch->hidden, 1, 1 << 24);
    arch->embed_project_bias = !family->embed_project_plain;
    arch->embed_norm_late = family->embed_norm_late;
    arch->embed_projects =
        family->embed_width && (family->always_projects || arch->embed_width != arch->hidden);
    if (family->masked)
        read_masked(config, family, arch);
    if (family->theta != 0)
        laser_rope_read(config, family, arch);
    laser_layers_read(config, family, arch);
    laser_mixers_read(config, family, arch);
    laser_experts_read(config, family, arch);
    if (family->finish && config->result == LASER_OK)
        family->finish(config, arch);
    snprintf(arch->stored_dtype, sizeof arch->stored_dtype, "%s",
             laser_config_text(config, "dtype", laser_config_text(config, "torch_dtype", "")));
    arch->quantized = json_object_size(laser_config_value(config, "quantization_config")) > 0;
    laser_config_judge(config, family->guards ? family->guards : laser_config_guards_causal,
                       laser_config_bookkeeping, family->model_type);
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
    if (type[0] == '\0')
        laser_config_refuse(config, "model_type",
                            "missing; `laser_mpi models` lists the types that are supported");
    else if (json_object_get(config->object, "auto_map"))
        laser_config_refuse(
            config, "model_type",
            "\"%.100s\" is defined by the code that auto_map names (remote code), which is never "
            "run; `laser_mpi models` lists the types that are supported",
            type);
    else
        laser_config_refuse(config, "model_type",
                            "\"%.100s\" is not supported; `laser_mpi models` lists the types that are", type);
}

int64_t laser_arch_longest(const struct laser_arch *arch)
{
    if (!arch->names->positions)
        return arch->index_topk ? arch->index_topk : INT64_MAX;
    return arch->masked ? arch->max_positions - arch->padding - 1 : arch->max_positions;
}

/* The language model of a wrapper: text_config, or the file itself where it is an older one without. */
static void read_wrapped(struct laser_config *config, const struct laser_wrapper *wrapper,
                         struct laser_arch *arch)
{
    json_t *outer = config->object, *text = json_object_get(outer, "text_config"), *tied;
    const char *type = json_string_value(json_object_get(text, "model_type"));
    const struct laser_family *family;

    if (text && !json_is_object(text)) {
        laser_config_refuse(config, "text_config", "expected an object");
        return;
    }
    if (!text && !json_object_get(outer, "hidden_size")) {
        laser_config_refuse(config, "text_config",
                            "is missing: a model of type %s has its language model there",
                            wrapper->model_type);
        return;
    }
    if (text)
        config->prefix = "text_config.";
    family = laser_family_find(type ? type : wrapper->text_type);
    if (!family) {
        refuse_type(config, type);
        return;
    }
    snprintf(arch->model_type, sizeof arch->model_type, "%s", family->model_type);
    arch->wrapper = wrapper;
    config->object = without_aliases(text ? text : outer, family->aliases);
    if (!config->object) {
        config->result = laser_error_set(config->err, LASER_ENOMEM, config->path, "no memory");
        return;
    }
    tied = json_object_get(outer, "tie_word_embeddings");
    if (json_is_boolean(tied)) /* the outer class ties, or does not */
        json_object_set(config->object, "tie_word_embeddings", tied);
    if (!json_object_get(config->object, "dtype") && json_object_get(outer, "dtype"))
        json_object_set(config->object, "dtype", json_object_get(outer, "dtype"));
    read_all(config, family, arch);
    if (wrapper->plain_logits)
        arch->logit_scale = 1;
    json_decref(config->object);
}

int laser_arch_read(json_t *object, const char *where, struct laser_arch *arch, struct laser_error *err)
{
    struct laser_config config = {.object = object, .path = where, .prefix = "", .err = err};
    const struct laser_family *family;
    const struct laser_wrapper *wrapper;
    const char *type;

    memset(arch, 0, sizeof *arch);
    if (!json_is_object(object))
        return laser_error_set(err, LASER_EINPUT, where, "the model has no config.json");
    type = laser_config_text(&config, "model_type", "");
    family = laser_family_find(type);
    wrapper = laser_wrapper_find(type);
    if (wrapper) {
        read_wrapped(&config, wrapper, arch);
    } else if (family) {
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

int laser_arch_low_part_count(const struct laser_arch *arch, const char *module)
{
    return (int)json_array_size(json_object_get(arch->low_parts, module));
}

struct laser_low_part laser_arch_low_part(const struct laser_arch *arch, const char *module, int i)
{
    struct laser_low_part part = {.name = ""};

    read_part(json_array_get(json_object_get(arch->low_parts, module), (size_t)i), &part);
    return part;
}

void laser_arch_part_name(const char *module, int64_t expert, const char *part, char *name, size_t size)
{
    bool named = part != NULL && part[0] != '\0';
    char number[24] = "";

    if (expert >= 0)
        snprintf(number, sizeof number, ".%lld", (long long)expert);
    snprintf(name, size, "%s%s%s%s", module, number, named ? "." : "", named ? part : "");
}

void laser_arch_free(struct laser_arch *arch)
{
    laser_rope_free(&arch->rope);
    laser_rope_free(&arch->local_rope);
    free(arch->window);
    free(arch->sparse);
    free(arch->rope_of);
    free(arch->mixer);
    free(arch->bare);
    arch->mixer = NULL;
    arch->bare = NULL;
    arch->window = NULL;
    arch->sparse = NULL;
    arch->rope_of = NULL;
    json_decref(arch->low_ranks);
    json_decref(arch->low_parts);
    arch->low_ranks = arch->low_parts = NULL;
}
