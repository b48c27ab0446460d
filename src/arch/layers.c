#include "arch/layers.h"

#include <string.h>

/* A number of layers, as far as a rule needs it. */
struct windows {
    int64_t window, border, pattern;
    bool switched;
};

static bool slides(const struct laser_family *family, const struct windows *w, int64_t layer)
{
    switch (family->window_rule) {
    case LASER_WINDOW_NONE:
    case LASER_WINDOW_LISTED:
        return false;
    case LASER_WINDOW_ALL:
    case LASER_WINDOW_ALL_LISTED:
        return true;
    case LASER_WINDOW_SWITCHED:
        return w->switched;
    case LASER_WINDOW_UPPER:
    case LASER_WINDOW_BORDER:
        return w->switched && layer >= w->border;
    case LASER_WINDOW_LOWER_EVEN:
        return w->switched && layer % 2 == 0 && layer < w->border;
    case LASER_WINDOW_PATTERN:
        return w->pattern > 0 && (layer + 1) % w->pattern != 0;
    case LASER_WINDOW_AFTER:
        return w->pattern > 0 && layer % w->pattern != 0;
    }
    return false;
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
        bool linear = laser_mixers_is_word(family, type);
        bool sliding =
            type && (strcmp(type, "sliding_attention") == 0 || strcmp(type, "chunked_attention") == 0);

        arch->mixer[i] = (unsigned char)(linear ? family->mixer : LASER_MIXER_ATTENTION);
        if (!type || (!sliding && !linear && strcmp(type, "full_attention") != 0 &&
                      !(family->mixer && strcmp(type, "attention") == 0)))
            laser_config_refuse(config, "layer_types", "layer %lld: \"%.60s\" is not supported", (long long)i,
                                type ? type : "not a word");
        else if (sliding && window == 0)
            laser_config_refuse(config, "layer_types", "layer %lld slides, but there is no window",
                                (long long)i);
        else
            arch->window[i] = sliding ? window : 0;
    }
}

/* Returns the window. */
static int64_t read_windows(struct laser_config *config, const struct laser_family *family,
                            struct laser_arch *arch)
{
    enum laser_window_rule rule = family->window_rule;
    const char *key = family->window_key ? family->window_key : "sliding_window";
    struct windows w = {.switched = true, .pattern = family->pattern};

    if (rule != LASER_WINDOW_NONE) {
        bool stated = json_object_get(config->object, key) != NULL; /* null means: no window */
        w.window = laser_config_integer(config, key, stated ? 0 : family->window, 0, INT64_C(1) << 40);
    }
    if (rule == LASER_WINDOW_SWITCHED || rule == LASER_WINDOW_UPPER || rule == LASER_WINDOW_LOWER_EVEN)
        w.switched = laser_config_bool(config, "use_sliding_window", false);
    if (rule == LASER_WINDOW_UPPER || rule == LASER_WINDOW_LOWER_EVEN || rule == LASER_WINDOW_BORDER)
        w.border = laser_config_integer(config, "max_window_layers",
                                        rule == LASER_WINDOW_BORDER ? arch->layers : 28, 0, 1 << 30);
    if (family->pattern_key)
        w.pattern = laser_config_integer(config, family->pattern_key, family->pattern, 0, 1 << 30);
    laser_mixers_mark(config, family, arch);
    for (int64_t i = 0; i < arch->layers; i++)
        arch->window[i] = slides(family, &w, i) ? w.window : 0;
    read_layer_types(config, family, w.switched ? w.window : 0, arch);
    return w.window;
}

/* A list of L numbers or booleans, of which 0 and false mean no; false if there is none. */
static bool read_flags(struct laser_config *config, const char *key, int64_t n, unsigned char *flags)
{
    json_t *list = laser_config_value(config, key);

    if (!list || (json_is_array(list) && json_array_size(list) == 0))
        return false;
    if (!json_is_array(list) || (int64_t)json_array_size(list) != n) {
        laser_config_refuse(config, key, "expected a list of %lld numbers", (long long)n);
        return true;
    }
    for (int64_t i = 0; i < n; i++) {
        const json_t *value = json_array_get(list, (size_t)i);
        flags[i] = json_is_true(value) || (json_is_number(value) && json_number_value(value) != 0);
    }
    return true;
}

static void read_rope_layers(struct laser_config *config, const struct laser_family *family, int64_t window,
                             struct laser_arch *arch)
{
    bool listed = false;
    int64_t interval = 0;

    if (family->rope_rule == LASER_ROPE_IN_LISTED) {
        interval = laser_config_integer(config, "no_rope_layer_interval", 4, 1, 1 << 30);
        listed = read_flags(config, "no_rope_layers", arch->layers, arch->rope_of);
    }
    for (int64_t i = 0; i < arch->layers && arch->rope.kind != LASER_ROPE_NONE; i++)
        switch (family->rope_rule) {
        case LASER_ROPE_IN_ALL:
            arch->rope_of[i] = 1;
            break;
        case LASER_ROPE_IN_SLIDING:
            arch->rope_of[i] = arch->window[i] != 0;
            break;
        case LASER_ROPE_IN_SLIDING_OR_ALL:
            arch->rope_of[i] = window == 0 || arch->window[i] != 0;
            break;
        case LASER_ROPE_IN_LISTED:
            if (!listed)
                arch->rope_of[i] = (i + 1) % interval != 0;
            break;
        case LASER_ROPE_OF_TWO:
            arch->rope_of[i] = arch->window[i] != 0 ? 2 : 1;
            break;
        }
}

/* The group of a round through one: as ALBERT counts, int(round / (rounds / groups)). */
static int64_t group_of(const struct laser_arch *arch, int64_t round)
{
    const double rounds = (double)(arch->layers / arch->group_layers);

    return (int64_t)((double)round / (rounds / (double)arch->groups));
}

int64_t laser_arch_weights_of(const struct laser_arch *arch, int64_t layer)
{
    int64_t round, first;

    if (arch->groups == 0)
        return layer;
    round = first = layer / arch->group_layers;
    while (first > 0 && group_of(arch, first - 1) == group_of(arch, round))
        first--;
    return first * arch->group_layers + layer % arch->group_layers;
}

int64_t laser_arch_layer_uses(const struct laser_arch *arch, int64_t layer)
{
    int64_t uses = 1;

    while (arch->groups && layer + uses * arch->group_layers < arch->layers &&
           laser_arch_weights_of(arch, layer + uses * arch->group_layers) == layer)
        uses++;
    return uses;
}

int64_t laser_arch_group_of(const struct laser_arch *arch, int64_t layer)
{
    return group_of(arch, layer / arch->group_layers);
}

void laser_layers_read(struct laser_config *config, const struct laser_family *family,
                       struct laser_arch *arch)
{
    int64_t window = read_windows(config, family, arch);

    read_rope_layers(config, family, window, arch);
}
