/* The backward pass against torch's autograd, and its shards against one process.  Golden values:
 * make_gradients.py. */
#include <jansson.h>
#include <malloc.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/gradient.h"
#include "model_testing.h"
#include "testing.h"

static const char *const cases[] = {"llama",
                                    "llama-llama3",
                                    "llama-linear",
                                    "llama-dynamic",
                                    "llama-yarn",
                                    "llama-yarn-mscale",
                                    "mistral",
                                    "qwen2",
                                    "qwen3",
                                    "mixtral",
                                    "qwen2_moe",
                                    "qwen3_moe",
                                    "phi",
                                    "phi-qk",
                                    "phi3",
                                    "phi3-short",
                                    "phi3-long",
                                    "gemma",
                                    "gemma2",
                                    "gpt2",
                                    "gpt2-options",
                                    "gptj",
                                    "gpt_neox",
                                    "gpt_neox-serial",
                                    "roberta",
                                    "xlm-roberta",
                                    "mixtral-stacked",
                                    "qwen2_moe-stacked",
                                    "qwen3_moe-stacked"};
enum { CASES = sizeof cases / sizeof cases[0], MOST = 128, MOST_SHARDS = 8 };

/* What all shards gave for one matrix, put together. */
struct matrix {
    char name[256];
    int64_t rows, columns, reached; /* reached: rows of the batch that came by */
    int owner;                      /* the shard that came first */
    double *delta;                  /* [N, rows] */
    double *x;                      /* [N, columns] */
};

/* A pass over the golden text and what came of it. */
struct job {
    const struct golden *golden;
    enum laser_precision precision;
    struct laser_model_batch batch;
    int64_t n;
    const int32_t *tokens, *targets;
    const float *weights;
    model_change *change;
    double *nll;
    struct matrix matrices[MOST];
    int count;
    int fails_at; /* the call of the sink that fails; 0: none does */
    int calls[MOST_SHARDS], result[MOST_SHARDS];
    struct laser_error err[MOST_SHARDS];
};

struct shard {
    struct job *job;
    int index;
};

static struct matrix *matrix_of(struct job *job, int shard, const struct laser_model_linear_site *site)
{
    const struct laser_tensor *t = &job->golden->checkpoint->tensors[site->tensor];
    struct matrix *m;
    char name[256];

    snprintf(name, sizeof name, "%s", t->name);
    if (t->n_dims == 3)
        snprintf(name, sizeof name, "%s[%d]", t->name, (int)(site->origin / (site->rows * site->columns)));
    else
        assert_int_equal(site->origin, 0);
    for (int i = 0; i < job->count; i++)
        if (strcmp(job->matrices[i].name, name) == 0)
            return &job->matrices[i];
    assert_in_range(job->count, 0, MOST - 1);
    m = &job->matrices[job->count++];
    *m = (struct matrix){.rows = site->rows, .columns = site->columns, .owner = shard};
    snprintf(m->name, sizeof m->name, "%s", name);
    m->delta = calloc((size_t)(job->n * site->rows), sizeof *m->delta);
    m->x = calloc((size_t)(job->n * site->columns), sizeof *m->x);
    assert_true(m->delta && m->x);
    return m;
}

/* What is not split every shard has; that of the first to come counts, and the others must have the same. */
static void put(double *to, double value, bool is_part, bool is_first)
{
    if (is_part || is_first)
        *to += value;
    else if (*to != value)
        fail_msg("a shard has %.9g instead of %.9g", value, *to);
}

static int take(void *context, const struct laser_model_linear_site *site, int64_t n, const float *x,
                int64_t x_stride, const float *delta, int64_t delta_stride, const int64_t *token_rows,
                struct laser_error *err)
{
    struct shard *shard = context;
    struct job *job = shard->job;
    struct matrix *m = matrix_of(job, shard->index, site);
    bool first = shard->index == m->owner;

    if (++job->calls[shard->index] == job->fails_at)
        return laser_error_set(err, LASER_EIO, "sink", "refused");
    assert_true(site->layer >= 0 && m->rows == site->rows && m->columns == site->columns);
    assert_int_equal(site->first_row, site->piece[0].first);
    m->reached = n;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = token_rows ? token_rows[i] : i, column = 0;

        assert_in_range(row, 0, job->n - 1);
        for (int64_t p = 0; p < site->pieces; p++)
            for (int64_t j = 0; j < site->piece[p].count; j++)
                put(&m->delta[row * m->rows + site->piece[p].first + j],
                    (double)delta[i * delta_stride + column++], site->outputs_split, first);
        assert_int_equal(column, site->row_count);
        for (int64_t j = 0; j < site->column_count; j++)
            put(&m->x[row * m->columns + site->first_column + j], (double)x[i * x_stride + j],
                site->inputs_split, first);
    }
    return LASER_OK;
}

