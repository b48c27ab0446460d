#include "sensitivity/gather.h"

#include <inttypes.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "base/clock.h"
#include "base/text.h"
#include "comm/agree.h"
#include "evaluate/batches.h"
#include "evaluate/worker.h"
#include "schedule/work_list.h"
#include "sensitivity/saved.h"

/* Pieces that MPI's int counts can hold. */
#define PIECE (1 << 16)

/* Saving takes at most this share of the time. */
#define SAVING_SHARE 0.05

struct pass {
    struct laser_evaluation *e;
    struct laser_gradient_sums *sums; /* workers */
    const int32_t *edits;
    int n_edits;
    int64_t first, end;
    struct laser_statistics *out;

    MPI_Comm leaders; /* of the groups; MPI_COMM_NULL elsewhere */
    bool half_done;   /* a batch was begun that is not finished */

    /* Rank 0. */
    struct laser_saved_pass saved; /* batches by their number from `first` on */
    int64_t *todo, n_todo;         /* batches that are not done */
    double saved_s, interval_s;    /* when the sums were saved last, and how long until the next time */
};

static const char *phase_of(const struct pass *p)
{
    return p->out->options.inputs_only ? "inputs" : "gradient";
}

static int64_t count_done(const struct pass *p)
{
    int64_t n = 0;

    for (int64_t i = 0; i < p->saved.n_batches; ++i)
        n += p->saved.done[i];
    return n;
}

static int done(void *context, int64_t batch, const void *result, struct laser_error *err)
{
    struct pass *p = context;

    (void)err;
    memcpy(&p->saved.batches[batch - p->first], result, sizeof *p->saved.batches);
    p->saved.done[batch - p->first] = 1;
    return LASER_OK;
}

static bool is_time_to_save(const struct pass *p)
{
    return laser_clock_s() - p->saved_s > p->interval_s;
}

static bool rests(void *context)
{
    return is_time_to_save(context);
}

