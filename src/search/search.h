/* The search: which edits of a model to try next, and which to keep.
 *
 * Pure: events in (results of evaluated batches), orders out (which batch to evaluate with which edits).  It
 * knows neither MPI nor models.  An edit is a number that the caller gives a meaning to (a matrix and what is
 * done to its singular values); a trial is a set of edits on top of those kept so far; a candidate is a list
 * of trials of which at most one is kept.  Candidates are decided one after another in the order of the plan.
 * Later candidates are evaluated ahead on the assumption that the earlier ones are reverted; when one is
 * kept, what was computed ahead is thrown away.  So the decisions are those of the serial run, whatever the
 * number of groups and the order in which results come in.
 *
 * A state is evaluated on windows of text; its score is the mean over the windows (weighted by scored tokens)
 * of the negative log-likelihood per token, in nats, always summed in the order of the windows.
 */
#ifndef LASER_SEARCH_SEARCH_H
#define LASER_SEARCH_SEARCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define LASER_SEARCH_MAX_EDITS 8192 /* of one state */
#define LASER_SEARCH_MAX_BATCH 64   /* windows of one batch */

/* When a trial is accepted against the best state so far. */
enum laser_search_accept {
    LASER_ACCEPT_NOT_WORSE, /* mean <= best (laserRMT rmt_laser_snr.py) */
    LASER_ACCEPT_BETTER,    /* mean <  best (laserRMT rmt_laser.py) */
    LASER_ACCEPT_PAIRED,    /* mean paired difference < -z * its standard error; never with one window */
    LASER_ACCEPT_MCNEMAR, /* of windows that are right or wrong (a question's accuracy): mean < best, and the
                             exact one-sided McNemar test of those that changed gives less than the normal
                             tail beyond z */
    LASER_ACCEPT_TOLERANCE, /* mean <= first base + tolerance */
    LASER_ACCEPT_NEVER      /* only measured (a sweep) */
};

/* Which trial of a candidate is taken among those that are accepted. */
enum laser_search_pick {
    LASER_PICK_BEST, /* the lowest mean; the earlier one of equals */
    LASER_PICK_FIRST /* the first in the order of the plan */
};

struct laser_search_trial {
    int first_edit; /* index into plan.edits */
    int n_edits;
};

struct laser_search_candidate {
    int first_trial;
    int n_trials; /* at least 1 */
};

/* All arrays are the caller's and outlive the search. */
struct laser_search_plan {
    const struct laser_search_candidate *candidates;
    int n_candidates; /* 0: only the base is evaluated */
    const struct laser_search_trial *trials;
    int n_trials;
    const int32_t *edits;
    int n_edits;

    const double *window_weights; /* scored tokens of each window */
    int n_windows;
    int batch_windows;      /* windows of a batch (the last may have fewer); <= LASER_SEARCH_MAX_BATCH */
    const int *batch_first; /* instead: first window of each batch, and n_windows at the end; may be NULL */
    int n_batches;          /* with batch_first */

    enum laser_search_accept accept;
    enum laser_search_pick pick;
    double z;         /* of LASER_ACCEPT_PAIRED, and of giving up early */
    double tolerance; /* of LASER_ACCEPT_TOLERANCE, in units of the mean */
    double
        max_kl; /* what is accepted has at most this mean divergence from the model as it was; 0: no bound */
    int max_kept;       /* stop after so many kept candidates; 0: no limit */
    bool give_up_early; /* leave a trial that can no longer be accepted (see laser_search_done) */
    int lookahead;      /* candidates evaluated ahead; 0: none */
};

/* What one group evaluates: one batch of windows with these edits in place. */
struct laser_search_order {
    int32_t trial;   /* index into plan.trials, -1: the kept state itself */
    int32_t version; /* number of kept candidates that it builds on */
    int32_t batch;
    int32_t n_kept; /* how many of the edits are kept ones */
    int32_t n_edits;
    int32_t edits[LASER_SEARCH_MAX_EDITS]; /* kept ones first, in the order in which they were kept */
};

struct laser_search_result {
    int32_t n_windows;
    int32_t stop_asked;                 /* the group was asked to stop (a signal) */
    double nll[LASER_SEARCH_MAX_BATCH]; /* mean nats per scored token of each window */
    double kl
        [LASER_SEARCH_MAX_BATCH]; /* with max_kl: divergence of each, nats a token; NaN: it has none (a question) */
};

