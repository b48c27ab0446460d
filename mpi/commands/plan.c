/* The command `plan`: what a scan would cost on this number of ranks, without computing. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "commands/commands.h"
#include "compress/plan.h"
#include "evaluate/evaluation.h"
#include "evaluate/plan_evaluation.h"
#include "plan/calibrate.h"
#include "plan/cluster.h"
#include "plan/layout.h"
#include "plan/scan_plan.h"
#include "reduce/forecast.h"
#include "run/notes.h"
#include "schedule/calibrate.h"

static void say_phases(const struct laser_run *run, const struct laser_plan *plan)
{
    for (int p = 0; p < plan->nphases; ++p) {
        const struct laser_plan_phase *phase = &plan->phases[p];
        double memory = 0;
        for (int64_t j = phase->first; j < phase->first + phase->count; ++j)
            if (plan->jobs[j].memory_bytes > memory)
                memory = plan->jobs[j].memory_bytes;
        laser_log_line(run->log, "PHASE",
                       "%" PRId64 " matrices by %d groups of %d rank%s, %.1f MB a rank, about %.3g s",
                       phase->count, phase->groups, phase->group_size, phase->group_size == 1 ? "" : "s",
                       memory / 1e6, phase->makespan_s);
    }
}

static bool alike(const struct laser_run *run, const struct laser_plan_job *a, const struct laser_plan_job *b)
{
    const struct laser_matrix *m = &run->matrices.matrices[a->matrix],
                              *o = &run->matrices.matrices[b->matrix];

    return m->rows == o->rows && m->cols == o->cols && a->group_size == b->group_size;
}

/* One line for each shape, largest work first as the plan has them. */
static void say_matrices(const struct laser_run *run, const struct laser_plan *plan, enum laser_route route)
{
    char line[256];

    snprintf(line, sizeof line, "%10s %10s %10s %12s %12s %12s  %s\n", "rows", "columns", "how many",
             "ranks each", "GFLOP each", "s each", "first of them");
    laser_log_block(run->log, line);
    for (int64_t j = 0; j < plan->njobs; ++j) {
        const struct laser_plan_job *job = &plan->jobs[j];
        const struct laser_matrix *m = &run->matrices.matrices[job->matrix];
        int64_t first = 0, count = 0;
        while (!alike(run, &plan->jobs[first], job))
            ++first;
        if (first < j)
            continue;
        for (int64_t i = j; i < plan->njobs; ++i)
            count += alike(run, &plan->jobs[i], job);
        snprintf(line, sizeof line, "%10" PRId64 " %10" PRId64 " %10" PRId64 " %12d %12.3g %12.3g  %.80s\n",
                 m->rows, m->cols, count, job->group_size,
                 laser_cost_flops(laser_route_for(route, job->group_size), m->rows, m->cols) / 1e9,
                 job->seconds, m->name);
        laser_log_block(run->log, line);
    }
}

/* More workers than seconds of work are not worth starting. */
static int most_workers(const struct laser_plan *plan)
{
    return plan->work_s < 1 ? 1 : plan->work_s > 4096 ? 4096 : (int)plan->work_s;
}

/* Within the cores that are here; what more of them would be good for is said, too. */
static int say_recommended(const struct laser_run *run, const struct laser_plan_matrix *wanted, int64_t n,
                           const struct laser_cost_rates *rates, const struct laser_plan *plan, int cores,
                           struct laser_error *err)
{
    int most = most_workers(plan), here = 1, best = 1, code;
    char more[80] = "";

    code = laser_plan_recommend(wanted, n, rates, run->memory_limit_bytes, most, &best, err);
    if (code == LASER_OK)
        code = laser_plan_recommend(wanted, n, rates, run->memory_limit_bytes, most < cores ? most : cores,
                                    &here, err);
    if (code != LASER_OK)
        return code;
    if (best > here)
        snprintf(more, sizeof more, "; on more cores up to %d workers are of use", best);
    laser_log_line(run->log, "RECOMMEND", "mpirun -np %d (%d worker%s%s) for the %d core%s here%s",
                   here > 1 ? here + 1 : 1, here, here > 1 ? "s" : "",
                   here > 1 ? " and the coordinator, which hardly computes" : "", cores, cores > 1 ? "s" : "",
                   more);
    return LASER_OK;
}

