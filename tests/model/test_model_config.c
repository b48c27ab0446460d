/* Every key of config.json against what it does in transformers: tests/golden/config_keys.json, made by
 * tools/golden/make_config_keys.py, has a value of each key for each model type, and its effect there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/arch.h"
#include "testing.h"

/* All that a description says of the computation, as text. */
static void describe(const struct laser_arch *a, char *out, size_t n)
{
    static const char *const ropes[] = {"", "r", "l"}, *const mixers[] = {"",  "n", "d", "m",
                                                                          "b", "M", "c", "L"};
    const struct laser_recurrence *mix = &a->mix;
    const struct laser_rope *r = &a->rope;
    size_t k = 0;

#define SAY(...) k += (size_t)snprintf(out + k, k < n ? n - k : 0, __VA_ARGS__)
    SAY("%ld %ld %ld %ld %ld %ld %ld | ", (long)a->hidden, (long)a->layers, (long)a->heads, (long)a->kv_heads,
        (long)a->head_size, (long)a->intermediate, (long)a->vocabulary);
    SAY("%ld %ld %d %d %d %d | ", (long)a->max_positions, (long)a->token_types, a->masked, (int)a->padding,
        a->tied, a->transposed);
    SAY("%d %d %d %d %.17g %d | ", (int)a->qkv_layout, (int)a->residual, (int)a->norm, a->norm_plus_one,
        a->norm_eps, a->qk_norm);
    SAY("%d %d %d %d %d %d | ", a->q_bias, a->o_bias, a->mlp_bias, a->head_bias, a->gated,
        (int)a->activation);
    SAY("%.17g %.17g %d %.17g %.17g | ", a->embed_scale, a->attention_scale, a->attention_scale_by_layer,
        a->attention_softcap, a->final_softcap);
    SAY("%d %d %ld %.17g %.17g %.17g %.17g %.17g | ", (int)r->kind, r->interleaved, (long)r->rotated,
        r->theta, r->factor, r->attention_factor, r->low_freq_factor, r->high_freq_factor);
    SAY("%.17g %.17g %d %ld %ld | ", r->beta_fast, r->beta_slow, r->truncate,
        r->kind >= LASER_ROPE_LLAMA3 ? (long)r->original_positions : 0, (long)r->max_positions);
    SAY("%ld %ld %ld %ld %d |", (long)a->moe.experts, (long)a->moe.per_token, (long)a->moe.intermediate,
        (long)a->moe.shared, a->moe.normalized);
    SAY(" %d %d %d %d %d %d %d | ", a->norm_plain, a->norm_bias, a->qk_norm_late, a->qk_norm_plain, a->sinks,
        a->chunked, (int)a->alibi);
    SAY("%.17g %.17g %.17g %.17g %.17g %.17g %.17g | ", a->clip_qkv, a->logit_scale, a->residual_scale,
        a->temperature.scale, a->temperature.floor, a->act_limit, a->act_alpha);
    SAY("%d %.17g %ld | ", (int)a->local_rope.kind, a->local_rope.theta, (long)a->local_rope.rotated);
    SAY("%ld %ld %ld %ld %ld | ", (long)a->latent.q_rank, (long)a->latent.kv_rank, (long)a->latent.plain,
        (long)a->latent.turned, (long)a->latent.value);
    SAY("%d %d %ld %ld %.17g %.17g %.17g |", (int)a->moe.score, a->moe.corrected, (long)a->moe.groups,
        (long)a->moe.top_groups, a->moe.scale, a->moe.jitter, a->moe.least_sum);
    SAY("%ld %ld %ld %ld %ld %d |", (long)a->delta.key_heads, (long)a->delta.value_heads,
        (long)a->delta.key_size, (long)a->delta.value_size, (long)a->delta.kernel, a->attention_gate);
    SAY("%ld %ld %d %ld %d %d %d |", (long)a->full_head_size, (long)a->full_kv_heads, a->full_value_is_key,
        (long)a->rope.proportion, a->head_dense_bias, (int)a->head_activation, a->first_plain);
    SAY("%ld %ld %ld %ld %ld %ld %d %d %d %d %d |", (long)mix->heads, (long)mix->head_size, (long)mix->groups,
        (long)mix->state, (long)mix->kernel, (long)mix->rank, mix->in_bias, mix->conv_bias, mix->out_bias,
        mix->normed, mix->norm_first);
    SAY("%ld %.17g %.17g %.17g %.17g %.17g %.17g |", (long)mix->block, a->blend_attention.keep,
        a->blend_attention.add, a->blend_mixer.keep, a->blend_mixer.add, a->blend_mlp.keep, a->blend_mlp.add);
    SAY("%.17g %.17g %.17g %.17g %d %.17g |", mix->step_least, mix->step_most, mix->in_scale, mix->out_scale,
        (int)mix->inner, mix->inner_eps);
    for (int i = 0; i < LASER_STATE_INPUTS; i++)
        SAY("%.17g ", mix->input_scale[i]);
    SAY("%.17g %.17g %.17g %.17g %ld |", a->qkv_scale, a->context_scale, a->gate_scale, a->down_scale,
        (long)a->moe.width);
    SAY("%ld %ld %ld %d %d %d %s |", (long)a->groups, (long)a->group_layers, (long)a->embed_width,
        a->embed_projects, a->embed_project_bias, a->embed_norm_late,
        a->names->positions ? a->names->head : "-");
    SAY("%s %ld %ld %ld %d %d %d %d |", a->names->head, (long)a->disentangled.span,
        (long)a->disentangled.buckets, (long)a->disentangled.farthest, a->disentangled.by_content,
        a->disentangled.by_position, a->disentangled.shared, a->disentangled.normed);
    SAY("%ld %ld %d |", (long)a->side_kernel, (long)a->side_groups, (int)a->side_activation);
    for (int64_t i = 0; i < a->layers; i++)
        SAY(" %ld%s%s%s", (long)a->window[i],
            a->sparse[i] ? "s"
            : a->bare[i] ? "-"
                         : "",
            a->mixer[i] ? mixers[a->mixer[i]] : "", ropes[a->rope_of[i]]);
#undef SAY
    assert_true(k < n);
}

