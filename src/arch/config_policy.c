#include "arch/config_policy.h"

#include <stddef.h>

#define OF_EVERY_MODEL                                                                                       \
    {                                                                                                        \
        "per_layer_config", "{}"                                                                             \
    }

const struct laser_config_guard laser_config_guards_causal[] = {
    {"is_causal", "true"}, OF_EVERY_MODEL, {NULL, NULL}};
const struct laser_config_guard laser_config_guards_gpt2[] = {
    {"is_causal", "true"}, {"add_cross_attention", "false"}, OF_EVERY_MODEL, {NULL, NULL}};
const struct laser_config_guard laser_config_guards_masked[] = {
    {"is_decoder", "false"}, {"add_cross_attention", "false"}, OF_EVERY_MODEL, {NULL, NULL}};
const struct laser_config_guard laser_config_guards_gpt_neo[] = {OF_EVERY_MODEL, {NULL, NULL}};
/* Frequencies for each kind of layer. */
const struct laser_config_guard laser_config_guards_rope[] = {
    {"full_attention", "{}"}, {"sliding_attention", "{}"}, {NULL, NULL}};

const struct laser_config_alias laser_config_aliases_gpt[] = {{"hidden_size", "n_embd"},
                                                              {"num_hidden_layers", "n_layer"},
                                                              {"num_attention_heads", "n_head"},
                                                              {"max_position_embeddings", "n_positions"},
                                                              {NULL, NULL}};
const struct laser_config_alias laser_config_aliases_experts[] = {{"num_experts", "num_local_experts"},
                                                                  {NULL, NULL}};

#define ALIASES(name) const struct laser_config_alias laser_config_aliases_##name[]
ALIASES(local_experts) = {{"num_local_experts", "num_experts"}, {NULL, NULL}};
ALIASES(distilbert) = {{"hidden_size", "dim"},
                       {"num_hidden_layers", "n_layers"},
                       {"num_attention_heads", "n_heads"},
                       {NULL, NULL}};
ALIASES(indexed) = {{"num_local_experts", "n_routed_experts"},
                    {"num_experts", "n_routed_experts"},
                    {"head_dim", "qk_rope_head_dim"},
                    {NULL, NULL}};
ALIASES(block_types) = {{"layers_block_type", "layer_types"}, {NULL, NULL}};
ALIASES(nemotron_h) = {{"layer_types", "layers_block_type"},
                       {"num_local_experts", "n_routed_experts"},
                       {"mamba_n_groups", "n_groups"},
                       {"mamba_d_conv", "conv_kernel"},
                       {"mamba_dt_min", "time_step_min"},
                       {"mamba_conv_bias", "use_conv_bias"},
                       {NULL, NULL}};
ALIASES(lfm2) = {
    {"tie_embedding", "tie_word_embeddings"}, {"block_ff_dim", "intermediate_size"}, {NULL, NULL}};
ALIASES(lfm2_moe) = {{"tie_embedding", "tie_word_embeddings"}, {NULL, NULL}};
ALIASES(routed_experts) = {{"num_local_experts", "n_routed_experts"}, {NULL, NULL}};
ALIASES(glm4_lite) = {
    {"num_local_experts", "n_routed_experts"}, {"head_dim", "qk_rope_head_dim"}, {NULL, NULL}};
ALIASES(sarvam) = {{"num_local_experts", "n_routed_experts"},
                   {"num_experts", "n_routed_experts"},
                   {"num_shared_experts", "n_shared_experts"},
                   {"use_qkv_bias", "attention_bias"},
                   {NULL, NULL}};
ALIASES(deepseek2) = {{"num_experts", "n_routed_experts"}, {NULL, NULL}};
ALIASES(ernie_moe) = {{"num_experts", "moe_num_experts"}, {"num_experts_per_tok", "moe_k"}, {NULL, NULL}};
ALIASES(hunyuan_moe) = {
    {"num_local_experts", "num_experts"}, {"num_experts_per_tok", "moe_topk"}, {NULL, NULL}};
