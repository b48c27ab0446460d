/* What a language model computes, as data: the one layer loop in forward.c reads this and
 * nothing else about the family of a model.  Filled from config.json; what the loop cannot compute is refused
 * by name.
 *
 * Letters: H hidden size, A attention heads, K key-value heads, D head size, I MLP columns, L layers, V
 * vocabulary, E experts, R rotated elements of a head.
 */
#ifndef LASER_ARCH_ARCH_H
#define LASER_ARCH_ARCH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "kernels/act.h"

enum laser_norm_kind { LASER_NORM_RMS, LASER_NORM_LAYER };

enum laser_residual {
    LASER_RESIDUAL_SERIAL,          /* x += attention(norm(x)); x += mlp(norm'(x)) */
    LASER_RESIDUAL_PARALLEL,        /* x += attention(norm(x)) + mlp(norm'(x)) */
    LASER_RESIDUAL_PARALLEL_SHARED, /* x += attention(norm(x)) + mlp(norm(x)) */
    LASER_RESIDUAL_POST,            /* x = norm(x + attention(x)); x = norm'(x + mlp(x)) */
    LASER_RESIDUAL_NORMED /* x = norm(x); x = keep x + add attention(x); x = norm'(x); the MLP likewise */
};

enum laser_qkv_layout {
    LASER_QKV_SEPARATE, /* three tensors */
    LASER_QKV_STACKED,  /* one tensor: all queries, all keys, all values */
    LASER_QKV_BY_HEAD,  /* one tensor: query, key, value of head 0, then of head 1, ... */
    LASER_QKV_BY_GROUP, /* one tensor: the queries of a key-value head, its key, its value, then the next */
    LASER_QKV_QUARTERS, /* one tensor in four parts: queries, values, keys of a quarter of the heads */
    LASER_QKV_LATENT    /* through latents of low rank, struct laser_latent */
};

/* What is normed in queries and keys. */
enum laser_qk_norm {
    LASER_QK_NORM_NONE,
    LASER_QK_NORM_HEADS, /* each head, one weight [D] for all */
    LASER_QK_NORM_EACH,  /* each head with a weight of its own */
    LASER_QK_NORM_WHOLE  /* all heads together, RMS over A D elements */
};

/* Biases of attention scores by distance (ALiBi, arXiv 2108.12409); how heads that are no power of two are
 * counted. */
enum laser_alibi { LASER_ALIBI_NONE, LASER_ALIBI_BLOOM, LASER_ALIBI_MPT };

enum laser_rope_kind {
    LASER_ROPE_NONE,
    LASER_ROPE_DEFAULT,
    LASER_ROPE_LINEAR,
    LASER_ROPE_DYNAMIC,
    LASER_ROPE_LLAMA3,
    LASER_ROPE_YARN,
    LASER_ROPE_LONGROPE,
    LASER_ROPE_PROPORTIONAL
};

/* Rotary positions.  Formulas: transformers, modeling_rope_utils.py; YaRN: arXiv 2309.00071; LongRoPE: arXiv
 * 2402.13753. */
struct laser_rope {
    enum laser_rope_kind kind;
    bool reversed;      /* turns the other way */
    bool interleaved;   /* pairs (0, 1), (2, 3), ... as in GPT-J; otherwise (i, i + R/2) */
    int64_t rotated;    /* R */
    int64_t proportion; /* proportional: pairs that turn; the others of R / 2 stand still */
    double theta;
    double factor;
    double attention_factor;                  /* of the cosines and sines */
    double attention_long;                    /* the same beyond original_positions; 0: no other */
    double low_freq_factor, high_freq_factor; /* llama3 */
    double beta_fast, beta_slow;              /* yarn */
    double mscale_all;                        /* yarn: mscale_all_dim as stated */
    bool truncate;                            /* yarn */
    double *short_factor, *long_factor;       /* longrope: [R/2] each, owned */
    int64_t original_positions, max_positions;
};

/* What a layer has before its MLP. */
enum laser_mixer {
    LASER_MIXER_ATTENTION,
    LASER_MIXER_NONE,
    LASER_MIXER_DELTA,       /* the gated delta rule, struct laser_delta */
    LASER_MIXER_STATE_SPACE, /* Mamba-2, struct laser_recurrence */
    LASER_MIXER_BOTH,        /* attention and Mamba-2 side by side */
    LASER_MIXER_SELECTIVE,   /* Mamba, struct laser_recurrence */
    LASER_MIXER_CONVOLUTION, /* a gated short convolution, struct laser_recurrence */
    LASER_MIXER_LIGHTNING    /* linear attention with a fixed decay of each head */
};

