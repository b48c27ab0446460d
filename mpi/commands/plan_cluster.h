/* What a model costs on the nodes of a cluster that need not be here. */
#ifndef LASER_MPI_COMMANDS_PLAN_CLUSTER_H
#define LASER_MPI_COMMANDS_PLAN_CLUSTER_H

#include "schedule/run.h"
#include "schedule/speed.h"

/* Rank 0.  Operations and the peak memory of a rank; for plan.nodes a line for 1, 2, 4, ... nodes, whose
 * cores are as fast as plan.core_gflops says, or as `here`, and the #SBATCH lines for the last. */
int laser_mpi_plan_cluster(struct laser_mpi_run *run, const struct laser_mpi_speed *here,
                           struct laser_error *err);

#endif