static int plan_scan(const struct laser_run *run, const struct laser_calibration *speed,
                     struct laser_error *err)
{
    struct laser_plan_limits limits = {.workers = run->size > 1 ? run->size - 1 : 1,
                                       .group_size = (int)run->settings->parallel.group_size,
                                       .limit_bytes = run->memory_limit_bytes};
    struct laser_plan_matrix *wanted;
    struct laser_cost_rates rates;
    struct laser_plan plan = {0};
    int64_t n;
    char misfits[80] = "";
    int code = laser_scan_wanted(run, NULL, &wanted, NULL, &n, err);

    if (code != LASER_OK)
        return code;
    if (limits.group_size > limits.workers)
        limits.group_size = limits.workers;
    laser_calibration_rates(speed, &rates);
    code = laser_plan_make(&plan, wanted, n, &rates, &limits, err);
    if (code == LASER_OK) {
        laser_log_line(run->log, "PLAN", "%s: %" PRId64 " matrices, %" PRId64 " tensors skipped",
                       run->checkpoint->model, n, run->matrices.n_skipped);
        laser_log_line(run->log, "SPEED",
                       "%d worker%s here, measured at once, each: %.3g GFLOP/s in float64 products, %.3g in "
                       "reductions to tridiagonal form, %.3g in linear layers",
                       limits.workers, limits.workers > 1 ? "s" : "", speed->product_flops / 1e9,
                       speed->tridiagonal_flops / 1e9, speed->forward_flops / 1e9);
        say_matrices(run, &plan, laser_scan_route(run));
        say_phases(run, &plan);
        if (plan.misfits > 0)
            snprintf(misfits, sizeof misfits, "; %" PRId64 " matrices fit into no group of them",
                     plan.misfits);
        laser_log_line(run->log, "TOTAL", "%d rank%s: about %.3g s; limit %.3g GB a rank%s", run->size,
                       run->size == 1 ? "" : "s", plan.makespan_s, run->memory_limit_bytes / 1e9, misfits);
        code = say_recommended(run, wanted, n, &rates, &plan, speed->cores, err);
    }
    laser_plan_free(&plan);
    free(wanted);
    return code;
}

/* What `reduce` would do with the texts and tasks. */
static int plan_reduction(struct laser_run *run, const struct laser_calibration *speed,
                          const struct laser_layout *layout, struct laser_error *err)
{
    struct laser_mpi_evaluation whole;
    struct laser_evaluation *e = &whole.evaluation;
    struct laser_reduction r;
    struct laser_forecast forecast;
    int trials = 0, code;

    laser_mpi_evaluation_init(&whole);
    laser_reduction_init(&r, run, e);
    code = laser_mpi_texts_open(run, &whole, err);
    if (code == LASER_OK) {
        e->n_groups = layout->replicas;
        e->group_size = layout->shards;
        e->flops_per_token = layout->flops_per_token;
        code = laser_reduction_split(e, &r.setup.has_report, err);
    }
    if (code == LASER_OK && run->rank == 0 && !laser_tune_is(&r.setup))
        code = laser_reduction_count(&r.trials, &trials, err);
    if (code == LASER_OK && run->rank == 0) {
        if (laser_tune_is(&r.setup))
            laser_forecast_tune(e, speed, 0, &forecast);
        else
            laser_forecast_search(&r.setup, trials, speed, 0, &forecast);
        laser_forecast_say(run->log, &forecast);
    }
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    laser_mpi_evaluation_close(e);
    laser_reduction_free(&r);
    return code;
}

int laser_mpi_command_plan(struct laser_run *run, struct laser_error *err)
{
    struct laser_calibration speed;
    struct laser_layout layout;
    int code = laser_mpi_run_open_model(run, err);

    if (code != LASER_OK)
        return code;
    laser_mpi_calibrate(run, &speed);
    laser_say_groups(run);
    if (run->rank == 0)
        code = plan_scan(run, &speed, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_plan_evaluation(run, speed.forward_flops, &layout, err);
    if (code == LASER_OK && layout.replicas > 0 &&
        (run->settings->evaluate.text.count > 0 || run->settings->evaluate.task.count > 0))
        code = plan_reduction(run, &speed, &layout, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_plan_cluster(run, &speed, &layout, err);
    if (code == LASER_OK && run->rank == 0)
        code = laser_compress_plan(run, &speed, &layout, err);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}
