/* Masked language models: scores at the masks, what a question to them looks like, what they refuse.  That
 * the losses at every token are those of transformers is in test_model.c. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_testing.h"
#include "testing.h"
#include "tokenizer/tokenizer.h"

enum { MASK = 46 };

struct asked {
    const struct golden *g;
    int64_t rows[64];
    int32_t targets[64];
    int64_t n;
    struct laser_model_score scores[64];
    int result;
};

static void ask(void *context, int index, const struct laser_model_group *group)
{
    struct asked *a = context;
    const struct golden *g = a->g;
    const struct laser_model_batch batch = {.sequences = g->sequences, .length = g->length};
    struct laser_model_score scores[64];
    struct laser_error err;
    int result = score_batch(g->checkpoint, group, &batch, g->sequences * g->length, g->tokens, a->n, a->rows,
                             a->targets, scores, &err);

    if (index == 0) {
        a->result = result;
        memcpy(a->scores, scores, sizeof scores);
    }
}

static void scores_at_the_masks_are_those_of_transformers(void **state)
{
    struct golden g;

    golden_open(&g, *state);
    for (int shards = 1; shards <= 5; shards += 2) {
        struct asked a = {.g = &g};

        for (int64_t i = 0; i < g.sequences * g.length; i++)
            if (g.tokens[i] == MASK && g.targets[i] >= 0) {
                a.rows[a.n] = i;
                a.targets[a.n++] = g.targets[i];
            }
        assert_true(a.n >= 8);
        run_shards(shards, ask, &a);
        assert_int_equal(a.result, LASER_OK);
        for (int64_t k = 0; k < a.n; k++) {
            int64_t at = a.rows[k] / g.length * (g.length - 1) + a.rows[k] % g.length;

            assert_true(fabs(-a.scores[k].log_probability / g.nll[at] - 1) < 1e-5);
            assert_int_equal(a.scores[k].rank, g.rank[at]);
            assert_int_equal(a.scores[k].is_greedy, g.rank[at] == 0);
        }
    }
    golden_close(&g);
}

static int question(bool masked, const int32_t *prompt, int64_t n, const int32_t *answer, int64_t n_answer,
                    int32_t *tokens, int64_t *n_tokens, int64_t *rows, struct laser_error *err)
{
    const struct laser_arch arch = {.masked = masked};

    return laser_model_question(&arch, MASK, prompt, n, answer, n_answer, tokens, n_tokens, rows, err);
}

static void a_mask_becomes_one_for_each_token_of_the_answer(void **state)
{
    static const int32_t prompt[] = {0, 7, MASK, 9, 2}, answer[] = {11, 12, 13};
    static const int32_t expected[] = {0, 7, MASK, MASK, MASK, 9, 2};
    int32_t tokens[8];
    int64_t n, rows[3];
    struct laser_error err;

    (void)state;
    assert_int_equal(question(true, prompt, 5, answer, 3, tokens, &n, rows, &err), LASER_OK);
    assert_int_equal(n, 7);
    assert_memory_equal(tokens, expected, sizeof expected);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rows[i], 2 + i);
}

static void a_causal_answer_follows_the_prompt_and_is_predicted_one_row_earlier(void **state)
{
    static const int32_t prompt[] = {5, 6}, answer[] = {11, 12, 13};
    static const int32_t expected[] = {5, 6, 11, 12};
    int32_t tokens[5];
    int64_t n, rows[3];
    struct laser_error err;

    (void)state;
    assert_int_equal(question(false, prompt, 2, answer, 3, tokens, &n, rows, &err), LASER_OK);
    assert_int_equal(n, 4);
    assert_memory_equal(tokens, expected, sizeof expected);
    for (int i = 0; i < 3; i++)
        assert_int_equal(rows[i], 1 + i);
}

static void a_prompt_needs_one_mask(void **state)
{
    static const int32_t none[] = {0, 7, 2}, two[] = {MASK, 7, MASK}, answer[] = {11};
    int32_t tokens[8];
    int64_t n, rows[1];
    struct laser_error err;

    (void)state;
    assert_int_equal(question(true, none, 3, answer, 1, tokens, &n, rows, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "0 masks"));
    assert_int_equal(question(true, two, 3, answer, 1, tokens, &n, rows, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "2 masks"));
    assert_int_equal(question(false, none, 3, answer, 0, tokens, &n, rows, &err), LASER_EINPUT);
    assert_string_equal(err.where, "answer");
}

/* Log probability of an answer, summed over its tokens. */
static double answered(const struct laser_model *model, struct laser_model_workspace *ws,
                       const struct laser_tokenizer *t, const char *prompt, const char *answer,
                       int64_t *n_answer)
{
    struct laser_model_score scores[16];
    struct laser_error err;
    int32_t *prompt_ids, *answer_ids, tokens[64];
    int64_t n_prompt, n, rows[16];
    float hidden[64 * 16];
    double sum = 0;

    assert_int_equal(laser_tokenizer_encode(t, prompt, strlen(prompt), true, &prompt_ids, &n_prompt, &err),
                     LASER_OK);
    assert_int_equal(laser_tokenizer_encode(t, answer, strlen(answer), false, &answer_ids, n_answer, &err),
                     LASER_OK);
    assert_true(n_prompt + *n_answer <= 64 && *n_answer <= 16);
    assert_int_equal(laser_model_question(laser_model_arch(model),
                                          laser_tokenizer_role_id(t, LASER_TOKEN_MASK), prompt_ids, n_prompt,
                                          answer_ids, *n_answer, tokens, &n, rows, &err),
                     LASER_OK);
    const struct laser_model_batch batch = {.sequences = 1, .length = n};
    assert_int_equal(laser_model_embed(model, ws, tokens, &batch, hidden, &err), LASER_OK);
    assert_int_equal(laser_model_layers(model, ws, 0, 2, &batch, hidden, &err), LASER_OK);
    assert_int_equal(laser_model_scores(model, ws, *n_answer, hidden, rows, answer_ids, scores, &err),
                     LASER_OK);
    for (int64_t i = 0; i < *n_answer; i++)
        sum += scores[i].log_probability;
    free(prompt_ids);
    free(answer_ids);
    return sum;
}

