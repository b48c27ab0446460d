/* The strategy tune: what of it needs one process.  Rank 0 unless it is said otherwise; who computes it: mpi/reduce/tune.c. */
#ifndef LASER_REDUCE_TUNE_H
#define LASER_REDUCE_TUNE_H

#include "reduce/reduce.h"
#include "search/line.h"
#include "sensitivity/predict.h"

/* Every rank.  Is the Fisher information taken of each matrix whole?  *why: for people. */
bool laser_tune_block(const struct laser_run *run, const char **why);

/* The values after a step of this length, into moved[n_values] and a file of values, whose hash is *hash; edits[*n_edits]: one of
 * each matrix that makes them. */
int laser_tune_step_add(struct laser_run *run, const struct laser_scan_spectrum *spectrum,
                        const double *direction, double length, double *moved,
                        struct laser_strategy_edit *edits, int *n_edits, uint64_t *hash,
                        struct laser_error *err);

/* These edits as one candidate with one trial; without any: no candidate. */
int laser_tune_plan(const struct laser_strategy_edit *edits, int n, struct laser_strategy_plan *plan,
                    struct laser_error *err);

/* Scores of every item before and after an edit; room: 3 n_items numbers. */
struct laser_tune_scores {
    const struct laser_evaluation *e;
    const struct laser_item_score *before, *after;
    double *room;
};

/* What a step did to the windows that select and to the guard texts: in *step, in the log, in the list of results.json.  A guard
 * is harmed that got worse by more than its standard error. */
void laser_tune_judge(const struct laser_tune_scores *scores, double predicted, struct laser_line_step *step,
                      json_t *list);

/* Every rank.  The batches of calibration that a round takes: the next ones, from the start again behind the last. */
void laser_tune_batches(const struct laser_evaluation *e, int round, int64_t *first_batch,
                        int64_t *end_batch);

/* Stands for model, settings, texts and the values as they are. */
int laser_tune_key(const struct laser_reduction_search *search, const struct laser_scan_spectrum *spectrum,
                   bool block, int round, uint64_t *key, struct laser_error *err);

/* Adds to the JSON of what tune did what it did to the guard texts, also on windows that decided nothing. */
int laser_tune_guards(const struct laser_tune_scores *scores, json_t *tune, struct laser_error *err);

#endif