/* How the logits of a router become a choice of experts and their weights. */
enum laser_moe_score {
    LASER_MOE_SOFTMAX,        /* softmax over all, the largest are chosen */
    LASER_MOE_SOFTMAX_CHOSEN, /* the largest are chosen, softmax over them */
    LASER_MOE_SIGMOID,        /* sigmoid of each, the largest are chosen */
    LASER_MOE_SIGMOID_INPUT,  /* sigmoid of each, and the weight multiplies the expert's input */
    LASER_MOE_SPARSEMIXER     /* arXiv 2409.12136: a softmax over those near the largest, twice */
};

struct laser_moe {
    int64_t experts; /* E, 0: no layer has experts */
    int64_t per_token;
    int64_t intermediate; /* columns of one expert */
    int64_t shared;       /* columns of the shared expert, 0: none */
    bool shared_gated;    /* the shared expert has a gate of its own */
    bool normalized;      /* the chosen weights are made to sum to 1 */
    double least_sum;     /* what their sum counts as at least, then */
    double more_sum;      /* what is added to it, then */
    int64_t width;        /* of what experts read and give, between two matrices; 0: the hidden size */
    enum laser_moe_score score;
    bool corrected;             /* a bias takes part in the choice, not in the weights */
    bool logit_corrected;       /* that bias is added to the logits instead of the scores */
    int64_t groups, top_groups; /* of experts: only the best groups are looked at; 1: no groups */
    bool groups_by_two;         /* a group is judged by its two best experts, otherwise by its best */
    double scale;               /* of the weights */
    double jitter;              /* sparsemixer: how near */
    double shared_scale;        /* of the sum of experts and shared expert */
    bool router_bias, expert_bias;
};

/* Attention through latents (DeepSeek-V2, arXiv 2405.04434): queries and keys of `plain` elements that are
 * not turned, and `turned` ones, the same for all heads in the keys; values of their own size. */
struct laser_latent {
    int64_t q_rank; /* 0: queries come from the hidden states */
    int64_t kv_rank, plain, turned, value;
    double norm_eps;
};

/* Disentangled attention (arXiv 2006.03654): scores by relative positions, besides those of contents. */
struct laser_disentangled {
    int64_t span;              /* the table has 2 span rows; 0: no such attention */
    int64_t buckets, farthest; /* distances of more than buckets / 2 share rows, those from farthest on the
                                  last; buckets 0: none do */
    bool by_content;           /* a query meets the row of the distance ("c2p") */
    bool by_position;          /* a key does ("p2c") */
    bool shared;               /* the rows go through the projections of queries and keys */
    bool normed;               /* the table has a norm */
};

/* The gated delta rule (arXiv 2412.06464) in place of attention: a state of key_size x value_size for each
 * value head, behind a causal convolution of `kernel` tokens. */
struct laser_delta {
    int64_t key_heads, value_heads, key_size, value_size, kernel; /* key_heads 0: no layer has it */
};

/* How time steps, B and C of Mamba are normed. */
enum laser_inner_norm { LASER_INNER_NONE, LASER_INNER_WEIGHTED, LASER_INNER_PLAIN };

/* What comes into a state space, one after another. */
enum laser_state_input {
    LASER_STATE_GATE,
    LASER_STATE_X,
    LASER_STATE_B,
    LASER_STATE_C,
    LASER_STATE_STEP,
    LASER_STATE_INPUTS
};

/* State spaces and short convolutions.  Mamba-2 (arXiv 2405.21060): `heads` of `head_size` channels, which share
 * a decay; groups of heads share B and C of `state` elements.  Mamba (arXiv 2312.00752): `heads` channels, each
 * with decays of its own, time steps through a latent of `rank`.  A short convolution: `heads` channels. */
