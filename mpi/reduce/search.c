#include "reduce/reduce.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"

static bool strategy_is(const struct laser_mpi_reduction *r, enum laser_strategy strategy)
{
    return laser_deck_is(r->run->deck, "reduce.strategy", laser_strategy_name(strategy));
}

/* Windows or questions alone: the first of them tell about all. */
static bool has_one_kind(const struct laser_mpi_evaluation *e)
{
    int64_t last = e->part_item[LASER_PART_SELECTION + 1] - 1;

    return last < 0 || (e->items[0] < 0) == (e->items[last] < 0);
}

/* Of perplexity a relative rise, of another objective an amount of it. */
double laser_mpi_reduction_tolerance(const struct laser_mpi_reduction *r)
{
    double tolerance = laser_deck_real(r->run->deck, "reduce.tolerance");

    return laser_mpi_reduction_has_ppl(r) ? log1p(tolerance) : tolerance;
}

static void fill_search_plan(const struct laser_mpi_reduction *r, struct laser_search_plan *p)
{
    const struct laser_deck *deck = r->run->deck;
    bool compat = laser_deck_is(deck, "reduce.accept", "laserrmt");

    *p = (struct laser_search_plan){
        .candidates = r->now->candidates + r->round_first,
        .n_candidates = r->now->n_candidates - r->round_first,
        .trials = r->now->trials,
        .n_trials = r->now->n_trials,
        .edits = r->now->edit_numbers,
        .n_edits = r->now->n_edit_numbers,
        .accept = compat                                        ? LASER_ACCEPT_NOT_WORSE
                  : laser_objective_share(&r->e.objective) >= 0 ? LASER_ACCEPT_MCNEMAR
                                                                : LASER_ACCEPT_PAIRED,
        .z = laser_search_z(laser_mpi_rule_tried(r)),
        .tolerance = laser_mpi_reduction_tolerance(r),
        .max_kept = (int)laser_deck_int(deck, "reduce.max_kept"),
        .give_up_early = laser_deck_bool(deck, "reduce.early_stop") && has_one_kind(&r->e) &&
                         laser_objective_is_positive(&r->e.objective),
        .lookahead = (int)laser_deck_int(deck, "reduce.lookahead")};
    laser_mpi_search_items(&r->e, LASER_PART_SELECTION, r->weights, r->batch_first, p);
    if (strategy_is(r, LASER_STRATEGY_BACKWARD)) {
        if (compat)
            p->accept = LASER_ACCEPT_BETTER;
        if (p->max_kept == 0)
            p->max_kept = 5;
    } else if (strategy_is(r, LASER_STRATEGY_SWEEP) ||
               (strategy_is(r, LASER_STRATEGY_COMPOSE) && r->now == &r->plan)) {
        p->accept = LASER_ACCEPT_NEVER;
        p->give_up_early = false;
        p->max_kept = 0;
        if (p->lookahead > 0)
            p->lookahead = p->n_candidates; /* nothing is kept: no work is thrown away */
    } else if (strategy_is(r, LASER_STRATEGY_BUDGET)) {
        p->accept = LASER_ACCEPT_TOLERANCE;
        p->pick = LASER_PICK_FIRST;
    } else if (strategy_is(r, LASER_STRATEGY_ALL)) {
        /* Kept whatever it does, unless a tolerance was given. */
        p->accept = LASER_ACCEPT_TOLERANCE;
        p->give_up_early = false;
        if (!(p->tolerance > 0))
            p->tolerance = 1e300;
    }
}

/* Rank 0. */
static int make_memory(struct laser_mpi_reduction *r, struct laser_error *err)
{
    r->weights = malloc((size_t)r->e.n_items * sizeof *r->weights + 1);
    r->final = malloc((size_t)r->e.n_items * sizeof *r->final + 1);
    r->batch_first = malloc(((size_t)r->e.n_items + 1) * sizeof *r->batch_first);
    if (r->trial_means == NULL)
        r->trial_means = malloc(((size_t)r->plan.n_trials + 1) * sizeof *r->trial_means);
    if (r->weights == NULL || r->final == NULL || r->batch_first == NULL || r->trial_means == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " items", r->e.n_items);
    for (int64_t i = 0; i < r->e.n_items; ++i) {
        r->final[i] = NAN; /* of items that no search runs on */
        r->weights[i] = laser_mpi_item_weight(&r->e, i);
    }
    for (int t = 0; t < r->plan.n_trials; ++t)
        r->trial_means[t] = NAN;
    return LASER_OK;
}

