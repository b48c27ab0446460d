#include "model_testing.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

static json_t *member(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);

    assert_non_null(value);
    return value;
}

static json_t *at(json_t *rows, int64_t row, int64_t column)
{
    return json_array_get(json_array_get(rows, (size_t)row), (size_t)column);
}

void golden_open(struct golden *g, const char *name)
{
    char path[1024];
    struct laser_error err = {0};
    json_t *root, *targets;
    int64_t b, t;

    memset(g, 0, sizeof *g);
    snprintf(path, sizeof path, "%s/tests/golden/model/%s", SRCDIR, name);
    if (laser_checkpoint_open(path, &g->checkpoint, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    snprintf(path, sizeof path, "%s/tests/golden/model/%s/golden.json", SRCDIR, name);
    root = json_load_file(path, 0, NULL);
    assert_non_null(root);
    b = g->sequences = (int64_t)json_array_size(member(root, "tokens"));
    t = g->length = (int64_t)json_array_size(json_array_get(member(root, "tokens"), 0));
    g->vocabulary = (int64_t)json_array_size(member(root, "logits"));
    g->tokens = calloc((size_t)(b * t), sizeof *g->tokens);
    g->targets = calloc((size_t)(b * t), sizeof *g->targets);
    g->nll = calloc((size_t)(b * (t - 1)), sizeof *g->nll);
    g->rank = calloc((size_t)(b * (t - 1)), sizeof *g->rank);
    g->logits = calloc((size_t)g->vocabulary, sizeof *g->logits);
    assert_true(g->tokens && g->targets && g->nll && g->rank && g->logits);
    targets = json_object_get(root, "targets"); /* of a masked model */
    for (int64_t i = 0; i < b; i++)
        for (int64_t j = 0; j < t; j++) {
            json_t *next = targets ? at(targets, i, j) : at(member(root, "tokens"), i, j + 1);

            g->tokens[i * t + j] = (int32_t)json_integer_value(at(member(root, "tokens"), i, j));
            g->targets[i * t + j] = j + 1 < t ? (int32_t)json_integer_value(next) : -1;
            if (j + 1 < t) {
                g->nll[i * (t - 1) + j] = json_number_value(at(member(root, "nll"), i, j));
                g->rank[i * (t - 1) + j] = json_integer_value(at(member(root, "rank"), i, j));
            }
        }
    for (int64_t v = 0; v < g->vocabulary; v++)
        g->logits[v] = json_number_value(json_array_get(member(root, "logits"), (size_t)v));
    json_decref(root);
}

void golden_close(struct golden *g)
{
    laser_checkpoint_close(g->checkpoint);
    free(g->tokens);
    free(g->targets);
    free(g->nll);
    free(g->rank);
    free(g->logits);
}

/* Shards as threads: a reduction is two barriers around reading everybody's values.  They take turns between
 * the reductions, because a process of the program computes in one thread and the kernels may rely on that.
 */
enum { MOST_SHARDS = 16 };

struct ring {
    int count;
    pthread_barrier_t barrier;
    pthread_mutex_t turn;
    float *values[MOST_SHARDS];
    shard_body body;
    void *context;
};

struct member {
    struct ring *ring;
    int index;
    pthread_t thread;
    struct laser_model_group group;
};

static int reduce(struct member *m, float *x, int64_t n, int is_max)
{
    struct ring *ring = m->ring;
    float *result = malloc((size_t)n * sizeof *result);

    ring->values[m->index] = x;
    pthread_mutex_unlock(&ring->turn);
    pthread_barrier_wait(&ring->barrier);
    for (int64_t i = 0; result && i < n; i++) {
        float value = ring->values[0][i];
        for (int r = 1; r < ring->count; r++)
            value = is_max ? fmaxf(value, ring->values[r][i]) : value + ring->values[r][i];
        result[i] = value;
    }
    pthread_barrier_wait(&ring->barrier);
    pthread_mutex_lock(&ring->turn);
    if (result)
        memcpy(x, result, (size_t)n * sizeof *result);
    free(result);
    return result ? 0 : LASER_ENOMEM;
}

static int ring_sum(void *context, float *x, int64_t n)
{
    return reduce(context, x, n, 0);
}

static int ring_max(void *context, float *x, int64_t n)
{
    return reduce(context, x, n, 1);
}

static void *run_member(void *argument)
{
    struct member *m = argument;

    pthread_mutex_lock(&m->ring->turn);
    m->ring->body(m->ring->context, m->index, &m->group);
    pthread_mutex_unlock(&m->ring->turn);
    return NULL;
}

void run_shards(int count, shard_body body, void *context)
{
    struct ring ring = {.count = count, .body = body, .context = context};
    struct member members[MOST_SHARDS];

    assert_in_range(count, 1, MOST_SHARDS);
    assert_int_equal(pthread_barrier_init(&ring.barrier, NULL, (unsigned)count), 0);
    assert_int_equal(pthread_mutex_init(&ring.turn, NULL), 0);
    for (int i = 0; i < count; i++) {
        members[i] = (struct member){.ring = &ring, .index = i};
        members[i].group = (struct laser_model_group){
            .index = i, .count = count, .context = &members[i], .sum = ring_sum, .max = ring_max};
        assert_int_equal(pthread_create(&members[i].thread, NULL, run_member, &members[i]), 0);
    }
    for (int i = 0; i < count; i++)
        pthread_join(members[i].thread, NULL);
    pthread_barrier_destroy(&ring.barrier);
    pthread_mutex_destroy(&ring.turn);
}

struct nll_job {
    const struct golden *golden;
    enum laser_precision precision;
    double *nll;
    model_change *change;
    void *context;
    int result[MOST_SHARDS];
    struct laser_error err[MOST_SHARDS];
};

/* The worst result of all shards, so that none waits for one that failed. */
static int agree(const struct laser_model_group *group, int result)
{
    float worst = (float)result;

    group->max(group->context, &worst, 1);
    return (int)worst;
}

static void nll_body(void *context, int index, const struct laser_model_group *group)
{
    struct nll_job *job = context;
    const struct golden *g = job->golden;
    const struct laser_model_batch batch = {.sequences = g->sequences, .length = g->length};
    int64_t n = g->sequences * g->length;
    struct laser_model *model = NULL;
    struct laser_model_workspace *ws = NULL;
    float *hidden = NULL;
    double *nll = calloc((size_t)n, sizeof *nll);
    struct laser_error *err = &job->err[index];
    int result = laser_model_describe(g->checkpoint, group, job->precision, &model, err);

    if (result == LASER_OK)
        result = laser_model_load(model, err);
    if (result == LASER_OK && job->change)
        result = job->change(job->context, model, err);
    if (result == LASER_OK)
        result = laser_model_workspace_create(model, n, &ws, err);
    result = agree(group, result);
    if (result == LASER_OK) {
        hidden = malloc((size_t)(n * laser_model_arch(model)->hidden) * sizeof *hidden);
        result = laser_model_embed(model, ws, g->tokens, &batch, hidden, err);
    }
    if (result == LASER_OK)
        result = laser_model_layers(model, ws, 0, laser_model_arch(model)->layers, &batch, hidden, err);
    if (result == LASER_OK)
        result = laser_model_nll(model, ws, n, hidden, g->targets, nll, err);
    job->result[index] = result;
    if (index == 0)
        memcpy(job->nll, nll, (size_t)n * sizeof *nll);
    free(nll);
    free(hidden);
    laser_model_workspace_free(ws);
    laser_model_free(model);
}

int nll_by_shards(const struct golden *golden, enum laser_precision precision, int count, double *nll,
                  struct laser_error *err)
{
    return nll_of_changed(golden, precision, count, NULL, NULL, nll, err);
}

int nll_of_changed(const struct golden *golden, enum laser_precision precision, int count,
                   model_change *change, void *context, double *nll, struct laser_error *err)
{
    struct nll_job job = {
        .golden = golden, .precision = precision, .nll = nll, .change = change, .context = context};

    run_shards(count, nll_body, &job);
    for (int i = 0; i < count; i++)
        if (job.result[i] != LASER_OK) {
            *err = job.err[i];
            return job.result[i];
        }
    return LASER_OK;
}

int score_batch(const struct laser_checkpoint *checkpoint, const struct laser_model_group *group,
                const struct laser_model_batch *batch, int64_t n_tokens, const int32_t *tokens, int64_t n,
                const int64_t *rows, const int32_t *targets, struct laser_model_score *scores,
                struct laser_error *err)
{
    struct laser_model_workspace *ws = NULL;
    struct laser_model *model = NULL;
    float *hidden = NULL;
    int result = laser_model_describe(checkpoint, group, LASER_FLOAT32, &model, err);

    if (result == LASER_OK) {
        hidden = calloc((size_t)(n_tokens * laser_model_arch(model)->hidden), sizeof *hidden);
        result = laser_model_load(model, err);
    }
    if (result == LASER_OK)
        result = laser_model_workspace_create(model, n_tokens, &ws, err);
    if (result == LASER_OK)
        result = laser_model_embed(model, ws, tokens, batch, hidden, err);
    if (result == LASER_OK)
        result = laser_model_layers(model, ws, 0, laser_model_arch(model)->layers, batch, hidden, err);
    for (int64_t first = 0, some; result == LASER_OK && first < n; first += some) {
        some = n - first < n_tokens ? n - first : n_tokens;
        result =
            laser_model_scores(model, ws, some, hidden, rows + first, targets + first, scores + first, err);
    }
    free(hidden);
    laser_model_workspace_free(ws);
    laser_model_free(model);
    return result;
}

double largest_difference(const double *a, const double *b, int64_t n)
{
    double most = 0;

    for (int64_t i = 0; i < n; ++i)
        most = fmax(most, fabs(a[i] - b[i]));
    return most;
}
