#include "schedule/evaluate.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "schedule/batches.h"
#include "schedule/farm.h"
#include "schedule/layout.h"
#include "schedule/worker.h"

/* A rank reads and prepares its weights about as fast. */
#define LOAD_BYTES_S 300e6

int laser_mpi_evaluation_open(struct laser_mpi_evaluation *e, struct laser_error *err)
{
    struct laser_mpi_run *run = e->run;
    struct laser_mpi_work work = laser_mpi_evaluation_work(e);
    struct laser_mpi_layout layout;
    int code = laser_mpi_agree(run->world, laser_mpi_layout_choose(run, &work, &layout, err), err);

    if (code == LASER_OK)
        code = laser_mpi_team_create(run->world, layout.shards, &e->team, err);
    if (code != LASER_OK)
        return code;
    e->flops_per_token = layout.flops_per_token;
    if (run->rank == 0 &&
        (e->dataset_work_s = calloc((size_t)e->n_datasets, sizeof *e->dataset_work_s)) == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
    code = laser_mpi_agree(run->world, code, err);
    if (code != LASER_OK)
        return code;
    code = laser_mpi_run_safe_point(run, layout.weights_bytes / LOAD_BYTES_S, err);
    if (code != LASER_OK)
        return code;
    laser_mpi_shards_create(&e->team, &e->shards);
    if (e->team.group >= 0)
        code = laser_model_describe(run->checkpoint, &e->shards.group, e->precision, &e->model, err);
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK && e->model != NULL)
        code = laser_model_load(e->model, err);
    code = laser_mpi_agree(run->world, code, err);
    if (code == LASER_OK && e->model != NULL)
        code = laser_mpi_worker_create(e, &e->worker, err);
    return laser_mpi_agree(run->world, code, err);
}

void laser_mpi_evaluation_close(struct laser_mpi_evaluation *e)
{
    laser_mpi_worker_free(e->worker);
    laser_model_free(e->model);
    laser_mpi_shards_free(&e->shards);
    laser_mpi_team_free(&e->team);
    for (int32_t i = 0; i < e->n_datasets; ++i)
        laser_dataset_free(&e->datasets[i]);
    free(e->datasets);
    free(e->windows);
    free(e->dataset_work_s);
    memset(e, 0, sizeof *e);
    e->shards.sharers = MPI_COMM_NULL;
    e->team.group_comm = MPI_COMM_NULL;
}

/* ---- every window, as the model is ---- */

struct all_order {
    int64_t batch;
};

struct all_result {
    int32_t n;
    int32_t stop_asked;
    double work_s;
    struct laser_window_nll nll[LASER_SEARCH_MAX_BATCH];
};

struct all {
    struct laser_mpi_evaluation *e;
    struct laser_window_nll *nll;
    struct laser_mpi_batches batches;
    int64_t n_handed_out, n_done;
};

static enum laser_mpi_next all_next(void *context, int group, void *order)
{
    struct all *all = context;

    (void)group;
    while (all->n_handed_out < all->e->n_batches && all->batches.done[all->n_handed_out])
        ++all->n_handed_out;
    if (all->n_handed_out == all->e->n_batches)
        return LASER_MPI_END;
    ((struct all_order *)order)->batch = all->n_handed_out++;
    return LASER_MPI_ORDER;
}

/* The time of a batch goes to the data sets of its windows, by tokens. */
static void share_time(struct laser_mpi_evaluation *e, int64_t first, int n, double work_s)
{
    int64_t tokens = 0;

    for (int i = 0; i < n; ++i)
        tokens += e->windows[first + i].n_tokens;
    for (int i = 0; i < n; ++i)
        e->dataset_work_s[e->windows[first + i].dataset] +=
            work_s * e->windows[first + i].n_tokens / (double)tokens;
}

static int all_done(void *context, int group, const void *order, const void *result, struct laser_error *err)
{
    struct all *all = context;
    const struct all_result *r = result;
    int64_t first;
    int n = laser_mpi_batch_windows(all->e, ((const struct all_order *)order)->batch, &first);

    (void)group;
    memcpy(all->nll + first, r->nll, (size_t)n * sizeof *r->nll);
    share_time(all->e, first, n, r->work_s);
    all->n_done += n;
    if (laser_mpi_batches_record(all->e, &all->batches, ((const struct all_order *)order)->batch, r->nll, n,
                                 err) != LASER_OK)
        return err->code;
    return laser_mpi_run_asked(r->stop_asked, err);
}

static int all_tick(void *context, struct laser_error *err)
{
    struct all *all = context;

    laser_mpi_log_progress(all->e->run->log, all->n_done, all->e->n_windows, "windows");
    return laser_mpi_run_stop(all->e->run, err);
}

