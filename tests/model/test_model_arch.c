/* What config.json may say: supported models are described, everything else is refused by name. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "arch/family.h"
#include "arch/rope.h"
#include "model_testing.h"
#include "plan/estimate.h"
#include "testing.h"

static const char llama[] =
    "{\"model_type\": \"llama\", \"hidden_size\": 24, \"num_hidden_layers\": 2, "
    "\"num_attention_heads\": 6, \"num_key_value_heads\": 2, \"intermediate_size\": 28, "
    "\"vocab_size\": 47}";

/* Reads base with the members of changes (JSON text) put over it. */
static int read_changed(const char *base, const char *changes, struct laser_arch *arch,
                        struct laser_error *err)
{
    json_t *config = json_loads(base, 0, NULL), *over = json_loads(changes, 0, NULL);
    int result;

    assert_non_null(config);
    assert_non_null(over);
    json_object_update(config, over);
    json_decref(over);
    result = laser_arch_read(config, "config.json", arch, err);
    json_decref(config);
    return result;
}

/* The change must be refused, and the message must hold `word`. */
static void assert_refused(const char *base, const char *changes, const char *word)
{
    struct laser_arch arch;
    struct laser_error err = {0};

    if (read_changed(base, changes, &arch, &err) == LASER_OK) {
        laser_arch_free(&arch);
        fail_msg("%s was accepted", changes);
    }
    assert_int_equal(err.code, LASER_EINPUT);
    if (!strstr(err.text, word))
        fail_msg("\"%s\" does not name %s", err.text, word);
}

static struct laser_arch accepted(const char *base, const char *changes)
{
    struct laser_arch arch;
    struct laser_error err = {0};

    if (read_changed(base, changes, &arch, &err) != LASER_OK)
        fail_msg("%s: %s", changes, err.text);
    return arch;
}

static void another_family_is_refused_by_name(void **state)
{
    (void)state;
    assert_refused(llama, "{\"model_type\": \"rwkv\"}", "rwkv");
    assert_refused(llama, "{\"model_type\": \"rwkv\"}", "`laser_mpi models` lists");
    assert_refused(llama, "{\"model_type\": null}", "model_type");
}

static void remote_code_is_named(void **state)
{
    (void)state;
    assert_refused(llama,
                   "{\"model_type\": \"rwkv\", \"auto_map\": {\"AutoModelForCausalLM\": \"modeling.Rwkv\"}}",
                   "remote code");
}

static void a_wrapper_without_its_language_model_is_named(void **state)
{
    struct golden text, wrapper;
    struct laser_checkpoint mixed;
    struct laser_model *model = NULL;
    struct laser_error err = {0};

    (void)state;
    golden_open(&text, "gpt2");
    golden_open(&wrapper, "llava");
    mixed = *text.checkpoint;
    mixed.config = wrapper.checkpoint->config;
    assert_int_equal(laser_model_open(&mixed, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "llava model holds no weights of its language model, llama"));
    golden_close(&text);
    golden_close(&wrapper);
}

static void a_classifier_is_refused(void **state)
{
    (void)state;
    assert_refused(llama, "{\"architectures\": [\"LlamaForSequenceClassification\"]}",
                   "SequenceClassification");
}

static void a_key_that_changes_the_computation_is_refused_by_name(void **state)
{
    (void)state;
    assert_refused(llama, "{\"is_causal\": false}", "is_causal");
    assert_refused(llama, "{\"per_layer_config\": {\"1\": {\"hidden_act\": \"relu\"}}}", "per_layer_config");
    assert_refused(llama, "{\"rope_parameters\": {\"full_attention\": {\"rope_type\": \"default\"}}}",
                   "rope_parameters.full_attention");
}

static void an_unknown_key_is_named_and_ignored(void **state)
{
    struct laser_arch arch =
        accepted(llama, "{\"some_extension\": false, \"other\": null, \"third\": [], \"license\": \"mit\", "
                        "\"use_cache\": true, \"rope_scaling\": {\"type\": \"yarn\", \"factor\": 2, "
                        "\"attn_factor\": 0.8}}");

    (void)state;
    assert_string_equal(arch.ignored, "rope_scaling.attn_factor, license");
    laser_arch_free(&arch);
}

static void many_unknown_keys_are_named_as_far_as_there_is_room(void **state)
{
    char change[4096] = "{";
    struct laser_arch arch;

    (void)state;
    for (int i = 0; i < 40; i++)
        snprintf(change + strlen(change), 64, "\"a_key_of_some_length_%d\": 1, ", i);
    strcat(change, "\"z\": 1}");
    arch = accepted(llama, change);
    assert_non_null(strstr(arch.ignored, "a_key_of_some_length_0, "));
    assert_string_equal(arch.ignored + strlen(arch.ignored) - 5, ", ...");
    laser_arch_free(&arch);
}

