/* The sweep of LASER (arXiv 2312.13558): every layer x matrix type x kept fraction alone on the base model,
 * and what follows from it: the table (layer, type) -> best gain, and the greedy composition.
 *
 * Pure.  A cell of the table is a row (a layer, or all layers at once) and a column (a type, or a name of the
 * paper, arch/paper.h); an edit of a cell cuts each of its matrices to a fraction of its rank.
 */
#ifndef LASER_REDUCE_SWEEP_H
#define LASER_REDUCE_SWEEP_H

#include "base/error.h"
#include "reduce/strategy.h"

#define LASER_SWEEP_NO_LAYER   -1 /* a row: matrices that belong to no layer */
#define LASER_SWEEP_ALL_LAYERS -2 /* a row: all layers in one edit */

/* The place of one trial of the plan: indices into the lists below. */
struct laser_sweep_place {
    int row, column, fraction;
};

/* Owns its arrays. */
struct laser_sweep {
    int *layers; /* of each row: a layer number or one of the values above */
    int n_rows;
    char **columns;
    int n_columns;
    double *fractions;
    int n_fractions;
    struct laser_sweep_place *places; /* of each trial of the plan */
    int n_places;
    int n_same; /* cells left out because another one edits the same matrices (q of a fused tensor) */
};

/* A kept fraction from its text: "0.05", or as the paper's program has it, "rate:9.5" = (10 - 9.5) / 10.  NaN
 * for another text or a fraction outside 0 ... 1. */
double laser_sweep_fraction(const char *text);

/* The sweep of options->types x layers x fractions over the usable matrices: one candidate with one trial for
 * each cell and fraction, by rows, columns, fractions.  types: names of the paper, a column each, and globs,
 * a column for each type that matches; none: every type.  layers: numbers, ranges, from the end (-2); -1
 * alone is all layers at once; none: every layer by itself.  A cell without matrices has no trial.
 * LASER_EUSAGE (a fraction that is none, no fraction, too many edits), LASER_ENOMEM. */
int laser_sweep_build(const struct laser_strategy_options *options,
                      const struct laser_strategy_matrix *matrices, int n_matrices,
                      struct laser_strategy_plan *plan, struct laser_sweep *sweep, struct laser_error *err);
void laser_sweep_free(struct laser_sweep *sweep);

/* One order everywhere, in cells, ranking, winner and composition: the lowest mean first; of equals, what
 * cuts deeper; then as the plan has them.  trial_means: of each trial of the plan, NaN where unknown.
 *
 * The best trial of a cell, -1 if none is known. */
int laser_sweep_best(const struct laser_sweep *sweep, const double *trial_means, int row, int column);

/* All trials that are known, best first, into order (room for n_places).  Returns how many; -1 without
 * memory.
 */
int laser_sweep_rank(const struct laser_sweep *sweep, const double *trial_means, int *order);

/* The best of all, if it is better than the base; else -1. */
int laser_sweep_winner(const struct laser_sweep *sweep, const double *trial_means, double base_mean);

/* The greedy composition: the best trial of each cell if it is below the base, best first; a cell that shares
 * a matrix with a better one is left out.  edit_numbers of the new plan are those of the sweep's plan, its
 * list of edits is empty.  LASER_ENOMEM. */
int laser_sweep_compose(const struct laser_sweep *sweep, const struct laser_strategy_plan *plan,
                        const double *trial_means, double base_mean, struct laser_strategy_plan *composed,
                        struct laser_error *err);

/* "layer 3", "all layers", "no layer". */
void laser_sweep_row_name(const struct laser_sweep *sweep, int row, char name[24]);

#endif
