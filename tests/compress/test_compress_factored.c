/* Checkpoints of products of two thin matrices: what is written, and that a model reads them as the products.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "checkpoint/adapter.h"
#include "checkpoint/matrix.h"
#include "compress/factored.h"
#include "model/absent.h"
#include "model/gradient_testing.h"
#include "model/model_testing.h"
#include "plan/estimate.h"
#include "testing.h"

enum { MOST = 8 };

struct setup {
    struct golden g;
    struct laser_factor_pair pairs[MOST];
    struct laser_matrix_list lists[2]; /* whole tensors and experts; their parts */
    char paths[MOST][600], dir[512], factored[600], dense[600];
    int n;
};

/* -1/4, 0, 1/4: sums of products that every dtype holds. */
static void fill(float *x, int64_t n, uint32_t *seed)
{
    for (int64_t i = 0; i < n; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        x[i] = 0.25f * (float)((int)(*seed >> 8) % 3 - 1);
    }
}

static void write_pair(const char *path, int64_t rows, int64_t columns, int64_t k, uint32_t *seed)
{
    float *a = malloc((size_t)(rows * k) * sizeof *a), *b = malloc((size_t)(columns * k) * sizeof *b);
    struct laser_error err = {0};

    assert_true(a && b);
    fill(a, rows * k, seed);
    fill(b, columns * k, seed);
    assert_int_equal(
        laser_safetensors_write(
            path,
            (struct laser_safetensors_item[]){
                {.name = "a", .dtype = LASER_F32, .n_dims = 2, .shape = {rows, k}, .data = a},
                {.name = "b", .dtype = LASER_F32, .n_dims = 2, .shape = {k, columns}, .data = b}},
            2, &err),
        LASER_OK);
    free(a);
    free(b);
}

/* "...[3][gate]" and the like, as a scan lists it. */
static const struct laser_matrix *part_of(const struct setup *s, const char *name)
{
    for (int list = 0; list < 2; list++)
        for (int64_t i = 0; i < s->lists[list].n_matrices; i++)
            if (strcmp(s->lists[list].matrices[i].name, name) == 0)
                return &s->lists[list].matrices[i];
    fail_msg("no matrix is called %s", name);
    return NULL;
}

static void set_up_pair(struct setup *s, const char *name, uint32_t *seed)
{
    const struct laser_matrix *m = part_of(s, name);
    const struct laser_tensor *t = &s->g.checkpoint->tensors[m->tensor];
    int64_t rank = 2 + s->n % 3;

    snprintf(s->paths[s->n], sizeof s->paths[0], "%s/pair-%d.safetensors", s->dir, s->n);
    s->pairs[s->n] = (struct laser_factor_pair){.tensor = t->name,
                                                .rank = rank,
                                                .transposed = m->transposed,
                                                .path = s->paths[s->n],
                                                .part = laser_matrix_is_whole(s->g.checkpoint, m) ? NULL : m};
    write_pair(s->paths[s->n], m->transposed ? m->cols : m->rows, m->transposed ? m->rows : m->cols, rank,
               seed);
}

static void set_up(struct setup *s, const char *golden, const char *const *names)
{
    const char *temporary = getenv("TMPDIR");
    uint32_t seed = 7;

    memset(s, 0, sizeof *s);
    golden_open(&s->g, golden);
    snprintf(s->dir, sizeof s->dir, "%s/laser-factored-XXXXXX", temporary ? temporary : "/tmp");
    assert_non_null(mkdtemp(s->dir));
    snprintf(s->factored, sizeof s->factored, "%s/factored", s->dir);
    snprintf(s->dense, sizeof s->dense, "%s/dense", s->dir);
    for (int list = 0; list < 2; list++) {
        const struct laser_matrix_options options = {.split_fused = list == 1};

        assert_int_equal(laser_matrix_list(s->g.checkpoint, &options, &s->lists[list], NULL), LASER_OK);
    }
    for (; s->n < MOST && names[s->n]; s->n++)
        set_up_pair(s, names[s->n], &seed);
}

