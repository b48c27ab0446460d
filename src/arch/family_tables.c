#include "arch/family.h"

#include <stdio.h>
#include <string.h>

#include "arch/options.h"

/* A row is what most share and then its differences. */
#if defined(__clang__)
#pragma clang diagnostic ignored "-Winitializer-overrides"
#elif defined(__GNUC__)
#pragma GCC diagnostic ignored "-Woverride-init"
#endif

/* The tables are laid out by hand, a row a paragraph. */
/* clang-format off */

/* ---- names ---- */

#define LLAMA_ENDS                                                                                           \
    .prefix = {"model.", ""}, .layer = "layers.", .embed = "embed_tokens", .final_norm = "norm",             \
    .head = "lm_head"
#define LLAMA_LAYER                                                                                          \
    .attention_norm = "input_layernorm", .mlp_norm = "post_attention_layernorm", .o = "self_attn.o_proj"
#define POST_LAYER                                                                                           \
    .post_attention_norm = "post_attention_layernorm", .post_mlp_norm = "post_feedforward_layernorm",        \
    .o = "self_attn.o_proj"
#define SANDWICH_LAYER                                                                                       \
    .attention_norm = "input_layernorm", .post_attention_norm = "post_attention_layernorm",                  \
    .mlp_norm = "pre_feedforward_layernorm", .post_mlp_norm = "post_feedforward_layernorm",                  \
    .o = "self_attn.o_proj"
#define GLM4_LAYER                                                                                           \
    LLAMA_LAYER, .post_attention_norm = "post_self_attn_layernorm", .post_mlp_norm = "post_mlp_layernorm"
#define SEPARATE_QKV  .q = "self_attn.q_proj", .k = "self_attn.k_proj", .v = "self_attn.v_proj"
#define QK_NORMS      .q_norm = "self_attn.q_norm", .k_norm = "self_attn.k_norm"
#define QK_LAYERNORMS .q_norm = "self_attn.query_layernorm", .k_norm = "self_attn.key_layernorm"
#define GATED_MLP     .gate = "mlp.gate_proj", .up = "mlp.up_proj", .down = "mlp.down_proj"
#define PLAIN_MLP     .up = "mlp.up_proj", .down = "mlp.down_proj"
#define FUSED_MLP     .gate_up = "mlp.gate_up_proj", .down = "mlp.down_proj"
#define EXPERT_STACKS                                                                                        \
    .stack_gate_up = "mlp.experts.gate_up_proj", .stack_down = "mlp.experts.down_proj",                      \
    .stack_router = "mlp.gate"
#define EXPERTS                                                                                              \
    .router = "mlp.gate", .expert = "mlp.experts.", .expert_gate = "gate_proj", .expert_up = "up_proj",      \
    .expert_down = "down_proj", EXPERT_STACKS
#define MIXTRAL_EXPERTS                                                                                      \
    .router = "block_sparse_moe.gate", .expert = "block_sparse_moe.experts.", .expert_gate = "w1",           \
    .expert_up = "w3", .expert_down = "w2", EXPERT_STACKS
#define GRANITE_EXPERTS                                                                                      \
    .stack_gate_up = "block_sparse_moe.input_linear.weight",                                                 \
    .stack_down = "block_sparse_moe.output_linear.weight", .stack_router = "block_sparse_moe.router.layer"
#define GRANITE_SHARED .shared_gate_up = "shared_mlp.input_linear", .shared_down = "shared_mlp.output_linear"
#define SHARED_EXPERT                                                                                        \
    .shared_gate = "mlp.shared_expert.gate_proj", .shared_up = "mlp.shared_expert.up_proj",                  \
    .shared_down = "mlp.shared_expert.down_proj"
#define SHARED_EXPERTS                                                                                       \
    .shared_gate = "mlp.shared_experts.gate_proj", .shared_up = "mlp.shared_experts.up_proj",                \
    .shared_down = "mlp.shared_experts.down_proj"
#define CORRECTION        .correction = "mlp.gate.e_score_correction_bias"
#define SINKS             .sinks = "self_attn.sinks"
#define ROUTED_CORRECTION .correction = "mlp.e_score_correction_bias"
#define LATENT_QKV                                                                                           \
    .q_down = "self_attn.q_a_proj", .q_down_norm = "self_attn.q_a_layernorm", .q = "self_attn.q_b_proj",     \
    .qkv = "self_attn.q_proj", .kv_down = "self_attn.kv_a_proj_with_mqa",                                    \
    .kv_down_norm = "self_attn.kv_a_layernorm", .kv_up = "self_attn.kv_b_proj"
#define NO_FREQUENCIES .ignored = {"rotary_emb.inv_freq"}
#define NAMES(name)    static const struct laser_names name##_names

NAMES(llama) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, GATED_MLP, NO_FREQUENCIES};
NAMES(arcee) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, PLAIN_MLP, NO_FREQUENCIES};
NAMES(qwen3) = {LLAMA_ENDS, LLAMA_LAYER,    SEPARATE_QKV, GATED_MLP, QK_NORMS,
                EXPERTS,    SHARED_EXPERTS, CORRECTION,   SINKS};
NAMES(flint) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV,  GATED_MLP,
                QK_NORMS,   EXPERTS,     SHARED_EXPERT, .sinks = "self_attn.softmax_offset"};
NAMES(exaone_moe) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV,   GATED_MLP,
                     QK_NORMS,   EXPERTS,     SHARED_EXPERTS, ROUTED_CORRECTION};
NAMES(granite_swa_moe) = {LLAMA_ENDS,
                          LLAMA_LAYER,
                          SEPARATE_QKV,
                          GRANITE_SHARED,
                          SINKS,
                          .stack_gate_up = "block_sparse_moe.experts.gate_up_proj",
                          .stack_down = "block_sparse_moe.experts.down_proj",
                          .stack_router = "block_sparse_moe.router"};
NAMES(hunyuan) = {LLAMA_ENDS,
                  LLAMA_LAYER,
                  SEPARATE_QKV,
                  GATED_MLP,
                  QK_LAYERNORMS,
                  .router = "mlp.gate.wg",
                  .expert = "mlp.experts.",
                  .expert_gate = "gate_proj",
                  .expert_up = "up_proj",
                  .expert_down = "down_proj",
                  .stack_gate_up = "mlp.experts.gate_up_proj",
                  .stack_down = "mlp.experts.down_proj",
                  .stack_router = "mlp.gate.wg",
                  .shared_gate = "mlp.shared_mlp.gate_proj",
                  .shared_up = "mlp.shared_mlp.up_proj",
                  .shared_down = "mlp.shared_mlp.down_proj"};
NAMES(qwen2_moe) = {LLAMA_ENDS,
                    LLAMA_LAYER,
                    SEPARATE_QKV,
                    GATED_MLP,
                    EXPERTS,
                    SHARED_EXPERT,
                    .shared_router = "mlp.shared_expert_gate"};
NAMES(mixtral) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, MIXTRAL_EXPERTS, NO_FREQUENCIES};
NAMES(minimax_m2) = {LLAMA_ENDS,      LLAMA_LAYER, SEPARATE_QKV,
                     MIXTRAL_EXPERTS, QK_NORMS,    .correction = "block_sparse_moe.e_score_correction_bias"};
NAMES(granite_moe) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, GRANITE_EXPERTS, GRANITE_SHARED, NO_FREQUENCIES};
NAMES(granite) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, GATED_MLP, SINKS, NO_FREQUENCIES};
NAMES(hyperclovax) = {LLAMA_ENDS,
                      LLAMA_LAYER,
                      SEPARATE_QKV,
                      GATED_MLP,
                      .post_attention_norm = "post_norm1",
                      .post_mlp_norm = "post_norm2",
                      NO_FREQUENCIES};
NAMES(ernie_moe) = {LLAMA_ENDS,
                    LLAMA_LAYER,
                    SEPARATE_QKV,
                    GATED_MLP,
                    EXPERTS,
                    SHARED_EXPERTS,
                    .correction = "mlp.moe_statics.e_score_correction_bias"};
NAMES(hy_v3) = {LLAMA_ENDS,
                LLAMA_LAYER,
                SEPARATE_QKV,
                GATED_MLP,
                QK_NORMS,
                EXPERTS,
                .router = "mlp.router.gate",
                .correction = "mlp.expert_bias",
                .shared_gate = "mlp.shared_mlp.gate_proj",
                .shared_up = "mlp.shared_mlp.up_proj",
                .shared_down = "mlp.shared_mlp.down_proj"};
NAMES(olmo2) = {LLAMA_ENDS, POST_LAYER, SEPARATE_QKV, GATED_MLP, QK_NORMS, EXPERTS};
NAMES(kolibri) = {LLAMA_ENDS,
                  LLAMA_LAYER,
                  .post_attention_norm = "post_attn_norm",
                  .post_mlp_norm = "post_ffn_norm",
                  SEPARATE_QKV,
                  GATED_MLP,
                  QK_NORMS,
                  EXPERTS,
                  SHARED_EXPERTS,
                  .correction = "moe.router.expert_bias"};
NAMES(olmo) = {LLAMA_ENDS, SEPARATE_QKV, .o = "self_attn.o_proj", GATED_MLP, NO_FREQUENCIES};
NAMES(nanochat) = {LLAMA_ENDS, SEPARATE_QKV, .o = "self_attn.o_proj", .up = "mlp.fc1", .down = "mlp.fc2"};
NAMES(cohere) = {LLAMA_ENDS,
                 .attention_norm = "input_layernorm",
                 .o = "self_attn.o_proj",
                 SEPARATE_QKV,
                 GATED_MLP,
                 QK_NORMS,
                 EXPERTS,
                 SHARED_EXPERTS,
                 NO_FREQUENCIES};
NAMES(stablelm) = {LLAMA_ENDS,
                   LLAMA_LAYER,
                   SEPARATE_QKV,
                   GATED_MLP,
                   .q_norm = "self_attn.q_layernorm.norms.",
                   .k_norm = "self_attn.k_layernorm.norms.",
                   NO_FREQUENCIES};
NAMES(starcoder2) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, .up = "mlp.c_fc", .down = "mlp.c_proj"};
NAMES(apertus) = {LLAMA_ENDS,
                  .attention_norm = "attention_layernorm",
                  .mlp_norm = "feedforward_layernorm",
                  .o = "self_attn.o_proj",
                  SEPARATE_QKV,
                  PLAIN_MLP,
                  QK_NORMS,
                  .activation = "mlp.act_fn."};
NAMES(phi) = {.prefix = {"model.", ""},
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
              NO_FREQUENCIES};
NAMES(persimmon) = {.prefix = {"model.", ""},
                    .layer = "layers.",
                    .embed = "embed_tokens",
                    .final_norm = "final_layernorm",
                    .head = "lm_head",
                    .attention_norm = "input_layernorm",
                    .mlp_norm = "post_attention_layernorm",
                    .qkv = "self_attn.query_key_value",
                    .o = "self_attn.dense",
                    .q_norm = "self_attn.q_layernorm",
                    .k_norm = "self_attn.k_layernorm",
                    .up = "mlp.dense_h_to_4h",
                    .down = "mlp.dense_4h_to_h",
                    NO_FREQUENCIES};
NAMES(phi3) = {LLAMA_ENDS, LLAMA_LAYER, .qkv = "self_attn.qkv_proj", FUSED_MLP, NO_FREQUENCIES};
NAMES(glm) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, FUSED_MLP, NO_FREQUENCIES};
NAMES(glm4) = {LLAMA_ENDS, GLM4_LAYER, SEPARATE_QKV, FUSED_MLP, NO_FREQUENCIES};
NAMES(gemma2) = {LLAMA_ENDS, SANDWICH_LAYER, SEPARATE_QKV, GATED_MLP, QK_NORMS, NO_FREQUENCIES};
NAMES(gemma4) = {LLAMA_ENDS, SANDWICH_LAYER, SEPARATE_QKV, GATED_MLP, QK_NORMS, .layer_scalar = "layer_scalar"};
NAMES(vaultgemma) = {LLAMA_ENDS,
                     .attention_norm = "input_layernorm",
                     .mlp_norm = "pre_feedforward_layernorm",
                     .o = "self_attn.o_proj",
                     SEPARATE_QKV,
                     GATED_MLP};
NAMES(gpt_oss) = {LLAMA_ENDS,
                  LLAMA_LAYER,
                  SEPARATE_QKV,
                  SINKS,
                  .stack_gate_up = "mlp.experts.gate_up_proj",
                  .stack_down = "mlp.experts.down_proj",
                  .stack_gate_up_bias = "mlp.experts.gate_up_proj_bias",
                  .stack_down_bias = "mlp.experts.down_proj_bias",
                  .stack_router = "mlp.router"};
NAMES(llama4) = {LLAMA_ENDS,
                 LLAMA_LAYER,
                 SEPARATE_QKV,
                 .gate = "feed_forward.gate_proj",
                 .up = "feed_forward.up_proj",
                 .down = "feed_forward.down_proj",
                 .stack_gate_up = "feed_forward.experts.gate_up_proj",
                 .stack_down = "feed_forward.experts.down_proj",
                 .stack_router = "feed_forward.router",
                 .shared_gate = "feed_forward.shared_expert.gate_proj",
                 .shared_up = "feed_forward.shared_expert.up_proj",
                 .shared_down = "feed_forward.shared_expert.down_proj"};
NAMES(deepseek) = {LLAMA_ENDS, LLAMA_LAYER,    LATENT_QKV, GATED_MLP,
                   EXPERTS,    SHARED_EXPERTS, CORRECTION, NO_FREQUENCIES};
NAMES(indexed) = {LLAMA_ENDS, LLAMA_LAYER, LATENT_QKV, GATED_MLP, EXPERTS, SHARED_EXPERTS, CORRECTION,
    .ignored = {"self_attn.indexer.wq_b.weight", "self_attn.indexer.wk.weight", "self_attn.indexer.weights_proj.weight",
                "self_attn.indexer.k_norm.weight", "self_attn.indexer.k_norm.bias", "rotary_emb.inv_freq"}};

