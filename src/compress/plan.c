#include "compress/plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "base/number.h"
#include "compress/left_out.h"
#include "plan/cluster.h"

/* A pass forward and backward costs as many forward passes (bench/tune.md). */
#define PASS_FORWARDS 4.5

/* A round: a pass over three quarters of the tokens, and the lengths of a step tried on the last quarter. */
#define ROUND_FORWARDS (0.75 * PASS_FORWARDS + 0.25 * 6)

static int64_t outputs(const struct laser_matrix *m)
{
    return m->transposed ? m->cols : m->rows;
}

static int64_t inputs(const struct laser_matrix *m)
{
    return m->transposed ? m->rows : m->cols;
}

static double square(int64_t n)
{
    return (double)n * (double)n;
}

double laser_covariance_bytes(const struct laser_run *run, const struct laser_compress_method *method,
                              int64_t matrix)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];

    return 8 * ((method->inputs ? square(inputs(m)) : 0) + (method->gradients ? square(outputs(m)) : 0));
}

int64_t laser_covariance_range(const struct laser_run *run, const struct laser_compress_method *method,
                               double limit_bytes, int64_t first)
{
    double bytes = 0;
    int64_t end = first;

    while (end < run->matrices.n_matrices) {
        bytes += laser_covariance_bytes(run, method, end);
        if (bytes > LASER_COMPRESS_MEMORY_SHARE * limit_bytes && end > first)
            break;
        ++end;
    }
    return end;
}

/* Eigenvectors of n x n: to tridiagonal form, its eigenvectors, back. */
static void add_root(int64_t n, double *reduce, double *product)
{
    double cube = square(n) * (double)n;

    *reduce += 4.0 / 3 * cube;
    *product += 14.0 / 3 * cube;
}

/* Roots, whitening and back, and the decomposition, of a long matrix by its QR factors. */
static void add_cut(const struct laser_matrix *m, const struct laser_compress_method *method, double *reduce,
                    double *product)
{
    double rows = (double)outputs(m), columns = (double)inputs(m), n = fmin(rows, columns),
           longer = fmax(rows, columns);

    if (method->inputs) {
        add_root(inputs(m), reduce, product);
        *product += 2 * columns * columns * (rows + n);
    }
    if (method->gradients) {
        add_root(outputs(m), reduce, product);
        *product += 2 * rows * rows * (columns + n);
    }
    *reduce += 8.0 / 3 * n * n * n;
    *product += 8 * longer * n * n + 8 * n * n * n;
}

static void add_matrix(const struct laser_run *run, const struct laser_compress_method *method,
                       int64_t matrix, struct laser_compress_cost *cost)
{
    const struct laser_matrix *m = &run->matrices.matrices[matrix];
    double bytes = laser_cut_memory(outputs(m), inputs(m), method), reduce = 0, product = 0;

    if (laser_left_out(run, matrix) != LASER_NOT_LEFT_OUT)
        return;
    add_cut(m, method, &reduce, &product);
    cost->reduce_flops += reduce;
    cost->product_flops += product;
    if (reduce + product > cost->longest_reduce + cost->longest_product) {
        cost->longest_reduce = reduce;
        cost->longest_product = product;
    }
    if (bytes > cost->largest_bytes) {
        cost->largest_bytes = bytes;
        cost->largest = matrix;
    }
}

void laser_compress_cost(const struct laser_run *run, const struct laser_compress_method *method,
                         double limit_bytes, struct laser_compress_cost *cost)
{
    *cost = (struct laser_compress_cost){.largest = -1};
    for (int64_t first = 0, end; first < run->matrices.n_matrices; first = end, ++cost->passes) {
        double bytes = 0;

        end = laser_covariance_range(run, method, limit_bytes, first);
        for (int64_t i = first; i < end; ++i)
            bytes += laser_covariance_bytes(run, method, i);
        cost->range_bytes = fmax(cost->range_bytes, bytes);
        cost->sum_bytes += bytes;
    }
    for (int64_t i = 0; i < run->matrices.n_matrices; ++i)
        add_matrix(run, method, i, cost);
    cost->sum_flops =
        cost->sum_bytes / 8; /* half of a product and sum for each element: they are symmetric */
}

/* Seconds of the three parts, and the peak of a rank. */
struct times {
    double statistics_s, cuts_s, round_s, memory_bytes;
};

