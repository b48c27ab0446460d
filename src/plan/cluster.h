/* What a model costs on the nodes of a cluster that need not be here. */
#ifndef LASER_PLAN_CLUSTER_H
#define LASER_PLAN_CLUSTER_H

#include <stdbool.h>

#include "plan/calibrate.h"
#include "plan/layout.h"
#include "run/run.h"

/* Of a node's memory, for ranks. */
#define LASER_PLAN_MEMORY_SHARE 0.9

struct laser_plan_nodes {
    int nodes, cores, ranks_per_node, threads; /* cores of a node, threads of a rank */
    double node_bytes;
};

/* One node as the deck describes it (plan.cores_per_node, plan.memory_per_node), or as this one is. */
struct laser_plan_nodes laser_plan_nodes_of(const struct laser_run *run);

/* A core of such a node: as fast in everything as plan.core_gflops says of products, or as `here`. */
struct laser_calibration laser_plan_core(const struct laser_run *run, const struct laser_calibration *here);

/* How many times as fast as one thread so many are. */
double laser_plan_thread_speed(int threads);

/* The fastest layout of an evaluation, of 1, 2, 4, ... shards, that fits beside so many bytes a rank; *found: there is
 * one.  forward_flops: of a rank.  LASER_EINPUT: config.json, or a family that is scanned only. */
int laser_plan_layout(const struct laser_run *run, const struct laser_plan_nodes *nodes, double beside_bytes,
                      double forward_flops, struct laser_layout *layout, bool *found,
                      struct laser_error *err);

/* Rank 0.  Operations and the peak memory of a rank in the evaluation of this layout; for plan.nodes a line
 * for 1, 2, 4, ... nodes, whose cores are as fast as plan.core_gflops says, or as `here`, and the #SBATCH
 * lines for the last. */
int laser_plan_cluster(struct laser_run *run, const struct laser_calibration *here,
                       const struct laser_layout *layout, struct laser_error *err);

#endif
