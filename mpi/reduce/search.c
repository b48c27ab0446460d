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

    laser_mpi_calibrate(r->setup.run, &speed);
    if (r->setup.run->rank != 0)
        return;
    laser_forecast_search(&r->setup, r->trials.plan.n_trials, &speed, 0, &forecast);
    laser_forecast_say(r->setup.run->log, &forecast);
}

/* The search of r->search.now. */
static int run_search(struct laser_reduction *r, const char *phase, struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    int code = run->rank == 0 ? laser_reduction_open_search(&r->search, err) : LASER_OK;

    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    r->setup.e->beside = run->settings->reduce.max_kl > 0 ? &r->setup.bound : NULL;
    if (code == LASER_OK)
        code = laser_mpi_evaluate_search(r->setup.e, phase, r->search.state, LASER_PART_SELECTION, err);
    r->setup.e->beside = NULL;
    if (code == LASER_OK && run->rank == 0)
        code = laser_reduction_remember_base(&r->search, err);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

int laser_mpi_reduction_edits(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    struct laser_evaluation *e = r->setup.e;
    struct laser_edit_list made = {0};
    /* Edits are made from the model as it was: none may be in place. */
    int code = laser_mpi_agree(laser_mpi_world(run), laser_evaluation_edits(e, NULL, 0, err), err);

    if (code == LASER_OK)
        code = laser_mpi_edits_make(run, &r->trials.plan, &made, err);
    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(run), laser_evaluation_edits(e, made.files, made.n, err), err);
    if (code != LASER_OK) {
        laser_edit_list_free(&made);
        return code;
    }
    laser_edit_list_free(&r->trials.edits);
    r->trials.edits = made;
    return LASER_OK;
}

/* Round after round of a sweep that does not measure all. */
static int run_rounds(struct laser_reduction *r, const char *phase, struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    int more = 1, code = LASER_OK;

    while (code == LASER_OK && more) {
        code = run_search(r, phase, err);
        more = 0;
        if (code == LASER_OK && run->rank == 0 && r->trials.evaluations > 0)
            code = laser_reduction_next_round(&r->trials, r->search.trial_means, &more, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
        MPI_Bcast(&more, 1, MPI_INT, 0, laser_mpi_world(run));
        if (code == LASER_OK && more)
            code = laser_mpi_reduction_edits(r, err);
    }
    return code;
}

int laser_mpi_reduction_search(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    int said = laser_tune_is(&r->setup) || r->trials.changes != NULL; /* before the gradient */
    bool composes = laser_reduction_strategy_is(&r->setup, LASER_STRATEGY_COMPOSE);
    int code = run->rank == 0 ? laser_reduction_search_memory(&r->search, err) : LASER_OK;

    MPI_Bcast(&said, 1, MPI_INT, 0, laser_mpi_world(run));
    if (!said)
        laser_mpi_reduction_announce(r);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = run_rounds(r, composes ? "sweep" : "search", err);
    if (code != LASER_OK || !laser_sweep_is(&r->setup))
        return code;
    if (run->rank == 0)
        code = laser_reduction_sweep_measured(&r->search, err);
    if (run->rank == 0 && code == LASER_OK && composes)
        code = laser_reduction_sweep_compose(&r->search, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    return code == LASER_OK && composes ? run_search(r, "compose", err) : code;
}

int laser_mpi_reduction_report(const struct laser_reduction_search *search,
                               struct laser_reduction_report *report, struct laser_error *err)
{
    const struct laser_run *run = report->setup->run;
    int code = run->rank == 0 ? laser_reduction_report_open(report, search, err) : LASER_OK;

    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_search(report->setup->e, "report", report->state, LASER_PART_REPORT, err);
    if (code == LASER_OK && run->rank == 0)
        laser_reduction_report_measured(report, search);
    return code;
}

int laser_mpi_reduction_measure(const struct laser_reduction_search *search,
                                struct laser_reduction_report *report, struct laser_error *err)
{
    struct laser_evaluation *e = report->setup->e;
    const int32_t *kept = NULL;
    int n = 0, code = LASER_OK;

    if (e->run->rank == 0) {
        kept = laser_search_kept(search->state, &n);
        code = laser_reduction_report_scores(report, err);
    }
    code = laser_mpi_agree(laser_mpi_world(e->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_all(e, "before", NULL, 0, report->before, err);
    if (code == LASER_OK && e->run->rank == 0)
        memcpy(report->options_before, e->option_nats,
               (size_t)e->set.n_options * sizeof *report->options_before);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_all(e, "after", kept, n, report->after, err);
    return code;
}