#define DELTA                                                                                                \
    .delta_conv = "linear_attn.conv1d.weight", .delta_dt = "linear_attn.dt_bias",                            \
    .delta_decay = "linear_attn.A_log", .delta_norm = "linear_attn.norm.weight",                             \
    .delta_out = "linear_attn.out_proj", .foreign = "mtp."
NAMES(qwen3_next) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, GATED_MLP, QK_NORMS, EXPERTS, SHARED_EXPERT,
    .shared_router = "mlp.shared_expert_gate", DELTA, .delta_qkvz = "linear_attn.in_proj_qkvz",
    .delta_ba = "linear_attn.in_proj_ba"};
NAMES(qwen3_5) = {LLAMA_ENDS, .prefix = {"model.", "model.language_model."}, LLAMA_LAYER, SEPARATE_QKV, GATED_MLP,
    QK_NORMS, EXPERTS, SHARED_EXPERT, .shared_router = "mlp.shared_expert_gate", DELTA,
    .delta_qkv = "linear_attn.in_proj_qkv", .delta_z = "linear_attn.in_proj_z", .delta_b = "linear_attn.in_proj_b",
    .delta_a = "linear_attn.in_proj_a"};

#define MIX_(at) .mix_in = at "in_proj", .mix_conv = at "conv1d", .mix_out = at "out_proj"
#define STATE_SPACE(at)                                                                                      \
    MIX_(at), .mix_dt = at "dt_bias", .mix_decay = at "A_log", .mix_skip = at "D", .mix_norm = at "norm"
#define SELECTIVE(at)                                                                                        \
    MIX_(at), .mix_decay = at "A_log", .mix_skip = at "D", .mix_x = at "x_proj", .mix_step = at "dt_proj",     \
        .mix_step_norm = at "dt_layernorm", .mix_b_norm = at "b_layernorm", .mix_c_norm = at "c_layernorm"
#define BACKBONE                                                                                             \
    .prefix = {"backbone.", ""}, .layer = "layers.", .embed = "embeddings", .final_norm = "norm_f", .head = "lm_head"
#define HYBRID_LAYER                                                                                         \
    .attention_norm = "input_layernorm", .mlp_norm = "pre_ff_layernorm", .o = "self_attn.o_proj", SEPARATE_QKV, \
    .gate = "feed_forward.gate_proj", .up = "feed_forward.up_proj", .down = "feed_forward.down_proj"
#define LFM_LAYER                                                                                            \
    .attention_norm = "operator_norm", .mlp_norm = "ffn_norm", .o = "self_attn.out_proj", SEPARATE_QKV,      \
    .q_norm = "self_attn.q_layernorm", .k_norm = "self_attn.k_layernorm", .gate = "feed_forward.w1",         \
    .up = "feed_forward.w3", .down = "feed_forward.w2", .mix_in = "conv.in_proj", .mix_conv = "conv.conv",   \
    .mix_out = "conv.out_proj"
NAMES(mamba2) = {BACKBONE, .attention_norm = "norm", STATE_SPACE("mixer.")};
NAMES(mamba) = {BACKBONE, .attention_norm = "norm", SELECTIVE("mixer.")};
NAMES(bamba) = {LLAMA_ENDS, .final_norm = "final_layernorm", HYBRID_LAYER, STATE_SPACE("mamba.")};
NAMES(jamba) = {LLAMA_ENDS, .final_norm = "final_layernorm", HYBRID_LAYER, SELECTIVE("mamba."),
    .router = "feed_forward.router", .expert = "feed_forward.experts.", .expert_gate = "gate_proj", .expert_up = "up_proj",
    .expert_down = "down_proj", .stack_router = "feed_forward.router",
    .stack_gate_up = "feed_forward.experts.gate_up_proj", .stack_down = "feed_forward.experts.down_proj"};
NAMES(granite_hybrid) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, GRANITE_EXPERTS, GRANITE_SHARED,
    .gate_up = "shared_mlp.input_linear", .down = "shared_mlp.output_linear", STATE_SPACE("mamba.")};
NAMES(nemotron_h) = {BACKBONE, .attention_norm = "norm", .mlp_norm = "norm", .q = "mixer.q_proj", .k = "mixer.k_proj",
    .v = "mixer.v_proj", .o = "mixer.o_proj", .up = "mixer.up_proj", .down = "mixer.down_proj", STATE_SPACE("mixer."),
    .router = "mixer.gate", .expert = "mixer.experts.", .expert_up = "up_proj", .expert_down = "down_proj",
    .stack_gate_up = "mixer.experts.up_proj", .stack_down = "mixer.experts.down_proj", .stack_router = "mixer.gate",
    .correction = "mixer.gate.e_score_correction_bias", .shared_up = "mixer.shared_experts.up_proj",
    .shared_down = "mixer.shared_experts.down_proj", .moe_down = "mixer.fc1_latent_proj",
    .moe_up = "mixer.fc2_latent_proj", .foreign = "mtp."};
NAMES(minimax) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, MIXTRAL_EXPERTS, .mix_in = "self_attn.qkv_proj",
    .mix_norm = "self_attn.norm", .mix_gate = "self_attn.output_gate", .mix_out = "self_attn.out_proj"};
NAMES(lfm2) = {LLAMA_ENDS, .final_norm = "embedding_norm", LFM_LAYER};
NAMES(lfm2_moe) = {LLAMA_ENDS, .final_norm = "embedding_norm", LFM_LAYER, .router = "feed_forward.gate",
    .expert = "feed_forward.experts.", .expert_gate = "w1", .expert_up = "w3", .expert_down = "w2",
    .stack_gate_up = "feed_forward.experts.gate_up_proj", .stack_down = "feed_forward.experts.down_proj",
    .stack_router = "feed_forward.gate", .correction = "feed_forward.expert_bias"};

NAMES(axk1) = {LLAMA_ENDS, LLAMA_LAYER, .sparse_post_mlp_norm = "post_mlp_layernorm", LATENT_QKV, GATED_MLP, EXPERTS,
    SHARED_EXPERTS, CORRECTION};
NAMES(sarvam_moe) = {.prefix = {"model.", ""}, .layer = "layers.", .embed = "word_embeddings", .final_norm = "norm",
    .head = "lm_head", .attention_norm = "input_layernorm", .mlp_norm = "post_attention_layernorm",
    .qkv = "attention.query_key_value", .o = "attention.dense", .q_norm = "attention.query_layernorm",
    .k_norm = "attention.key_layernorm", GATED_MLP, EXPERTS, SHARED_EXPERTS, .correction = "mlp.gate.expert_bias"};
NAMES(afmoe) = {LLAMA_ENDS, .attention_norm = "input_layernorm", .post_attention_norm = "post_attention_layernorm",
    .mlp_norm = "pre_mlp_layernorm", .post_mlp_norm = "post_mlp_layernorm", .o = "self_attn.o_proj", SEPARATE_QKV,
    .attention_gate = "self_attn.gate_proj", QK_NORMS, GATED_MLP, EXPERTS, .router = "mlp.router.gate", SHARED_EXPERTS,
    .correction = "mlp.expert_bias"};
NAMES(aria) = {LLAMA_ENDS, LLAMA_LAYER, SEPARATE_QKV, .stack_gate_up = "mlp.experts.fc1.weight",
    .stack_down = "mlp.experts.fc2.weight", .stack_router = "mlp.router", SHARED_EXPERTS};
NAMES(openai_gpt) = {.prefix = {"transformer.", ""}, .layer = "h.", .embed = "tokens_embed",
    .positions = "positions_embed", .head = "lm_head", .post_attention_norm = "ln_1", .post_mlp_norm = "ln_2",
    .qkv = "attn.c_attn", .o = "attn.c_proj", .up = "mlp.c_fc", .down = "mlp.c_proj", .ignored = {".attn.bias"}};

