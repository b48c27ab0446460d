#include "sensitivity/gather.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "evaluate/worker.h"
#include "schedule/work_list.h"
#include "sensitivity/sums.h"

/* Pieces that MPI's int counts can hold. */
#define PIECE (1 << 16)

struct result {
    double loss, tokens;
    int64_t windows, questions;
};

struct pass {
    struct laser_evaluation *e;
    struct laser_gradient_sums *sums; /* workers */
    const int32_t *edits;
    int n_edits;
    int64_t first, end;
    int64_t n_begun; /* batches that count of what begin does: the first, or none */
    struct laser_statistics *out;
};

static int done(void *context, int64_t batch, const void *result, struct laser_error *err)
{
    struct pass *p = context;
    const struct result *r = result;

    (void)batch;
    (void)err;
    p->out->loss += r->loss;
    p->out->tokens += r->tokens;
    p->out->windows += r->windows;
    p->out->questions += r->questions;
    return LASER_OK;
}

/* An item's part of the sums of losses and of weights. */
static void add_item(const struct laser_evaluation *e, int64_t item, const struct laser_item_score *score,
                     struct result *r)
{
    const struct laser_objective_part *o = laser_item_objective(e, item);
    double weight = laser_item_weight(e, item);
    int64_t index;

    r->tokens += weight;
    if (laser_item_is_question(e, item, &index)) {
        r->loss += weight * laser_item_value(e, item, score);
        ++r->questions;
    } else {
        r->loss += o->text_weight * laser_objective_window(o, score->window.sum_nats);
        ++r->windows;
    }
}

/* The losses of a batch, and its sums. */
static int run_batch(struct pass *p, int64_t batch, bool unit_slopes, struct result *r,
                     struct laser_error *err)
{
    struct laser_item_score scores[LASER_SEARCH_MAX_BATCH];
    const struct laser_item_batch *b = &p->e->batches[batch];
    struct laser_gradient_sink sink;
    int code = LASER_OK;

    laser_gradient_sums_sink(p->sums, &sink);
    sink.unit_slopes = unit_slopes;
    if (p->out->options.divergence)
        code = laser_gradient_teach(p->e, batch, err);
    if (code == LASER_OK)
        code = laser_gradient_batch(p->e, batch, p->edits, p->n_edits, &sink, scores, err);
    for (int i = 0; code == LASER_OK && i < b->n; ++i)
        add_item(p->e, b->first + i, &scores[i], r);
    return code;
}

static int work(void *context, const struct laser_mpi_team *team, int64_t batch, void *result,
                struct laser_error *err)
{
    (void)team;
    memset(result, 0, sizeof(struct result));
    return run_batch(context, batch, false, result, err);
}

/* ---- coming together ---- */

/* The root sends a copy: MPICH 4.0 follows MPI_IN_PLACE as an address where the root is not the first rank of its node. */
static void reduce_array(MPI_Comm comm, int root, int rank, double *x, int64_t n)
{
    static double own[PIECE];

    for (int64_t at = 0; at < n; at += PIECE) {
        int count = (int)(n - at < PIECE ? n - at : PIECE);

        if (rank == root)
            memcpy(own, x + at, (size_t)count * sizeof *own);
        MPI_Reduce(rank == root ? own : x + at, x + at, count, MPI_DOUBLE, MPI_SUM, root, comm);
    }
}

/* Exact sums: the order in which the library adds does not matter. */
static void reduce_matrix(MPI_Comm leaders, int root, int rank, struct laser_matrix_statistics *m)
{
    struct laser_fisher *f = &m->fisher;

    if (f->gradient != NULL) {
        reduce_array(leaders, root, rank, f->gradient, f->n);
        reduce_array(leaders, root, rank, f->squares, f->n);
        reduce_array(leaders, root, rank, f->fisher, f->block ? f->n * f->n : f->n);
    }
    if (m->input != NULL)
        reduce_array(leaders, root, rank, m->input, m->columns * m->columns);
    if (m->output != NULL)
        reduce_array(leaders, root, rank, m->output, m->rows * m->rows);
    reduce_array(leaders, root, rank, &m->reached, 1);
}

