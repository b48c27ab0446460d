/* Tokens that go on from cached keys and values get the losses that they have in one piece. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_testing.h"
#include "testing.h"

enum { PROMPT = 11 };

struct job {
    const struct golden *g;
    double *nll; /* [B, T] of shard 0 */
    int result;
    struct laser_error err;
};

struct rig {
    struct laser_model *model;
    struct laser_model_workspace *ws;
    struct laser_model_cache *cache;
    float *hidden;
    int64_t layers;
};

static int open_rig(const struct golden *g, const struct laser_model_group *group, struct rig *r,
                    struct laser_error *err)
{
    int result = laser_model_describe(g->checkpoint, group, LASER_FLOAT32, &r->model, err);

    if (result == LASER_OK)
        result = laser_model_load(r->model, err);
    if (result == LASER_OK)
        result = laser_model_workspace_create(r->model, g->sequences * g->length, &r->ws, err);
    if (result == LASER_OK)
        result = laser_model_cache_create(r->model, g->length, &r->cache, err);
    if (result != LASER_OK)
        return result;
    r->layers = laser_model_arch(r->model)->layers;
    r->hidden =
        calloc((size_t)(g->sequences * g->length * laser_model_arch(r->model)->hidden), sizeof(float));
    return r->hidden ? LASER_OK : LASER_ENOMEM;
}

static void close_rig(struct rig *r)
{
    free(r->hidden);
    laser_model_cache_free(r->cache);
    laser_model_workspace_free(r->ws);
    laser_model_free(r->model);
}

static int run(struct rig *r, const struct laser_model_batch *batch, const int32_t *tokens,
               const int32_t *targets, double *nll, struct laser_error *err)
{
    int result = laser_model_embed(r->model, r->ws, tokens, batch, r->hidden, err);

    if (result == LASER_OK)
        result = laser_model_layers(r->model, r->ws, 0, r->layers, batch, r->hidden, err);
    return result != LASER_OK ? result
                              : laser_model_nll(r->model, r->ws, laser_model_batch_tokens(batch), r->hidden,
                                                targets, nll, err);
}

/* The first tokens of each sequence as a prompt, the others one at a time; where the cache does not serve,
 * all again. */
static void token_by_token(void *context, int index, const struct laser_model_group *group)
{
    struct job *job = context;
    const struct golden *g = job->g;
    struct rig r = {0};
    struct laser_error err = {0};
    double *nll = calloc((size_t)(g->sequences * g->length), sizeof *nll);
    int result = open_rig(g, group, &r, &err);

    for (int64_t s = 0; s < g->sequences; s++) {
        const int32_t *tokens = g->tokens + s * g->length, *targets = g->targets + s * g->length;

        laser_model_cache_cut(r.cache, 0);
        for (int64_t end = PROMPT; result == LASER_OK && end <= g->length; end++) {
            int64_t at = laser_model_cache_length(r.cache);

            if (!laser_model_cache_serves(r.model, r.cache, end)) {
                laser_model_cache_cut(r.cache, 0);
                at = 0;
            }
            const struct laser_model_batch batch = {.sequences = 1, .length = end - at, .cache = r.cache};
            double part[64];

            result = run(&r, &batch, tokens + at, targets + at, part, &err);
            laser_model_cache_extend(r.cache, end - at);
            /* the last one is what is new; of the prompt all are */
            for (int64_t i = end == PROMPT ? 0 : end - at - 1; i < end - at; i++)
                nll[s * g->length + at + i] = part[i];
        }
    }
    if (index == 0) {
        job->result = result;
        job->err = err;
        memcpy(job->nll, nll, (size_t)(g->sequences * g->length) * sizeof *nll);
    }
    free(nll);
    close_rig(&r);
}

static void losses_are_those_of_transformers_token_by_token(void **state)
{
    static const int counts[] = {1, 3};
    struct golden g;

    golden_open(&g, *state);
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        struct job job = {.g = &g, .nll = calloc((size_t)(g.sequences * g.length), sizeof(double))};
        double worst = 0;

        assert_non_null(job.nll);
        run_shards(counts[k], token_by_token, &job);
        if (job.result != LASER_OK)
            fail_msg("%s: %s", job.err.where, job.err.text);
        for (int64_t i = 0; i < g.sequences; i++)
            for (int64_t j = 0; j + 1 < g.length; j++)
                worst = fmax(worst, fabs(job.nll[i * g.length + j] / g.nll[i * (g.length - 1) + j] - 1));
        if (!(worst < 1e-5))
            fail_msg("%s by %d shards: relative error %.2e", (const char *)*state, counts[k], worst);
        free(job.nll);
    }
    golden_close(&g);
}

