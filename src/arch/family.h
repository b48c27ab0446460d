/* The families of models that are known, as a table. */
#ifndef LASER_ARCH_FAMILY_H
#define LASER_ARCH_FAMILY_H

#include "arch/arch.h"
#include "arch/config_policy.h"
#include "arch/config_reader.h"

/* How a family spells its sizes in config.json; NULL: it has no such key. */
struct laser_keys {
    const char *groups, *group_layers; /* of layers that share their weights */
    const char *hidden, *layers, *heads, *kv_heads, *head_size, *intermediate, *positions, *eps, *activation;
    bool four_times; /* the intermediate size is 4 x hidden where it is not stated */
};

/* When a part is there: always, never, or as a key of config.json says. */
struct laser_switch {
    const char *key; /* NULL: fixed */
    bool otherwise;  /* the value where the key is missing, or the fixed one */
};

/* A number of config.json and what it sets.  null: no such effect. */
enum laser_sets {
    LASER_SETS_EMBED_SCALE,
    LASER_SETS_LOGIT_SCALE,
    LASER_SETS_LOGIT_DIVISOR,
    LASER_SETS_RESIDUAL_SCALE,
    LASER_SETS_ATTENTION_SCALE,  /* the scale itself */
    LASER_SETS_ATTENTION_SCALAR, /* 1 / sqrt of it is the scale */
    LASER_SETS_ATTENTION_SOFTCAP,
    LASER_SETS_FINAL_SOFTCAP,
    LASER_SETS_CLIP_QKV
};

struct laser_option {
    const char *key; /* NULL ends the list */
    enum laser_sets sets;
    double otherwise; /* where the key is missing; 0: as if there were no option */
};

/* Which layers look at a window only. */
enum laser_window_rule {
    LASER_WINDOW_NONE,
    LASER_WINDOW_ALL,        /* sliding_window, every layer */
    LASER_WINDOW_SWITCHED,   /* sliding_window, every layer, if use_sliding_window */
    LASER_WINDOW_UPPER,      /* if use_sliding_window, from layer max_window_layers on; or layer_types */
    LASER_WINDOW_LOWER_EVEN, /* if use_sliding_window, even layers below max_window_layers; or layer_types */
    LASER_WINDOW_PATTERN,    /* all but every pattern-th layer; or layer_types */
    LASER_WINDOW_AFTER,      /* all but layers 0, pattern, 2 pattern ...; or layer_types */
    LASER_WINDOW_LISTED,     /* layer_types alone; every layer sees all where there are none */
    LASER_WINDOW_ALL_LISTED, /* every layer, or layer_types */
    LASER_WINDOW_BORDER      /* from layer max_window_layers on; or layer_types */
};

/* Which layers have the family's mixer instead of attention. */
enum laser_mixer_rule {
    LASER_MIXED_NEVER,
    LASER_MIXED_ALL,
    LASER_MIXED_INTERVAL, /* all but every full_attention_interval-th; or layer_types */
    LASER_MIXED_LISTED,   /* layer_types; all where there are none */
    LASER_MIXED_NUMBERED, /* all but those in full_attn_idxs; or layer_types */
    LASER_MIXED_ODD,      /* layers 1, 3, ...; or layer_types */
    LASER_MIXED_INDICES,  /* all but attn_layer_indices */
    LASER_MIXED_PERIOD,   /* all but those that attn_layer_period and attn_layer_offset name */
    LASER_MIXED_BLOCKS    /* layers_block_type or hybrid_override_pattern: one block each, MLPs among them */
};

/* A size: its key and what it is where that is missing. */
struct laser_size {
    const char *key;
    int64_t otherwise;
};

/* How a family spells a recurrence. */
struct laser_recurrence_keys {
    struct laser_size heads, head_size, groups, state, kernel, expand; /* a key that is NULL: see mixers.c */
    struct laser_size inner; /* channels; null or 0: expand x hidden */
    const char *rank;
    struct laser_switch in_bias, conv_bias, out_bias;
    const char *activation; /* of the convolution; NULL: that of the MLP */
    bool normed, limited;   /* time_step_limit counts, otherwise time_step_min */
    enum laser_inner_norm inner_norm;
    const char *inner_eps; /* NULL: that of all norms */
};

