#include "schedule/farm.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/number.h"
#include "comm/agree.h"
#include "comm/log.h"
#include "comm/wait.h"
#include "run/watch.h"

enum { TAG_ORDER = 1, TAG_END, TAG_RESULT, TAG_FAILURE };

/* One group as rank 0 sees it: a short queue of the orders that it holds. */
struct queue {
    int held;
    bool ended;
    int oldest;            /* slot of the oldest one */
    unsigned char *orders; /* a ring of depth slots: what is sent stays where it is until it is answered */
    MPI_Request *sends;    /* of each slot.  A large order is received only when its group is free: the
                              coordinator does not wait for that */
    double since_s;        /* when the oldest one was begun */
};

struct coordinator {
    const struct laser_mpi_team *team;
    const struct laser_mpi_farm *farm;
    struct queue *queues;
    unsigned char *order;  /* one order */
    unsigned char *result; /* one result, or a struct laser_error */
    int open;              /* groups that were not sent the end */
    int code;
    int64_t n_results;
    double taken_s, expected; /* of the results so far */
    struct laser_error late;  /* an order was not begun for lack of time */
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The order that a group holds at a place of its queue, 0 being the one that it works on. */
static int slot_at(const struct coordinator *c, const struct queue *queue, int place)
{
    return (queue->oldest + place) % c->farm->depth;
}

static unsigned char *order_at(const struct coordinator *c, const struct queue *queue, int place)
{
    return queue->orders + (size_t)slot_at(c, queue, place) * c->farm->order_bytes;
}

static double expected_of(const struct coordinator *c, const void *order)
{
    double units = c->farm->expected != NULL ? c->farm->expected(c->farm->context, order) : 1;

    return units > 0 ? units : 1e-9;
}

/* Seconds that an order will take, a little on the safe side; 0 where nothing is known yet. */
static double predict(const struct coordinator *c, const void *order)
{
    if (c->n_results == 0)
        return 1.2 * expected_of(c, order) * c->farm->unit_s;
    return 1.2 * expected_of(c, order) * c->taken_s / c->expected;
}

/* Is there time for one more order in this group? */
static bool has_time(struct coordinator *c, const struct queue *queue, const void *order)
{
    const struct laser_pace *pace = c->farm->pace;
    double now_s = laser_clock_s(), end_s, next_s = predict(c, order);
    char takes[LASER_NUMBER_SIZE], left[LASER_NUMBER_SIZE];

    if (pace == NULL || !isfinite(pace->deadline_s))
        return true;
    end_s = (queue->held > 0 ? queue->since_s : now_s) + next_s;
    for (int i = 0; i < queue->held; ++i)
        end_s += predict(c, order_at(c, queue, i));
    if (end_s <= pace->deadline_s || (pace->n_durable == 0 && (queue->held == 0 || c->farm->counts_itself)))
        return true;
    laser_error_set(
        &c->late, LASER_ESTOPPED, "run.max_time",
        "stopped: the next work item takes about %s, %s are left; give the same command again to resume",
        laser_number_time(next_s, takes),
        laser_number_time(pace->deadline_s > now_s ? pace->deadline_s - now_s : 0, left));
    return false;
}

/* Gives a group orders until it holds `most`, or the end. */
static void serve(struct coordinator *c, int group, int most)
{
    struct queue *queue = &c->queues[group];
    int leader = laser_mpi_team_leader(c->team, group);

    while (!queue->ended && queue->held < most) {
        enum laser_mpi_next next = LASER_MPI_END;

        if (c->code == LASER_OK && c->late.code == LASER_OK)
            next = c->farm->next(c->farm->context, group, c->order);
        if (next == LASER_MPI_WAIT)
            return;
        if (next == LASER_MPI_ORDER && !has_time(c, queue, c->order))
            next = LASER_MPI_END; /* the order is lost, but so is every other one: the farm ends */
        if (next == LASER_MPI_END) {
            MPI_Send(NULL, 0, MPI_BYTE, leader, TAG_END, c->team->world);
            queue->ended = true;
            --c->open;
            return;
        }
        memcpy(order_at(c, queue, queue->held), c->order, c->farm->order_bytes);
        MPI_Isend(order_at(c, queue, queue->held), (int)c->farm->order_bytes, MPI_BYTE, leader, TAG_ORDER,
                  c->team->world, &queue->sends[slot_at(c, queue, queue->held)]);
        if (queue->held == 0)
            queue->since_s = laser_clock_s();
        ++queue->held;
    }
}

/* All groups: each its first order before any has its second - which waits for a result where nothing but an
 * estimate says how long it takes: that is not enough to end a run that has begun. */
static void serve_all(struct coordinator *c)
{
    int depth = c->n_results == 0 && c->farm->unit_s > 0 ? 1 : c->farm->depth;

    for (int most = 1; most <= depth; ++most)
        for (int group = 0; group < c->team->n_groups; ++group)
            serve(c, group, most);
}

/* What an order has taken, for those to come. */
static void learn(struct coordinator *c, const void *order, double taken_s)
{
    ++c->n_results;
    c->taken_s += taken_s;
    c->expected += expected_of(c, order);
    if (c->farm->pace != NULL && !c->farm->counts_itself)
        ++c->farm->pace->n_durable;
}

static void receive(struct coordinator *c, const MPI_Status *probe, struct laser_error *err)
{
    int group = c->team->size == 1 ? 0 : (probe->MPI_SOURCE - 1) / c->team->group_size;
    struct queue *queue = &c->queues[group];
    const unsigned char *order = order_at(c, queue, 0);

    MPI_Wait(&queue->sends[queue->oldest], MPI_STATUS_IGNORE); /* it was answered, so it has arrived */
    if (probe->MPI_TAG == TAG_FAILURE) {
        struct laser_error theirs;
        MPI_Recv(&theirs, (int)sizeof theirs, MPI_BYTE, probe->MPI_SOURCE, TAG_FAILURE, c->team->world,
                 MPI_STATUS_IGNORE);
        if (c->code == LASER_OK) {
            *err = theirs;
            c->code = theirs.code;
        }
    } else {
        MPI_Recv(c->result, (int)c->farm->result_bytes, MPI_BYTE, probe->MPI_SOURCE, TAG_RESULT,
                 c->team->world, MPI_STATUS_IGNORE);
        if (c->code == LASER_OK)
            c->code = c->farm->done(c->farm->context, group, order, c->result, err);
        learn(c, order, laser_clock_s() - queue->since_s);
    }
    queue->since_s = laser_clock_s();
    --queue->held;
    queue->oldest = slot_at(c, queue, 1);
}

static int holding(const struct coordinator *c)
{
    int held = 0;

    for (int group = 0; group < c->team->n_groups; ++group)
        held += c->queues[group].held;
    return held;
}

/* "rank 3 on n2", "ranks 3 (n2) to 6 (n3)" */
static void name_group(const struct coordinator *c, int group, char *text, size_t size)
{
    int first = laser_mpi_team_leader(c->team, group), last = first + c->team->group_size - 1;
    const char *a = "", *b = "";

    if (c->farm->log != NULL) {
        a = laser_mpi_log_host(c->farm->log, first);
        b = laser_mpi_log_host(c->farm->log, last);
    }
    if (first == last)
        snprintf(text, size, "rank %d%s%s", first, a[0] != '\0' ? " on " : "", a);
    else
        snprintf(text, size, "a rank of %d (%s) to %d (%s)", first, a, last, b);
}

/* A group that is silent for too long.  Nobody can be waited for any more: the job ends here. */
static void look_for_lost(const struct coordinator *c)
{
    const struct laser_pace *pace = c->farm->pace;
    double now_s = laser_clock_s();

    for (int group = 0; pace != NULL && pace->stall_s > 0 && group < c->team->n_groups; ++group) {
        const struct queue *queue = &c->queues[group];
        struct laser_error err;
        char who[256], time[LASER_NUMBER_SIZE];
        double patience_s;

        if (queue->held == 0 || now_s - queue->since_s < pace->stall_s)
            continue;
        patience_s = 20 * predict(c, order_at(c, queue, 0));
        if (now_s - queue->since_s < patience_s)
            continue;
        name_group(c, group, who, sizeof who);
        laser_error_set(
            &err, LASER_ESTOPPED, "",
            "%s has not answered for %s (run.stall_time) and is taken for lost; what is done is safe, "
            "give the same command again to resume",
            who, laser_number_time(now_s - queue->since_s, time));
        err.rank = 0;
        if (c->farm->log != NULL)
            laser_mpi_log_error(c->farm->log, &err);
        MPI_Abort(c->team->world, LASER_ESTOPPED);
    }
}

static int coordinate(struct coordinator *c, struct laser_error *err)
{
    struct laser_mpi_pause pause = {0};

    c->open = c->team->n_groups;
    serve_all(c);
    while (c->open > 0 || holding(c) > 0) {
        MPI_Status status;
        int there = 0;

        laser_watch_tick();
        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, c->team->world, &there, &status);
        if (there) {
            receive(c, &status, err);
            pause.polls = 0;
            serve_all(c); /* a result may set others free, too */
        } else {
            laser_mpi_pause(&pause);
            look_for_lost(c);
        }
        if (c->code == LASER_OK && c->farm->tick != NULL) {
            c->code = c->farm->tick(c->farm->context, err);
            if (c->code != LASER_OK)
                serve_all(c);
        }
    }
    if (c->code == LASER_OK && c->late.code != LASER_OK) {
        *err = c->late;
        c->code = c->late.code;
    }
    return c->code;
}

