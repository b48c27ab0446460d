/* Questions as trees: what several have in common is computed once and gives the scores of each alone. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/model_testing.h"
#include "task/tree.h"
#include "testing.h"

enum { QUESTIONS = 4, OPTIONS = 3 };

/* Four questions on the golden text with three options each: a common beginning of 10 tokens, prompts that
 * differ then, options that differ in the end (the first of them one token longer than the second). */
struct questions {
    struct laser_set set;
    struct laser_set_question questions[QUESTIONS];
    struct laser_set_option options[QUESTIONS * OPTIONS];
    int32_t tokens[QUESTIONS * OPTIONS * 64], targets[QUESTIONS * OPTIONS * 8];
    int64_t vocabulary;
};

static void make_questions(struct questions *q, const int32_t *text, int64_t vocabulary)
{
    memset(q, 0, sizeof *q);
    q->set = (struct laser_set){.questions = q->questions,
                                .options = q->options,
                                .tokens = q->tokens,
                                .targets = q->targets,
                                .n_questions = QUESTIONS};
    q->vocabulary = vocabulary;
    for (int i = 0; i < QUESTIONS; ++i) {
        q->questions[i] = (struct laser_set_question){.first_option = q->set.n_options, .n_options = OPTIONS};
        for (int k = 0; k < OPTIONS; ++k) {
            struct laser_set_option *o = &q->options[q->set.n_options++];
            int32_t *t = q->tokens + q->set.n_tokens;
            o->first_token = q->set.n_tokens;
            o->first_target = q->set.n_targets;
            o->n_tokens = 20 + i + (k == 0);
            o->first_row = 18 + i;
            o->n_scored = 2 + (k == 0);
            for (int j = 0; j < o->n_tokens; ++j)
                t[j] = text[(j < 10 ? j : j + 3 * i) % 16];
            t[o->n_tokens - 1] = (t[o->n_tokens - 1] + k) % (int32_t)vocabulary;
            for (int j = 0; j < o->n_scored; ++j)
                q->targets[q->set.n_targets + j] = (text[j] + 5 * k) % (int32_t)vocabulary;
            q->set.n_tokens += o->n_tokens;
            q->set.n_targets += o->n_scored;
            q->questions[i].tokens += o->n_tokens;
        }
    }
}

struct asked {
    const struct golden *g;
    const struct questions *q;
    const struct laser_tree *tree;
    struct laser_model_score scores[128];
    int result;
};

static void ask(void *context, int index, const struct laser_model_group *group)
{
    struct asked *a = context;
    const struct laser_tree *tree = a->tree;
    struct laser_model_batch batch = laser_tree_batch(tree);
    struct laser_model_score scores[128];
    struct laser_error err;
    int result = score_batch(a->g->checkpoint, group, &batch, tree->n_tokens, tree->tokens, tree->n_scored,
                             tree->rows, tree->targets, scores, &err);

    if (index == 0) {
        a->result = result;
        memcpy(a->scores, scores, sizeof scores);
    }
}

static void a_tree_gives_the_scores_of_each_alone(void **state)
{
    struct golden g;
    struct questions q;
    struct laser_tree shared, flat;
    struct laser_error err;

    golden_open(&g, *state);
    make_questions(&q, g.tokens, g.vocabulary);
    assert_int_equal(laser_tree_build(&q.set, NULL, 0, QUESTIONS, true, &shared, &err), LASER_OK);
    assert_int_equal(laser_tree_build(&q.set, NULL, 0, QUESTIONS, false, &flat, &err), LASER_OK);
    assert_int_equal(flat.n_tokens, q.set.n_tokens);
    assert_int_equal(shared.n_scored, q.set.n_targets);
    assert_true(shared.n_tokens < flat.n_tokens / 2);
    for (int shards = 1; shards <= 2; ++shards) {
        struct asked a = {.g = &g, .q = &q, .tree = &shared}, b = {.g = &g, .q = &q, .tree = &flat};
        run_shards(shards, ask, &a);
        run_shards(shards, ask, &b);
        assert_int_equal(a.result, LASER_OK);
        assert_int_equal(b.result, LASER_OK);
        for (int64_t i = 0; i < shared.n_scored; ++i) {
            double x = a.scores[i].log_probability, y = b.scores[i].log_probability;
            assert_true(isfinite(y));
            assert_true(fabs(x / y - 1) < 1e-6);
            assert_int_equal(a.scores[i].rank, b.scores[i].rank);
        }
    }
    laser_tree_free(&shared);
    laser_tree_free(&flat);
    golden_close(&g);
}

/* Every scored row holds the token of its place, and the way up to the root is the sequence before it. */
static void rows_are_the_places_of_the_options(void **state)
{
    int32_t text[16];
    struct questions q;
    struct laser_tree t;
    struct laser_error err;
    int64_t at = 0;

    (void)state;
    for (int i = 0; i < 16; ++i)
        text[i] = (7 * i) % 31;
    make_questions(&q, text, 31);
    assert_int_equal(laser_tree_build(&q.set, NULL, 0, QUESTIONS, true, &t, &err), LASER_OK);
    for (int64_t k = 0; k < q.set.n_options; ++k)
        for (int32_t j = 0; j < q.options[k].n_scored; ++j, ++at) {
            int64_t place = q.options[k].first_row + j, node = 0, row = t.rows[at], first = 0;
            while (first + t.lengths[node] <= row)
                first += t.lengths[node++];
            for (; place >= 0; --place, --row) {
                if (row < first) {
                    node = t.parents[node];
                    assert_true(node >= 0);
                    first = 0;
                    for (int64_t i = 0; i < node; ++i)
                        first += t.lengths[i];
                    row = first + t.lengths[node] - 1;
                }
                assert_int_equal(t.tokens[row], q.tokens[q.options[k].first_token + place]);
            }
            assert_int_equal(row, first - 1);
            assert_int_equal(t.parents[node], -1);
        }
    laser_tree_free(&t);
}

static void the_same_sequence_twice_is_computed_once(void **state)
{
    int32_t text[16] = {1, 2, 3};
    struct questions q;
    struct laser_tree t;
    struct laser_error err;

    (void)state;
    make_questions(&q, text, 31);
    q.options[1] = q.options[2];
    assert_int_equal(laser_tree_build(&q.set, NULL, 0, 1, false, &t, &err), LASER_OK);
    assert_int_equal(t.n_tokens, q.options[0].n_tokens + q.options[1].n_tokens);
    assert_int_equal(t.rows[3], t.rows[5]);
    laser_tree_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"gpt2", a_tree_gives_the_scores_of_each_alone, NULL, NULL, (char[]){"gpt2"}},
        {"llama", a_tree_gives_the_scores_of_each_alone, NULL, NULL, (char[]){"llama"}},
        {"gemma2", a_tree_gives_the_scores_of_each_alone, NULL, NULL, (char[]){"gemma2"}},
        {"gptj", a_tree_gives_the_scores_of_each_alone, NULL, NULL, (char[]){"gptj"}},
        {"phi", a_tree_gives_the_scores_of_each_alone, NULL, NULL, (char[]){"phi"}},
        {"mixtral", a_tree_gives_the_scores_of_each_alone, NULL, NULL, (char[]){"mixtral"}},
        {"qwen3", a_tree_gives_the_scores_of_each_alone, NULL, NULL, (char[]){"qwen3"}},
        cmocka_unit_test(rows_are_the_places_of_the_options),
        cmocka_unit_test(the_same_sequence_twice_is_computed_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
