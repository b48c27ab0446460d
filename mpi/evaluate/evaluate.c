#include "evaluate/evaluation.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "comm/agree.h"
#include "evaluate/batches.h"
#include "evaluate/worker.h"
#include "plan/layout.h"
#include "plan/machine.h"
#include "run/signals.h"
#include "schedule/farm.h"

static void say_memory(const struct laser_run *run, const struct laser_layout *layout)
{
    char bytes[LASER_NUMBER_SIZE];

    laser_log_line(run->log, "MEMORY", "evaluation: about %s a rank, %d replica%s of %d shard%s",
                   laser_number_bytes(layout->memory_bytes, bytes), layout->replicas,
                   layout->replicas == 1 ? "" : "s", layout->shards, layout->shards == 1 ? "" : "s");
}

void laser_mpi_evaluation_init(struct laser_mpi_evaluation *e)
{
    memset(e, 0, sizeof *e);
    e->evaluation.parallel = e;
    e->shards.sharers = MPI_COMM_NULL;
    e->team.group_comm = MPI_COMM_NULL;
}

static int agree_group(const struct laser_evaluation *e, int code, struct laser_error *err)
{
    return laser_mpi_agree(e->parallel->team.group_comm, code, err);
}

/* What the serial part knows of the layout. */
static void set_place(struct laser_mpi_evaluation *own)
{
    struct laser_evaluation *e = &own->evaluation;

    e->n_groups = own->team.n_groups;
    e->group_size = own->team.group_size;
    e->group = own->team.group;
    e->group_rank = own->team.group_rank;
    e->agree = own->team.group_size > 1 ? agree_group : NULL;
}

int laser_mpi_evaluation_open(struct laser_evaluation *e, struct laser_error *err)
{
    struct laser_mpi_evaluation *own = e->parallel;
    struct laser_run *run = e->run;
    struct laser_layout_work work = laser_evaluation_work(e);
    struct laser_layout layout;
    int code;

    work.forward_flops = run->speed.forward_flops;
    code = laser_mpi_agree(laser_mpi_world(run), laser_layout_choose(run, &work, &layout, err), err);
    if (code == LASER_OK)
        code = laser_mpi_team_create(laser_mpi_world(run), layout.shards, &own->team, err);
    if (code != LASER_OK)
        return code;
    set_place(own);
    e->flops_per_token = layout.flops_per_token;
    e->memory_bytes = layout.memory_bytes;
    e->batch_s = work.forward_flops > 0 ? layout.batch_s : 0;
    if (run->rank == 0)
        say_memory(run, &layout);
    if (run->rank == 0 &&
        (e->done = calloc((size_t)(e->n_datasets + e->set.n_tasks) + 1, sizeof *e->done)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    e->option_nats = calloc((size_t)e->set.n_options + 1, sizeof *e->option_nats);
    if (e->option_nats == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for %" PRId64 " options",
                               e->set.n_options);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code != LASER_OK)
        return code;
    code = laser_mpi_run_safe_point(run, layout.weights_bytes / LASER_LOAD_BYTES_S, err);
    if (code != LASER_OK)
        return code;
    laser_mpi_shards_create(&own->team, &own->shards);
    if (own->team.group >= 0) {
        e->shards = &own->shards.group;
        code = laser_model_describe(run->checkpoint, e->shards, e->precision, &e->model, err);
    }
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK && e->model != NULL)
        code = laser_model_load(e->model, err);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK && e->model != NULL)
        code = laser_worker_create(e, &e->worker, err);
    e->model_is_open = code == LASER_OK;
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}

void laser_mpi_evaluation_close_model(struct laser_evaluation *e)
{
    struct laser_mpi_evaluation *own = e->parallel;

    laser_worker_free(e->worker);
    laser_model_free(e->model);
    laser_mpi_shards_free(&own->shards);
    laser_mpi_team_free(&own->team);
    free(e->option_nats);
    free(e->done);
    e->worker = NULL;
    e->model = NULL;
    e->shards = NULL;
    e->option_nats = NULL;
    e->done = NULL;
    e->model_is_open = false;
    memset(&own->shards, 0, sizeof own->shards);
    memset(&own->team, 0, sizeof own->team);
    own->shards.sharers = MPI_COMM_NULL;
    own->team.group_comm = MPI_COMM_NULL;
}