static void mirror(double *a, int64_t n)
{
    for (int64_t i = 0; a != NULL && i < n; ++i)
        for (int64_t j = 0; j < i; ++j)
            a[i * n + j] = a[j * n + i];
}

static int bring_together(struct pass *p, struct laser_error *err)
{
    const struct laser_mpi_team *team = &p->e->parallel->team;
    struct laser_statistics *s = p->out;
    MPI_Comm leaders;
    int leads = team->group >= 0 && team->group_rank == 0, rank = -1;

    MPI_Comm_split(team->world, leads ? 0 : MPI_UNDEFINED, team->rank, &leaders);
    if (leads) {
        MPI_Comm_rank(leaders, &rank);
        laser_gradient_sums_hand_over(p->sums, s);
    }
    for (int64_t i = 0; i < s->n_matrices; ++i) {
        struct laser_matrix_statistics *m = &s->matrices[i];
        int root;

        MPI_Bcast(&m->input_of, 1, MPI_INT64_T, laser_mpi_team_leader(team, 0), team->world);
        root = (int)(m->input_of % team->n_groups);
        m->owner = laser_mpi_team_leader(team, root);
        if (!leads || m->rows == 0)
            continue;
        reduce_matrix(leaders, root, rank, m);
        if (rank != root) {
            laser_matrix_statistics_free(m);
            continue;
        }
        m->fisher.tokens = s->tokens;
        m->fisher.windows = (double)(s->windows + s->questions);
        if (m->fisher.block)
            mirror(m->fisher.fisher, m->fisher.n);
        mirror(m->input, m->columns);
        mirror(m->output, m->rows);
    }
    if (leads)
        MPI_Comm_free(&leaders);
    for (int64_t i = 0; i < s->n_matrices; ++i) {
        struct laser_matrix_statistics *m = &s->matrices[i];
        MPI_Bcast(&m->reached, 1, MPI_DOUBLE, m->owner, team->world);
    }
    return laser_mpi_agree(team->world, LASER_OK, err);
}

/* ---- all of it ---- */

/* Sums, hidden states and what the evaluation holds already must fit, or nothing is begun. */
static int check_memory(const struct laser_evaluation *e, const struct laser_statistics_options *options,
                        struct laser_error *err)
{
    const struct laser_run *run = e->run;
    double sums = e->group_rank == 0 ? laser_statistics_bytes(run, options) : 0, states, limit;

    if (e->group < 0)
        return LASER_OK;
    states = (double)laser_gradient_bytes(e);
    limit = run->memory_limit_bytes;
    if (sums + states + e->memory_bytes <= limit)
        return LASER_OK;
    return laser_error_set(
        err, LASER_ENOMEM, run->checkpoint->model,
        "a pass for gradients needs about %.3g GB of sums, %.3g GB of hidden states and %.3g GB for the model on a "
        "rank, which may use %.3g GB (parallel.memory_per_rank): %s",
        sums / 1e9, states / 1e9, e->memory_bytes / 1e9, limit / 1e9,
        options->block  ? "set reduce.fisher=diagonal, or give a rank more memory"
        : sums > states ? "give a rank more memory, or fewer ranks a node"
                        : "set a smaller evaluate.batch_tokens, or give a rank more memory");
}

static int share_edits(const struct laser_run *run, const int32_t *edits, int *n, int32_t **all,
                       struct laser_error *err)
{
    void *data = run->rank == 0 ? (void *)(uintptr_t)edits : NULL;
    size_t bytes = (size_t)*n * sizeof *edits;
    int code;

    MPI_Bcast(n, 1, MPI_INT, 0, laser_mpi_world(run));
    *all = NULL;
    if (*n == 0)
        return LASER_OK;
    code = laser_mpi_share(laser_mpi_world(run), &data, &bytes, err);
    if (code == LASER_OK)
        *all = data;
    return code;
}

