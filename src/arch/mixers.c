/* What a layer has before its MLP where that is not attention: which layers, and its sizes. */
#include <math.h>
#include <string.h>

#include "arch/layers.h"

enum { MOST = 1 << 24 };

bool laser_mixers_is_word(const struct laser_family *family, const char *type)
{
    if (!type || family->mixer == LASER_MIXER_ATTENTION)
        return false;
    if (family->mixer == LASER_MIXER_CONVOLUTION)
        return strcmp(type, "conv") == 0;
    return strcmp(type, "linear_attention") == 0 || strcmp(type, "mamba") == 0;
}

/* The block of a layer of nemotron_h, as a letter of hybrid_override_pattern: M, E, * or -; 0: none. */
static char block_of(json_t *types, const char *pattern, int64_t layer)
{
    static const char otherwise[] = "ME*-";
    static const struct {
        const char *word;
        char letter;
    } words[] = {{"linear_attention", 'M'}, {"mamba", 'M'},     {"moe", 'E'},
                 {"full_attention", '*'},   {"attention", '*'}, {"mlp", '-'}};
    const char *type = json_string_value(json_array_get(types, (size_t)layer));

    if (!types)
        return pattern ? pattern[layer] : otherwise[layer];
    for (size_t i = 0; type && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(words[i].word, type) == 0)
            return words[i].letter;
    return 0;
}

int64_t laser_mixers_count(struct laser_config *config)
{
    json_t *types = laser_config_value(config, "layers_block_type");
    const char *pattern = laser_config_text(config, "hybrid_override_pattern", NULL);
    int64_t n = types ? (int64_t)json_array_size(types) : pattern ? (int64_t)strlen(pattern) : 4;

    laser_config_value(config, "num_hidden_layers"); /* the same number; the list counts */
    for (int64_t i = 0; i < n; i++)
        if (!block_of(types, pattern, i) || !strchr("ME*-", block_of(types, pattern, i))) {
            laser_config_refuse(config, types ? "layers_block_type" : "hybrid_override_pattern",
                                "layer %lld: expected mamba (M), moe (E), attention (*) or mlp (-)",
                                (long long)i);
            break;
        }
    if (n < 1)
        laser_config_refuse(config, "layers_block_type", "expected a list of words");
    return n;
}

static void mark_blocks(struct laser_config *config, struct laser_arch *arch)
{
    json_t *types = laser_config_value(config, "layers_block_type");
    const char *pattern = laser_config_text(config, "hybrid_override_pattern", NULL);

    for (int64_t i = 0; i < arch->layers; i++) {
        char block = block_of(types, pattern, i);

        arch->mixer[i] = (unsigned char)(block == 'M'   ? LASER_MIXER_STATE_SPACE
                                         : block == '*' ? LASER_MIXER_ATTENTION
                                                        : LASER_MIXER_NONE);
        arch->bare[i] = block == 'M' || block == '*';
        arch->sparse[i] = block == 'E';
    }
}

/* A list of layer numbers takes attention. */
static void mark_attention(struct laser_config *config, const char *key, struct laser_arch *arch)
{
    json_t *list = laser_config_value(config, key), *value;
    size_t index;

    json_array_foreach(list, index, value)
    {
        int64_t layer = laser_config_layer(config, key, index, value, arch->layers, false);

        if (layer >= 0)
            arch->mixer[layer] = LASER_MIXER_ATTENTION;
    }
}

static void mark_period(struct laser_config *config, struct laser_arch *arch)
{
    int64_t first;
    int64_t period = laser_config_period(config, "attn_layer_period", 8, "attn_layer_offset", 4, &first);

    for (int64_t i = first; i < arch->layers; i += period)
        arch->mixer[i] = LASER_MIXER_ATTENTION;
}