static void find_times(const struct laser_compress_cost *cost, const struct laser_layout *l,
                       const struct laser_cost_rates *rates, double forward_flops, int64_t tokens,
                       double base_bytes, struct times *t)
{
    double forward_s = (double)tokens / l->tokens_per_second, ranks = (double)l->replicas;
    double reduce_s = cost->reduce_flops / rates->tridiagonal_flops,
           product_s = cost->product_flops / rates->gemm_flops;

    t->statistics_s = (double)cost->passes * PASS_FORWARDS * forward_s +
                      (double)tokens * cost->sum_flops / (forward_flops * ranks) +
                      (l->replicas > 1 ? 2 * cost->sum_bytes / rates->net_bytes : 0);
    t->cuts_s = fmax((reduce_s + product_s) / ranks, cost->longest_reduce / rates->tridiagonal_flops +
                                                         cost->longest_product / rates->gemm_flops);
    t->round_s = ROUND_FORWARDS * forward_s;
    t->memory_bytes = fmax(l->memory_bytes + cost->range_bytes,
                           l->memory_bytes - base_bytes + cost->largest_bytes + cost->range_bytes / ranks);
}

static int64_t tokens_of(const struct laser_run *run)
{
    int64_t tokens = run->settings->reduce.calibration_tokens;

    return tokens > 0 ? tokens : 24576;
}

/* model_bytes: of a rank's part of the model and its batches; 0: not even that fits. */
static void say_misfit(const struct laser_run *run, const struct laser_compress_cost *cost,
                       double model_bytes, double limit_bytes)
{
    const struct laser_matrix *m = &run->matrices.matrices[cost->largest];
    char needs[LASER_NUMBER_SIZE], has[LASER_NUMBER_SIZE], sums[LASER_NUMBER_SIZE],
        model[LASER_NUMBER_SIZE] = "?";

    if (model_bytes > 0)
        laser_number_bytes(model_bytes, model);
    laser_log_line(
        run->log, "COMPRESS",
        "does not fit: a rank may use %s, and needs %s for the covariances of a pass or %s to decompose "
        "%.200s, %" PRId64 " x %" PRId64 ", beside its part of the model (%s)",
        laser_number_bytes(limit_bytes, has), laser_number_bytes(cost->range_bytes, sums),
        laser_number_bytes(cost->largest_bytes, needs), m->name, m->rows, m->cols, model);
}

static void say_here(const struct laser_run *run, const struct laser_calibration *here,
                     const struct laser_layout *l, const struct laser_compress_method *method)
{
    char statistics[LASER_NUMBER_SIZE], cuts[LASER_NUMBER_SIZE], round[LASER_NUMBER_SIZE],
        memory[LASER_NUMBER_SIZE];
    struct laser_compress_cost cost;
    struct laser_cost_rates rates;
    struct times t;

    laser_compress_cost(run, method, run->memory_limit_bytes, &cost);
    if (cost.largest < 0)
        return;
    laser_calibration_rates(here, &rates);
    find_times(&cost, l, &rates, here->forward_flops, tokens_of(run), run->base_bytes, &t);
    laser_log_line(run->log, "COMPRESS",
                   "statistics of %" PRId64 " tokens in %" PRId64
                   " pass%s about %s, cuts %s (%.3g GFLOP), a round %s; "
                   "%s a rank",
                   tokens_of(run), cost.passes, cost.passes == 1 ? "" : "es",
                   laser_number_time(t.statistics_s, statistics), laser_number_time(t.cuts_s, cuts),
                   (cost.reduce_flops + cost.product_flops) / 1e9, laser_number_time(t.round_s, round),
                   laser_number_bytes(t.memory_bytes, memory));
    if (t.memory_bytes > run->memory_limit_bytes)
        say_misfit(run, &cost, l->memory_bytes, run->memory_limit_bytes);
}

/* One division of the nodes into ranks. */
struct division {
    struct laser_plan_nodes nodes;
    struct laser_layout layout;
    struct laser_compress_cost cost;
    struct times times;
    bool fits;
};

static int try_division(const struct laser_run *run, const struct laser_calibration *core,
                        const struct laser_compress_method *method, struct division *d,
                        struct laser_error *err)
{
    double threads = laser_plan_thread_speed(d->nodes.threads),
           limit = LASER_PLAN_MEMORY_SHARE * d->nodes.node_bytes / d->nodes.ranks_per_node;
    struct laser_cost_rates rates;
    int code;