static void another_name_of_a_key_is_understood(void **state)
{
    struct laser_arch arch = accepted("{\"model_type\": \"gpt2\", \"hidden_size\": 24, "
                                      "\"num_hidden_layers\": 3, \"num_attention_heads\": 4, "
                                      "\"max_position_embeddings\": 16, \"vocab_size\": 47}",
                                      "{}");

    (void)state;
    assert_int_equal(arch.hidden, 24);
    assert_int_equal(arch.layers, 3);
    assert_int_equal(arch.max_positions, 16);
    laser_arch_free(&arch);
}

static const char mamba2[] = "{\"model_type\": \"mamba2\", \"hidden_size\": 16, \"num_hidden_layers\": 2, "
                             "\"vocab_size\": 47, \"num_heads\": 8, \"head_dim\": 4, \"n_groups\": 2}";
static const char nemotron_h[] =
    "{\"model_type\": \"nemotron_h\", \"hidden_size\": 16, \"vocab_size\": 47, \"num_attention_heads\": 4, "
    "\"intermediate_size\": 20, \"mamba_num_heads\": 8, \"num_key_value_heads\": 2}";

static void what_a_recurrence_cannot_be_is_named(void **state)
{
    (void)state;
    assert_refused(mamba2, "{\"num_heads\": 7}", "num_heads");
    assert_refused(mamba2, "{\"head_dim\": 8}", "head_dim");
    assert_refused(mamba2, "{\"n_groups\": 3}", "n_groups");
    assert_refused(mamba2, "{\"hidden_act\": \"relu\"}", "hidden_act");
    assert_refused(mamba2, "{\"time_step_limit\": [1.0, 0.5]}", "time_step_limit");
    assert_refused(mamba2, "{\"time_step_limit\": [0.0]}", "time_step_limit");
    assert_refused(nemotron_h, "{\"hybrid_override_pattern\": \"MX\"}", "hybrid_override_pattern");
    assert_refused(nemotron_h, "{\"layers_block_type\": [\"mamba\", \"conv\"]}", "layers_block_type");
    assert_refused(nemotron_h, "{\"layers_block_type\": []}", "layers_block_type");
}

static void kimi_k2_is_deepseek_v3(void **state)
{
    json_t *config = json_load_file(SRCDIR "/tests/golden/model/deepseek_v3/config.json", 0, NULL);
    struct laser_arch v3, k2;
    struct laser_error err = {0};

    (void)state;
    assert_non_null(config);
    assert_int_equal(laser_arch_read(config, "config.json", &v3, &err), LASER_OK);
    json_object_set_new(config, "model_type", json_string("kimi_k2"));
    assert_int_equal(laser_arch_read(config, "config.json", &k2, &err), LASER_OK);
    assert_ptr_equal(v3.names, k2.names);
    assert_memory_equal(&v3.latent, &k2.latent, sizeof v3.latent);
    assert_true(v3.attention_scale == k2.attention_scale && v3.rope.interleaved == k2.rope.interleaved);
    assert_int_equal(v3.moe.score, k2.moe.score);
    assert_int_equal(v3.moe.groups, k2.moe.groups);
    assert_true(v3.moe.scale == k2.moe.scale && v3.moe.corrected == k2.moe.corrected);
    assert_memory_equal(v3.sparse, k2.sparse, (size_t)v3.layers * sizeof *v3.sparse);
    laser_arch_free(&v3);
    laser_arch_free(&k2);
    json_decref(config);
}

static void limits_of_time_steps_may_be_infinite(void **state)
{
    static const char *const spellings[] = {"{\"time_step_limit\": [0.5, {\"__float__\": \"Infinity\"}]}",
                                            "{\"time_step_limit\": [0.5, \"Infinity\"]}",
                                            "{\"time_step_limit\": [0.5, null]}"};

    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct laser_arch arch = accepted(mamba2, spellings[i]);

        assert_true(arch.mix.step_least == 0.5 && arch.mix.step_most > 1e300);
        laser_arch_free(&arch);
    }
}

static void blocks_are_known_by_letters_and_by_both_kinds_of_words(void **state)
{
    static const char *const spellings[] = {
        "{\"hybrid_override_pattern\": \"M-*\", \"num_hidden_layers\": 3}",
        "{\"layers_block_type\": [\"mamba\", \"mlp\", \"attention\"]}",
        "{\"layers_block_type\": [\"linear_attention\", \"mlp\", \"full_attention\"]}"};

    (void)state;
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        struct laser_arch arch = accepted(nemotron_h, spellings[i]);

        assert_int_equal(arch.layers, 3);
        assert_int_equal(arch.mixer[0], LASER_MIXER_STATE_SPACE);
        assert_int_equal(arch.mixer[1], LASER_MIXER_NONE);
        assert_int_equal(arch.mixer[2], LASER_MIXER_ATTENTION);
        assert_true(arch.bare[0] && !arch.bare[1] && arch.bare[2]);
        laser_arch_free(&arch);
    }
}