void laser_mixers_mark(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch)
{
    int64_t interval;

    for (int64_t i = 0; i < arch->layers; i++) {
        arch->mixer[i] = (unsigned char)family->mixer;
        arch->bare[i] = family->bare;
    }
    switch (family->mixer_rule) {
    case LASER_MIXED_NEVER:
    case LASER_MIXED_ALL:
    case LASER_MIXED_LISTED:
        break;
    case LASER_MIXED_INTERVAL:
        interval = laser_config_integer(config, "full_attention_interval", 4, 1, 1 << 30);
        for (int64_t i = interval - 1; i < arch->layers; i += interval)
            arch->mixer[i] = LASER_MIXER_ATTENTION;
        break;
    case LASER_MIXED_NUMBERED:
        if (laser_config_value(config, "full_attn_idxs"))
            mark_attention(config, "full_attn_idxs", arch);
        else
            memset(arch->mixer, LASER_MIXER_ATTENTION, (size_t)arch->layers);
        break;
    case LASER_MIXED_ODD:
        for (int64_t i = 0; i < arch->layers; i += 2)
            arch->mixer[i] = LASER_MIXER_ATTENTION;
        break;
    case LASER_MIXED_INDICES:
        mark_attention(config, "attn_layer_indices", arch);
        break;
    case LASER_MIXED_PERIOD:
        mark_period(config, arch);
        break;
    case LASER_MIXED_BLOCKS:
        mark_blocks(config, arch);
        break;
    }
}

static void read_delta(struct laser_config *config, struct laser_arch *arch)
{
    struct laser_delta *d = &arch->delta;

    d->key_heads = laser_config_integer(config, "linear_num_key_heads", 16, 1, 1 << 16);
    d->value_heads = laser_config_integer(config, "linear_num_value_heads", 32, 1, 1 << 16);
    d->key_size = laser_config_integer(config, "linear_key_head_dim", 128, 1, 1 << 16);
    d->value_size = laser_config_integer(config, "linear_value_head_dim", 128, 1, 1 << 16);
    d->kernel = laser_config_integer(config, "linear_conv_kernel_dim", 4, 1, 1 << 10);
    if (d->value_heads % d->key_heads != 0)
        laser_config_refuse(config, "linear_num_value_heads",
                            "%lld is no multiple of linear_num_key_heads %lld", (long long)d->value_heads,
                            (long long)d->key_heads);
}

/* A size that may be missing, null or "auto". */
static int64_t read_size(struct laser_config *config, const struct laser_size *size, int64_t otherwise)
{
    json_t *value = size->key ? laser_config_value(config, size->key) : NULL;
    const char *word = json_string_value(value);

    if (size->otherwise != 0)
        otherwise = size->otherwise;
    if (!size->key || (word && strcmp(word, "auto") == 0))
        return otherwise;
    return laser_config_integer(config, size->key, otherwise, 1, MOST);
}

/* A number, or what transformers writes for one that JSON does not have. */
static double read_limit(json_t *value)
{
    const char *word = json_string_value(json_object_get(value, "__float__"));

    if (!word)
        word = json_string_value(value);
    if (word && strcmp(word, "Infinity") == 0)
        return INFINITY;
    return json_is_number(value) ? json_number_value(value) : json_is_null(value) ? INFINITY : NAN;
}

static void read_limits(struct laser_config *config, const struct laser_recurrence_keys *keys,
                        struct laser_recurrence *mix)
{
    json_t *limit = keys->limited ? laser_config_value(config, "time_step_limit") : NULL;

    mix->step_least = keys->limited ? 0 : laser_config_real(config, "time_step_min", 0.001, 0, 1e9);
    mix->step_most = INFINITY;
    if (!limit)
        return;
    mix->step_least = read_limit(json_array_get(limit, 0));
    mix->step_most = read_limit(json_array_get(limit, 1));
    if (json_array_size(limit) != 2 || !(mix->step_least >= 0) || !(mix->step_most >= mix->step_least))
        laser_config_refuse(config, "time_step_limit", "expected two numbers, the lower limit first");
}