/* Which layers have rotary positions. */
enum laser_rope_rule {
    LASER_ROPE_IN_ALL,
    LASER_ROPE_IN_SLIDING,        /* those that slide */
    LASER_ROPE_IN_SLIDING_OR_ALL, /* those that slide; all where no window is stated */
    LASER_ROPE_IN_LISTED, /* no_rope_layers (1: has them), else all but every no_rope_layer_interval-th */
    LASER_ROPE_OF_TWO     /* those that slide have others than the rest */
};

/* Which layers have experts. */
enum laser_sparse_rule {
    LASER_SPARSE_ALL,
    LASER_SPARSE_STEP,        /* every decoder_sparse_step-th, but mlp_only_layers */
    LASER_SPARSE_AFTER_FIRST, /* from first_k_dense_replace on */
    LASER_SPARSE_AFTER_DENSE, /* from num_dense_layers on */
    LASER_SPARSE_INTERVAL, /* every moe_layer_interval-th of moe_layer_start_index .. moe_layer_end_index */
    LASER_SPARSE_TYPES,    /* mlp_layer_types, else from `first` on */
    LASER_SPARSE_LISTED,   /* moe_layers, else every interleave_moe_layer_step-th */
    LASER_SPARSE_PERIOD,   /* those that expert_layer_period and expert_layer_offset name */
    LASER_SPARSE_BLOCKS    /* as LASER_MIXED_BLOCKS says */
};

/* How a family has its experts. */
struct laser_moe_keys {
    const char *experts;
    int64_t experts_otherwise; /* 0: the key must be there */
    int64_t experts_least;     /* with fewer all layers are dense; 0: 1 */
    const char *per_token;
    int64_t per_token_otherwise;
    const char *columns; /* of an expert; NULL: the intermediate size */
    const char *
        shared; /* columns of the shared expert, or how many experts it is as wide as; NULL: `shared_fixed` */
    int64_t shared_otherwise;
    bool shared_counts, shared_fixed, shared_gated; /* fixed: as wide as one expert */
    struct laser_switch normalized;
    enum laser_moe_score score;
    bool corrected, logit_corrected, groups_by_two, router_bias, expert_bias;
    const char *groups, *top_groups;
    int64_t groups_otherwise, top_groups_otherwise; /* 0: 1 */
    const char
        *least_sum; /* below which the sum of the weights is not taken to be, where they are normalized */
    const char *scale;
    double scale_otherwise; /* 0: 1 */
    double more_sum;        /* is added to the sum of the weights, where they are normalized */
    const char *width;      /* of what experts read and give, between two matrices; NULL: the hidden size */
    const char *jitter;
    double jitter_otherwise;
    enum laser_sparse_rule sparse;
    int64_t first;
};

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
    bool either_stacks;       /* ... or [experts, out, in], as their shape says */
    bool interleaved_gate_up; /* gate and up alternate in gate_up_proj */
};

