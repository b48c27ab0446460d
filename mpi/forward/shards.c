#include "forward/shards.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* In pieces that MPI's int can count.  The group's ranks all call it, so the pieces match. */
static int reduce(struct laser_mpi_shards *shards, float *x, int64_t n, MPI_Op op)
{
    for (int64_t at = 0; at < n; at += INT_MAX) {
        int piece = n - at < INT_MAX ? (int)(n - at) : INT_MAX;
        if (MPI_Allreduce(MPI_IN_PLACE, x + at, piece, MPI_FLOAT, op, shards->comm) != MPI_SUCCESS)
            return LASER_EIO;
    }
    return LASER_OK;
}

static int sum(void *context, float *x, int64_t n)
{
    return reduce(context, x, n, MPI_SUM);
}

static int max(void *context, float *x, int64_t n)
{
    return reduce(context, x, n, MPI_MAX);
}

static void *alloc_shared(void *context, int64_t bytes, bool *fill_it)
{
    struct laser_mpi_shards *shards = context;
    MPI_Win *bigger = realloc(shards->windows, ((size_t)shards->n_windows + 1) * sizeof *bigger);
    int rank, unit, failed = bigger == NULL;
    void *memory = NULL;
    MPI_Aint size;

    if (bigger != NULL)
        shards->windows = bigger;
    MPI_Allreduce(MPI_IN_PLACE, &failed, 1, MPI_INT, MPI_MAX, shards->sharers);
    if (failed)
        return NULL;
    MPI_Comm_rank(shards->sharers, &rank);
    *fill_it = rank == 0;
    /* 64 bytes more: the start is rounded up to a cache line, the same way in every process, since pages are
     * aligned alike. */
    if (MPI_Win_allocate_shared(rank == 0 ? (MPI_Aint)bytes + 64 : 0, 1, MPI_INFO_NULL, shards->sharers,
                                &memory, &bigger[shards->n_windows]) != MPI_SUCCESS)
        return NULL;
    MPI_Win_shared_query(bigger[shards->n_windows], 0, &size, &unit, &memory);
    ++shards->n_windows;
    return (char *)memory + (64 - (uintptr_t)memory % 64) % 64;
}

static void ready(void *context)
{
    struct laser_mpi_shards *shards = context;

    for (int i = 0; i < shards->n_windows; ++i)
        MPI_Win_fence(0, shards->windows[i]);
}

void laser_mpi_shards_create(const struct laser_mpi_team *team, struct laser_mpi_shards *shards)
{
    MPI_Comm node;
    int sharers = 1;

    memset(shards, 0, sizeof *shards);
    shards->sharers = MPI_COMM_NULL;
    MPI_Comm_split_type(team->world, MPI_COMM_TYPE_SHARED, team->rank, MPI_INFO_NULL, &node);
    MPI_Comm_split(node, team->group < 0 ? MPI_UNDEFINED : team->group_rank, team->rank, &shards->sharers);
    MPI_Comm_free(&node);
    if (team->group < 0)
        return;
    MPI_Comm_size(shards->sharers, &sharers);
    shards->comm = team->group_comm;
    shards->group.index = team->group_rank;
    shards->group.count = team->group_size;
    shards->group.context = shards;
    shards->group.sum = sum;
    shards->group.max = max;
    if (sharers > 1) {
        shards->group.weights_alloc = alloc_shared;
        shards->group.weights_ready = ready;
    }
}

void laser_mpi_shards_free(struct laser_mpi_shards *shards)
{
    for (int i = 0; i < shards->n_windows; ++i)
        MPI_Win_free(&shards->windows[i]);
    free(shards->windows);
    if (shards->sharers != MPI_COMM_NULL)
        MPI_Comm_free(&shards->sharers);
    memset(shards, 0, sizeof *shards);
    shards->sharers = MPI_COMM_NULL;
}
