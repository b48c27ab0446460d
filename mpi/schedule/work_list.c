#include "schedule/work_list.h"

#include "comm/agree.h"
#include "run/signals.h"
#include "schedule/farm.h"

struct order {
    int64_t piece;
};

struct result {
    int64_t stop_asked;
    unsigned char own[]; /* the caller's; aligned as an int64_t is */
};

static enum laser_mpi_next next(void *context, int group, void *order)
{
    struct laser_mpi_work_list *list = context;
    int64_t i = list->n_handed_out;

    (void)group;
    if (i == list->n || list->stop.code != LASER_OK ||
        (list->rests != NULL && i > 0 && list->rests(list->context)))
        return LASER_MPI_END;
    ((struct order *)order)->piece = list->pieces != NULL ? list->pieces[i] : list->first + i;
    ++list->n_handed_out;
    return LASER_MPI_ORDER;
}

/* A request to stop ends the list at once, or after what is under way. */
static int put_off(struct laser_mpi_work_list *list, int code, const struct laser_error *err)
{
    if (code != LASER_ESTOPPED || list->rests == NULL)
        return code;
    list->stop = *err;
    return LASER_OK;
}

static int done(void *context, int group, const void *order, const void *result, struct laser_error *err)
{
    struct laser_mpi_work_list *list = context;
    const struct result *r = result;
    int code = LASER_OK;

    (void)group;
    if (list->done != NULL)
        code = list->done(list->context, ((const struct order *)order)->piece, r->own, err);
    ++list->n_done;
    return code == LASER_OK ? put_off(list, laser_run_asked(r->stop_asked != 0, err), err) : code;
}

static double expected(void *context, const void *order)
{
    const struct laser_mpi_work_list *list = context;

    return list->expected(list->context, ((const struct order *)order)->piece);
}

static int tick(void *context, struct laser_error *err)
{
    struct laser_mpi_work_list *list = context;

    laser_log_progress(list->run->log, list->n_done, list->n_total > 0 ? list->n_total : list->n, list->unit);
    return put_off(list, laser_run_stop(list->run, err), err);
}

static int work(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                struct laser_error *err)
{
    struct laser_mpi_work_list *list = context;
    struct result *r = result;
    int code = list->work(list->context, team, ((const struct order *)order)->piece, r->own, err);

    r->stop_asked = laser_signalled() != 0;
    return code;
}

int laser_mpi_work_list_run(const struct laser_mpi_team *team, struct laser_mpi_work_list *list,
                            struct laser_error *err)
{
    struct laser_mpi_farm farm = {.context = list,
                                  .order_bytes = sizeof(struct order),
                                  .result_bytes = sizeof(struct result) + list->result_bytes,
                                  .log = list->run->log,
                                  .pace = &list->run->pace,
                                  .counts_itself = list->counts_itself,
                                  .unit_s = list->unit_s,
                                  .depth = list->depth,
                                  .next = next,
                                  .done = done,
                                  .expected = list->expected != NULL ? expected : NULL,
                                  .tick = tick,
                                  .work = work};

    int code;

    list->n_handed_out = 0;
    list->stop = (struct laser_error){0};
    code = laser_mpi_farm_run(team, &farm, err);
    if (code != LASER_OK || list->rests == NULL)
        return code;
    if (list->stop.code != LASER_OK)
        *err = list->stop;
    return laser_mpi_agree(team->world, list->stop.code, err);
}
