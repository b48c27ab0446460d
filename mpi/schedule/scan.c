#include "schedule/scan.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "checkpoint/step.h"
#include "comm/agree.h"
#include "comm/log.h"
#include "plan/calibrate.h"
#include "plan/scan_plan.h"
#include "schedule/calibrate.h"
#include "schedule/solve.h"
#include "schedule/work_list.h"
#include "store/parts.h"
#include "store/report.h"
#include "store/results.h"

/* One scan: rank 0's side and a worker's side. */
struct scan {
    struct laser_run *run;
    struct laser_rule rule;

    /* rank 0 */
    const struct laser_plan_job *jobs; /* of the phase */
    int64_t n_jobs;
    struct laser_mpi_work_list list; /* its progress is that of the whole scan */

    /* leaders */
    struct laser_part_writer part;
    double *sigma;
    int64_t sigma_room;
};

/* Into the ledger; durable about once a second at the file system's pace is left to the system: a lost tail
 * is computed again. */
static int record(struct laser_run *run, int64_t matrix, const struct laser_outcome *outcome,
                  struct laser_error *err)
{
    struct laser_ledger_line line;

    run->outcomes[matrix] = *outcome;
    laser_metrics_texts(&run->outcomes[matrix].metrics);
    laser_outcome_write(run->matrices.matrices[matrix].name, outcome, &line);
    return laser_ledger_append(run->ledger, &line, false, err);
}

static double expected(void *context, int64_t matrix)
{
    const struct scan *scan = context;

    for (int64_t i = 0; i < scan->n_jobs; ++i)
        if (scan->jobs[i].matrix == matrix)
            return scan->jobs[i].seconds;
    return 0;
}

static int done(void *context, int64_t matrix, const void *result, struct laser_error *err)
{
    struct scan *scan = context;
    const struct laser_outcome *outcome = result;

    if (outcome->status == LASER_OUTCOME_FAILED)
        laser_log_line(scan->run->log, "FAILED", "%s: %s", scan->run->matrices.matrices[matrix].name,
                       outcome->reason);
    return record(scan->run, matrix, outcome, err);
}

static int64_t short_side(const struct laser_matrix *m)
{
    return m->rows < m->cols ? m->rows : m->cols;
}

/* The leader's part after the values are known. */
static int keep_values(struct scan *scan, const struct laser_matrix *m, struct laser_outcome *outcome,
                       struct laser_error *err)
{
    int code = laser_metrics_fill(&scan->rule, scan->sigma, m->rows, m->cols, &outcome->metrics, err);

    if (code == LASER_OK)
        code = laser_part_append(&scan->part, scan->sigma, short_side(m), &outcome->values, err);
    return code;
}

static double flops_of(const struct laser_matrix *m, int solver)
{
    return laser_cost_flops(solver == LASER_SOLVER_GESVD ? LASER_ROUTE_SERIAL_GESVD : LASER_ROUTE_SERIAL_GRAM,
                            m->rows, m->cols);
}

static int work(void *context, const struct laser_mpi_team *team, int64_t matrix, void *result,
                struct laser_error *err)
{
    struct scan *scan = context;
    struct laser_outcome *outcome = result;
    const struct laser_matrix *m = &scan->run->matrices.matrices[matrix];
    struct laser_error why = {0};
    int code;

    memset(outcome, 0, sizeof *outcome);
    outcome->ranks = team->group_size;
    code = laser_mpi_solve_values(scan->run, team, m, &scan->rule, scan->sigma, outcome, &why);
    outcome->status = code == LASER_OK ? LASER_OUTCOME_SCANNED : LASER_OUTCOME_FAILED;
    laser_log_work(scan->run->log, 0, flops_of(m, outcome->solver) / team->group_size);
    if (code != LASER_OK) { /* stays in the group: the matrix has failed, the scan goes on */
        outcome->code = code;
        snprintf(outcome->reason, sizeof outcome->reason, "%.120s%s%.250s", why.where,
                 why.where[0] != '\0' ? ": " : "", why.text);
        return LASER_OK;
    }
    if (team->group_rank == 0)
        code = keep_values(scan, m, outcome, err);
    if (code == LASER_OK && team->group_rank == 0 && scan->run->change == NULL)
        code = laser_matrix_step_noise(scan->run->checkpoint, m, &outcome->step_noise, err);
    return team->group_size > 1 ? laser_mpi_agree(team->group_comm, code, err) : code;
}

