#include "model/family.h"

#include <string.h>

#include "model/config_policy.h"

#define LLAMA_LAYER                                                                                          \
    .layer = "layers.", .embed = "embed_tokens", .final_norm = "norm", .head = "lm_head",                    \
    .attention_norm = "input_layernorm", .mlp_norm = "post_attention_layernorm", .o = "self_attn.o_proj"
#define SEPARATE_QKV .q = "self_attn.q_proj", .k = "self_attn.k_proj", .v = "self_attn.v_proj"
#define GATED_MLP    .gate = "mlp.gate_proj", .up = "mlp.up_proj", .down = "mlp.down_proj"
#define EXPERT_STACKS                                                                                        \
    .stack_gate_up = "mlp.experts.gate_up_proj", .stack_down = "mlp.experts.down_proj",                      \
    .stack_router = "mlp.gate"

static const struct laser_names llama_names = {
    .prefix = {"model.", ""}, LLAMA_LAYER, SEPARATE_QKV, GATED_MLP, .ignored = {"rotary_emb.inv_freq"}};

static const struct laser_names qwen3_names = {.prefix = {"model.", ""},
                                               LLAMA_LAYER,
                                               SEPARATE_QKV,
                                               GATED_MLP,
                                               .q_norm = "self_attn.q_norm",
                                               .k_norm = "self_attn.k_norm",
                                               .router = "mlp.gate",
                                               .expert = "mlp.experts.",
                                               .expert_gate = "gate_proj",
                                               .expert_up = "up_proj",
                                               .expert_down = "down_proj",
                                               EXPERT_STACKS};

static const struct laser_names qwen2_moe_names = {.prefix = {"model.", ""},
                                                   LLAMA_LAYER,
                                                   SEPARATE_QKV,
                                                   GATED_MLP,
                                                   .router = "mlp.gate",
                                                   .expert = "mlp.experts.",
                                                   .expert_gate = "gate_proj",
                                                   .expert_up = "up_proj",
                                                   .expert_down = "down_proj",
                                                   EXPERT_STACKS,
                                                   .shared_gate = "mlp.shared_expert.gate_proj",
                                                   .shared_up = "mlp.shared_expert.up_proj",
                                                   .shared_down = "mlp.shared_expert.down_proj",
                                                   .shared_router = "mlp.shared_expert_gate"};

static const struct laser_names mixtral_names = {.prefix = {"model.", ""},
                                                 LLAMA_LAYER,
                                                 SEPARATE_QKV,
                                                 .router = "block_sparse_moe.gate",
                                                 .expert = "block_sparse_moe.experts.",
                                                 .expert_gate = "w1",
                                                 .expert_up = "w3",
                                                 .expert_down = "w2",
                                                 EXPERT_STACKS,
                                                 .ignored = {"rotary_emb.inv_freq"}};

static const struct laser_names phi_names = {.prefix = {"model.", ""},
                                             .layer = "layers.",
                                             .embed = "embed_tokens",
                                             .final_norm = "final_layernorm",
                                             .head = "lm_head",
                                             .attention_norm = "input_layernorm",
                                             SEPARATE_QKV,
                                             .o = "self_attn.dense",
                                             .q_norm = "self_attn.q_layernorm",
                                             .k_norm = "self_attn.k_layernorm",
                                             .up = "mlp.fc1",
                                             .down = "mlp.fc2",
                                             .ignored = {"rotary_emb.inv_freq"}};

static const struct laser_names phi3_names = {.prefix = {"model.", ""},
                                              LLAMA_LAYER,
                                              .qkv = "self_attn.qkv_proj",
                                              .gate_up = "mlp.gate_up_proj",
                                              .down = "mlp.down_proj",
                                              .ignored = {"rotary_emb.inv_freq"}};

static const struct laser_names gemma2_names = {.prefix = {"model.", ""},
                                                .layer = "layers.",
                                                .embed = "embed_tokens",
                                                .final_norm = "norm",
                                                .head = "lm_head",
                                                .attention_norm = "input_layernorm",
                                                .post_attention_norm = "post_attention_layernorm",
                                                .mlp_norm = "pre_feedforward_layernorm",
                                                .post_mlp_norm = "post_feedforward_layernorm",
                                                SEPARATE_QKV,
                                                .o = "self_attn.o_proj",
                                                GATED_MLP,
                                                .ignored = {"rotary_emb.inv_freq"}};