NAMES(gpt2) = {.prefix = {"transformer.", ""},
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
NAMES(gpt_neo) = {.prefix = {"transformer.", ""},
                  .layer = "h.",
                  .embed = "wte",
                  .positions = "wpe",
                  .final_norm = "ln_f",
                  .head = "lm_head",
                  .attention_norm = "ln_1",
                  .mlp_norm = "ln_2",
                  .q = "attn.attention.q_proj",
                  .k = "attn.attention.k_proj",
                  .v = "attn.attention.v_proj",
                  .o = "attn.attention.out_proj",
                  .up = "mlp.c_fc",
                  .down = "mlp.c_proj",
                  .ignored = {".attn.attention.bias", ".attn.attention.masked_bias"}};
NAMES(exaone) = {.also = &llama_names,
                 .prefix = {"transformer.", ""},
                 .layer = "h.",
                 .embed = "wte",
                 .final_norm = "ln_f",
                 .head = "lm_head",
                 .attention_norm = "ln_1",
                 .mlp_norm = "ln_2",
                 .q = "attn.attention.q_proj",
                 .k = "attn.attention.k_proj",
                 .v = "attn.attention.v_proj",
                 .o = "attn.attention.out_proj",
                 .gate = "mlp.c_fc_0",
                 .up = "mlp.c_fc_1",
                 .down = "mlp.c_proj",
                 .ignored = {"rotary.inv_freq"}};
NAMES(gptj) = {.prefix = {"transformer.", ""},
               .layer = "h.",
               .embed = "wte",
               .final_norm = "ln_f",
               .head = "lm_head",
               .attention_norm = "ln_1",
               .q = "attn.q_proj",
               .k = "attn.k_proj",
               .v = "attn.v_proj",
               .qkv = "attn.qkv_proj",
               .o = "attn.out_proj",
               .up = "mlp.fc_in",
               .down = "mlp.fc_out",
               .ignored = {".attn.bias", ".attn.masked_bias", ".attn.embed_positions", ".attn.causal_mask"}};
#define NEOX_LAYER                                                                                           \
    .layer = "layers.", .embed = "embed_in", .final_norm = "final_layer_norm", .head = "embed_out",          \
    .attention_norm = "input_layernorm", .mlp_norm = "post_attention_layernorm",                             \
    .qkv = "attention.query_key_value", .o = "attention.dense", .up = "mlp.dense_h_to_4h",                   \
    .down = "mlp.dense_4h_to_h",                                                                             \
    .ignored = {".attention.bias", ".attention.masked_bias", "rotary_emb.inv_freq"}
NAMES(neox) = {.prefix = {"gpt_neox.", ""}, NEOX_LAYER};
NAMES(neox_japanese) = {
    .prefix = {"gpt_neox_japanese.", ""}, NEOX_LAYER, .o_bias_last = "attention.dense_bias"};
NAMES(opt) = {.prefix = {"model.decoder.", "decoder."},
              .layer = "layers.",
              .embed = "embed_tokens",
              .positions = "embed_positions",
              .final_norm = "final_layer_norm",
              .head = "lm_head",
              .attention_norm = "self_attn_layer_norm",
              .mlp_norm = "final_layer_norm",
              SEPARATE_QKV,
              .o = "self_attn.out_proj",
              .up = "fc1",
              .down = "fc2"};
#define BLOOM_LAYER                                                                                          \
    .prefix = {"transformer.", ""}, .layer = "h.", .embed = "word_embeddings", .final_norm = "ln_f",         \
    .head = "lm_head", .qkv = "self_attention.query_key_value", .o = "self_attention.dense",                 \
    .up = "mlp.dense_h_to_4h", .down = "mlp.dense_4h_to_h"
NAMES(bloom) = {BLOOM_LAYER, .embed_norm = "word_embeddings_layernorm", .attention_norm = "input_layernorm",
                .mlp_norm = "post_attention_layernorm"};
NAMES(falcon) = {BLOOM_LAYER, .attention_norm = "input_layernorm", .mlp_norm = "post_attention_layernorm",
                 NO_FREQUENCIES};
const struct laser_names laser_names_falcon_two_norms = {BLOOM_LAYER, .attention_norm = "ln_attn",
                                                         .mlp_norm = "ln_mlp", NO_FREQUENCIES};
NAMES(mpt) = {.prefix = {"transformer.", ""},
              .layer = "blocks.",
              .embed = "wte",
              .final_norm = "norm_f",
              .head = "lm_head",
              .attention_norm = "norm_1",
              .mlp_norm = "norm_2",
              .qkv = "attn.Wqkv",
              .o = "attn.out_proj",
              .up = "ffn.up_proj",
              .down = "ffn.down_proj"};
NAMES(roberta) = {.prefix = {"roberta.", ""},
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
                  .ignored = {"embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias",
                              "lm_head.decoder.bias"}};

#define BERT_ATTENTION                                                                                       \
    .q = "attention.self.query", .k = "attention.self.key", .v = "attention.self.value",                     \
    .o = "attention.output.dense", .up = "intermediate.dense", .down = "output.dense"
#define BERT_LAYER                                                                                           \
    BERT_ATTENTION, .post_attention_norm = "attention.output.LayerNorm", .post_mlp_norm = "output.LayerNorm"
#define BERT_EMBED                                                                                           \
    .layer = "encoder.layer.", .embed = "embeddings.word_embeddings",                                        \
    .positions = "embeddings.position_embeddings", .types = "embeddings.token_type_embeddings"
#define BERT_HEAD                                                                                            \
    .head = "cls.predictions.decoder", .head_bias = "cls.predictions.bias",                                  \
    .head_dense = "cls.predictions.transform.dense", .head_norm = "cls.predictions.transform.LayerNorm",     \
    .ignored = {"embeddings.position_ids",   "embeddings.token_type_ids",                                    \
                "pooler.dense.weight",       "pooler.dense.bias",                                            \
                "cls.seq_relationship.weight", "cls.seq_relationship.bias",                                  \
                "cls.predictions.decoder.bias"}
#define ROBERTA_HEAD                                                                                         \
    .head = "lm_head.decoder", .head_bias = "lm_head.bias", .head_dense = "lm_head.dense",                   \
    .head_norm = "lm_head.layer_norm",                                                                       \
    .ignored = {"embeddings.position_ids", "embeddings.token_type_ids", "pooler.dense.weight",               \
                "pooler.dense.bias", "lm_head.decoder.bias"}
NAMES(data2vec) = {.prefix = {"data2vec_text.", ""}, BERT_EMBED, .embed_norm = "embeddings.LayerNorm",
                   BERT_LAYER, ROBERTA_HEAD};
NAMES(roberta_prenorm) = {.prefix = {"roberta_prelayernorm.", ""}, BERT_EMBED,
                          .embed_norm = "embeddings.LayerNorm", BERT_ATTENTION,
                          .attention_norm = "attention.LayerNorm", .mlp_norm = "intermediate.LayerNorm",
                          .final_norm = "LayerNorm", ROBERTA_HEAD};
NAMES(xlm_roberta_xl) = {.prefix = {"roberta.", ""}, BERT_EMBED, BERT_ATTENTION,
                         .attention_norm = "attention.self_attn_layer_norm", .mlp_norm = "LayerNorm",
                         .final_norm = "encoder.LayerNorm", ROBERTA_HEAD};
NAMES(bert) = {.prefix = {"bert.", ""}, BERT_EMBED, .embed_norm = "embeddings.LayerNorm", BERT_LAYER, BERT_HEAD};
NAMES(ernie) = {.prefix = {"ernie.", ""}, BERT_EMBED, .embed_norm = "embeddings.LayerNorm", BERT_LAYER, BERT_HEAD};
NAMES(megatron_bert) = {.prefix = {"bert.", ""}, BERT_EMBED, BERT_ATTENTION, .attention_norm = "attention.ln",
                        .mlp_norm = "ln", .final_norm = "encoder.ln", BERT_HEAD};
NAMES(electra) = {.prefix = {"electra.", ""}, BERT_EMBED, .embed_norm = "embeddings.LayerNorm", BERT_LAYER,
                  .embed_project = "embeddings_project", .head = "generator_lm_head",
                  .head_dense = "generator_predictions.dense", .head_norm = "generator_predictions.LayerNorm",
                  .ignored = {"embeddings.position_ids", "embeddings.token_type_ids"}};
NAMES(albert) = {.prefix = {"albert.", ""},
                 .layer = "encoder.albert_layer_groups.",
                 .group_layer = "albert_layers.",
                 .embed = "embeddings.word_embeddings",
                 .positions = "embeddings.position_embeddings",
                 .types = "embeddings.token_type_embeddings",
                 .embed_norm = "embeddings.LayerNorm",
                 .embed_project = "encoder.embedding_hidden_mapping_in",
                 .q = "attention.query",
                 .k = "attention.key",
                 .v = "attention.value",
                 .o = "attention.dense",
                 .post_attention_norm = "attention.LayerNorm",
                 .up = "ffn",
                 .down = "ffn_output",
                 .post_mlp_norm = "full_layer_layer_norm",
                 .head = "predictions.decoder",
                 .head_bias = "predictions.bias",
                 .head_dense = "predictions.dense",
                 .head_norm = "predictions.LayerNorm",
                 .ignored = {"embeddings.position_ids", "embeddings.token_type_ids", "pooler.weight",
                             "pooler.bias", "sop_classifier.classifier.weight",
                             "sop_classifier.classifier.bias", "predictions.decoder.bias"}};
#define DEBERTA(head_, more)                                                                                 \
    {                                                                                                        \
        .prefix = {"deberta.", ""}, .layer = "encoder.layer.", .embed = "embeddings.word_embeddings",        \
        .types = "embeddings.token_type_embeddings", .embed_norm = "embeddings.LayerNorm",                   \
        .embed_project = "embeddings.embed_proj", .q = "attention.self.query_proj",                          \
        .k = "attention.self.key_proj", .v = "attention.self.value_proj", .o = "attention.output.dense",     \
        .post_attention_norm = "attention.output.LayerNorm", .up = "intermediate.dense",                     \
        .down = "output.dense", .post_mlp_norm = "output.LayerNorm", .relative = "encoder.rel_embeddings",   \
        .relative_norm = "encoder.LayerNorm", .relative_q = "attention.self.pos_query_proj",                 \
        .relative_k = "attention.self.pos_key_proj", .side = "encoder.conv.conv",                            \
        .side_norm = "encoder.conv.LayerNorm", head_, more                                                   \
    }
#define DEBERTA_OLD                                                                                          \
    .head = "cls.predictions.decoder", .head_bias = "cls.predictions.bias",                                  \
    .head_dense = "cls.predictions.transform.dense", .head_norm = "cls.predictions.transform.LayerNorm",     \
    .ignored = {"embeddings.position_ids", "cls.predictions.decoder.bias",                                   \
                "embeddings.position_embeddings.weight"}
#define DEBERTA_NEW                                                                                          \
    .head = "lm_predictions.lm_head.decoder", .head_bias = "lm_predictions.lm_head.bias",                    \
    .head_dense = "lm_predictions.lm_head.dense", .head_norm = "lm_predictions.lm_head.LayerNorm",           \
    .ignored = {"embeddings.position_ids", "embeddings.position_embeddings.weight"}
#define POSITIONS .positions = "embeddings.position_embeddings"
const struct laser_names laser_names_deberta[2][2] = {
    {DEBERTA(DEBERTA_OLD, .positions = NULL), DEBERTA(DEBERTA_OLD, POSITIONS)},
    {DEBERTA(DEBERTA_NEW, .positions = NULL), DEBERTA(DEBERTA_NEW, POSITIONS)}};
NAMES(distilbert) = {.prefix = {"distilbert.", ""},
                     .layer = "transformer.layer.",
                     .embed = "embeddings.word_embeddings",
                     .positions = "embeddings.position_embeddings",
                     .embed_norm = "embeddings.LayerNorm",
                     .q = "attention.q_lin",
                     .k = "attention.k_lin",
                     .v = "attention.v_lin",
                     .o = "attention.out_lin",
                     .post_attention_norm = "sa_layer_norm",
                     .up = "ffn.lin1",
                     .down = "ffn.lin2",
                     .post_mlp_norm = "output_layer_norm",
                     .head = "vocab_projector",
                     .head_dense = "vocab_transform",
                     .head_norm = "vocab_layer_norm",
                     .ignored = {"embeddings.position_ids"}};
#define MODERN_ENDS                                                                                          \
    .prefix = {"model.", ""}, .layer = "layers.", .embed = "embeddings.tok_embeddings",                      \
    .embed_norm = "embeddings.norm", .final_norm = "final_norm", .head = "decoder",                          \
    .attention_norm = "attn_norm", .mlp_norm = "mlp_norm", .gate_up = "mlp.Wi", .down = "mlp.Wo", .o = "attn.Wo"
NAMES(modernbert) = {MODERN_ENDS, .qkv = "attn.Wqkv", .head_dense = "head.dense", .head_norm = "head.norm"};
NAMES(modernbert_decoder) = {MODERN_ENDS,
                             .q = "attn.q_proj",
                             .k = "attn.k_proj",
                             .v = "attn.v_proj",
                             .head_dense = "lm_head.dense",
                             .head_norm = "lm_head.norm"};
NAMES(biogpt) = {.prefix = {"biogpt.", ""},
                 .layer = "layers.",
                 .embed = "embed_tokens",
                 .positions = "embed_positions",
                 .final_norm = "layer_norm",
                 .head = "output_projection",
                 .attention_norm = "self_attn_layer_norm",
                 .mlp_norm = "final_layer_norm",
                 SEPARATE_QKV,
                 .o = "self_attn.out_proj",
                 .up = "fc1",
                 .down = "fc2"};

/* ---- keys ---- */

#define KEYS_(hidden_, layers_, heads_, kv_, size_, wide_, positions_, eps_, act_)                           \
    .hidden = hidden_, .layers = layers_, .heads = heads_, .kv_heads = kv_, .head_size = size_,              \
    .intermediate = wide_, .positions = positions_, .eps = eps_, .activation = act_
#define KEYS(...) KEYS_(__VA_ARGS__)
#define SIZES     "hidden_size", "num_hidden_layers", "num_attention_heads"
#define WIDTH     "intermediate_size", "max_position_embeddings"
static const struct laser_keys common_keys = {
    KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH, "rms_norm_eps", "hidden_act")};
static const struct laser_keys gemma2_keys = {
    KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH, "rms_norm_eps", "hidden_activation")};
static const struct laser_keys llama4_keys = {KEYS(SIZES, "num_key_value_heads", "head_dim",
                                                   "intermediate_size_mlp", "max_position_embeddings",
                                                   "rms_norm_eps", "hidden_act")};
static const struct laser_keys layer_norm_keys = {
    KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH, "layer_norm_eps", "hidden_act")};
static const struct laser_keys phi_keys = {
    KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH, "layer_norm_eps", "hidden_act")};
static const struct laser_keys stablelm_keys = {
    KEYS(SIZES, "num_key_value_heads", NULL, WIDTH, "layer_norm_eps", "hidden_act")};
static const struct laser_keys expert_keys = {KEYS(SIZES, "num_key_value_heads", "head_dim",
                                                   "moe_intermediate_size", "max_position_embeddings",
                                                   "rms_norm_eps", "hidden_act")};
static const struct laser_keys nemotron_keys = {
    KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH, "norm_eps", "hidden_act")};
static const struct laser_keys starcoder2_keys = {
    KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH, "norm_epsilon", "hidden_act")};
static const struct laser_keys olmo_keys = {
    KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH, NULL, "hidden_act")};
static const struct laser_keys neox_keys = {KEYS(SIZES, NULL, NULL, WIDTH, "layer_norm_eps", "hidden_act")};
static const struct laser_keys latent_keys = {
    KEYS(SIZES, NULL, "" /* latents say it */, WIDTH, "rms_norm_eps", "hidden_act")};
static const struct laser_keys gpt_keys = {KEYS("n_embd", "n_layer", "n_head", NULL, NULL, "n_inner",
                                                "n_positions", "layer_norm_epsilon", "activation_function"),
                                           .four_times = true};
static const struct laser_keys openai_keys = {KEYS("n_embd", "n_layer", "n_head", NULL, NULL, NULL,
                                                "n_positions", "layer_norm_epsilon", "afn"),
                                           .four_times = true};
static const struct laser_keys gpt_neo_keys = {KEYS("hidden_size", "num_layers", "num_heads", NULL, NULL,
                                                    WIDTH, "layer_norm_epsilon", "activation_function"),
                                               .four_times = true};
static const struct laser_keys modern_keys = {KEYS(SIZES, NULL, NULL, WIDTH, "norm_eps", "hidden_activation")};
static const struct laser_keys albert_keys = {
    KEYS(SIZES, NULL, NULL, WIDTH, "layer_norm_eps", "hidden_act"), .groups = "num_hidden_groups", .group_layers = "inner_group_num"};
static const struct laser_keys deberta_keys = {
    KEYS(SIZES, NULL, "attention_head_size", WIDTH, "layer_norm_eps", "hidden_act")};
static const struct laser_keys distilbert_keys = {
    KEYS("dim", "n_layers", "n_heads", NULL, NULL, "hidden_dim", "max_position_embeddings", NULL, "activation")};
static const struct laser_keys opt_keys = {
    KEYS(SIZES, NULL, NULL, "ffn_dim", "max_position_embeddings", NULL, "activation_function")};
static const struct laser_keys bloom_keys = {
    KEYS("hidden_size", "n_layer", "n_head", NULL, NULL, NULL, NULL, "layer_norm_epsilon", NULL)};
static const struct laser_keys falcon_keys = {KEYS(SIZES, "num_kv_heads", NULL, "ffn_hidden_size",
                                                   "max_position_embeddings", "layer_norm_epsilon",
                                                   "activation"),
                                              .four_times = true};
static const struct laser_keys mpt_keys = {
    KEYS("d_model", "n_layers", "n_heads", NULL, NULL, NULL, "max_seq_len", "layer_norm_epsilon", NULL)};
static const struct laser_keys japanese_keys = {
    KEYS(SIZES, NULL, NULL, NULL, "max_position_embeddings", "layer_norm_eps", "hidden_act")};

static const struct laser_keys mamba_keys = {KEYS("hidden_size", "num_hidden_layers", NULL, NULL, NULL, NULL, NULL,
                                                  "layer_norm_epsilon", "hidden_act"),
                                             .four_times = true};
static const struct laser_keys nemotron_h_keys = {KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH,
                                                       "layer_norm_epsilon", "mlp_hidden_act")};
static const struct laser_keys lfm_keys = {
    KEYS(SIZES, "num_key_value_heads", "head_dim", WIDTH, "norm_eps", NULL)};

/* ---- recurrences ---- */

static const struct laser_recurrence_keys mamba2_mix = {
    .heads = {"num_heads", 128}, .head_size = {"head_dim", 64}, .groups = {"n_groups", 8}, .state = {"state_size", 128},
    .kernel = {"conv_kernel", 4}, .expand = {"expand", 2}, .in_bias = {"use_bias", false}, .out_bias = {"use_bias", false},
    .conv_bias = {"use_conv_bias", true}, .normed = true, .limited = true};
#define HYBRID_MIX                                                                                           \
    .heads = {"mamba_n_heads", 128}, .head_size = {"mamba_d_head", 0}, .groups = {"mamba_n_groups", 1},      \
    .state = {"mamba_d_state", 256}, .kernel = {"mamba_d_conv", 4}, .expand = {"mamba_expand", 2},           \
    .in_bias = {"mamba_proj_bias", false}, .out_bias = {"mamba_proj_bias", false},                           \
    .conv_bias = {"mamba_conv_bias", true}, .normed = true, .limited = true
static const struct laser_recurrence_keys bamba_mix = {HYBRID_MIX};
static const struct laser_recurrence_keys falcon_h1_mix = {HYBRID_MIX, .inner = {"mamba_d_ssm", 1024},
                                                           .out_bias = {"projectors_bias", false}};
