/* Questions of the three kinds on every architecture, from the task's file to its figures: the log
 * probabilities, ranks and figures are those of transformers (tools/golden/make_task_models.py). */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "evaluate/encoder.h"
#include "model/model_testing.h"
#include "task/score.h"
#include "task/tree.h"
#include "testing.h"

#define FILES SRCDIR "/tests/golden/task_models/"

static const char *const kinds[] = {"choice", "completion", "preference"};

static void must(int code, const struct laser_error *err)
{
    if (code != LASER_OK)
        fail_msg("%s: %s", err->where, err->text);
}

/* The three files, as questions of this architecture. */
static void read_set(const struct laser_arch *arch, struct laser_set *set)
{
    struct laser_encoding encoding = {0};
    struct laser_set_encoder e = {.encode = laser_encoding_encode,
                                  .variants = laser_encoding_variants,
                                  .context = &encoding,
                                  .arch = arch};
    const char *prefix = arch->masked ? "masked_" : "";
    int64_t longest = laser_arch_longest(arch);
    struct laser_error err = {0};
    char path[1024];

    snprintf(path, sizeof path, FILES "%stokenizer.json", prefix);
    must(laser_tokenizer_load(path, &encoding.tokenizer, &err), &err);
    must(laser_spellings_create(encoding.tokenizer, &encoding.spellings, &err), &err);
    e.start = laser_tokenizer_token_to_id(encoding.tokenizer, "<s>", 3);
    e.mask = laser_tokenizer_token_to_id(encoding.tokenizer, "<mask>", 6);
    e.max_tokens = arch->max_positions < longest ? arch->max_positions : longest;
    for (int k = 0; k < 3; ++k) {
        struct laser_task task;

        snprintf(path, sizeof path, FILES "%s%s.jsonl", prefix, kinds[k]);
        must(laser_task_read(kinds[k], path, &task, &err), &err);
        must(laser_set_add(set, &task, &e, &err), &err);
        laser_task_free(&task);
    }
    laser_spellings_free(encoding.spellings);
    laser_tokenizer_free(encoding.tokenizer);
}

struct asked {
    const struct laser_checkpoint *checkpoint;
    const struct laser_tree *tree;
    struct laser_model_score *scores; /* of shard 0 */
    int result;
    struct laser_error err;
};

static void ask(void *context, int index, const struct laser_model_group *group)
{
    struct asked *a = context;
    const struct laser_tree *tree = a->tree;
    struct laser_model_batch batch = laser_tree_batch(tree);
    struct laser_model_score *scores = calloc((size_t)tree->n_scored, sizeof *scores);
    struct laser_error err = {0};
    int result = score_batch(a->checkpoint, group, &batch, tree->n_tokens, tree->tokens, tree->n_scored,
                             tree->rows, tree->targets, scores, &err);

    if (index == 0) {
        a->result = result;
        a->err = err;
        memcpy(a->scores, scores, (size_t)tree->n_scored * sizeof *scores);
    }
    free(scores);
}

/* From the scores of the targets to those of the options. */
static void sum_options(const struct laser_set *set, const struct laser_model_score *scores,
                        struct laser_option_score *options)
{
    for (int64_t k = 0; k < set->n_options; ++k) {
        const struct laser_set_option *o = &set->options[k];

        options[k] = (struct laser_option_score){
            .n_tokens = o->n_scored, .is_greedy = true, .best_rank = scores->rank};
        for (int32_t i = 0; i < o->n_scored; ++i, ++scores) {
            options[k].log_probability += scores->log_probability;
            options[k].is_greedy = options[k].is_greedy && scores->is_greedy;
        }
        for (int32_t i = 0; i < o->n_variants; ++i, ++scores)
            if (scores->rank < options[k].best_rank)
                options[k].best_rank = scores->rank;
    }
}

static double off(double found, double expected)
{
    return fabs(found - expected);
}

