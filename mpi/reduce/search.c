#include "reduce/forecast.h"
#include "reduce/reduction.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "comm/agree.h"
#include "schedule/calibrate.h"

void laser_mpi_reduction_announce(struct laser_reduction *r)
{
    struct laser_forecast forecast;
    struct laser_calibration speed;

    laser_mpi_calibrate(r->run, &speed);
    if (r->run->rank != 0)
        return;
    laser_forecast_search(r, r->plan.n_trials, &speed, 0, &forecast);
    laser_forecast_say(r->run->log, &forecast);
}

/* The search of r->now. */
static int run_search(struct laser_reduction *r, const char *phase, struct laser_error *err)
{
    int code = LASER_OK;

    if (r->run->rank == 0)
        code = laser_reduction_open_search(r, err);
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    r->last_decision_s = laser_clock_s();
    if (code == LASER_OK)
        code = laser_mpi_evaluate_search(r->e, phase, r->search, LASER_PART_SELECTION, err);
    if (code == LASER_OK && r->run->rank == 0)
        code = laser_reduction_remember_base(r, err);
    return laser_mpi_agree(laser_mpi_world(r->run), code, err);
}

/* The edits of r->plan that are not skipped any more, in the place of the list before. */
static int make_edits(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_edit_list made = {0};
    /* Edits are made from the model as it was: none may be in place. */
    int code = laser_mpi_agree(laser_mpi_world(r->run), laser_evaluation_edits(r->e, NULL, 0, err), err);

    if (code == LASER_OK)
        code = laser_mpi_edits_make(r->run, &r->plan, &made, err);
    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(r->run), laser_evaluation_edits(r->e, made.files, made.n, err),
                               err);
    if (code != LASER_OK) {
        laser_edit_list_free(&made);
        return code;
    }
    laser_edit_list_free(&r->edits);
    r->edits = made;
    return LASER_OK;
}

/* Round after round of a sweep that does not measure all. */
static int run_rounds(struct laser_reduction *r, const char *phase, struct laser_error *err)
{
    int more = 1, code = LASER_OK;

    while (code == LASER_OK && more) {
        code = run_search(r, phase, err);
        more = 0;
        if (code == LASER_OK && r->run->rank == 0 && r->evaluations > 0)
            code = laser_reduction_next_round(r, &more, err);
        code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
        MPI_Bcast(&more, 1, MPI_INT, 0, laser_mpi_world(r->run));
        if (code == LASER_OK && more)
            code = make_edits(r, err);
    }
    r->round_first = 0;
    return code;
}

int laser_mpi_reduction_search(struct laser_reduction *r, struct laser_error *err)
{
    int code = r->run->rank == 0 ? laser_reduction_search_memory(r, err) : LASER_OK;

    if (!laser_tune_is(r) && r->changes == NULL) /* it was said before the gradient else */
        laser_mpi_reduction_announce(r);
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    if (code == LASER_OK)
        code =
            run_rounds(r, laser_reduction_strategy_is(r, LASER_STRATEGY_COMPOSE) ? "sweep" : "search", err);
    if (code != LASER_OK || !laser_sweep_is(r))
        return code;
    if (r->run->rank == 0)
        code = laser_reduction_sweep_measured(r, err);
    if (r->run->rank == 0 && code == LASER_OK && laser_reduction_strategy_is(r, LASER_STRATEGY_COMPOSE))
        code = laser_reduction_sweep_compose(r, err);
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    return code == LASER_OK && laser_reduction_strategy_is(r, LASER_STRATEGY_COMPOSE)
               ? run_search(r, "compose", err)
               : code;
}

int laser_mpi_reduction_report(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_search_candidate candidates[2] = {{.n_trials = 1}, {.first_trial = 1, .n_trials = 1}};
    struct laser_search_trial trials[2];
    struct laser_search_plan plan = {
        .candidates = candidates, .trials = trials, .accept = LASER_ACCEPT_NEVER, .lookahead = 2};
    struct laser_search *search = NULL;
    int code = LASER_OK;

    if (r->run->rank == 0) {
        laser_search_items(r->e, LASER_PART_REPORT, r->weights, r->batch_first, &plan);
        code = laser_reduction_fill_report(r, &plan, trials, err);
        if (code == LASER_OK)
            code = laser_search_create(&plan, laser_reduction_report_decided, r, &search, err);
    }
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_search(r->e, "report", search, LASER_PART_REPORT, err);
    if (code == LASER_OK && r->run->rank == 0) {
        const double *windows = laser_search_base(search, &r->report_base);
        r->report_base_se =
            laser_reduction_error(windows, plan.window_weights, plan.n_windows, r->report_base);
        r->report_final_se = laser_reduction_error(r->final + r->e->part_item[LASER_PART_REPORT],
                                                   plan.window_weights, plan.n_windows, r->report_final);
    }
    laser_search_free(search);
    free((void *)(uintptr_t)plan.edits);
    return code;
}

int laser_mpi_reduction_measure(struct laser_reduction *r, struct laser_error *err)
{
    size_t bytes = (size_t)r->e->n_items * sizeof *r->before + 1;
    const int32_t *kept = NULL;
    int n = 0, code = LASER_OK;

    if (r->run->rank == 0) {
        kept = laser_search_kept(r->search, &n);
        r->before = malloc(bytes);
        r->after = malloc(bytes);
        r->options_before = calloc((size_t)r->e->set.n_options + 1, sizeof *r->options_before);
        if (r->before == NULL || r->after == NULL || r->options_before == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %" PRId64 " items",
                                   r->e->n_items);
    }
    code = laser_mpi_agree(laser_mpi_world(r->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_all(r->e, "before", NULL, 0, r->before, err);
    if (code == LASER_OK && r->run->rank == 0)
        memcpy(r->options_before, r->e->option_nats, (size_t)r->e->set.n_options * sizeof *r->options_before);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_all(r->e, "after", kept, n, r->after, err);
    return code;
}