void laser_mpi_evaluation_close(struct laser_evaluation *e)
{
    laser_mpi_evaluation_close_model(e);
    for (int32_t i = 0; i < e->n_datasets; ++i)
        laser_dataset_free(&e->datasets[i]);
    free(e->datasets);
    free(e->windows);
    free(e->items);
    free(e->batches);
    laser_set_free(&e->set);
    laser_mpi_evaluation_init(e->parallel);
}

/* ---- every item ---- */

struct all_order {
    int64_t batch;
};

struct all_result {
    int32_t n;
    int32_t stop_asked;
    double work_s;
    struct laser_item_score scores[LASER_SEARCH_MAX_BATCH];
    double option_nats[]; /* of the options of its questions, in order */
};

struct all {
    struct laser_evaluation *e;
    struct laser_item_score *scores;
    const int32_t *edits;
    int n_edits;
    struct laser_batches batches;
    int64_t next, end; /* batches */
    int64_t n_done, n_items;
};

/* Beside a base there are windows alone. */
static bool is_left_out(const struct laser_evaluation *e, int64_t batch)
{
    return e->beside != NULL && e->beside->side != LASER_BESIDE_BOUND &&
           e->items[e->batches[batch].first] < 0;
}

static enum laser_mpi_next all_next(void *context, int group, void *order)
{
    struct all *all = context;

    (void)group;
    while (all->next < all->end && (all->batches.done[all->next] || is_left_out(all->e, all->next)))
        ++all->next;
    if (all->next == all->end)
        return LASER_MPI_END;
    ((struct all_order *)order)->batch = all->next++;
    return LASER_MPI_ORDER;
}

/* The time of a batch goes to the data sets and tasks of its items, by tokens. */
static void share_time(struct laser_evaluation *e, const struct laser_item_batch *b, double work_s)
{
    int64_t total = 0, index;

    for (int pass = 0; pass < 2; ++pass)
        for (int64_t i = b->first; i < b->first + b->n; ++i) {
            bool question = laser_item_is_question(e, i, &index);
            int64_t tokens = question ? e->set.questions[index].tokens : e->windows[index].n_tokens;
            int64_t where =
                question ? e->n_datasets + e->set.questions[index].task : e->windows[index].dataset;
            if (pass == 0)
                total += tokens;
            else
                e->done[where] =
                    (struct laser_work_done){e->done[where].work_s + work_s * (double)tokens / (double)total,
                                             e->done[where].tokens + tokens, e->done[where].items + 1};
        }
}

/* Between a batch's own options in order and those of the set; returns how many they are. */
static int64_t copy_options(struct laser_evaluation *e, const struct laser_item_batch *b, double *to,
                            const double *from)
{
    int64_t n = 0, index;

    for (int64_t i = b->first; i < b->first + b->n; ++i) {
        const struct laser_set_question *q;
        if (!laser_item_is_question(e, i, &index))
            continue;
        q = &e->set.questions[index];
        if (to != NULL)
            memcpy(to + n, e->option_nats + q->first_option, (size_t)q->n_options * sizeof *to);
        if (from != NULL)
            memcpy(e->option_nats + q->first_option, from + n, (size_t)q->n_options * sizeof *from);
        n += q->n_options;
    }
    return n;
}

/* Options of the batch with most. */
static size_t most_options(struct laser_evaluation *e)
{
    int64_t most = 0;

    for (int64_t b = 0; b < e->n_batches; ++b) {
        int64_t n = copy_options(e, &e->batches[b], NULL, NULL);
        most = n > most ? n : most;
    }
    return (size_t)most;
}

