/* What a language model computes, as data: the one layer loop in forward.c reads this and
 * nothing else about the family of a model.  Filled from config.json; what the loop cannot compute is refused
 * by name.
 *
 * Letters: H hidden size, A attention heads, K key-value heads, D head size, I MLP columns, L layers, V
 * vocabulary, E experts, R rotated elements of a head.
 */
#ifndef LASER_MODEL_ARCH_H
#define LASER_MODEL_ARCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels/act.h"

enum laser_norm_kind { LASER_NORM_RMS, LASER_NORM_LAYER };

enum laser_residual {
    LASER_RESIDUAL_SERIAL,          /* x += attention(norm(x)); x += mlp(norm'(x)) */
    LASER_RESIDUAL_PARALLEL,        /* x += attention(norm(x)) + mlp(norm'(x)) */
    LASER_RESIDUAL_PARALLEL_SHARED, /* x += attention(norm(x)) + mlp(norm(x)) */
    LASER_RESIDUAL_POST             /* x = norm(x + attention(x)); x = norm'(x + mlp(x)) */
};

enum laser_qkv_layout {
    LASER_QKV_SEPARATE, /* three tensors */
    LASER_QKV_STACKED,  /* one tensor: all queries, all keys, all values */
    LASER_QKV_BY_HEAD   /* one tensor: query, key, value of head 0, then of head 1, ... */
};

enum laser_rope_kind {
    LASER_ROPE_NONE,
    LASER_ROPE_DEFAULT,
    LASER_ROPE_LINEAR,
    LASER_ROPE_DYNAMIC,
    LASER_ROPE_LLAMA3,
    LASER_ROPE_YARN,
    LASER_ROPE_LONGROPE
};

/* Rotary positions.  Formulas: transformers, modeling_rope_utils.py; YaRN: arXiv 2309.00071; LongRoPE: arXiv
 * 2402.13753. */
struct laser_rope {
    enum laser_rope_kind kind;
    bool interleaved; /* pairs (0, 1), (2, 3), ... as in GPT-J; otherwise (i, i + R/2) */
    int64_t rotated;  /* R */
    double theta;
    double factor;
    double attention_factor;                  /* of the cosines and sines */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double beta_fast, beta_slow;              /* yarn */
    bool truncate;                            /* yarn */
    double *short_factor, *long_factor;       /* longrope: [R/2] each, owned */
    int64_t original_positions, max_positions;
};

struct laser_moe {
    int64_t experts; /* E, 0: no layer has experts */
    int64_t per_token;
    int64_t intermediate; /* columns of one expert */
    int64_t shared;       /* columns of the shared expert, 0: none */
    bool normalized;      /* the chosen weights are made to sum to 1 */
};

/* Tensor names below the layer prefix; NULL: the family has none. */
struct laser_names {
    const char *prefix[2]; /* of everything but the head; the first that a checkpoint has is used */
    const char *layer;     /* followed by the number and a dot */
    const char *embed, *positions, *types, *embed_norm, *final_norm, *head;
    const char *head_bias, *head_dense, *head_norm; /* head_bias: full name; NULL: the head's own */
    const char *attention_norm, *mlp_norm, *post_attention_norm, *post_mlp_norm;
    const char *q, *k, *v, *qkv, *o, *q_norm, *k_norm;
    const char *gate, *up, *gate_up, *down;
    const char *router, *expert, *expert_gate, *expert_up, *expert_down; /* expert as layer */
    const char *stack_gate_up, *stack_down, *stack_router; /* where the experts of a layer are one tensor */
    const char *shared_gate, *shared_up, *shared_down, *shared_router;
    const char *ignored[4]; /* endings of tensors that hold no weights (masks, frequencies) */
};

struct laser_arch {
    char model_type[32];
    const struct laser_names *names;
    int64_t hidden, layers, heads, kv_heads, head_size, intermediate, vocabulary;
    int64_t max_positions; /* as stated; a limit only where positions are learned */
    int64_t token_types;   /* rows of their table, of which the first is used; 0: none */
    bool masked;           /* every token sees all others; trained to fill in a mask, not to go on */
    int32_t padding;       /* masked: this token has no place in the count, and position `padding`; the
                              others have padding + 1, padding + 2, ... */
    bool tied;
    bool transposed; /* linear weights are stored [in, out] (Conv1D) */
    enum laser_qkv_layout qkv_layout;
    enum laser_residual residual;

    enum laser_norm_kind norm;
    bool norm_plus_one; /* scale by 1 + weight */
    double norm_eps;
    bool qk_norm; /* over each head of q and k, before the rotation */

    bool q_bias, o_bias, mlp_bias, head_bias;
    bool gated; /* down(activation(gate(x)) * up(x)), otherwise down(activation(up(x))) */
    enum laser_activation activation;

    double embed_scale; /* 1: none */
    struct laser_rope rope;
    double attention_scale;
    bool attention_scale_by_layer;           /* divided by layer number + 1 */
    double attention_softcap, final_softcap; /* 0: none */

    int64_t *window; /* [L] tokens that a token sees, itself included; 0: all.  Owned. */
    bool *sparse;    /* [L] whether the layer has experts.  Owned. */
    struct laser_moe moe;
    char stored_dtype[16]; /* torch_dtype as stated, empty if not */
    bool quantized;        /* config.json has a quantization_config; what the weights are, their types say */
    char ignored[512];     /* keys of config.json that transformers does not read either, "a, b"; or "" */
    json_t *low_ranks;     /* truncation_ranks: module -> k of its weight, which is stored as two thin ones;
                              NULL: none.  A reference of its own. */
};

/* Reads a parsed config.json into *arch; where names it in errors.
 * What transformers reads and ignores is read and ignored (config_policy.h).
 * LASER_EINPUT: a family or an option that is not supported (named), a value out of range; LASER_ENOMEM.
 * *arch needs laser_arch_free only after LASER_OK. */
int laser_arch_read(json_t *config, const char *where, struct laser_arch *arch, struct laser_error *err);

void laser_arch_free(struct laser_arch *arch);

/* The rank of a module ("model.layers.0.mlp.up_proj") whose weight [out, in] is stored as
 * <module>.BLinear.weight [k, in] and <module>.ALinear.weight [out, k]; 0: it is stored as it is. */
int64_t laser_arch_low_rank(const struct laser_arch *arch, const char *module);

/* Tokens that a sequence may have: a limit where positions are learned, otherwise INT64_MAX. */
int64_t laser_arch_longest(const struct laser_arch *arch);

/* The supported model types, NULL-terminated. */
const char *const *laser_arch_types(void);

#endif
