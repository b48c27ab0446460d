/* The families of models that are known, as a table. */
#ifndef LASER_MODEL_FAMILY_H
#define LASER_MODEL_FAMILY_H

#include "model/arch.h"

/* How a family spells its sizes in config.json. */
struct laser_keys {
    const char *hidden, *layers, *heads, *kv_heads, *head_size, *intermediate, *positions, *eps, *activation;
};

/* When a part is there: always, never, or as a key of config.json says. */
struct laser_switch {
    const char *key; /* NULL: fixed */
    bool otherwise;  /* the value where the key is missing, or the fixed one */
};

/* Which layers look at a window only. */
enum laser_window_rule {
    LASER_WINDOW_NONE,
    LASER_WINDOW_ALL,        /* sliding_window, every layer */
    LASER_WINDOW_SWITCHED,   /* sliding_window, every layer, if use_sliding_window */
    LASER_WINDOW_UPPER,      /* if use_sliding_window, from layer max_window_layers on; or layer_types */
    LASER_WINDOW_LOWER_EVEN, /* if use_sliding_window, even layers below max_window_layers; or layer_types */
    LASER_WINDOW_EVEN        /* sliding_window, even layers; or layer_types */
};

enum laser_moe_rule { LASER_MOE_NONE, LASER_MOE_MIXTRAL, LASER_MOE_QWEN2, LASER_MOE_QWEN3 };

struct laser_family {
    const char *model_type;
    const struct laser_names *names;
    const struct laser_keys *keys;
    enum laser_norm_kind norm;
    enum laser_qkv_layout qkv_layout;
    enum laser_residual residual;
    const char *residual_key; /* a key that, when false, makes it serial */
    struct laser_switch tied, q_bias, o_bias, mlp_bias, qk_norm;
    bool head_bias, gated, transposed, norm_plus_one, embed_scaled, masked;
    bool rope_interleaved, partial_rope; /* whether partial_rotary_factor is honoured */
    double theta, partial;               /* defaults; theta 0: no rotary positions */
    const char *theta_key,
        *partial_key; /* outside of rope_parameters; NULL: rope_theta, partial_rotary_factor */
    double eps;       /* defaults */
    int64_t kv_heads, head_size, window; /* defaults; 0: as many as heads, hidden / heads, none */
    int64_t positions;                   /* default */
    const char *activation;              /* default */
    enum laser_window_rule window_rule;
    enum laser_moe_rule moe;
    bool head_size_fixed; /* head_dim is no key of the family, but where it is stated it must agree */
    const struct laser_config_guard *guards;  /* config_policy.h */
    const struct laser_config_alias *aliases; /* NULL: none */
};

/* NULL if unknown. */
const struct laser_family *laser_family_find(const char *model_type);

#endif
