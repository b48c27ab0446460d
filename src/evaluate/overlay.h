/* Which edits stand in the place of the model's own weights, on one rank. */
#ifndef LASER_EVALUATE_OVERLAY_H
#define LASER_EVALUATE_OVERLAY_H

#include "evaluate/evaluate.h"

struct laser_overlay {
    struct laser_evaluation *e;
    int32_t *edits; /* in order */
    int n;
    bool *thin;    /* of each edit of the evaluation: applied as two thin products */
    double *saved; /* flops of a token that this saves, known once it was in place */
};

/* LASER_ENOMEM. */
int laser_overlay_init(struct laser_overlay *placed, struct laser_evaluation *e, struct laser_error *err);
void laser_overlay_free(struct laser_overlay *placed);

/* Puts these edits in place of those that are; of several edits of one matrix the last counts.  Collective
 * over the group. */
int laser_overlay_set(struct laser_overlay *placed, const int32_t *edits, int n, struct laser_error *err);

/* The edit of a list that a matrix has last, or -1. */
int32_t laser_overlay_edit_of(const struct laser_evaluation *e, const int32_t *edits, int n,
                              const struct laser_matrix *matrix);

#endif