ALIASES(exaone) = {{"num_layers", "num_hidden_layers"},
                   {"layer_norm_epsilon", "rms_norm_eps"},
                   {"activation_function", "hidden_act"},
                   {NULL, NULL}};
ALIASES(internlm3) = {{"qkv_bias", "attention_bias"}, {"bias", "mlp_bias"}, {NULL, NULL}};
ALIASES(gpt_neo) = {{"num_attention_heads", "num_heads"}, {"num_hidden_layers", "num_layers"}, {NULL, NULL}};
ALIASES(bloom) = {{"num_hidden_layers", "n_layer"},
                  {"num_attention_heads", "n_head"},
                  {"n_embed", "hidden_size"},
                  {NULL, NULL}};
ALIASES(falcon) = {{"n_embed", "hidden_size"}, {NULL, NULL}};
ALIASES(mpt) = {{"num_attention_heads", "n_heads"},
                {"hidden_size", "d_model"},
                {"num_hidden_layers", "n_layers"},
                {NULL, NULL}};

/* Training, generation, tokens, dropout, what tools note for themselves. */
const char *const laser_config_bookkeeping[] = {"_*",
                                                "add_prefix_space",
                                                "architectures",
                                                "attention_dropout",
                                                "attention_probs_dropout_prob",
                                                "attn_pdrop",
                                                "auto_map",
                                                "bad_words_ids",
                                                "begin_suppress_tokens",
                                                "bos_token_id",
                                                "cache_implementation",
                                                "chunk_size_feed_forward",
                                                "classifier_dropout",
                                                "cross_attention_hidden_size",
                                                "decoder_start_token_id",
                                                "diversity_penalty",
                                                "do_sample",
                                                "dtype",
                                                "early_stopping",
                                                "embd_dropout",
                                                "embd_pdrop",
                                                "encoder_no_repeat_ngram_size",
                                                "eos_token_id",
                                                "exponential_decay_length_penalty",
                                                "finetuning_task",
                                                "flash_attn",
                                                "flash_rotary",
                                                "forced_bos_token_id",
                                                "forced_eos_token_id",
                                                "full_attn_mod",
                                                "fused_dense",
                                                "gradient_checkpointing",
                                                "hidden_dropout",
                                                "hidden_dropout_prob",
                                                "id2label",
                                                "initializer_factor",
                                                "initializer_range",
                                                "interpolate_factor",
                                                "is_encoder_decoder",
                                                "is_llama_config",
                                                "label2id",
                                                "length_penalty",
                                                "max_length",
                                                "min_length",
                                                "model_max_length",
                                                "model_type",
                                                "n_ctx",
                                                "neftune_noise_alpha",
                                                "no_repeat_ngram_size",
                                                "num_beam_groups",
                                                "num_beams",
                                                "num_labels",
                                                "num_return_sequences",
                                                "output_attentions",
                                                "output_hidden_states",

                                                "output_router_logits",
                                                "output_scores",
                                                "pad_token_id",
                                                "prefix",
                                                "pretraining_tp",
                                                "problem_type",
                                                "remove_invalid_values",
                                                "reorder_and_upcast_attn",
                                                "repetition_penalty",
                                                "resid_dropout",
                                                "resid_pdrop",
                                                "return_dict",
                                                "return_dict_in_generate",
                                                "rotary",
                                                "router_aux_loss_coef",
                                                "router_jitter_noise",
                                                "sep_token_id",
                                                "seq_length",
                                                "sliding_window_size",
                                                "summary_*",
                                                "suppress_tokens",
                                                "task_specific_params",
                                                "temperature",
                                                "tf_legacy_loss",
                                                "tokenizer_class",
                                                "top_k",
                                                "top_p",
                                                "torch_dtype",
                                                "torchscript",
                                                "transformers.js_config",
                                                "transformers_version",
                                                "typical_p",
                                                "unk_token_id",
                                                "unsloth_*",
                                                "use_bfloat16",
                                                "use_cache",
                                                "use_flash_attn",
                                                "vocab_file",
                                                NULL};

const char *const laser_config_bookkeeping_rope[] = {"finetuned", NULL};
