#include "gradient_testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "testing.h"

struct shard {
    struct gradient_job *job;
    int index;
};

static struct gradient_matrix *matrix_of(struct gradient_job *job, int shard,
                                         const struct laser_model_linear_site *site)
{
    const struct laser_tensor *t = &job->golden->checkpoint->tensors[site->tensor];
    struct gradient_matrix *m;
    char name[256];

    snprintf(name, sizeof name, "%s", t->name);
    if (t->n_dims == 3)
        snprintf(name, sizeof name, "%s[%d]", t->name, (int)(site->origin / (site->rows * site->columns)));
    else
        assert_int_equal(site->origin, 0);
    for (int i = 0; i < job->count; i++)
        if (strcmp(job->matrices[i].name, name) == 0)
            return &job->matrices[i];
    assert_in_range(job->count, 0, GRADIENT_MATRICES - 1);
    m = &job->matrices[job->count++];
    *m = (struct gradient_matrix){.rows = site->rows, .columns = site->columns, .owner = shard};
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
    struct gradient_job *job = shard->job;
    struct gradient_matrix *m = matrix_of(job, shard->index, site);
    bool first = shard->index == m->owner;

    if (++job->calls[shard->index] == job->fails_at)
        return laser_error_set(err, LASER_EIO, "sink", "refused");
    assert_true(site->layer >= 0 && m->rows == site->rows && m->columns == site->columns);
    assert_int_equal(site->first_row, site->piece[0].first);
    m->reached = n;
    assert_true(!delta == job->inputs_only);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = token_rows ? token_rows[i] : i, column = 0;

        assert_in_range(row, 0, job->n - 1);
        for (int64_t p = 0; delta && p < site->pieces; p++)
            for (int64_t j = 0; j < site->piece[p].count; j++)
                put(&m->delta[row * m->rows + site->piece[p].first + j],
                    (double)delta[i * delta_stride + column++], site->outputs_split, first);
        assert_int_equal(column, delta ? site->row_count : 0);
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
    struct gradient_job *job = context;
    struct shard shard = {job, index};
    const struct laser_model_gradient_sink sink = {
        .context = &shard, .inputs_only = job->inputs_only, .linear = take};
    struct laser_model *model = NULL;
    struct laser_model_workspace *ws = NULL;
    struct laser_model_gradient *gradient = NULL;
    double *nll = calloc((size_t)job->n, sizeof *nll);
    struct laser_error *err = &job->err[index];
    int result = laser_model_describe(job->golden->checkpoint, group, job->precision, &model, err);

    if (result == LASER_OK)
        result = laser_model_load(model, err);
    if (result == LASER_OK && job->teacher)
        result = job->teacher(job, model, err);
    else if (result == LASER_OK && job->change)
        result = job->change(job, model, err);
    if (result == LASER_OK)
        result = laser_model_workspace_create(model, job->n, &ws, err);
    if (result == LASER_OK)
        result = laser_model_gradient_create_within(model, job->n, job->limit_bytes, &gradient, err);
    result = agree(group, result);
    if (result == LASER_OK && job->teacher)
        result = laser_model_gradient_teach(model, ws, gradient, job->tokens, &job->batch, job->targets,
                                            job->weights, nll, err);
    if (result == LASER_OK && job->teacher && job->change)
        result = job->change(job, model, err);
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

void gradient_start(struct gradient_job *job, const struct golden *g)
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

void gradient_try(struct gradient_job *job, int shards)
{
    run_shards(shards, body, job);
}

void gradient_run(struct gradient_job *job, int shards)
{
    gradient_try(job, shards);
    for (int i = 0; i < shards; i++)
        if (job->result[i] != LASER_OK)
            fail_msg("shard %d: %s: %s", i, job->err[i].where, job->err[i].text);
}

void gradient_discard(struct gradient_job *job)
{
    for (int i = 0; i < job->count; i++) {
        free(job->matrices[i].delta);
        free(job->matrices[i].x);
    }
    free((void *)(uintptr_t)job->targets);
    free((void *)(uintptr_t)job->weights);
    free(job->nll);
}

void norm_difference_add(struct norm_difference *d, double found, double expected)
{
    d->error += (found - expected) * (found - expected);
    d->size += expected * expected;
}

double norm_difference_relative(const struct norm_difference *d)
{
    return d->error == 0 ? 0 : sqrt(d->error / d->size);
}

struct gradient_difference gradient_compare(const struct gradient_job *job, const struct gradient_job *whole)
{
    struct gradient_difference s = {0, ""};

    assert_int_equal(job->count, whole->count);
    for (int i = 0; i < job->count; i++) {
        const struct gradient_matrix *a = &job->matrices[i], *b = &whole->matrices[i];
        struct norm_difference delta = {0}, x = {0};
        double error;

        assert_string_equal(a->name, b->name);
        assert_int_equal(a->reached, b->reached);
        for (int64_t j = 0; j < job->n * a->rows; j++)
            norm_difference_add(&delta, a->delta[j], b->delta[j]);
        for (int64_t j = 0; j < job->n * a->columns; j++)
            norm_difference_add(&x, a->x[j], b->x[j]);
        error = fmax(norm_difference_relative(&delta), norm_difference_relative(&x));
        if (error > s.worst) {
            s.worst = error;
            s.where = a->name;
        }
    }
    return s;
}
