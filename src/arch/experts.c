#include <string.h>

#include "arch/layers.h"

static void mark_step(struct laser_config *config, struct laser_arch *arch)
{
    json_t *dense = laser_config_value(config, "mlp_only_layers");
    int64_t step = laser_config_integer(config, "decoder_sparse_step", 1, 1, 1 << 30);
    size_t index;
    json_t *value;

    for (int64_t i = 0; i < arch->layers; i++)
        arch->sparse[i] = (i + 1) % step == 0;
    json_array_foreach(dense, index, value)
    {
        int64_t layer = laser_config_layer(config, "mlp_only_layers", index, value, arch->layers, false);

        if (layer >= 0)
            arch->sparse[layer] = false;
    }
}

static void mark_interval(struct laser_config *config, struct laser_arch *arch)
{
    int64_t interval = laser_config_integer(config, "moe_layer_interval", 1, 1, 1 << 30);
    int64_t start = laser_config_integer(config, "moe_layer_start_index", 1, 0, 1 << 30);
    int64_t end = laser_config_integer(config, "moe_layer_end_index", -1, -1, 1 << 30);

    for (int64_t i = 0; i < arch->layers; i++)
        arch->sparse[i] = (i + 1) % interval == 0 && i >= start && (end < 0 || i <= end);
}

static void mark_types(struct laser_config *config, int64_t first, struct laser_arch *arch)
{
    json_t *types = laser_config_value(config, "mlp_layer_types");

    if (types && (!json_is_array(types) || (int64_t)json_array_size(types) != arch->layers)) {
        laser_config_refuse(config, "mlp_layer_types", "expected a list of %lld words",
                            (long long)arch->layers);
        return;
    }
    for (int64_t i = 0; i < arch->layers; i++) {
        const char *type = json_string_value(json_array_get(types, (size_t)i));

        arch->sparse[i] = types ? type && strcmp(type, "sparse") == 0 : i >= first;
        if (types && !arch->sparse[i] && (!type || strcmp(type, "dense") != 0))
            laser_config_refuse(config, "mlp_layer_types", "layer %lld: \"%.60s\" is not supported",
                                (long long)i, type ? type : "not a word");
    }
}

static void mark_listed(struct laser_config *config, struct laser_arch *arch)
{
    json_t *list = laser_config_value(config, "moe_layers"), *value;
    int64_t step = laser_config_integer(config, "interleave_moe_layer_step", 1, 1, 1 << 30);
    size_t index;

    for (int64_t i = step - 1; !list && i < arch->layers; i += step)
        arch->sparse[i] = true;
    json_array_foreach(list, index, value)
    {
        int64_t layer = laser_config_layer(config, "moe_layers", index, value, arch->layers, true);

        if (layer >= 0)
            arch->sparse[layer] = true;
    }
}

static void mark_period(struct laser_config *config, struct laser_arch *arch)
{
    int64_t first;
    int64_t period = laser_config_period(config, "expert_layer_period", 2, "expert_layer_offset", 1, &first);

    for (int64_t i = first; i < arch->layers; i += period)
        arch->sparse[i] = true;
}

static void mark_sparse(struct laser_config *config, const struct laser_moe_keys *keys,
                        struct laser_arch *arch)
{
    int64_t first = keys->first;

    switch (keys->sparse) {
    case LASER_SPARSE_ALL:
        memset(arch->sparse, true, (size_t)arch->layers * sizeof *arch->sparse);
        break;
    case LASER_SPARSE_STEP:
        mark_step(config, arch);
        break;
    case LASER_SPARSE_AFTER_FIRST:
        first = laser_config_integer(config, "first_k_dense_replace", keys->first, 0, 1 << 30);
        for (int64_t i = first; i < arch->layers; i++)
            arch->sparse[i] = true;
        break;
    case LASER_SPARSE_AFTER_DENSE:
        first = laser_config_integer(config, "num_dense_layers", keys->first, 0, 1 << 30);
        for (int64_t i = first; i < arch->layers; i++)
            arch->sparse[i] = true;
        break;
    case LASER_SPARSE_INTERVAL:
        mark_interval(config, arch);
        break;
    case LASER_SPARSE_TYPES:
        if (json_object_get(config->object, "first_k_dense_replace"))
            first = laser_config_integer(config, "first_k_dense_replace", first, 0, 1 << 30);
        mark_types(config, first, arch);
        break;
    case LASER_SPARSE_LISTED:
        mark_listed(config, arch);
        break;
    case LASER_SPARSE_PERIOD:
        mark_period(config, arch);
        break;
    case LASER_SPARSE_BLOCKS: /* marked with the mixers */
        break;
    }
}