static void a_missing_or_impossible_size_is_named(void **state)
{
    (void)state;
    assert_refused(llama, "{\"hidden_size\": null}", "hidden_size");
    assert_refused(llama, "{\"num_hidden_layers\": 2.5}", "num_hidden_layers");
    assert_refused(llama, "{\"vocab_size\": -1}", "vocab_size");
    assert_refused(llama, "{\"num_key_value_heads\": 4}", "num_key_value_heads");
    assert_refused(llama, "{\"rms_norm_eps\": \"small\"}", "rms_norm_eps");
}

static void an_unknown_activation_is_refused(void **state)
{
    (void)state;
    assert_refused(llama, "{\"hidden_act\": \"mish\"}", "mish");
}

static void an_unknown_rope_is_refused(void **state)
{
    (void)state;
    assert_refused(llama, "{\"rope_scaling\": {\"rope_type\": \"proportional\", \"factor\": 2}}",
                   "proportional");
    assert_refused(llama, "{\"rope_scaling\": {\"rope_type\": \"linear\"}}", "factor");
    assert_refused(
        llama,
        "{\"partial_rotary_factor\": 0.5, \"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 2}}",
        "partial_rotary_factor");
    assert_refused(llama,
                   "{\"rope_scaling\": {\"rope_type\": \"longrope\", \"factor\": 2, \"short_factor\": [1], "
                   "\"long_factor\": [1, 1]}}",
                   "short_factor");
}

static void layer_types_of_no_meaning_are_refused_where_they_are_honoured(void **state)
{
    (void)state;
    assert_refused(llama,
                   "{\"model_type\": \"qwen2\", \"layer_types\": [\"full_attention\", \"linear_attention\"]}",
                   "linear_attention");
    assert_refused(llama, "{\"model_type\": \"qwen2\", \"layer_types\": [\"full_attention\"]}",
                   "layer_types");
}

static void layer_types_are_ignored_by_the_other_families(void **state)
{
    struct laser_arch arch =
        accepted(llama, "{\"model_type\": \"mistral\", \"sliding_window\": 8, \"layer_types\": "
                        "[\"full_attention\", \"sliding_attention\"]}");

    (void)state;
    assert_int_equal(arch.window[0], 8);
    assert_int_equal(arch.window[1], 8);
    assert_string_equal(arch.ignored, "layer_types");
    laser_arch_free(&arch);
}

static void layer_types_choose_the_windows_where_they_are_honoured(void **state)
{
    struct laser_arch arch =
        accepted(llama, "{\"model_type\": \"qwen3\", \"use_sliding_window\": true, \"sliding_window\": 8, "
                        "\"layer_types\": [\"sliding_attention\", \"full_attention\"]}");

    (void)state;
    assert_int_equal(arch.window[0], 8);
    assert_int_equal(arch.window[1], 0);
    laser_arch_free(&arch);
}

static void a_missing_window_is_the_default_and_null_is_none(void **state)
{
    struct laser_arch missing = accepted(llama, "{\"model_type\": \"mistral\"}");
    struct laser_arch none = accepted(llama, "{\"model_type\": \"mistral\", \"sliding_window\": null}");

    (void)state;
    assert_int_equal(missing.window[0], 4096);
    assert_int_equal(none.window[0], 0);
    laser_arch_free(&missing);
    laser_arch_free(&none);
}

static void the_old_spelling_of_the_rope_is_understood(void **state)
{
    struct laser_arch arch =
        accepted(llama, "{\"rope_theta\": 5e5, \"max_position_embeddings\": 64, \"rope_scaling\": "
                        "{\"type\": \"linear\", \"factor\": 4.0}}");

    (void)state;
    assert_int_equal(arch.rope.kind, LASER_ROPE_LINEAR);
    assert_true(arch.rope.theta == 5e5 && arch.rope.factor == 4);
    laser_arch_free(&arch);
}

static void linear_scaling_divides_the_frequencies(void **state)
{
    struct laser_arch arch = accepted(
        llama, "{\"rope_scaling\": {\"rope_type\": \"linear\", \"factor\": 4.0}, \"rope_theta\": 100}");
    float frequency[2];

    (void)state;
    laser_rope_frequencies(&arch.rope, 8, frequency);
    assert_true(frequency[0] == 0.25f);
    assert_true(fabsf(frequency[1] - 0.025f) < 1e-8f);
    laser_arch_free(&arch);
}