struct laser_recurrence {
    int64_t heads, head_size, groups, state, kernel, rank; /* heads 0: no layer has one */
    int64_t block;                                         /* lightning attention: tokens that go together */
    bool in_bias, conv_bias, out_bias;
    bool normed, norm_first; /* the output is normed by group; before it is gated */
    double step_least, step_most;
    double input_scale[LASER_STATE_INPUTS]; /* of what the matrix gives */
    double in_scale, out_scale;             /* of what the matrices read and give */
    enum laser_inner_norm inner;
    double inner_eps;
};

/* Where a block's output meets what it read: keep x + add block(x). */
struct laser_blend {
    double keep, add;
};

/* Scores of late queries grow: x (1 + scale log(1 + floor((position + offset) / floor))). */
struct laser_temperature {
    double scale, floor; /* scale 0: none */
    double offset;
    bool unturned_only; /* only in layers without rotary positions */
};

/* Tensor names below the layer prefix; NULL: the family has none. */
struct laser_names {
    const struct laser_names *also; /* another spelling that checkpoints have, or NULL */
    const char *prefix[2];          /* of everything but the head; the first that a checkpoint has is used */
    const char *layer;              /* followed by the number and a dot */
    const char *group_layer;        /* the same within a group of layers, whose number `layer` then has */
    const char *embed, *positions, *types, *embed_norm, *final_norm, *head;
    const char *embed_project;                      /* where embed_width is not the hidden size */
    const char *head_bias, *head_dense, *head_norm; /* head_bias: full name; NULL: the head's own */
    const char *attention_norm, *mlp_norm, *post_attention_norm, *post_mlp_norm;
    const char *q, *k, *v, *qkv, *o, *q_norm, *k_norm; /* norms that end in a dot: one tensor for each head */
    const char *o_bias_last;          /* full name of a bias of o that the last layer alone has */
    const char *layer_scalar;         /* full name: the states behind a layer are multiplied by it */
    const char *attention_gate;       /* of the attention's output, where it is a matrix of its own */
    const char *sparse_post_mlp_norm; /* as post_mlp_norm, in layers with experts only */
    const char *sinks;                /* full name */
    const char *relative, *relative_norm, *relative_q,
        *relative_k;              /* table of relative positions and its norm,
                                                                       outside of the layers; projections */
    const char *side, *side_norm; /* a convolution beside the first layer, outside of the layers */
    const char *q_down, *q_down_norm, *kv_down, *kv_down_norm, *kv_up; /* latent; q is then the way up */
    const char *delta_qkvz, *delta_ba; /* by key head: query, key, values, gates; beta, decay */
    const char *delta_qkv, *delta_z, *delta_b, *delta_a;          /* or each for itself */
    const char *delta_conv, *delta_dt, *delta_decay, *delta_norm; /* full names */
    const char *delta_out;
    const char *mix_in, *mix_conv, *mix_out; /* of a recurrence; `in` gives all that comes into it */
    const char *mix_gate;                    /* of the output of lightning attention */
    const char *mix_dt, *mix_decay, *mix_skip, *mix_norm;                   /* the first three: full names */
    const char *mix_x, *mix_step, *mix_step_norm, *mix_b_norm, *mix_c_norm; /* Mamba */
    const char *gate, *up, *gate_up, *down;
    const char *activation; /* of parameters: alpha_p, alpha_n, beta, eps below it */
    const char *router, *expert, *expert_gate, *expert_up, *expert_down; /* expert as layer */
    const char *stack_gate_up, *stack_down, *stack_router; /* where the experts of a layer are one tensor */
    const char *stack_gate_up_bias, *stack_down_bias;
    const char *moe_down, *moe_up; /* where experts are of another width */
    const char *correction;        /* bias of the choice of experts, full name */
    const char *shared_gate, *shared_up, *shared_gate_up, *shared_down, *shared_router;
    const char *foreign;    /* beginning of names of other parts (predictors of more tokens), or NULL */
    const char *ignored[8]; /* endings of tensors that hold no weights (masks, frequencies) */
};

/* A model of which one part is a language model: how its tensors are found among the others. */
struct laser_wrapper {
    const char *model_type;
    const char *text_type;   /* of text_config, where that does not say */
    const char *prefixes[5]; /* instead of those of laser_names; NULL-terminated */
    bool plain_logits;       /* the language model's scale of logits is left out */
    const char *heads[3];    /* full names before ".weight"; NULL-terminated */
};

