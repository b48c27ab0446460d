/* The calls around the forward pass: scores and logits, batches of unequal sequences, starting again from a
 * layer, edited weights, and what is wrong with a checkpoint. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_testing.h"
#include "testing.h"

/* A golden case, opened in one process, with its hidden states after the last layer. */
struct fixture {
    struct golden g;
    struct laser_model *model;
    struct laser_model_workspace *ws;
    struct laser_model_batch batch;
    int64_t n, h, layers;
    float *hidden;
    struct laser_error err;
};

static void check(struct fixture *f, int result)
{
    if (result != LASER_OK)
        fail_msg("%s: %s", f->err.where, f->err.text);
}

static void run_layers(struct fixture *f, int64_t first, int64_t last)
{
    check(f, laser_model_layers(f->model, f->ws, first, last, &f->batch, f->hidden, &f->err));
}

static void start(struct fixture *f)
{
    check(f, laser_model_embed(f->model, f->ws, f->g.tokens, &f->batch, f->hidden, &f->err));
}

static void set_up(struct fixture *f, const char *name, enum laser_precision precision)
{
    memset(f, 0, sizeof *f);
    golden_open(&f->g, name);
    f->batch = (struct laser_model_batch){.sequences = f->g.sequences, .length = f->g.length};
    f->n = f->g.sequences * f->g.length;
    check(f, laser_model_open(f->g.checkpoint, precision, &f->model, &f->err));
    check(f, laser_model_workspace_create(f->model, f->n, &f->ws, &f->err));
    f->h = laser_model_arch(f->model)->hidden;
    f->layers = laser_model_arch(f->model)->layers;
    f->hidden = calloc((size_t)(f->n * f->h), sizeof *f->hidden);
    assert_non_null(f->hidden);
    start(f);
    run_layers(f, 0, f->layers);
}

static void tear_down(struct fixture *f)
{
    free(f->hidden);
    laser_model_workspace_free(f->ws);
    laser_model_free(f->model);
    golden_close(&f->g);
}

static double mean_nll(struct fixture *f)
{
    double *nll = calloc((size_t)f->n, sizeof *nll), sum = 0;

    assert_non_null(nll);
    check(f, laser_model_nll(f->model, f->ws, f->n, f->hidden, f->g.targets, nll, &f->err));
    for (int64_t i = 0; i < f->n; i++)
        sum += nll[i];
    free(nll);
    return sum / (double)(f->g.sequences * (f->g.length - 1));
}

static double again(struct fixture *f)
{
    start(f);
    run_layers(f, 0, f->layers);
    return mean_nll(f);
}

static double golden_mean(const struct fixture *f)
{
    int64_t n = f->g.sequences * (f->g.length - 1);
    double sum = 0;

    for (int64_t i = 0; i < n; i++)
        sum += f->g.nll[i];
    return sum / (double)n;
}

static void logits_are_those_of_transformers(void **state)
{
    static const char *const cases[] = {"llama", "gemma2", "phi", "gptj"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        float *logits;

        set_up(&f, cases[i], LASER_FLOAT32);
        logits = calloc((size_t)f.g.vocabulary, sizeof *logits);
        assert_non_null(logits);
        check(&f, laser_model_logits(f.model, f.ws, f.hidden + (f.g.length - 1) * f.h, logits, &f.err));
        for (int64_t v = 0; v < f.g.vocabulary; v++)
            assert_true(fabs(logits[v] - f.g.logits[v]) < 2e-5);
        free(logits);
        tear_down(&f);
    }
}

struct scores_job {
    const struct golden *g;
    struct laser_model_score *scores; /* [B, T - 1], of shard 0 */
    int result;
};