/* The plan of what is open; the same on every rank. */
static int make_plan(struct laser_run *run, const unsigned char *open, struct laser_plan *plan,
                     int64_t *indices, struct laser_error *err)
{
    struct laser_plan_limits limits = {.group_size = (int)run->settings->parallel.group_size,
                                       .limit_bytes = run->memory_limit_bytes,
                                       .workers = run->size > 1 ? run->size - 1 : 1};
    struct laser_plan_matrix *wanted;
    struct laser_cost_rates rates;
    int64_t n;
    int code = laser_scan_wanted(run, open, &wanted, indices, &n, err);

    if (code != LASER_OK)
        return code;
    laser_cost_defaults(&rates);
    if (limits.group_size > limits.workers)
        limits.group_size = limits.workers;
    code = laser_plan_make(plan, wanted, n, &rates, &limits, err);
    free(wanted);
    return code;
}

static void say_memory(const struct laser_run *run, const struct laser_plan *plan)
{
    struct laser_cost_rates rates;
    char bytes[LASER_NUMBER_SIZE];

    laser_cost_defaults(&rates);
    laser_log_line(run->log, "MEMORY", "scan: about %s a rank",
                   laser_number_bytes(laser_scan_peak_bytes(run, &rates, plan), bytes));
}

static int run_phase(struct scan *scan, const struct laser_plan *plan, const struct laser_plan_phase *phase,
                     struct laser_error *err)
{
    struct laser_mpi_team team;
    int64_t *matrices = calloc((size_t)phase->count + 1, sizeof *matrices);
    int code = matrices == NULL ? laser_error_set(err, LASER_ENOMEM, "scan", "no memory") : LASER_OK;