static const struct laser_names gpt2_names = {.prefix = {"transformer.", ""},
                                              .layer = "h.",
                                              .embed = "wte",
                                              .positions = "wpe",
                                              .final_norm = "ln_f",
                                              .head = "lm_head",
                                              .attention_norm = "ln_1",
                                              .mlp_norm = "ln_2",
                                              .qkv = "attn.c_attn",
                                              .o = "attn.c_proj",
                                              .up = "mlp.c_fc",
                                              .down = "mlp.c_proj",
                                              .ignored = {".attn.bias", ".attn.masked_bias"}};

static const struct laser_names gptj_names = {
    .prefix = {"transformer.", ""},
    .layer = "h.",
    .embed = "wte",
    .final_norm = "ln_f",
    .head = "lm_head",
    .attention_norm = "ln_1",
    .q = "attn.q_proj",
    .k = "attn.k_proj",
    .v = "attn.v_proj",
    .o = "attn.out_proj",
    .up = "mlp.fc_in",
    .down = "mlp.fc_out",
    .ignored = {".attn.bias", ".attn.masked_bias", ".attn.embed_positions"}};

static const struct laser_names neox_names = {
    .prefix = {"gpt_neox.", ""},
    .layer = "layers.",
    .embed = "embed_in",
    .final_norm = "final_layer_norm",
    .head = "embed_out",
    .attention_norm = "input_layernorm",
    .mlp_norm = "post_attention_layernorm",
    .qkv = "attention.query_key_value",
    .o = "attention.dense",
    .up = "mlp.dense_h_to_4h",
    .down = "mlp.dense_4h_to_h",
    .ignored = {".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"}};

static const struct laser_names roberta_names = {.prefix = {"roberta.", ""},
                                                 .layer = "encoder.layer.",
                                                 .embed = "embeddings.word_embeddings",
                                                 .positions = "embeddings.position_embeddings",
                                                 .types = "embeddings.token_type_embeddings",
                                                 .embed_norm = "embeddings.LayerNorm",
                                                 .head = "lm_head.decoder",
                                                 .head_bias = "lm_head.bias",
                                                 .head_dense = "lm_head.dense",
                                                 .head_norm = "lm_head.layer_norm",
                                                 .q = "attention.self.query",
                                                 .k = "attention.self.key",
                                                 .v = "attention.self.value",
                                                 .o = "attention.output.dense",
                                                 .post_attention_norm = "attention.output.LayerNorm",
                                                 .up = "intermediate.dense",
                                                 .down = "output.dense",
                                                 .post_mlp_norm = "output.LayerNorm",
                                                 .ignored = {"embeddings.position_ids", "pooler.dense.weight",
                                                             "pooler.dense.bias", "lm_head.decoder.bias"}};