/* One question; returns the largest relative difference of a log probability. */
static double compare(const struct laser_set *set, const struct laser_set_question *q,
                      const struct laser_option_score *options, const json_t *expected)
{
    enum laser_task_kind kind = (enum laser_task_kind)set->tasks[q->task].kind;
    const json_t *golden = json_object_get(expected, "options"), *value;
    struct laser_task_score score;
    double worst = 0, largest = 0;
    const char *name;

    assert_string_equal(json_string_value(json_object_get(expected, "task")), kinds[kind]);
    assert_int_equal(json_integer_value(json_object_get(expected, "line")), q->line);
    assert_int_equal(json_array_size(golden), q->n_options);
    for (int k = 0; k < q->n_options; ++k) {
        const json_t *row = json_array_get(golden, (size_t)k);
        double p = json_number_value(json_array_get(row, 0));

        assert_int_equal(json_integer_value(json_array_get(row, 1)), options[k].n_tokens);
        worst = fmax(worst, off(options[k].log_probability, p) / fabs(p));
        largest = fmax(largest, fabs(p));
        if (kind == LASER_TASK_COMPLETION) {
            assert_int_equal(json_is_true(json_array_get(row, 2)), options[k].is_greedy);
            assert_int_equal(json_integer_value(json_array_get(row, 3)), options[k].best_rank);
        }
    }
    laser_task_score(kind, options, q->n_options, q->answer, &score);
    json_object_foreach(json_object_get(expected, "metrics"), name, value)
    {
        int metric = laser_metric_find(name);

        assert_true(metric >= 0 && laser_metric_of(metric, kind));
        if (laser_metric_is_share(metric))
            assert_true(score.values[metric] == json_number_value(value));
        else /* made of differences of log probabilities: no closer than these are */
            assert_true(off(score.values[metric], json_number_value(value)) < 1e-6 * fmax(1, largest));
    }
    return worst;
}

static void compare_all(const struct laser_set *set, const struct laser_option_score *options,
                        const json_t *expected, const char *name, int shards)
{
    double worst = 0;

    assert_int_equal(json_array_size(expected), set->n_questions);
    for (int64_t i = 0; i < set->n_questions; ++i) {
        const struct laser_set_question *q = &set->questions[i];
        double d = compare(set, q, options + q->first_option, json_array_get(expected, (size_t)i));

        worst = d > worst ? d : worst;
    }
    if (!(worst < 1e-5))
        fail_msg("%s on %d shards: a log probability is %.1e off", name, shards, worst);
}

static void every_kind_is_scored_as_transformers_does(void **state)
{
    const char *name = *state;
    struct laser_checkpoint *checkpoint = NULL;
    struct laser_model *model = NULL;
    struct laser_set set = {0};
    struct laser_error err = {0};
    char path[1024];
    json_t *golden = json_load_file(FILES "golden.json", 0, NULL);
    const json_t *expected = json_object_get(json_object_get(golden, "models"), name);

    assert_non_null(expected);
    snprintf(path, sizeof path, SRCDIR "/tests/golden/model/%s", name);
    must(laser_checkpoint_open(path, &checkpoint, &err), &err);
    must(laser_model_describe(checkpoint, NULL, LASER_FLOAT32, &model, &err), &err);
    read_set(laser_model_arch(model), &set);
    for (int shards = 1; shards <= 3; shards += 2) {
        struct laser_option_score *options = calloc((size_t)set.n_options, sizeof *options);
        struct asked a = {.checkpoint = checkpoint};
        struct laser_tree tree;

        must(laser_tree_build(&set, NULL, 0, set.n_questions, laser_arch_continues(laser_model_arch(model)),
                              &tree, &err),
             &err);
        a.tree = &tree;
        a.scores = calloc((size_t)tree.n_scored, sizeof *a.scores);
        run_shards(shards, ask, &a);
        must(a.result, &a.err);
        sum_options(&set, a.scores, options);
        compare_all(&set, options, expected, name, shards);
        free(options);
        free(a.scores);
        laser_tree_free(&tree);
    }
    laser_set_free(&set);
    laser_model_free(model);
    laser_checkpoint_close(checkpoint);
    json_decref(golden);
}

#define CASE(name)                                                                                           \
    {                                                                                                        \
        name, every_kind_is_scored_as_transformers_does, NULL, NULL, (void *)(uintptr_t)(name)               \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE("gemma"),
        CASE("gemma2"),
        CASE("gpt2"),
        CASE("gpt2-options"),
        CASE("gpt_neox"),
        CASE("gpt_neox-serial"),
        CASE("gptj"),
        CASE("llama"),
        CASE("llama-dynamic"),
        CASE("llama-linear"),
        CASE("llama-llama3"),
        CASE("llama-yarn"),
        CASE("mistral"),
        CASE("llama-yarn-mscale"),
        CASE("mixtral"),
        CASE("phi"),
        CASE("mixtral-stacked"),
        CASE("phi-qk"),
        CASE("phi3"),
        CASE("phi3-long"),
        CASE("phi3-short"),
        CASE("qwen2"),
        CASE("qwen2_moe"),
        CASE("qwen2_moe-stacked"),
        CASE("qwen3"),
        CASE("qwen3_moe"),
        CASE("qwen3_moe-stacked"),
        CASE("deepseek_v3"),
        CASE("gpt_oss"),
        CASE("llama4_text"),
        CASE("gemma3_text"),
        CASE("gemma4_text"),
        CASE("qwen3_5_text"),
        CASE("bloom"),
        CASE("olmo2"),
        CASE("roberta"),
        CASE("xlm-roberta"),
        CASE("albert"),
        CASE("deberta-v2-conv"),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