/* One order, and the time that it took. */
static int carry_out(const struct laser_mpi_team *team, const struct laser_mpi_farm *farm, const void *order,
                     void *result, struct laser_error *err)
{
    double start_s = laser_clock_s();
    int code = farm->work(farm->context, team, order, result, err);

    if (farm->log != NULL)
        laser_log_work(farm->log, laser_clock_s() - start_s, 0);
    return code;
}

/* One rank is everything. */
static int run_alone(struct coordinator *c, struct laser_error *err)
{
    const struct laser_mpi_farm *farm = c->farm;
    const struct queue none = {0};

    while (c->code == LASER_OK && farm->next(farm->context, 0, c->order) == LASER_MPI_ORDER) {
        double start_s = laser_clock_s();
        if (!has_time(c, &none, c->order)) {
            *err = c->late;
            return c->late.code;
        }
        c->code = carry_out(c->team, farm, c->order, c->result, err);
        if (c->code == LASER_OK)
            c->code = farm->done(farm->context, 0, c->order, c->result, err);
        if (c->code == LASER_OK)
            learn(c, c->order, laser_clock_s() - start_s);
        if (c->code == LASER_OK && farm->tick != NULL)
            c->code = farm->tick(farm->context, err);
    }
    return c->code;
}

/* The next order or the end, on every rank of the group. */
static bool take_order(const struct laser_mpi_team *team, const struct laser_mpi_farm *farm,
                       unsigned char *order)
{
    MPI_Request request;
    MPI_Status status;
    unsigned char *more = order + farm->order_bytes; /* travels with the order within the group */

    if (team->group_rank == 0) {
        MPI_Irecv(order, (int)farm->order_bytes, MPI_BYTE, 0, MPI_ANY_TAG, team->world, &request);
        laser_mpi_wait(&request, &status);
        *more = status.MPI_TAG == TAG_ORDER;
    }
    if (team->group_size > 1) {
        MPI_Ibcast(order, (int)farm->order_bytes + 1, MPI_BYTE, 0, team->group_comm, &request);
        laser_mpi_wait(&request, MPI_STATUS_IGNORE);
    }
    return *more != 0;
}

