#include "plan/cluster.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/node.h"
#include "base/number.h"
#include "checkpoint/coded.h"
#include "plan/layout.h"
#include "plan/machine.h"
#include "plan/scan_plan.h"
#include "plan/schedule.h"

#define PLAN_TOKENS  1000000
#define BATCH_TOKENS 1024

struct cost {
    double scan_s, evaluate_s, read_s, write_s;
    double scan_bytes, evaluate_bytes; /* peak of a rank */
    struct laser_layout layout;
    double flops_per_token;
    bool fits, evaluates; /* the scan, the evaluation fits into memory */
};

double laser_plan_thread_speed(int threads)
{
    return pow(2 * LASER_THREAD_EFFICIENCY, log2(threads));
}

static int plan_scan(const struct laser_run *run, const struct laser_cost_rates *rates, int workers,
                     double limit_bytes, struct cost *cost, struct laser_error *err)
{
    struct laser_plan_limits limits = {.workers = workers, .limit_bytes = limit_bytes};
    struct laser_plan_matrix *wanted;
    struct laser_plan plan = {0};
    int64_t n;
    int code = laser_scan_wanted(run, NULL, &wanted, NULL, &n, err);

    if (code != LASER_OK)
        return code;
    code = laser_plan_make(&plan, wanted, n, rates, &limits, err);
    if (code == LASER_OK) {
        cost->scan_s = plan.makespan_s;
        cost->fits = cost->evaluates = plan.misfits == 0;
        cost->scan_bytes = laser_scan_peak_bytes(run, rates, &plan);
    }
    laser_plan_free(&plan);
    free(wanted);
    return code;
}

int laser_plan_layout(const struct laser_run *here, const struct laser_plan_nodes *c, double beside_bytes,
                      double forward_flops, struct laser_layout *layout, bool *found, struct laser_error *err)
{
    struct laser_run there = *here;
    int64_t length = here->settings->evaluate.seqlen;
    struct laser_layout_work work = {.batch_tokens = length > BATCH_TOKENS ? length : BATCH_TOKENS,
                                     .length = length,
                                     .tokens = PLAN_TOKENS,
                                     .forward_flops = forward_flops};
    double limit_bytes = LASER_PLAN_MEMORY_SHARE * c->node_bytes / c->ranks_per_node - beside_bytes;

    *found = false;
    work.n_batches = (work.tokens + work.batch_tokens - 1) / work.batch_tokens;
    there.size = c->nodes * c->ranks_per_node;
    there.node_workers = there.size > 1 && c->ranks_per_node > 1 ? c->ranks_per_node - 1 : 1;
    for (int shards = 1; shards <= (there.size > 1 ? there.size - 1 : 1) && shards <= 1024; shards *= 2) {
        struct laser_layout l = {0};
        int code = laser_layout_of(&there, &work, shards, &l, err);
        if (code != LASER_OK)
            return code;
        if (!*found)
            layout->flops_per_token = l.flops_per_token;
        if (l.replicas < 1 || l.memory_bytes > limit_bytes || (*found && l.seconds >= layout->seconds))
            continue;
        *layout = l;
        *found = true;
    }
    return LASER_OK;
}

static int plan_evaluation(const struct laser_run *here, const struct laser_plan_nodes *c, struct cost *cost,
                           double forward_flops, struct laser_error *err)
{
    bool found;
    int code;

    if (here->checkpoint->config == NULL)
        return LASER_OK;
    code = laser_plan_layout(here, c, 0, forward_flops, &cost->layout, &found, err);
    if (code == LASER_EINPUT) { /* a family that is scanned only */
        laser_error_clear(err);
        return LASER_OK;
    }
    cost->flops_per_token = cost->layout.flops_per_token;
    cost->evaluates = cost->fits && found;
    if (!found)
        return code;
    cost->evaluate_s = cost->layout.seconds;
    cost->evaluate_bytes = cost->layout.memory_bytes;
    return code;
}

/* One that can do more, else one that is faster. */
static bool is_better(const struct cost *a, const struct cost *b)
{
    if (a->fits != b->fits)
        return a->fits;
    if (a->evaluates != b->evaluates)
        return a->evaluates;
    return a->fits && a->scan_s + a->evaluate_s < b->scan_s + b->evaluate_s;
}

