/* The command `reduce`: what is decided and written, on rank 0 unless it is said otherwise.  Who computes it: mpi/reduce.
 *
 *   setup.c, state.c     what the settings say, and the parts below
 *   split.c              which items select, and which are only reported
 *   candidates.c         from scores to a strategy's plan
 *   search_plan.c        the search of a strategy
 *   report_part.c        the kept edits on the items that did not select
 *   rounds.c             which of its trials are evaluated, by prediction
 *   decisions.c          every decision: ledger, list, a later start
 *   edits.c              the edits of a plan as files
 *   plan_file.c          plan.yaml
 *   factors.c            the edits as thin matrices, for --also: factored.c, lora.c
 *   rule.c               the keep rule, what it can tell, verdicts
 *   sweep_run.c          sweep and compose: cells, table, winner, composition
 *   tune.c               steps of tune, what they did, guard texts
 *   tasks.c              all figures of texts and tasks before and after
 *   results.c            results.json, spectra.h5, the table at the end
 */
#ifndef LASER_REDUCE_REDUCE_H
#define LASER_REDUCE_REDUCE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/number.h"
#include "evaluate/divergence.h"
#include "evaluate/evaluate.h"
#include "reduce/edits.h"
#include "reduce/strategy.h"
#include "reduce/sweep.h"
#include "run/run.h"
#include "search/search.h"

/* Where the work stands, in four parts.  Each has its writers, and is const for all others:
 *
 *   setup     fixed when the items are split (mpi/reduce/reduce.c)
 *   trials    what can be tried: the plan by candidates.c (or tune, or apply), between rounds by rounds.c; mpi/reduce makes its edits
 *   search    what was found: by decisions.c while a search runs, by search_plan.c and sweep_run.c between two
 *   report    what is said of it in the end: by report_part.c, and tune's own by mpi/reduce/tune.c
 */
struct laser_reduction_setup { /* every rank */
    struct laser_run *run;
    struct laser_evaluation *e; /* borrowed */
    bool has_report;            /* some windows are not for the selection */
    struct laser_beside bound;  /* what reduce.max_kl is measured against */
};

struct laser_reduction_trials {
    const struct laser_reduction_setup *setup;
    struct laser_edit_list edits; /* every rank */

    /* Rank 0. */
    struct laser_strategy_plan plan; /* its list of edits is that of `edits` */
    int64_t *ranks;                  /* of each edit: singular values above 0 */
    struct laser_sweep cells;        /* of sweep and compose */
    double *changes;                 /* predicted, of each edit of the plan; NULL: no screening */
    int evaluations; /* of a sweep by rounds (reduce/refine.h): of all of them together; 0: it is no such */
    int round_first; /* candidates of earlier rounds, which stand first in the plan */
    unsigned char *asked; /* of a sweep by rounds: which trials are candidates */
};

/* The rule by which edits are kept. */
struct laser_keep_rule {
    enum laser_search_accept accept;
    double z;            /* its standard errors */
    int64_t n_selecting; /* items that select */
};

struct laser_reduction_search { /* rank 0 */
    const struct laser_reduction_setup *setup;
    const struct laser_reduction_trials *trials;
    struct laser_search *state;
    const struct laser_strategy_plan *now; /* the plan that is searched: of the trials, or composed */
    struct laser_strategy_plan composed;   /* of compose: what follows the sweep */
    double *weights;                       /* of every item in the mean of the objective */
    int *batch_first;                      /* of the search that runs now */
    struct laser_keep_rule rule;
    double *trial_means; /* of the trials' plan: nats, NaN where unknown */
    json_t *decisions;
    json_t *sweep; /* of compose: the decisions of its first half */
    json_t *table; /* the table of the sweep, as results.json has it */
    int winner;    /* the trial of the sweep with the lowest mean, -1: none */
    int n_kept;
    int n_replayed; /* decisions of the ledger that were used */
    double last_decision_s;
    double base_mean, base_se; /* of the whole search, also when it goes on from the ledger */
};

/* A difference to the base on the report part, negative is better. */
struct laser_reported {
    double difference, error; /* standard error, NaN for one item */
    int64_t better, worse;    /* items that changed */
};

struct laser_reduction_report { /* rank 0 */
    const struct laser_reduction_setup *setup;
    struct laser_reported kept, winner; /* of all that was kept, of the sweep's winner alone */
    double base, base_se, final, final_se;
    struct laser_search *state; /* on the report items, with what it runs on */
    struct laser_search_candidate candidates[2];
    struct laser_search_trial trials[2];
    int32_t *edits;
    int *batch_first;
    double
        *items; /* numbers of the items of the report part in the end, NaN of all others; NULL without one */
    struct laser_item_score *before, *after; /* of every item, where there are tasks */
    double *options_before;                  /* log probabilities of every option */
    json_t *tune;                            /* what tune did, as results.json has it */
    struct laser_divergences
        divergence; /* of the written model from the one before; .each NULL: not measured */
};

struct laser_reduction {
    struct laser_reduction_setup setup;
    struct laser_reduction_trials trials;
    struct laser_reduction_search search;
    struct laser_reduction_report report;
};