/* The numbers stand in ledgers. */
enum laser_search_reason {
    LASER_REASON_ACCEPTED,
    LASER_REASON_WORSE,        /* the mean rose, or rose too far */
    LASER_REASON_WITHIN_ERROR, /* better, but by less than z standard errors */
    LASER_REASON_GIVEN_UP,     /* left early */
    LASER_REASON_NOT_FINITE,   /* NaN or Inf */
    LASER_REASON_MEASURED,     /* LASER_ACCEPT_NEVER */
    LASER_REASON_NO_BETTER,    /* the mean is what it was, where it must fall */
    LASER_REASON_TOO_FAR       /* it would be accepted, but for plan.max_kl */
};

struct laser_search_decision {
    int candidate;
    int trial; /* the one taken, or the best of those that were not */
    bool kept;
    enum laser_search_reason reason;
    double nll;            /* mean nats of the trial, over n_windows */
    double difference;     /* to the best state before, mean over the same windows; negative is better */
    double difference_se;  /* its standard error (NaN with one window) */
    double kl;             /* with max_kl: mean divergence over these windows, else NaN */
    int n_windows;         /* evaluated: all of them unless given up early */
    int n_better, n_worse; /* of these, against the best state before */
    const double *windows; /* the trial's nats of each of them; during laser_search_decided only */
};

const char *laser_search_reason_name(enum laser_search_reason reason);

struct laser_search;

/* Called for every decision, in order.  A code other than LASER_OK is handed back by laser_search_done. */
typedef int laser_search_decided(void *context, const struct laser_search_decision *decision,
                                 struct laser_error *err);

/* decided may be NULL.  LASER_EINTERNAL for a plan that contradicts itself, LASER_EUSAGE for too many edits.
 */
int laser_search_create(const struct laser_search_plan *plan, laser_search_decided *decided, void *context,
                        struct laser_search **out, struct laser_error *err);
void laser_search_free(struct laser_search *search);

/* Takes over a decision of an earlier run, before anything else is asked.  In order, without gaps. */
int laser_search_replay(struct laser_search *search, int candidate, bool kept, int trial,
                        struct laser_error *err);

/* After replayed decisions: the mean of the base that the first of them was made against
 * (LASER_ACCEPT_TOLERANCE is measured from it). */
void laser_search_replay_base(struct laser_search *search, double mean);

/* After replayed decisions, if there were any: what an earlier search on the same windows knows of its base is taken
 * over, which is the base of this one too, and which group had which batch.  Nothing where something is kept. */
int laser_search_continue(struct laser_search *search, const struct laser_search *earlier,
                          struct laser_error *err);

enum laser_search_next {
    LASER_SEARCH_ORDER,
    LASER_SEARCH_WAIT, /* all there is to do is being done */
    LASER_SEARCH_END
};

/* The next order for a group.  A group is given the batches that it had before where it can be (it may still
 * have their hidden states). */
enum laser_search_next laser_search_next(struct laser_search *search, int group,
                                         struct laser_search_order *order);

/* A result.  Results of states that are no longer of interest are ignored.  A base that is not finite is
 * LASER_ENUMERIC.
 *
 * Giving up early: under LASER_ACCEPT_PAIRED and _MCNEMAR, from 8 windows on, as soon as the trial would be
 * accepted in the end with a probability below 5 %, going by the drift seen so far bettered by its standard
 * error; under the others as soon as the sum over the first windows is more than the best state's sum over
 * all.  Looked at batch by batch in order, so it does not depend on who came first. */
int laser_search_done(struct laser_search *search, int group, const struct laser_search_order *order,
                      const struct laser_search_result *result, struct laser_error *err);

/* Mean and per-window values of the base: the state before the first (or first not replayed) candidate.  NULL
 * until it is known. */
const double *laser_search_base(const struct laser_search *search, double *mean);

/* The same of the state reached so far. */
const double *laser_search_best(const struct laser_search *search, double *mean);

/* Edits of the state reached so far, *n of them. */
const int32_t *laser_search_kept(const struct laser_search *search, int *n);

/* Work done and left, in batches (an estimate: it shrinks when trials are given up), for progress. */
void laser_search_progress(const struct laser_search *search, int64_t *done, int64_t *total);

/* Weighted mean of a - b over the first n windows and its standard error, from the spread of the windows:
 * sqrt(sum w^2 (x - mean)^2) / sum w * sqrt(n / (n - 1)); NaN for one window. */
void laser_search_paired(const double *a, const double *b, const double *weights, int n, double *mean,
                         double *se);

/* How many standard errors better than the state before an edit must be that is one of n that were tried:
 * where a normal variable has 5 % / n above it (Bonferroni).  At least 2. */
double laser_search_z(int n);

#endif
