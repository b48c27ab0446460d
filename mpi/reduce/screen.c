/* Screening of a plan's trials by the gradient of the text that selects. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "reduce/reduce.h"
#include "search/refine.h"
#include "search/screen.h"
#include "sensitivity/predict.h"
#include "sensitivity/statistics.h"
#include "sensitivity/vectors.h"

/* The Fisher information is taken whole where its sums leave the evaluation most of the memory. */
#define BLOCK_MEMORY_SHARE 0.4

static enum laser_strategy strategy_of(const struct laser_mpi_reduction *r)
{
    return (enum laser_strategy)laser_strategy_parse(laser_deck_string(r->run->deck, "reduce.strategy"));
}

/* What a gradient predicts of a share is a loss: no tolerance of budget. */
bool laser_mpi_screen_is(const struct laser_mpi_reduction *r)
{
    const struct laser_deck *deck = r->run->deck;

    return laser_deck_bool(deck, "reduce.screen") && laser_deck_is(deck, "reduce.accept", "paired") &&
           laser_screen_applies(strategy_of(r)) && r->e.part_batch[LASER_PART_SELECTION + 1] > 0 &&
           (strategy_of(r) != LASER_STRATEGY_BUDGET || !laser_objective_has_share(&r->e.objective));
}

/* The batches that select, as many as reduce.calibration_tokens asks for; all where windows and questions select
 * together, so that their weights are right. */
static int64_t last_batch(const struct laser_mpi_evaluation *e)
{
    int64_t wanted = laser_deck_int(e->run->deck, "reduce.calibration_tokens"), tokens = 0, b, index,
            n = e->part_batch[LASER_PART_SELECTION + 1];

    if (wanted == 0 || (e->items[0] < 0) != (e->items[e->batches[n - 1].first] < 0))
        return n;
    for (b = 0; b < n && tokens < wanted; ++b)
        for (int64_t i = e->batches[b].first; i < e->batches[b].first + e->batches[b].n; ++i)
            tokens += laser_mpi_item_is_question(e, i, &index) ? e->set.questions[index].tokens
                                                               : e->windows[index].n_tokens;
    return b;
}

/* Rank 0's edits on every rank. */
static int share_edits(const struct laser_mpi_reduction *r, struct laser_strategy_edit **edits, int *n,
                       struct laser_error *err)
{
    const struct laser_mpi_run *run = r->run;
    void *data = run->rank == 0 ? (void *)r->plan.edits : NULL;
    size_t bytes = run->rank == 0 ? (size_t)r->plan.n_edits * sizeof **edits : 0;
    int code = LASER_OK;

    *n = run->rank == 0 ? r->plan.n_edits : 0;
    *edits = NULL;
    MPI_Bcast(n, 1, MPI_INT, 0, run->world);
    if (*n > 0)
        code = laser_mpi_share(run->world, &data, &bytes, err);
    if (code == LASER_OK)
        *edits = data;
    return code;
}