/* The rotary frequencies depend on the length of the text from some length on. */
static void a_cache_of_other_frequencies_does_not_serve(void **state)
{
    struct golden g;
    struct job job;
    struct rig r = {0};
    struct laser_error err = {0};
    const struct laser_model_group one = {.count = 1};
    double whole[64];

    golden_open(&g, *state);
    job = (struct job){.g = &g, .nll = calloc((size_t)(g.sequences * g.length), sizeof(double))};
    token_by_token(&job, 0, &one);
    assert_int_equal(job.result, LASER_OK);
    assert_int_equal(open_rig(&g, NULL, &r, &err), LASER_OK);
    for (int64_t n = PROMPT; n <= g.length; n++) {
        const struct laser_model_batch batch = {.sequences = 1, .length = n};

        assert_int_equal(run(&r, &batch, g.tokens, g.targets, whole, &err), LASER_OK);
        if (n < g.length)
            assert_true(fabs(whole[n - 1] / job.nll[n - 1] - 1) < 1e-5);
    }
    /* 16 positions: the cached tokens are within them, the text is not */
    const struct laser_model_batch prompt = {.sequences = 1, .length = PROMPT, .cache = r.cache};
    assert_int_equal(run(&r, &prompt, g.tokens, g.targets, whole, &err), LASER_OK);
    laser_model_cache_extend(r.cache, PROMPT);
    assert_true(laser_model_cache_serves(r.model, r.cache, 16));
    assert_false(laser_model_cache_serves(r.model, r.cache, 17));
    laser_model_cache_cut(r.cache, 0);
    assert_true(laser_model_cache_serves(r.model, r.cache, 17));
    free(job.nll);
    close_rig(&r);
    golden_close(&g);
}

/* The second half of both sequences as alternatives after the first half of the first one. */
static void sequences_of_a_batch_share_the_cached_start(void **state)
{
    struct golden g;
    struct rig r = {0};
    struct laser_error err = {0};
    int64_t lengths[2] = {7, 5};
    int32_t tokens[12], targets[12], whole[PROMPT + 7], whole_targets[PROMPT + 7];
    double together[12], alone[PROMPT + 7];

    golden_open(&g, *state);
    assert_int_equal(open_rig(&g, NULL, &r, &err), LASER_OK);
    {
        const struct laser_model_batch prompt = {.sequences = 1, .length = PROMPT, .cache = r.cache};
        const struct laser_model_batch both = {.sequences = 2, .lengths = lengths, .cache = r.cache};

        for (int i = 0; i < 12; i++) {
            tokens[i] = i < 7 ? g.tokens[PROMPT + i] : g.tokens[g.length + i];
            targets[i] = (i * 5 + 1) % 40;
        }
        assert_int_equal(run(&r, &prompt, g.tokens, g.targets, alone, &err), LASER_OK);
        laser_model_cache_extend(r.cache, PROMPT);
        assert_int_equal(run(&r, &both, tokens, targets, together, &err), LASER_OK);
        assert_int_equal(laser_model_cache_length(r.cache), PROMPT);
    }
    for (int s = 0, first = 0; s < 2; first += (int)lengths[s++]) {
        const struct laser_model_batch batch = {.sequences = 1, .length = PROMPT + lengths[s]};

        memcpy(whole, g.tokens, PROMPT * sizeof *whole);
        memcpy(whole + PROMPT, tokens + first, (size_t)lengths[s] * sizeof *whole);
        memset(whole_targets, 0, sizeof whole_targets);
        memcpy(whole_targets + PROMPT, targets + first, (size_t)lengths[s] * sizeof *whole);
        assert_int_equal(run(&r, &batch, whole, whole_targets, alone, &err), LASER_OK);
        for (int64_t i = 0; i < lengths[s]; i++)
            assert_true(fabs(together[first + i] / alone[PROMPT + i] - 1) < 1e-5);
    }
    close_rig(&r);
    golden_close(&g);
}

