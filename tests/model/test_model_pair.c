/* A model beside its base: divergences of whole models in shards, against logits taken one by one. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model/pair.h"
#include "model_testing.h"
#include "testing.h"

enum { MOST_TOKENS = 64, VOCABULARY = 47, MOST_SHARDS = 7 };

struct job {
    const struct golden *base, *other;
    int64_t common;         /* 0: of both */
    bool own_head, shifted; /* the base has the other's head; its states are a little off */
    int32_t targets[MOST_TOKENS];
    struct laser_pair_values values[MOST_TOKENS];
    double nll[MOST_TOKENS], alone[MOST_TOKENS];
    int result;
    struct laser_error err;
};

struct loaded {
    struct laser_model *model;
    struct laser_model_workspace *ws;
    float *hidden;
};

static int64_t tokens_of(const struct golden *g)
{
    return g->sequences * g->length;
}

static void load(const struct golden *g, const struct laser_model_group *group, struct loaded *l)
{
    const struct laser_model_batch batch = {.sequences = g->sequences, .length = g->length};

    if (laser_model_describe(g->checkpoint, group, LASER_FLOAT32, &l->model, NULL) != LASER_OK ||
        laser_model_load(l->model, NULL) != LASER_OK ||
        laser_model_workspace_create(l->model, tokens_of(g), &l->ws, NULL) != LASER_OK)
        abort();
    l->hidden = malloc((size_t)(tokens_of(g) * laser_model_arch(l->model)->hidden) * sizeof *l->hidden);
    if (laser_model_embed(l->model, l->ws, g->tokens, &batch, l->hidden, NULL) != LASER_OK ||
        laser_model_layers(l->model, l->ws, 0, laser_model_arch(l->model)->layers, &batch, l->hidden, NULL) !=
            LASER_OK)
        abort();
}

static void unload(struct loaded *l)
{
    free(l->hidden);
    laser_model_workspace_free(l->ws);
    laser_model_free(l->model);
}

static float *states_of(const struct loaded *l, int64_t n)
{
    float *states = malloc((size_t)(n * laser_model_states_width(l->model)) * sizeof *states);

    if (!states || laser_model_states(l->model, l->ws, n, l->hidden, states, NULL) != LASER_OK)
        abort();
    return states;
}

static void body(void *context, int index, const struct laser_model_group *group)
{
    struct job *job = context;
    int64_t n = tokens_of(job->base);
    struct loaded base = {0}, other = {0};
    struct laser_model *head = NULL;
    struct laser_model_pair *pair;
    struct laser_pair_values values[MOST_TOKENS];
    struct laser_error err = {0};
    double nll[MOST_TOKENS];
    float *states;
    int result;

    load(job->base, group, &base);
    states = states_of(&base, n);
    load(job->other, group, &other);
    if (!job->own_head &&
        (laser_model_head_describe(job->base->checkpoint, other.model, &head, NULL) != LASER_OK ||
         laser_model_load(head, NULL) != LASER_OK))
        abort();
    if (job->shifted)
        states[3] *= 1.001F;
    {
        struct laser_model_base from = {.head = head, .vocabulary = job->common ? job->common : VOCABULARY};
        if (laser_model_pair_create(other.model, &from, n, &pair, NULL) != LASER_OK)
            abort();
    }
    result = laser_model_pair_run(pair, other.ws, n, other.hidden, states, job->targets, values, nll, &err);
    if (index == 0) {
        job->result = result;
        job->err = err;
        memcpy(job->values, values, sizeof values);
        memcpy(job->nll, nll, sizeof nll);
    }
    laser_model_nll(other.model, other.ws, n, other.hidden, job->targets, nll, NULL);
    if (index == 0)
        memcpy(job->alone, nll, sizeof nll);
    laser_model_pair_free(pair);
    laser_model_free(head);
    free(states);
    unload(&other);
    unload(&base);
}

/* Logits of all rows, one process, one row at a time. */
static double *logits_of(const struct golden *g)
{
    int64_t n = tokens_of(g);
    struct loaded l;
    double *logits = malloc((size_t)(n * VOCABULARY) * sizeof *logits);
    float row[VOCABULARY];

    assert_non_null(logits);
    load(g, NULL, &l);
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(
            laser_model_logits(l.model, l.ws, l.hidden + i * laser_model_arch(l.model)->hidden, row, NULL),
            LASER_OK);
        for (int v = 0; v < VOCABULARY; v++)
            logits[i * VOCABULARY + v] = (double)row[v];
    }
    unload(&l);
    return logits;
}

static double log_z(const double *logits, int64_t n)
{
    double sum = 0;

    for (int64_t v = 0; v < n; v++)
        sum += exp(logits[v]);
    return log(sum);
}

