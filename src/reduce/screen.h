/* Screening: of the trials of a plan only those that are predicted to be worth an evaluation stay, in the
 * order of their promise.
 *
 * Pure.  The predicted change of a trial is the sum of those of its edits.
 */
#ifndef LASER_REDUCE_SCREEN_H
#define LASER_REDUCE_SCREEN_H

#include <stdbool.h>

#include "base/error.h"
#include "reduce/strategy.h"

struct laser_screen_options {
    enum laser_strategy strategy;
    int evaluations;  /* trials that stay at most; 0: the strategy's own number */
    double tolerance; /* of budget: the rise of the mean that it accepts */
};

struct laser_screen_summary {
    int before, after;     /* trials */
    int hurting, too_many; /* left out: predicted to do no good, and beyond the limit */
    double promise;        /* predicted change of the best trial that stays */
};

/* Does screening apply to a strategy? */
bool laser_screen_applies(enum laser_strategy strategy);

bool laser_screen_is_sweep(enum laser_strategy strategy);

/* How many trials stay at most where the caller does not say. */
int laser_screen_limit(enum laser_strategy strategy);

/* Up to so many trials all are evaluated, and no gradient is taken; evaluations: as below. */
int laser_screen_whole(enum laser_strategy strategy, int evaluations);

/* Predicted change of the mean by the edits of a trial together. */
double laser_screen_change(const struct laser_strategy_plan *plan, int trial, const double *changes);

/* Changes plan->candidates, and marks edits that no trial needs any more as skipped; trials keep their
 * numbers. changes[plan->n_edits]: predicted change of the mean by each edit, NaN: unknown (the trial is left
 * out).
 *
 *   snr, denoise    of each matrix the best edit, if it is predicted to lower the mean, of those that promise most
 *                   all edits; before the single edits, as one trial more, these together
 *   budget          of each matrix the cuts that are predicted to stay within twice the tolerance
 *
 * Sweeps go by rounds (reduce/refine.h).  LASER_ENOMEM. */
int laser_screen(const struct laser_screen_options *options, const double *changes,
                 struct laser_strategy_plan *plan, struct laser_screen_summary *summary,
                 struct laser_error *err);

#endif