/* The worst result of all shards, so that none waits for one that failed. */
static int agree(const struct laser_model_group *group, int result)
{
    float worst = (float)result;

    group->max(group->context, &worst, 1);
    return (int)worst;
}

static void body(void *context, int index, const struct laser_model_group *group)
{
    struct job *job = context;
    struct shard shard = {job, index};
    const struct laser_model_gradient_sink sink = {&shard, take};
    struct laser_model *model = NULL;
    struct laser_model_workspace *ws = NULL;
    struct laser_model_gradient *gradient = NULL;
    double *nll = calloc((size_t)job->n, sizeof *nll);
    struct laser_error *err = &job->err[index];
    int result = laser_model_describe(job->golden->checkpoint, group, job->precision, &model, err);

    if (result == LASER_OK)
        result = laser_model_load(model, err);
    if (result == LASER_OK && job->change)
        result = job->change(job, model, err);
    if (result == LASER_OK)
        result = laser_model_workspace_create(model, job->n, &ws, err);
    if (result == LASER_OK)
        result = laser_model_gradient_create(model, job->n, &gradient, err);
    result = agree(group, result);
    if (result == LASER_OK)
        result = laser_model_gradient_run(model, ws, gradient, job->tokens, &job->batch, job->targets,
                                          job->weights, nll, &sink, err);
    job->result[index] = result;
    if (index == 0)
        memcpy(job->nll, nll, (size_t)job->n * sizeof *nll);
    free(nll);
    laser_model_gradient_free(gradient);
    laser_model_workspace_free(ws);
    laser_model_free(model);
}

/* weight() of make_gradients.py. */
static void fill_loss(const struct golden *g, int32_t *targets, float *weights)
{
    for (int64_t i = 0; i < g->sequences * g->length; i++) {
        targets[i] = i % 11 == 4 ? -1 : g->targets[i];
        weights[i] = (float)(i * 7 % 5 - 1) * 0.5f;
    }
}

static void start(struct job *job, const struct golden *g)
{
    int64_t n = g->sequences * g->length;
    int32_t *targets = calloc((size_t)n, sizeof *targets);
    float *weights = calloc((size_t)n, sizeof *weights);

    memset(job, 0, sizeof *job);
    assert_true(targets && weights);
    fill_loss(g, targets, weights);
    job->golden = g;
    job->batch = (struct laser_model_batch){.sequences = g->sequences, .length = g->length};
    job->n = n;
    job->tokens = g->tokens;
    job->targets = targets;
    job->weights = weights;
    job->nll = calloc((size_t)n, sizeof *job->nll);
    assert_non_null(job->nll);
}

static void run(struct job *job, int shards)
{
    run_shards(shards, body, job);
    for (int i = 0; i < shards; i++)
        if (job->result[i] != LASER_OK)
            fail_msg("shard %d: %s: %s", i, job->err[i].where, job->err[i].text);
}

static void discard(struct job *job)
{
    for (int i = 0; i < job->count; i++) {
        free(job->matrices[i].delta);
        free(job->matrices[i].x);
    }
    free((void *)(uintptr_t)job->targets);
    free((void *)(uintptr_t)job->weights);
    free(job->nll);
}

/* signs() of make_gradients.py */
static void fill_signs(double *s, int64_t n)
{
    uint32_t state = 1;

    for (int64_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        s[i] = state >> 31 ? 1 : -1;
    }
}

/* Norm of found - expected relative to that of expected. */
struct difference {
    double error, size;
};

static void compare(struct difference *d, double found, double expected)
{
    d->error += (found - expected) * (found - expected);
    d->size += expected * expected;
}

static double relative(const struct difference *d)
{
    return d->error == 0 ? 0 : sqrt(d->error / d->size);
}

/* sums[n] = x[n, width] signs. */
static void project(const double *x, int64_t n, int64_t width, const double *signs, double *sums)
{
    for (int64_t i = 0; i < n; i++) {
        sums[i] = 0;
        for (int64_t j = 0; j < width; j++)
            sums[i] += x[i * width + j] * signs[j];
    }
}

static double error_of(const double *found, int64_t n, const json_t *matrix, const char *what)
{
    const json_t *expected = json_object_get(matrix, what);
    struct difference d = {0};

    assert_int_equal(json_array_size(expected), n);
    for (int64_t i = 0; i < n; i++)
        compare(&d, found[i], json_number_value(json_array_get(expected, (size_t)i)));
    return relative(&d);
}

