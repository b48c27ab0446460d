#include "comm/wait.h"

#include <time.h>

#define MANY_POLLS 3000 /* without anything: some seconds */
#define LONG_POLLS 10000

void laser_mpi_pause(struct laser_mpi_pause *pause)
{
    struct timespec nap = {0, 20000};
    long most_ns;

    /* Not sched_yield: on a busy machine each one waits for a whole round of the other processes, where one
     * that has slept is served first. */
    if (++pause->polls < 20)
        return;
    /* 20 us at first, 1 ms once nothing has come for about 20 ms, 5 ms after some seconds. */
    nap.tv_nsec *= 1 + (pause->polls < LONG_POLLS ? pause->polls - 20 : LONG_POLLS) / 8;
    most_ns = pause->polls < MANY_POLLS ? 1000000 : 5000000;
    if (nap.tv_nsec > most_ns)
        nap.tv_nsec = most_ns;
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