static const struct laser_recurrence_keys nemotron_h_mix = {
    .heads = {"mamba_num_heads", 128}, .head_size = {"mamba_head_dim", 64}, .groups = {"n_groups", 8},
    .state = {"ssm_state_size", 128}, .kernel = {"conv_kernel", 4}, .in_bias = {"use_bias", false},
    .out_bias = {"use_bias", false}, .conv_bias = {"use_conv_bias", true}, .activation = "mamba_hidden_act", .normed = true};
#define MAMBA_MIX                                                                                            \
    .state = {"state_size", 16}, .kernel = {"conv_kernel", 4}, .expand = {"expand", 2}, .rank = "time_step_rank", \
    .inner = {"intermediate_size", 0},                                                                       \
    .in_bias = {"use_bias", false}, .out_bias = {"use_bias", false}, .conv_bias = {"use_conv_bias", true}
static const struct laser_recurrence_keys mamba_mix = {MAMBA_MIX};
static const struct laser_recurrence_keys falcon_mamba_mix = {MAMBA_MIX, .inner_norm = LASER_INNER_PLAIN,
                                                              .inner_eps = "mixer_rms_eps"};
static const struct laser_recurrence_keys jamba_mix = {
    .state = {"mamba_d_state", 16}, .kernel = {"mamba_d_conv", 4}, .expand = {"mamba_expand", 2}, .rank = "mamba_dt_rank",
    .in_bias = {"mamba_proj_bias", false}, .out_bias = {"mamba_proj_bias", false}, .conv_bias = {"mamba_conv_bias", true},
    .inner_norm = LASER_INNER_WEIGHTED};
static const struct laser_recurrence_keys lfm_mix = {.kernel = {"conv_L_cache", 3}, .in_bias = {"conv_bias", false},
    .out_bias = {"conv_bias", false}, .conv_bias = {"conv_bias", false}};

/* ---- experts ---- */

#define PER_TOKEN(n) .per_token = "num_experts_per_tok", .per_token_otherwise = n
#define GROUPS       .groups = "n_group", .top_groups = "topk_group"
static const struct laser_moe_keys mixtral_moe = {
    .experts = "num_local_experts", .experts_otherwise = 8, PER_TOKEN(2), .normalized = {NULL, true}};
static const struct laser_moe_keys qwen2_moe = {.experts = "num_experts",
                                                PER_TOKEN(4),
                                                .columns = "moe_intermediate_size",
                                                .shared = "shared_expert_intermediate_size",
                                                .shared_otherwise = 5632,
                                                .shared_gated = true,
                                                .normalized = {"norm_topk_prob", false},
                                                .sparse = LASER_SPARSE_STEP};
static const struct laser_moe_keys qwen3_next_moe = {
    .experts = "num_experts", .experts_otherwise = 512, PER_TOKEN(10), .columns = "moe_intermediate_size",
    .shared = "shared_expert_intermediate_size", .shared_otherwise = 512, .shared_gated = true,
    .normalized = {"norm_topk_prob", true}, .sparse = LASER_SPARSE_STEP};
static const struct laser_moe_keys qwen3_5_moe = {
    .experts = "num_experts", .experts_otherwise = 256, PER_TOKEN(8), .columns = "moe_intermediate_size",
    .shared = "shared_expert_intermediate_size", .shared_otherwise = 512, .shared_gated = true,
    .normalized = {NULL, true}, .sparse = LASER_SPARSE_ALL};
static const struct laser_moe_keys qwen3_moe = {.experts = "num_local_experts",
                                                PER_TOKEN(8),
                                                .columns = "moe_intermediate_size",
                                                .normalized = {"norm_topk_prob", false},
                                                .sparse = LASER_SPARSE_STEP};
static const struct laser_moe_keys qwen3_vl_moe_moe = {
    .experts = "num_experts", .experts_otherwise = 60, PER_TOKEN(4), .columns = "moe_intermediate_size",
    .normalized = {NULL, true}, .sparse = LASER_SPARSE_STEP};
static const struct laser_moe_keys mellum_moe = {.experts = "num_local_experts",
                                                 PER_TOKEN(8),
                                                 .columns = "moe_intermediate_size",
                                                 .normalized = {"norm_topk_prob", true},
                                                 .sparse = LASER_SPARSE_TYPES};
static const struct laser_moe_keys flint_moe = {.experts = "num_experts",
                                                PER_TOKEN(6),
                                                .columns = "moe_intermediate_size",
                                                .shared = "shared_expert_intermediate_size",
                                                .shared_otherwise = 1024,
                                                .normalized = {"norm_topk_prob", true},
                                                .score = LASER_MOE_SIGMOID,
                                                .sparse = LASER_SPARSE_STEP};
static const struct laser_moe_keys kolibri_moe = {.experts = "num_local_experts",
                                                  PER_TOKEN(6),
                                                  .columns = "moe_intermediate_size",
                                                  .shared = "shared_expert_intermediate_size",
                                                  .shared_otherwise = 512,
                                                  .normalized = {"norm_topk_prob", false},
                                                  .score = LASER_MOE_SIGMOID,
                                                  .corrected = true,
                                                  .logit_corrected = true};
static const struct laser_moe_keys granite_moe = {
    .experts = "num_local_experts", .experts_otherwise = 8, PER_TOKEN(2), .score = LASER_MOE_SOFTMAX_CHOSEN};
static const struct laser_moe_keys granite_shared_moe = {.experts = "num_local_experts",
                                                         .experts_otherwise = 8,
                                                         PER_TOKEN(2),
                                                         .shared = "shared_intermediate_size",
                                                         
                                                         .score = LASER_MOE_SOFTMAX_CHOSEN};
static const struct laser_moe_keys granite_hybrid_moe = {
    .experts = "num_local_experts", .experts_otherwise = 8, .experts_least = 1, PER_TOKEN(2),
    .shared = "shared_intermediate_size", .shared_otherwise = 1024, .score = LASER_MOE_SOFTMAX_CHOSEN};
static const struct laser_moe_keys jamba_moe = {
    .experts = "num_experts", .experts_otherwise = 16, .experts_least = 2, PER_TOKEN(2), .sparse = LASER_SPARSE_PERIOD};
static const struct laser_moe_keys lfm2_moe_moe = {
    .experts = "num_experts", .experts_otherwise = 32, PER_TOKEN(4), .columns = "moe_intermediate_size",
    .normalized = {"norm_topk_prob", true}, .score = LASER_MOE_SIGMOID, .corrected = true, .more_sum = 1e-6,
    .scale = "routed_scaling_factor", .sparse = LASER_SPARSE_AFTER_DENSE, .first = 2};
static const struct laser_moe_keys nemotron_h_moe = {
    .experts = "n_routed_experts", .experts_otherwise = 8, PER_TOKEN(2), .columns = "moe_intermediate_size",
    .shared = "moe_shared_expert_intermediate_size", .shared_otherwise = 7688, .normalized = {"norm_topk_prob", true},
    .score = LASER_MOE_SIGMOID, .corrected = true, .groups_by_two = true, GROUPS, .scale = "routed_scaling_factor",
    .width = "moe_latent_size", .sparse = LASER_SPARSE_BLOCKS};
static const struct laser_moe_keys olmoe_moe = {
    .experts = "num_experts", PER_TOKEN(8), .normalized = {"norm_topk_prob", false}};
static const struct laser_moe_keys flex_olmo_moe = {
    .experts = "num_experts", PER_TOKEN(5), .normalized = {"norm_topk_prob", false}};
static const struct laser_moe_keys phimoe_moe = {.experts = "num_local_experts",
                                                 .experts_otherwise = 16,
                                                 PER_TOKEN(2),
                                                 .score = LASER_MOE_SPARSEMIXER,
                                                 .jitter = "router_jitter_noise",
                                                 .jitter_otherwise = 0.01};
static const struct laser_moe_keys hunyuan_moe = {.experts = "num_experts",
                                                  .per_token = "moe_topk",
                                                  .per_token_otherwise = 1,
                                                  .shared_fixed = true,
                                                  .normalized = {NULL, true}};
static const struct laser_moe_keys minimax_moe = {.experts = "num_local_experts",
                                                  PER_TOKEN(8),
                                                  .normalized = {NULL, true},
                                                  .score = LASER_MOE_SIGMOID,
                                                  .corrected = true};
static const struct laser_moe_keys ernie_moe = {.experts = "moe_num_experts",
                                                .per_token = "moe_k",
                                                .per_token_otherwise = 6,
                                                .columns = "moe_intermediate_size",
                                                .shared = "moe_num_shared_experts",
                                                .shared_otherwise = 2,
                                                .shared_counts = true,
                                                .normalized = {NULL, true},
                                                .corrected = true,
                                                .sparse = LASER_SPARSE_INTERVAL, .least_sum = "moe_norm_min"};
#define V3_ROUTING                                                                                           \
    .columns = "moe_intermediate_size", .shared_counts = true, .score = LASER_MOE_SIGMOID,                   \
    .corrected = true, .groups_by_two = true, GROUPS, .scale = "routed_scaling_factor"
static const struct laser_moe_keys dots1_moe = {.experts = "n_routed_experts",
                                                PER_TOKEN(1),
                                                .shared = "n_shared_experts",
                                                .normalized = {"norm_topk_prob", false},
                                                V3_ROUTING,
                                                .sparse = LASER_SPARSE_AFTER_FIRST};
static const struct laser_moe_keys glm4_moe = {.experts = "n_routed_experts",
                                               .experts_otherwise = 128,
                                               PER_TOKEN(8),
                                               .shared = "n_shared_experts",
                                               .shared_otherwise = 1,
                                               .normalized = {"norm_topk_prob", true},
                                               V3_ROUTING,
                                               .sparse = LASER_SPARSE_AFTER_FIRST,
                                               .first = 1};
static const struct laser_moe_keys glm4_lite_moe = {.experts = "n_routed_experts",
                                                    .experts_otherwise = 64,
                                                    PER_TOKEN(4),
                                                    .shared = "n_shared_experts",
                                                    .shared_otherwise = 1,
                                                    .normalized = {"norm_topk_prob", true},
                                                    V3_ROUTING,
                                                    .scale_otherwise = 1.8,
                                                    .sparse = LASER_SPARSE_TYPES,
                                                    .first = 1};
static const struct laser_moe_keys solar_moe = {.experts = "n_routed_experts",
                                                .experts_otherwise = 128,
                                                PER_TOKEN(8),
                                                .shared = "n_shared_experts",
                                                .shared_otherwise = 1,
                                                .normalized = {"norm_topk_prob", true},
                                                V3_ROUTING};
static const struct laser_moe_keys exaone_moe = {.experts = "num_experts",
                                                 PER_TOKEN(8),
                                                 .shared = "num_shared_experts",
                                                 .shared_otherwise = 1,
                                                 .normalized = {"norm_topk_prob", true},
                                                 V3_ROUTING,
                                                 .scale_otherwise = 2.5,
                                                 .sparse = LASER_SPARSE_TYPES,
                                                 .first = 1};
static const struct laser_moe_keys hy_v3_moe = {.experts = "num_experts",
                                                PER_TOKEN(8),
                                                .columns = "moe_intermediate_size",
                                                .shared = "num_shared_experts",
                                                .shared_otherwise = 1,
                                                .shared_counts = true,
                                                .normalized = {NULL, true},
                                                .score = LASER_MOE_SIGMOID,
                                                .corrected = true,
                                                .scale = "router_scaling_factor",
                                                .scale_otherwise = 2.826,
                                                .sparse = LASER_SPARSE_TYPES,
                                                .first = 1};
static const struct laser_moe_keys deepseek2_moe = {.experts = "n_routed_experts",
                                                    .experts_otherwise = 64,
                                                    PER_TOKEN(1),
                                                    .columns = "moe_intermediate_size",
                                                    .shared = "n_shared_experts",
                                                    .shared_otherwise = 2,
                                                    .shared_counts = true,
                                                    GROUPS,
                                                    .scale = "routed_scaling_factor",
                                                    .sparse = LASER_SPARSE_AFTER_FIRST};
static const struct laser_moe_keys sarvam_moe = {
    .experts = "n_routed_experts", .experts_otherwise = 128, PER_TOKEN(8), .shared = "n_shared_experts",
    .shared_otherwise = 1, .normalized = {"norm_topk_prob", true}, V3_ROUTING, .scale_otherwise = 2.5,
    .sparse = LASER_SPARSE_AFTER_FIRST, .first = 1};
static const struct laser_moe_keys sarvam_small_moe = {
    .experts = "n_routed_experts", .experts_otherwise = 128, PER_TOKEN(6), .shared = "n_shared_experts",
    .shared_otherwise = 1, .normalized = {"norm_topk_prob", true}, V3_ROUTING, .scale_otherwise = 2.5,
    .sparse = LASER_SPARSE_AFTER_FIRST, .first = 1};
static const struct laser_moe_keys axk1_moe = {
    .experts = "n_routed_experts", .experts_otherwise = 192, PER_TOKEN(8), .shared = "n_shared_experts",
    .shared_otherwise = 1, .normalized = {"norm_topk_prob", true}, V3_ROUTING, .scale_otherwise = 2.5,
    .groups_otherwise = 8, .top_groups_otherwise = 4, .sparse = LASER_SPARSE_TYPES, .first = 1};
static const struct laser_moe_keys afmoe_moe = {
    .experts = "num_experts", .experts_otherwise = 64, PER_TOKEN(6), .columns = "moe_intermediate_size",
    .shared = "num_shared_experts", .shared_otherwise = 2, .shared_counts = true, .normalized = {NULL, true},
    .score = LASER_MOE_SIGMOID, .corrected = true, .scale = "route_scale", .sparse = LASER_SPARSE_AFTER_DENSE, .first = 1};
static const struct laser_moe_keys aria_moe = {
    .experts = "moe_num_experts", .experts_otherwise = 8, .per_token = "moe_topk", .per_token_otherwise = 2,
    .shared = "moe_num_shared_experts", .shared_otherwise = 2, .shared_counts = true,
    .score = LASER_MOE_SOFTMAX_CHOSEN};