static int open_search(struct laser_mpi_reduction *r, struct laser_error *err)
{
    struct laser_search *earlier = r->search; /* the round before, or the sweep before a composition */
    struct laser_search_plan plan;
    double base;
    int code;

    if (r->decisions == NULL && (r->decisions = json_array()) == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory");
    fill_search_plan(r, &plan);
    if (r->round_first == 0)
        laser_mpi_rule_say(r, &plan);
    if (earlier != NULL && r->round_first == 0)
        laser_mpi_rule_check_base(r, laser_search_base(earlier, &base));
    r->search = NULL;
    code = laser_search_create(&plan, laser_mpi_reduction_decided, r, &r->search, err);
    if (code == LASER_OK)
        code = laser_mpi_reduction_replay(r, err);
    if (code == LASER_OK && earlier != NULL)
        code = laser_search_continue(r->search, earlier, err);
    laser_search_free(earlier);
    return code;
}

/* The search of r->now. */
static int run_search(struct laser_mpi_reduction *r, const char *phase, struct laser_error *err)
{
    int code = LASER_OK;

    if (r->run->rank == 0)
        code = open_search(r, err);
    code = laser_mpi_agree(r->run->world, code, err);
    r->last_decision_s = MPI_Wtime();
    if (code == LASER_OK)
        code = laser_mpi_evaluate_search(&r->e, phase, r->search, LASER_PART_SELECTION, err);
    if (code == LASER_OK && r->run->rank == 0)
        code = laser_mpi_reduction_remember_base(r, err);
    return laser_mpi_agree(r->run->world, code, err);
}

/* The edits of r->plan that are not skipped any more, in the place of the list before. */
static int make_edits(struct laser_mpi_reduction *r, struct laser_error *err)
{
    struct laser_mpi_edit_list made;
    int code = laser_mpi_edits_make(r->run, &r->plan, &made, err);

    if (code == LASER_OK)
        code =
            laser_mpi_agree(r->run->world, laser_mpi_evaluation_edits(&r->e, made.files, made.n, err), err);
    if (code != LASER_OK) {
        laser_mpi_edits_free(&made);
        return code;
    }
    laser_mpi_edits_free(&r->edits);
    r->edits = made;
    return LASER_OK;
}

/* Round after round of a sweep that does not measure all. */
static int run_rounds(struct laser_mpi_reduction *r, const char *phase, struct laser_error *err)
{
    int more = 1, code = LASER_OK;

    while (code == LASER_OK && more) {
        code = run_search(r, phase, err);
        more = 0;
        if (code == LASER_OK && r->run->rank == 0 && r->evaluations > 0)
            code = laser_mpi_screen_next(r, &more, err);
        code = laser_mpi_agree(r->run->world, code, err);
        MPI_Bcast(&more, 1, MPI_INT, 0, r->run->world);
        if (code == LASER_OK && more)
            code = make_edits(r, err);
    }
    r->round_first = 0;
    return code;
}

int laser_mpi_reduction_search(struct laser_mpi_reduction *r, struct laser_error *err)
{
    int code = r->run->rank == 0 ? make_memory(r, err) : LASER_OK;

    code = laser_mpi_agree(r->run->world, code, err);
    if (code == LASER_OK)
        code = run_rounds(r, strategy_is(r, LASER_STRATEGY_COMPOSE) ? "sweep" : "search", err);
    if (code != LASER_OK || !laser_mpi_sweep_is(r))
        return code;
    if (r->run->rank == 0)
        code = laser_mpi_sweep_measured(r, err);
    if (r->run->rank == 0 && code == LASER_OK && strategy_is(r, LASER_STRATEGY_COMPOSE))
        code = laser_mpi_sweep_compose(r, err);
    code = laser_mpi_agree(r->run->world, code, err);
    return code == LASER_OK && strategy_is(r, LASER_STRATEGY_COMPOSE) ? run_search(r, "compose", err) : code;
}

/* The kept edits as one trial on the report windows, against the base; the winner of a sweep as another. */
static int report_decided(void *context, const struct laser_search_decision *d, struct laser_error *err)
{
    struct laser_mpi_reduction *r = context;
    struct laser_mpi_reported reported = {d->difference, d->difference_se, d->n_better, d->n_worse};

    (void)err;
    if (d->candidate == 1) {
        r->winner_report = reported;
        return LASER_OK;
    }
    memcpy(r->final + r->e.part_item[LASER_PART_REPORT], d->windows, (size_t)d->n_windows * sizeof *r->final);
    r->report_final = d->nll;
    r->kept_report = reported;
    return LASER_OK;
}

/* Rank 0.  Kept edits, then those of the winner; two trials of it.  The caller frees plan->edits. */
static int fill_report(const struct laser_mpi_reduction *r, struct laser_search_plan *plan,
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

int laser_mpi_reduction_report(struct laser_mpi_reduction *r, struct laser_error *err)
{
    struct laser_search_candidate candidates[2] = {{.n_trials = 1}, {.first_trial = 1, .n_trials = 1}};
    struct laser_search_trial trials[2];
    struct laser_search_plan plan = {
        .candidates = candidates, .trials = trials, .accept = LASER_ACCEPT_NEVER, .lookahead = 2};
    struct laser_search *search = NULL;
    int code = LASER_OK;

    if (r->run->rank == 0) {
        laser_mpi_search_items(&r->e, LASER_PART_REPORT, r->weights, r->batch_first, &plan);
        code = fill_report(r, &plan, trials, err);
        if (code == LASER_OK)
            code = laser_search_create(&plan, report_decided, r, &search, err);
    }
    code = laser_mpi_agree(r->run->world, code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_search(&r->e, "report", search, LASER_PART_REPORT, err);
    if (code == LASER_OK && r->run->rank == 0) {
        const double *windows = laser_search_base(search, &r->report_base);
        r->report_base_se =
            laser_mpi_reduction_error(windows, plan.window_weights, plan.n_windows, r->report_base);
        r->report_final_se = laser_mpi_reduction_error(r->final + r->e.part_item[LASER_PART_REPORT],
                                                       plan.window_weights, plan.n_windows, r->report_final);
    }
    laser_search_free(search);
    free((void *)(uintptr_t)plan.edits);
    return code;
}