static void a_cache_can_be_cut_back(void **state)
{
    struct golden g;
    struct rig r = {0};
    struct laser_error err = {0};
    double first[64], again[64];

    (void)state;
    golden_open(&g, "llama");
    assert_int_equal(open_rig(&g, NULL, &r, &err), LASER_OK);
    const struct laser_model_batch prompt = {.sequences = 1, .length = PROMPT, .cache = r.cache};
    const struct laser_model_batch more = {.sequences = 1, .length = 3, .cache = r.cache};

    assert_int_equal(run(&r, &prompt, g.tokens, g.targets, first, &err), LASER_OK);
    laser_model_cache_extend(r.cache, PROMPT);
    assert_int_equal(run(&r, &more, g.tokens + PROMPT, g.targets + PROMPT, first, &err), LASER_OK);
    laser_model_cache_extend(r.cache, 3);
    laser_model_cache_cut(r.cache, PROMPT);
    assert_int_equal(run(&r, &more, g.tokens, g.targets, again, &err), LASER_OK);
    assert_int_equal(run(&r, &more, g.tokens + PROMPT, g.targets + PROMPT, again, &err), LASER_OK);
    assert_memory_equal(first, again, 3 * sizeof *first);
    close_rig(&r);
    golden_close(&g);
}

static void more_tokens_than_the_cache_has_room_for_are_refused(void **state)
{
    struct golden g;
    struct rig r = {0};
    struct laser_error err = {0};
    double nll[64];

    (void)state;
    golden_open(&g, "gpt2");
    assert_int_equal(open_rig(&g, NULL, &r, &err), LASER_OK);
    const struct laser_model_batch prompt = {.sequences = 1, .length = g.length, .cache = r.cache};
    const struct laser_model_batch more = {.sequences = 1, .length = 1, .cache = r.cache};

    assert_int_equal(run(&r, &prompt, g.tokens, g.targets, nll, &err), LASER_OK);
    laser_model_cache_extend(r.cache, g.length);
    assert_int_equal(run(&r, &more, g.tokens, g.targets, nll, &err), LASER_EINTERNAL);
    close_rig(&r);
    golden_close(&g);
}

/* The tokens before are not computed again. */
static void a_token_goes_on_from_the_states(void **state)
{
    struct golden g;
    struct rig r = {0};
    struct laser_error err = {0};
    double nll[64];

    golden_open(&g, *state);
    assert_int_equal(open_rig(&g, NULL, &r, &err), LASER_OK);
    const struct laser_model_batch prompt = {.sequences = 1, .length = PROMPT, .cache = r.cache};
    const struct laser_model_batch more = {.sequences = 1, .length = 1, .cache = r.cache};

    assert_int_equal(run(&r, &prompt, g.tokens, g.targets, nll, &err), LASER_OK);
    laser_model_cache_extend(r.cache, PROMPT);
    assert_true(laser_model_cache_serves(r.model, r.cache, PROMPT + 1));
    assert_int_equal(run(&r, &more, g.tokens + PROMPT, g.targets + PROMPT, nll, &err), LASER_OK);
    assert_true(fabs(nll[0] / g.nll[PROMPT] - 1) < 1e-5);
    close_rig(&r);
    golden_close(&g);
}

static void states_cannot_be_taken_back(void **state)
{
    struct golden g;
    struct rig r = {0};
    struct laser_error err = {0};
    double first[64], again[64];

    (void)state;
    golden_open(&g, "mamba2");
    assert_int_equal(open_rig(&g, NULL, &r, &err), LASER_OK);
    const struct laser_model_batch prompt = {.sequences = 1, .length = PROMPT, .cache = r.cache};

    assert_int_equal(run(&r, &prompt, g.tokens, g.targets, first, &err), LASER_OK);
    laser_model_cache_extend(r.cache, PROMPT);
    laser_model_cache_cut(r.cache, PROMPT);
    assert_int_equal(laser_model_cache_length(r.cache), PROMPT);
    laser_model_cache_cut(r.cache, PROMPT - 1);
    assert_int_equal(laser_model_cache_length(r.cache), 0);
    assert_int_equal(run(&r, &prompt, g.tokens, g.targets, again, &err), LASER_OK);
    assert_memory_equal(first, again, PROMPT * sizeof *first);
    close_rig(&r);
    golden_close(&g);
}

