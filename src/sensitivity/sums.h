/* A worker's side of a pass: sums over the batches that it ran, matrix by matrix. */
#ifndef LASER_SENSITIVITY_SUMS_H
#define LASER_SENSITIVITY_SUMS_H

#include "evaluate/worker.h"
#include "sensitivity/statistics.h"

struct laser_gradient_sums;

/* Local, on every rank of a group.  LASER_ENOMEM with what would do; LASER_EINPUT. */
int laser_gradient_sums_create(struct laser_evaluation *evaluation,
                               const struct laser_statistics_options *options,
                               struct laser_gradient_sums **sums, struct laser_error *err);
void laser_gradient_sums_free(struct laser_gradient_sums *sums);

/* *sink takes the gradients of laser_gradient_batch. */
void laser_gradient_sums_sink(struct laser_gradient_sums *sums, struct laser_gradient_sink *sink);

/* After the first batch: the units of all sums follow from its terms.  keep: it counts. */
void laser_gradient_sums_fix_units(struct laser_gradient_sums *sums, bool keep);

/* On a group's leader: the arrays go to *statistics, whose matrices are empty. */
void laser_gradient_sums_hand_over(struct laser_gradient_sums *sums, struct laser_statistics *statistics);

void laser_matrix_statistics_free(struct laser_matrix_statistics *matrix);

#endif