static void remove_tree(const char *path)
{
    DIR *stream = opendir(path);
    char name[1400];

    for (struct dirent *entry; stream && (entry = readdir(stream)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        remove_tree(name);
    }
    if (stream)
        closedir(stream);
    remove(path);
}

static void tear_down(struct setup *s)
{
    laser_matrix_list_free(&s->lists[0]);
    laser_matrix_list_free(&s->lists[1]);
    remove_tree(s->dir);
    golden_close(&s->g);
}

static void write_or_fail(struct setup *s, enum laser_factored_form form)
{
    struct laser_error err = {0};

    if (laser_factored_write(s->g.checkpoint, form == LASER_FORM_DENSE ? s->dense : s->factored, s->pairs,
                             s->n, form, LASER_DTYPE_COUNT, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
}

static struct laser_checkpoint *open_or_fail(const char *dir)
{
    struct laser_checkpoint *c;
    struct laser_error err = {0};

    if (laser_checkpoint_open(dir, &c, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return c;
}

static double *losses(const struct setup *s, const char *dir, enum laser_precision precision, int shards)
{
    struct golden other = s->g;
    struct laser_error err = {0};
    double *nll = calloc((size_t)(s->g.sequences * s->g.length), sizeof *nll);

    assert_non_null(nll);
    other.checkpoint = open_or_fail(dir);
    if (nll_by_shards(&other, precision, shards, nll, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    laser_checkpoint_close(other.checkpoint);
    return nll;
}

static const struct {
    const char *golden, *names[MOST];
} cases[] = {
    {"llama",
     {"model.layers.0.mlp.gate_proj.weight", "model.layers.0.mlp.down_proj.weight",
      "model.layers.1.self_attn.k_proj.weight", "model.layers.1.mlp.up_proj.weight"}},
    {"llama",
     {"model.layers.1.mlp.gate_proj.weight", "model.layers.1.mlp.up_proj.weight",
      "model.layers.1.mlp.down_proj.weight", "model.layers.1.self_attn.q_proj.weight",
      "model.layers.1.self_attn.k_proj.weight", "model.layers.1.self_attn.v_proj.weight",
      "model.layers.1.self_attn.o_proj.weight"}},
    {"qwen2", {"model.layers.0.self_attn.q_proj.weight", "model.layers.1.self_attn.v_proj.weight"}},
    {"gpt2",
     {"h.0.attn.c_attn.weight", "h.0.mlp.c_fc.weight", "h.0.mlp.c_proj.weight", "h.1.attn.c_proj.weight"}},
    {"gpt_neox",
     {"gpt_neox.layers.0.attention.query_key_value.weight", "gpt_neox.layers.0.mlp.dense_h_to_4h.weight",
      "gpt_neox.layers.1.attention.dense.weight"}},
    {"phi3", {"model.layers.0.self_attn.qkv_proj.weight", "model.layers.1.mlp.gate_up_proj.weight"}},
    {"qwen2_moe",
     {"model.layers.0.mlp.experts.0.up_proj.weight", "model.layers.0.mlp.experts.1.down_proj.weight",
      "model.layers.0.mlp.shared_expert.gate_proj.weight"}},
    {"phi3",
     {"model.layers.0.self_attn.qkv_proj.weight[q]", "model.layers.0.self_attn.qkv_proj.weight[v]",
      "model.layers.1.mlp.gate_up_proj.weight[up]", "model.layers.1.mlp.down_proj.weight"}},
    {"gpt2", {"h.0.attn.c_attn.weight[k]", "h.1.attn.c_attn.weight[q]", "h.1.attn.c_attn.weight[v]"}},
    {"gpt_neox", /* q, k and v of one head after the other */
     {"gpt_neox.layers.0.attention.query_key_value.weight[q]",
      "gpt_neox.layers.0.attention.query_key_value.weight[v]",
      "gpt_neox.layers.1.attention.query_key_value.weight[k]"}},
    {"falcon-40b",
     {"transformer.h.0.self_attention.query_key_value.weight[q]",
      "transformer.h.1.self_attention.query_key_value.weight[k]"}},
    {"mixtral-stacked",
     {"model.layers.0.mlp.experts.gate_up_proj[1][gate]", "model.layers.0.mlp.experts.gate_up_proj[2][up]",
      "model.layers.0.mlp.experts.down_proj[0]", "model.layers.0.self_attn.q_proj.weight"}},
    {"mixtral-stacked",
     {"model.layers.0.mlp.experts.gate_up_proj[0]", "model.layers.0.mlp.experts.gate_up_proj[2]"}},
    {"gpt_oss", /* [in, out] */
     {"model.layers.0.mlp.experts.gate_up_proj[0]", "model.layers.1.mlp.experts.down_proj[3]"}},
    {"llama4_text",
     {"model.layers.1.feed_forward.experts.gate_up_proj[0][up]",
      "model.layers.1.feed_forward.experts.down_proj[1]"}},
    {"roberta",
     {"roberta.encoder.layer.0.attention.self.key.weight", "roberta.encoder.layer.1.output.dense.weight"}},
};

static void a_model_reads_factors_as_their_products_in_any_number_of_shards(void **state)
{
    (void)state;
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct setup s;

        set_up(&s, cases[c].golden, cases[c].names);
        write_or_fail(&s, LASER_FORM_FACTORED);
        write_or_fail(&s, LASER_FORM_DENSE);
        for (int shards = 1; shards <= 3; shards++) {
            int64_t n = s.g.sequences * s.g.length;
            double *dense = losses(&s, s.dense, LASER_FLOAT32, shards),
                   *thin = losses(&s, s.factored, LASER_FLOAT32, shards);

            if (!(largest_difference(dense, thin, n) < 2e-5))
                fail_msg("%s (case %zu) in %d shards: off by %g", cases[c].golden, c, shards,
                         largest_difference(dense, thin, n));
            free(dense);
            free(thin);
        }
        tear_down(&s);
    }
}

static void factors_change_the_model(void **state)
{
    struct setup s;
    double *before, *after;

    (void)state;
    set_up(&s, cases[0].golden, cases[0].names);
    write_or_fail(&s, LASER_FORM_FACTORED);
    before = calloc((size_t)(s.g.sequences * s.g.length), sizeof *before);
    assert_non_null(before);
    assert_int_equal(nll_by_shards(&s.g, LASER_FLOAT32, 1, before, NULL), LASER_OK);
    after = losses(&s, s.factored, LASER_FLOAT32, 1);
    assert_true(largest_difference(before, after, s.g.sequences * s.g.length) > 1e-3);
    free(before);
    free(after);
    tear_down(&s);
}

static void bfloat16_is_as_near_as_with_the_products(void **state)
{
    struct setup s;
    double *exact, *dense, *thin;
    int64_t n;

    (void)state;
    set_up(&s, cases[1].golden, cases[1].names);
    n = s.g.sequences * s.g.length;
    write_or_fail(&s, LASER_FORM_FACTORED);
    write_or_fail(&s, LASER_FORM_DENSE);
    exact = losses(&s, s.dense, LASER_FLOAT32, 1);
    dense = losses(&s, s.dense, LASER_BFLOAT16, 1);
    thin = losses(&s, s.factored, LASER_BFLOAT16, 1);
    assert_true(largest_difference(exact, dense, n) > 0);
    assert_true(largest_difference(exact, thin, n) < 4 * largest_difference(exact, dense, n));
    free(exact);
    free(dense);
    free(thin);
    tear_down(&s);
}

static void memory_is_that_of_the_factors(void **state)
{
    struct setup s;
    struct laser_model *dense, *thin;
    struct laser_model_estimate estimate;
    struct laser_checkpoint *c;
    struct laser_error err = {0};

    (void)state;
    set_up(&s, cases[1].golden, cases[1].names);
    write_or_fail(&s, LASER_FORM_FACTORED);
    c = open_or_fail(s.factored);
    assert_int_equal(laser_model_open(s.g.checkpoint, LASER_FLOAT32, &dense, &err), LASER_OK);
    assert_int_equal(laser_model_open(c, LASER_FLOAT32, &thin, &err), LASER_OK);
    assert_true(laser_model_is_factored(thin));
    assert_false(laser_model_is_factored(dense));
    assert_true(laser_model_weights_bytes(thin) < laser_model_weights_bytes(dense));
    assert_int_equal(laser_model_estimate(laser_model_arch(thin), 1, LASER_FLOAT32, LASER_STORED_F32, 32, 16,
                                          &estimate, &err),
                     LASER_OK);
    assert_true(fabs((double)estimate.weights_bytes / (double)laser_model_weights_bytes(thin) - 1) < 0.05);
    laser_model_free(dense);
    laser_model_free(thin);
    laser_checkpoint_close(c);
    tear_down(&s);
}

static void describe_alone(const char *golden, const char *const *names)
{
    struct setup s;
    struct laser_checkpoint *written, *absent;
    struct laser_error err = {0};
    char path[1200];

    set_up(&s, golden, names);
    write_or_fail(&s, LASER_FORM_FACTORED);
    written = open_or_fail(s.factored);
    snprintf(path, sizeof path, "%s/model.safetensors", s.factored);
    remove(path);
    if (laser_model_absent(s.factored, &absent, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_int_equal(absent->n_tensors, written->n_tensors);
    for (int64_t i = 0; i < written->n_tensors; i++) {
        const struct laser_tensor *t = laser_checkpoint_find(absent, written->tensors[i].name);

        if (strcmp(written->tensors[i].name, "lm_head.weight") ==
            0) /* tied: the other name is the usual one */
            t = laser_checkpoint_find(absent, "model.embed_tokens.weight");
        assert_non_null(t);
        assert_int_equal(t->size_bytes, written->tensors[i].size_bytes);
    }
    laser_checkpoint_close(absent);
    laser_checkpoint_close(written);
    tear_down(&s);
}

static void a_configuration_alone_describes_the_factors(void **state)
{
    static const char *const fused[] = {"model.layers.0.self_attn.qkv_proj.weight[q]", NULL};
    static const char *const stacked[] = {"model.layers.0.mlp.experts.gate_up_proj[1]", NULL};

    (void)state;
    describe_alone(cases[2].golden, cases[2].names);
    describe_alone("phi3", fused);
    describe_alone("gpt_oss", stacked);
}

static const char *const fused_part[] = {"model.layers.0.self_attn.qkv_proj.weight[k]", NULL};

/* phi3's q, k and v have 24, 12 and 12 rows. */
static void a_part_that_stays_dense_has_its_bits(void **state)
{
    struct setup s;
    struct laser_checkpoint *c;
    const struct laser_tensor *q, *whole;
    struct laser_error err = {0};
    char bytes[24 * 24 * 4], expected[24 * 24 * 4];

    (void)state;
    set_up(&s, "phi3", fused_part);
    write_or_fail(&s, LASER_FORM_FACTORED);
    c = open_or_fail(s.factored);
    whole = laser_checkpoint_find(s.g.checkpoint, "model.layers.0.self_attn.qkv_proj.weight");
    assert_null(laser_checkpoint_find(c, whole->name));
    q = laser_checkpoint_find(c, "model.layers.0.self_attn.qkv_proj.q.weight");
    assert_non_null(q);
    assert_true(q->size_bytes <= (int64_t)sizeof bytes && q->size_bytes * 2 == whole->size_bytes);
    assert_int_equal(laser_checkpoint_read(c, q, 0, q->size_bytes, bytes, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_read(s.g.checkpoint, whole, 0, q->size_bytes, expected, &err),
                     LASER_OK);
    assert_memory_equal(bytes, expected, (size_t)q->size_bytes);
    laser_checkpoint_close(c);
    tear_down(&s);
}

static void parts_that_do_not_make_up_the_whole_are_refused(void **state)
{
    struct setup s;
    struct laser_checkpoint *c;
    struct laser_model *model;
    struct laser_error err = {0};
    json_t *parts, *k;

    (void)state;
    set_up(&s, "phi3", fused_part);
    write_or_fail(&s, LASER_FORM_FACTORED);
    c = open_or_fail(s.factored);
    parts =
        json_object_get(json_object_get(c->config, "truncation_parts"), "model.layers.0.self_attn.qkv_proj");
    k = json_array_get(parts, 1);
    json_array_set_new(k, 1, json_integer(26)); /* it begins at 24 */
    assert_int_equal(laser_model_open(c, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "names no part with its output 24"));
    json_array_set_new(k, 1, json_integer(-1));
    assert_int_equal(laser_model_open(c, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "the parts of model.layers.0.self_attn.qkv_proj: expected a list"));
    laser_checkpoint_close(c);
    tear_down(&s);
}

static void a_part_that_alternates_with_another_is_refused(void **state)
{
    static const char *const names[] = {"model.layers.0.mlp.experts.gate_up_proj[0][gate]", NULL};
    struct setup s;
    struct laser_factored *w;
    struct laser_error err = {0};

    (void)state;
    set_up(&s, "gpt_oss", names);
    assert_int_equal(laser_factored_open(s.g.checkpoint, s.factored, s.pairs, s.n, LASER_FORM_FACTORED,
                                         LASER_DTYPE_COUNT, &w, &err),
                     LASER_EINPUT);
    assert_string_equal(err.where, names[0]);
    assert_non_null(strstr(err.text, "alternates with other parts row by row"));
    tear_down(&s);
}

static const struct gradient_matrix *matrix_of(const struct gradient_job *job, const char *name)
{
    for (int i = 0; i < job->count; i++)
        if (strcmp(job->matrices[i].name, name) == 0)
            return &job->matrices[i];
    fail_msg("no gradient of %s", name);
    return NULL;
}

/* Off by how much, relative to the norm of what is expected. */
static double off(const double *x, const double *expected, int64_t n)
{
    double difference = 0, norm = 0;

    for (int64_t i = 0; i < n; i++) {
        difference += (x[i] - expected[i]) * (x[i] - expected[i]);
        norm += expected[i] * expected[i];
    }
    return sqrt(difference / norm);
}

/* Of a factored weight "<module>.weight" or a part of one: the second factor has its output gradients, the first its
 * inputs, and what is between the two is B x. */
static void compare_gradients(const struct gradient_job *thin, const struct gradient_job *dense,
                              const char *module, const char *whole, int64_t first_row, const char *file)
{
    char a_name[300], b_name[300];
    const struct gradient_matrix *a, *b, *w = matrix_of(dense, whole);
    struct laser_safetensors_header header;
    double *delta, *z;
    int64_t n = thin->n;
    FILE *in = fopen(file, "rb");
    float *factor;

    snprintf(a_name, sizeof a_name, "%s.ALinear.weight", module);
    snprintf(b_name, sizeof b_name, "%s.BLinear.weight", module);
    a = matrix_of(thin, a_name);
    b = matrix_of(thin, b_name);
    assert_int_equal(a->columns, b->rows);
    delta = malloc((size_t)(n * a->rows) * sizeof *delta);
    z = calloc((size_t)(n * b->rows), sizeof *z);
    factor = malloc((size_t)(b->rows * b->columns) * sizeof *factor);
    assert_true(in && delta && z && factor);
    assert_int_equal(laser_safetensors_read_header(file, &header, NULL, NULL, NULL), LASER_OK);
    assert_string_equal(header.tensors[1].name, "b");
    assert_int_equal(fseek(in, (long)header.tensors[1].offset, SEEK_SET), 0);
    assert_int_equal(fread(factor, sizeof *factor, (size_t)(b->rows * b->columns), in), b->rows * b->columns);
    for (int64_t t = 0; t < n; t++) {
        memcpy(delta + t * a->rows, w->delta + t * w->rows + first_row, (size_t)a->rows * sizeof *delta);
        for (int64_t r = 0; r < b->rows; r++)
            for (int64_t c = 0; c < b->columns; c++)
                z[t * b->rows + r] += (double)factor[r * b->columns + c] * b->x[t * b->columns + c];
    }
    assert_true(off(a->delta, delta, n * a->rows) < 2e-5);
    assert_true(off(b->x, w->x, n * b->columns) < 2e-5);
    assert_true(off(a->x, z, n * b->rows) < 2e-5);
    fclose(in);
    laser_safetensors_header_free(&header);
    free(delta);
    free(z);
    free(factor);
}

static void gradients_of(const struct setup *s, const char *dir, struct golden *other,
                         struct gradient_job *job)
{
    *other = s->g;
    other->checkpoint = open_or_fail(dir);
    gradient_start(job, other);
    gradient_run(job, 1);
}

/* What is below the factors has the gradients of the products, too. */
static void gradients_go_through_the_factors(void **state)
{
    static const char *const fused[] = {"model.layers.1.self_attn.qkv_proj.weight[k]",
                                        "model.layers.1.mlp.gate_up_proj.weight[up]", NULL};
    struct setup s;
    struct golden thin_golden, dense_golden;
    static struct gradient_job thin, dense;
    const struct gradient_matrix *below, *expected;

    (void)state;
    for (int c = 0; c < 2; c++) {
        const char *name =
            c == 0 ? "model.layers.0.mlp.up_proj.weight" : "model.layers.0.mlp.gate_up_proj.weight";

        set_up(&s, c == 0 ? "llama" : "phi3", c == 0 ? cases[1].names : fused);
        write_or_fail(&s, LASER_FORM_FACTORED);
        write_or_fail(&s, LASER_FORM_DENSE);
        gradients_of(&s, s.factored, &thin_golden, &thin);
        gradients_of(&s, s.dense, &dense_golden, &dense);
        if (c == 0) {
            compare_gradients(&thin, &dense, "model.layers.1.mlp.down_proj",
                              "model.layers.1.mlp.down_proj.weight", 0, s.paths[2]);
            compare_gradients(&thin, &dense, "model.layers.1.self_attn.v_proj",
                              "model.layers.1.self_attn.v_proj.weight", 0, s.paths[5]);
        } else {
            compare_gradients(&thin, &dense, "model.layers.1.self_attn.qkv_proj.k",
                              "model.layers.1.self_attn.qkv_proj.weight", 24, s.paths[0]);
        }
        below = matrix_of(&thin, name);
        expected = matrix_of(&dense, name);
        assert_true(off(below->delta, expected->delta, thin.n * expected->rows) < 2e-5);
        gradient_discard(&thin);
        gradient_discard(&dense);
        laser_checkpoint_close(thin_golden.checkpoint);
        laser_checkpoint_close(dense_golden.checkpoint);
        tear_down(&s);
    }
}

static void gradients_through_factors_are_not_for_shards(void **state)
{
    struct setup s;
    struct golden other;
    static struct gradient_job job;

    (void)state;
    set_up(&s, cases[0].golden, cases[0].names);
    write_or_fail(&s, LASER_FORM_FACTORED);
    other = s.g;
    other.checkpoint = open_or_fail(s.factored);
    gradient_start(&job, &other);
    gradient_try(&job, 2);
    assert_int_equal(job.result[0], LASER_EINPUT);
    assert_non_null(strstr(job.err[0].text, "parallel.shards=1"));
    gradient_discard(&job);
    laser_checkpoint_close(other.checkpoint);
    tear_down(&s);
}

static void names_shapes_and_ranks_are_written(void **state)
{
    struct setup s;
    struct laser_checkpoint *c;
    const struct laser_tensor *t, *old;
    const json_t *ranks;

    (void)state;
    set_up(&s, cases[2].golden, cases[2].names); /* qwen2: with biases */
    write_or_fail(&s, LASER_FORM_FACTORED);
    c = open_or_fail(s.factored);
    old = laser_checkpoint_find(s.g.checkpoint, s.pairs[0].tensor);
    assert_null(laser_checkpoint_find(c, s.pairs[0].tensor));
    t = laser_checkpoint_find(c, "model.layers.0.self_attn.q_proj.ALinear.weight");
    assert_true(t && t->shape[0] == old->shape[0] && t->shape[1] == s.pairs[0].rank &&
                t->dtype == old->dtype);
    t = laser_checkpoint_find(c, "model.layers.0.self_attn.q_proj.BLinear.weight");
    assert_true(t && t->shape[0] == s.pairs[0].rank && t->shape[1] == old->shape[1]);
    assert_non_null(laser_checkpoint_find(c, "model.layers.0.self_attn.q_proj.ALinear.bias"));
    assert_null(laser_checkpoint_find(c, "model.layers.0.self_attn.q_proj.bias"));
    assert_non_null(laser_checkpoint_find(c, "model.layers.1.self_attn.q_proj.bias"));
    ranks = json_object_get(c->config, "truncation_ranks");
    assert_int_equal(json_object_size(ranks), s.n);
    assert_int_equal(json_integer_value(json_object_get(ranks, "model.layers.1.self_attn.v_proj")),
                     s.pairs[1].rank);
    assert_non_null(json_object_get(json_object_get(c->config, "auto_map"), "AutoModelForCausalLM"));
    laser_checkpoint_close(c);
    tear_down(&s);
}

static void the_code_for_transformers_is_written_as_it_is(void **state)
{
    struct setup s;
    char path[1200], ours[65536], written[65536];
    size_t n, m;
    FILE *f;

    (void)state;
    set_up(&s, cases[0].golden, cases[0].names);
    write_or_fail(&s, LASER_FORM_FACTORED);
    f = fopen(SRCDIR "/share/modeling_laser_factored.py", "rb");
    assert_non_null(f);
    n = fread(ours, 1, sizeof ours, f);
    fclose(f);
    snprintf(path, sizeof path, "%s/modeling_laser_factored.py", s.factored);
    f = fopen(path, "rb");
    assert_non_null(f);
    m = fread(written, 1, sizeof written, f);
    fclose(f);
    assert_true(n > 0 && n == m);
    assert_memory_equal(ours, written, n);
    tear_down(&s);
}

static void a_second_attempt_finds_the_files_of_the_first(void **state)
{
    struct setup s;
    struct laser_factored *w;
    struct laser_error err = {0};
    char path[1400];

    (void)state;
    set_up(&s, cases[0].golden, cases[0].names);
    assert_int_equal(laser_factored_open(s.g.checkpoint, s.factored, s.pairs, s.n, LASER_FORM_FACTORED,
                                         LASER_DTYPE_COUNT, &w, &err),
                     LASER_OK);
    assert_int_equal(laser_factored_begin(w, &err), LASER_OK);
    for (int i = 0; i < w->writer->n_files; i++) {
        assert_false(laser_factored_has(w, i));
        if (laser_factored_file(w, i, &err) != LASER_OK)
            fail_msg("%s: %s", err.where, err.text);
        assert_true(laser_factored_has(w, i));
    }
    assert_int_equal(laser_factored_finish(w, &err), LASER_OK);
    snprintf(path, sizeof path, "%s/model.safetensors", s.factored);
    assert_int_equal(truncate(path, 100), 0);
    assert_int_equal(laser_factored_finish(w, &err), LASER_EIO);
    laser_factored_close(w);
    tear_down(&s);
}

static void a_rank_that_config_does_not_have_is_refused(void **state)
{
    struct setup s;
    struct laser_checkpoint *c;
    struct laser_model *model;
    struct laser_error err = {0};
    json_t *ranks;

    (void)state;
    set_up(&s, cases[0].golden, cases[0].names);
    write_or_fail(&s, LASER_FORM_FACTORED);
    c = open_or_fail(s.factored);
    ranks = json_object_get(c->config, "truncation_ranks");
    json_object_set_new(ranks, "model.layers.0.mlp.gate_proj", json_integer(7));
    assert_int_equal(laser_model_open(c, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    assert_string_equal(err.where, "model.layers.0.mlp.gate_proj.ALinear.weight");
    json_object_set_new(ranks, "model.layers.0.mlp.gate_proj", json_string("many"));
    assert_int_equal(laser_model_open(c, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "model.layers.0.mlp.gate_proj"));
    json_object_del(ranks, "model.layers.0.mlp.gate_proj");
    assert_int_equal(laser_model_open(c, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    json_object_set_new(ranks, "model.layers.0.mlp.gate_proj", json_integer(s.pairs[0].rank));
    json_object_set_new(ranks, "model.layers.9.mlp.gate_proj", json_integer(3));
    assert_int_equal(laser_model_open(c, LASER_FLOAT32, &model, &err), LASER_EINPUT);
    assert_string_equal(err.where, "model.layers.9.mlp.gate_proj");
    laser_checkpoint_close(c);
    tear_down(&s);
}

static void edited_factors_are_read_again(void **state)
{
    struct setup s;
    struct golden other;
    struct laser_checkpoint *c;
    struct laser_model *model;
    struct laser_error err = {0};
    const char *name = "model.layers.0.mlp.gate_proj.ALinear.weight";
    const struct laser_tensor *t;
    char path[1200];
    void *zeros;

    (void)state;
    set_up(&s, cases[0].golden, cases[0].names);
    write_or_fail(&s, LASER_FORM_FACTORED);
    other = s.g;
    c = other.checkpoint = open_or_fail(s.factored);
    t = laser_checkpoint_find(c, name);
    zeros = calloc(1, (size_t)t->size_bytes);
    assert_non_null(zeros);
    snprintf(path, sizeof path, "%s/edit.safetensors", s.dir);
    assert_int_equal(
        laser_safetensors_write(path,
                                &(struct laser_safetensors_item){.name = name,
                                                                 .dtype = t->dtype,
                                                                 .n_dims = 2,
                                                                 .shape = {t->shape[0], t->shape[1]},
                                                                 .data = zeros},
                                1, &err),
        LASER_OK);
    assert_int_equal(laser_model_open(c, LASER_FLOAT32, &model, &err), LASER_OK);
    assert_int_equal(laser_model_layer_of(model, name), 0);
    assert_int_equal(laser_checkpoint_redirect(c, name, path, -1, &err), LASER_OK);
    assert_int_equal(laser_model_reload(model, name, LASER_RELOAD_PRIVATE, &err), LASER_OK);
    laser_model_free(model);
    free(zeros);
    laser_checkpoint_close(c);
    tear_down(&s);
}

/* The elements of a matrix, and its rank where it is a product. */
static double *elements(const struct laser_checkpoint *c, const struct laser_matrix *m, int64_t *rank)
{
    double *x = malloc((size_t)(m->rows * m->cols) * sizeof *x), *left, *right;
    struct laser_error err = {0};

    assert_non_null(x);
    assert_int_equal(laser_matrix_read(c, m, 0, m->rows, 0, m->cols, x, m->cols, &err), LASER_OK);
    assert_int_equal(laser_matrix_factors(c, m, rank, &left, &right, &err), LASER_OK);
    free(left);
    free(right);
    return x;
}

static void a_scan_sees_the_products(void **state)
{
    struct setup s;
    struct laser_checkpoint *factored, *dense;
    struct laser_matrix_list seen, expected;
    struct laser_error err = {0};
    int products = 0;

    (void)state;
    set_up(&s, cases[0].golden, cases[0].names);
    write_or_fail(&s, LASER_FORM_FACTORED);
    write_or_fail(&s, LASER_FORM_DENSE);
    factored = open_or_fail(s.factored);
    dense = open_or_fail(s.dense);
    assert_int_equal(laser_factors_resolve(factored, &err), LASER_OK);
    assert_int_equal(laser_factors_resolve(dense, &err), LASER_OK); /* which changes nothing */
    assert_int_equal(factored->n_tensors, dense->n_tensors);
    assert_int_equal(laser_matrix_list(factored, NULL, &seen, &err), LASER_OK);
    assert_int_equal(laser_matrix_list(dense, NULL, &expected, &err), LASER_OK);
    assert_int_equal(seen.n_matrices, expected.n_matrices);
    for (int64_t i = 0; i < seen.n_matrices; i++) {
        const struct laser_matrix *m = &seen.matrices[i];
        int64_t rank, none;
        double *x = elements(factored, m, &rank), *y = elements(dense, &expected.matrices[i], &none);

        assert_string_equal(m->name, expected.matrices[i].name);
        assert_string_equal(m->type, expected.matrices[i].type);
        assert_true(largest_difference(x, y, m->rows * m->cols) == 0);
        products += rank > 0;
        free(x);
        free(y);
    }
    assert_int_equal(products, s.n);
    laser_matrix_list_free(&seen);
    laser_matrix_list_free(&expected);
    laser_checkpoint_close(factored);
    laser_checkpoint_close(dense);
    tear_down(&s);
}

static void what_cannot_be_written_as_factors_is_named(void **state)
{
    static const char *const names[] = {"model.layers.0.mlp.gate_proj.weight", NULL};
    struct setup s;
    struct laser_factored *w;
    struct laser_error err = {0};
    struct laser_factor_pair pair;

    (void)state;
    set_up(&s, "llama", names);
    pair = s.pairs[0];
    pair.tensor = "model.layers.7.mlp.gate_proj.weight";
    assert_int_equal(laser_factored_open(s.g.checkpoint, s.factored, &pair, 1, LASER_FORM_FACTORED,
                                         LASER_DTYPE_COUNT, &w, &err),
                     LASER_EINPUT);
    assert_string_equal(err.where, pair.tensor);
    pair.tensor = "model.norm.weight";
    assert_int_equal(laser_factored_open(s.g.checkpoint, s.factored, &pair, 1, LASER_FORM_FACTORED,
                                         LASER_DTYPE_COUNT, &w, &err),
                     LASER_EINPUT);
    pair = s.pairs[0];
    pair.rank = 1000;
    assert_int_equal(laser_factored_open(s.g.checkpoint, s.factored, &pair, 1, LASER_FORM_FACTORED,
                                         LASER_DTYPE_COUNT, &w, &err),
                     LASER_EINPUT);
    s.pairs[0].rank = 3; /* the file has rank 2 */
    assert_int_equal(laser_factored_write(s.g.checkpoint, s.factored, s.pairs, 1, LASER_FORM_FACTORED,
                                          LASER_DTYPE_COUNT, &err),
                     LASER_EINPUT);
    assert_string_equal(err.where, s.paths[0]);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_reads_factors_as_their_products_in_any_number_of_shards),
        cmocka_unit_test(factors_change_the_model),
        cmocka_unit_test(bfloat16_is_as_near_as_with_the_products),
        cmocka_unit_test(memory_is_that_of_the_factors),
        cmocka_unit_test(a_configuration_alone_describes_the_factors),
        cmocka_unit_test(gradients_go_through_the_factors),
        cmocka_unit_test(gradients_through_factors_are_not_for_shards),
        cmocka_unit_test(a_part_that_stays_dense_has_its_bits),
        cmocka_unit_test(parts_that_do_not_make_up_the_whole_are_refused),
        cmocka_unit_test(a_part_that_alternates_with_another_is_refused),
        cmocka_unit_test(names_shapes_and_ranks_are_written),
        cmocka_unit_test(the_code_for_transformers_is_written_as_it_is),
        cmocka_unit_test(a_second_attempt_finds_the_files_of_the_first),
        cmocka_unit_test(a_rank_that_config_does_not_have_is_refused),
        cmocka_unit_test(edited_factors_are_read_again),
        cmocka_unit_test(a_scan_sees_the_products),
        cmocka_unit_test(what_cannot_be_written_as_factors_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
