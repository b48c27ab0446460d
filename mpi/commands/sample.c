#include "commands/sample.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "reduce/edits_make.h"
#include "reduce/reduce.h"

struct sample {
    struct laser_evaluation *e;
    struct laser_run *run;
    struct laser_strategy_plan plan; /* rank 0: the edits that were chosen */
    double *predicted;               /* rank 0, of each of them */
    struct laser_edit_list list;
    int64_t n_batches;
    /* Rank 0. */
    struct laser_item_score *before, *after;
    double *a, *b, *weights;
};

static int by_change(const void *a, const void *b)
{
    const struct laser_predicted *x = *(const struct laser_predicted *const *)a,
                                 *y = *(const struct laser_predicted *const *)b;

    if (x->change != y->change)
        return x->change < y->change ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* Rank 0.  Edits that change something, in even steps from the lowest prediction to the highest. */
static int choose(struct sample *s, const struct laser_predicted *edits, int64_t n, struct laser_error *err)
{
    int64_t wanted = s->run->settings->sensitivity.sample, usable = 0;
    const struct laser_predicted **order = malloc((size_t)n * sizeof *order + 1);
    int code = LASER_OK;

    s->plan.edits = calloc((size_t)wanted + 1, sizeof *s->plan.edits);
    s->predicted = calloc((size_t)wanted + 1, sizeof *s->predicted);
    if (order == NULL || s->plan.edits == NULL || s->predicted == NULL) {
        free(order);
        return laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " edits", n);
    }
    for (int64_t i = 0; i < n; ++i)
        if (fabs(edits[i].change) > 0 && isfinite(edits[i].change) &&
            laser_reduction_usable(s->run, edits[i].matrix))
            order[usable++] = &edits[i];
    qsort(order, (size_t)usable, sizeof *order, by_change);
    if (wanted > usable)
        wanted = usable;
    for (int64_t k = 0; code == LASER_OK && k < wanted; ++k) {
        const struct laser_predicted *p = order[wanted > 1 ? k * (usable - 1) / (wanted - 1) : 0];

        s->predicted[k] = p->change;
        code = laser_strategy_edit_set(&s->plan.edits[s->plan.n_edits++], (int)p->matrix, p->text, err);
    }
    free(order);
    return code;
}

static int allocate(struct sample *s, struct laser_error *err)
{
    size_t items = (size_t)s->e->n_items + 1;

    s->before = calloc(items, sizeof *s->before);
    s->after = calloc(items, sizeof *s->after);
    s->a = calloc(items, sizeof *s->a);
    s->b = calloc(items, sizeof *s->b);
    s->weights = calloc(items, sizeof *s->weights);
    return s->before != NULL && s->after != NULL && s->a != NULL && s->b != NULL && s->weights != NULL
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " items",
                                 s->e->n_items);
}

/* Rank 0. */
static int add(struct sample *s, int32_t edit, json_t *list, struct laser_error *err)
{
    const struct laser_strategy_edit *what = &s->list.edits[edit];
    double mean = NAN, error = NAN;
    int n = 0;
    json_t *o;

    for (int64_t k = 0; k < s->n_batches; ++k)
        for (int64_t i = s->e->batches[k].first; i < s->e->batches[k].first + s->e->batches[k].n; ++i) {
            s->weights[n] = laser_item_weight(s->e, i);
            s->a[n] = laser_item_value(s->e, i, &s->after[i]);
            s->b[n++] = laser_item_value(s->e, i, &s->before[i]);
        }
    if (n > 0)
        laser_search_paired(s->a, s->b, s->weights, n, &mean, &error);
    o = json_pack("{s:s, s:s, s:f, s:o, s:o, s:i}", "tensor", s->run->matrices.matrices[what->matrix].name,
                  "edit", what->text, "predicted", s->predicted[edit], "difference",
                  isfinite(mean) ? json_real(0 + mean) : json_null(), "stderr",
                  isfinite(error) ? json_real(error) : json_null(), "items", n);
    return json_array_append_new(list, o) == 0
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
}

static int measure(struct sample *s, json_t *list, struct laser_error *err)
{
    int code = laser_mpi_agree(laser_mpi_world(s->run),
                               laser_evaluation_edits(s->e, s->list.files, s->list.n, err), err);

    if (code == LASER_OK)
        code = laser_mpi_evaluate_batches(s->e, "sample", 0, s->n_batches, NULL, 0, s->before, err);
    for (int32_t i = 0; code == LASER_OK && i < s->list.n; ++i) {
        code = laser_mpi_evaluate_batches(s->e, "sample", 0, s->n_batches, &i, 1, s->after, err);
        if (code == LASER_OK && s->run->rank == 0)
            code = add(s, i, list, err);
        code = laser_mpi_agree(laser_mpi_world(s->run), code, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(s->run), laser_evaluation_edits(s->e, NULL, 0, err), err);
    return code;
}

int laser_mpi_sample_measure(struct laser_evaluation *e, const struct laser_predicted *edits, int64_t n,
                             json_t **list, struct laser_error *err)
{
    struct sample s = {.e = e,
                       .run = e->run,
                       .n_batches =
                           laser_evaluation_first_batches(e, e->run->settings->sensitivity.sample_tokens)};
    int code = LASER_OK;

    *list = e->run->rank == 0 ? json_array() : NULL;
    if (laser_objective_has_share(&e->objective))
        return LASER_OK;
    if (e->run->rank == 0) {
        code = allocate(&s, err);
        if (code == LASER_OK)
            code = choose(&s, edits, n, err);
    }
    code = laser_mpi_agree(laser_mpi_world(e->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_edits_make(e->run, &s.plan, &s.list, err);
    if (code == LASER_OK && s.list.n > 0)
        code = measure(&s, *list, err);
    laser_edit_list_free(&s.list);
    laser_strategy_free(&s.plan);
    free(s.predicted);
    free(s.before);
    free(s.after);
    free(s.a);
    free(s.b);
    free(s.weights);
    return code;
}