static void scores_body(void *context, int index, const struct laser_model_group *group)
{
    struct scores_job *job = context;
    const struct golden *g = job->g;
    struct laser_model_batch batch = {.sequences = g->sequences, .length = g->length};
    int64_t n = g->sequences * g->length, count = 0, rows[256];
    int32_t targets[256];
    struct laser_model_score scores[256];
    struct laser_model *model = NULL;
    struct laser_model_workspace *ws = NULL;
    struct laser_error err = {0};
    float *hidden;
    int result = laser_model_describe(g->checkpoint, group, LASER_FLOAT32, &model, &err);

    assert_int_equal(result, LASER_OK);
    assert_int_equal(laser_model_load(model, &err), LASER_OK);
    assert_int_equal(laser_model_workspace_create(model, n, &ws, &err), LASER_OK);
    hidden = calloc((size_t)(n * laser_model_arch(model)->hidden), sizeof *hidden);
    for (int64_t i = 0; i < n; i++)
        if (g->targets[i] >= 0) {
            rows[count] = i;
            targets[count++] = g->targets[i];
        }
    result = laser_model_embed(model, ws, g->tokens, &batch, hidden, &err);
    if (result == LASER_OK)
        result = laser_model_layers(model, ws, 0, laser_model_arch(model)->layers, &batch, hidden, &err);
    if (result == LASER_OK)
        result = laser_model_scores(model, ws, count, hidden, rows, targets, scores, &err);
    if (index == 0) {
        job->result = result;
        memcpy(job->scores, scores, (size_t)count * sizeof *scores);
    }
    free(hidden);
    laser_model_workspace_free(ws);
    laser_model_free(model);
}

static void scores_are_those_of_transformers_in_any_number_of_shards(void **state)
{
    static const char *const cases[] = {"llama", "gemma2", "gpt2"};
    static const int counts[] = {1, 2, 3, 7};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
            struct golden g;
            struct laser_model_score scores[256];
            struct scores_job job = {.g = &g, .scores = scores};

            golden_open(&g, cases[i]);
            run_shards(counts[k], scores_body, &job);
            assert_int_equal(job.result, LASER_OK);
            for (int64_t j = 0; j < g.sequences * (g.length - 1); j++) {
                assert_true(fabs(scores[j].log_probability + g.nll[j]) < 1e-5 * g.nll[j]);
                assert_int_equal(scores[j].rank, g.rank[j]);
                assert_int_equal(scores[j].is_greedy, g.rank[j] == 0);
            }
            golden_close(&g);
        }
}

static void layers_can_be_run_in_two_parts(void **state)
{
    struct fixture f;
    float *whole;

    (void)state;
    set_up(&f, "gemma2", LASER_FLOAT32);
    whole = malloc((size_t)(f.n * f.h) * sizeof *whole);
    assert_non_null(whole);
    memcpy(whole, f.hidden, (size_t)(f.n * f.h) * sizeof *whole);
    start(&f);
    run_layers(&f, 0, 1);
    run_layers(&f, 1, f.layers);
    assert_memory_equal(whole, f.hidden, (size_t)(f.n * f.h) * sizeof *whole);
    free(whole);
    tear_down(&f);
}

static void sequences_of_a_batch_do_not_see_each_other(void **state)
{
    static const char *const cases[] = {"llama", "mistral", "gpt2", "gptj", "llama-dynamic", "phi3-long"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        int64_t lengths[4] = {19, 7, 7, 3}, n = 36, row = 0;
        float *together;

        set_up(&f, cases[i], LASER_FLOAT32);
        together = calloc((size_t)(n * f.h), sizeof *together);
        assert_non_null(together);
        f.batch = (struct laser_model_batch){.sequences = 4, .lengths = lengths};
        start(&f);
        run_layers(&f, 0, f.layers);
        memcpy(together, f.hidden, (size_t)(n * f.h) * sizeof *together);
        for (int s = 0; s < 4; row += lengths[s++]) {
            f.batch = (struct laser_model_batch){.sequences = 1, .length = lengths[s]};
            check(&f, laser_model_embed(f.model, f.ws, f.g.tokens + row, &f.batch, f.hidden, &f.err));
            run_layers(&f, 0, f.layers);
            for (int64_t j = 0; j < lengths[s] * f.h; j++)
                assert_true(fabsf(f.hidden[j] - together[row * f.h + j]) <= 1e-4f * (1 + fabsf(f.hidden[j])));
        }
        free(together);
        tear_down(&f);
    }
}

