#include "schedule/calibrate.h"

#include <unistd.h>

#include "comm/wait.h"
#include "plan/calibrate.h"
#include "schedule/run.h"

static int count_cores(MPI_Comm world)
{
    MPI_Comm node;
    int rank, cores;

    MPI_Comm_split_type(world, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    MPI_Comm_rank(node, &rank);
    MPI_Comm_free(&node);
    cores = rank == 0 ? (int)sysconf(_SC_NPROCESSORS_ONLN) : 0;
    MPI_Allreduce(MPI_IN_PLACE, &cores, 1, MPI_INT, MPI_SUM, world);
    return cores;
}

void laser_mpi_calibrate(const struct laser_run *run, struct laser_calibration *speed)
{
    MPI_Comm world = laser_mpi_world(run);
    struct laser_calibration own = {0};
    double mine[3], sum[3];
    int workers = run->size > 1 ? run->size - 1 : 1;
    MPI_Request request;

    laser_mpi_barrier(world);
    if (run->rank > 0 || run->size == 1)
        laser_calibrate(run, &own);
    mine[0] = own.product_flops;
    mine[1] = own.tridiagonal_flops;
    mine[2] = own.forward_flops;
    MPI_Iallreduce(mine, sum, 3, MPI_DOUBLE, MPI_SUM, world, &request);
    laser_mpi_wait(&request, MPI_STATUS_IGNORE);
    *speed = (struct laser_calibration){.product_flops = sum[0] / workers,
                                        .tridiagonal_flops = sum[1] / workers,
                                        .forward_flops = sum[2] / workers,
                                        .cores = count_cores(world)};
}
