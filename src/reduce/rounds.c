/* Which trials of a search are evaluated, by what a gradient predicts of them. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "reduce/reduce.h"
#include "reduce/refine.h"
#include "reduce/screen.h"

static enum laser_strategy strategy_of(const struct laser_reduction_setup *setup)
{
    return setup->run->settings->reduce.strategy;
}

/* What a gradient predicts of a share is a loss: no tolerance of budget. */
bool laser_screen_is(const struct laser_reduction_setup *setup)
{
    const struct laser_settings *settings = setup->run->settings;

    return settings->reduce.screen && settings->reduce.accept == LASER_DECK_ACCEPT_PAIRED &&
           laser_screen_applies(strategy_of(setup)) && setup->e->part_batch[LASER_PART_SELECTION + 1] > 0 &&
           (strategy_of(setup) != LASER_STRATEGY_BUDGET || !laser_objective_has_share(&setup->e->objective));
}

static void say(const struct laser_reduction_trials *t, const struct laser_screen_summary *s)
{
    const struct laser_evaluation *e = t->setup->e;
    double batches = (double)(e->part_batch[LASER_PART_SELECTION + 1]) * (s->after + 1);
    char time[80] = "";

    if (e->batch_s > 0)
        snprintf(time, sizeof time, "; about %.0f s", batches * e->batch_s / e->n_groups);
    if (t->evaluations > 0)
        laser_log_line(
            t->setup->run->log, "SCREEN",
            "at most %d of %d trials are evaluated%s: those of most promise first, then around the "
            "best; the best promises %+.2e",
            t->evaluations, s->before, time, s->promise);
    else
        laser_log_line(t->setup->run->log, "SCREEN",
                       "%d of %d trials are evaluated%s: %d are predicted to do no good, %d are beyond "
                       "reduce.evaluations; the best promises %+.2e%s",
                       s->after, s->before, time, s->hurting, s->too_many, s->promise,
                       laser_reduction_has_ppl(t->setup) ? " nats" : "");
}

int laser_reduction_next_round(struct laser_reduction_trials *trials, const double *trial_means, int *more,
                               struct laser_error *err)
{
    struct laser_strategy_plan *p = &trials->plan;
    struct laser_refine_state state = {
        .means = trial_means, .asked = trials->asked, .evaluations = trials->evaluations};
    double *changes = malloc((size_t)p->n_trials * sizeof *changes);
    int *next = malloc((size_t)trials->evaluations * sizeof *next), n = 0, code;

    state.changes = changes;
    for (int t = 0; changes != NULL && t < p->n_trials; ++t)
        changes[t] = laser_screen_change(p, t, trials->changes);
    code = changes == NULL || next == NULL
               ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", p->n_trials)
               : laser_refine_next(&trials->cells, &state, next, &n, err);
    trials->round_first = p->n_candidates;
    for (int e = 0; e < p->n_edits; ++e)
        p->edits[e].skip = true; /* those of earlier rounds have their files */
    for (int i = 0; i < n; ++i) {
        const struct laser_search_trial *t = &p->trials[next[i]];

        trials->asked[next[i]] = 1;
        p->candidates[p->n_candidates++] = (struct laser_search_candidate){next[i], 1};
        for (int e = 0; e < t->n_edits; ++e)
            p->edits[p->edit_numbers[t->first_edit + e]].skip = false;
    }
    *more = n > 0;
    free(changes);
    free(next);
    return code;
}

/* A sweep by rounds: the first one. */
static int begin_rounds(struct laser_reduction_trials *trials, int evaluations,
                        struct laser_screen_summary *s, struct laser_error *err)
{
    struct laser_strategy_plan *p = &trials->plan;
    double *unknown = malloc(((size_t)p->n_trials + 1) * sizeof *unknown);
    int more, code;

    trials->evaluations = evaluations;
    trials->asked = calloc((size_t)p->n_trials + 1, 1);
    if (trials->asked == NULL || unknown == NULL) {
        free(unknown);
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", p->n_trials);
    }
    *s = (struct laser_screen_summary){.before = p->n_trials, .after = evaluations, .promise = INFINITY};
    for (int t = 0; t < p->n_trials; ++t) {
        unknown[t] = NAN;
        s->promise = fmin(s->promise, laser_screen_change(p, t, trials->changes));
    }
    p->n_candidates = 0;
    code = laser_reduction_next_round(trials, unknown, &more, err);
    free(unknown);
    return code;
}

int laser_reduction_screen(struct laser_reduction_trials *t, double *changes, struct laser_error *err)
{
    const struct laser_reduction_setup *setup = t->setup;
    struct laser_screen_options o = {.strategy = strategy_of(setup),
                                     .evaluations = (int)setup->run->settings->reduce.evaluations,
                                     .tolerance = laser_reduction_tolerance(setup)};
    struct laser_screen_summary summary;
    int code;

    t->changes = changes;
    code = laser_screen_is_sweep(o.strategy)
               ? begin_rounds(t, o.evaluations > 0 ? o.evaluations : laser_screen_limit(o.strategy), &summary,
                              err)
               : laser_screen(&o, changes, &t->plan, &summary, err);
    if (code == LASER_OK)
        say(t, &summary);
    return code;
}

bool laser_reduction_takes_all(const struct laser_reduction_trials *t)
{
    return t->plan.n_trials <=
           laser_screen_whole(strategy_of(t->setup), (int)t->setup->run->settings->reduce.evaluations);
}
