/* What a reduction's search runs on, by strategy. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "reduce/reduce.h"

/* Windows or questions alone: the first of them tell about all. */
static bool has_one_kind(const struct laser_evaluation *e)
{
    int64_t last = e->part_item[LASER_PART_SELECTION + 1] - 1;

    return last < 0 || (e->items[0] < 0) == (e->items[last] < 0);
}

static void fill_search_plan(const struct laser_reduction_search *s, struct laser_search_plan *p)
{
    const struct laser_evaluation *e = s->setup->e;
    const struct laser_settings *settings = e->run->settings;
    bool compat = settings->reduce.accept == LASER_DECK_ACCEPT_LASERRMT;
    int first = laser_reduction_first(s);

    *p = (struct laser_search_plan){.candidates = s->now->candidates + first,
                                    .n_candidates = s->now->n_candidates - first,
                                    .trials = s->now->trials,
                                    .n_trials = s->now->n_trials,
                                    .edits = s->now->edit_numbers,
                                    .n_edits = s->now->n_edit_numbers,
                                    .accept = compat ? LASER_ACCEPT_NOT_WORSE
                                              : laser_objective_share(&e->objective) >= 0
                                                  ? LASER_ACCEPT_MCNEMAR
                                                  : LASER_ACCEPT_PAIRED,
                                    .z = laser_search_z(laser_keep_rule_tried(s->trials)),
                                    .tolerance = laser_reduction_tolerance(s->setup),
                                    .max_kl = settings->reduce.max_kl,
                                    .max_kept = (int)settings->reduce.max_kept,
                                    .give_up_early = settings->reduce.early_stop && has_one_kind(e) &&
                                                     laser_objective_is_positive(&e->objective),
                                    .lookahead = (int)settings->reduce.lookahead};
    laser_search_items(e, LASER_PART_SELECTION, s->weights, s->batch_first, p);
    laser_strategy_search(settings->reduce.strategy, compat, s->now == &s->trials->plan, p);
}

int laser_reduction_search_memory(struct laser_reduction_search *s, struct laser_error *err)
{
    const struct laser_evaluation *e = s->setup->e;

    s->weights = malloc((size_t)e->n_items * sizeof *s->weights + 1);
    s->batch_first = malloc(((size_t)e->n_items + 1) * sizeof *s->batch_first);
    s->trial_means = malloc(((size_t)s->trials->plan.n_trials + 1) * sizeof *s->trial_means);
    if (s->weights == NULL || s->batch_first == NULL || s->trial_means == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " items", e->n_items);
    for (int64_t i = 0; i < e->n_items; ++i)
        s->weights[i] = laser_item_weight(e, i);
    for (int t = 0; t < s->trials->plan.n_trials; ++t)
        s->trial_means[t] = NAN;
    return LASER_OK;
}

int laser_reduction_open_search(struct laser_reduction_search *s, struct laser_error *err)
{
    struct laser_search *earlier = s->state; /* the round before, or the sweep before a composition */
    struct laser_search_plan plan;
    double base;
    int code;

    if (s->decisions == NULL && (s->decisions = json_array()) == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory");
    fill_search_plan(s, &plan);
    if (laser_reduction_first(s) == 0) {
        s->rule = laser_keep_rule_of(s->trials, &plan);
        if (earlier != NULL)
            laser_keep_rule_check_base(s->setup->run, &s->rule, laser_search_base(earlier, &base));
    }
    s->state = NULL;
    code = laser_search_create(&plan, laser_reduction_decided, s, &s->state, err);
    if (code == LASER_OK)
        code = laser_reduction_replay(s, err);
    if (code == LASER_OK && earlier != NULL)
        code = laser_search_continue(s->state, earlier, err);
    laser_search_free(earlier);
    s->last_decision_s = laser_clock_s();
    return code;
}

int32_t *laser_reduction_last_edits(const struct laser_reduction *r, int *n)
{
    int n_kept, n_last = 0;
    const int32_t *kept = laser_search_kept(r->search.state, &n_kept);
    int32_t *last = malloc((size_t)n_kept * sizeof *last + 1);

    for (int i = 0; last != NULL && i < n_kept; ++i) {
        bool replaced = false;
        for (int j = i + 1; j < n_kept && !replaced; ++j)
            replaced = r->trials.edits.files[kept[j]].matrix == r->trials.edits.files[kept[i]].matrix;
        if (!replaced)
            last[n_last++] = kept[i];
    }
    *n = n_last;
    return last;
}
