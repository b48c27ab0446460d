#include "schedule/farm.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/wait.h"

enum { TAG_ORDER = 1, TAG_END, TAG_RESULT, TAG_FAILURE };

/* One group as rank 0 sees it: a short queue of the orders that it holds. */
struct desk {
    int held;
    bool ended;
    unsigned char *orders; /* depth x order_bytes, oldest first */
};

struct coordinator {
    const struct laser_mpi_team *team;
    const struct laser_mpi_farm *farm;
    struct desk *desks;
    unsigned char *order;  /* one order */
    unsigned char *result; /* one result, or a struct laser_error */
    int open;              /* groups that were not sent the end */
    int code;
};

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* Gives a group orders until it holds `most`, or the end. */
static void serve(struct coordinator *c, int group, int most)
{
    struct desk *desk = &c->desks[group];
    int leader = laser_mpi_team_leader(c->team, group);

    while (!desk->ended && desk->held < most) {
        enum laser_mpi_next next = LASER_MPI_END;

        if (c->code == LASER_OK)
            next = c->farm->next(c->farm->context, group, c->order);
        if (next == LASER_MPI_WAIT)
            return;
        if (next == LASER_MPI_END) {
            MPI_Send(NULL, 0, MPI_BYTE, leader, TAG_END, c->team->world);
            desk->ended = true;
            --c->open;
            return;
        }
        MPI_Send(c->order, (int)c->farm->order_bytes, MPI_BYTE, leader, TAG_ORDER, c->team->world);
        memcpy(desk->orders + (size_t)desk->held * c->farm->order_bytes, c->order, c->farm->order_bytes);
        ++desk->held;
    }
}

/* All groups: each its first order before any has its second. */
static void serve_all(struct coordinator *c)
{
    for (int most = 1; most <= c->farm->depth; ++most)
        for (int group = 0; group < c->team->n_groups; ++group)
            serve(c, group, most);
}

static void receive(struct coordinator *c, const MPI_Status *probe, struct laser_error *err)
{
    int group = c->team->size == 1 ? 0 : (probe->MPI_SOURCE - 1) / c->team->group_size;
    struct desk *desk = &c->desks[group];
    size_t order_bytes = c->farm->order_bytes;

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
            c->code = c->farm->done(c->farm->context, group, desk->orders, c->result, err);
    }
    --desk->held;
    memmove(desk->orders, desk->orders + order_bytes, (size_t)desk->held * order_bytes);
}

static int holding(const struct coordinator *c)
{
    int held = 0;

    for (int group = 0; group < c->team->n_groups; ++group)
        held += c->desks[group].held;
    return held;
}

static int coordinate(struct coordinator *c, struct laser_error *err)
{
    struct laser_mpi_pause pause = {0};

    c->open = c->team->n_groups;
    serve_all(c);
    while (c->open > 0 || holding(c) > 0) {
        MPI_Status status;
        int there = 0;

        MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, c->team->world, &there, &status);
        if (there) {
            receive(c, &status, err);
            pause.polls = 0;
            serve_all(c); /* a result may set others free, too */
        } else {
            laser_mpi_pause(&pause);
        }
        if (c->code == LASER_OK && c->farm->tick != NULL) {
            c->code = c->farm->tick(c->farm->context, err);
            if (c->code != LASER_OK)
                serve_all(c);
        }
    }
    return c->code;
}

/* One order, and the time that it took. */
static int carry_out(const struct laser_mpi_team *team, const struct laser_mpi_farm *farm, const void *order,
                     void *result, struct laser_error *err)
{
    double start_s = MPI_Wtime();
    int code = farm->work(farm->context, team, order, result, err);

    if (farm->log != NULL)
        laser_mpi_log_work(farm->log, MPI_Wtime() - start_s, 0);
    return code;
}

/* One rank is everything. */
static int run_alone(struct coordinator *c, struct laser_error *err)
{
    const struct laser_mpi_farm *farm = c->farm;

    while (c->code == LASER_OK && farm->next(farm->context, 0, c->order) == LASER_MPI_ORDER) {
        c->code = carry_out(c->team, farm, c->order, c->result, err);
        if (c->code == LASER_OK)
            c->code = farm->done(farm->context, 0, c->order, c->result, err);
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
    c->desks = calloc((size_t)c->team->n_groups, sizeof *c->desks);
    if (c->order == NULL || c->result == NULL || c->desks == NULL)
        return LASER_ENOMEM;
    for (int group = 0; group < c->team->n_groups; ++group) {
        c->desks[group].orders = malloc(depth_bytes);
        if (c->desks[group].orders == NULL)
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
    for (int group = 0; c.desks != NULL && group < team->n_groups; ++group)
        free(c.desks[group].orders);
    free(c.desks);
    free(c.order);
    free(c.result);
    return code;
}
