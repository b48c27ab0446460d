/* A worker's side of a pass: sums over the batches that it ran, matrix by matrix. */
#ifndef LASER_SENSITIVITY_SUMS_H
#define LASER_SENSITIVITY_SUMS_H

#include "evaluate/worker.h"
#include "sensitivity/statistics.h"

struct laser_gradient_sums;

/* Kinds of sums of a matrix, each with a unit: gradient, squares, Fisher information, inputs, outputs. */
enum { LASER_SUM_KINDS = 5 };

/* Local, on every rank of a group.  LASER_ENOMEM with what would do; LASER_EINPUT. */
int laser_gradient_sums_create(struct laser_evaluation *evaluation,
                               const struct laser_statistics_options *options,
                               struct laser_gradient_sums **sums, struct laser_error *err);
void laser_gradient_sums_free(struct laser_gradient_sums *sums);

/* *sink takes the gradients of laser_gradient_batch. */
void laser_gradient_sums_sink(struct laser_gradient_sums *sums, struct laser_gradient_sink *sink);

/* After the first batch: the units of all sums follow from its terms.  keep: it counts. */
void laser_gradient_sums_fix_units(struct laser_gradient_sums *sums, bool keep);

/* The units of all matrices, [matrices, LASER_SUM_KINDS]; or other ones, before anything was added. */
void laser_gradient_sums_get_units(struct laser_gradient_sums *sums, double *units);
void laser_gradient_sums_set_units(struct laser_gradient_sums *sums, const double *units);

/* The sums of a matrix, where they are. */
struct laser_matrix_statistics *laser_gradient_sums_of(struct laser_gradient_sums *sums, int64_t matrix);

/* On a group's leader: the arrays go to *statistics, whose matrices are empty. */
void laser_gradient_sums_hand_over(struct laser_gradient_sums *sums, struct laser_statistics *statistics);

void laser_matrix_statistics_free(struct laser_matrix_statistics *matrix);

#endif