/* tools/golden/make_masked_task.py */
static void answers_to_texts_are_scored_as_by_transformers(void **state)
{
    static const char dir[] = SRCDIR "/tests/golden/masked_task";
    json_t *root = json_load_file(SRCDIR "/tests/golden/masked_task/metrics.json", 0, NULL), *row;
    struct laser_checkpoint *checkpoint;
    struct laser_tokenizer *tokenizer;
    struct laser_model *model;
    struct laser_model_workspace *ws;
    struct laser_error err;
    size_t i;

    (void)state;
    assert_true(json_array_size(json_object_get(root, "answers")) > 20);
    assert_int_equal(laser_checkpoint_open(dir, &checkpoint, &err), LASER_OK);
    assert_int_equal(laser_tokenizer_load(dir, &tokenizer, &err), LASER_OK);
    assert_int_equal(laser_model_open(checkpoint, LASER_FLOAT32, &model, &err), LASER_OK);
    assert_int_equal(laser_model_workspace_create(model, 64, &ws, &err), LASER_OK);
    json_array_foreach(json_object_get(root, "answers"), i, row)
    {
        const char *prompt = json_string_value(json_array_get(row, 0));
        const char *answer = json_string_value(json_array_get(row, 1));
        double expected = json_number_value(json_array_get(row, 2));
        int64_t n;
        double found = answered(model, ws, tokenizer, prompt, answer, &n);

        assert_int_equal(n, json_integer_value(json_array_get(row, 3)));
        if (!(fabs(found / expected - 1) < 1e-5))
            fail_msg("%s with%s: %.9g, expected %.9g", prompt, answer, found, expected);
    }
    laser_model_workspace_free(ws);
    laser_model_free(model);
    laser_tokenizer_free(tokenizer);
    laser_checkpoint_close(checkpoint);
    json_decref(root);
}

/* 40 positions, of which 0 .. padding are for no token. */
static void a_sequence_ends_where_the_positions_end(void **state)
{
    struct golden g;
    struct laser_model *model;
    struct laser_model_workspace *ws;
    struct laser_error err;
    static int32_t tokens[40];
    static float hidden[40 * 24];
    struct laser_model_batch batch = {.sequences = 1, .length = 38};

    (void)state;
    golden_open(&g, "roberta");
    assert_int_equal(laser_model_open(g.checkpoint, LASER_FLOAT32, &model, &err), LASER_OK);
    assert_int_equal(laser_arch_longest(laser_model_arch(model)), 38);
    assert_int_equal(laser_model_workspace_create(model, 40, &ws, &err), LASER_OK);
    for (int i = 0; i < 40; i++)
        tokens[i] = 5 + i % 7;
    assert_int_equal(laser_model_embed(model, ws, tokens, &batch, hidden, &err), LASER_OK);
    batch.length = 39;
    assert_int_equal(laser_model_embed(model, ws, tokens, &batch, hidden, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "38 positions"));
    laser_model_workspace_free(ws);
    laser_model_free(model);
    golden_close(&g);
}

static int read_changed(const char *key, json_t *value, struct laser_error *err)
{
    struct golden g;
    struct laser_arch arch;
    int result;

    golden_open(&g, "roberta");
    json_object_set_new(g.checkpoint->config, key, value);
    result = laser_arch_read(g.checkpoint->config, "config.json", &arch, err);
    if (result == LASER_OK)
        laser_arch_free(&arch);
    golden_close(&g);
    return result;
}

static void what_is_no_masked_model_is_refused(void **state)
{
    struct laser_error err;

    (void)state;
    assert_int_equal(
        read_changed("architectures", json_pack("[s]", "RobertaForSequenceClassification"), &err),
        LASER_EINPUT);
    assert_non_null(strstr(err.text, "RobertaForSequenceClassification is not a masked language model"));
    assert_int_equal(read_changed("is_decoder", json_true(), &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "is_decoder"));
    assert_int_equal(read_changed("position_embedding_type", json_string("relative_key"), &err),
                     LASER_EINPUT);
    assert_non_null(strstr(err.text, "relative_key"));
    assert_int_equal(read_changed("pad_token_id", json_integer(39), &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "max_position_embeddings"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(scores_at_the_masks_are_those_of_transformers, (void *)"roberta"),
        cmocka_unit_test_prestate(scores_at_the_masks_are_those_of_transformers, (void *)"xlm-roberta"),
        cmocka_unit_test(a_mask_becomes_one_for_each_token_of_the_answer),
        cmocka_unit_test(a_causal_answer_follows_the_prompt_and_is_predicted_one_row_earlier),
        cmocka_unit_test(a_prompt_needs_one_mask),
        cmocka_unit_test(answers_to_texts_are_scored_as_by_transformers),
        cmocka_unit_test(a_sequence_ends_where_the_positions_end),
        cmocka_unit_test(what_is_no_masked_model_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
