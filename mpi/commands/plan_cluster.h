/* What a model costs on the nodes of a cluster that need not be here. */
#ifndef LASER_MPI_COMMANDS_PLAN_CLUSTER_H
#define LASER_MPI_COMMANDS_PLAN_CLUSTER_H

#include "schedule/run.h"

/* Rank 0.  The peak memory of a rank and the time of this machine's cores; for plan.nodes a line for 1, 2, 4,
 * ... nodes and the #SBATCH lines for the last. */
int laser_mpi_plan_cluster(struct laser_mpi_run *run, struct laser_error *err);

#endif