    code = laser_mpi_agree(laser_mpi_world(scan->run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_team_create(laser_mpi_world(scan->run), phase->group_size, &team, err);
    if (code == LASER_OK) {
        scan->jobs = plan->jobs + phase->first;
        scan->n_jobs = phase->count;
        for (int64_t i = 0; i < phase->count; ++i)
            matrices[i] = scan->jobs[i].matrix;
        scan->list.pieces = matrices;
        scan->list.n = phase->count;
        code = laser_mpi_work_list_run(&team, &scan->list, err);
        laser_mpi_team_free(&team);
    }
    free(matrices);
    return code;
}

/* Matrices that fit into no group are failed before anything is computed. */
static int refuse_misfits(struct laser_run *run, const struct laser_plan *plan, struct laser_error *err)
{
    int code = LASER_OK;

    for (int64_t i = 0; code == LASER_OK && i < plan->njobs; ++i) {
        struct laser_outcome outcome = {.status = LASER_OUTCOME_FAILED, .code = LASER_ENOMEM};
        const struct laser_matrix *m;
        struct laser_cost_rates rates;
        struct laser_error why = {0};
        int ignored;

        if (plan->jobs[i].code == LASER_OK)
            continue;
        m = &run->matrices.matrices[plan->jobs[i].matrix];
        laser_cost_defaults(&rates);
        laser_cost_group_size(&rates, LASER_ROUTE_SERIAL_GRAM, m->name, m->rows, m->cols,
                              run->size > 1 ? run->size - 1 : 1, run->memory_limit_bytes, &ignored, &why);
        snprintf(outcome.reason, sizeof outcome.reason, "%.380s", why.text);
        laser_log_line(run->log, "FAILED", "%s: %s", m->name, outcome.reason);
        code = record(run, plan->jobs[i].matrix, &outcome, err);
    }
    return code;
}

static int open_worker(struct scan *scan, struct laser_error *err)
{
    struct laser_run *run = scan->run;
    int code = LASER_OK;

    scan->part.fd = -1;
    for (int64_t i = 0; i < run->matrices.n_matrices; ++i)
        if (short_side(&run->matrices.matrices[i]) > scan->sigma_room)
            scan->sigma_room = short_side(&run->matrices.matrices[i]);
    if (run->size > 1 && run->rank == 0)
        return LASER_OK;
    scan->sigma = malloc(((size_t)scan->sigma_room + 1) * sizeof *scan->sigma);
    if (scan->sigma == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "scan", "no memory for %" PRId64 " singular values",
                               scan->sigma_room);
    if (code == LASER_OK)
        code = laser_part_open(run->output, run->rank, &scan->part, err);
    return code;
}

/* Rank 0: the metrics of what an earlier start has finished, from its values; a record that is not whole is
 * open again. */
static int restore(struct laser_run *run, const struct laser_rule *rule, struct laser_error *err)
{
    for (int64_t i = 0; i < run->matrices.n_matrices; ++i) {
        struct laser_outcome *o = &run->outcomes[i];
        const struct laser_matrix *m = &run->matrices.matrices[i];
        double *sigma;
        struct laser_error why;
        int code;

        if (o->status == LASER_OUTCOME_FAILED)
            o->status = LASER_OUTCOME_OPEN; /* tried again */
        if (o->status == LASER_OUTCOME_OPEN)
            continue;
        sigma = malloc((size_t)short_side(m) * sizeof *sigma);
        if (sigma == NULL)
            return laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its singular values");
        if (o->values.count != short_side(m) ||
            laser_part_read(run->output, &o->values, sigma, &why) != LASER_OK) {
            laser_log_line(run->log, "RESUME", "%s is computed again: its values are not whole", m->name);
            o->status = LASER_OUTCOME_OPEN;
            code = LASER_OK;
        } else {
            code = laser_metrics_fill(rule, sigma, m->rows, m->cols, &o->metrics, err);
        }
        free(sigma);
        if (code != LASER_OK)
            return code;
    }
    return LASER_OK;
}

static int scan_open(struct scan *scan, unsigned char *open, struct laser_error *err)
{
    struct laser_run *run = scan->run;
    struct laser_plan plan = {0};
    int64_t *indices = calloc((size_t)run->matrices.n_matrices + 1, sizeof *indices);
    int code = LASER_OK;

    if (run->rank == 0)
        for (int64_t i = 0; i < run->matrices.n_matrices; ++i)
            scan->list.n_total += open[i] = run->outcomes[i].status == LASER_OUTCOME_OPEN;
    MPI_Bcast(open, (int)run->matrices.n_matrices, MPI_BYTE, 0, laser_mpi_world(run));
    if (indices == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "scan", "no memory");
    if (code == LASER_OK)
        code = make_plan(run, open, &plan, indices, err);
    for (int64_t i = 0; code == LASER_OK && i < plan.njobs; ++i)
        plan.jobs[i].matrix = indices[plan.jobs[i].matrix];
    if (code == LASER_OK && run->rank == 0)
        code = refuse_misfits(run, &plan, err);
    if (code == LASER_OK && run->rank == 0 && plan.njobs > 0)
        say_memory(run, &plan);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    for (int p = 0; code == LASER_OK && p < plan.nphases; ++p)
        code = run_phase(scan, &plan, &plan.phases[p], err);
    laser_plan_free(&plan);
    free(indices);
    return code;
}

int laser_mpi_scan_matrices(struct laser_run *run, struct laser_error *err)
{
    struct scan scan = {.run = run,
                        .list = {.run = run,
                                 .unit = "matrices",
                                 .result_bytes = sizeof(struct laser_outcome),
                                 .depth = 2,
                                 .unit_s = laser_calibration_slowness(&run->speed),
                                 .work = work,
                                 .done = done,
                                 .expected = expected}};
    unsigned char *open = calloc((size_t)run->matrices.n_matrices + 1, 1);
    int code = laser_rule_parse(run->settings->scan.threshold, &scan.rule, err);

    scan.list.context = &scan;
    if (open == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "scan", "no memory");
    if (code == LASER_OK)
        code = open_worker(&scan, err);
    if (code == LASER_OK && run->rank == 0)
        code = restore(run, &scan.rule, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK) {
        laser_log_phase(run->log, "scan");
        code = scan_open(&scan, open, err);
        laser_log_phase_end(run->log);
    }
    laser_part_close(&scan.part);
    free(scan.sigma);
    free(open);
    return code;
}

int laser_mpi_scan(struct laser_run *run, struct laser_error *err)
{
    int code = laser_mpi_scan_matrices(run, err);
    json_t *phases;

    if (code != LASER_OK)
        return code;
    phases = laser_mpi_log_phases_json(run->log, laser_mpi_world(run));
    if (run->rank == 0)
        code = laser_results_scan(run, phases, err);
    json_decref(phases);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}