struct laser_arch {
    char model_type[32];
    const struct laser_wrapper *wrapper; /* NULL: the model is a language model and nothing else */
    const struct laser_names *names;
    int64_t hidden, layers, heads, kv_heads, head_size, intermediate, vocabulary;
    int64_t embed_width; /* of the tables, behind which a matrix leads to the hidden size; as that where there
                            is none */
    int64_t full_head_size,
        full_kv_heads;       /* in layers without a window, where they differ there; 0: they do not */
    int64_t max_positions;   /* as stated; a limit only where positions are learned */
    int64_t index_topk;      /* tokens up to which an indexer lets all of them be seen; 0: no indexer */
    int64_t position_offset; /* rows of the position table before the first position */
    int64_t token_types;     /* rows of their table, of which the first is used; 0: none */
    bool masked;             /* every token sees all others; trained to fill in a mask, not to go on */
    bool head_dense_bias;
    bool embed_project_bias, embed_norm_late; /* the norm comes behind that matrix */
    bool embed_projects; /* a matrix leads from the tables to the hidden size, also where they are as wide */
    bool first_plain;    /* the first layer's attention has no norm before it */
    enum laser_activation head_activation; /* behind the dense layer before the head */
    int32_t padding; /* masked; -1: every token has a place; otherwise: this token has no place in the count,
                        and position `padding`; the others have padding + 1, padding + 2, ... */
    bool tied;
    bool transposed;    /* linear weights are stored [in, out] (Conv1D) */
    bool stacks_in_out; /* stacks of experts are stored [E, in, out] */
    bool stacks_either; /* ... or [E, out, in], as their shape says; where it fits both, that */
    bool mixed_gate_up; /* gate and up alternate in the stack */
    enum laser_qkv_layout qkv_layout;
    enum laser_residual residual;
    double residual_scale; /* of what a block adds */

    enum laser_norm_kind norm;
    bool norm_plus_one; /* scale by 1 + weight */
    bool norm_plain;    /* norms have no weights */
    bool norm_bias;     /* layer norms have one */
    double norm_eps;
    enum laser_qk_norm qk_norm;
    bool qk_norm_late;   /* after the rotation; otherwise before */
    bool qk_norm_plain;  /* no weights */
    bool qk_norm_turned; /* only in layers with rotary positions */
    bool qk_norm_bias;
    bool value_norm;        /* values are normed, too, each head, without weights */
    bool full_value_is_key; /* in layers without a window values are the keys as projected */
    double clip_qkv;        /* queries, keys and values are clamped to +-clip; 0: not */

    bool q_bias, o_bias, mlp_bias, head_bias;
    bool gated; /* down(activation(gate(x)) * up(x)), otherwise down(activation(up(x))) */
    enum laser_activation activation;
    double act_limit, act_alpha; /* of LASER_ACT_SWIGLU_CLAMPED */

    double embed_scale;    /* 1: none */
    bool embed_norm_plain; /* the embedding is normed without weights */
    double logit_scale;    /* 1: none */
    struct laser_rope rope;
    struct laser_rope
        local_rope; /* of layers that slide, where they have another; kind NONE: they have not */
    double attention_scale;
    bool attention_scale_by_layer;           /* divided by layer number + 1 */
    double attention_softcap, final_softcap; /* 0: none */
    struct laser_temperature temperature;
    bool sinks; /* each head has a score that takes weight and gives nothing */
    enum laser_alibi alibi;
    double alibi_most; /* MPT: the exponent of the smallest slope */
    struct laser_latent latent;
    struct laser_disentangled disentangled;
    int64_t side_kernel, side_groups; /* the first layer's output is normed with that of a convolution of its
                                         input over time; 0: it is not */
    enum laser_activation side_activation;
    bool attention_gate; /* queries come with gates of the attention's output */
    struct laser_delta delta;
    struct laser_recurrence mix;
    double qkv_scale, context_scale; /* of what queries, keys and values read; of the attention's output */
    double gate_scale, down_scale;   /* of the MLP's gates before the activation; of its output */
    struct laser_blend blend_attention, blend_mixer, blend_mlp; /* LASER_RESIDUAL_NORMED */

    int64_t groups, group_layers; /* the layers are `groups` x group_layers ones, each group run several times
                                     on end; 0: every layer has weights of its own */

