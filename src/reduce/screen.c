#include "reduce/screen.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LIMIT = 100, SWEEP_LIMIT = 32, WHOLE_SWEEP = 50 };

/* A prediction to second order is about right within a factor of two. */
#define TRUST 2.0

/* A candidate and what its best trial promises. */
struct promise {
    struct laser_search_candidate candidate;
    double change;
    int place;
};

static enum laser_strategy_screening screening(enum laser_strategy strategy)
{
    return laser_strategy_row(strategy)->screening;
}

bool laser_screen_is_sweep(enum laser_strategy strategy)
{
    return screening(strategy) == LASER_SCREEN_EACH;
}

bool laser_screen_applies(enum laser_strategy strategy)
{
    return screening(strategy) != LASER_SCREEN_NOT;
}

int laser_screen_limit(enum laser_strategy strategy)
{
    return screening(strategy) == LASER_SCREEN_EACH ? SWEEP_LIMIT : LIMIT;
}

int laser_screen_whole(enum laser_strategy strategy, int evaluations)
{
    if (evaluations > 0)
        return evaluations;
    return screening(strategy) == LASER_SCREEN_EACH ? WHOLE_SWEEP : LIMIT;
}

double laser_screen_change(const struct laser_strategy_plan *plan, int trial, const double *changes)
{
    const struct laser_search_trial *t = &plan->trials[trial];
    double sum = 0;

    for (int e = 0; e < t->n_edits; ++e)
        sum += changes[plan->edit_numbers[t->first_edit + e]];
    return sum;
}

static int compare(const void *a, const void *b)
{
    const struct promise *x = a, *y = b;

    if (x->change != y->change)
        return x->change < y->change ? -1 : 1;
    return x->place - y->place;
}

/* The trials of a candidate that may stay; n_trials 0: none. */
static struct promise consider(const struct laser_screen_options *o, const struct laser_strategy_plan *plan,
                               const double *changes, int place)
{
    const struct laser_search_candidate *c = &plan->candidates[place];
    struct promise p = {.change = INFINITY, .place = place};
    enum laser_strategy_screening how = screening(o->strategy);

    for (int t = c->first_trial; t < c->first_trial + c->n_trials; ++t) {
        double change = laser_screen_change(plan, t, changes);

        if (!isfinite(change))
            continue;
        if (how == LASER_SCREEN_DEPTH && change <= TRUST * o->tolerance) {
            /* The deepest cut stands first: it and all that follow stay. */
            p.candidate = (struct laser_search_candidate){t, c->first_trial + c->n_trials - t};
            p.change = change;
            break;
        }
        if (how == LASER_SCREEN_BEST && change < p.change && change < 0) {
            p.candidate = (struct laser_search_candidate){t, 1};
            p.change = change;
        }
    }
    return p;
}

/* The edits of n candidates as one trial, which is tried before them; room for one more. */
static int add_together(struct laser_strategy_plan *plan, struct promise *kept, int n,
                        struct laser_error *err)
{
    struct laser_search_trial *trials = realloc(plan->trials, ((size_t)plan->n_trials + 1) * sizeof *trials);
    int32_t *numbers = NULL;

    if (trials != NULL) {
        plan->trials = trials;
        numbers = realloc(plan->edit_numbers, ((size_t)plan->n_edit_numbers + (size_t)n) * sizeof *numbers);
    }
    if (numbers == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for a trial of %d edits", n);
    plan->edit_numbers = numbers;
    trials[plan->n_trials] = (struct laser_search_trial){.first_edit = plan->n_edit_numbers, .n_edits = n};
    for (int i = 0; i < n; ++i)
        numbers[plan->n_edit_numbers++] = numbers[trials[kept[i].candidate.first_trial].first_edit];
    memmove(kept + 1, kept, (size_t)n * sizeof *kept);
    kept[0] = (struct promise){.candidate = {plan->n_trials++, 1}};
    return LASER_OK;
}

/* Is a candidate one of several edits at once?  Such are few, and all their trials are evaluated. */
static bool is_joint(const struct laser_screen_options *o, const struct laser_strategy_plan *plan, int c)
{
    return laser_strategy_row(o->strategy)->together &&
           plan->trials[plan->candidates[c].first_trial].n_edits > 1;
}

/* A prediction underrates what takes much away: of the matrices that promise most, in half of a fifth of what was to be
 * tried, all trials stay.  Returns how many matrices. */
static int widen(const struct laser_screen_options *o, const struct laser_strategy_plan *plan,
                 struct promise *all, int n, int limit, struct laser_screen_summary *s)
{
    int room = s->before / 5 < limit ? s->before / 10 : limit / 2, i;