static int work(const struct laser_mpi_team *team, const struct laser_mpi_farm *farm, unsigned char *order,
                unsigned char *result, struct laser_error *err)
{
    int failure = LASER_OK;

    while (take_order(team, farm, order)) {
        int code = failure;

        /* After a failure the orders already on their way are answered, not carried out. */
        if (code == LASER_OK)
            code = failure = carry_out(team, farm, order, result, err);
        if (team->group_rank != 0)
            continue;
        if (code == LASER_OK) {
            MPI_Send(result, (int)farm->result_bytes, MPI_BYTE, 0, TAG_RESULT, team->world);
        } else {
            err->code = code;
            MPI_Send(err, (int)sizeof *err, MPI_BYTE, 0, TAG_FAILURE, team->world);
        }
    }
    return failure;
}

static int allocate(struct coordinator *c)
{
    size_t depth_bytes = (size_t)c->farm->depth * c->farm->order_bytes;

    c->order = calloc(1, c->farm->order_bytes + 1);
    c->result = calloc(1, larger(c->farm->result_bytes, 1));
    c->queues = calloc((size_t)c->team->n_groups, sizeof *c->queues);
    if (c->order == NULL || c->result == NULL || c->queues == NULL)
        return LASER_ENOMEM;
    for (int group = 0; group < c->team->n_groups; ++group) {
        c->queues[group].orders = malloc(depth_bytes);
        c->queues[group].sends = malloc((size_t)c->farm->depth * sizeof(MPI_Request));
        if (c->queues[group].orders == NULL || c->queues[group].sends == NULL)
            return LASER_ENOMEM;
    }
    return LASER_OK;
}

int laser_mpi_farm_run(const struct laser_mpi_team *team, const struct laser_mpi_farm *farm,
                       struct laser_error *err)
{
    struct coordinator c = {.team = team, .farm = farm};
    int code = allocate(&c);

    if (code != LASER_OK)
        laser_error_set(err, code, "coordinator", "no memory for the orders of %d groups", team->n_groups);
    code = laser_mpi_agree(team->world, code, err);
    if (code == LASER_OK) {
        if (team->size == 1)
            code = run_alone(&c, err);
        else if (team->rank == 0)
            code = coordinate(&c, err);
        else if (team->group >= 0)
            code = work(team, farm, c.order, c.result, err);
        laser_mpi_barrier(team->world);
        code = laser_mpi_agree(team->world, code, err);
    }
    for (int group = 0; c.queues != NULL && group < team->n_groups; ++group) {
        free(c.queues[group].orders);
        free(c.queues[group].sends);
    }
    free(c.queues);
    free(c.order);
    free(c.result);
    return code;
}
