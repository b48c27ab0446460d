/* The families of models that are known, as a table. */
#ifndef LASER_ARCH_FAMILY_H
#define LASER_ARCH_FAMILY_H

#include "arch/arch.h"

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

/* How the parts of a fused tensor lie in it. */
enum laser_fused {
    LASER_FUSED_UNKNOWN,
    LASER_FUSED_CONTIGUOUS, /* all queries, all keys, all values */
    LASER_FUSED_BY_HEAD,    /* query, key, value of head 0, then of head 1, ... */
    LASER_FUSED_FALCON,     /* by group, by head, or one group: config.json says which */
    LASER_FUSED_BIGCODE,    /* one group, or by head: config.json says which */
    LASER_FUSED_CODEGEN     /* for four tensor-parallel ranks, in the order q, v, k */
};

/* How a checkpoint holds its matrices, where that is not one nn.Linear each. */
struct laser_stored {
    enum laser_fused fused;   /* query_key_value, c_attn, qkv_proj */
    bool conv1d;              /* c_attn, c_proj, c_fc, q_attn are [in, out] */
    bool turned_stacks;       /* stacks of experts are [experts, in, out] */
    bool interleaved_gate_up; /* gate and up alternate in gate_up_proj */
};

struct laser_family {
    const char *model_type;
    const struct laser_names *names; /* NULL: a type that can be scanned only */
    struct laser_stored stored;
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
    const char *activation;              /* default */
    enum laser_window_rule window_rule;
    enum laser_moe_rule moe;
    const char *harmless[8]; /* further keys without influence */
};

/* NULL if a model of this type cannot be run. */
const struct laser_family *laser_family_find(const char *model_type);

/* How a checkpoint with this config.json (of which text_config, where there is one, says more) holds its
 * matrices.  Never NULL. */
const struct laser_stored *laser_stored_of(json_t *config);

/* Full names that the output head ([0]) and the token embedding ([1]) have in checkpoints of any type, the
 * most usual first. */
enum { LASER_END_NAMES = 64 };
struct laser_end_names {
    int n;
    const char *names[LASER_END_NAMES]; /* NULL-terminated */
    char text[LASER_END_NAMES][64];
};
const struct laser_end_names *laser_arch_ends(void);

/* Keys of config.json that do not change what a forward pass computes, for every family. */
extern const char *const laser_family_harmless[];

#endif