static void read_shared(struct laser_config *config, const struct laser_moe_keys *keys, struct laser_moe *moe)
{
    moe->shared_gated = keys->shared_gated;
    if (keys->shared_fixed)
        moe->shared = moe->intermediate;
    if (!keys->shared)
        return;
    moe->shared = laser_config_integer(config, keys->shared, keys->shared_otherwise, 0, 1 << 30);
    if (keys->shared_counts)
        moe->shared *= moe->intermediate;
}

static void read_routing(struct laser_config *config, const struct laser_moe_keys *keys,
                         struct laser_moe *moe)
{
    moe->score = keys->score;
    moe->corrected = keys->corrected;
    moe->logit_corrected = keys->logit_corrected;
    moe->router_bias = keys->router_bias;
    moe->expert_bias = keys->expert_bias;
    moe->normalized = keys->normalized.key
                          ? laser_config_bool(config, keys->normalized.key, keys->normalized.otherwise)
                          : keys->normalized.otherwise;
    moe->scale = keys->scale_otherwise != 0 ? keys->scale_otherwise : 1;
    if (keys->scale)
        moe->scale = laser_config_real(config, keys->scale, moe->scale, 1e-9, 1e9);
    moe->shared_scale = 1;
    if (keys->least_sum)
        moe->least_sum = laser_config_real(config, keys->least_sum, 1e-12, 0, 1e9);
    moe->more_sum = keys->more_sum;
    if (keys->width && laser_config_value(config, keys->width))
        moe->width = laser_config_integer(config, keys->width, 0, 1, 1 << 24);
    if (keys->jitter)
        moe->jitter = laser_config_real(config, keys->jitter, keys->jitter_otherwise, 0, 1e3);
    moe->groups = moe->top_groups = 1;
    moe->groups_by_two = keys->groups_by_two;
    if (keys->groups) {
        moe->groups = laser_config_integer(config, keys->groups,
                                           keys->groups_otherwise ? keys->groups_otherwise : 1, 1, 1 << 16);
        moe->top_groups =
            laser_config_integer(config, keys->top_groups,
                                 keys->top_groups_otherwise ? keys->top_groups_otherwise : 1, 1, 1 << 16);
        if (moe->experts % moe->groups != 0 || moe->top_groups > moe->groups ||
            moe->per_token > moe->experts / moe->groups * moe->top_groups ||
            (moe->groups > 1 && moe->groups_by_two && moe->experts / moe->groups < 2))
            laser_config_refuse(config, keys->groups,
                                "%lld groups, of which %lld count (%s), of %lld experts (%s)",
                                (long long)moe->groups, (long long)moe->top_groups, keys->top_groups,
                                (long long)moe->experts, keys->experts);
    }
}

static bool has_sparse(const struct laser_arch *arch)
{
    for (int64_t i = 0; i < arch->layers; i++)
        if (arch->sparse[i])
            return true;
    return false;
}

/* Models without experts: the shared expert is the MLP. */
static void read_dense_instead(struct laser_config *config, const struct laser_moe_keys *keys,
                               struct laser_arch *arch)
{
    if (keys->sparse == LASER_SPARSE_PERIOD) {
        mark_period(config, arch);
        memset(arch->sparse, false, (size_t)arch->layers * sizeof *arch->sparse);
    }
    if (keys->shared)
        arch->intermediate = laser_config_integer(config, keys->shared, keys->shared_otherwise, 1, 1 << 30);
}

void laser_experts_read(struct laser_config *config, const struct laser_family *family,
                        struct laser_arch *arch)
{
    const struct laser_moe_keys *keys = family->moe;
    struct laser_moe *moe = &arch->moe;

    if (!keys || (keys->sparse == LASER_SPARSE_BLOCKS && !has_sparse(arch)))
        return;
    moe->per_token = laser_config_integer(config, keys->per_token, keys->per_token_otherwise,
                                          keys->experts_least ? 0 : 1, 1 << 16);
    moe->experts = laser_config_integer(
        config, keys->experts, keys->experts_otherwise ? keys->experts_otherwise : LASER_CONFIG_REQUIRED,
        keys->experts_least ? 0 : 1, 1 << 16);
    if (moe->experts < keys->experts_least) {
        *moe = (struct laser_moe){0};
        read_dense_instead(config, keys, arch);
        return;
    }
    if (moe->per_token < 1)
        laser_config_refuse(config, keys->per_token, "expected 1 or more");
    moe->intermediate = keys->columns
                            ? laser_config_integer(config, keys->columns, LASER_CONFIG_REQUIRED, 1, 1 << 30)
                            : arch->intermediate;
    read_shared(config, keys, moe);
    read_routing(config, keys, moe);
    mark_sparse(config, keys, arch);
    if (moe->per_token > moe->experts)
        laser_config_refuse(config, keys->per_token, "%lld of %lld experts", (long long)moe->per_token,
                            (long long)moe->experts);
}