static void dynamic_scaling_starts_beyond_the_trained_length(void **state)
{
    struct laser_arch arch =
        accepted(llama, "{\"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2.0}, "
                        "\"max_position_embeddings\": 16}");
    float within[2], beyond[2];

    (void)state;
    laser_rope_frequencies(&arch.rope, 16, within);
    laser_rope_frequencies(&arch.rope, 17, beyond);
    assert_true(within[1] == 0.01f);
    assert_true(beyond[1] < within[1]);
    laser_arch_free(&arch);
}

/* As they are spelled on the hub, with the keys that have nothing to do with the forward pass. */
static void configurations_of_the_hub_are_accepted(void **state)
{
    static const char *const configs[] = {
        "{\"architectures\": [\"LlamaForCausalLM\"], \"attention_bias\": false, \"attention_dropout\": 0.0, "
        "\"bos_token_id\": 1, \"eos_token_id\": [1, 2], \"hidden_act\": \"silu\", \"hidden_size\": 576, "
        "\"initializer_range\": 0.041666666666666664, \"intermediate_size\": 1536, \"is_llama_config\": "
        "true, "
        "\"max_position_embeddings\": 8192, \"mlp_bias\": false, \"model_type\": \"llama\", "
        "\"num_attention_heads\": 9, \"num_hidden_layers\": 30, \"num_key_value_heads\": 3, "
        "\"pad_token_id\": 2, "
        "\"pretraining_tp\": 1, \"rms_norm_eps\": 1e-05, \"rope_interleaved\": false, \"rope_scaling\": "
        "null, "
        "\"rope_theta\": 100000, \"tie_word_embeddings\": true, \"torch_dtype\": \"bfloat16\", "
        "\"transformers.js_config\": {\"kv_cache_dtype\": {\"q4f16\": \"float16\"}}, "
        "\"transformers_version\": \"4.42.3\", \"use_cache\": true, \"vocab_size\": 49152}",

        "{\"activation_function\": \"gelu_new\", \"architectures\": [\"GPT2LMHeadModel\"], \"_num_labels\": "
        "1, "
        "\"attn_pdrop\": 0.1, \"bos_token_id\": 50256, \"embd_pdrop\": 0.1, \"eos_token_id\": 50256, "
        "\"initializer_range\": 0.02, \"layer_norm_epsilon\": 1e-05, \"model_type\": \"gpt2\", \"n_ctx\": "
        "1024, "
        "\"n_embd\": 768, \"n_head\": 12, \"n_layer\": 12, \"n_positions\": 1024, \"resid_pdrop\": 0.1, "
        "\"summary_activation\": null, \"summary_first_dropout\": 0.1, \"summary_proj_to_labels\": true, "
        "\"summary_type\": \"cls_index\", \"summary_use_proj\": true, "
        "\"task_specific_params\": {\"text-generation\": {\"do_sample\": true, \"max_length\": 50}}, "
        "\"vocab_size\": 50257}",

        "{\"architectures\": [\"Gemma2ForCausalLM\"], \"attention_bias\": false, \"attn_logit_softcapping\": "
        "50.0, "
        "\"cache_implementation\": \"hybrid\", \"final_logit_softcapping\": 30.0, \"head_dim\": 256, "
        "\"hidden_act\": \"gelu_pytorch_tanh\", \"hidden_activation\": \"gelu_pytorch_tanh\", "
        "\"hidden_size\": 2304, \"intermediate_size\": 9216, \"max_position_embeddings\": 8192, "
        "\"model_type\": \"gemma2\", \"num_attention_heads\": 8, \"num_hidden_layers\": 26, "
        "\"num_key_value_heads\": 4, \"query_pre_attn_scalar\": 256, \"rms_norm_eps\": 1e-06, "
        "\"rope_theta\": 10000.0, \"sliding_window\": 4096, \"vocab_size\": 256000}",

        "{\"activation_function\": \"gelu_new\", \"architectures\": [\"GPTJForCausalLM\"], \"attn_pdrop\": "
        "0.0, "
        "\"gradient_checkpointing\": false, \"layer_norm_epsilon\": 1e-05, \"model_type\": \"gptj\", "
        "\"n_embd\": 4096, \"n_head\": 16, \"n_inner\": null, \"n_layer\": 28, \"n_positions\": 2048, "
        "\"rotary\": true, \"rotary_dim\": 64, \"scale_attn_weights\": true, \"tie_word_embeddings\": false, "
        "\"tokenizer_class\": \"GPT2Tokenizer\", \"vocab_size\": 50400}",

        "{\"architectures\": [\"GPTNeoXForCausalLM\"], \"hidden_act\": \"gelu\", \"hidden_size\": 512, "
        "\"intermediate_size\": 2048, \"layer_norm_eps\": 1e-05, \"max_position_embeddings\": 2048, "
        "\"model_type\": \"gpt_neox\", \"num_attention_heads\": 8, \"num_hidden_layers\": 6, "
        "\"rotary_emb_base\": 10000, \"rotary_pct\": 0.25, \"tie_word_embeddings\": false, "
        "\"use_parallel_residual\": true, \"vocab_size\": 50304}"};

    (void)state;
    for (size_t i = 0; i < sizeof configs / sizeof configs[0]; i++) {
        struct laser_arch arch = accepted(configs[i], "{}");

        assert_true(arch.heads * arch.head_size == arch.hidden || arch.head_size == 256);
        laser_arch_free(&arch);
    }
}

