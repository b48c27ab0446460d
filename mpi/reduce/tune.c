/* The strategy tune: rounds of one gradient pass and one line search.  Singular vectors stay as they are; all
 * singular values move at once along the damped Newton direction of the loss (sensitivity/fisher.h), as far
 * as the windows that select allow and no guard text is harmed. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xxhash.h>

#include "comm/agree.h"
#include "reduce/forecast.h"
#include "reduce/reduction.h"
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
    double *values;          /* of the steps of a line search, one after another */
    double *a, *b, *weights; /* of the windows of a part */
    json_t *rounds;
};

/* The best step of a line search. */
struct found {
    struct steps steps; /* n == 0: none */
    int step;
    struct laser_item_score *scores; /* rank 0 */
    double *values;                  /* rank 0 */
};

/* ---- differences ---- */

/* Rank 0.  Mean difference of the windows of a part, all of them (dataset -1) or those of one text. */
static void compare(const struct tuning *t, enum laser_item_part part, int32_t dataset,
                    const struct laser_item_score *from, const struct laser_item_score *to, double *mean,
                    double *error)
{
    const struct laser_evaluation *e = t->r->setup.e;
    int n = 0;

    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i) {
        const struct laser_window *w;
        int64_t index;

        if (laser_item_is_question(e, i, &index))
            continue;
        w = &e->windows[index];
        if (dataset >= 0 && w->dataset != dataset)
            continue;
        t->weights[n] = w->n_scored;
        t->a[n] = to[i].window.sum_nats / w->n_scored;
        t->b[n++] = from[i].window.sum_nats / w->n_scored;
    }
    *mean = *error = NAN;
    if (n > 0)
        laser_search_paired(t->a, t->b, t->weights, n, mean, error);
}

/* ---- steps as edits ---- */

/* Rank 0: the values of a step in a file, and one edit of each matrix. */
static int add_step(struct tuning *t, double length, bool only_shrink, struct laser_strategy_plan *plan,
                    struct steps *s, struct laser_error *err)
{
    const struct laser_scan_spectrum *p = &t->spectrum;
    const char **names = calloc((size_t)p->n_matrices + 1, sizeof *names);
    const double **values = calloc((size_t)p->n_matrices + 1, sizeof *values);
    int64_t *counts = calloc((size_t)p->n_matrices + 1, sizeof *counts), n = 0;
    double *moved = t->values + s->n * p->n_values;
    char text[48];
    int code = names == NULL || values == NULL || counts == NULL
                   ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for a step")
                   : LASER_OK;

    laser_fisher_move(p->n_values, p->values, t->direction.step, length, only_shrink, p->original, moved);
    for (int64_t i = 0; code == LASER_OK && i < p->n_matrices; ++i) {
        if (t->run->outcomes[i].status != LASER_OUTCOME_SCANNED || !laser_reduction_usable(t->run, i))
            continue;
        names[n] = t->run->matrices.matrices[i].name;
        values[n] = moved + p->first[i];
        counts[n++] = p->first[i + 1] - p->first[i];
        plan->edits[plan->n_edits++].matrix = (int)i;
    }
    if (code == LASER_OK)
        code = laser_values_write(t->run->output, n, names, values, counts, &s->hashes[s->n], err);
    if (code == LASER_OK)
        snprintf(text, sizeof text, "values:%016" PRIx64, s->hashes[s->n]);
    for (int64_t i = plan->n_edits - n; code == LASER_OK && i < plan->n_edits; ++i)
        code = laser_strategy_edit_set(&plan->edits[i], plan->edits[i].matrix, text, err);
    s->per_step = (int)n;
    ++s->n;
    free(names);
    free(values);
    free(counts);
    return code;
}