static const struct laser_moe_keys deepseek3_moe = {.experts = "n_routed_experts",
                                                    .experts_otherwise = 256,
                                                    PER_TOKEN(8),
                                                    .shared = "n_shared_experts",
                                                    .shared_otherwise = 1,
                                                    .normalized = {"norm_topk_prob", true},
                                                    V3_ROUTING,
                                                    .scale_otherwise = 2.5,
                                                    .sparse = LASER_SPARSE_AFTER_FIRST,
                                                    .first = 3, .groups_otherwise = 8, .top_groups_otherwise = 4};
#define DSA_ROUTING                                                                                          \
    .experts = "n_routed_experts", .experts_otherwise = 256, PER_TOKEN(8), .shared = "n_shared_experts",     \
    .shared_otherwise = 1, .normalized = {"norm_topk_prob", true}, V3_ROUTING, .scale_otherwise = 2.5,       \
    .sparse = LASER_SPARSE_TYPES, .first = 3
static const struct laser_moe_keys deepseek32_moe = {DSA_ROUTING, .groups_otherwise = 8, .top_groups_otherwise = 4};
static const struct laser_moe_keys glm_dsa_moe = {DSA_ROUTING};
static const struct laser_moe_keys gpt_oss_moe = {.experts = "num_local_experts",
                                                  .experts_otherwise = 128,
                                                  PER_TOKEN(4),
                                                  .score = LASER_MOE_SOFTMAX_CHOSEN,
                                                  .router_bias = true,
                                                  .expert_bias = true};
static const struct laser_moe_keys llama4_moe = {.experts = "num_local_experts",
                                                 .experts_otherwise = 16,
                                                 PER_TOKEN(1),
                                                 .columns = "intermediate_size",
                                                 .shared_fixed = true,
                                                 .score = LASER_MOE_SIGMOID_INPUT,
                                                 .sparse = LASER_SPARSE_LISTED};

/* ---- types ---- */

#define ALWAYS                                                                                               \
    {                                                                                                        \
        NULL, true                                                                                           \
    }
#define SWITCH(key, otherwise)                                                                               \
    {                                                                                                        \
        key, otherwise                                                                                       \
    }
#define TIED(otherwise)          .tied = SWITCH("tie_word_embeddings", otherwise)
#define BIAS_KEY(key, otherwise) .q_bias = SWITCH(key, otherwise), .o_bias = SWITCH(key, otherwise)
#define ATTENTION_BIAS           BIAS_KEY("attention_bias", false)
#define ALL_BIASES               .q_bias = ALWAYS, .o_bias = ALWAYS, .mlp_bias = ALWAYS

/* What most share. */
#define LLAMA_LIKE                                                                                           \
    .keys = &common_keys, .norm = LASER_NORM_RMS, .gated = true, .partial = 1, .theta = 10000,               \
    .activation = "silu"
#define GEMMA_LIKE(form)                                                                                     \
    .names = &form##_names, .norm = LASER_NORM_RMS, .gated = true, .partial = 1, .theta = 10000,             \
    .activation = "gelu_pytorch_tanh", .eps = 1e-6, TIED(true), ATTENTION_BIAS, .norm_plus_one = true,       \
    .embed_scaled = true, .head_size = 256
#define GPT_LIKE .norm = LASER_NORM_LAYER, .eps = 1e-5, .activation = "gelu_new"
#define NEOX_LIKE                                                                                            \
    .norm = LASER_NORM_LAYER, .qkv_layout = LASER_QKV_BY_HEAD, .stored = {.fused = LASER_FUSED_BY_HEAD},     \
    .eps = 1e-5, .theta = 10000, .activation = "gelu"
#define GRANITE_LIKE                                                                                         \
    LLAMA_LIKE, .eps = 1e-6, ATTENTION_BIAS, .mlp_bias = SWITCH("mlp_bias", false),                          \
                .options = {{"embedding_multiplier", LASER_SETS_EMBED_SCALE, 1},                             \
                            {"logits_scaling", LASER_SETS_LOGIT_DIVISOR, 1},                                 \
                            {"residual_multiplier", LASER_SETS_RESIDUAL_SCALE, 1},                           \
                            {"attention_multiplier", LASER_SETS_ATTENTION_SCALE, 1}}
#define COHERE_LIKE                                                                                          \
    LLAMA_LIKE, .keys = &layer_norm_keys, .names = &cohere_names, .norm = LASER_NORM_LAYER,                  \
                .no_norm_bias = true, .residual = LASER_RESIDUAL_PARALLEL_SHARED, .rope_interleaved = true,  \
                .eps = 1e-5, TIED(true), ATTENTION_BIAS,                                                     \
                .options = {{"logit_scale", LASER_SETS_LOGIT_SCALE, 0.0625}}
#define GPT2_LIKE                                                                                            \
    .names = &gpt2_names, .keys = &gpt_keys, GPT_LIKE, .qkv_layout = LASER_QKV_STACKED,                      \
    .stored = {.conv1d = true}, .transposed = true, TIED(true), ALL_BIASES,                                  \
    .guards = laser_config_guards_gpt2, .finish = laser_finish_gpt2
#define LATENT_LIKE                                                                                          \
    LLAMA_LIKE, .names = &deepseek_names, .keys = &latent_keys, .qkv_layout = LASER_QKV_LATENT,              \
                ATTENTION_BIAS, .rope_interleaved = true
#define ROBERTA_LIKE                                                                                         \
    .names = &roberta_names, .keys = &neox_keys, .norm = LASER_NORM_LAYER, .residual = LASER_RESIDUAL_POST,  \
    .masked = true, .positions = 512, .guards = laser_config_guards_masked, .eps = 1e-12, TIED(true),        \
    ALL_BIASES, .head_bias = ALWAYS, .activation = "gelu"

#define MODERN_LIKE                                                                                          \
    .keys = &modern_keys, .norm = LASER_NORM_LAYER, .eps = 1e-5, TIED(true), .positions = 8192,              \
    BIAS_KEY("attention_bias", false), .mlp_bias = SWITCH("mlp_bias", false), .gated = true,                 \
    .activation = "gelu", .theta = 160000, .theta_key = "global_rope_theta", .local_theta = 10000,           \
    .local_theta_key = "local_rope_theta", .rope_rule = LASER_ROPE_OF_TWO,                                   \
    .window_rule = LASER_WINDOW_LISTED, .window = 1, .finish = laser_finish_modernbert
#define BERT_LIKE ROBERTA_LIKE, .pads_count = true, .head_acts = true