static int find_cost(const struct laser_run *run, struct laser_plan_nodes *c,
                     const struct laser_calibration *core, struct cost *cost, struct laser_error *err)
{
    double threads = laser_plan_thread_speed(c->threads), bytes = 0;
    struct laser_cost_rates rates;
    int ranks = c->nodes * c->ranks_per_node, code;

    for (int64_t i = 0; i < run->checkpoint->n_tensors; ++i)
        bytes += (double)laser_coded_file_bytes(&run->checkpoint->tensors[i]);
    laser_calibration_rates(core, &rates);
    laser_cost_calibrate(&rates, rates.gemm_flops * threads);
    rates.read_bytes = fmin(rates.read_bytes, LASER_NODE_READ_BYTES_S / c->ranks_per_node);
    rates.base_bytes = run->base_bytes;
    *cost = (struct cost){0};
    code = plan_scan(run, &rates, ranks > 1 ? ranks - 1 : 1,
                     LASER_PLAN_MEMORY_SHARE * c->node_bytes / c->ranks_per_node, cost, err);
    if (code != LASER_OK)
        return code;
    cost->read_s = bytes / (LASER_NODE_READ_BYTES_S * c->nodes);
    cost->write_s = bytes / (LASER_NODE_WRITE_BYTES_S * c->nodes);
    return plan_evaluation(run, c, cost, core->forward_flops * threads, err);
}

/* Ranks a node: as many as cores, or fewer of more threads where memory or speed ask for it. */
static int find_ranks(const struct laser_run *run, struct laser_plan_nodes *c,
                      const struct laser_calibration *core, struct cost *best, struct laser_error *err)
{
    struct laser_plan_nodes best_c = *c;
    int code = LASER_OK;

    best->fits = best->evaluates = false;
    for (int ranks = c->cores; code == LASER_OK && ranks >= 1; ranks /= 2) {
        struct laser_plan_nodes trial = *c;
        struct cost cost;
        trial.ranks_per_node = ranks;
        trial.threads = c->cores / ranks;
        code = find_cost(run, &trial, core, &cost, err);
        if (ranks == c->cores || is_better(&cost, best)) {
            *best = cost;
            best_c = trial;
        }
    }
    *c = best_c;
    return code;
}

static void say_row(const struct laser_run *run, const struct laser_plan_nodes *c, const struct cost *cost)
{
    char scan[LASER_NUMBER_SIZE], evaluate[LASER_NUMBER_SIZE], io[LASER_NUMBER_SIZE],
        memory[LASER_NUMBER_SIZE];
    char text[256];

    if (!cost->fits)
        snprintf(text, sizeof text, "%5d %7d %7d   does not fit into memory\n", c->nodes,
                 c->nodes * c->ranks_per_node, c->threads);
    else if (!cost->evaluates)
        snprintf(text, sizeof text, "%5d %7d %7d %12s   the evaluation does not fit into memory\n", c->nodes,
                 c->nodes * c->ranks_per_node, c->threads, laser_number_time(cost->scan_s, scan));
    else
        snprintf(
            text, sizeof text, "%5d %7d %7d %12s %12s %6dx%-5d %12s %12s\n", c->nodes,
            c->nodes * c->ranks_per_node, c->threads, laser_number_time(cost->scan_s, scan),
            laser_number_time(cost->evaluate_s, evaluate), cost->layout.replicas, cost->layout.shards,
            laser_number_time(cost->read_s + cost->write_s, io),
            laser_number_bytes(fmax(cost->scan_bytes, cost->evaluate_bytes) * c->ranks_per_node, memory));
    laser_log_block(run->log, text);
}

/* Twice the estimate and ten minutes, in whole quarters of an hour. */
static void say_job(const struct laser_run *run, const struct laser_plan_nodes *c, const struct cost *cost)
{
    double seconds = 2 * (cost->scan_s + cost->evaluate_s + cost->read_s + cost->write_s) + 600;
    int64_t quarters = (int64_t)ceil(seconds / 900), gibibytes;

    gibibytes =
        (int64_t)ceil(1.25 * fmax(cost->scan_bytes, cost->evaluate_bytes) * c->ranks_per_node / (1 << 30));
    if ((double)gibibytes * (1 << 30) > c->node_bytes)
        gibibytes = (int64_t)(c->node_bytes / (1 << 30));
    laser_log_line(run->log, "SBATCH", "#SBATCH --nodes=%d", c->nodes);
    laser_log_line(run->log, "SBATCH", "#SBATCH --ntasks-per-node=%d", c->ranks_per_node);
    laser_log_line(run->log, "SBATCH", "#SBATCH --cpus-per-task=%d", c->threads);
    laser_log_line(run->log, "SBATCH", "#SBATCH --mem=%" PRId64 "G", gibibytes > 0 ? gibibytes : 1);
    laser_log_line(run->log, "SBATCH", "#SBATCH --time=%02" PRId64 ":%02" PRId64 ":00", quarters / 4,
                   quarters % 4 * 15);
    laser_log_line(run->log, "SBATCH", "#SBATCH --signal=B:USR1@120");
}

