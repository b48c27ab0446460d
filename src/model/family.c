#include "model/family.h"

#include <string.h>

#define LLAMA_LAYER                                                                                                \
    .layer = "layers.%d.", .embed = "embed_tokens", .final_norm = "norm", .head = "lm_head",                       \
    .attention_norm = "input_layernorm", .mlp_norm = "post_attention_layernorm", .o = "self_attn.o_proj"
#define SEPARATE_QKV .q = "self_attn.q_proj", .k = "self_attn.k_proj", .v = "self_attn.v_proj"
#define GATED_MLP    .gate = "mlp.gate_proj", .up = "mlp.up_proj", .down = "mlp.down_proj"

static const struct laser_names llama_names = {
    .prefix = {"model.", ""}, LLAMA_LAYER, SEPARATE_QKV, GATED_MLP, .ignored = {"rotary_emb.inv_freq"}};

static const struct laser_names qwen3_names = {.prefix = {"model.", ""},
                                               LLAMA_LAYER,
                                               SEPARATE_QKV,
                                               GATED_MLP,
                                               .q_norm = "self_attn.q_norm",
                                               .k_norm = "self_attn.k_norm",
                                               .router = "mlp.gate",
                                               .expert = "mlp.experts.%d.",
                                               .expert_gate = "gate_proj",
                                               .expert_up = "up_proj",
                                               .expert_down = "down_proj"};

static const struct laser_names qwen2_moe_names = {.prefix = {"model.", ""},
                                                   LLAMA_LAYER,
                                                   SEPARATE_QKV,
                                                   GATED_MLP,
                                                   .router = "mlp.gate",
                                                   .expert = "mlp.experts.%d.",
                                                   .expert_gate = "gate_proj",
                                                   .expert_up = "up_proj",
                                                   .expert_down = "down_proj",
                                                   .shared_gate = "mlp.shared_expert.gate_proj",
                                                   .shared_up = "mlp.shared_expert.up_proj",
                                                   .shared_down = "mlp.shared_expert.down_proj",
                                                   .shared_router = "mlp.shared_expert_gate"};

static const struct laser_names mixtral_names = {.prefix = {"model.", ""},
                                                 LLAMA_LAYER,
                                                 SEPARATE_QKV,
                                                 .router = "block_sparse_moe.gate",
                                                 .expert = "block_sparse_moe.experts.%d.",
                                                 .expert_gate = "w1",
                                                 .expert_up = "w3",
                                                 .expert_down = "w2",
                                                 .ignored = {"rotary_emb.inv_freq"}};

static const struct laser_names phi_names = {.prefix = {"model.", ""},
                                             .layer = "layers.%d.",
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
                                                .layer = "layers.%d.",
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
                                              .layer = "h.%d.",
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

static const struct laser_names gptj_names = {.prefix = {"transformer.", ""},
                                              .layer = "h.%d.",
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
    .layer = "layers.%d.",
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

static const struct laser_keys common_keys = {
    "hidden_size", "num_hidden_layers",       "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "max_position_embeddings", "rms_norm_eps",        "hidden_act"};
static const struct laser_keys gemma2_keys = {
    "hidden_size", "num_hidden_layers",       "num_attention_heads", "num_key_value_heads", "head_dim",
    "intermediate_size", "max_position_embeddings", "rms_norm_eps",        "hidden_activation"};
static const struct laser_keys phi_keys = {
    "hidden_size", "num_hidden_layers",       "num_attention_heads", "num_key_value_heads", NULL,
    "intermediate_size", "max_position_embeddings", "layer_norm_eps",      "hidden_act"};
static const struct laser_keys neox_keys = {
    "hidden_size", "num_hidden_layers",       "num_attention_heads", NULL, NULL,
    "intermediate_size", "max_position_embeddings", "layer_norm_eps",      "hidden_act"};
static const struct laser_keys gpt_keys = {"n_embd",  "n_layer",     "n_head",             NULL,
                                           NULL,      "n_inner",     "n_positions",        "layer_norm_epsilon",
                                           "activation_function"};

#define ALWAYS                                                                                                     \
    {                                                                                                              \
        NULL, true                                                                                                 \
    }
#define SWITCH(key, otherwise)                                                                                     \
    {                                                                                                              \
        key, otherwise                                                                                             \
    }
#define TIED(otherwise) .tied = SWITCH("tie_word_embeddings", otherwise)

/* What most share. */
#define LLAMA_LIKE .norm = LASER_NORM_RMS, .gated = true, .partial = 1

static const struct laser_family families[] = {
    {.model_type = "llama",
     .names = &llama_names,
     LLAMA_LIKE,
     .keys = &common_keys,
     .theta = 10000,
     .activation = "silu",
     .eps = 1e-6,
     TIED(false),
     .q_bias = SWITCH("attention_bias", false),
     .o_bias = SWITCH("attention_bias", false),
     .mlp_bias = SWITCH("mlp_bias", false),
     .harmless = {"pretraining_tp"}},
    {.model_type = "mistral",
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
     .moe = LASER_MOE_QWEN3,
     .harmless = {"max_window_layers"}},
    {.model_type = "phi",
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
     .head_size = 256,
     .harmless = {"hidden_activation"}},
    {.model_type = "gemma2",
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
     .window_rule = LASER_WINDOW_EVEN,
     .harmless = {"hidden_act", "sliding_window_size", "cache_implementation"}},
    {.model_type = "gpt2",
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
     .activation = "gelu_new",
     .harmless = {"n_ctx", "reorder_and_upcast_attn"}},
    {.model_type = "gptj",
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
     .activation = "gelu_new",
     .harmless = {"n_ctx", "rotary", "scale_attn_weights"}},
    {.model_type = "gpt_neox",
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
    static const char *const types[] = {"llama", "mistral", "qwen2",  "qwen3", "mixtral", "qwen2_moe", "qwen3_moe",
                                        "phi",   "phi3",    "gemma",  "gemma2", "gpt2",   "gptj",      "gpt_neox",
                                        NULL};
    return types;
}

const char *const laser_family_harmless[] = {
    "architectures", "model_type", "transformers_version", "_name_or_path", "_attn_implementation*",
    "_commit_hash", "torch_dtype", "dtype", "use_cache", "initializer_range", "initializer_factor", "auto_map",
    "bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "sep_token_id", "decoder_start_token_id",
    "attention_dropout", "hidden_dropout", "resid_pdrop", "embd_pdrop", "attn_pdrop", "classifier_dropout",
    "resid_dropout", "embd_dropout", "output_router_logits", "router_aux_loss_coef", "router_jitter_noise",
    "output_attentions", "output_hidden_states", "return_dict", "summary_*", "id2label", "label2id", "num_labels",
    "task_specific_params", "problem_type", "tokenizer_class", "gradient_checkpointing", "torchscript",
    "use_flash_attn", "flash_attn", "flash_rotary", "fused_dense", "unsloth_*", "max_length", "min_length",
    "do_sample", "num_beams", "temperature", "top_k", "top_p", "typical_p", "repetition_penalty", "length_penalty",
    "num_return_sequences", "diversity_penalty", "chunk_size_feed_forward", "num_beam_groups",
    "early_stopping", "prefix", "finetuning_task", "encoder_no_repeat_ngram_size", "no_repeat_ngram_size",
    "remove_invalid_values", "suppress_tokens", "begin_suppress_tokens", "bad_words_ids", NULL};