static const struct laser_family families[] = {
    {.model_type = "llama", .names = &llama_names, LLAMA_LIKE, .eps = 1e-6, TIED(false), ATTENTION_BIAS,
     .mlp_bias = SWITCH("mlp_bias", false)},
    {.model_type = "mistral", .positions = 131072, .names = &llama_names, LLAMA_LIKE, .eps = 1e-6, TIED(false),
     .kv_heads = 8, .window = 4096, .window_rule = LASER_WINDOW_ALL},
    {.model_type = "qwen2", .positions = 32768, .names = &llama_names, LLAMA_LIKE, .eps = 1e-6, TIED(false),
     .q_bias = ALWAYS, .kv_heads = 32, .window = 4096, .window_rule = LASER_WINDOW_UPPER},
    {.model_type = "qwen3", .positions = 32768, .names = &qwen3_names, LLAMA_LIKE, .eps = 1e-6, TIED(false),
     ATTENTION_BIAS, .qk_norm = ALWAYS, .kv_heads = 32, .head_size = 128, .window = 4096,
     .window_rule = LASER_WINDOW_UPPER},
    {.model_type = "mixtral", .positions = 131072, .aliases = laser_config_aliases_experts,
     .names = &mixtral_names, LLAMA_LIKE, .theta = 1e6, .eps = 1e-5, TIED(false), .kv_heads = 8,
     .window_rule = LASER_WINDOW_ALL, .moe = &mixtral_moe},
    {.model_type = "qwen2_moe", .positions = 32768, .names = &qwen2_moe_names, LLAMA_LIKE, .eps = 1e-6,
     TIED(false), .q_bias = SWITCH("qkv_bias", true), .kv_heads = 16, .window = 4096,
     .window_rule = LASER_WINDOW_LOWER_EVEN, .moe = &qwen2_moe},
    {.model_type = "qwen3_moe", .positions = 32768, .aliases = laser_config_aliases_experts,
     .names = &qwen3_names, LLAMA_LIKE, .eps = 1e-6, TIED(false), ATTENTION_BIAS, .qk_norm = ALWAYS,
     .kv_heads = 4, .window = 4096, .window_rule = LASER_WINDOW_SWITCHED, .moe = &qwen3_moe},
    {.model_type = "phi", .names = &phi_names, .keys = &phi_keys, .norm = LASER_NORM_LAYER,
     .residual = LASER_RESIDUAL_PARALLEL_SHARED, .eps = 1e-5, TIED(false), ALL_BIASES, .head_bias = ALWAYS,
     .qk_norm = SWITCH("qk_layernorm", false), .qk_norm_bias = true, .theta = 10000, .partial = 0.5,
     .partial_rope = true, .activation = "gelu_new"},
    {.model_type = "phi3", .positions = 4096, .names = &phi3_names, LLAMA_LIKE, .eps = 1e-5, TIED(false),
     .qkv_layout = LASER_QKV_STACKED, .partial_rope = true, .window_rule = LASER_WINDOW_ALL},
    {.model_type = "gemma", .positions = 8192, GEMMA_LIKE(llama), .keys = &common_keys, .kv_heads = 16,
     .finish = laser_finish_gemma},
    {.model_type = "gemma2", .positions = 8192, GEMMA_LIKE(gemma2), .keys = &gemma2_keys, .kv_heads = 4,
     .window = 4096, .window_rule = LASER_WINDOW_PATTERN, .pattern = 2, .options = {{"query_pre_attn_scalar",
     LASER_SETS_ATTENTION_SCALAR, 256}, {"attn_logit_softcapping",
     LASER_SETS_ATTENTION_SOFTCAP, 50}, {"final_logit_softcapping", LASER_SETS_FINAL_SOFTCAP, 30}}},
    {.model_type = "gpt2", .positions = 1024, .aliases = laser_config_aliases_gpt, GPT2_LIKE},
    {.model_type = "gptj", .aliases = laser_config_aliases_gpt, .names = &gptj_names, .keys = &gpt_keys,
     GPT_LIKE, .residual = LASER_RESIDUAL_PARALLEL_SHARED, TIED(false), .mlp_bias = ALWAYS,
     .head_bias = ALWAYS, .finish = laser_finish_gptj},
    {.model_type = "gpt_neox", .head_size_fixed = true, .names = &neox_names, .keys = &neox_keys, NEOX_LIKE,
     .residual = LASER_RESIDUAL_PARALLEL, .residual_key = "use_parallel_residual", .residual_otherwise = true,
     TIED(false), BIAS_KEY("attention_bias", true), .mlp_bias = ALWAYS, .partial = 0.25, .partial_rope = true,
     .theta_key = "rotary_emb_base", .partial_key = "rotary_pct"},
    {.model_type = "roberta", ROBERTA_LIKE},
    {.model_type = "xlm-roberta", ROBERTA_LIKE},
    {.model_type = "camembert", ROBERTA_LIKE},
    {.model_type = "data2vec-text", ROBERTA_LIKE, .names = &data2vec_names},
    {.model_type = "roberta-prelayernorm", ROBERTA_LIKE, .names = &roberta_prenorm_names,
     .residual = LASER_RESIDUAL_SERIAL},
    {.model_type = "xlm-roberta-xl", ROBERTA_LIKE, .names = &xlm_roberta_xl_names, .token_types = 1, .eps = 1e-5, .positions = 514,
     .residual = LASER_RESIDUAL_SERIAL},
    {.model_type = "modernbert", MODERN_LIKE, .names = &modernbert_names, .masked = true, .pads_count = true,
     .guards = laser_config_guards_masked, .qkv_layout = LASER_QKV_STACKED,
     .stored = {.fused = LASER_FUSED_CONTIGUOUS}},
    {.model_type = "modernbert-decoder", MODERN_LIKE, .names = &modernbert_decoder_names},
    {.model_type = "bert", BERT_LIKE, .names = &bert_names},
    {.model_type = "ernie", BERT_LIKE, .names = &ernie_names, .finish = laser_finish_ernie},
    {.model_type = "megatron-bert", BERT_LIKE, .names = &megatron_bert_names,
     .residual = LASER_RESIDUAL_SERIAL},
    {.model_type = "electra", BERT_LIKE, .names = &electra_names, .head_acts = false, .embed_width = "embedding_size",
     .embed_width_otherwise = 128},
    {.model_type = "albert", BERT_LIKE, .names = &albert_names, .keys = &albert_keys, .embed_width = "embedding_size",
     .embed_width_otherwise = 128, .always_projects = true, .activation = "gelu_new"},
    {.model_type = "deberta-v2", BERT_LIKE, .names = &laser_names_deberta[0][1], .keys = &deberta_keys, .eps = 1e-7, .types_optional = true,
     .embed_width = "embedding_size", .embed_project_plain = true, .embed_norm_late = true,
     .finish = laser_finish_deberta},
    {.model_type = "distilbert", BERT_LIKE, .names = &distilbert_names, .keys = &distilbert_keys,
     .aliases = laser_config_aliases_distilbert},

    /* like Llama, with one or two differences */
    {.model_type = "arcee", .positions = 4096, .names = &arcee_names, LLAMA_LIKE, .gated = false,
     .activation = "relu2", .eps = 1e-5, TIED(false), ATTENTION_BIAS, .mlp_bias = SWITCH("mlp_bias", false)},
    {.model_type = "cwm", .positions = 131072, .names = &llama_names, LLAMA_LIKE, .theta = 1e6, .eps = 1e-5,
     TIED(false), .kv_heads = 8, .head_size = 128, .window = 8192, .window_rule = LASER_WINDOW_AFTER,
     .pattern = 4, .finish = laser_finish_stated_rope, .mlp_bias = SWITCH("mlp_bias", false)},
    {.model_type = "ernie4_5", .positions = 131072, .names = &llama_names, LLAMA_LIKE, .theta = 500000,
     .rope_interleaved = true, .eps = 1e-5, TIED(true), BIAS_KEY("use_bias", false),
     .mlp_bias = SWITCH("use_bias", false), .kv_heads = 2, .head_size = 128},
    {.model_type = "exaone", .positions = 4096, .aliases = laser_config_aliases_exaone, .names = &exaone_names,
     LLAMA_LIKE, .theta = 500000, .eps = 1e-5, TIED(false), ATTENTION_BIAS,
     .mlp_bias = SWITCH("mlp_bias", false), .kv_heads = 8},
    {.model_type = "exaone4", .names = &olmo2_names, LLAMA_LIKE, .eps = 1e-5, TIED(false), .qk_norm = ALWAYS,
     .kv_heads = 32, .window = 4096, .window_rule = LASER_WINDOW_PATTERN, .pattern = 4,
     .pattern_key = "sliding_window_pattern", .rope_rule = LASER_ROPE_IN_SLIDING_OR_ALL},
    {.model_type = "glm", .positions = 131072, .names = &glm_names, LLAMA_LIKE, .rope_interleaved = true,
     .partial = 0.5, .partial_rope = true, .eps = 1.5625e-7, TIED(false),
     .q_bias = SWITCH("attention_bias", true), .kv_heads = 2, .head_size = 128},
    {.model_type = "glm4", .positions = 131072, .names = &glm4_names, LLAMA_LIKE, .rope_interleaved = true,
     .partial = 0.5, .partial_rope = true, .eps = 1.5625e-7, TIED(false),
     .q_bias = SWITCH("attention_bias", true), .kv_heads = 2, .head_size = 128},
    {.model_type = "granite", .names = &llama_names, GRANITE_LIKE, TIED(false)},
    {.model_type = "granite_swa", .positions = 8192, .names = &granite_names, GRANITE_LIKE, .eps = 1e-5,
     TIED(true), .sinks = true, .kv_heads = 4, .window = 128, .window_rule = LASER_WINDOW_AFTER, .pattern = 4,
     .finish = laser_finish_layer_thetas},
    {.model_type = "helium", .mlp_bias = SWITCH("mlp_bias", false), .positions = 4096, .names = &llama_names, LLAMA_LIKE, .theta = 100000,
     .rope_interleaved = true, .eps = 1e-8, TIED(false), .q_bias = SWITCH("attention_bias", false),
     .kv_heads = 20, .head_size = 128},
    {.model_type = "hunyuan_v1_dense", .names = &hunyuan_names, LLAMA_LIKE, .eps = 1e-5, TIED(false),
     ATTENTION_BIAS, .qk_norm = ALWAYS, .qk_norm_late = true},
    {.model_type = "hyperclovax", .names = &hyperclovax_names, LLAMA_LIKE, .eps = 1e-6, TIED(false),
     ATTENTION_BIAS, .mlp_bias = SWITCH("mlp_bias", false), .options = {{"embedding_multiplier",
     LASER_SETS_EMBED_SCALE, 1}, {"logits_scaling", LASER_SETS_LOGIT_SCALE, 1}, {"residual_multiplier",
     LASER_SETS_RESIDUAL_SCALE, 1}, {"attention_multiplier", LASER_SETS_ATTENTION_SCALE, 0}},
     .finish = laser_finish_hyperclovax},
    {.model_type = "internlm3", .positions = 32768, .aliases = laser_config_aliases_internlm3,
     .names = &llama_names, LLAMA_LIKE, .eps = 1e-5, TIED(false), ATTENTION_BIAS,
     .mlp_bias = SWITCH("mlp_bias", false), .kv_heads = 2, .head_size = 128},
    {.model_type = "iquestcoder", .positions = 131072, .names = &llama_names, LLAMA_LIKE, .eps = 1e-5,
     TIED(false), ATTENTION_BIAS, .mlp_bias = SWITCH("mlp_bias", false), .kv_heads = 8, .head_size = 128},
    {.model_type = "jais2", .positions = 8192, .names = &arcee_names, LLAMA_LIKE, .keys = &layer_norm_keys,
     .norm = LASER_NORM_LAYER, .gated = false, .activation = "relu2", .eps = 1e-5, TIED(false),
     BIAS_KEY("attention_bias", true), .mlp_bias = SWITCH("mlp_bias", true)},
    {.model_type = "ministral", .positions = 131072, .names = &llama_names, LLAMA_LIKE, .eps = 1e-6,
     TIED(false), .kv_heads = 8, .window = 4096, .window_rule = LASER_WINDOW_ALL_LISTED},
    {.model_type = "ministral3", .positions = 262144, .names = &llama_names, LLAMA_LIKE, .theta = 1e6,
     .eps = 1e-5, TIED(false), .kv_heads = 8, .head_size = 128, .window_rule = LASER_WINDOW_ALL,
     .finish = laser_finish_stated_rope},
    {.model_type = "nanochat", .names = &nanochat_names, LLAMA_LIKE, .gated = false, .activation = "relu2",
     .norm_plain = true, .embed_norm_plain = true, .eps = 1e-6, TIED(false), ATTENTION_BIAS, .qk_norm = ALWAYS,
     .qk_norm_late = true, .qk_norm_plain = true, .rope_reversed = true,
     .options = {{"final_logit_softcapping", LASER_SETS_FINAL_SOFTCAP, 15}}},
    {.model_type = "nemotron", .positions = 4096, .names = &arcee_names, LLAMA_LIKE, .keys = &nemotron_keys,
     .norm = LASER_NORM_LAYER, .norm_plus_one = true, .gated = false, .activation = "relu2", .eps = 1e-5,
     TIED(false), ATTENTION_BIAS, .mlp_bias = SWITCH("mlp_bias", false), .partial = 0.5, .partial_rope = true},
    {.model_type = "olmo", .names = &olmo_names, LLAMA_LIKE, .keys = &olmo_keys, .norm = LASER_NORM_LAYER,
     .norm_plain = true, .eps = 1e-5, TIED(false), ATTENTION_BIAS, .options = {{"clip_qkv",
     LASER_SETS_CLIP_QKV, 0}}},
    {.model_type = "olmo2", .names = &olmo2_names, LLAMA_LIKE, .eps = 1e-5, TIED(false), ATTENTION_BIAS,
     .qk_norm = ALWAYS, .qk_kind = LASER_QK_NORM_WHOLE},
    {.model_type = "olmo3", .names = &olmo2_names, LLAMA_LIKE, .theta = 500000, .eps = 1e-5, TIED(false),
     ATTENTION_BIAS, .qk_norm = ALWAYS, .qk_kind = LASER_QK_NORM_WHOLE, .window = 4096,
     .window_rule = LASER_WINDOW_PATTERN, .pattern = 4, .rope_rule = LASER_ROPE_OF_TWO},
    {.model_type = "seed_oss", .positions = 524288, .names = &llama_names, LLAMA_LIKE, .eps = 1e-6,
     TIED(false), .q_bias = SWITCH("attention_bias", true), .o_bias = SWITCH("attention_out_bias", false),
     .mlp_bias = SWITCH("mlp_bias", false), .kv_heads = 8, .head_size = 128},
    {.model_type = "smollm3", .positions = 32768, .names = &llama_names, LLAMA_LIKE, .theta = 2e6, .eps = 1e-6,
     TIED(true), ATTENTION_BIAS, .mlp_bias = SWITCH("mlp_bias", false), .kv_heads = 4,
     .window_rule = LASER_WINDOW_SWITCHED, .rope_rule = LASER_ROPE_IN_LISTED, .finish = laser_finish_smollm3},
    {.model_type = "cohere", .positions = 8192, COHERE_LIKE, .qk_norm = SWITCH("use_qk_norm", false),
     .qk_kind = LASER_QK_NORM_EACH},
    {.model_type = "cohere2", .positions = 8192, COHERE_LIKE, .window = 4096,
     .window_rule = LASER_WINDOW_PATTERN, .pattern = 4, .pattern_key = "sliding_window_pattern",
     .rope_rule = LASER_ROPE_IN_SLIDING},
    {.model_type = "stablelm", .positions = 4096, .names = &stablelm_names, LLAMA_LIKE, .keys = &stablelm_keys,
     .norm = LASER_NORM_LAYER, .residual = LASER_RESIDUAL_PARALLEL_SHARED,
     .residual_key = "use_parallel_residual", .eps = 1e-5, TIED(false),
     .q_bias = SWITCH("use_qkv_bias", false), .qk_norm = SWITCH("qk_layernorm", false),
     .qk_kind = LASER_QK_NORM_EACH, .kv_heads = 32, .partial = 0.25, .partial_rope = true},
    {.model_type = "starcoder2", .positions = 4096, .names = &starcoder2_names, LLAMA_LIKE,
     .keys = &starcoder2_keys, .norm = LASER_NORM_LAYER, .gated = false, .activation = "gelu_pytorch_tanh",
     .eps = 1e-5, TIED(true), BIAS_KEY("use_bias", true), .mlp_bias = SWITCH("use_bias", true), .kv_heads = 2,
     .window_rule = LASER_WINDOW_ALL},
    {.model_type = "persimmon", .positions = 16384, .names = &persimmon_names, .keys = &neox_keys, NEOX_LIKE,
     .activation = "relu2", TIED(false), ALL_BIASES, .qk_norm = SWITCH("qk_layernorm", true),
     .qk_norm_bias = true, .partial = 0.5, .partial_rope = true},
    {.model_type = "apertus", .positions = 65536, .names = &apertus_names, LLAMA_LIKE, .theta = 12e6,
     .gated = false, .activation = "xielu", .eps = 1e-5, TIED(false), ATTENTION_BIAS, .qk_norm = ALWAYS,
     .finish = laser_finish_stated_rope},
    {.model_type = "vaultgemma", .positions = 8192, GEMMA_LIKE(vaultgemma), .keys = &gemma2_keys,
     .kv_heads = 4, .window = 4096, .window_rule = LASER_WINDOW_PATTERN, .pattern = 2,
     .options = {{"query_pre_attn_scalar", LASER_SETS_ATTENTION_SCALAR, 256}, {"attn_logit_softcapping",
     LASER_SETS_ATTENTION_SOFTCAP, 50}, {"final_logit_softcapping", LASER_SETS_FINAL_SOFTCAP, 30}}},

    /* experts */
    {.model_type = "granitemoe", .names = &granite_moe_names, GRANITE_LIKE, TIED(false), .moe = &granite_moe},
    {.model_type = "granitemoeshared", .names = &granite_moe_names, GRANITE_LIKE, TIED(false),
     .moe = &granite_shared_moe},
    {.model_type = "granitemoe_swa", .names = &granite_swa_moe_names, GRANITE_LIKE, TIED(false),
     .moe = &granite_shared_moe, .sinks = true, .window = 128, .window_rule = LASER_WINDOW_AFTER, .pattern = 4,
     .finish = laser_finish_layer_thetas},
    {.model_type = "olmoe", .positions = 4096, .aliases = laser_config_aliases_local_experts,
     .names = &qwen3_names, LLAMA_LIKE, .eps = 1e-5, TIED(false), ATTENTION_BIAS, .qk_norm = ALWAYS,
     .qk_kind = LASER_QK_NORM_WHOLE, .options = {{"clip_qkv", LASER_SETS_CLIP_QKV, 0}}, .moe = &olmoe_moe},
    {.model_type = "flex_olmo", .positions = 4096, .aliases = laser_config_aliases_local_experts,
     .names = &olmo2_names, LLAMA_LIKE, .theta = 500000, .eps = 1e-6, TIED(false), ATTENTION_BIAS,
     .qk_norm = ALWAYS, .qk_kind = LASER_QK_NORM_WHOLE, .moe = &flex_olmo_moe},
    {.model_type = "dots1", .kv_heads = 32, .aliases = laser_config_aliases_routed_experts, .names = &qwen3_names, LLAMA_LIKE,
     .eps = 1e-6, TIED(false), ATTENTION_BIAS, .qk_norm = ALWAYS, .window = 4096,
     .window_rule = LASER_WINDOW_BORDER, .moe = &dots1_moe},
    {.model_type = "ernie4_5_moe", .positions = 131072, .aliases = laser_config_aliases_ernie_moe,
     .names = &ernie_moe_names, LLAMA_LIKE, .theta = 500000, .rope_interleaved = true, .eps = 1e-5, TIED(true),
     BIAS_KEY("use_bias", false), .mlp_bias = SWITCH("use_bias", false), .kv_heads = 4, .moe = &ernie_moe},
    {.model_type = "glm4_moe", .positions = 131072, .aliases = laser_config_aliases_routed_experts,
     .names = &qwen3_names, LLAMA_LIKE, .rope_interleaved = false, .partial = 0.5, .partial_rope = true,
     .eps = 1e-5, TIED(false), .q_bias = SWITCH("attention_bias", false),
     .qk_norm = SWITCH("use_qk_norm", false), .kv_heads = 8, .moe = &glm4_moe},
    {.model_type = "solar_open", .positions = 131072, .aliases = laser_config_aliases_routed_experts,
     .names = &qwen3_names, LLAMA_LIKE, .keys = &expert_keys, .theta = 1e6, .partial_rope = true, .eps = 1e-5,
     TIED(false), .q_bias = SWITCH("attention_bias", false), .kv_heads = 8, .head_size = 128,
     .moe = &solar_moe},
    {.model_type = "hunyuan_v1_moe", .aliases = laser_config_aliases_hunyuan_moe, .names = &hunyuan_names,
     LLAMA_LIKE, .eps = 1e-5, TIED(false), ATTENTION_BIAS, .qk_norm = ALWAYS, .qk_norm_late = true,
     .moe = &hunyuan_moe},
    {.model_type = "minimax_m2", .positions = 196608, .aliases = laser_config_aliases_experts,
     .names = &minimax_m2_names, LLAMA_LIKE, .theta = 5e6, .partial_rope = true, .eps = 1e-6, TIED(false),
     .qk_norm = ALWAYS, .qk_kind = LASER_QK_NORM_WHOLE, .kv_heads = 8, .head_size = 128, .moe = &minimax_moe,
     .finish = laser_finish_rotary_dim},
    {.model_type = "phimoe", .positions = 131072, .names = &mixtral_names, LLAMA_LIKE,
     .norm = LASER_NORM_LAYER, .theta = 1e6, .eps = 1e-5, TIED(false), ATTENTION_BIAS,
     .head_bias = SWITCH("lm_head_bias", false), .kv_heads = 8, .window_rule = LASER_WINDOW_ALL,
     .moe = &phimoe_moe},
    {.model_type = "exaone_moe", .names = &exaone_moe_names, LLAMA_LIKE, .eps = 1e-5, TIED(false),
     .qk_norm = ALWAYS, .kv_heads = 32, .window = 4096, .window_rule = LASER_WINDOW_PATTERN, .pattern = 4,
     .pattern_key = "sliding_window_pattern", .rope_rule = LASER_ROPE_IN_SLIDING_OR_ALL, .moe = &exaone_moe},
    {.model_type = "hy_v3", .positions = 131072, .aliases = laser_config_aliases_local_experts,
     .names = &hy_v3_names, LLAMA_LIKE, .theta = 11158840, .eps = 1e-5, TIED(false), ATTENTION_BIAS,
     .mlp_bias = SWITCH("mlp_bias", false), .qk_norm = ALWAYS, .kv_heads = 8, .head_size = 128,
     .moe = &hy_v3_moe},
    {.model_type = "kolibri1", .positions = 262144, .aliases = laser_config_aliases_experts,
     .names = &kolibri_names, LLAMA_LIKE, .keys = &expert_keys, .eps = 1e-6, TIED(false), .qk_norm = ALWAYS,
     .kv_heads = 4, .head_size = 128, .window = 513, .window_rule = LASER_WINDOW_PATTERN, .pattern = 5,
     .rope_rule = LASER_ROPE_IN_SLIDING_OR_ALL, .moe = &kolibri_moe},
    {.model_type = "flint", .positions = 262144, .names = &flint_names, LLAMA_LIKE, .eps = 1e-6, TIED(false),
     ATTENTION_BIAS, .qk_norm = ALWAYS, .sinks = true, .kv_heads = 4, .head_size = 128, .window = 513,
     .window_rule = LASER_WINDOW_LISTED, .rope_rule = LASER_ROPE_IN_SLIDING, .moe = &flint_moe,
     .finish = laser_finish_flint},
    {.model_type = "mellum", .positions = 131072, .aliases = laser_config_aliases_experts,
     .names = &qwen3_names, LLAMA_LIKE, .theta = 500000, .local_theta = 10000, .eps = 1e-6, TIED(false),
     ATTENTION_BIAS, .qk_norm = ALWAYS, .kv_heads = 4, .head_size = 128, .window = 1024,
     .window_rule = LASER_WINDOW_LISTED, .rope_rule = LASER_ROPE_OF_TWO, .moe = &mellum_moe},

    {.model_type = "sarvam_moe", .positions = 131072, .aliases = laser_config_aliases_sarvam, .names = &sarvam_moe_names,
     LLAMA_LIKE, .theta = 8e6, .partial_rope = true, .eps = 1e-6, TIED(false), .qkv_layout = LASER_QKV_STACKED,
     .stored = {.fused = LASER_FUSED_CONTIGUOUS}, .q_bias = SWITCH("attention_bias", false),
     .qk_norm = SWITCH("use_qk_norm", true), .kv_heads = 4, .head_size = 64, .moe = &sarvam_small_moe},
    {.model_type = "afmoe", .positions = 16384, .names = &afmoe_names, LLAMA_LIKE, .eps = 1e-5, TIED(false),
     ATTENTION_BIAS, .qk_norm = ALWAYS, .head_size = 128, .window = 1024, .window_rule = LASER_WINDOW_PATTERN,
     .pattern = 4, .pattern_key = "global_attn_every_n_layers", .rope_rule = LASER_ROPE_IN_SLIDING, .moe = &afmoe_moe,
     .finish = laser_finish_afmoe},
    {.model_type = "aria_text", .names = &aria_names, LLAMA_LIKE, .eps = 1e-6, TIED(false), ATTENTION_BIAS,
     .mlp_bias = SWITCH("mlp_bias", false), .moe = &aria_moe, .stacks_in_out = true, .stored = {.turned_stacks = true}},

    /* Gemma 3 */
    {.model_type = "gemma3_text", .positions = 131072, GEMMA_LIKE(gemma2), .keys = &gemma2_keys, .theta = 1e6,
     .local_theta = 10000, .local_theta_key = "rope_local_base_freq", .kv_heads = 4, .qk_norm = ALWAYS,
     .window = 4096, .window_rule = LASER_WINDOW_PATTERN, .pattern = 6,
     .pattern_key = "sliding_window_pattern", .rope_rule = LASER_ROPE_OF_TWO,
     .options = {{"query_pre_attn_scalar", LASER_SETS_ATTENTION_SCALAR, 256}, {"attn_logit_softcapping",
     LASER_SETS_ATTENTION_SOFTCAP, 0}, {"final_logit_softcapping", LASER_SETS_FINAL_SOFTCAP, 0}},
     .finish = laser_finish_gemma3},

    {.model_type = "gemma4_text", GEMMA_LIKE(gemma4), .norm_plus_one = false, .keys = &gemma2_keys, .positions = 131072,
     .theta = 1e6, .local_theta = 10000, .kv_heads = 4, .qk_norm = ALWAYS, .value_norm = true,
     .full_head_size = "global_head_dim", .full_head_size_otherwise = 512, .proportional = true, .window = 512,
     .window_rule = LASER_WINDOW_PATTERN, .pattern = 6, .rope_rule = LASER_ROPE_OF_TWO,
     .options = {{"final_logit_softcapping", LASER_SETS_FINAL_SOFTCAP, 0}}, .finish = laser_finish_gemma4},

    /* sinks and chunks */
    {.model_type = "gpt_oss", .positions = 131072, .aliases = laser_config_aliases_experts,
     .names = &gpt_oss_names, LLAMA_LIKE, .theta = 150000, .eps = 1e-5, TIED(false),
     BIAS_KEY("attention_bias", true), .sinks = true, .kv_heads = 8, .head_size = 64, .window = 128,
     .window_rule = LASER_WINDOW_PATTERN, .pattern = 2, .moe = &gpt_oss_moe, .stacks_in_out = true,
     .mixed_gate_up = true, .stored = {.turned_stacks = true, .interleaved_gate_up = true},
     .finish = laser_finish_gpt_oss},
    {.model_type = "llama4_text", .positions = 131072, .names = &llama4_names, LLAMA_LIKE,
     .keys = &llama4_keys, .theta = 500000, .eps = 1e-5, TIED(false), ATTENTION_BIAS, .rope_interleaved = true,
     .qk_norm = SWITCH("use_qk_norm", true), .qk_norm_late = true, .qk_norm_plain = true,
     .qk_norm_turned = true, .kv_heads = 8, .head_size = 128, .window = 8192,
     .window_key = "attention_chunk_size", .window_rule = LASER_WINDOW_LISTED,
     .rope_rule = LASER_ROPE_IN_LISTED, .moe = &llama4_moe, .stacks_in_out = true,
     .stored = {.turned_stacks = true}, .finish = laser_finish_llama4},

    /* learned positions, ALiBi, and the older rotary ones */
    {.model_type = "gpt-sw3", .positions = 1024, .aliases = laser_config_aliases_gpt, GPT2_LIKE},
    {.model_type = "openai-gpt", .positions = 512, .aliases = laser_config_aliases_gpt, .names = &openai_gpt_names,
     .keys = &openai_keys, GPT_LIKE, .qkv_layout = LASER_QKV_STACKED, .stored = {.conv1d = true}, .transposed = true,
     .residual = LASER_RESIDUAL_POST, TIED(true), ALL_BIASES, .finish = laser_finish_openai_gpt},
    {.model_type = "gpt_bigcode", .positions = 1024, .aliases = laser_config_aliases_gpt, .names = &gpt2_names,
     .keys = &gpt_keys, GPT_LIKE, .activation = "gelu_pytorch_tanh", .qkv_layout = LASER_QKV_STACKED,
     .stored = {.fused = LASER_FUSED_BIGCODE}, TIED(true), ALL_BIASES, .finish = laser_finish_bigcode},
    {.model_type = "gpt_neo", .guards = laser_config_guards_gpt_neo, .aliases = laser_config_aliases_gpt_neo, .names = &gpt_neo_names,
     .keys = &gpt_neo_keys, GPT_LIKE, TIED(true), .o_bias = ALWAYS, .mlp_bias = ALWAYS,
     .finish = laser_finish_gpt_neo},
    {.model_type = "codegen", .aliases = laser_config_aliases_gpt, .names = &gptj_names, .keys = &gpt_keys,
     GPT_LIKE, .qkv_layout = LASER_QKV_QUARTERS, .stored = {.fused = LASER_FUSED_CODEGEN},
     .residual = LASER_RESIDUAL_PARALLEL_SHARED, TIED(false), .mlp_bias = ALWAYS, .head_bias = ALWAYS,
     .finish = laser_finish_gptj},
    {.model_type = "opt", .names = &opt_names, .keys = &opt_keys, .norm = LASER_NORM_LAYER, .eps = 1e-5,
     TIED(true), BIAS_KEY("enable_bias", true), .mlp_bias = SWITCH("enable_bias", true), .activation = "relu",
     .position_offset = 2, .finish = laser_finish_opt},
    {.model_type = "biogpt", .names = &biogpt_names, .keys = &neox_keys, .positions = 1024, .norm = LASER_NORM_LAYER,
     .eps = 1e-12, TIED(true), ALL_BIASES, .activation = "gelu", .position_offset = 2, .finish = laser_finish_biogpt},
    {.model_type = "bloom", .aliases = laser_config_aliases_bloom, .names = &bloom_names, .keys = &bloom_keys,
     .norm = LASER_NORM_LAYER, .eps = 1e-5, TIED(true), ALL_BIASES, .qkv_layout = LASER_QKV_BY_HEAD,
     .stored = {.fused = LASER_FUSED_BY_HEAD}, .activation = "gelu_new", .alibi = LASER_ALIBI_BLOOM,
     .finish = laser_finish_bloom},
    {.model_type = "falcon", .aliases = laser_config_aliases_falcon, .names = &falcon_names,
     .keys = &falcon_keys, .norm = LASER_NORM_LAYER, .eps = 1e-5, TIED(true), BIAS_KEY("bias", false),
     .mlp_bias = SWITCH("bias", false), .stored = {.fused = LASER_FUSED_FALCON}, .theta = 10000, .partial = 1,
     .activation = "gelu", .finish = laser_finish_falcon},
    {.model_type = "mpt", .aliases = laser_config_aliases_mpt, .names = &mpt_names, .keys = &mpt_keys,
     .norm = LASER_NORM_LAYER, .no_norm_bias = true, .eps = 1e-5, TIED(true), .qkv_layout = LASER_QKV_STACKED,
     .stored = {.fused = LASER_FUSED_CONTIGUOUS}, .activation = "gelu", .alibi = LASER_ALIBI_MPT,
     .finish = laser_finish_mpt},
    {.model_type = "gpt_neox_japanese", .names = &neox_japanese_names, .keys = &japanese_keys, NEOX_LIKE,
     TIED(true), .partial = 1, .partial_rope = true, .theta_key = "rotary_emb_base",
     .partial_key = "rotary_pct", .finish = laser_finish_japanese},

    /* latent attention */
    {.model_type = "deepseek_v2", .value_size = 128, .aliases = laser_config_aliases_deepseek2, LATENT_LIKE, .eps = 1e-6,
     TIED(false), .mlp_bias = SWITCH("mlp_bias", false), .moe = &deepseek2_moe,
     .finish = laser_finish_deepseek2},
    {.model_type = "deepseek_v3", .value_size = 128, .positions = 4096, .aliases = laser_config_aliases_routed_experts,
     LATENT_LIKE, .eps = 1e-6, TIED(false), .moe = &deepseek3_moe, .finish = laser_finish_latent},
    {.model_type = "deepseek_v32", .value_size = 128, .positions = 163840, .aliases = laser_config_aliases_indexed, LATENT_LIKE,
     .names = &indexed_names, .eps = 1e-6, TIED(false), .moe = &deepseek32_moe, .finish = laser_finish_indexed},
    {.model_type = "glm_moe_dsa", .value_size = 256, .positions = 202752, .aliases = laser_config_aliases_indexed, LATENT_LIKE,
     .names = &indexed_names, .eps = 1e-5, TIED(false), .moe = &glm_dsa_moe, .finish = laser_finish_indexed},
    {.model_type = "kimi_k2", .value_size = 128, .positions = 4096, .aliases = laser_config_aliases_routed_experts,
     LATENT_LIKE, .eps = 1e-6, TIED(false), .moe = &deepseek3_moe, .finish = laser_finish_latent},
    {.model_type = "glm4_moe_lite", .value_size = 256, .positions = 202752, .aliases = laser_config_aliases_glm4_lite,
     LATENT_LIKE, .eps = 1e-5, TIED(false), .moe = &glm4_lite_moe, .finish = laser_finish_latent},
    {.model_type = "sarvam_mla", .value_size = 128, .no_q_rank = true, .positions = 4096,
     .aliases = laser_config_aliases_sarvam, LATENT_LIKE, .eps = 1e-6, TIED(false), .moe = &sarvam_moe,
     .finish = laser_finish_latent},
    {.model_type = "axk1", .value_size = 128, .positions = 32768, .aliases = laser_config_aliases_routed_experts,
     LATENT_LIKE, .names = &axk1_names, .eps = 1e-6, TIED(false), .moe = &axk1_moe, .finish = laser_finish_latent},
    {.model_type = "youtu", .value_size = 128, .positions = 131072, LATENT_LIKE, .eps = 1e-6, TIED(true),
     .finish = laser_finish_latent},
    {.model_type = "minicpm3", .mlp_bias = SWITCH("mlp_bias", false), .positions = 32768, LATENT_LIKE, .rope_interleaved = false, .eps = 1e-5,
     TIED(true), .options = {{"scale_emb", LASER_SETS_EMBED_SCALE, 12}}, .finish = laser_finish_minicpm3},

    /* the gated delta rule */
    {.model_type = "qwen3_next", .names = &qwen3_next_names, LLAMA_LIKE, .positions = 32768, .eps = 1e-6, TIED(false),
     ATTENTION_BIAS, .mixer = LASER_MIXER_DELTA, .mixer_rule = LASER_MIXED_INTERVAL, .attention_gate = true, .norm_plus_one = true, .qk_norm = ALWAYS, .kv_heads = 2,
     .head_size = 256, .partial = 0.25, .partial_rope = true, .window_rule = LASER_WINDOW_LISTED, .moe = &qwen3_next_moe},
    {.model_type = "qwen3_5_text", .names = &qwen3_5_names, LLAMA_LIKE, .positions = 32768, .eps = 1e-6, TIED(false),
     ATTENTION_BIAS, .mixer = LASER_MIXER_DELTA, .mixer_rule = LASER_MIXED_INTERVAL, .attention_gate = true, .norm_plus_one = true, .qk_norm = ALWAYS, .kv_heads = 4,
     .head_size = 256, .partial = 0.25, .partial_rope = true, .mrope = true, .window_rule = LASER_WINDOW_LISTED},
    {.model_type = "qwen3_5_moe_text", .names = &qwen3_5_names, LLAMA_LIKE, .positions = 32768, .eps = 1e-6, TIED(false),
     ATTENTION_BIAS, .mixer = LASER_MIXER_DELTA, .mixer_rule = LASER_MIXED_INTERVAL, .attention_gate = true, .norm_plus_one = true, .qk_norm = ALWAYS, .kv_heads = 2,
     .head_size = 256, .partial = 0.25, .partial_rope = true, .mrope = true, .window_rule = LASER_WINDOW_LISTED,
     .keys = &expert_keys, .moe = &qwen3_5_moe},

    /* state spaces and short convolutions */
    {.model_type = "mamba2", .names = &mamba2_names, .keys = &mamba_keys, .norm = LASER_NORM_RMS, .eps = 1e-5, TIED(false),
     .activation = "silu", .mixer = LASER_MIXER_STATE_SPACE, .mixer_rule = LASER_MIXED_ALL, .mix = &mamba2_mix, .bare = true},
    {.model_type = "mamba", .names = &mamba_names, .keys = &mamba_keys, .norm = LASER_NORM_RMS, .eps = 1e-5, TIED(true),
     .activation = "silu", .mixer = LASER_MIXER_SELECTIVE, .mixer_rule = LASER_MIXED_ALL, .mix = &mamba_mix, .bare = true},
    {.model_type = "falcon_mamba", .names = &mamba_names, .keys = &mamba_keys, .norm = LASER_NORM_RMS, .eps = 1e-5, TIED(true),
     .activation = "silu", .mixer = LASER_MIXER_SELECTIVE, .mixer_rule = LASER_MIXED_ALL, .mix = &falcon_mamba_mix,
     .bare = true},
    {.model_type = "bamba", .names = &bamba_names, LLAMA_LIKE, .positions = 262144, .eps = 1e-5, TIED(false), ATTENTION_BIAS,
     .mlp_bias = SWITCH("mlp_bias", false), .kv_heads = 8, .partial = 0.5, .partial_rope = true,
     .mixer = LASER_MIXER_STATE_SPACE, .mixer_rule = LASER_MIXED_INDICES, .mix = &bamba_mix},
    {.model_type = "granitemoehybrid", .aliases = laser_config_aliases_block_types, .names = &granite_hybrid_names,
     GRANITE_LIKE, .mlp_bias = {0}, TIED(false), .window_rule = LASER_WINDOW_LISTED, .mixer = LASER_MIXER_STATE_SPACE,
     .mixer_rule = LASER_MIXED_LISTED, .mix = &bamba_mix, .moe = &granite_hybrid_moe,
     .finish = laser_finish_granite_hybrid},
    {.model_type = "falcon_h1", .names = &bamba_names, LLAMA_LIKE, .positions = 8192, .eps = 1e-5, TIED(false),
     ATTENTION_BIAS, .mlp_bias = SWITCH("mlp_bias", false), .kv_heads = 8, .mixer = LASER_MIXER_BOTH,
     .mixer_rule = LASER_MIXED_ALL, .mix = &falcon_h1_mix,
     .options = {{"embedding_multiplier", LASER_SETS_EMBED_SCALE, 1}, {"lm_head_multiplier", LASER_SETS_LOGIT_SCALE, 1}},
     .finish = laser_finish_falcon_h1},
    {.model_type = "nemotron_h", .aliases = laser_config_aliases_nemotron_h, .names = &nemotron_h_names,
     .keys = &nemotron_h_keys, .norm = LASER_NORM_RMS, .positions = 4096, .eps = 1e-5, TIED(false), .activation = "relu2",
     .mlp_bias = SWITCH("mlp_bias", false), .kv_heads = 8, .head_size = 128, .mixer = LASER_MIXER_STATE_SPACE,
     .mixer_rule = LASER_MIXED_BLOCKS, .mix = &nemotron_h_mix, .moe = &nemotron_h_moe},
    {.model_type = "minimax", .aliases = laser_config_aliases_experts, .names = &minimax_names, LLAMA_LIKE, .theta = 1e6,
     .positions = 131072, .eps = 1e-5, TIED(false), .kv_heads = 8, .residual = LASER_RESIDUAL_NORMED,
     .window_rule = LASER_WINDOW_ALL_LISTED, .mixer = LASER_MIXER_LIGHTNING, .mixer_rule = LASER_MIXED_ODD,
     .moe = &mixtral_moe, .finish = laser_finish_minimax},
    {.model_type = "jamba", .aliases = laser_config_aliases_local_experts, .names = &jamba_names, LLAMA_LIKE, .theta = 0,
     .positions = 262144, .eps = 1e-6, TIED(false), .kv_heads = 8, .mixer = LASER_MIXER_SELECTIVE,
     .mixer_rule = LASER_MIXED_PERIOD, .mix = &jamba_mix, .moe = &jamba_moe},
    {.model_type = "lfm2", .aliases = laser_config_aliases_lfm2, .names = &lfm2_names, LLAMA_LIKE, .keys = &lfm_keys,
     .theta = 1e6, .positions = 128000, .eps = 1e-5, TIED(true), .qk_norm = ALWAYS, .kv_heads = 8,
     .window_rule = LASER_WINDOW_LISTED, .mixer = LASER_MIXER_CONVOLUTION, .mixer_rule = LASER_MIXED_NUMBERED,
     .mix = &lfm_mix, .finish = laser_finish_lfm2},
    {.model_type = "lfm2_moe", .aliases = laser_config_aliases_lfm2_moe, .names = &lfm2_moe_names, LLAMA_LIKE,
     .keys = &lfm_keys, .theta = 1e6, .positions = 128000, .eps = 1e-5, TIED(true), .qk_norm = ALWAYS, .kv_heads = 8,
     .window_rule = LASER_WINDOW_LISTED, .mixer = LASER_MIXER_CONVOLUTION, .mixer_rule = LASER_MIXED_LISTED,
     .mix = &lfm_mix, .moe = &lfm2_moe_moe, .finish = laser_finish_lfm2_moe},

    /* inside of wrappers; their positions have three parts, which are the same for text */
    {.model_type = "qwen2_5_vl_text", .names = &llama_names, LLAMA_LIKE, .positions = 32768, .theta = 1e6, .eps = 1e-5,
     TIED(false), .q_bias = ALWAYS, .kv_heads = 8, .mrope = true, .window = 4096, .window_rule = LASER_WINDOW_UPPER},
    {.model_type = "qwen2_vl_text", .names = &llama_names, LLAMA_LIKE, .positions = 32768, .theta = 1e6, .eps = 1e-5,
     TIED(false), .q_bias = ALWAYS, .kv_heads = 8, .mrope = true, .window = 4096, .window_rule = LASER_WINDOW_UPPER},
    {.model_type = "qwen3_vl_moe_text", .names = &qwen3_names, LLAMA_LIKE, .positions = 128000, .theta = 500000,
     .eps = 1e-6, TIED(true), ATTENTION_BIAS, .qk_norm = ALWAYS, .kv_heads = 16, .mrope = true, .moe = &qwen3_vl_moe_moe,
     .aliases = laser_config_aliases_local_experts, .stacks_in_out = true,
     .stored = {.turned_stacks = true, .either_stacks = true}},
    {.model_type = "qwen3_vl_text", .names = &qwen3_names, LLAMA_LIKE, .positions = 128000, .theta = 500000, .eps = 1e-6,
     TIED(false), ATTENTION_BIAS, .qk_norm = ALWAYS, .kv_heads = 32, .head_size = 128, .mrope = true},

    /* scanned only */
    {.model_type = "chatglm", .stored = {.fused = LASER_FUSED_CONTIGUOUS}},
    {.model_type = "RefinedWeb", .stored = {.fused = LASER_FUSED_FALCON}},
    {.model_type = "RefinedWebModel", .stored = {.fused = LASER_FUSED_FALCON}},
    {.model_type = "imagegpt", .stored = {.conv1d = true}},
    {.model_type = "decision_transformer", .stored = {.conv1d = true}},
    {.model_type = "llama4", .stored = {.turned_stacks = true}},
    {.model_type = "qwen3_vl_moe", .stored = {.turned_stacks = true, .either_stacks = true}},
};