/* An item's part of the sums of losses and of weights. */
static void add_item(const struct laser_evaluation *e, int64_t item, const struct laser_item_score *score,
                     struct laser_batch_sums *r)
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
static int run_batch(struct pass *p, int64_t batch, bool unit_slopes, struct laser_batch_sums *r,
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
    struct pass *p = context;
    int code;

    (void)team;
    memset(result, 0, sizeof(struct laser_batch_sums));
    p->half_done = true;
    code = run_batch(p, batch, false, result, err);
    p->half_done = code != LASER_OK;
    return code;
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

static int owner_of(const struct laser_mpi_team *team, const struct laser_matrix_statistics *m)
{
    return laser_mpi_team_leader(team, (int)(m->input_of % team->n_groups));
}

/* What each matrix shares its inputs with, as the first group saw it: it decides who owns its sums. */
static void share_owners(struct pass *p)
{
    const struct laser_mpi_team *team = &p->e->parallel->team;

    for (int64_t i = 0; i < p->out->n_matrices; ++i) {
        struct laser_matrix_statistics *m = &p->out->matrices[i];

        if (p->e->group >= 0)
            m->input_of = laser_gradient_sums_of(p->sums, i)->input_of;
        MPI_Bcast(&m->input_of, 1, MPI_INT64_T, laser_mpi_team_leader(team, 0), team->world);
        if (p->e->group >= 0)
            laser_gradient_sums_of(p->sums, i)->input_of = m->input_of;
    }
}

static void clear(double *x, int64_t n)
{
    if (x != NULL)
        memset(x, 0, (size_t)n * sizeof *x);
}

/* The sums of a matrix come together in the group that owns it; the others begin again from zero. */
static void meet(struct pass *p)
{
    const struct laser_mpi_team *team = &p->e->parallel->team;

    for (int64_t i = 0; p->leaders != MPI_COMM_NULL && i < p->out->n_matrices; ++i) {
        struct laser_matrix_statistics *m = laser_gradient_sums_of(p->sums, i);
        struct laser_fisher *f = &m->fisher;
        int root = (int)(m->input_of % team->n_groups);

        if (m->rows == 0)
            continue;
        reduce_matrix(p->leaders, root, team->group, m);
        if (team->group == root)
            continue;
        clear(f->gradient, f->n);
        clear(f->squares, f->n);
        clear(f->fisher, f->block ? f->n * f->n : f->n);
        clear(m->input, m->columns * m->columns);
        clear(m->output, m->rows * m->rows);
        m->reached = 0;
    }
}

static int bring_together(struct pass *p, struct laser_error *err)
{
    const struct laser_mpi_team *team = &p->e->parallel->team;
    struct laser_statistics *s = p->out;
    bool leads = p->leaders != MPI_COMM_NULL;

    meet(p);
    if (leads)
        laser_gradient_sums_hand_over(p->sums, s);
    for (int64_t i = 0; i < s->n_matrices; ++i) {
        struct laser_matrix_statistics *m = &s->matrices[i];

        m->owner = owner_of(team, m);
        MPI_Bcast(&m->reached, 1, MPI_DOUBLE, m->owner, team->world);
        if (!leads || m->rows == 0)
            continue;
        if (m->owner != team->rank) {
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
    return laser_mpi_agree(team->world, LASER_OK, err);
}

/* ---- a pass that continues ---- */

/* Rank 0: stands for all that the sums depend on. */
static int find_key(struct pass *p, struct laser_error *err)
{
    const struct laser_run *run = p->e->run;
    const struct laser_statistics_options *o = &p->out->options;
    char identity[20], *deck = laser_deck_json(run->deck, run->command, 1);
    struct laser_text text = {0};
    int code = laser_batches_identity(p->e, p->edits, p->n_edits, identity, err);

    if (code == LASER_OK) {
        laser_text_printf(&text, "%s %d %d %d %d %d %" PRId64 "-%" PRId64 " %" PRId64 "-%" PRId64 " %s",
                          identity, o->values, o->block, o->covariances, o->inputs_only, o->divergence,
                          o->first, o->end, p->first, p->end, deck != NULL ? deck : "");
        for (int64_t i = 0; o->vectors != NULL && i < p->out->n_matrices; ++i)
            laser_text_printf(&text, " %s", o->vectors[i] != NULL ? o->vectors[i] : "-");
        for (int64_t i = 0; i < run->matrices.n_matrices; ++i)
            laser_text_printf(&text, " %s", run->matrices.matrices[i].name);
        if (deck == NULL || text.failed)
            code = laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory");
    }
    if (code == LASER_OK)
        p->saved.key = XXH3_64bits(text.data, text.size);
    laser_text_free(&text);
    free(deck);
    return code;
}

/* Collective.  The sums as they are, on the disk. */
static int save(struct pass *p, struct laser_error *err)
{
    const struct laser_mpi_team *team = &p->e->parallel->team;
    struct laser_run *run = p->e->run;
    double start_s = laser_clock_s();
    int64_t set = !p->saved.set;
    int code = LASER_OK;

    MPI_Bcast(&set, 1, MPI_INT64_T, 0, team->world);
    meet(p);
    if (p->leaders != MPI_COMM_NULL)
        code = laser_saved_sums_write(run, set, team->group, team->n_groups, p->sums, err);
    code = laser_mpi_agree(team->world, code, err);
    if (code == LASER_OK && run->rank == 0) {
        p->saved.set = set;
        p->saved.n_writers = team->n_groups;
        code = laser_saved_pass_write(run, &p->saved, err);
        p->saved_s = laser_clock_s();
        p->interval_s = run->settings->run.save_interval;
        if (p->interval_s > 0)
            p->interval_s = fmax(p->interval_s, (p->saved_s - start_s) / SAVING_SHARE);
    }
    return laser_mpi_agree(team->world, code, err);
}

/* Collective, after the first batch was run.  *found: sums of an earlier start are in their places. */
static int load(struct pass *p, bool *found, struct laser_error *err)
{
    const struct laser_mpi_team *team = &p->e->parallel->team;
    struct laser_saved_pass *s = &p->saved;
    int64_t numbers[2];
    int code = LASER_OK, there = *found;

    MPI_Bcast(&there, 1, MPI_INT, 0, team->world);
    *found = there != 0;
    if (!there)
        return LASER_OK;
    numbers[0] = s->set;
    numbers[1] = s->n_writers;
    MPI_Bcast(numbers, 2, MPI_INT64_T, 0, team->world);
    MPI_Bcast(s->units, (int)(s->n_matrices * LASER_SUM_KINDS), MPI_DOUBLE, 0, team->world);
    s->set = numbers[0];
    s->n_writers = numbers[1];
    if (p->e->group >= 0)
        laser_gradient_sums_set_units(p->sums, s->units);
    if (p->leaders != MPI_COMM_NULL)
        code = laser_saved_sums_read(p->e->run, s, team->group, team->n_groups, p->sums, err);
    return laser_mpi_agree(team->world, code, err);
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

/* Every group learns the units of the sums from the first batch; the first group keeps its sums of it, unless an earlier
 * start has them.  The slopes of questions differ by orders of magnitude: theirs are learned from slopes of 1, and
 * nothing is kept. */
static int begin(struct pass *p, bool continues, struct laser_error *err)
{
    const struct laser_mpi_team *team = &p->e->parallel->team;
    bool questions = p->e->items[p->e->batches[p->first].first] < 0;
    struct laser_batch_sums first = {0};
    int code = LASER_OK, leader = laser_mpi_team_leader(team, 0);

    if (p->e->group >= 0) {
        code = run_batch(p, p->first, questions, &first, err);
        if (code == LASER_OK)
            laser_gradient_sums_fix_units(p->sums, p->e->group == 0 && !questions && !continues);
    }
    code = laser_mpi_agree(team->world, code, err);
    if (code != LASER_OK)
        return code;
    share_owners(p);
    MPI_Bcast(&first, (int)sizeof first, MPI_BYTE, leader, team->world);
    if (p->e->group >= 0 && !continues)
        laser_gradient_sums_get_units(p->sums, p->saved.units);
    if (!continues) /* of the first group, for rank 0 */
        MPI_Bcast(p->saved.units, (int)(p->saved.n_matrices * LASER_SUM_KINDS), MPI_DOUBLE, leader,
                  team->world);
    return p->e->run->rank == 0 && !questions && !continues ? done(p, p->first, &first, err) : LASER_OK;
}

/* Collective.  At the end what follows from the sums is still to come: they are kept where they took long. */
static bool worth_saving(const struct pass *p, int code, int64_t left)
{
    bool worth = code != LASER_OK || left > 0 || is_time_to_save(p);

    MPI_Bcast(&worth, 1, MPI_C_BOOL, 0, laser_mpi_world(p->e->run));
    return worth;
}

/* What is still to be done, until it is: the sums are saved from time to time, and where a stop is asked for. */
static int run_batches(struct pass *p, struct laser_error *err)
{
    struct laser_run *run = p->e->run;
    const struct laser_mpi_team *team = &p->e->parallel->team;
    struct laser_mpi_work_list list = {.run = run,
                                       .context = p,
                                       .pieces = p->todo,
                                       .unit = "batches",
                                       .result_bytes = sizeof(struct laser_batch_sums),
                                       .unit_s = LASER_GRADIENT_FORWARDS * p->e->batch_s,
                                       .depth = 2,
                                       .work = work,
                                       .done = done,
                                       .rests = rests};
    int64_t left = 1, done_before = count_done(p);
    int code = LASER_OK;

    list.n_total = p->saved.n_batches - done_before;
    while (code == LASER_OK && left > 0) {
        struct laser_error trouble;
        int half_done, saving;

        list.n = 0;
        for (int64_t i = 0; run->rank == 0 && i < p->saved.n_batches; ++i)
            if (!p->saved.done[i])
                p->todo[list.n++] = p->first + i;
        list.n_done = p->saved.n_batches - done_before - list.n;
        code = laser_mpi_work_list_run(team, &list, err);
        left = p->saved.n_batches - count_done(p);
        MPI_Bcast(&left, 1, MPI_INT64_T, 0, team->world);
        half_done = p->half_done;
        MPI_Allreduce(MPI_IN_PLACE, &half_done, 1, MPI_INT, MPI_MAX, team->world);
        if (half_done || (code != LASER_OK && code != LASER_ESTOPPED) || !worth_saving(p, code, left))
            continue;
        saving = save(p, &trouble);
        if (saving == LASER_OK)
            laser_log_line(run->log, "SAVED", "gradients of %" PRId64 " of %" PRId64 " batches",
                           p->saved.n_batches - left, p->saved.n_batches);
        if (saving != LASER_OK && code == LASER_OK) {
            *err = trouble;
            code = saving;
        }
    }
    return code;
}

/* In the order of the batches, however they came. */
static void add_batches(struct pass *p)
{
    struct laser_statistics *out = p->out;

    for (int64_t i = 0; p->e->run->rank == 0 && i < p->saved.n_batches; ++i) {
        out->loss += p->saved.batches[i].loss;
        out->tokens += p->saved.batches[i].tokens;
        out->windows += p->saved.batches[i].windows;
        out->questions += p->saved.batches[i].questions;
    }
    MPI_Bcast(&out->tokens, 1, MPI_DOUBLE, 0, laser_mpi_world(p->e->run));
    MPI_Bcast(&out->windows, 1, MPI_INT64_T, 0, laser_mpi_world(p->e->run));
    MPI_Bcast(&out->questions, 1, MPI_INT64_T, 0, laser_mpi_world(p->e->run));
}

static int run_pass(struct pass *p, struct laser_error *err)
{
    struct laser_run *run = p->e->run;
    bool continues = run->rank == 0 && laser_saved_pass_read(run, &p->saved);
    int code;

    p->saved_s = laser_clock_s();
    p->interval_s = run->settings->run.save_interval;
    MPI_Bcast(&continues, 1, MPI_C_BOOL, 0, laser_mpi_world(run));
    code = begin(p, continues, err);
    if (code == LASER_OK)
        code = load(p, &continues, err);
    if (code != LASER_OK)
        return code;
    if (continues)
        laser_log_line(run->log, "RESUME",
                       "gradients of %" PRId64 " of %" PRId64 " batches are there already", count_done(p),
                       p->saved.n_batches);
    laser_log_phase_end(
        run->log); /* the first batch, which every group ran, says nothing about those to come */
    laser_log_phase(run->log, phase_of(p));
    code = run_batches(p, err);
    if (code != LASER_OK)
        return code;
    add_batches(p);
    return bring_together(p, err);
}

static int open_pass(struct pass *p, struct laser_error *err)
{
    const struct laser_run *run = p->e->run;
    int code;

    p->saved.n_matrices = p->out->n_matrices;
    p->saved.n_batches = p->end - p->first;
    code = laser_saved_pass_create(&p->saved, err);
    if (code == LASER_OK && (p->todo = malloc((size_t)p->saved.n_batches * sizeof *p->todo + 1)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "sensitivity", "no memory for %" PRId64 " batches",
                               p->saved.n_batches);
    return code == LASER_OK && run->rank == 0 ? find_key(p, err) : code;
}

static void close_pass(struct pass *p)
{
    laser_gradient_sums_free(p->sums);
    laser_saved_pass_free(&p->saved);
    free(p->todo);
    if (p->leaders != MPI_COMM_NULL)
        MPI_Comm_free(&p->leaders);
}

void laser_mpi_statistics_forget(const struct laser_run *run)
{
    if (run->rank == 0)
        laser_saved_pass_remove(run);
}

int laser_mpi_statistics_gather(struct laser_evaluation *e, const struct laser_statistics_options *options,
                                int64_t first_batch, int64_t end_batch, const int32_t *edits, int n_edits,
                                struct laser_statistics *s, struct laser_error *err)
{
    struct laser_run *run = e->run;
    struct pass p = {.e = e, .first = first_batch, .end = end_batch, .out = s, .leaders = MPI_COMM_NULL};
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
    if (code == LASER_OK)
        code = laser_mpi_agree(laser_mpi_world(run), open_pass(&p, err), err);
    if (code == LASER_OK) {
        const struct laser_mpi_team *team = &e->parallel->team;
        bool leads = team->group >= 0 && team->group_rank == 0;

        MPI_Comm_split(team->world, leads ? 0 : MPI_UNDEFINED, team->rank, &p.leaders);
        laser_log_phase(run->log, phase_of(&p));
        code = run_pass(&p, err);
        laser_log_phase_end(run->log);
    }
    close_pass(&p);
    if (run->rank != 0)
        free(all);
    if (code != LASER_OK)
        laser_statistics_free(s);
    return code;
}
