/* What a reduction's search runs on, by strategy, and the trials of its report. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/reduce.h"

bool laser_reduction_strategy_is(const struct laser_reduction *r, enum laser_strategy strategy)
{
    return r->run->settings->reduce.strategy == strategy;
}

/* Windows or questions alone: the first of them tell about all. */
static bool has_one_kind(const struct laser_evaluation *e)
{
    int64_t last = e->part_item[LASER_PART_SELECTION + 1] - 1;

    return last < 0 || (e->items[0] < 0) == (e->items[last] < 0);
}

/* Of perplexity a relative rise, of another objective an amount of it. */
double laser_reduction_tolerance(const struct laser_reduction *r)
{
    double tolerance = r->run->settings->reduce.tolerance;

    return laser_reduction_has_ppl(r) ? log1p(tolerance) : tolerance;
}

static void fill_search_plan(const struct laser_reduction *r, struct laser_search_plan *p)
{
    const struct laser_settings *settings = r->run->settings;
    bool compat = settings->reduce.accept == LASER_DECK_ACCEPT_LASERRMT;

    *p = (struct laser_search_plan){.candidates = r->now->candidates + r->round_first,
                                    .n_candidates = r->now->n_candidates - r->round_first,
                                    .trials = r->now->trials,
                                    .n_trials = r->now->n_trials,
                                    .edits = r->now->edit_numbers,
                                    .n_edits = r->now->n_edit_numbers,
                                    .accept = compat ? LASER_ACCEPT_NOT_WORSE
                                              : laser_objective_share(&r->e->objective) >= 0
                                                  ? LASER_ACCEPT_MCNEMAR
                                                  : LASER_ACCEPT_PAIRED,
                                    .z = laser_search_z(laser_keep_rule_tried(r)),
                                    .tolerance = laser_reduction_tolerance(r),
                                    .max_kl = settings->reduce.max_kl,
                                    .max_kept = (int)settings->reduce.max_kept,
                                    .give_up_early = settings->reduce.early_stop && has_one_kind(r->e) &&
                                                     laser_objective_is_positive(&r->e->objective),
                                    .lookahead = (int)settings->reduce.lookahead};
    laser_search_items(r->e, LASER_PART_SELECTION, r->weights, r->batch_first, p);
    laser_strategy_search(settings->reduce.strategy, compat, r->now == &r->plan, p);
}

int laser_reduction_search_memory(struct laser_reduction *r, struct laser_error *err)
{
    r->weights = malloc((size_t)r->e->n_items * sizeof *r->weights + 1);
    r->final = malloc((size_t)r->e->n_items * sizeof *r->final + 1);
    r->batch_first = malloc(((size_t)r->e->n_items + 1) * sizeof *r->batch_first);
    if (r->trial_means == NULL)
        r->trial_means = malloc(((size_t)r->plan.n_trials + 1) * sizeof *r->trial_means);
    if (r->weights == NULL || r->final == NULL || r->batch_first == NULL || r->trial_means == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " items", r->e->n_items);
    for (int64_t i = 0; i < r->e->n_items; ++i) {
        r->final[i] = NAN; /* of items that no search runs on */
        r->weights[i] = laser_item_weight(r->e, i);
    }
    for (int t = 0; t < r->plan.n_trials; ++t)
        r->trial_means[t] = NAN;
    return LASER_OK;
}

int laser_reduction_open_search(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_search *earlier = r->search; /* the round before, or the sweep before a composition */
    struct laser_search_plan plan;
    double base;
    int code;

    if (r->decisions == NULL && (r->decisions = json_array()) == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory");
    fill_search_plan(r, &plan);
    if (r->round_first == 0)
        laser_keep_rule_say(r, &plan);
    if (earlier != NULL && r->round_first == 0)
        laser_keep_rule_check_base(r, laser_search_base(earlier, &base));
    r->search = NULL;
    code = laser_search_create(&plan, laser_reduction_decided, r, &r->search, err);
    if (code == LASER_OK)
        code = laser_reduction_replay(r, err);
    if (code == LASER_OK && earlier != NULL)
        code = laser_search_continue(r->search, earlier, err);
    laser_search_free(earlier);
    return code;
}

int laser_reduction_report_decided(void *context, const struct laser_search_decision *d,
                                   struct laser_error *err)
{
    struct laser_reduction *r = context;
    struct laser_reported reported = {d->difference, d->difference_se, d->n_better, d->n_worse};

    (void)err;
    if (d->candidate == 1) {
        r->winner_report = reported;
        return LASER_OK;
    }
    memcpy(r->final + r->e->part_item[LASER_PART_REPORT], d->windows,
           (size_t)d->n_windows * sizeof *r->final);
    r->report_final = d->nll;
    r->kept_report = reported;
    return LASER_OK;
}

int laser_reduction_fill_report(const struct laser_reduction *r, struct laser_search_plan *plan,
                                struct laser_search_trial trials[2], struct laser_error *err)
{
    int n_kept, n_winner = 0;
    const int32_t *kept = laser_search_kept(r->search, &n_kept), *winner = NULL;
    int32_t *edits;

    if (r->winner >= 0) {
        winner = r->plan.edit_numbers + r->plan.trials[r->winner].first_edit;
        n_winner = r->plan.trials[r->winner].n_edits;
    }
    edits = calloc((size_t)n_kept + (size_t)n_winner + 1, sizeof *edits);
    if (edits == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", n_kept + n_winner);
    memcpy(edits, kept, (size_t)n_kept * sizeof *edits);
    if (n_winner > 0)
        memcpy(edits + n_kept, winner, (size_t)n_winner * sizeof *edits);
    trials[0] = (struct laser_search_trial){.n_edits = n_kept};
    trials[1] = (struct laser_search_trial){.first_edit = n_kept, .n_edits = n_winner};
    plan->edits = edits;
    plan->n_edits = n_kept + n_winner;
    plan->n_candidates = plan->n_trials = n_winner > 0 ? 2 : 1;
    return LASER_OK;
}

int32_t *laser_reduction_last_edits(const struct laser_reduction *r, int *n)
{
    int n_kept, n_last = 0;
    const int32_t *kept = laser_search_kept(r->search, &n_kept);
    int32_t *last = malloc((size_t)n_kept * sizeof *last + 1);

    for (int i = 0; last != NULL && i < n_kept; ++i) {
        bool replaced = false;
        for (int j = i + 1; j < n_kept && !replaced; ++j)
            replaced = r->edits.files[kept[j]].matrix == r->edits.files[kept[i]].matrix;
        if (!replaced)
            last[n_last++] = kept[i];
    }
    *n = n_last;
    return last;
}