static void more_tokens_than_an_indexer_lets_be_seen_are_refused(void **state)
{
    struct fixture f;
    struct laser_model_workspace *ws;
    int32_t tokens[30] = {0};

    (void)state;
    set_up(&f, "deepseek_v32", LASER_FLOAT32);
    check(&f, laser_model_workspace_create(f.model, 30, &ws, &f.err));
    f.batch = (struct laser_model_batch){.sequences = 1, .length = 30};
    assert_int_equal(laser_model_embed(f.model, ws, tokens, &f.batch, f.hidden, &f.err), LASER_EINPUT);
    assert_non_null(strstr(f.err.text, "index_topk, 29"));
    laser_model_workspace_free(ws);
    tear_down(&f);
}

static void more_tokens_than_learned_positions_are_refused(void **state)
{
    struct fixture f;
    struct laser_model_workspace *ws;
    int32_t tokens[65] = {0};

    (void)state;
    set_up(&f, "gpt2", LASER_FLOAT32);
    check(&f, laser_model_workspace_create(f.model, 65, &ws, &f.err));
    f.batch = (struct laser_model_batch){.sequences = 1, .length = 65};
    assert_int_equal(laser_model_embed(f.model, ws, tokens, &f.batch, f.hidden, &f.err), LASER_EINPUT);
    assert_non_null(strstr(f.err.text, "64 positions"));
    laser_model_workspace_free(ws);
    tear_down(&f);
}

static void a_token_outside_the_vocabulary_is_refused(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, "llama", LASER_FLOAT32);
    f.g.tokens[3] = 47;
    assert_int_equal(laser_model_embed(f.model, f.ws, f.g.tokens, &f.batch, f.hidden, &f.err), LASER_EINPUT);
    assert_non_null(strstr(f.err.text, "47"));
    tear_down(&f);
}

static void bfloat16_is_close_to_float32(void **state)
{
    static const char *const cases[] = {"llama", "qwen3_moe", "gpt2"};

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        double error;

        set_up(&f, cases[i], LASER_BFLOAT16);
        error = fabs(mean_nll(&f) / golden_mean(&f) - 1);
        assert_true(error < 5e-2);
        assert_true(error > 0);
        tear_down(&f);
    }
}

/* A safetensors file with one tensor: the checkpoint's own, each value times `factor`, one of them `odd` if
 * that is not 0. */
static void write_overlay(const struct fixture *f, const char *name, double factor, double odd,
                          const char *path)
{
    const struct laser_tensor *t = laser_checkpoint_find(f->g.checkpoint, name);
    struct laser_safetensors_item item;
    struct laser_error err = {0};
    int64_t n;
    double *values;
    void *bytes;

    assert_non_null(t);
    n = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);
    bytes = malloc((size_t)t->size_bytes);
    values = malloc((size_t)n * sizeof *values);
    assert_true(bytes && values);
    assert_int_equal(laser_checkpoint_read(f->g.checkpoint, t, 0, t->size_bytes, bytes, &err), LASER_OK);
    laser_dtype_to_f64(t->dtype, bytes, n, values);
    for (int64_t i = 0; i < n; i++)
        values[i] *= factor;
    if (odd != 0)
        values[n / 2] = odd;
    assert_true(laser_dtype_from_f64(t->dtype, values, n, bytes));
    item =
        (struct laser_safetensors_item){.name = name, .dtype = t->dtype, .n_dims = t->n_dims, .data = bytes};
    memcpy(item.shape, t->shape, sizeof item.shape);
    assert_int_equal(laser_safetensors_write(path, &item, 1, &err), LASER_OK);
    free(values);
    free(bytes);
}

static void overlay_path(char *path, size_t size)
{
    const char *dir = getenv("TMPDIR");

    snprintf(path, size, "%s/laser-model-%ld.safetensors", dir ? dir : "/tmp", (long)getpid());
}