/* Every group learns the units of the sums from the first batch; the first group keeps its sums of it.  The
 * slopes of questions differ by orders of magnitude: theirs are learned from slopes of 1, and nothing is kept. */
static int begin(struct pass *p, struct result *first, struct laser_error *err)
{
    bool questions = p->e->items[p->e->batches[p->first].first] < 0, keep = p->e->group == 0 && !questions;
    int code = LASER_OK;

    memset(first, 0, sizeof *first);
    if (p->e->group >= 0) {
        code = run_batch(p, p->first, questions, first, err);
        if (code == LASER_OK)
            laser_gradient_sums_fix_units(p->sums, keep);
        if (!keep)
            memset(first, 0, sizeof *first);
    }
    p->n_begun = questions ? 0 : 1;
    return laser_mpi_agree(laser_mpi_world(p->e->run), code, err);
}

static int run_pass(struct pass *p, struct laser_error *err)
{
    struct laser_run *run = p->e->run;
    struct laser_mpi_work_list list = {.run = run,
                                       .context = p,
                                       .n_total = p->end - p->first,
                                       .unit = "batches",
                                       .result_bytes = sizeof(struct result),
                                       .counts_itself = true,
                                       .unit_s = 4 * p->e->batch_s,
                                       .depth = 2,
                                       .work = work,
                                       .done = done};
    struct result first;
    int code = begin(p, &first, err), leader = laser_mpi_team_leader(&p->e->parallel->team, 0);

    if (code != LASER_OK)
        return code;
    list.first = p->first + p->n_begun;
    list.n = p->end - list.first;
    list.n_done = p->n_begun;
    MPI_Bcast(&first, (int)sizeof first, MPI_BYTE, leader, laser_mpi_world(run));
    if (run->rank == 0) {
        p->out->loss = first.loss;
        p->out->tokens = first.tokens;
        p->out->windows = first.windows;
    }
    code = laser_mpi_work_list_run(&p->e->parallel->team, &list, err);
    if (code != LASER_OK)
        return code;
    MPI_Bcast(&p->out->tokens, 1, MPI_DOUBLE, 0, laser_mpi_world(run));
    MPI_Bcast(&p->out->windows, 1, MPI_INT64_T, 0, laser_mpi_world(run));
    MPI_Bcast(&p->out->questions, 1, MPI_INT64_T, 0, laser_mpi_world(run));
    return bring_together(p, err);
}

int laser_mpi_statistics_gather(struct laser_evaluation *e, const struct laser_statistics_options *options,
                                int64_t first_batch, int64_t end_batch, const int32_t *edits, int n_edits,
                                struct laser_statistics *s, struct laser_error *err)
{
    struct laser_run *run = e->run;
    struct pass p = {.e = e, .first = first_batch, .end = end_batch, .out = s};
    int32_t *all = NULL;
    int code = first_batch < end_batch
                   ? LASER_OK
                   : laser_error_set(err, LASER_EINPUT, "evaluate",
                                     "no window of text and no question to take gradients on");

    *s = (struct laser_statistics){.options = *options, .n_matrices = run->matrices.n_matrices};
    s->matrices = calloc((size_t)s->n_matrices + 1, sizeof *s->matrices);
    if (code == LASER_OK && s->matrices == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " matrices",
                               s->n_matrices);
    if (code == LASER_OK)
        code = check_memory(e, options, err);
    if (code == LASER_OK && e->group >= 0)
        code = laser_gradient_sums_create(e, options, &p.sums, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = share_edits(run, edits, &n_edits, &all, err);
    p.edits = all;
    p.n_edits = n_edits;
    if (code == LASER_OK) {
        laser_log_phase(run->log, options->inputs_only ? "inputs" : "gradient");
        code = run_pass(&p, err);
        laser_log_phase_end(run->log);
    }
    laser_gradient_sums_free(p.sums);
    if (run->rank != 0)
        free(all);
    if (code != LASER_OK)
        laser_statistics_free(s);
    return code;
}