enum { TEXT = 4096 };

struct reading {
    int code;
    char text[TEXT]; /* of the description or of the error */
    char ignored[sizeof((struct laser_arch *)0)->ignored];
};

static struct reading read_config(json_t *config)
{
    struct reading r = {0};
    struct laser_arch arch;
    struct laser_error err = {0};

    r.code = laser_arch_read(config, "config.json", &arch, &err);
    if (r.code != LASER_OK) {
        snprintf(r.text, sizeof r.text, "%s", err.text);
        return r;
    }
    describe(&arch, r.text, sizeof r.text);
    snprintf(r.ignored, sizeof r.ignored, "%s", arch.ignored);
    laser_arch_free(&arch);
    return r;
}

/* key may be "rope_parameters.factor"; value NULL: without the key. */
static struct reading read_with(json_t *config, const char *key, json_t *value)
{
    json_t *changed = json_deep_copy(config), *object = changed;
    const char *dot = strchr(key, '.');
    struct reading r;

    if (dot != NULL) {
        object = json_object_get(changed, "rope_parameters");
        key = dot + 1;
    }
    if (value != NULL)
        json_object_set(object, key, value);
    else
        json_object_del(object, key);
    r = read_config(changed);
    json_decref(changed);
    return r;
}

static json_t *golden(void)
{
    static json_t *root;

    if (root == NULL)
        root = json_load_file(SRCDIR "/tests/golden/config_keys.json", 0, NULL);
    assert_non_null(root);
    return json_object_get(root, "types");
}

/* A failure of one row, so that all are seen. */
static int wrong;
#define WRONG(...) (wrong++, print_error(__VA_ARGS__), print_error("\n"))

/* Calls f for every key of every type; the number of rows for which it was not false. */
static int each(bool (*f)(const char *type, json_t *config, const struct reading *plain, const char *key,
                          json_t *row))
{
    const char *type, *key;
    json_t *entry, *row;
    int n = 0;

    wrong = 0;
    json_object_foreach(golden(), type, entry)
    {
        json_t *config = json_object_get(entry, "config");
        struct reading plain = read_config(config);

        if (plain.code != LASER_OK)
            fail_msg("%s: %s", type, plain.text);
        json_object_foreach(json_object_get(entry, "keys"), key, row)
        {
            n += f(type, config, &plain, key, row);
        }
    }
    assert_int_equal(wrong, 0);
    return n;
}

static bool effect_is(json_t *row, const char *effect)
{
    return strcmp(json_string_value(json_object_get(row, "effect")), effect) == 0;
}