    for (i = 0; screening(o->strategy) == LASER_SCREEN_BEST && i < n; ++i) {
        const struct laser_search_candidate *c = &plan->candidates[all[i].place];

        if (c->n_trials == 1 || c->n_trials > room)
            break;
        room -= c->n_trials;
        s->hurting -= c->n_trials - all[i].candidate.n_trials;
        all[i].candidate = *c;
    }
    return i;
}

static void skip_unused(struct laser_strategy_plan *plan)
{
    for (int e = 0; e < plan->n_edits; ++e)
        plan->edits[e].skip = true;
    for (int c = 0; c < plan->n_candidates; ++c)
        for (int t = 0; t < plan->candidates[c].n_trials; ++t) {
            const struct laser_search_trial *trial = &plan->trials[plan->candidates[c].first_trial + t];
            for (int e = 0; e < trial->n_edits; ++e)
                plan->edits[plan->edit_numbers[trial->first_edit + e]].skip = false;
        }
}

int laser_screen(const struct laser_screen_options *o, const double *changes,
                 struct laser_strategy_plan *plan, struct laser_screen_summary *s, struct laser_error *err)
{
    int limit = o->evaluations > 0 ? o->evaluations : laser_screen_limit(o->strategy), n = 0, kept = 0,
        trials = 0, joint = 0, wide;
    struct promise *all = malloc(((size_t)plan->n_candidates + 1) * sizeof *all);
    struct laser_search_candidate *candidates = malloc(((size_t)plan->n_candidates + 2) * sizeof *candidates);
    int code = LASER_OK;

    *s = (struct laser_screen_summary){0};
    if (all == NULL || candidates == NULL)
        code =
            laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d candidates", plan->n_candidates);
    while (code == LASER_OK && joint < plan->n_candidates && is_joint(o, plan, joint)) {
        candidates[kept++] = plan->candidates[joint];
        trials += plan->candidates[joint].n_trials;
        s->before += plan->candidates[joint++].n_trials;
    }
    for (int c = joint; code == LASER_OK && c < plan->n_candidates; ++c) {
        struct promise p = consider(o, plan, changes, c);

        s->before += plan->candidates[c].n_trials;
        s->hurting += plan->candidates[c].n_trials - p.candidate.n_trials;
        if (p.candidate.n_trials > 0)
            all[n++] = p;
    }
    if (code == LASER_OK) {
        qsort(all, (size_t)n, sizeof *all, compare);
        s->promise = n > 0 ? all[0].change : 0;
        wide = widen(o, plan, all, n, limit, s);
        if (screening(o->strategy) == LASER_SCREEN_BEST && n - wide > 1)
            code = add_together(plan, all + wide, n++ - wide, err);
    }
    for (int i = 0; code == LASER_OK && i < n; ++i) {
        if (trials + all[i].candidate.n_trials > limit) {
            s->too_many += all[i].candidate.n_trials;
            continue;
        }
        candidates[kept++] = all[i].candidate;
        trials += all[i].candidate.n_trials;
    }
    free(all);
    if (code != LASER_OK) {
        free(candidates);
        return code;
    }
    free(plan->candidates);
    plan->candidates = candidates;
    plan->n_candidates = kept;
    s->after = trials;
    skip_unused(plan);
    return LASER_OK;
}