static void a_masked_model_has_no_cache(void **state)
{
    struct golden g;
    struct rig r = {0};
    struct laser_error err = {0};

    (void)state;
    golden_open(&g, "roberta");
    assert_int_equal(open_rig(&g, NULL, &r, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "masked"));
    close_rig(&r);
    golden_close(&g);
}

static void a_cache_can_be_cut_by_one_token(void **state)
{
    struct golden g;
    struct rig r = {0};
    struct laser_error err = {0};

    (void)state;
    golden_open(&g, "llama");
    assert_int_equal(open_rig(&g, NULL, &r, &err), LASER_OK);
    laser_model_cache_extend(r.cache, 3);
    laser_model_cache_cut(r.cache, 2);
    assert_int_equal(laser_model_cache_length(r.cache), 2);
    laser_model_cache_cut(r.cache, 5);
    assert_int_equal(laser_model_cache_length(r.cache), 2);
    close_rig(&r);
    golden_close(&g);
}

int main(void)
{
#define TOKENS(name)                                                                                         \
    {                                                                                                        \
        "token by token: " name, losses_are_those_of_transformers_token_by_token, NULL, NULL, (void *)name   \
    }
    const struct CMUnitTest tests[] = {
        TOKENS("llama"),
        TOKENS("llama-llama3"),
        TOKENS("mistral"),
        TOKENS("qwen3_moe"),
        TOKENS("phi"),
        TOKENS("phi3"),
        TOKENS("gemma2"),
        TOKENS("gpt2"),
        TOKENS("gptj"),
        TOKENS("gpt_neox"),
        TOKENS("deepseek_v3"),
        TOKENS("gpt_oss"),
        TOKENS("llama4_text"),
        TOKENS("olmo2"),
        TOKENS("gemma3_text"),
        TOKENS("bloom"),
        TOKENS("opt"),
        TOKENS("mpt"),
        TOKENS("hunyuan_v1_dense"),
        TOKENS("cohere2"),
        TOKENS("minimax_m2"),
        TOKENS("gemma4_text"),
        TOKENS("qwen3_next"),
        TOKENS("qwen3_5_text"),
        TOKENS("mamba2"),
        TOKENS("granitemoehybrid"),
        TOKENS("falcon_h1"),
        TOKENS("nemotron_h"),
        TOKENS("falcon_mamba"),
        TOKENS("jamba"),
        TOKENS("lfm2"),
        TOKENS("minimax"),
        cmocka_unit_test_prestate(a_token_goes_on_from_the_states, (void *)"qwen3_next"),
        cmocka_unit_test_prestate(a_token_goes_on_from_the_states, (void *)"mamba2"),
        cmocka_unit_test_prestate(a_token_goes_on_from_the_states, (void *)"jamba"),
        cmocka_unit_test_prestate(sequences_of_a_batch_share_the_cached_start, (void *)"granitemoehybrid"),
        cmocka_unit_test_prestate(sequences_of_a_batch_share_the_cached_start, (void *)"jamba"),
        cmocka_unit_test_prestate(sequences_of_a_batch_share_the_cached_start, (void *)"lfm2"),
        cmocka_unit_test(states_cannot_be_taken_back),
        TOKENS("afmoe"),
        TOKENS("openai-gpt"),
        cmocka_unit_test_prestate(a_cache_of_other_frequencies_does_not_serve, (void *)"llama-dynamic"),
        cmocka_unit_test_prestate(a_cache_of_other_frequencies_does_not_serve, (void *)"phi3-long"),
        cmocka_unit_test_prestate(sequences_of_a_batch_share_the_cached_start, (void *)"llama"),
        cmocka_unit_test_prestate(sequences_of_a_batch_share_the_cached_start, (void *)"mistral"),
        cmocka_unit_test_prestate(sequences_of_a_batch_share_the_cached_start, (void *)"gpt2"),
        cmocka_unit_test(a_cache_can_be_cut_back),
        cmocka_unit_test(more_tokens_than_the_cache_has_room_for_are_refused),
        cmocka_unit_test(a_masked_model_has_no_cache),
        cmocka_unit_test(a_cache_can_be_cut_by_one_token),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