/* Within the tolerance of the number, and of the largest logit: logits are float32, and the losses are differences of them. */
static void assert_relative(double found, double expected, double largest, double tolerance)
{
    if (!(fabs(found - expected) <= tolerance * (fabs(expected) + largest)))
        fail_msg("found %.12g, expected %.12g", found, expected);
}

static void assert_values(const struct job *job, const double *a, const double *b, double tolerance)
{
    int64_t n = job->common ? job->common : VOCABULARY;

    for (int64_t i = 0; i < tokens_of(job->base); i++, a += VOCABULARY, b += VOCABULARY) {
        double za = log_z(a, n), zb = log_z(b, n), kl = 0, largest = 0;
        for (int64_t v = 0; v < n; v++)
            kl += exp(a[v] - za) * (a[v] - za - b[v] + zb);
        for (int64_t v = 0; v < n; v++)
            largest = fmax(largest, fmax(fabs(a[v]), fabs(b[v])));
        assert_relative(job->values[i].kl, kl, largest, tolerance);
        if (job->targets[i] < 0)
            continue;
        assert_relative(job->values[i].nll_base, za - a[job->targets[i]], largest, tolerance);
        assert_relative(job->values[i].nll_other, zb - b[job->targets[i]], largest, tolerance);
    }
}

static void open_job(struct job *job, struct golden *base, const char *first, struct golden *other,
                     const char *second)
{
    memset(job, 0, sizeof *job);
    golden_open(base, first);
    golden_open(other, second);
    memcpy(other->tokens, base->tokens, (size_t)tokens_of(base) * sizeof *base->tokens);
    memcpy(job->targets, base->targets, (size_t)tokens_of(base) * sizeof *base->targets);
    job->base = base;
    job->other = other;
}

/* Heads of their own, tied ones, ones with biases and soft caps; widths that differ. */
static void test_divergence_is_that_of_the_logits_in_any_number_of_shards(void **state)
{
    static const char *const pairs[][2] = {{"llama", "cohere"},
                                           {"gemma2", "llama"},
                                           {"nanochat", "gemma2"},
                                           {"bloom", "codegen"},
                                           {"codegen", "llama"}};

    (void)state;
    for (size_t k = 0; k < sizeof pairs / sizeof *pairs; k++) {
        struct golden base, other;
        struct job job;
        double *a, *b;
        open_job(&job, &base, pairs[k][0], &other, pairs[k][1]);
        a = logits_of(&base);
        b = logits_of(&other);
        for (int shards = 1; shards <= MOST_SHARDS; shards += 2) {
            run_shards(shards, body, &job);
            assert_int_equal(job.result, LASER_OK);
            assert_values(&job, a, b, 1e-6);
            for (int64_t i = 0; i < tokens_of(&base); i++)
                assert_true(job.nll[i] == job.alone[i]); /* as without a base, to the bit */
        }
        free(a);
        free(b);
        golden_close(&base);
        golden_close(&other);
    }
}

static void test_a_model_has_no_divergence_from_itself_with_either_head(void **state)
{
    struct golden base, other;
    struct job job;

    (void)state;
    open_job(&job, &base, "llama", &other, "llama");
    for (int own = 0; own < 2; own++)
        for (int shards = 1; shards <= 3; shards += 2) {
            job.own_head = own;
            job.shifted = false;
            run_shards(shards, body, &job);
            assert_int_equal(job.result, LASER_OK);
            for (int64_t i = 0; i < tokens_of(&base); i++)
                assert_true(job.values[i].kl < 1e-15 && job.values[i].same_top);
            job.shifted = true; /* of the first token only */
            run_shards(shards, body, &job);
            assert_true(job.values[0].kl > 1e-12 && job.values[1].kl < 1e-15);
        }
    golden_close(&base);
    golden_close(&other);
}

static void test_of_different_vocabularies_the_common_part_counts(void **state)
{
    struct golden base, other;
    struct job job;
    double *a, *b;

    (void)state;
    open_job(&job, &base, "llama", &other, "cohere");
    a = logits_of(&base);
    b = logits_of(&other);
    job.common = 33;
    for (int64_t i = 0; i < tokens_of(&base); i++)
        job.targets[i] = job.targets[i] >= 33 ? -1 : job.targets[i];
    for (int shards = 1; shards <= MOST_SHARDS; shards += 3) {
        run_shards(shards, body, &job);
        assert_int_equal(job.result, LASER_OK);
        assert_values(&job, a, b, 1e-6);
    }
    job.targets[2] = 33;
    run_shards(1, body, &job);
    assert_int_equal(job.result, LASER_EINPUT);
    assert_non_null(strstr(job.err.text, "33 entries of the vocabulary in common"));
    free(a);
    free(b);
    golden_close(&base);
    golden_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_divergence_is_that_of_the_logits_in_any_number_of_shards),
        cmocka_unit_test(test_a_model_has_no_divergence_from_itself_with_either_head),
        cmocka_unit_test(test_of_different_vocabularies_the_common_part_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
