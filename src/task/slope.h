/* Objectives that a gradient can be taken of.
 *
 * A figure that is right or wrong has no slope.  In its place stands the loss that falls as it rises:
 *   accuracy of a choice, accuracy_per_*   -ln of the right choice's share (of the latter: by log probability a
 *                                          token, character or byte)
 *   accuracy of a completion               -log p of the accepted answer that is the most probable
 *   top_1, top_5, top_10                   -log p of that answer's first token
 *   preference, preference_norm            ln(1 + exp(-margin))
 * The other figures are their own: log_loss, log_loss_sum, brier, and margins with the other sign.
 */
#ifndef LASER_TASK_SLOPE_H
#define LASER_TASK_SLOPE_H

#include "task/objective.h"

/* How fast a question's number grows with -log p of an option: of each of its tokens, and of the first one
 * besides. */
struct laser_option_slope {
    double all, first;
};

/* slopes[n_options] (out), and the number that they are slopes of: laser_objective_question with the losses
 * above in the place of figures that are right or wrong. */
double laser_objective_slopes(const struct laser_objective_part *part, enum laser_task_kind kind,
                              const struct laser_option_score *options, int n_options, int answer,
                              struct laser_option_slope *slopes);

#endif