/* changes[n]: what each edit is predicted to do. */
static int predict(struct laser_mpi_reduction *r, const struct laser_mpi_statistics *statistics,
                   double **changes, struct laser_error *err)
{
    struct laser_mpi_run *run = r->run;
    struct laser_mpi_spectrum spectrum;
    struct laser_mpi_predicted *predicted = NULL;
    struct laser_strategy_edit *edits;
    int n, code = laser_mpi_spectrum_read(run, &spectrum, err);

    *changes = NULL;
    if (code != LASER_OK)
        return code;
    code = share_edits(r, &edits, &n, err);
    if (code == LASER_OK) {
        predicted = calloc((size_t)n + 1, sizeof *predicted);
        *changes = malloc(((size_t)n + 1) * sizeof **changes);
        if (predicted == NULL || *changes == NULL)
            code =
                laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for the predictions of %d edits", n);
        for (int i = 0; code == LASER_OK && i < n; ++i)
            predicted[i] = (struct laser_mpi_predicted){.matrix = edits[i].matrix, .text = edits[i].text};
        code = laser_mpi_agree(run->world, code, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_predict(run, statistics, &spectrum, predicted, n, err);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        (*changes)[i] = predicted[i].change;
    free(predicted);
    if (run->rank != 0)
        free(edits);
    laser_mpi_spectrum_free(&spectrum);
    return code;
}

static void say(const struct laser_mpi_reduction *r, const struct laser_screen_summary *s)
{
    const struct laser_mpi_evaluation *e = &r->e;
    double batches = (double)(e->part_batch[LASER_PART_SELECTION + 1]) * (s->after + 1);
    char time[80] = "";

    if (e->batch_s > 0)
        snprintf(time, sizeof time, "; about %.0f s", batches * e->batch_s / e->team.n_groups);
    if (r->evaluations > 0)
        laser_mpi_log_line(
            r->run->log, "SCREEN",
            "at most %d of %d trials are evaluated%s: those of most promise first, then around the "
            "best; the best promises %+.2e",
            r->evaluations, s->before, time, s->promise);
    else
        laser_mpi_log_line(r->run->log, "SCREEN",
                           "%d of %d trials are evaluated%s: %d are predicted to do no good, %d are beyond "
                           "reduce.evaluations; the best promises %+.2e%s",
                           s->after, s->before, time, s->hurting, s->too_many, s->promise,
                           laser_mpi_reduction_has_ppl(r) ? " nats" : "");
}

int laser_mpi_screen_next(struct laser_mpi_reduction *r, int *more, struct laser_error *err)
{
    struct laser_strategy_plan *p = &r->plan;
    struct laser_refine_state state = {
        .means = r->trial_means, .asked = r->asked, .evaluations = r->evaluations};
    double *changes = malloc((size_t)p->n_trials * sizeof *changes);
    int *trials = malloc((size_t)r->evaluations * sizeof *trials), n = 0, code;

    state.changes = changes;
    for (int t = 0; changes != NULL && t < p->n_trials; ++t)
        changes[t] = laser_screen_change(p, t, r->changes);
    code = changes == NULL || trials == NULL
               ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", p->n_trials)
               : laser_refine_next(&r->cells, &state, trials, &n, err);
    r->round_first = p->n_candidates;
    for (int e = 0; e < p->n_edits; ++e)
        p->edits[e].skip = true; /* those of earlier rounds have their files */
    for (int i = 0; i < n; ++i) {
        const struct laser_search_trial *t = &p->trials[trials[i]];

        r->asked[trials[i]] = 1;
        p->candidates[p->n_candidates++] = (struct laser_search_candidate){trials[i], 1};
        for (int e = 0; e < t->n_edits; ++e)
            p->edits[p->edit_numbers[t->first_edit + e]].skip = false;
    }
    *more = n > 0;
    free(changes);
    free(trials);
    return code;
}

/* A sweep by rounds: the first one. */
static int begin_rounds(struct laser_mpi_reduction *r, int evaluations, struct laser_screen_summary *s,
                        struct laser_error *err)
{
    struct laser_strategy_plan *p = &r->plan;
    int more;

    r->evaluations = evaluations;
    r->asked = calloc((size_t)p->n_trials + 1, 1);
    r->trial_means = malloc(((size_t)p->n_trials + 1) * sizeof *r->trial_means);
    if (r->asked == NULL || r->trial_means == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", p->n_trials);
    *s = (struct laser_screen_summary){.before = p->n_trials, .after = evaluations, .promise = INFINITY};
    for (int t = 0; t < p->n_trials; ++t) {
        r->trial_means[t] = NAN;
        s->promise = fmin(s->promise, laser_screen_change(p, t, r->changes));
    }
    p->n_candidates = 0;
    return laser_mpi_screen_next(r, &more, err);
}

static int screen(struct laser_mpi_reduction *r, struct laser_error *err)
{
    const struct laser_deck *deck = r->run->deck;
    struct laser_screen_options o = {.strategy = strategy_of(r),
                                     .evaluations = (int)laser_deck_int(deck, "reduce.evaluations"),
                                     .tolerance = laser_mpi_reduction_tolerance(r)};
    struct laser_screen_summary summary;
    int code = laser_screen_is_sweep(o.strategy)
                   ? begin_rounds(r, o.evaluations > 0 ? o.evaluations : laser_screen_limit(o.strategy),
                                  &summary, err)
                   : laser_screen(&o, r->changes, &r->plan, &summary, err);

    if (code == LASER_OK)
        say(r, &summary);
    return code;
}

/* Rank 0: are there so few trials that all are evaluated? */
static bool takes_all(const struct laser_mpi_reduction *r)
{
    return r->plan.n_trials <=
           laser_screen_whole(strategy_of(r), (int)laser_deck_int(r->run->deck, "reduce.evaluations"));
}

int laser_mpi_reduction_screen(struct laser_mpi_reduction *r, struct laser_error *err)
{
    struct laser_mpi_statistics_options options = {.values = true, .block = true};
    struct laser_mpi_statistics statistics;
    double *changes = NULL;
    int code, all = r->run->rank == 0 && takes_all(r);

    MPI_Bcast(&all, 1, MPI_INT, 0, r->run->world);
    if (all)
        return LASER_OK;
    options.block =
        laser_mpi_statistics_bytes(r->run, &options) <= BLOCK_MEMORY_SHARE * r->run->memory_limit_bytes;
    code = laser_mpi_vectors_make(r->run, err);
    if (code == LASER_OK)
        code = laser_mpi_statistics_gather(&r->e, &options, 0, last_batch(&r->e), NULL, 0, &statistics, err);
    if (code != LASER_OK)
        return code;
    code = predict(r, &statistics, &changes, err);
    laser_mpi_statistics_free(&statistics);
    r->changes = changes;
    if (code == LASER_OK && r->run->rank == 0)
        code = screen(r, err);
    return laser_mpi_agree(r->run->world, code, err);
}