/* Every kind of tensor: halved, the loss changes; given back, it is what it was, to the last bit. */
static void an_edited_weight_is_read_again(void **state)
{
    static const char *const edits[][2] = {
        {"llama", "model.layers.1.self_attn.k_proj.weight"},
        {"llama", "model.layers.0.mlp.down_proj.weight"},
        {"llama", "lm_head.weight"},
        {"llama", "model.norm.weight"},
        {"phi3", "model.layers.0.self_attn.qkv_proj.weight"},
        {"phi3", "model.layers.1.mlp.gate_up_proj.weight"},
        {"gpt2", "h.0.attn.c_attn.weight"},
        {"gpt2", "wte.weight"},
        {"gpt_neox", "gpt_neox.layers.1.attention.query_key_value.weight"},
        {"mixtral", "model.layers.0.block_sparse_moe.experts.3.w2.weight"},
        {"qwen2_moe", "model.layers.0.mlp.shared_expert.up_proj.weight"},
        {"qwen2_moe-stacked", "model.layers.0.mlp.experts.gate_up_proj"},
        {"roberta", "roberta.embeddings.word_embeddings.weight"},
        {"roberta", "roberta.embeddings.token_type_embeddings.weight"},
        {"roberta", "roberta.encoder.layer.1.output.dense.weight"},
        {"roberta", "lm_head.dense.weight"},
        {"roberta", "lm_head.bias"},
    };
    char path[512];

    (void)state;
    overlay_path(path, sizeof path);
    for (size_t i = 0; i < sizeof edits / sizeof edits[0]; i++) {
        struct fixture f;
        const char *name = edits[i][1];
        double before, edited;

        set_up(&f, edits[i][0], LASER_FLOAT32);
        before = mean_nll(&f);
        write_overlay(&f, name, 0.5, 0, path);
        check(&f, laser_checkpoint_redirect(f.g.checkpoint, name, path, -1, &f.err));
        check(&f, laser_model_reload(f.model, name, LASER_RELOAD_PRIVATE, &f.err));
        edited = again(&f);
        if (!(fabs(edited - before) > 1e-4))
            fail_msg("%s: %.9f and %.9f", name, before, edited);
        laser_model_free(f.model);
        check(&f, laser_model_open(f.g.checkpoint, LASER_FLOAT32, &f.model, &f.err));
        laser_model_workspace_free(f.ws);
        check(&f, laser_model_workspace_create(f.model, f.n, &f.ws, &f.err));
        assert_true(again(&f) == edited);
        check(&f, laser_checkpoint_redirect(f.g.checkpoint, name, NULL, 0, &f.err));
        check(&f, laser_model_reload(f.model, name, LASER_RELOAD_PRIVATE, &f.err));
        assert_true(again(&f) == before);
        remove(path);
        tear_down(&f);
    }
}

/* A stack of experts, read again one expert after another, is the whole stack read again. */
static void a_part_of_an_edited_stack_is_read_again(void **state)
{
    static const char name[] = "model.layers.0.mlp.experts.down_proj";
    enum { EXPERTS = 5, SIZE = 16 * 6 };
    char path[512];
    struct fixture f;
    double before, last, whole;

    (void)state;
    overlay_path(path, sizeof path);
    set_up(&f, "qwen2_moe-stacked", LASER_FLOAT32);
    before = last = mean_nll(&f);
    write_overlay(&f, name, 0.5, 0, path);
    check(&f, laser_checkpoint_redirect(f.g.checkpoint, name, path, -1, &f.err));
    for (int64_t e = 0; e < EXPERTS; e++) {
        double now;

        check(&f, laser_model_reload_part(f.model, name, e * SIZE, SIZE, LASER_RELOAD_PRIVATE, &f.err));
        now = again(&f);
        assert_true(now != last);
        last = now;
    }
    check(&f, laser_model_reload(f.model, name, LASER_RELOAD_PRIVATE, &f.err));
    whole = again(&f);
    assert_true(whole == last && whole != before);
    check(&f, laser_checkpoint_redirect(f.g.checkpoint, name, NULL, 0, &f.err));
    check(&f, laser_model_reload_part(f.model, name, 0, EXPERTS * SIZE, LASER_RELOAD_PRIVATE, &f.err));
    assert_true(again(&f) == before);
    remove(path);
    tear_down(&f);
}

/* Memory that belongs to somebody else. */
struct shared_memory {
    void *memory;
    bool fill_it;
    int barriers;
};

static void *shared_alloc(void *context, int64_t bytes, bool *fill_it)
{
    struct shared_memory *s = context;

    if (!s->memory)
        s->memory = aligned_alloc(64, (size_t)bytes);
    *fill_it = s->fill_it;
    return s->memory;
}

static void shared_ready(void *context)
{
    ((struct shared_memory *)context)->barriers++;
}

