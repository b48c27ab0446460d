/* A sweep by rounds: which edits to measure next, so that a few of them find the best one.
 *
 * Pure.  A gradient tells which cells (a row and a column of the sweep, reduce/sweep.h) promise most, and it
 * underrates deep cuts: so the first round measures the cells of the best promise at the fraction that promises
 * most and at half and a quarter of it.  Every later round halves the gaps around the best fraction of the two best
 * cells; where there is no gap, it goes on to the cells of the next best promise.
 */
#ifndef LASER_REDUCE_REFINE_H
#define LASER_REDUCE_REFINE_H

#include "reduce/sweep.h"

struct laser_refine_state {
    const double *changes; /* [n_places] predicted change of the mean by each trial; NaN: unknown, its cell is
                                   never looked at where all are */
    const double *means;   /* [n_places] measured, NaN where unknown */
    const unsigned char *asked; /* [n_places] was a trial of an earlier round */
    int evaluations;            /* trials of all rounds together, at most */
};

/* The trials of the next round into trials[evaluations], in the order in which to measure them; *n of them, 0: the
 * sweep is over.  It depends on the state alone.  LASER_ENOMEM. */
int laser_refine_next(const struct laser_sweep *sweep, const struct laser_refine_state *state, int *trials,
                      int *n, struct laser_error *err);

#endif