/* The base model must be finite: where it is not, says where that begins. */
static int check_finite(struct laser_mpi_evaluation *e, int64_t batch, const struct laser_window_nll *nll,
                        int n, struct laser_error *err)
{
    for (int i = 0; i < n; ++i)
        if (!isfinite(nll[i].sum_nats))
            return laser_mpi_blame(e, batch, err);
    return LASER_OK;
}

static int all_work(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                    struct laser_error *err)
{
    struct all *all = context;
    struct all_result *r = result;
    int64_t batch = ((const struct all_order *)order)->batch, first;
    double start_s = MPI_Wtime();
    int code;

    (void)team;
    r->n = laser_mpi_batch_windows(all->e, batch, &first);
    r->stop_asked = laser_mpi_signalled();
    code = laser_mpi_evaluate_batch(all->e, batch, NULL, 0, 0, r->nll, err);
    r->work_s = MPI_Wtime() - start_s;
    return code == LASER_OK ? check_finite(all->e, batch, r->nll, r->n, err) : code;
}

int laser_mpi_evaluate_all(struct laser_mpi_evaluation *e, const char *phase, struct laser_window_nll *nll,
                           struct laser_error *err)
{
    struct all all = {.e = e, .nll = nll};
    struct laser_mpi_farm farm = {.context = &all,
                                  .order_bytes = sizeof(struct all_order),
                                  .result_bytes = sizeof(struct all_result),
                                  .log = e->run->log,
                                  .pace = &e->run->pace,
                                  .counts_itself = true,
                                  .depth = 2,
                                  .next = all_next,
                                  .done = all_done,
                                  .tick = all_tick,
                                  .work = all_work};
    int code = LASER_OK;

    if (e->run->rank == 0)
        code = laser_mpi_batches_open(e, nll, &all.batches, err);
    code = laser_mpi_agree(e->run->world, code, err);
    all.n_done = all.batches.n_windows;
    if (e->dataset_work_s != NULL)
        memset(e->dataset_work_s, 0, (size_t)e->n_datasets * sizeof *e->dataset_work_s);
    if (code == LASER_OK) {
        laser_mpi_log_phase(e->run->log, phase);
        code = laser_mpi_farm_run(&e->team, &farm, err);
        laser_mpi_log_phase_end(e->run->log);
    }
    laser_mpi_batches_free(&all.batches);
    return code;
}

/* ---- a search ---- */

struct searching {
    struct laser_mpi_evaluation *e;
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

    return code == LASER_OK
               ? laser_mpi_run_asked(((const struct laser_search_result *)result)->stop_asked, err)
               : code;
}

static int search_tick(void *context, struct laser_error *err)
{
    struct searching *s = context;
    int64_t done, total;

    laser_search_progress(s->search, &done, &total);
    laser_mpi_log_progress(s->e->run->log, done, total, "batches");
    return laser_mpi_run_stop(s->e->run, err);
}

static int search_work(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                       struct laser_error *err)
{
    struct searching *s = context;
    const struct laser_search_order *o = order;
    struct laser_search_result *r = result;
    struct laser_window_nll nll[LASER_SEARCH_MAX_BATCH];
    int64_t first, batch = s->first_batch + o->batch;
    int code;

    (void)team;
    r->n_windows = laser_mpi_batch_windows(s->e, batch, &first);
    r->stop_asked = laser_mpi_signalled();
    code = laser_mpi_evaluate_batch(s->e, batch, o->edits, o->n_edits, o->n_kept, nll, err);
    if (code == LASER_OK && o->trial < 0)
        code = check_finite(s->e, batch, nll, r->n_windows, err);
    for (int i = 0; code == LASER_OK && i < r->n_windows; ++i)
        r->nll[i] = nll[i].sum_nats / s->e->windows[first + i].n_scored;
    return code;
}

int laser_mpi_evaluate_search(struct laser_mpi_evaluation *e, const char *phase, struct laser_search *search,
                              int64_t first_batch, struct laser_error *err)
{
    struct searching s = {.e = e, .search = search, .first_batch = first_batch};
    struct laser_mpi_farm farm = {.context = &s,
                                  .order_bytes = sizeof(struct laser_search_order),
                                  .result_bytes = sizeof(struct laser_search_result),
                                  .log = e->run->log,
                                  .pace = &e->run->pace,
                                  .counts_itself = true,
                                  .depth = 2,
                                  .next = search_next,
                                  .done = search_done,
                                  .tick = search_tick,
                                  .work = search_work};
    int code;

    laser_mpi_log_phase(e->run->log, phase);
    code = laser_mpi_farm_run(&e->team, &farm, err);
    laser_mpi_log_phase_end(e->run->log);
    return code;
}
