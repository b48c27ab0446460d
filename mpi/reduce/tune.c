/* The strategy tune: rounds of one gradient pass and one line search.  Singular vectors stay as they are; all
 * singular values move at once along the damped Newton direction of the loss (sensitivity/fisher.h), as far
 * as the windows that select allow and no guard text is harmed. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/agree.h"
#include "reduce/forecast.h"
#include "reduce/reduction.h"
#include "reduce/tune.h"
#include "reduce/tune_step.h"
#include "schedule/calibrate.h"
#include "search/line.h"
#include "sensitivity/fisher.h"
#include "sensitivity/gather.h"
#include "sensitivity/vectors.h"
#include "store/values.h"

/* Lengths of the first step that is tried, for each form of the Fisher information: the best ones of a real
 * model with damping 1 (doc/tune.md). */
#define BLOCK_LENGTH    0.05
#define DIAGONAL_LENGTH 0.02

/* Edits that make the values of some steps; those of step i are i * per_step ... of them. */
struct steps {
    struct laser_edit_list edits;
    int n, per_step;
    uint64_t hashes[LASER_LINE_MAX]; /* rank 0 */
};

struct tuning {
    struct laser_reduction *r;
    struct laser_run *run;
    struct laser_scan_spectrum spectrum;
    struct laser_mpi_direction direction;
    bool block;

    struct steps now; /* those of the step taken last, whose number is `taken`; none before */
    int taken;        /* every rank; -1: the model as it was */
    int32_t *list;    /* every rank: numbers of edits of one step */

    /* Rank 0. */
    struct laser_item_score *current, *trial, *best_scores; /* of every item */
    double *best_values;
    double *values; /* of the steps of a line search, one after another */
    double *room;   /* laser_tune_scores */
    json_t *rounds;
};

/* The best step of a line search. */
struct found {
    struct steps steps; /* n == 0: none */
    int step;
    struct laser_item_score *scores; /* rank 0 */
    double *values;                  /* rank 0 */
};

/* ---- steps as edits ---- */

/* Collective.  The edits of steps that the line search asks for, switched on as the evaluation's list. */
static int make_steps(struct tuning *t, const struct laser_line *line, struct steps *s,
                      struct laser_error *err)
{
    struct laser_strategy_plan plan = {0};
    int numbers[2];
    /* Edits are made from the model as it was: none may be in place. */
    int code =
        laser_mpi_agree(laser_mpi_world(t->run), laser_evaluation_edits(t->r->setup.e, NULL, 0, err), err);