struct laser_family {
    const char *model_type;
    const struct laser_names *names; /* NULL: a type that can be scanned only */
    struct laser_stored stored;
    const struct laser_keys *keys;
    enum laser_norm_kind norm;
    bool norm_plus_one, norm_plain, no_norm_bias;
    enum laser_qkv_layout qkv_layout;
    enum laser_residual residual;
    const char *residual_key; /* a key that, when false, makes it serial */
    bool residual_otherwise;  /* its value where it is missing */
    struct laser_switch tied, q_bias, o_bias, mlp_bias, head_bias, qk_norm;
    enum laser_qk_norm qk_kind; /* where there is a norm; NONE: LASER_QK_NORM_HEADS */
    bool qk_norm_late, qk_norm_plain, qk_norm_turned, qk_norm_bias;
    bool attention_gate;
    enum laser_mixer mixer; /* of layers without attention */
    enum laser_mixer_rule mixer_rule;
    const struct laser_recurrence_keys *mix;
    bool bare; /* layers have no MLP */
    bool value_norm;
    const char *full_head_size; /* key of the size of heads in layers without a window */
    int64_t full_head_size_otherwise;
    bool gated, transposed, stacks_in_out, mixed_gate_up, embed_scaled, embed_norm_plain, masked, sinks;
    bool mrope;                                         /* positions of three parts, "mrope" */
    bool proportional;                                  /* rotary positions may be "proportional" */
    bool rope_interleaved, rope_reversed, partial_rope; /* whether partial_rotary_factor is honoured */
    double theta, partial;                              /* defaults; theta 0: no rotary positions */
    const char *theta_key,
        *partial_key;   /* outside of rope_parameters; NULL: rope_theta, partial_rotary_factor */
    double local_theta; /* of the layers that slide, LASER_ROPE_OF_TWO; 0: as theta */
    const char *local_theta_key;
    enum laser_rope_rule rope_rule;
    enum laser_alibi alibi;
    const char *embed_width;       /* key; NULL: as the hidden size */
    int64_t embed_width_otherwise; /* 0: the hidden size */
    bool embed_project_plain,
        embed_norm_late;  /* the matrix behind the tables has no bias; the norm comes behind it */
    bool always_projects; /* a matrix follows the tables also where they are as wide as the hidden states */
    int64_t token_types;  /* masked: default; 0: 2 */
    bool types_optional;  /* masked: there are none unless stated */
    bool pads_count;      /* masked: paddings have places as other tokens */
    bool head_acts;       /* masked: the activation before the head is that of the MLP, otherwise GELU */
    int64_t position_offset;
    double eps;                          /* defaults */
    bool no_q_rank;                      /* q_lora_rank may be missing: queries have no latent then */
    int64_t value_size;                  /* default, with latents; 0: hidden / heads */
    int64_t kv_heads, head_size, window; /* defaults; 0: as many as heads, hidden / heads, none */
    const char *activation;              /* default */
    enum laser_window_rule window_rule;
    const char *window_key; /* NULL: sliding_window */
    int64_t pattern;
    const char *pattern_key; /* NULL: fixed */
    const struct laser_moe_keys *moe;
    struct laser_option options[8];
    void (*finish)(struct laser_config *config,
                   struct laser_arch *arch); /* what no field can say (options.c) */
    int64_t positions;                       /* default; 0: 2048 */
    bool head_size_fixed; /* head_dim is no key of the family, but where it is stated it must agree */
    const struct laser_config_guard *guards;  /* config_policy.h; NULL: those of every causal model */
    const struct laser_config_alias *aliases; /* NULL: none */
};

/* NULL if a model of this type cannot be run. */
const struct laser_family *laser_family_find(const char *model_type);

/* NULL if models of this type are no wrappers of language models. */
const struct laser_wrapper *laser_wrapper_find(const char *model_type);

/* The wrappers one after another; NULL behind the last. */
const struct laser_wrapper *laser_wrapper_at(int index);

/* How a checkpoint with this config.json (of which text_config, where there is one, says more) holds its
 * matrices.  Never NULL. */
const struct laser_stored *laser_stored_of(json_t *config);

/* Does a checkpoint of a model that is run hold this tensor for something else: the tower of a wrapper, a
 * pooler?  False where the type is not known. */
bool laser_arch_is_beside(json_t *config, const char *tensor);

/* Is it the weight by which tokens choose experts? */
bool laser_arch_is_router(json_t *config, const char *tensor);

/* Is it a tensor that the type's checkpoints may hold and that nothing reads? */
bool laser_names_ignore(const struct laser_names *names, const char *tensor);

/* Full names that the output head ([0]) and the token embedding ([1]) have in checkpoints of any type, the
 * most usual first. */
enum { LASER_END_NAMES = 64 };
struct laser_end_names {
    int n;
    const char *names[LASER_END_NAMES]; /* NULL-terminated */
    char text[LASER_END_NAMES][64];
};
const struct laser_end_names *laser_arch_ends(void);

#endif
