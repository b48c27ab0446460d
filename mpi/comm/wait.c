#include "comm/wait.h"

#include <time.h>

void laser_mpi_pause(struct laser_mpi_pause *pause)
{
    struct timespec nap = {0, 20000};

    /* Not sched_yield: on a busy machine each one waits for a whole round of the other processes, where one
     * that has slept is served first. */
    if (++pause->polls < 20)
        return;
    /* 20 us at first, 1 ms once nothing has come for about 20 ms. */
    nap.tv_nsec *= 1 + (pause->polls - 20) / 8;
    if (nap.tv_nsec > 1000000)
        nap.tv_nsec = 1000000;
    nanosleep(&nap, NULL);
}

void laser_mpi_wait(MPI_Request *request, MPI_Status *status)
{
    struct laser_mpi_pause pause = {0};
    int done = 0;

    for (MPI_Test(request, &done, status); !done; MPI_Test(request, &done, status))
        laser_mpi_pause(&pause);
}

void laser_mpi_barrier(MPI_Comm comm)
{
    MPI_Request request;

    MPI_Ibarrier(comm, &request);
    laser_mpi_wait(&request, MPI_STATUS_IGNORE);
}