static int all_done(void *context, int group, const void *order, const void *result, struct laser_error *err)
{
    struct all *all = context;
    const struct all_result *r = result;
    const struct laser_item_batch *b = &all->e->batches[((const struct all_order *)order)->batch];

    (void)group;
    memcpy(all->scores + b->first, r->scores, (size_t)b->n * sizeof *r->scores);
    copy_options(all->e, b, NULL, r->option_nats);
    share_time(all->e, b, r->work_s);
    all->n_done += b->n;
    if (laser_batches_record(all->e, &all->batches, ((const struct all_order *)order)->batch, r->scores,
                             err) != LASER_OK)
        return err->code;
    return laser_run_asked(r->stop_asked, err);
}

static int all_tick(void *context, struct laser_error *err)
{
    struct all *all = context;

    laser_log_progress(all->e->run->log, all->n_done, all->n_items,
                       all->e->set.n_questions > 0 ? "items" : "windows");
    return laser_run_stop(all->e->run, err);
}

static int all_work(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                    struct laser_error *err)
{
    struct all *all = context;
    struct all_result *r = result;
    int64_t batch = ((const struct all_order *)order)->batch;
    double start_s = laser_clock_s();
    int code;

    (void)team;
    r->n = all->e->batches[batch].n;
    r->stop_asked = laser_signalled() != 0;
    code = laser_evaluate_batch(all->e, batch, all->edits, all->n_edits, all->n_edits, r->scores, err);
    copy_options(all->e, &all->e->batches[batch], r->option_nats, NULL);
    r->work_s = laser_clock_s() - start_s;
    return code == LASER_OK && all->n_edits == 0 ? laser_evaluate_check(all->e, batch, r->scores, err) : code;
}

/* The edits of rank 0 on every rank; the caller frees them. */
static int share_edits(const struct laser_run *run, const int32_t *edits, int *n, int32_t **all,
                       struct laser_error *err)
{
    int code = LASER_OK;

    MPI_Bcast(n, 1, MPI_INT, 0, laser_mpi_world(run));
    *all = malloc((size_t)*n * sizeof **all + 1);
    if (*all == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for %d edits", *n);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK) {
        if (run->rank == 0 && *n > 0)
            memcpy(*all, edits, (size_t)*n * sizeof **all);
        MPI_Bcast(*all, *n, MPI_INT32_T, 0, laser_mpi_world(run));
    }
    return code;
}

static int64_t count_items(const struct laser_evaluation *e, int64_t first, int64_t end)
{
    int64_t n = 0;

    for (int64_t b = first; b < end; ++b)
        n += e->batches[b].n;
    return n;
}

int laser_mpi_evaluate_batches(struct laser_evaluation *e, const char *phase, int64_t first, int64_t end,
                               const int32_t *edits, int n_edits, struct laser_item_score *scores,
                               struct laser_error *err)
{
    struct all all = {
        .e = e, .scores = scores, .next = first, .end = end, .n_items = count_items(e, first, end)};
    struct laser_mpi_farm farm = {.context = &all,
                                  .order_bytes = sizeof(struct all_order),
                                  .result_bytes =
                                      sizeof(struct all_result) + most_options(e) * sizeof(double),
                                  .log = e->run->log,
                                  .pace = &e->run->pace,
                                  .counts_itself = true,
                                  .unit_s = e->batch_s,
                                  .depth = 2,
                                  .next = all_next,
                                  .done = all_done,
                                  .tick = all_tick,
                                  .work = all_work};
    int32_t *mine;
    int code = share_edits(e->run, edits, &n_edits, &mine, err);

    if (code == LASER_OK && e->run->rank == 0)
        code = laser_batches_open(e, mine, n_edits, scores, &all.batches, err);
    code = laser_mpi_agree(laser_mpi_world(e->run), code, err);
    for (int64_t b = all.next; e->run->rank == 0 && code == LASER_OK && b < all.end; ++b)
        all.n_done += all.batches.done[b] ? e->batches[b].n : 0;
    all.edits = mine;
    all.n_edits = n_edits;
    if (e->done != NULL)
        memset(e->done, 0, (size_t)(e->n_datasets + e->set.n_tasks) * sizeof *e->done);
    if (code == LASER_OK) {
        laser_log_phase(e->run->log, phase);
        code = laser_mpi_farm_run(&e->parallel->team, &farm, err);
        laser_log_phase_end(e->run->log);
    }
    laser_batches_free(&all.batches);
    free(mine);
    return code;
}