    laser_calibration_rates(core, &rates);
    laser_cost_calibrate(&rates, rates.gemm_flops * threads);
    laser_compress_cost(run, method, limit, &d->cost);
    code = laser_plan_layout(run, &d->nodes, fmax(d->cost.range_bytes, d->cost.largest_bytes),
                             core->forward_flops * threads, &d->layout, &d->fits, err);
    if (code == LASER_OK && d->fits) {
        find_times(&d->cost, &d->layout, &rates, core->forward_flops * threads, tokens_of(run),
                   run->base_bytes, &d->times);
        d->fits = d->times.memory_bytes <= limit;
    }
    return code;
}

static double total(const struct division *d)
{
    return d->times.statistics_s + d->times.cuts_s + d->times.round_s;
}

/* Fewer ranks of more threads have more memory each. */
static int find_division(const struct laser_run *run, const struct laser_calibration *core,
                         const struct laser_compress_method *method, struct division *best,
                         struct laser_error *err)
{
    const struct laser_plan_nodes nodes = best->nodes;
    int code = LASER_OK;

    best->fits = false;
    for (int ranks = nodes.cores; code == LASER_OK && ranks >= 1; ranks /= 2) {
        struct division d = {.nodes = nodes};

        d.nodes.ranks_per_node = ranks;
        d.nodes.threads = nodes.cores / ranks;
        code = try_division(run, core, method, &d, err);
        if (code == LASER_OK &&
            ((!best->fits && !d.fits) || (d.fits && (!best->fits || total(&d) < total(best)))))
            *best = d;
    }
    return code;
}

static void say_row(const struct laser_run *run, const struct division *d)
{
    char statistics[LASER_NUMBER_SIZE], cuts[LASER_NUMBER_SIZE], round[LASER_NUMBER_SIZE],
        memory[LASER_NUMBER_SIZE], text[256];
    const struct laser_plan_nodes *n = &d->nodes;

    if (!d->fits)
        snprintf(text, sizeof text, "%5d %7d %7d   does not fit into memory\n", n->nodes,
                 n->nodes * n->ranks_per_node, n->threads);
    else
        snprintf(text, sizeof text, "%5d %7d %7d %6dx%-5d %7" PRId64 " %12s %12s %12s %12s\n", n->nodes,
                 n->nodes * n->ranks_per_node, n->threads, d->layout.replicas, d->layout.shards,
                 d->cost.passes, laser_number_time(d->times.statistics_s, statistics),
                 laser_number_time(d->times.cuts_s, cuts), laser_number_time(d->times.round_s, round),
                 laser_number_bytes(d->times.memory_bytes * n->ranks_per_node, memory));
    laser_log_block(run->log, text);
}

static int say_nodes(const struct laser_run *run, const struct laser_calibration *here,
                     const struct laser_compress_method *method, struct laser_error *err)
{
    const struct laser_calibration core = laser_plan_core(run, here);
    int most = (int)run->settings->plan.nodes, code = LASER_OK;
    struct division d;
    char line[256];

    laser_log_line(run->log, "COMPRESS", "on nodes like these, %" PRId64 " tokens of calibration",
                   tokens_of(run));
    snprintf(line, sizeof line, "%5s %7s %7s %12s %7s %12s %12s %12s %12s\n", "nodes", "ranks", "threads",
             "copies", "passes", "statistics", "cuts", "a round", "memory/node");
    laser_log_block(run->log, line);
    for (int nodes = 1; code == LASER_OK; nodes = 2 * nodes < most ? 2 * nodes : most) {
        d = (struct division){.nodes = laser_plan_nodes_of(run)};
        d.nodes.nodes = nodes;
        code = find_division(run, &core, method, &d, err);
        if (code == LASER_OK)
            say_row(run, &d);
        if (nodes == most)
            break;
    }
    if (code == LASER_OK && !d.fits)
        say_misfit(run, &d.cost, 0, LASER_PLAN_MEMORY_SHARE * d.nodes.node_bytes / d.nodes.ranks_per_node);
    return code;
}

int laser_compress_plan(const struct laser_run *run, const struct laser_calibration *here,
                        const struct laser_layout *layout, struct laser_error *err)
{
    const struct laser_compress_method *method = &laser_compress_methods[0];
    int code = LASER_OK;

    if (layout->memory_bytes > 0)
        say_here(run, here, layout, method);
    if (run->settings->plan.nodes > 0 && run->checkpoint->config != NULL)
        code = say_nodes(run, here, method, err);
    if (code == LASER_EINPUT) { /* a family that is scanned only */
        laser_error_clear(err);
        return LASER_OK;
    }
    return code;
}