static void every_listed_type_is_known(void **state)
{
    (void)state;
    for (const char *const *type = laser_arch_types(); *type; type++) {
        char change[64];
        struct laser_arch arch;
        struct laser_error err = {0};

        snprintf(change, sizeof change, "{\"model_type\": \"%s\"}", *type);
        if (read_changed(llama, change, &arch, &err) == LASER_OK)
            laser_arch_free(&arch);
        else
            assert_null(strstr(err.text, "model_type"));
    }
}

static void a_quantization_config_that_is_left_over_is_ignored(void **state)
{
    json_t *left =
        json_loads("{\"quantization_config\": {\"quant_method\": \"gptq\", \"bits\": 4}}", 0, NULL);
    struct laser_model *model;
    struct laser_error err = {0};
    struct golden g;

    (void)state;
    golden_open(&g, "gpt2");
    json_object_update(g.checkpoint->config, left);
    json_decref(left);
    assert_int_equal(laser_model_describe(g.checkpoint, NULL, LASER_FLOAT32, &model, &err), LASER_OK);
    assert_true(laser_model_arch(model)->quantized);
    laser_model_free(model);
    g.checkpoint->tensors[3].dtype = LASER_I32;
    assert_int_equal(laser_model_describe(g.checkpoint, NULL, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    assert_string_equal(err.where, g.checkpoint->tensors[3].name);
    assert_non_null(strstr(err.text, "quantization_config"));
    golden_close(&g);
}

static const char gemma4[] =
    "{\"model_type\": \"gemma4_text\", \"hidden_size\": 24, \"num_hidden_layers\": 3, \"head_dim\": 4, "
    "\"num_attention_heads\": 6, \"num_key_value_heads\": 2, \"intermediate_size\": 28, "
    "\"hidden_size_per_layer_input\": 0, \"attention_k_eq_v\": true, "
    "\"layer_types\": [\"sliding_attention\", \"full_attention\", \"full_attention\"], "
    "\"rope_parameters\": {\"sliding_attention\": {\"rope_type\": \"default\"}, \"full_attention\": "
    "{\"rope_type\": \"proportional\", \"partial_rotary_factor\": 0.25}}, \"vocab_size\": 47}";

/* The published spelling and that of transformers. */
static void layers_of_full_attention_may_have_other_heads(void **state)
{
    static const char *const spellings[] = {
        "{\"global_head_dim\": 8, \"num_global_key_value_heads\": 1}",
        "{\"per_layer_config\": {\"1\": {\"head_dim\": 8, \"num_key_value_heads\": 1}, "
        "\"2\": {\"head_dim\": 8, \"num_key_value_heads\": 1}}}"};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct laser_arch arch = accepted(gemma4, spellings[i]);

        assert_int_equal(laser_arch_head_size(&arch, 0), 4);
        assert_int_equal(laser_arch_head_size(&arch, 2), 8);
        assert_int_equal(laser_arch_kv_heads(&arch, 0), 2);
        assert_int_equal(laser_arch_kv_heads(&arch, 1), 1);
        laser_arch_free(&arch);
    }
    assert_refused(gemma4, "{\"per_layer_config\": {\"0\": {\"head_dim\": 8}}}", "per_layer_config");
    assert_refused(gemma4, "{\"per_layer_config\": {\"1\": {\"head_dim\": 8}}}", "per_layer_config");
    assert_refused(gemma4, "{\"per_layer_config\": {\"1\": {\"heads\": 8}}}", "per_layer_config");
    assert_refused(gemma4, "{\"num_global_key_value_heads\": 4}", "num_global_key_value_heads");
    assert_refused(gemma4, "{\"num_kv_shared_layers\": 1}", "num_kv_shared_layers");
    assert_refused(gemma4, "{\"hidden_size_per_layer_input\": 256}", "hidden_size_per_layer_input");
    assert_refused(gemma4, "{\"enable_moe_block\": true}", "enable_moe_block");
}

static void a_wrapper_must_hold_a_text_model(void **state)
{
    static const char text[] = "{\"text_config\": {\"hidden_size\": 24, \"num_hidden_layers\": 2, "
                               "\"num_attention_heads\": 6, \"num_key_value_heads\": 2, "
                               "\"intermediate_size\": 28, \"vocab_size\": 47}}";
    struct laser_arch arch;

    (void)state;
    arch = accepted("{\"model_type\": \"mistral3\"}", text);
    assert_string_equal(arch.model_type, "mistral");
    assert_non_null(arch.wrapper);
    laser_arch_free(&arch);
    assert_refused("{\"model_type\": \"mistral3\"}", "{}", "text_config");
    assert_refused("{\"model_type\": \"mistral3\"}", "{\"text_config\": 3}", "text_config");
    assert_refused("{\"model_type\": \"mistral3\"}", "{\"text_config\": {\"model_type\": \"gpt9\"}}", "gpt9");
}

static void tensors_beside_the_language_model_are_told_apart(void **state)
{
    static const struct {
        const char *config, *tensor;
        bool beside;
    } cases[] = {
        {"{\"model_type\": \"mistral3\"}", "vision_tower.transformer.layers.0.attention.v_proj.weight", true},
        {"{\"model_type\": \"mistral3\"}", "model.vision_tower.transformer.layers.0.attention.v_proj.weight",
         true},
        {"{\"model_type\": \"mistral3\"}", "model.language_model.layers.0.self_attn.v_proj.weight", false},
        {"{\"model_type\": \"mistral3\"}", "language_model.model.layers.0.self_attn.v_proj.weight", false},
        {"{\"model_type\": \"mistral3\"}", "multi_modal_projector.linear_1.weight", true},
        {"{\"model_type\": \"mistral3\"}", "language_model.lm_head.weight", false},
        {"{\"model_type\": \"bert\"}", "bert.pooler.dense.weight", true},
        {"{\"model_type\": \"bert\"}", "bert.encoder.layer.0.output.dense.weight", false},
        {"{\"model_type\": \"llama\"}", "model.layers.0.mlp.up_proj.weight", false},
        {"{\"model_type\": \"nobody's\"}", "vision_tower.weight", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *config = json_loads(cases[i].config, 0, NULL);

        assert_non_null(config);
        if (laser_arch_is_beside(config, cases[i].tensor) != cases[i].beside)
            fail_msg("%s: %s", cases[i].config, cases[i].tensor);
        json_decref(config);
    }
}

/* What a loss cannot be followed back through is named. */
static void what_has_no_gradient_is_named(void **state)
{
    static const struct {
        const char *name, *lacks;
    } cases[] = {{"llama", NULL},
                 {"qwen3_moe", NULL},
                 {"deepseek_v3", NULL},
                 {"qwen3_next", NULL},
                 {"gemma4_text", NULL},
                 {"nemotron_h", NULL},
                 {"nemotron_h-latent", "experts of another width"},
                 {"albert-same", "share their weights"},
                 {"deberta-v2", "disentangled"}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct golden g;
        struct laser_arch arch;
        struct laser_error err = {0};
        const char *lacks;

        golden_open(&g, cases[i].name);
        assert_int_equal(laser_arch_read(g.checkpoint->config, "config.json", &arch, &err), LASER_OK);
        lacks = laser_arch_lacks_gradient(&arch);
        if (cases[i].lacks)
            assert_non_null(lacks);
        else
            assert_null(lacks);
        if (lacks)
            assert_non_null(strstr(lacks, cases[i].lacks));
        laser_arch_free(&arch);
        golden_close(&g);
    }
}

/* The estimate knows one type of weights: these checkpoints have one. */
static void the_estimate_is_what_loading_takes(void **state)
{
    static const char *const cases[] = {"llama",       "qwen2_moe", "gpt2",
                                        "gemma2",      "phi-qk",    "mixtral",
                                        "gpt_neox",    "roberta",   "qwen2_moe-stacked",
                                        "deepseek_v3", "gpt_oss",   "qwen3_next",
                                        "gemma4_text", "llama4",    "bloom",
                                        "opt",         "olmo2",     "exaone4",
                                        "afmoe",       "albert",    "deberta-v2-conv"};
    static const int counts[] = {1, 2, 3, 6};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
            struct golden g;
            struct laser_error err = {0};
            struct laser_model_estimate estimate;
            struct laser_arch arch;
            int64_t most = 0;
            enum laser_storage stored = i == 0 ? LASER_STORED_F32 : LASER_STORED_BF16;

            golden_open(&g, cases[i]);
            assert_int_equal(laser_arch_read(g.checkpoint->config, "config.json", &arch, &err), LASER_OK);
            assert_int_equal(
                laser_model_estimate(&arch, counts[k], LASER_FLOAT32, stored, 128, 32, &estimate, &err),
                LASER_OK);
            for (int s = 0; s < counts[k]; s++) {
                const struct laser_model_group group = {.index = s, .count = counts[k]};
                struct laser_model *model;

                assert_int_equal(laser_model_describe(g.checkpoint, &group, LASER_FLOAT32, &model, &err),
                                 LASER_OK);
                if (laser_model_weights_bytes(model) > most)
                    most = laser_model_weights_bytes(model);
                laser_model_free(model);
            }
            assert_int_equal(estimate.weights_bytes, most);
            laser_arch_free(&arch);
            golden_close(&g);
        }
}

static const char albert[] =
    "{\"model_type\": \"albert\", \"vocab_size\": 47, \"hidden_size\": 24, \"intermediate_size\": 28, "
    "\"num_hidden_layers\": 5, \"num_attention_heads\": 4, \"embedding_size\": 8, \"num_hidden_groups\": 2, "
    "\"inner_group_num\": 2}";
static const char deberta[] =
    "{\"model_type\": \"deberta-v2\", \"vocab_size\": 47, \"hidden_size\": 24, \"intermediate_size\": 28, "
    "\"num_hidden_layers\": 2, \"num_attention_heads\": 4, \"relative_attention\": true, \"pos_att_type\": \"c2p|p2c\"}";

/* AlbertTransformer.forward: round i runs group int(i / (5 / 2)), which has two layers. */
static void layers_of_a_group_share_their_weights(void **state)
{
    static const int64_t first[] = {0, 1, 0, 1, 0, 1, 6, 7, 6, 7};
    struct laser_arch arch = accepted(albert, "{}");

    (void)state;
    assert_int_equal(arch.layers, 10);
    for (int64_t i = 0; i < 10; i++) {
        assert_int_equal(laser_arch_weights_of(&arch, i), first[i]);
        assert_int_equal(laser_arch_group_of(&arch, i), i >= 6);
    }
    assert_int_equal(laser_arch_layer_uses(&arch, 0), 3);
    assert_int_equal(laser_arch_layer_uses(&arch, 7), 2);
    laser_arch_free(&arch);
    assert_refused(albert, "{\"num_hidden_groups\": 6}", "num_hidden_groups");
}

/* 10 layers are run, whatever weights they share; every key is seen; the head reads 8 of 24 elements. */
static void shared_weights_work_as_often_as_they_are_used(void **state)
{
    struct laser_arch arch = accepted(albert, "{}");
    struct laser_model_estimate estimate;
    struct laser_error err = {0};
    double layer = 2 * 24 * (4 * 24 + 2 * 28) + 4 * 24 * 4;

    (void)state;
    assert_int_equal(laser_model_estimate(&arch, 1, LASER_FLOAT32, LASER_STORED_BF16, 4, 4, &estimate, &err),
                     LASER_OK);
    assert_true(fabs(estimate.flops_per_token - (10 * layer + 2 * 2 * 24 * 8 + 2 * 8 * 47)) < 1e-6);
    laser_arch_free(&arch);
}

static void options_of_deberta_that_fit_no_model_are_refused(void **state)
{
    struct laser_arch arch =
        accepted(deberta, "{\"position_buckets\": 8, \"conv_kernel_size\": 3, \"conv_act\": \"gelu\"}");

    (void)state;
    assert_int_equal(arch.disentangled.span, 8);
    assert_true(arch.disentangled.by_content && arch.disentangled.by_position);
    assert_true(fabs(arch.attention_scale - 1 / sqrt(6 * 3)) < 1e-15);
    laser_arch_free(&arch);
    assert_refused(deberta, "{\"conv_kernel_size\": 4, \"conv_act\": \"gelu\"}", "conv_kernel_size");
    assert_refused(deberta, "{\"conv_kernel_size\": 3, \"conv_act\": \"mish\"}", "conv_act");
    assert_refused(deberta, "{\"conv_kernel_size\": 3, \"conv_act\": \"gelu\", \"conv_groups\": 5}",
                   "conv_groups");
    assert_refused(deberta, "{\"position_buckets\": 1}", "position_buckets");
    assert_refused(deberta, "{\"position_buckets\": 2000}", "position_buckets");
    assert_refused(deberta, "{\"legacy\": false, \"embedding_size\": 8}", "embedding_size");
}

static void the_estimated_work_is_that_of_the_weights(void **state)
{
    struct laser_arch arch = accepted(llama, "{}");
    struct laser_model_estimate estimate;
    struct laser_error err = {0};
    /* qkv 40 x 24, o 24 x 24, gate, up, down 28 x 24; scores and values of 6 heads of 4 over 2.5 keys on
     * average */
    double layer = 2 * 24 * (40 + 24 + 3 * 28) + 4 * 24 * 2.5;

    (void)state;
    assert_int_equal(laser_model_estimate(&arch, 1, LASER_FLOAT32, LASER_STORED_BF16, 4, 4, &estimate, &err),
                     LASER_OK);
    assert_true(fabs(estimate.flops_per_token - (2 * layer + 2 * 24 * 47)) < 1e-6);
    assert_true(estimate.share == 1);
    laser_arch_free(&arch);
}

/* _compute_llama3_parameters of transformers: beyond original / low_freq_factor a frequency is divided. */
static void low_frequencies_of_llama3_begin_at_their_own_factor(void **state)
{
    const struct laser_rope rope = {.kind = LASER_ROPE_LLAMA3,
                                    .rotated = 8,
                                    .theta = 10000,
                                    .factor = 8,
                                    .low_freq_factor = 4,
                                    .high_freq_factor = 32,
                                    .original_positions = 2000};
    float frequency[4];

    (void)state;
    /* Wavelengths 6.28, 62.8, 628, 6283; the limits are 2000 / 32 and 2000 / 4. */
    laser_rope_frequencies(&rope, 1, frequency);
    assert_float_equal(frequency[0], 1, 1e-6);
    assert_float_equal(frequency[2], 0.01 / 8, 1e-8);
    assert_float_equal(frequency[3], 0.001 / 8, 1e-9);
}

/* Both ends of YaRN's ramp at element 0: there is nothing to divide by. */
static void a_ramp_of_no_length_divides_by_nothing(void **state)
{
    const struct laser_rope rope = {.kind = LASER_ROPE_YARN,
                                    .rotated = 8,
                                    .theta = 10000,
                                    .factor = 4,
                                    .beta_fast = 32,
                                    .beta_slow = 1,
                                    .truncate = true,
                                    .original_positions = 6};
    float frequency[4];

    (void)state;
    laser_rope_frequencies(&rope, 1, frequency);
    assert_float_equal(frequency[0], 1, 1e-6);
    assert_float_equal(frequency[1], 0.1 / 4, 1e-7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_family_is_refused_by_name),
        cmocka_unit_test(remote_code_is_named),
        cmocka_unit_test(a_wrapper_without_its_language_model_is_named),
        cmocka_unit_test(a_classifier_is_refused),
        cmocka_unit_test(a_key_that_changes_the_computation_is_refused_by_name),
        cmocka_unit_test(an_unknown_key_is_named_and_ignored),
        cmocka_unit_test(many_unknown_keys_are_named_as_far_as_there_is_room),
        cmocka_unit_test(another_name_of_a_key_is_understood),
        cmocka_unit_test(what_a_recurrence_cannot_be_is_named),
        cmocka_unit_test(kimi_k2_is_deepseek_v3),
        cmocka_unit_test(limits_of_time_steps_may_be_infinite),
        cmocka_unit_test(blocks_are_known_by_letters_and_by_both_kinds_of_words),
        cmocka_unit_test(a_missing_or_impossible_size_is_named),
        cmocka_unit_test(an_unknown_activation_is_refused),
        cmocka_unit_test(an_unknown_rope_is_refused),
        cmocka_unit_test(layer_types_of_no_meaning_are_refused_where_they_are_honoured),
        cmocka_unit_test(layer_types_are_ignored_by_the_other_families),
        cmocka_unit_test(layer_types_choose_the_windows_where_they_are_honoured),
        cmocka_unit_test(a_missing_window_is_the_default_and_null_is_none),
        cmocka_unit_test(the_old_spelling_of_the_rope_is_understood),
        cmocka_unit_test(linear_scaling_divides_the_frequencies),
        cmocka_unit_test(dynamic_scaling_starts_beyond_the_trained_length),
        cmocka_unit_test(configurations_of_the_hub_are_accepted),
        cmocka_unit_test(every_listed_type_is_known),
        cmocka_unit_test(a_quantization_config_that_is_left_over_is_ignored),
        cmocka_unit_test(layers_of_full_attention_may_have_other_heads),
        cmocka_unit_test(a_wrapper_must_hold_a_text_model),
        cmocka_unit_test(tensors_beside_the_language_model_are_told_apart),
        cmocka_unit_test(what_has_no_gradient_is_named),
        cmocka_unit_test(the_estimate_is_what_loading_takes),
        cmocka_unit_test(the_estimated_work_is_that_of_the_weights),
        cmocka_unit_test(layers_of_a_group_share_their_weights),
        cmocka_unit_test(shared_weights_work_as_often_as_they_are_used),
        cmocka_unit_test(options_of_deberta_that_fit_no_model_are_refused),
        cmocka_unit_test(low_frequencies_of_llama3_begin_at_their_own_factor),
        cmocka_unit_test(a_ramp_of_no_length_divides_by_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