static void use_shared(struct fixture *f, struct shared_memory *memory)
{
    const struct laser_model_group group = {
        .count = 1, .context = memory, .weights_alloc = shared_alloc, .weights_ready = shared_ready};

    laser_model_free(f->model);
    check(f, laser_model_describe(f->g.checkpoint, &group, LASER_FLOAT32, &f->model, &f->err));
    check(f, laser_model_load(f->model, &f->err));
    laser_model_workspace_free(f->ws);
    check(f, laser_model_workspace_create(f->model, f->n, &f->ws, &f->err));
}

static void a_private_edit_leaves_shared_weights_alone(void **state)
{
    const char *name = "model.layers.0.self_attn.q_proj.weight";
    struct shared_memory memory = {.fill_it = true};
    struct fixture mine, theirs;
    char path[512];
    double before, edited;

    (void)state;
    overlay_path(path, sizeof path);
    set_up(&mine, "llama-llama3", LASER_FLOAT32);
    set_up(&theirs, "llama-llama3", LASER_FLOAT32);
    before = mean_nll(&mine);
    use_shared(&mine, &memory);
    memory.fill_it = false;
    use_shared(&theirs, &memory); /* finds the weights there */
    assert_int_equal(memory.barriers, 2);
    assert_true(again(&theirs) == before);

    write_overlay(&mine, name, 0.5, 0, path);
    check(&mine, laser_checkpoint_redirect(mine.g.checkpoint, name, path, -1, &mine.err));
    check(&mine, laser_model_reload(mine.model, name, LASER_RELOAD_PRIVATE, &mine.err));
    edited = again(&mine);
    assert_true(edited != before);
    assert_true(again(&theirs) == before);

    check(&mine, laser_model_reload(mine.model, name, LASER_RELOAD_SHARED, &mine.err));
    assert_true(again(&mine) == edited);
    assert_true(again(&theirs) == edited);
    remove(path);
    tear_down(&mine);
    tear_down(&theirs);
    free(memory.memory);
}

static void the_layer_of_a_tensor_is_known(void **state)
{
    struct fixture f;

    (void)state;
    set_up(&f, "llama", LASER_FLOAT32);
    assert_int_equal(laser_model_layer_of(f.model, "model.embed_tokens.weight"), -1);
    assert_int_equal(laser_model_layer_of(f.model, "model.layers.1.mlp.up_proj.weight"), 1);
    assert_int_equal(laser_model_layer_of(f.model, "lm_head.weight"), 2);
    assert_int_equal(laser_model_layer_of(f.model, "no.such.weight"), -2);
    assert_int_equal(laser_model_reload(f.model, "no.such.weight", LASER_RELOAD_PRIVATE, &f.err),
                     LASER_EINPUT);
    tear_down(&f);
}

static void a_value_that_is_not_finite_is_traced_to_its_layer(void **state)
{
    static const struct {
        const char *tensor;
        int64_t layer;
        double odd;
    } cases[] = {{"model.layers.1.mlp.down_proj.weight", 1, NAN},
                 {"model.layers.0.self_attn.v_proj.weight", 0, INFINITY},
                 {"lm_head.weight", 2, NAN}};
    char path[512];

    (void)state;
    overlay_path(path, sizeof path);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct fixture f;
        double nll[58];
        int64_t layer, sequence;

        set_up(&f, "llama", LASER_FLOAT32);
        check(&f,
              laser_model_blame(f.model, f.ws, f.g.tokens, &f.batch, f.hidden, &layer, &sequence, &f.err));
        assert_int_equal(layer, -2);
        write_overlay(&f, cases[i].tensor, 1, cases[i].odd, path);
        check(&f, laser_checkpoint_redirect(f.g.checkpoint, cases[i].tensor, path, -1, &f.err));
        check(&f, laser_model_reload(f.model, cases[i].tensor, LASER_RELOAD_PRIVATE, &f.err));
        start(&f);
        run_layers(&f, 0, f.layers);
        assert_int_equal(laser_model_nll(f.model, f.ws, f.n, f.hidden, f.g.targets, nll, &f.err),
                         LASER_ENUMERIC);
        check(&f,
              laser_model_blame(f.model, f.ws, f.g.tokens, &f.batch, f.hidden, &layer, &sequence, &f.err));
        assert_int_equal(layer, cases[i].layer);
        assert_int_equal(sequence, 0);
        remove(path);
        tear_down(&f);
    }
}