/* transformers 5 no longer knows the key; before, it chose another attention with weights of its own. */
static bool is_from_before(const char *type, const char *key)
{
    return strstr(type, "bert") != NULL && strcmp(key, "position_embedding_type") == 0;
}

static bool check_without_effect(const char *type, json_t *config, const struct reading *plain,
                                 const char *key, json_t *row)
{
    struct reading r;

    if (!effect_is(row, "none") || is_from_before(type, key))
        return false;
    r = read_with(config, key, json_object_get(row, "probe"));
    if (r.code != LASER_OK && json_is_true(json_object_get(row, "probe")) && strstr(r.text, "found true"))
        return false; /* to Python it is the number 1 */
    if (r.code != LASER_OK)
        WRONG("%s: %s has no effect in transformers, but is refused: %s", type, key, r.text);
    if (!json_is_true(json_object_get(row, "defined")) && strcmp(r.text, plain->text) != 0)
        WRONG("%s: %s has no effect in transformers, but is honoured:\n%s\n%s", type, key, r.text,
              plain->text);
    return true;
}

static void what_has_no_effect_in_transformers_is_accepted(void **state)
{
    (void)state;
    assert_true(each(check_without_effect) > 1000);
}

static bool check_with_effect(const char *type, json_t *config, const struct reading *plain, const char *key,
                              json_t *row)
{
    const char *dot = strchr(key, '.');
    struct reading r;

    if (!effect_is(row, "changes"))
        return false;
    r = read_with(config, key, json_object_get(row, "probe"));
    if (r.code == LASER_OK && strcmp(r.text, plain->text) == 0)
        WRONG("%s: %s changes what transformers computes, but is ignored", type, key);
    if (r.code != LASER_OK && strstr(r.text, dot != NULL ? dot + 1 : key) == NULL)
        WRONG("%s: %s is refused without its name: %s", type, key, r.text);
    return true;
}

static void what_changes_the_computation_is_honoured_or_refused_by_name(void **state)
{
    (void)state;
    assert_true(each(check_with_effect) > 200);
}

static bool check_default(const char *type, json_t *config, const struct reading *plain, const char *key,
                          json_t *row)
{
    json_t *value = json_object_get(row, "default");
    struct reading missing, stated;

    (void)plain;
    if (value == NULL || json_is_null(value))
        return false;
    missing = read_with(config, key, NULL);
    if (strstr(missing.text, "is missing") != NULL)
        return false; /* a size that every file states */
    stated = read_with(config, key, value);
    if (missing.code != stated.code || (missing.code == LASER_OK && strcmp(missing.text, stated.text) != 0))
        WRONG("%s: %s is missing; its default is that of transformers where both lines are the same\n%s\n%s",
              type, key, missing.text, stated.text);
    return true;
}

static void a_missing_key_has_the_default_of_transformers(void **state)
{
    (void)state;
    assert_true(each(check_default) > 200);
}

/* Keys of published checkpoints that their class does not define, with the values that they have there. */
static void a_key_that_the_class_does_not_define_is_named(void **state)
{
    static const char *const cases[][3] = {
        {"gpt2", "predict_special_tokens", "true"},
        {"llama", "max_sequence_length", "2048"},
        {"qwen3_moe", "use_qk_norm", "true"},
        {"qwen2", "dual_chunk_attention_config", "{\"chunk_size\": 262144, \"local_size\": 8192}"},
        {"gpt_neox", "custom_pipelines", "{\"text-generation\": {\"impl\": \"instruct_pipeline.X\"}}"},
        {"mistral", "eos_token", "\"</s>\""},
        {"mistral", "license", "\"apache-2.0\""},
        {"llama", "trust_remote_code", "true"},
        {"llama", "attn_implementation", "\"sdpa\""}};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *config = json_object_get(json_object_get(golden(), cases[i][0]), "config");
        json_t *value = json_loads(cases[i][2], JSON_DECODE_ANY, NULL);
        struct reading r = read_with(config, cases[i][1], value);

        json_decref(value);
        if (r.code != LASER_OK)
            fail_msg("%s: %s: %s", cases[i][0], cases[i][1], r.text);
        assert_string_equal(r.ignored, cases[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_no_effect_in_transformers_is_accepted),
        cmocka_unit_test(what_changes_the_computation_is_honoured_or_refused_by_name),
        cmocka_unit_test(a_missing_key_has_the_default_of_transformers),
        cmocka_unit_test(a_key_that_the_class_does_not_define_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
