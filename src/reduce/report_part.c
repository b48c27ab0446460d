/* What was kept, on the items that did not select: a search that keeps nothing. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/reduce.h"

static int allocate(struct laser_reduction_report *report, int n_edits, struct laser_error *err)
{
    int64_t n = report->setup->e->n_items;

    report->items = malloc((size_t)n * sizeof *report->items + 1);
    report->batch_first = malloc(((size_t)n + 1) * sizeof *report->batch_first);
    report->edits = calloc((size_t)n_edits + 1, sizeof *report->edits);
    if (report->items == NULL || report->batch_first == NULL || report->edits == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " items, %d edits", n,
                               n_edits);
    for (int64_t i = 0; i < n; ++i)
        report->items[i] = NAN;
    return LASER_OK;
}

/* The kept edits are candidate 0, the winner of a sweep is candidate 1. */
static int decided(void *context, const struct laser_search_decision *d, struct laser_error *err)
{
    struct laser_reduction_report *report = context;
    struct laser_reported reported = {d->difference, d->difference_se, d->n_better, d->n_worse};

    (void)err;
    if (d->candidate == 1) {
        report->winner = reported;
        return LASER_OK;
    }
    memcpy(report->items + report->setup->e->part_item[LASER_PART_REPORT], d->windows,
           (size_t)d->n_windows * sizeof *report->items);
    report->final = d->nll;
    report->kept = reported;
    return LASER_OK;
}

int laser_reduction_report_open(struct laser_reduction_report *report, const struct laser_reduction_search *s,
                                struct laser_error *err)
{
    struct laser_search_plan plan = {.candidates = report->candidates,
                                     .trials = report->trials,
                                     .accept = LASER_ACCEPT_NEVER,
                                     .lookahead = 2};
    const struct laser_strategy_plan *tried = &s->trials->plan;
    int n_kept, n_winner = 0, code;
    const int32_t *kept = laser_search_kept(s->state, &n_kept), *winner = NULL;

    if (s->winner >= 0) {
        winner = tried->edit_numbers + tried->trials[s->winner].first_edit;
        n_winner = tried->trials[s->winner].n_edits;
    }
    code = allocate(report, n_kept + n_winner, err);
    if (code != LASER_OK)
        return code;
    memcpy(report->edits, kept, (size_t)n_kept * sizeof *report->edits);
    if (n_winner > 0)
        memcpy(report->edits + n_kept, winner, (size_t)n_winner * sizeof *report->edits);
    for (int i = 0; i < 2; ++i)
        report->candidates[i] = (struct laser_search_candidate){.first_trial = i, .n_trials = 1};
    report->trials[0] = (struct laser_search_trial){.n_edits = n_kept};
    report->trials[1] = (struct laser_search_trial){.first_edit = n_kept, .n_edits = n_winner};
    plan.edits = report->edits;
    plan.n_edits = n_kept + n_winner;
    plan.n_candidates = plan.n_trials = n_winner > 0 ? 2 : 1;
    laser_search_items(report->setup->e, LASER_PART_REPORT, s->weights, report->batch_first, &plan);
    return laser_search_create(&plan, decided, report, &report->state, err);
}

void laser_reduction_report_measured(struct laser_reduction_report *report,
                                     const struct laser_reduction_search *s)
{
    const int64_t *first = report->setup->e->part_item + LASER_PART_REPORT;
    const double *weights = s->weights + first[0], *windows = laser_search_base(report->state, &report->base);
    int n = (int)(first[1] - first[0]);

    report->base_se = laser_reduction_error(windows, weights, n, report->base);
    report->final_se = laser_reduction_error(report->items + first[0], weights, n, report->final);
}

int laser_reduction_report_scores(struct laser_reduction_report *report, struct laser_error *err)
{
    const struct laser_evaluation *e = report->setup->e;
    size_t bytes = (size_t)e->n_items * sizeof *report->before + 1;

    report->before = malloc(bytes);
    report->after = malloc(bytes);
    report->options_before = calloc((size_t)e->set.n_options + 1, sizeof *report->options_before);
    return report->before != NULL && report->after != NULL && report->options_before != NULL
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " items", e->n_items);
}

void laser_reduction_report_free(struct laser_reduction_report *report)
{
    laser_search_free(report->state);
    free(report->edits);
    free(report->batch_first);
    free(report->items);
    free(report->before);
    free(report->after);
    free(report->options_before);
    json_decref(report->tune);
    laser_divergences_free(&report->divergence);
}