/* Describing must fail with LASER_EINPUT, and the error must name `tensor`. */
static void assert_contradiction(const char *name, const char *key, json_t *value, const char *tensor)
{
    struct golden g;
    struct laser_model *model = NULL;
    struct laser_error err = {0};

    golden_open(&g, name);
    json_object_set_new(g.checkpoint->config, key, value);
    assert_int_equal(laser_model_describe(g.checkpoint, NULL, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    assert_null(model);
    if (!strstr(err.where, tensor))
        fail_msg("%s = other: \"%s: %s\" does not name %s", key, err.where, err.text, tensor);
    golden_close(&g);
}

static void a_config_that_contradicts_the_tensors_is_refused(void **state)
{
    (void)state;
    assert_contradiction("llama", "vocab_size", json_integer(48), "embed_tokens");
    assert_contradiction("llama", "intermediate_size", json_integer(30), "gate_proj");
    assert_contradiction("llama", "num_key_value_heads", json_integer(3), "k_proj");
    assert_contradiction("gpt2", "n_positions", json_integer(32), "wpe");
    assert_contradiction("qwen3_moe-stacked", "moe_intermediate_size", json_integer(41), "gate_up_proj");
}

static void a_missing_weight_is_named(void **state)
{
    (void)state;
    assert_contradiction("llama", "num_hidden_layers", json_integer(3), "model.layers.2.");
    assert_contradiction("llama", "attention_bias", json_true(), "q_proj.bias");
    assert_contradiction("gpt2", "tie_word_embeddings", json_false(), "lm_head.weight");
    assert_contradiction("mixtral", "num_local_experts", json_integer(6), "block_sparse_moe.gate");
}

static void a_weight_without_a_place_is_named(void **state)
{
    (void)state;
    assert_contradiction("llama", "num_hidden_layers", json_integer(1), "model.layers.1.");
    assert_contradiction("llama-llama3", "attention_bias", json_false(), "bias");
}

static void a_tied_model_may_hold_both_matrices(void **state)
{
    struct golden g;
    struct laser_model *model = NULL;
    struct laser_error err = {0};
    double *nll;

    (void)state;
    golden_open(&g, "llama"); /* not tied: a head of its own */
    nll = calloc((size_t)(g.sequences * g.length), sizeof *nll);
    assert_non_null(nll);
    json_object_set_new(g.checkpoint->config, "tie_word_embeddings", json_true());
    assert_int_equal(nll_by_shards(&g, LASER_FLOAT32, 2, nll, &err), LASER_OK);
    assert_true(fabs(nll[0] - g.nll[0]) < 1e-5 * g.nll[0]);
    laser_model_free(model);
    free(nll);
    golden_close(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_are_those_of_transformers),
        cmocka_unit_test(scores_are_those_of_transformers_in_any_number_of_shards),
        cmocka_unit_test(layers_can_be_run_in_two_parts),
        cmocka_unit_test(sequences_of_a_batch_do_not_see_each_other),
        cmocka_unit_test(more_tokens_than_an_indexer_lets_be_seen_are_refused),
        cmocka_unit_test(more_tokens_than_learned_positions_are_refused),
        cmocka_unit_test(a_token_outside_the_vocabulary_is_refused),
        cmocka_unit_test(bfloat16_is_close_to_float32),
        cmocka_unit_test(an_edited_weight_is_read_again),
        cmocka_unit_test(a_part_of_an_edited_stack_is_read_again),
        cmocka_unit_test(a_private_edit_leaves_shared_weights_alone),
        cmocka_unit_test(the_layer_of_a_tensor_is_known),
        cmocka_unit_test(a_value_that_is_not_finite_is_traced_to_its_layer),
        cmocka_unit_test(a_config_that_contradicts_the_tensors_is_refused),
        cmocka_unit_test(a_missing_weight_is_named),
        cmocka_unit_test(a_weight_without_a_place_is_named),
        cmocka_unit_test(a_tied_model_may_hold_both_matrices),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
