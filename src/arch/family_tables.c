#include "arch/family.h"

#include <stdio.h>
#include <string.h>

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
    "hidden_size",       "num_hidden_layers",       "num_attention_heads", "num_key_value_heads", NULL,
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
    .masked = true, .eps = 1e-12, TIED(true), .q_bias = ALWAYS, .o_bias = ALWAYS, .mlp_bias = ALWAYS,        \
    .head_bias = true, .activation = "gelu"

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
     .window_rule = LASER_WINDOW_ALL,
     .harmless = {"full_attn_mod", "interpolate_factor"}},
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
     .stored = {.conv1d = true},
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
     .stored = {.fused = LASER_FUSED_BY_HEAD},
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

    /* scanned only */
    {.model_type = "gpt_neox_japanese", .stored = {.fused = LASER_FUSED_BY_HEAD}},
    {.model_type = "bloom", .stored = {.fused = LASER_FUSED_BY_HEAD}},
    {.model_type = "persimmon", .stored = {.fused = LASER_FUSED_BY_HEAD}},
    {.model_type = "chatglm", .stored = {.fused = LASER_FUSED_CONTIGUOUS}},
    {.model_type = "falcon", .stored = {.fused = LASER_FUSED_FALCON}},
    {.model_type = "RefinedWeb", .stored = {.fused = LASER_FUSED_FALCON}},
    {.model_type = "RefinedWebModel", .stored = {.fused = LASER_FUSED_FALCON}},
    {.model_type = "gpt_bigcode", .stored = {.fused = LASER_FUSED_BIGCODE}},
    {.model_type = "codegen", .stored = {.fused = LASER_FUSED_CODEGEN}},
    {.model_type = "openai-gpt", .stored = {.conv1d = true}},
    {.model_type = "imagegpt", .stored = {.conv1d = true}},
    {.model_type = "decision_transformer", .stored = {.conv1d = true}},
    {.model_type = "gpt_oss", .stored = {.turned_stacks = true, .interleaved_gate_up = true}},
    {.model_type = "llama4", .stored = {.turned_stacks = true}},
    {.model_type = "llama4_text", .stored = {.turned_stacks = true}},
};

enum { FAMILIES = sizeof families / sizeof families[0] };

static const struct laser_family *find_row(const char *model_type)
{
    for (int i = 0; model_type && i < FAMILIES; i++)
        if (strcmp(families[i].model_type, model_type) == 0)
            return &families[i];
    return NULL;
}

const struct laser_family *laser_family_find(const char *model_type)
{
    const struct laser_family *row = find_row(model_type);

    return row && row->names ? row : NULL;
}

const struct laser_stored *laser_stored_of(json_t *config)
{
    static const struct laser_stored plain;
    json_t *text = json_object_get(config, "text_config");
    const struct laser_family *row = find_row(json_string_value(json_object_get(text, "model_type")));

    if (!row)
        row = find_row(json_string_value(json_object_get(config, "model_type")));
    return row ? &row->stored : &plain;
}

const char *const *laser_arch_types(void)
{
    static const char *types[FAMILIES + 1];

    for (int i = 0, n = 0; i < FAMILIES; i++)
        if (families[i].names)
            types[n++] = families[i].model_type;
    return types;
}

/* Adds prefix + name + ".weight" to a list of distinct names. */
static void add_name(struct laser_end_names *list, const char *prefix, const char *name)
{
    char *text = list->text[list->n];

    snprintf(text, sizeof list->text[0], "%s%s.weight", prefix, name);
    for (int i = 0; i < list->n; i++)
        if (strcmp(list->text[i], text) == 0)
            return;
    if (list->n + 1 < LASER_END_NAMES)
        list->names[list->n++] = text;
}

const struct laser_end_names *laser_arch_ends(void)
{
    static struct laser_end_names ends[2];

    if (ends[0].n > 0)
        return ends;
    for (int i = 0; i < FAMILIES; i++)
        if (families[i].names)
            add_name(&ends[0], "", families[i].names->head);
    for (int i = 0; i < FAMILIES; i++)
        for (int k = 0; families[i].names && k < 2; k++)
            if (families[i].names->prefix[k])
                add_name(&ends[1], families[i].names->prefix[k], families[i].names->embed);
    add_name(&ends[1], "model.language_model.", "embed_tokens");
    return ends;
}

/* What configurations on the hub carry besides the model: bookkeeping, training, generation, dropout. */
const char *const laser_family_harmless[] = {"architectures",
                                             "model_type",
                                             "transformers_version",
                                             "transformers.js_config",
                                             "_*",
                                             "torch_dtype",
                                             "dtype",
                                             "use_cache",
                                             "initializer_range",
                                             "initializer_factor",
                                             "auto_map",
                                             "bos_token_id",
                                             "eos_token_id",
                                             "pad_token_id",
                                             "unk_token_id",
                                             "sep_token_id",
                                             "decoder_start_token_id",
                                             "attention_dropout",
                                             "attention_probs_dropout_prob",
                                             "hidden_dropout",
                                             "hidden_dropout_prob",
                                             "resid_pdrop",
                                             "embd_pdrop",
                                             "attn_pdrop",
                                             "classifier_dropout",
                                             "resid_dropout",
                                             "embd_dropout",
                                             "output_router_logits",
                                             "router_aux_loss_coef",
                                             "router_jitter_noise",
                                             "output_attentions",
                                             "output_hidden_states",
                                             "return_dict",
                                             "summary_*",
                                             "id2label",
                                             "label2id",
                                             "num_labels",
                                             "task_specific_params",
                                             "problem_type",
                                             "tokenizer_class",
                                             "gradient_checkpointing",
                                             "torchscript",
                                             "use_flash_attn",
                                             "flash_attn",
                                             "flash_rotary",
                                             "fused_dense",
                                             "unsloth_*",
                                             "is_llama_config",
                                             "neftune_noise_alpha",
                                             "max_length",
                                             "min_length",
                                             "do_sample",
                                             "num_beams",
                                             "num_beam_groups",
                                             "temperature",
                                             "top_k",
                                             "top_p",
                                             "typical_p",
                                             "repetition_penalty",
                                             "length_penalty",
                                             "diversity_penalty",
                                             "num_return_sequences",
                                             "early_stopping",
                                             "encoder_no_repeat_ngram_size",
                                             "no_repeat_ngram_size",
                                             "remove_invalid_values",
                                             "suppress_tokens",
                                             "begin_suppress_tokens",
                                             "bad_words_ids",
                                             "chunk_size_feed_forward",
                                             "prefix",
                                             "finetuning_task",
                                             "seq_length",
                                             "model_max_length",
                                             NULL};
