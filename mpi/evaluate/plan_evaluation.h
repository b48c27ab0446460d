/* What an evaluation would take, for the command `plan`. */
#ifndef LASER_MPI_EVALUATE_PLAN_EVALUATION_H
#define LASER_MPI_EVALUATE_PLAN_EVALUATION_H

#include "plan/layout.h"

/* Collective over run->world: says what the evaluation would take at a measured speed (the command `plan`).
 * Silent for a model without config.json or of an architecture that cannot be evaluated, unless a text is
 * given.  *layout is what was chosen, zero where nothing can be evaluated. */
int laser_mpi_plan_evaluation(struct laser_run *run, double forward_flops, struct laser_layout *layout,
                              struct laser_error *err);

#endif