/* All empty; e is borrowed. */
void laser_reduction_init(struct laser_reduction *r, struct laser_run *run, struct laser_evaluation *e);

/* Rank 0.  The plan from the scan's scores, and the rank of the matrix after each edit. */
int laser_reduction_plan(struct laser_reduction_trials *t, struct laser_error *err);

/* Rank 0, before a scan (run->outcomes NULL): how many trials a search has at most.  LASER_EUSAGE: nothing to edit. */
int laser_reduction_count(struct laser_reduction_trials *t, int *n, struct laser_error *err);

/* Rank 0.  What tune did, for people. */
void laser_tune_say(const struct laser_reduction *r);

/* Rank 0.  What the decisions depend on: model, settings, the keep rule, texts. */
int laser_search_identity(const struct laser_reduction_search *s, char text[20], struct laser_error *err);

/* Rank 0.  Can the matrix be edited: scanned, of a tensor or a stack of them, not scaled, and not one of two
 * copies of a tied table? */
bool laser_reduction_usable(const struct laser_run *run, int64_t matrix);

/* Are the trials screened by a gradient: a strategy, an accept rule and an objective that allow it?
 */
bool laser_screen_is(const struct laser_reduction_setup *setup);

/* Rank 0.  Are there so few trials that all are evaluated, whatever a gradient says? */
bool laser_reduction_takes_all(const struct laser_reduction_trials *t);

/* Rank 0.  changes: what each edit of the plan is predicted to do; t->changes from now on.  Of the plan those trials stay that
 * promise something; of a sweep those of the first round.  Says how many. */
int laser_reduction_screen(struct laser_reduction_trials *t, double *changes, struct laser_error *err);

/* Rank 0.  A sweep by rounds, of which these means are known: the candidates of the next one are added to the plan; of its edits
 * theirs alone are not skipped, so that what is made of a matrix at once does not depend on where a run was stopped.  *more: there
 * are some. */
int laser_reduction_next_round(struct laser_reduction_trials *t, const double *trial_means, int *more,
                               struct laser_error *err);

/* What budget puts up with, in units of the objective's mean. */
double laser_reduction_tolerance(const struct laser_reduction_setup *setup);

/* Is the strategy tune? */
bool laser_tune_is(const struct laser_reduction_setup *setup);

/* Is the strategy sweep or compose? */
bool laser_sweep_is(const struct laser_reduction_setup *setup);

/* Rank 0.  The plan of a sweep and its cells.  LASER_EUSAGE: nothing to edit. */
int laser_reduction_sweep_plan(const struct laser_run *run, const struct laser_strategy_options *options,
                               const struct laser_strategy_matrix *matrices, int n,
                               struct laser_strategy_plan *plan, struct laser_sweep *cells,
                               struct laser_error *err);

/* Rank 0.  Adds layer, type and fraction to the JSON of a trial's decision, if it is one of a sweep. */
void laser_reduction_sweep_describe(const struct laser_reduction_search *s, int trial, json_t *decision);

/* Rank 0.  The tensor of a trial of s->now, or "layer 3 mlp (3 matrices)". */
void laser_reduction_sweep_label(const struct laser_reduction_search *s, int trial, char *label, size_t size);

/* Rank 0, when the sweep is done: s->table and s->winner, the map on the terminal, the table in spectra.h5.
 */
int laser_reduction_sweep_measured(struct laser_reduction_search *s, struct laser_error *err);

/* Rank 0.  s->now becomes the composition. */
int laser_reduction_sweep_compose(struct laser_reduction_search *s, struct laser_error *err);

/* Rank 0.  The best edits of the sweep, on the terminal. */
void laser_reduction_sweep_list(const struct laser_reduction_search *s);

/* Rank 0.  What the report part says of winner and composition: lines of the log, keys of results.json (not 0
 * without memory). */
void laser_reduction_sweep_say(const struct laser_reduction *r);
int laser_reduction_sweep_results(const struct laser_reduction *r, json_t *results);

/* Rank 0.  A decision of the search, which is the context (laser_search_decided): the ledger first, then the list. */
int laser_reduction_decided(void *context, const struct laser_search_decision *decision,
                            struct laser_error *err);

/* Rank 0.  Decisions of an earlier start, if they were made on the same model, settings and texts, are taken
 * over into s->state; at most those of s->now. */
int laser_reduction_replay(struct laser_reduction_search *s, struct laser_error *err);

/* Rank 0.  The mean of the base goes into the ledger before the first decision, for a later start. */
int laser_reduction_remember_base(struct laser_reduction_search *s, struct laser_error *err);

/* Standard error of the mean loss of n windows, from their spread; NaN for one window. */
double laser_reduction_error(const double *nll, const double *weights, int n, double mean);

/* Rank 0.  Their figures on validation and test: lines of the log, results.json (not 0 without memory),
 * questions.jsonl. */
void laser_reduction_tasks_say(const struct laser_reduction *r);
int laser_reduction_tasks_json(const struct laser_reduction *r, json_t *results);
int laser_reduction_tasks_write(const struct laser_reduction *r, struct laser_error *err);

