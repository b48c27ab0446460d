/* What a model costs on the nodes of a cluster that need not be here. */
#ifndef LASER_PLAN_CLUSTER_H
#define LASER_PLAN_CLUSTER_H

#include "plan/calibrate.h"
#include "plan/layout.h"
#include "run/run.h"

/* Rank 0.  Operations and the peak memory of a rank in the evaluation of this layout; for plan.nodes a line
 * for 1, 2, 4, ... nodes, whose cores are as fast as plan.core_gflops says, or as `here`, and the #SBATCH
 * lines for the last. */
int laser_plan_cluster(struct laser_run *run, const struct laser_calibration *here,
                       const struct laser_layout *layout, struct laser_error *err);

#endif
