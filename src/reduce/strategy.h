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
#include "spectrum/edit.h"

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

/* An edit of one matrix: what is done is a value; its text is for people, the ledger and names of files. */
struct laser_strategy_edit {
    int matrix; /* index into the list of matrices */
    struct laser_edit what;
    char text[48]; /* as it was asked for */
    bool skip;     /* no trial needs it: it is not made */
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

/* How trials are screened by a prediction (reduce/screen.h). */
enum laser_strategy_screening {
    LASER_SCREEN_NOT,
    LASER_SCREEN_EACH, /* every trial stands for itself */
    LASER_SCREEN_BEST, /* of the trials of a candidate the best counts */
    LASER_SCREEN_DEPTH /* the deepest cut that is allowed */
};

/* A strategy: all that is particular to it.  The table is in strategy.c, one row each. */
struct laser_strategy_row {
    /* Which matrices it tries, in which order: by score, lowest first, or by depth, last layer first, then types as given. */
    bool by_depth;
    bool finite_score; /* those with an infinite score are left out */
    bool hard_cut;     /* by the rule: those from which it removes nothing are left out */
    bool takes_limit;  /* reduce.candidates is the number of matrices, */
    int limit;         /* and this where it is 0; 0: all */

    /* Its edits.  count: of one matrix; NULL: one.  add: those of one matrix, with trials and candidates; NULL: the plan is built
     * elsewhere (reduce/sweep.h, gradients). */
    int (*count)(const struct laser_strategy_options *options);
    const char *count_key; /* of the deck: the list that must not be empty */
    int (*add)(const struct laser_strategy_options *options, const struct laser_strategy_matrix *matrices,
               const int *by_share, int matrix, struct laser_strategy_plan *plan, struct laser_error *err);
    bool at_once;  /* all edits are one trial */
    bool together; /* options.together counts */

    /* Its search: what is kept, where the keep rule of the objective (false) is not the rule. */
    bool has_accept;
    enum laser_search_accept accept, compat_accept; /* compat: reduce.accept laserrmt */
    enum laser_search_pick pick;                    /* z and lookahead are the search's own */
    bool measures;       /* nothing is kept: all trials side by side, each to its end */
    bool never_gives_up; /* each trial sees all items */
    int max_kept;        /* where reduce.max_kept is 0; 0: any number */
    double tolerance;    /* where reduce.tolerance is 0 */

    enum laser_strategy_screening screening;
};

const struct laser_strategy_row *laser_strategy_row(enum laser_strategy strategy);

/* What a strategy's row makes of the plan of a search, whose rule is that of the objective.  compat: the keep rule is laserRMT's.
 * first_half: the plan is the strategy's first one, of compose the sweep. */
void laser_strategy_search(enum laser_strategy strategy, bool compat, bool first_half,
                           struct laser_search_plan *plan);

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

/* Fills an edit in from its text.  LASER_EUSAGE: there is no such edit, or it is too long. */
int laser_strategy_edit_set(struct laser_strategy_edit *edit, int matrix, const char *text,
                            struct laser_error *err);

void laser_strategy_free(struct laser_strategy_plan *plan);

#endif