/* Collective.  The edits of steps that the line search asks for, switched on as the evaluation's list. */
static int make_steps(struct tuning *t, const struct laser_line *line, struct steps *s,
                      struct laser_error *err)
{
    struct laser_strategy_plan plan = {0};
    bool only_shrink = t->run->settings->reduce.only_shrink;
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
        for (int i = line->n_measured; code == LASER_OK && i < line->n; ++i)
            code = add_step(t, line->steps[i].length, only_shrink, &plan, s, err);
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

/* Rank 0.  Mean divergence of what was measured last, on the windows that select. */
static double mean_kl(const struct tuning *t)
{
    const struct laser_evaluation *e = t->r->setup.e;
    double sum = 0, tokens = 0;
    int64_t index;

    for (int64_t i = 0; i < e->part_item[LASER_PART_SELECTION + 1]; ++i)
        if (!laser_item_is_question(e, i, &index)) {
            sum += t->trial[i].kl_nats;
            tokens += e->windows[index].n_scored;
        }
    return sum / tokens;
}

/* Rank 0.  A step that leads too far from the model as it was is no step. */
static void judge_distance(const struct tuning *t, struct laser_line_step *step, json_t *o, char *text,
                           size_t size)
{
    const double most = t->run->settings->reduce.max_kl, kl = most > 0 ? mean_kl(t) : 0;

    if (!(most > 0))
        return;
    json_object_set_new(o, "kl", isfinite(kl) ? json_real(kl) : json_null());
    snprintf(text, size, ", KL %.4g%s", kl, kl <= most ? "" : ": too far from the base");
    if (kl <= most)
        return;
    step->harms = true;
    json_object_set_new(o, "too_far", json_true());
}

/* Rank 0. */
static void judge(struct tuning *t, struct laser_line_step *step, json_t *list)
{
    const struct laser_evaluation *e = t->r->setup.e;
    const struct laser_mpi_direction *d = &t->direction;
    json_t *o = json_object(), *guards = json_object();
    double predicted = (step->length * d->slope + step->length * step->length * d->curvature / 2) / d->tokens;
    char harmed[300] = "", distance[80] = "";

    compare(t, LASER_PART_SELECTION, -1, t->current, t->trial, &step->difference, &step->error);
    for (int32_t i = e->n_datasets - e->n_guards; i < e->n_datasets; ++i) {
        double mean, error;

        compare(t, LASER_PART_GUARD, i, t->current, t->trial, &mean, &error);
        if (!(mean <= error || mean <= 0)) {
            step->harms = true;
            snprintf(harmed, sizeof harmed, ", harms %s (%+.4f +- %.4f)", e->datasets[i].name, mean, error);
        }
        json_object_set_new(guards, e->datasets[i].name,
                            json_pack("{s:f, s:f}", "difference", isfinite(mean) ? mean : 0, "stderr",
                                      isfinite(error) ? error : 0));
    }
    json_object_set_new(o, "harms_guard", json_boolean(step->harms));
    judge_distance(t, step, o, distance, sizeof distance);
    laser_log_line(t->run->log, "STEP", "length %.4g: %+.5f +- %.5f nats, predicted %+.5f%s%s", step->length,
                   step->difference, step->error, predicted, harmed, distance);
    json_object_set_new(o, "length", json_real(step->length));
    json_object_set_new(o, "difference",
                        isfinite(step->difference) ? json_real(step->difference) : json_null());
    json_object_set_new(o, "stderr", isfinite(step->error) ? json_real(step->error) : json_null());
    json_object_set_new(o, "predicted", isfinite(predicted) ? json_real(predicted) : json_null());
    json_object_set_new(o, "guards", guards);
    json_array_append_new(list, o);
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
        judge(t, &line->steps[first + i], list);
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

/* The batches of calibration that a round takes: the next ones, from the start again behind the last. */
static void choose_batches(const struct tuning *t, int round, struct laser_mpi_step_options *o)
{
    const struct laser_evaluation *e = t->r->setup.e;
    int64_t first = e->part_batch[LASER_PART_CALIBRATION],
            n = e->part_batch[LASER_PART_CALIBRATION + 1] - first;
    int64_t count = laser_forecast_calibration(e), start;

    start = n > 0 ? (int64_t)round * count % n : 0;
    if (start + count > n)
        start = n - count;
    o->first_batch = first + start;
    o->end_batch = first + start + count;
}

/* Stands for model, settings, texts and the values as they are. */
static int find_key(struct tuning *t, int round, uint64_t *key, struct laser_error *err)
{
    char identity[20];
    XXH3_state_t *state;
    int code = laser_search_identity(&t->r->search, identity, err);

    if (code != LASER_OK)
        return code;
    state = XXH3_createState();
    if (state == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory");
    XXH3_64bits_reset(state);
    XXH3_64bits_update(state, identity, strlen(identity));
    XXH3_64bits_update(state, &round, sizeof round);
    XXH3_64bits_update(state, &t->block, sizeof t->block);
    XXH3_64bits_update(state, t->spectrum.values, (size_t)t->spectrum.n_values * sizeof *t->spectrum.values);
    *key = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return LASER_OK;
}

/* Collective.  *moved: a step was taken. */
static int run_round(struct tuning *t, int round, double *length, bool *moved, struct laser_error *err)
{
    struct laser_mpi_step_options options = {.block = t->block, .damping = t->run->settings->reduce.damping};
    struct found best = {.scores = t->best_scores, .values = t->best_values};
    json_t *list = json_array();
    int code = t->run->rank == 0 ? find_key(t, round, &options.key, err) : LASER_OK;

    code = laser_mpi_agree(laser_mpi_world(t->run), code, err);
    choose_batches(t, round, &options);
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

/* ---- the result as a plan ---- */

/* Rank 0.  One candidate with one trial, the edits of the step taken last. */
static int fill_plan(struct tuning *t, struct laser_error *err)
{
    struct laser_strategy_plan *plan = &t->r->trials.plan;
    int n = t->now.n > 0 ? t->now.per_step : 0;

    plan->edits = calloc((size_t)n + 1, sizeof *plan->edits);
    plan->trials = calloc(1, sizeof *plan->trials);
    plan->candidates = calloc(1, sizeof *plan->candidates);
    plan->edit_numbers = calloc((size_t)n + 1, sizeof *plan->edit_numbers);
    if (plan->edits == NULL || plan->trials == NULL || plan->candidates == NULL || plan->edit_numbers == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", n);
    for (int i = 0; i < n; ++i) {
        plan->edits[i] = t->now.edits.edits[t->taken * n + i];
        plan->edit_numbers[i] = i;
    }
    plan->n_edits = plan->n_edit_numbers = n;
    plan->n_trials = plan->n_candidates = n > 0;
    plan->trials[0].n_edits = n;
    plan->candidates[0].n_trials = 1;
    return laser_edit_ranks(t->run, plan, &t->r->trials.ranks, err);
}

static int conclude(struct tuning *t, struct laser_error *err)
{
    int code = t->run->rank == 0 ? fill_plan(t, err) : LASER_OK;

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

static bool choose_block(const struct laser_run *run, const char **why)
{
    const struct laser_statistics_options whole = {.values = true, .block = true};
    enum laser_deck_fisher form = run->settings->reduce.fisher;

    *why = "as asked";
    if (form != LASER_DECK_FISHER_AUTO)
        return form == LASER_DECK_FISHER_BLOCK;
    *why = "by memory";
    return laser_statistics_block_fits(run, &whole);
}

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
        t->a = calloc(items, sizeof *t->a);
        t->b = calloc(items, sizeof *t->b);
        t->weights = calloc(items, sizeof *t->weights);
        t->rounds = json_array();
        bad = bad || t->current == NULL || t->trial == NULL || t->best_scores == NULL ||
              t->best_values == NULL || t->values == NULL || t->a == NULL || t->b == NULL ||
              t->weights == NULL || t->rounds == NULL;
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
    free(t->a);
    free(t->b);
    free(t->weights);
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
    t->block = choose_block(t->run, &why);
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

static json_t *guard_json(const struct tuning *t, int32_t dataset, enum laser_item_part part)
{
    const struct laser_evaluation *e = t->r->setup.e;
    double mean, error, before = 0, tokens = 0;
    int64_t index, n = 0;

    compare(t, part, dataset, t->current, t->trial, &mean, &error);
    for (int64_t i = e->part_item[part]; i < e->part_item[part + 1]; ++i)
        if (!laser_item_is_question(e, i, &index) && e->windows[index].dataset == dataset) {
            before += t->current[i].window.sum_nats;
            tokens += e->windows[index].n_scored;
            ++n;
        }
    if (n == 0)
        return json_null();
    return json_pack("{s:I, s:f, s:f, s:o}", "windows", (json_int_t)n, "nll", before / tokens, "difference",
                     mean, "stderr", isfinite(error) ? json_real(error) : json_null());
}

static int guards_json(struct tuning *t, struct laser_error *err)
{
    const struct laser_evaluation *e = t->r->setup.e;
    json_t *guards = json_object();
    int bad = guards == NULL;

    for (int32_t i = e->n_datasets - e->n_guards; !bad && i < e->n_datasets; ++i)
        bad = json_object_set_new(guards, e->datasets[i].name,
                                  json_pack("{s:o, s:o}", "selection", guard_json(t, i, LASER_PART_GUARD),
                                            "report", guard_json(t, i, LASER_PART_GUARD_REPORT)));
    bad = bad || json_object_set(t->r->report.tune, "guards", guards);
    json_decref(guards);
    return bad ? laser_error_set(err, LASER_ENOMEM, "results.json", "no memory") : LASER_OK;
}

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
        code = guards_json(&t, err);
    free_all(&t);
    return laser_mpi_agree(laser_mpi_world(r->setup.run), code, err);
}
