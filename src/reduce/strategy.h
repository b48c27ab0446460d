/* Strategies: from the scores of the matrices to the plan of a search.
 *
 * Pure.  An edit is a matrix and a text that says what is done to its singular values (spectrum/edit.h:
 * `laserrmt`, `rank:0.1`, `wiener:0.5`, `rank=41` ...); its number is its place in the list of edits.
 */
#ifndef LASER_REDUCE_STRATEGY_H
#define LASER_REDUCE_STRATEGY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "deck/settings.h"
#include "search/search.h"

/* What a strategy knows of one scanned matrix.  Strings are borrowed. */
struct laser_strategy_matrix {
    const char *name;
    const char *type;
    int layer; /* -1: none */
    int64_t rows, columns;
    double score;
    int64_t rank; /* k of the threshold rule */
    bool usable;  /* scanned, and can be edited */
};

struct laser_strategy_options {
    enum laser_strategy strategy;
    const char *rule;         /* of the hard cut, for snr, backward, all */
    int candidates;           /* K of snr, denoise, budget; 0: 15 for snr, else all */
    const char *const *types; /* order of backward, and the types taken by all; NULL: all, as they come */
    int n_types;
    const char *const *layers; /* numbers and ranges: 3, 0-3, -1 for the last; none: all */
    int n_layers;
    const char *const *fractions; /* of sweep, compose, budget: kept fractions, laser_sweep_fraction */
    int n_fractions;
    const char *const *edits; /* of denoise: edit texts */
    int n_edits;
    bool together; /* denoise: those that take the whole bulk for noise first on all matrices at once */
};

struct laser_strategy_edit {
    int matrix; /* index into the list of matrices */
    char text[48];
    bool skip; /* no trial needs it: it is not made */
};

/* Everything that a search needs besides windows and its rule; owns its arrays. */
struct laser_strategy_plan {
    struct laser_strategy_edit *edits;
    int n_edits;
    struct laser_search_trial *trials;
    int n_trials;
    struct laser_search_candidate *candidates;
    int n_candidates;
    int32_t *edit_numbers; /* of the trials */
    int n_edit_numbers;
    int n_no_op; /* matrices left out because the rule removes nothing (k = n) */
};

/* "snr", "backward", ... */
const char *laser_strategy_name(enum laser_strategy strategy);

/* Order of candidates: snr, all, denoise and budget by score, lowest first, equals in the order of the list;
 * backward by layer, last first, then types in the given order; sweep and compose: reduce/sweep.h.  A hard
 * cut of snr, backward and all that keeps every value is a no-op and left out (an infinite score is one).
 * budget tries the smallest fraction first, and only those whose two thin matrices have fewer parameters.  An
 * empty plan is no error.  `together` does nothing where there are too many matrices for one state. */
int laser_strategy_build(const struct laser_strategy_options *options,
                         const struct laser_strategy_matrix *matrices, int n_matrices,
                         struct laser_strategy_plan *plan, struct laser_error *err);

void laser_strategy_free(struct laser_strategy_plan *plan);

#endif