    int64_t *window;        /* [L] tokens that a token sees, itself included; 0: all.  Owned. */
    bool chunked;           /* the windows are chunks: a token sees its own, up to itself */
    unsigned char *rope_of; /* [L] 0: no rotary positions, 1: rope, 2: local_rope.  Owned. */
    unsigned char *mixer;   /* [L] enum laser_mixer.  Owned. */
    bool *sparse;           /* [L] whether the layer has experts.  Owned. */
    bool *bare;             /* [L] whether the layer has neither MLP nor experts.  Owned. */
    struct laser_moe moe;
    json_t *low_ranks;     /* truncation_ranks: module -> k of its weight, which is stored as two thin ones;
                              NULL: none.  A reference of its own. */
    json_t *low_parts;     /* truncation_parts: module -> its parts, each stored by itself; NULL: none.  A
                              reference of its own. */
    char stored_dtype[16]; /* torch_dtype as stated, empty if not */
    bool quantized;        /* config.json has a quantization_config; what the weights are, their types say */
    char ignored[512];     /* keys of config.json that transformers does not read either, "a, b"; or "" */
};

static inline int64_t laser_arch_head_size(const struct laser_arch *arch, int64_t layer)
{
    return arch->full_head_size && arch->window[layer] == 0 ? arch->full_head_size : arch->head_size;
}

static inline int64_t laser_arch_kv_heads(const struct laser_arch *arch, int64_t layer)
{
    return arch->full_kv_heads && arch->window[layer] == 0 ? arch->full_kv_heads : arch->kv_heads;
}

/* The first layer that has the weights of this one; the layer itself where none are shared. */
int64_t laser_arch_weights_of(const struct laser_arch *arch, int64_t layer);

/* The group of layers that this one is of, where there are groups. */
int64_t laser_arch_group_of(const struct laser_arch *arch, int64_t layer);

/* How many layers have the weights of this one, which is the first of them. */
int64_t laser_arch_layer_uses(const struct laser_arch *arch, int64_t layer);

/* Reads a parsed config.json into *arch; where names it in errors.
 * What transformers reads and ignores is read and ignored (config_policy.h).
 * LASER_EINPUT: a family or an option that is not supported (named), a value out of range; LASER_ENOMEM.
 * *arch needs laser_arch_free only after LASER_OK. */
int laser_arch_read(json_t *config, const char *where, struct laser_arch *arch, struct laser_error *err);

void laser_arch_free(struct laser_arch *arch);

/* The rank of a module ("model.layers.0.mlp.up_proj") whose weight [out, in] is stored as
 * <module>.BLinear.weight [k, in] and <module>.ALinear.weight [out, k]; 0: it is stored as it is. */
int64_t laser_arch_low_rank(const struct laser_arch *arch, const char *module);

/* One part of a fused weight, or of each expert of a stack: output i of the part is output
 * first + i / block * stride + i % block of the whole. */
struct laser_low_part {
    const char *name; /* "q", "gate"; "": all of an expert.  Borrowed. */
    int64_t first, rows, block, stride;
};

/* How many parts a module's weight is stored in, each as laser_arch_part_name calls it; 0: it is one tensor. */
int laser_arch_low_part_count(const struct laser_arch *arch, const char *module);
struct laser_low_part laser_arch_low_part(const struct laser_arch *arch, const char *module, int i);

/* "<module>.3.gate": what a part of a weight is called as a module of its own.  expert -1: the weight is no stack;
 * part "" or NULL: it has one part. */
void laser_arch_part_name(const char *module, int64_t expert, const char *part, char *name, size_t size);

/* Tokens that a sequence may have: a limit where positions are learned and where an indexer chooses what is seen of
 * longer texts, otherwise INT64_MAX. */
int64_t laser_arch_longest(const struct laser_arch *arch);

/* Do layers keep states from token to token, which cannot be taken back? */
bool laser_arch_keeps_states(const struct laser_arch *arch);

/* The first variation of this architecture for which there is no backward pass, in words, or NULL. */
const char *laser_arch_lacks_gradient(const struct laser_arch *arch);

static inline bool laser_arch_has_gradient(const struct laser_arch *arch)
{
    return laser_arch_lacks_gradient(arch) == NULL;
}

/* The supported model types, NULL-terminated. */
const char *const *laser_arch_types(void);

#endif