static const struct laser_keys common_keys = {
    "hidden_size",       "num_hidden_layers",       "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "max_position_embeddings", "rms_norm_eps",        "hidden_act"};
static const struct laser_keys gemma2_keys = {
    "hidden_size",       "num_hidden_layers",       "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "max_position_embeddings", "rms_norm_eps",        "hidden_activation"};
static const struct laser_keys phi_keys = {
    "hidden_size",       "num_hidden_layers",       "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "max_position_embeddings", "layer_norm_eps",      "hidden_act"};
static const struct laser_keys neox_keys = {
    "hidden_size",       "num_hidden_layers",       "num_attention_heads", NULL,        NULL,
    "intermediate_size", "max_position_embeddings", "layer_norm_eps",      "hidden_act"};
static const struct laser_keys gpt_keys = {"n_embd",
                                           "n_layer",
                                           "n_head",
                                           NULL,
                                           NULL,
                                           "n_inner",
                                           "n_positions",
                                           "layer_norm_epsilon",
                                           "activation_function"};

#define ALWAYS                                                                                               \
    {                                                                                                        \
        NULL, true                                                                                           \
    }
#define SWITCH(key, otherwise)                                                                               \
    {                                                                                                        \
        key, otherwise                                                                                       \
    }
#define TIED(otherwise) .tied = SWITCH("tie_word_embeddings", otherwise)

/* What most share. */
#define LLAMA_LIKE .norm = LASER_NORM_RMS, .gated = true, .partial = 1

#define ROBERTA_LIKE                                                                                         \
    .names = &roberta_names, .keys = &neox_keys, .norm = LASER_NORM_LAYER, .residual = LASER_RESIDUAL_POST,  \
    .masked = true, .positions = 512, .guards = laser_config_guards_masked, .eps = 1e-12, TIED(true),        \
    .q_bias = ALWAYS, .o_bias = ALWAYS, .mlp_bias = ALWAYS, .head_bias = true, .activation = "gelu"

static const struct laser_family families[] = {
    {.model_type = "llama",
     .positions = 2048,
     .guards = laser_config_guards_causal,
     .names = &llama_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "silu",
     .eps = 1e-6,
     TIED(false),
     .q_bias = SWITCH("attention_bias", false),
     .o_bias = SWITCH("attention_bias", false),
     .mlp_bias = SWITCH("mlp_bias", false)},
    {.model_type = "mistral",
     .positions = 131072,
     .guards = laser_config_guards_causal,
     .names = &llama_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "silu",
     .eps = 1e-6,
     TIED(false),
     .kv_heads = 8,
     .window = 4096,
     .window_rule = LASER_WINDOW_ALL},
    {.model_type = "qwen2",
     .positions = 32768,
     .guards = laser_config_guards_causal,
     .names = &llama_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "silu",
     .eps = 1e-6,
     TIED(false),
     .q_bias = ALWAYS,
     .kv_heads = 32,
     .window = 4096,
     .window_rule = LASER_WINDOW_UPPER},
    {.model_type = "qwen3",
     .positions = 32768,
     .guards = laser_config_guards_causal,
     .names = &qwen3_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "silu",
     .eps = 1e-6,
     TIED(false),
     .q_bias = SWITCH("attention_bias", false),
     .o_bias = SWITCH("attention_bias", false),
     .qk_norm = ALWAYS,
     .kv_heads = 32,
     .head_size = 128,
     .window = 4096,
     .window_rule = LASER_WINDOW_UPPER},
    {.model_type = "mixtral",
     .positions = 131072,
     .guards = laser_config_guards_causal,
     .aliases = laser_config_aliases_experts,
     .names = &mixtral_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 1e6,
     .activation = "silu",
     .eps = 1e-5,
     TIED(false),
     .kv_heads = 8,
     .window_rule = LASER_WINDOW_ALL,
     .moe = LASER_MOE_MIXTRAL},
    {.model_type = "qwen2_moe",
     .positions = 32768,
     .guards = laser_config_guards_causal,
     .names = &qwen2_moe_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "silu",
     .eps = 1e-6,
     TIED(false),
     .q_bias = SWITCH("qkv_bias", true),
     .kv_heads = 16,
     .window = 4096,
     .window_rule = LASER_WINDOW_LOWER_EVEN,
     .moe = LASER_MOE_QWEN2},
    {.model_type = "qwen3_moe",
     .positions = 32768,
     .guards = laser_config_guards_causal,
     .aliases = laser_config_aliases_experts,
     .names = &qwen3_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "silu",
     .eps = 1e-6,
     TIED(false),
     .q_bias = SWITCH("attention_bias", false),
     .o_bias = SWITCH("attention_bias", false),
     .qk_norm = ALWAYS,
     .kv_heads = 4,
     .window = 4096,
     .window_rule = LASER_WINDOW_SWITCHED,
     .moe = LASER_MOE_QWEN3},
    {.model_type = "phi",
     .positions = 2048,
     .guards = laser_config_guards_causal,
     .names = &phi_names,
     .keys = &phi_keys,
     .norm = LASER_NORM_LAYER,
     .residual = LASER_RESIDUAL_PARALLEL_SHARED,
     .eps = 1e-5,
     TIED(false),
     .q_bias = ALWAYS,
     .o_bias = ALWAYS,
     .mlp_bias = ALWAYS,
     .head_bias = true,
     .qk_norm = SWITCH("qk_layernorm", false),
     .theta = 10000,
     .partial = 0.5,
     .partial_rope = true,
     .activation = "gelu_new"},
    {.model_type = "phi3",
     .positions = 4096,
     .guards = laser_config_guards_causal,
     .names = &phi3_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "silu",
     .eps = 1e-5,
     TIED(false),
     .qkv_layout = LASER_QKV_STACKED,
     .partial_rope = true,
     .window_rule = LASER_WINDOW_ALL},
    {.model_type = "gemma",
     .positions = 8192,
     .guards = laser_config_guards_causal,
     .names = &llama_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "gelu_pytorch_tanh",
     .eps = 1e-6,
     TIED(true),
     .q_bias = SWITCH("attention_bias", false),
     .o_bias = SWITCH("attention_bias", false),
     .norm_plus_one = true,
     .embed_scaled = true,
     .kv_heads = 16,
     .head_size = 256},
    {.model_type = "gemma2",
     .positions = 8192,
     .guards = laser_config_guards_causal,
     .names = &gemma2_names,
     LLAMA_LIKE,
     .theta = 10000,
     .keys = &gemma2_keys,
     .activation = "gelu_pytorch_tanh",
     .eps = 1e-6,
     TIED(true),
     .q_bias = SWITCH("attention_bias", false),
     .o_bias = SWITCH("attention_bias", false),
     .norm_plus_one = true,
     .embed_scaled = true,
     .kv_heads = 4,
     .head_size = 256,
     .window = 4096,
     .window_rule = LASER_WINDOW_EVEN},
    {.model_type = "gpt2",
     .positions = 1024,
     .guards = laser_config_guards_gpt2,
     .aliases = laser_config_aliases_gpt,
     .names = &gpt2_names,
     .keys = &gpt_keys,
     .norm = LASER_NORM_LAYER,
     .qkv_layout = LASER_QKV_STACKED,
     .transposed = true,
     .eps = 1e-5,
     TIED(true),
     .q_bias = ALWAYS,
     .o_bias = ALWAYS,
     .mlp_bias = ALWAYS,
     .activation = "gelu_new"},
    {.model_type = "gptj",
     .positions = 2048,
     .guards = laser_config_guards_causal,
     .aliases = laser_config_aliases_gpt,
     .names = &gptj_names,
     .keys = &gpt_keys,
     .norm = LASER_NORM_LAYER,
     .residual = LASER_RESIDUAL_PARALLEL_SHARED,
     .rope_interleaved = true,
     .theta = 10000,
     .partial = 1,
     .eps = 1e-5,
     TIED(false),
     .mlp_bias = ALWAYS,
     .head_bias = true,
     .activation = "gelu_new"},
    {.model_type = "gpt_neox",
     .positions = 2048,
     .guards = laser_config_guards_causal,
     .head_size_fixed = true,
     .names = &neox_names,
     .keys = &neox_keys,
     .norm = LASER_NORM_LAYER,
     .qkv_layout = LASER_QKV_BY_HEAD,
     .residual = LASER_RESIDUAL_PARALLEL,
     .residual_key = "use_parallel_residual",
     .eps = 1e-5,
     TIED(false),
     .q_bias = SWITCH("attention_bias", true),
     .o_bias = SWITCH("attention_bias", true),
     .mlp_bias = ALWAYS,
     .theta = 10000,
     .partial = 0.25,
     .partial_rope = true,
     .theta_key = "rotary_emb_base",
     .partial_key = "rotary_pct",
     .activation = "gelu"},
    {.model_type = "roberta", ROBERTA_LIKE},
    {.model_type = "xlm-roberta", ROBERTA_LIKE},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

const struct laser_family *laser_family_find(const char *model_type)
{
    for (int i = 0; i < FAMILIES; i++)
        if (strcmp(families[i].model_type, model_type) == 0)
            return &families[i];
    return NULL;
}

const char *const *laser_arch_types(void)
{
    static const char *types[FAMILIES + 1];

    for (int i = 0; i < FAMILIES; i++)
        types[i] = families[i].model_type;
    return types;
}