/* rule.c, rank 0.  How many edits the best is picked from: all of the plan, those too that a prediction on
 * the windows that select has left out; of tune the steps that may be measured, over all rounds. */
int laser_keep_rule_tried(const struct laser_reduction_trials *t);

/* Rank 0.  The rule of a search, said, with a warning where what selects is too little for any edit to pass. */
struct laser_keep_rule laser_keep_rule_of(const struct laser_reduction_trials *t,
                                          const struct laser_search_plan *plan);

/* The same once the numbers of the selecting items are known. */
void laser_keep_rule_check_base(const struct laser_run *run, const struct laser_keep_rule *rule,
                                const double *losses);

/* keep_rule of results.json; NULL for rules without a test, and without memory. */
json_t *laser_keep_rule_json(const struct laser_reduction_search *s);

/* "a gain", "a loss", or that it is no difference: two standard errors, McNemar's test for shares. */
const char *laser_reduction_verdict(const struct laser_reduction_setup *setup,
                                    const struct laser_reported *reported);

/* "windows", "questions", or "items" where the objective has both. */
const char *laser_reduction_items(const struct laser_reduction_setup *setup);

/* A value of the objective, and a change of it, for people. */
char *laser_reduction_figure(const struct laser_reduction_setup *setup, double value,
                             char text[LASER_NUMBER_SIZE]);
char *laser_reduction_change(const struct laser_reduction_setup *setup, double change,
                             char text[LASER_NUMBER_SIZE]);

/* "nats" or what else differences of the objective are in. */
const char *laser_reduction_unit(const struct laser_reduction_setup *setup);

/* Is the objective perplexity alone? */
bool laser_reduction_has_ppl(const struct laser_reduction_setup *setup);

/* XXH3 of a tensor's bytes (through its redirection, if it has one). */
int laser_tensor_hash(const struct laser_checkpoint *c, const struct laser_tensor *tensor, uint64_t *hash,
                      struct laser_error *err);

/* Of its difference from the base, in float64: run->change has one. */
int laser_change_hash(const struct laser_run *run, const struct laser_tensor *tensor, uint64_t *hash,
                      struct laser_error *err);

/* Rank 0.  *ranks: how many singular values each edit of the plan leaves above 0; the caller frees it. */
int laser_edit_ranks(const struct laser_run *run, const struct laser_strategy_plan *plan, int64_t **ranks,
                     struct laser_error *err);

/* Local, the same on every rank: the items of e in their parts (evaluate.selection_share, evaluate.validation_share,
 * reduce.calibration_share), and whether some are reported alone.  LASER_EINPUT: too few windows for tune. */
int laser_reduction_split(struct laser_evaluation *e, bool *has_report, struct laser_error *err);

/* Rank 0: can the model be evaluated, and written at the end?  Better asked before the work than after it. */
int laser_reduction_check_ends(const struct laser_run *run, enum laser_precision precision,
                               struct laser_error *err);

/* Rank 0, in the end.  Completes the results of the scan, writes them and the decisions in spectra.h5, and says how it went.
 * phases: of laser_mpi_log_phases_json. */
int laser_reduction_finish(const struct laser_reduction *r, json_t *results, json_t *phases,
                           struct laser_error *err);

/* Parts whose windows tell how far the final model is from the one before: what no decision has seen, where there is such. */
unsigned laser_reduction_reported(const struct laser_reduction_setup *s);

/* All but run and e. */
void laser_reduction_free(struct laser_reduction *r);

/* Is it the deck's strategy? */
bool laser_reduction_strategy_is(const struct laser_reduction_setup *setup, enum laser_strategy strategy);

/* Rank 0, before the search: the arrays of items and trials. */
int laser_reduction_search_memory(struct laser_reduction_search *s, struct laser_error *err);

/* Rank 0.  The first candidate of s->now that is searched: of a sweep by rounds those before are decided. */
int laser_reduction_first(const struct laser_reduction_search *s);

/* Rank 0.  s->state for s->now, with the decisions of an earlier start. */
int laser_reduction_open_search(struct laser_reduction_search *s, struct laser_error *err);

/* Rank 0.  Numbers of the kept edits without those that a later one of the same matrix takes the place of; the
 * caller's, NULL without memory. */
int32_t *laser_reduction_last_edits(const struct laser_reduction *r, int *n);

/* Rank 0.  report->state: the kept edits as one trial against the base, the winner of a sweep as another, on the report items. */
int laser_reduction_report_open(struct laser_reduction_report *report, const struct laser_reduction_search *s,
                                struct laser_error *err);

/* Rank 0, when it has run: the means of base and end, and their errors. */
void laser_reduction_report_measured(struct laser_reduction_report *report,
                                     const struct laser_reduction_search *s);

/* Rank 0.  Room for the scores of every item before and after. */
int laser_reduction_report_scores(struct laser_reduction_report *report, struct laser_error *err);

void laser_reduction_report_free(struct laser_reduction_report *report);

/* Rank 0, before anything is redirected: plan.yaml with these edits. */
int laser_reduction_write_plan(const struct laser_reduction *r, const int32_t *kept, int n,
                               struct laser_error *err);

#endif