    *s = (struct steps){0};
    if (code == LASER_OK && t->run->rank == 0) {
        plan.edits =
            calloc((size_t)(t->spectrum.n_matrices * (line->n - line->n_measured)) + 1, sizeof *plan.edits);
        if (plan.edits == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for the edits of a step");
        for (int i = line->n_measured; code == LASER_OK && i < line->n; ++i, ++s->n) {
            code = laser_tune_step_add(t->run, &t->spectrum, t->direction.step, line->steps[i].length,
                                       t->values + s->n * t->spectrum.n_values, plan.edits + plan.n_edits,
                                       &s->per_step, &s->hashes[s->n], err);
            plan.n_edits += s->per_step;
        }
    }
    code = laser_mpi_agree(laser_mpi_world(t->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_edits_make(t->run, &plan, &s->edits, err);
    free(plan.edits);
    numbers[0] = s->n;
    numbers[1] = s->per_step;
    MPI_Bcast(numbers, 2, MPI_INT, 0, laser_mpi_world(t->run));
    s->n = numbers[0];
    s->per_step = numbers[1];
    return code;
}

/* Every rank: the numbers of the edits of one step. */
static const int32_t *edits_of(struct tuning *t, const struct steps *s, int step)
{
    for (int i = 0; i < s->per_step; ++i)
        t->list[i] = step * s->per_step + i;
    return t->list;
}

static int use(struct tuning *t, const struct steps *s, struct laser_error *err)
{
    int code = laser_evaluation_edits(t->r->setup.e, s->edits.files, s->edits.n, err);

    return laser_mpi_agree(laser_mpi_world(t->run), code, err);
}

/* Lets go of steps; rank 0 deletes the files of all but one (-1: of all). */
static void drop(struct tuning *t, struct steps *s, int keep)
{
    for (int i = 0; t->run->rank == 0 && i < s->n; ++i) {
        if (i == keep || (keep >= 0 && s->hashes[i] == s->hashes[keep]))
            continue;
        laser_values_remove(t->run->output, s->hashes[i]);
        for (int k = 0; k < s->per_step; ++k)
            unlink(s->edits.files[i * s->per_step + k].path);
    }
    if (keep < 0) {
        laser_edit_list_free(&s->edits);
        *s = (struct steps){0};
    }
}

/* ---- measuring ---- */

/* Collective.  The selection and the guard texts with the edits of a step (or none) in place. */
static int evaluate(struct tuning *t, const struct steps *s, int step, struct laser_item_score *scores,
                    struct laser_error *err)
{
    struct laser_evaluation *e = t->r->setup.e;
    const int32_t *edits = step >= 0 ? edits_of(t, s, step) : NULL;
    int n = step >= 0 ? s->per_step : 0;
    int code;

    e->beside = t->run->settings->reduce.max_kl > 0 ? &t->r->setup.bound : NULL;
    code = laser_mpi_evaluate_part(e, "line search", LASER_PART_SELECTION, edits, n, scores, err);
    e->beside = NULL;
    if (code == LASER_OK && e->part_item[LASER_PART_GUARD + 1] > e->part_item[LASER_PART_GUARD])
        code = laser_mpi_evaluate_part(e, "line search", LASER_PART_GUARD, edits, n, scores, err);
    return code;
}

/* Nats a token, to second order. */
static double predicted(const struct laser_mpi_direction *d, double length)
{
    return (length * d->slope + length * length * d->curvature / 2) / d->tokens;
}

/* Collective.  Steps that were asked for are made and measured; the best of all so far stays in *best. */
static int measure(struct tuning *t, struct laser_line *line, struct found *best, json_t *list,
                   struct laser_error *err)
{
    struct steps s;
    int first = line->n_measured, taken = -1, code = make_steps(t, line, &s, err);

    if (code == LASER_OK)
        code = use(t, &s, err);
    for (int i = 0; code == LASER_OK && i < s.n; ++i) {
        code = evaluate(t, &s, i, t->trial, err);
        if (code != LASER_OK || t->run->rank != 0)
            continue;
        laser_tune_judge(&(struct laser_tune_scores){t->r->setup.e, t->current, t->trial, t->room},
                         predicted(&t->direction, line->steps[first + i].length), &line->steps[first + i],
                         list);
        line->n_measured = first + i + 1;
        if (laser_line_best(line) != first + i)
            continue;
        taken = i;
        memcpy(best->scores, t->trial, (size_t)t->r->setup.e->n_items * sizeof *t->trial);
        memcpy(best->values, t->values + i * t->spectrum.n_values,
               (size_t)t->spectrum.n_values * sizeof *t->values);
    }
    if (code != LASER_OK)
        return code;
    MPI_Bcast(&taken, 1, MPI_INT, 0, laser_mpi_world(t->run));
    if (taken < 0) { /* back to what was in use */
        code = use(t, best->steps.n > 0 ? &best->steps : &t->now, err);
        drop(t, &s, -1);
        return code;
    }
    code = use(t, &s, err); /* what was measured last is taken out before its files go */
    drop(t, &s, taken);
    if (best->steps.n > 0)
        drop(t, &best->steps, -1);
    best->steps = s;
    best->step = taken;
    return code;
}

/* Collective.  One line search along t->direction from where the values are. */
static int search(struct tuning *t, double *length, struct found *best, json_t *list, struct laser_error *err)
{
    struct laser_line line;
    int more = 1, code = LASER_OK;

    laser_line_begin(&line, *length, laser_search_z(laser_keep_rule_tried(&t->r->trials)));
    while (more && code == LASER_OK) {
        code = measure(t, &line, best, list, err);
        more = laser_line_go_on(&line);
        MPI_Bcast(&more, 1, MPI_INT, 0, laser_mpi_world(t->run));
        MPI_Bcast(&line, (int)sizeof line, MPI_BYTE, 0, laser_mpi_world(t->run));
    }
    if (code == LASER_OK && best->steps.n > 0)
        *length = line.steps[laser_line_best(&line)].length;
    return code;
}

/* ---- rounds ---- */

/* Collective.  *moved: a step was taken. */
static int run_round(struct tuning *t, int round, double *length, bool *moved, struct laser_error *err)
{
    struct laser_mpi_step_options options = {.block = t->block, .damping = t->run->settings->reduce.damping};
    struct found best = {.scores = t->best_scores, .values = t->best_values};
    json_t *list = json_array();
    int code = t->run->rank == 0
                   ? laser_tune_key(&t->r->search, &t->spectrum, t->block, round, &options.key, err)
                   : LASER_OK;

    code = laser_mpi_agree(laser_mpi_world(t->run), code, err);
    laser_tune_batches(t->r->setup.e, round, &options.first_batch, &options.end_batch);
    if (code == LASER_OK)
        code = laser_mpi_direction_find(t->r->setup.e, &t->spectrum, &options,
                                        t->now.n > 0 ? edits_of(t, &t->now, t->taken) : NULL,
                                        t->now.n > 0 ? t->now.per_step : 0, &t->direction, err);
    if (code == LASER_OK && t->run->rank == 0)
        laser_log_line(t->run->log, "ROUND", "%d: gradients on %.0f tokens, loss %.5f nats", round + 1,
                       t->direction.tokens, t->direction.loss / t->direction.tokens);
    if (code == LASER_OK)
        code = search(t, length, &best, list, err);
    *moved = code == LASER_OK && best.steps.n > 0;
    if (t->run->rank == 0)
        json_array_append_new(t->rounds,
                              json_pack("{s:f, s:f, s:O, s:o}", "calibration_tokens", t->direction.tokens,
                                        "calibration_loss", t->direction.loss / t->direction.tokens, "steps",
                                        list, "taken", *moved ? json_real(*length) : json_null()));
    json_decref(list);
    if (!*moved)
        return code;
    if (t->now.n > 0)
        drop(t, &t->now, -1);
    t->now = best.steps;
    t->taken = best.step;
    if (t->run->rank == 0) {
        memcpy(t->spectrum.values, best.values, (size_t)t->spectrum.n_values * sizeof *best.values);
        memcpy(t->current, best.scores, (size_t)t->r->setup.e->n_items * sizeof *best.scores);
    }
    MPI_Bcast(t->spectrum.values, (int)t->spectrum.n_values, MPI_DOUBLE, 0, laser_mpi_world(t->run));
    return LASER_OK;
}

/* Collective.  The step taken last as the plan. */
static int conclude(struct tuning *t, struct laser_error *err)
{
    struct laser_reduction_trials *trials = &t->r->trials;
    int n = t->now.n > 0 ? t->now.per_step : 0, code = LASER_OK;

    if (t->run->rank == 0) {
        code = laser_tune_plan(n > 0 ? t->now.edits.edits + t->taken * n : NULL, n, &trials->plan, err);
        if (code == LASER_OK)
            code = laser_edit_ranks(t->run, &trials->plan, &trials->ranks, err);
    }
    code = laser_mpi_agree(laser_mpi_world(t->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_reduction_edits(t->r, err);
    if (code == LASER_OK && t->run->rank == 0) {
        t->r->report.tune = json_pack("{s:b, s:f, s:O}", "block", (int)t->block, "damping",
                                      t->run->settings->reduce.damping, "rounds", t->rounds);
        if (t->r->report.tune == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    }
    return laser_mpi_agree(laser_mpi_world(t->run), code, err);
}

/* ---- all of it ---- */

static int allocate(struct tuning *t, struct laser_error *err)
{
    size_t items = (size_t)t->r->setup.e->n_items + 1, values = (size_t)t->spectrum.n_values + 1;
    bool bad;

    t->list = malloc(((size_t)t->spectrum.n_matrices + 1) * sizeof *t->list);
    t->direction.step = calloc(values, sizeof *t->direction.step);
    bad = t->list == NULL || t->direction.step == NULL;
    if (t->run->rank == 0) {
        t->current = calloc(items, sizeof *t->current);
        t->trial = calloc(items, sizeof *t->trial);
        t->best_scores = calloc(items, sizeof *t->best_scores);
        t->best_values = calloc(values, sizeof *t->best_values);
        t->values = calloc(values * LASER_LINE_MAX, sizeof *t->values);
        t->room = calloc(3 * items, sizeof *t->room);
        t->rounds = json_array();
        bad = bad || t->current == NULL || t->trial == NULL || t->best_scores == NULL ||
              t->best_values == NULL || t->values == NULL || t->room == NULL || t->rounds == NULL;
    }
    return bad ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " singular values",
                                 t->spectrum.n_values)
               : LASER_OK;
}

static void free_all(struct tuning *t)
{
    laser_edit_list_free(&t->now.edits);
    laser_scan_spectrum_free(&t->spectrum);
    free(t->list);
    free(t->direction.step);
    free(t->current);
    free(t->trial);
    free(t->best_scores);
    free(t->best_values);
    free(t->values);
    free(t->room);
    json_decref(t->rounds);
}

static int prepare(struct tuning *t, struct laser_error *err)
{
    const char *why;
    int code = laser_mpi_spectrum_read(t->run, &t->spectrum, err);

    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(t->run), allocate(t, err), err);
    if (code != LASER_OK)
        return code;
    t->block = laser_tune_block(t->run, &why);
    if (t->run->rank == 0)
        laser_log_line(t->run->log, "TUNE",
                       "%" PRId64 " singular values of %" PRId64 " matrices; Fisher information %s (%s)",
                       t->spectrum.n_values, t->spectrum.n_matrices,
                       t->block ? "of each matrix whole" : "on the diagonal", why);
    code = laser_mpi_vectors_make(t->run, err);
    if (code == LASER_OK)
        code = evaluate(t, NULL, -1, t->current, err);
    if (code == LASER_OK) { /* the base was measured just now */
        struct laser_forecast forecast;
        struct laser_calibration speed;

        laser_mpi_calibrate(t->run, &speed);
        laser_forecast_tune(t->r->setup.e, &speed, laser_forecast_measured(t->r->setup.e), &forecast);
        laser_forecast_say(t->run->log, &forecast);
    }
    return code;
}

int laser_mpi_reduction_tune(struct laser_reduction *r, struct laser_error *err)
{
    struct tuning t = {.r = r, .run = r->setup.run, .taken = -1};
    int64_t rounds = r->setup.run->settings->reduce.rounds;
    int code = prepare(&t, err);
    double length = r->setup.run->settings->reduce.step;
    bool moved = true;

    if (!(length > 0))
        length = t.block ? BLOCK_LENGTH : DIAGONAL_LENGTH;
    for (int round = 0; code == LASER_OK && moved && round < rounds; ++round)
        code = run_round(&t, round, &length, &moved, err);
    if (code == LASER_OK)
        code = conclude(&t, err);
    free_all(&t);
    return code;
}

/* ---- the guard texts in the end ---- */

static int evaluate_guards(struct tuning *t, const int32_t *edits, int n, struct laser_item_score *scores,
                           struct laser_error *err)
{
    int code = laser_mpi_evaluate_part(t->r->setup.e, "guards", LASER_PART_GUARD, edits, n, scores, err);

    return code == LASER_OK ? laser_mpi_evaluate_part(t->r->setup.e, "guards", LASER_PART_GUARD_REPORT, edits,
                                                      n, scores, err)
                            : code;
}

int laser_mpi_tune_guards(struct laser_reduction *r, struct laser_error *err)
{
    struct tuning t = {.r = r, .run = r->setup.run};
    const int32_t *kept = NULL;
    int n = 0, code;

    if (r->setup.e->n_guards == 0)
        return LASER_OK;
    code = laser_mpi_agree(laser_mpi_world(r->setup.run), allocate(&t, err), err);
    if (r->setup.run->rank == 0)
        kept = laser_search_kept(r->search.state, &n);
    if (code == LASER_OK)
        code = evaluate_guards(&t, NULL, 0, t.current, err);
    if (code == LASER_OK)
        code = evaluate_guards(&t, kept, n, t.trial, err);
    if (code == LASER_OK && r->setup.run->rank == 0)
        code = laser_tune_guards(&(struct laser_tune_scores){r->setup.e, t.current, t.trial, t.room},
                                 r->report.tune, err);
    free_all(&t);
    return laser_mpi_agree(laser_mpi_world(r->setup.run), code, err);
}