static int plan_nodes(const struct laser_run *run, struct laser_plan_nodes c, int most,
                      const struct laser_calibration *core, struct laser_error *err)
{
    struct cost cost = {0};
    char line[256], memory[LASER_NUMBER_SIZE];
    int code = LASER_OK;

    laser_log_line(run->log, "CLUSTER", "nodes of %d cores and %s, each core %.3g GFLOP/s in float64",
                   c.cores, laser_number_bytes(c.node_bytes, memory), core->product_flops / 1e9);
    snprintf(line, sizeof line, "%5s %7s %7s %12s %12s %12s %12s %12s\n", "nodes", "ranks", "threads", "scan",
             "1M tokens", "copies", "read, write", "memory/node");
    laser_log_block(run->log, line);
    for (c.nodes = 1;; c.nodes = 2 * c.nodes < most ? 2 * c.nodes : most) {
        code = find_ranks(run, &c, core, &cost, err);
        if (code != LASER_OK)
            return code;
        say_row(run, &c, &cost);
        if (c.nodes == most)
            break;
    }
    if (cost.evaluates)
        say_job(run, &c, &cost);
    else
        laser_log_line(run->log, "RECOMMEND", "more nodes, or nodes with more memory");
    return LASER_OK;
}

/* The deck's core: as fast in everything as in a matrix product. */
struct laser_calibration laser_plan_core(const struct laser_run *run, const struct laser_calibration *here)
{
    double product = 1e9 * run->settings->plan.core_gflops;
    struct laser_cost_rates assumed;

    if (product <= 0)
        return *here;
    laser_cost_defaults(&assumed);
    return (struct laser_calibration){.product_flops = product,
                                      .forward_flops =
                                          laser_layout_assumed_flops(run) * product / assumed.gemm_flops};
}

/* Of the rank that makes the edits of the largest matrix. */
static double edits_bytes(const struct laser_run *run)
{
    struct laser_cost_rates rates;
    double most = 0;

    laser_cost_defaults(&rates);
    rates.base_bytes = run->base_bytes;
    for (int64_t i = 0; i < run->matrices.n_matrices; ++i) {
        const struct laser_matrix *m = &run->matrices.matrices[i];
        double bytes = laser_cost_memory(&rates, LASER_ROUTE_SERIAL_REBUILD, m->rows, m->cols, 1);
        if (bytes > run->memory_limit_bytes && run->size > 2)
            bytes = laser_cost_memory(&rates, LASER_ROUTE_REBUILD, m->rows, m->cols, run->size - 1);
        most = fmax(most, bytes);
    }
    return most;
}

static void say_memory(const struct laser_run *run, double scan_bytes, const struct laser_layout *layout)
{
    char scan[LASER_NUMBER_SIZE], evaluate[LASER_NUMBER_SIZE], reduce[LASER_NUMBER_SIZE];

    if (layout->memory_bytes <= 0) {
        laser_log_line(run->log, "MEMORY", "peak of a rank: scan %s", laser_number_bytes(scan_bytes, scan));
        return;
    }
    laser_log_line(run->log, "MEMORY", "peak of a rank: scan %s, evaluation %s, reduction %s",
                   laser_number_bytes(scan_bytes, scan), laser_number_bytes(layout->memory_bytes, evaluate),
                   laser_number_bytes(fmax(fmax(scan_bytes, edits_bytes(run)),
                                           layout->memory_bytes + layout->saved_bytes + LASER_REDUCE_BYTES),
                                      reduce));
}

struct laser_plan_nodes laser_plan_nodes_of(const struct laser_run *run)
{
    struct laser_plan_nodes c = {.nodes = 1,
                                 .cores = (int)run->settings->plan.cores_per_node,
                                 .ranks_per_node = 1,
                                 .threads = 1,
                                 .node_bytes = (double)run->settings->plan.memory_per_node};

    if (c.cores == 0)
        c.cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (c.node_bytes <= 0)
        c.node_bytes = laser_node_memory();
    return c;
}

int laser_plan_cluster(struct laser_run *run, const struct laser_calibration *here,
                       const struct laser_layout *layout, struct laser_error *err)
{
    struct laser_plan_nodes c = laser_plan_nodes_of(run);
    int most = (int)run->settings->plan.nodes;
    struct laser_calibration core = laser_plan_core(run, here);
    double flops = 0;
    struct cost cost;
    int code;

    for (int64_t i = 0; i < run->matrices.n_matrices; ++i)
        flops += laser_cost_flops(laser_scan_route(run), run->matrices.matrices[i].rows,
                                  run->matrices.matrices[i].cols);
    {
        struct laser_plan_nodes job = {
            .nodes = 1, .ranks_per_node = run->size, .threads = 1, .cores = run->size};
        job.node_bytes = run->memory_limit_bytes * run->size / LASER_PLAN_MEMORY_SHARE;
        code = find_cost(run, &job, &core, &cost, err);
    }
    if (code != LASER_OK)
        return code;
    laser_log_line(run->log, "FLOPS", "scan %.4g, evaluation %.4g a token", flops, cost.flops_per_token);
    say_memory(run, cost.scan_bytes, layout);
    return most > 0 ? plan_nodes(run, c, most, &core, err) : LASER_OK;
}
