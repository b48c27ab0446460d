#include "comm/agree.h"

#include "comm/wait.h"

/* Polls before a rank begins to sleep (some hundred microseconds): ranks that agree in the midst of work meet
 * sooner, one that waits for rank 0 to write files shall not burn a core. */
#define SPINS 1000

/* The fault that a test has planted; see laser_mpi_agree_inject. */
static int inject_rank;
static int64_t inject_count;

void laser_mpi_agree_inject(int world_rank, int64_t count)
{
    inject_rank = world_rank;
    inject_count = count;
}

int laser_mpi_agree(MPI_Comm comm, int code, struct laser_error *err)
{
    struct {
        int code;
        int rank;
    } mine, worst;
    MPI_Request request;
    int rank, world_rank, done = 0;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_rank(MPI_COMM_WORLD, &world_rank);
    if (inject_count > 0 && inject_rank == world_rank && --inject_count == 0)
        code = laser_error_set(err, LASER_EINTERNAL, "fault injection", "planted on rank %d", world_rank);
    mine.code = code;
    mine.rank = rank;
    /* MAXLOC takes the lowest rank among equals. */
    MPI_Iallreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, comm, &request);
    for (int polls = 0; !done && polls < SPINS; ++polls)
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (!done)
        laser_mpi_wait(&request, MPI_STATUS_IGNORE);
    if (worst.code == LASER_OK)
        return LASER_OK;
    if (worst.rank == rank) {
        err->code = code;
        err->rank = world_rank;
    }
    MPI_Bcast(err, (int)sizeof *err, MPI_BYTE, worst.rank, comm);
    return worst.code;
}