/* The largest relative error of one matrix: of its norm, and of its projections. */
static double worst_error(const struct matrix *m, int64_t n, const json_t *golden)
{
    double signs[1024], sums[1024], norm = 0, expected = json_number_value(json_object_get(golden, "norm")),
                                    worst;

    assert_true(n < 1024 && m->rows < 1024 && m->columns < 1024);
    fill_signs(signs, 1024);
    for (int64_t i = 0; i < n * m->rows; i++)
        norm += m->delta[i] * m->delta[i];
    worst = fabs(sqrt(norm) - expected) / expected;
    project(m->delta, n, m->rows, signs, sums);
    worst = fmax(worst, error_of(sums, n, golden, "rows"));
    memset(sums, 0, sizeof sums);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < m->rows; j++)
            sums[j] += signs[i] * m->delta[i * m->rows + j];
    worst = fmax(worst, error_of(sums, m->rows, golden, "columns"));
    project(m->x, n, m->columns, signs, sums);
    return fmax(worst, error_of(sums, n, golden, "input"));
}

static json_t *golden_gradients(const char *name)
{
    char path[1024];
    json_t *root;

    snprintf(path, sizeof path, "%s/tests/golden/gradient/%s.json", SRCDIR, name);
    root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    return root;
}

static void gradients_are_those_of_torch(void **state)
{
    struct golden g;
    struct job job;
    json_t *root = golden_gradients(*state), *matrices = json_object_get(root, "matrices");
    size_t reached = 0;
    double loss = 0;

    golden_open(&g, *state);
    start(&job, &g);
    run(&job, 1);
    for (int i = 0; i < job.count; i++) {
        const json_t *golden = json_object_get(matrices, job.matrices[i].name);
        double error;

        reached += job.matrices[i].reached > 0;
        if (job.matrices[i].reached == 0)
            continue;
        if (!golden)
            fail_msg("%s: torch has no %s", (const char *)*state, job.matrices[i].name);
        error = worst_error(&job.matrices[i], job.n, golden);
        if (!(error < 1e-5))
            fail_msg("%s, %s: relative error %.2e", (const char *)*state, job.matrices[i].name, error);
    }
    assert_int_equal(reached, json_object_size(matrices));
    for (int64_t i = 0; i < job.n; i++)
        loss += (double)job.weights[i] * job.nll[i];
    assert_true(fabs(loss / json_number_value(json_object_get(root, "loss")) - 1) < 1e-5);
    discard(&job);
    golden_close(&g);
    json_decref(root);
}

/* The largest relative difference of a matrix, of delta or x. */
struct spread {
    double worst;
    const char *where;
};

static struct spread differences(const struct job *job, const struct job *whole)
{
    struct spread s = {0, ""};

    assert_int_equal(job->count, whole->count);
    for (int i = 0; i < job->count; i++) {
        const struct matrix *a = &job->matrices[i], *b = &whole->matrices[i];
        struct difference delta = {0}, x = {0};
        double error;

        assert_string_equal(a->name, b->name);
        assert_int_equal(a->reached, b->reached);
        for (int64_t j = 0; j < job->n * a->rows; j++)
            compare(&delta, a->delta[j], b->delta[j]);
        for (int64_t j = 0; j < job->n * a->columns; j++)
            compare(&x, a->x[j], b->x[j]);
        error = fmax(relative(&delta), relative(&x));
        if (error > s.worst) {
            s.worst = error;
            s.where = a->name;
        }
    }
    return s;
}

/* Within what float32 itself allows: these models have large random weights, and with torch's float32 their
 * gradients are up to 2.2e-6 off (make_gradients.py prints it); half of the matrices differ by less than
 * 5e-7.
 */
static void shards_give_the_gradients_of_one_process(void **state)
{
    static const int counts[] = {2, 3, 4, 7};
    struct golden g;
    struct job whole;

    golden_open(&g, *state);
    start(&whole, &g);
    run(&whole, 1);
    for (size_t k = 0; k < sizeof counts / sizeof counts[0]; k++) {
        struct job job;
        struct spread s;

        start(&job, &g);
        run(&job, counts[k]);
        s = differences(&job, &whole);
        if (!(s.worst < 3e-6))
            fail_msg("%s in %d shards, %s: relative difference %.2e", (const char *)*state, counts[k],
                     s.where, s.worst);
        for (int i = 1; i < counts[k]; i++)
            assert_int_equal(job.calls[i], job.calls[0]);
        discard(&job);
    }
    discard(&whole);
    golden_close(&g);
}

int main(void)
{
    struct CMUnitTest tests[2 * CASES];
    static char names[2 * CASES][96];
    int n = 0;

    for (int i = 0; i < CASES; i++) {
        snprintf(names[n], sizeof names[n], "gradients_are_those_of_torch: %s", cases[i]);
        tests[n] = (struct CMUnitTest){names[n], gradients_are_those_of_torch, NULL, NULL, (void *)cases[i]};
        n++;
        snprintf(names[n], sizeof names[n], "shards_give_the_gradients_of_one_process: %s", cases[i]);
        tests[n] = (struct CMUnitTest){names[n], shards_give_the_gradients_of_one_process, NULL, NULL,
                                       (void *)cases[i]};
        n++;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