#define INSIDE .prefixes = {"language_model.model.", "model.language_model.", "model.text_model.", "model."}, \
    .heads = {"language_model.lm_head", "lm_head"}
static const struct laser_wrapper wrappers[] = {
    {.model_type = "gemma3", .text_type = "gemma3_text", INSIDE},
    {.model_type = "gemma4", .text_type = "gemma4_text", INSIDE},
    {.model_type = "llama4", .text_type = "llama4_text", INSIDE},
    {.model_type = "llava", .text_type = "llama", INSIDE},
    {.model_type = "mistral3", .text_type = "mistral", INSIDE},
    {.model_type = "qwen2_5_vl", .text_type = "qwen2_5_vl_text", INSIDE},
    {.model_type = "qwen3_5", .text_type = "qwen3_5_text", INSIDE},
    {.model_type = "qwen3_5_moe", .text_type = "qwen3_5_moe_text", INSIDE},
    {.model_type = "qwen3_vl", .text_type = "qwen3_vl_text", INSIDE},
    {.model_type = "aria", .text_type = "aria_text", INSIDE},
    {.model_type = "aya_vision", .text_type = "cohere2", .plain_logits = true, INSIDE},
    {.model_type = "cohere2_vision", .text_type = "cohere2", .plain_logits = true, INSIDE},
    {.model_type = "deepseek_vl", .text_type = "llama", INSIDE},
    {.model_type = "deepseek_vl_hybrid", .text_type = "llama", INSIDE},
    {.model_type = "exaone4_5", .text_type = "exaone4", INSIDE},
    {.model_type = "got_ocr2", .text_type = "qwen2", INSIDE},
    {.model_type = "hyperclovax_vision_v2", .text_type = "hyperclovax", INSIDE},
    {.model_type = "idefics2", .text_type = "mistral", INSIDE},
    {.model_type = "idefics3", .text_type = "llama", INSIDE},
    {.model_type = "internvl", .text_type = "qwen2", INSIDE},
    {.model_type = "kimi_k25", .text_type = "deepseek_v3", INSIDE},
    {.model_type = "lfm2_vl", .text_type = "lfm2", INSIDE},
    {.model_type = "lighton_ocr", .text_type = "qwen3", INSIDE},
    {.model_type = "llava_next", .text_type = "llama", INSIDE},
    {.model_type = "llava_next_video", .text_type = "llama", INSIDE},
    {.model_type = "llava_onevision", .text_type = "qwen2", INSIDE},
    {.model_type = "minicpmv4_6", .text_type = "qwen3_5_text", INSIDE},
    {.model_type = "ovis2", .text_type = "qwen2", INSIDE},
    {.model_type = "qwen2_vl", .text_type = "qwen2_vl_text", INSIDE},
    {.model_type = "qwen3_vl_moe", .text_type = "qwen3_vl_moe_text", INSIDE},
    {.model_type = "smolvlm", .text_type = "llama", INSIDE},
    {.model_type = "video_llama_3", .text_type = "qwen2", INSIDE},
    {.model_type = "video_llava", .text_type = "llama", INSIDE},
    {.model_type = "vipllava", .text_type = "llama", INSIDE},
};
/* clang-format on */

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

const struct laser_wrapper *laser_wrapper_at(int index)
{
    return (size_t)index < sizeof wrappers / sizeof wrappers[0] ? &wrappers[index] : NULL;
}

const struct laser_wrapper *laser_wrapper_find(const char *model_type)
{
    for (size_t i = 0; i < sizeof wrappers / sizeof wrappers[0]; i++)
        if (strcmp(wrappers[i].model_type, model_type) == 0)
            return &wrappers[i];
    return NULL;
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
    for (int k = 0; wrappers[0].heads[k]; k++)
        add_name(&ends[0], "", wrappers[0].heads[k]);
    for (int k = 0; wrappers[0].prefixes[k]; k++)
        add_name(&ends[1], wrappers[0].prefixes[k], "embed_tokens");
    return ends;
}