int laser_mpi_evaluate_all(struct laser_evaluation *e, const char *phase, const int32_t *edits, int n_edits,
                           struct laser_item_score *scores, struct laser_error *err)
{
    return laser_mpi_evaluate_batches(e, phase, 0, e->part_batch[LASER_PARTS], edits, n_edits, scores, err);
}

int laser_mpi_evaluate_part(struct laser_evaluation *e, const char *phase, enum laser_item_part part,
                            const int32_t *edits, int n_edits, struct laser_item_score *scores,
                            struct laser_error *err)
{
    return laser_mpi_evaluate_batches(e, phase, e->part_batch[part], e->part_batch[part + 1], edits, n_edits,
                                      scores, err);
}

/* ---- a search ---- */

struct searching {
    struct laser_evaluation *e;
    struct laser_search *search;
    int64_t first_batch;
};

static enum laser_mpi_next search_next(void *context, int group, void *order)
{
    struct searching *s = context;

    switch (laser_search_next(s->search, group, order)) {
    case LASER_SEARCH_ORDER:
        return LASER_MPI_ORDER;
    case LASER_SEARCH_WAIT:
        return LASER_MPI_WAIT;
    default:
        return LASER_MPI_END;
    }
}

static int search_done(void *context, int group, const void *order, const void *result,
                       struct laser_error *err)
{
    struct searching *s = context;
    int code = laser_search_done(s->search, group, order, result, err);

    return code == LASER_OK ? laser_run_asked(((const struct laser_search_result *)result)->stop_asked, err)
                            : code;
}

static int search_tick(void *context, struct laser_error *err)
{
    struct searching *s = context;
    int64_t done, total;

    laser_search_progress(s->search, &done, &total);
    laser_log_progress(s->e->run->log, done, total, "batches");
    return laser_run_stop(s->e->run, err);
}

static int search_work(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                       struct laser_error *err)
{
    struct searching *s = context;
    const struct laser_search_order *o = order;
    struct laser_search_result *r = result;
    struct laser_item_score scores[LASER_SEARCH_MAX_BATCH];
    int64_t batch = s->first_batch + o->batch;
    int code;

    (void)team;
    r->n_windows = s->e->batches[batch].n;
    r->stop_asked = laser_signalled() != 0;
    code = laser_evaluate_batch(s->e, batch, o->edits, o->n_edits, o->n_kept, scores, err);
    if (code == LASER_OK && o->trial < 0)
        code = laser_evaluate_check(s->e, batch, scores, err);
    for (int i = 0; code == LASER_OK && i < r->n_windows; ++i) {
        int64_t item = s->e->batches[batch].first + i, index;
        r->nll[i] = laser_item_value(s->e, item, &scores[i]);
        r->kl[i] = s->e->beside == NULL || laser_item_is_question(s->e, item, &index)
                       ? (double)NAN
                       : scores[i].kl_nats / s->e->windows[index].n_scored;
    }
    return code;
}

int laser_mpi_evaluate_search(struct laser_evaluation *e, const char *phase, struct laser_search *search,
                              enum laser_item_part part, struct laser_error *err)
{
    struct searching s = {.e = e, .search = search, .first_batch = e->part_batch[part]};
    struct laser_mpi_farm farm = {.context = &s,
                                  .order_bytes = sizeof(struct laser_search_order),
                                  .result_bytes = sizeof(struct laser_search_result),
                                  .log = e->run->log,
                                  .pace = &e->run->pace,
                                  .counts_itself = true,
                                  .unit_s = e->batch_s,
                                  .depth = 2,
                                  .next = search_next,
                                  .done = search_done,
                                  .tick = search_tick,
                                  .work = search_work};
    int code;

    laser_log_phase(e->run->log, phase);
    code = laser_mpi_farm_run(&e->parallel->team, &farm, err);
    laser_log_phase_end(e->run->log);
    return code;
}