static int64_t read_inner(struct laser_config *config, const struct laser_recurrence_keys *keys,
                          const struct laser_arch *arch)
{
    bool is_null = keys->inner.key && json_is_null(json_object_get(config->object, keys->inner.key));
    int64_t inner = keys->inner.key && !is_null
                        ? laser_config_integer(config, keys->inner.key, keys->inner.otherwise, 0, MOST)
                        : 0;
    int64_t expanded = keys->expand.key ? arch->hidden * read_size(config, &keys->expand, 2) : arch->hidden;

    return inner > 0 ? inner : expanded;
}

static bool read_switch(struct laser_config *config, struct laser_switch s)
{
    return s.key ? laser_config_bool(config, s.key, s.otherwise) : s.otherwise;
}

static void read_heads(struct laser_config *config, const struct laser_recurrence_keys *keys, int64_t inner,
                       const struct laser_arch *arch, struct laser_recurrence *mix)
{
    mix->heads = keys->heads.key ? read_size(config, &keys->heads, 0) : inner;
    mix->head_size = 1;
    mix->groups = keys->groups.key ? read_size(config, &keys->groups, 1) : 1;
    if (!keys->heads.key || mix->heads < 1)
        return;
    if (keys->expand.key && inner % mix->heads != 0)
        laser_config_refuse(config, keys->heads.key, "%lld heads do not divide the %lld channels",
                            (long long)mix->heads, (long long)inner);
    mix->head_size = read_size(config, &keys->head_size, inner / mix->heads);
    if (keys->expand.key && mix->head_size * mix->heads != inner)
        laser_config_refuse(config, keys->head_size.key, "%lld heads (%s) of %lld are not the %lld channels",
                            (long long)mix->heads, keys->heads.key, (long long)mix->head_size,
                            (long long)inner);
    if (mix->heads % mix->groups != 0)
        laser_config_refuse(config, keys->groups.key, "%lld does not divide the %lld heads (%s)",
                            (long long)mix->groups, (long long)mix->heads, keys->heads.key);
    (void)arch;
}

static void read_recurrence(struct laser_config *config, const struct laser_family *family,
                            struct laser_arch *arch)
{
    const struct laser_recurrence_keys *keys = family->mix;
    struct laser_recurrence *mix = &arch->mix;
    const char *activation = keys->activation ? keys->activation : family->keys->activation;
    const char *word = activation ? laser_config_text(config, activation, "silu") : "silu";

    if (strcmp(word, "silu") != 0 && strcmp(word, "swish") != 0)
        laser_config_refuse(config, activation, "\"%.40s\" behind the convolution is not supported (silu is)",
                            word);
    read_heads(config, keys, read_inner(config, keys, arch), arch, mix);
    mix->state = keys->state.key ? read_size(config, &keys->state, 1) : 0;
    mix->kernel = read_size(config, &keys->kernel, 1);
    if (keys->rank) {
        const struct laser_size rank = {keys->rank, 0};

        mix->rank = read_size(config, &rank, (arch->hidden + 15) / 16);
    }
    mix->in_bias = read_switch(config, keys->in_bias);
    mix->conv_bias = read_switch(config, keys->conv_bias);
    mix->out_bias = read_switch(config, keys->out_bias);
    mix->normed = keys->normed;
    for (int i = 0; i < LASER_STATE_INPUTS; i++)
        mix->input_scale[i] = 1;
    mix->in_scale = mix->out_scale = 1;
    mix->inner = keys->inner_norm;
    mix->inner_eps =
        keys->inner_eps ? laser_config_real(config, keys->inner_eps, 1e-6, 0, 1) : arch->norm_eps;
    if (keys->groups.key)
        read_limits(config, keys, mix);
}

void laser_mixers_read(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch)
{
    if (family->mixer == LASER_MIXER_DELTA)
        read_delta(config, arch);
    if (family->mix)
        read_recurrence(config, family, arch);
}

bool laser_arch_keeps_states(const struct laser_arch *arch)
{
    for (int64_t i = 0; i < arch->layers; i++)
        if (arch->mixer[i] > LASER_MIXER_NONE)
            return true;
    return false;
}
