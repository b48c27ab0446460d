/* Evaluation of a model on windows of text and on questions of tasks by groups of ranks, each group holding
 * one copy of the model in shards.
 *
 * An item is a window or a question.  The items are in four parts, one after another: those of the selection,
 * on which a search decides, then those that are only reported, of each first those that the objective has.
 * They are cut into batches that depend on texts, tasks and deck alone, so a batch's numbers do not depend on
 * the number of groups.  A worker keeps the hidden states before layers, within
 * evaluate.cache_memory, and runs a batch again only from the first layer that an edit has changed.
 */
#ifndef LASER_EVALUATE_EVALUATE_H
#define LASER_EVALUATE_EVALUATE_H

#include <stdint.h>

#include "corpus/dataset.h"
#include "corpus/perplexity.h"
#include "corpus/window.h"
#include "model/model.h"
#include "plan/layout.h"
#include "run/run.h"
#include "search/search.h"
#include "task/objective.h"
#include "task/set.h"

struct laser_tokenizer;

/* One edit that can be switched on: the new elements of a matrix, a tensor or a part of one, stand in a
 * safetensors file under its name (laser_matrix_redirect). */
struct laser_edit_file {
    const struct laser_matrix *matrix; /* borrowed */
    char *tensor;                      /* that it is in; borrowed */
    char *path;
    char *thin; /* its two factors (evaluate/thin.h), or NULL: not cheaper so */
};

enum laser_item_part {
    LASER_PART_SELECTION,       /* of the objective: a search runs on these */
    LASER_PART_SELECTION_OTHER, /* measured beside it */
    LASER_PART_REPORT,          /* of the objective */
    LASER_PART_REPORT_OTHER,
    LASER_PART_CALIBRATION,  /* windows that gradients are taken on */
    LASER_PART_GUARD,        /* windows of the guard texts: decide too */
    LASER_PART_GUARD_REPORT, /* the others of them: only reported */
    LASER_PARTS
};

/* What a window is for, as laser_items_make is told. */
enum laser_item_mark {
    LASER_MARK_REPORT,
    LASER_MARK_SELECTION,
    LASER_MARK_CALIBRATION,
    LASER_MARK_GUARD,
    LASER_MARK_GUARD_REPORT,
    LASER_MARK_UNUSED
};

/* Items first .. first + n - 1. */
struct laser_item_batch {
    int64_t first;
    int32_t n;
};

/* What a model says of an item: of a window or of a question, the other is zero. */
struct laser_item_score {
    struct laser_window_nll window;
    double kl_nats; /* of a window, beside a bound (LASER_BESIDE_BOUND): sum of its divergences */
    struct laser_task_score question;
};

/* What evaluate_all has computed itself; what an earlier start had done is not in it. */
struct laser_work_done {
    double work_s;         /* seconds that the groups worked, together */
    int64_t tokens, items; /* that went through the model */
};

struct laser_beside;         /* evaluate/beside.h */
struct laser_mpi_evaluation; /* evaluate/evaluation.h: unknown here */

struct laser_evaluation {
    struct laser_mpi_evaluation *parallel; /* what several ranks need; NULL: one process */
    struct laser_run *run;
    enum laser_convention convention;
    enum laser_precision precision;

    /* Every rank, the same. */
    struct laser_dataset *datasets; /* the texts, then the guard texts */
    int32_t n_datasets, n_guards;   /* of all, and of those that are guards */
    struct laser_window *windows;
    int64_t n_windows;
    struct laser_set set; /* questions */
    struct laser_objective objective;
    int64_t *items; /* number of a window, or ~number of a question */
    int64_t n_items;
    struct laser_item_batch *batches; /* of windows or of questions, and of one part */
    int64_t n_batches;
    int32_t batch_windows;                                           /* windows of a full batch */
    int64_t part_item[LASER_PARTS + 1], part_batch[LASER_PARTS + 1]; /* where each part begins */
    struct laser_objective_part weights[2];                          /* of the selection and of the report */
    const struct laser_edit_file *edits;                             /* borrowed */
    int n_edits;
    bool caches;        /* hidden states are kept for edits that come later, too (laser_evaluation_edits) */
    bool model_is_open; /* by laser_mpi_evaluation_open */

    /* The layout, and this rank's place in it. */
    int n_groups, group_size;
    int group, group_rank;                  /* -1 for ranks that hold no part of a copy */
    const struct laser_model_group *shards; /* of this copy: sums over them */
    int (*agree)(const struct laser_evaluation *evaluation, int code,
                 struct laser_error *err); /* over the group: the worst code on all its ranks; NULL: alone */
    struct laser_model *model;             /* workers */
    double flops_per_token;                /* of the whole model */
    double memory_bytes;                   /* about, of one rank, its part of the weights included */
    double batch_s;                        /* about, of a full batch; 0: unknown */
    struct laser_worker *worker;
    struct laser_beside *beside;  /* borrowed: what windows are compared with, or kept for; NULL: nothing */
    struct laser_work_done *done; /* rank 0: of each data set, then of each task, by evaluate_all */
    double *option_nats; /* log probability of each option of the set; rank 0: of the last evaluate_all,
                                    workers: of the questions that they evaluated last */
};

/* What the items ask of a layout. */
struct laser_layout_work laser_evaluation_work(const struct laser_evaluation *evaluation);

/* Local, the same on every rank, before the model: items and batches.  window_mark[i] is an enum
 * laser_item_mark, questions with question_mark[i] != 0 are the selection (NULL: all are). */
int laser_items_make(struct laser_evaluation *evaluation, const unsigned char *window_mark,
                     const unsigned char *question_mark, struct laser_error *err);

/* Is an item a question? *index: its number among the questions or the windows. */
bool laser_item_is_question(const struct laser_evaluation *evaluation, int64_t item, int64_t *index);

/* Weight of an item of the objective in the mean that a search makes, how its number comes about, and its
 * number, lower is better; NaN where a loss is not finite. */
double laser_item_weight(const struct laser_evaluation *evaluation, int64_t item);
const struct laser_objective_part *laser_item_objective(const struct laser_evaluation *evaluation,
                                                        int64_t item);
double laser_item_value(const struct laser_evaluation *evaluation, int64_t item,
                        const struct laser_item_score *score);

/* Collective over a group: the scores of the items of one batch with the edits in place (kept ones first).  A
 * loss that is not finite is NaN, no error.  scores[LASER_SEARCH_MAX_BATCH], on every rank of the group.
 */
int laser_evaluate_batch(struct laser_evaluation *evaluation, int64_t batch, const int32_t *edits,
                         int n_edits, int n_kept, struct laser_item_score *scores, struct laser_error *err);

/* Collective over a group: where the first value that is not finite appears in a batch, as an error text. */
int laser_evaluate_blame(struct laser_evaluation *evaluation, int64_t batch, struct laser_error *err);

/* Collective over a group: the scores of a batch of the base model must be finite; LASER_ENUMERIC says where
 * what is not begins. */
int laser_evaluate_check(struct laser_evaluation *evaluation, int64_t batch,
                         const struct laser_item_score *scores, struct laser_error *err);

/* Rank 0.  Warns where windows that decide, or gradients are taken on, stand in another text or a guard text too.
 * which: "of the calibration".  LASER_ENOMEM. */
int laser_evaluation_warn_of_overlap(const struct laser_evaluation *evaluation, const char *which,
                                     struct laser_error *err);

/* Local: tokens of the batches first .. end - 1. */
int64_t laser_evaluation_tokens(const struct laser_evaluation *evaluation, int64_t first, int64_t end);

/* Local: how many of the batches that select have this many tokens (0: all); all where windows and questions select
 * together, so that their weights are right. */
int64_t laser_evaluation_first_batches(const struct laser_evaluation *evaluation, int64_t tokens);

/* Local, the same on every rank: the edits that can be switched on are others from now
 * on (borrowed); the old ones must still be there.  Each rank's own outcome: agree on it.  LASER_ENOMEM. */
int laser_evaluation_edits(struct laser_evaluation *evaluation, const struct laser_edit_file *edits, int n,
                           struct laser_error *err);

/* Fills in the plan's windows from the items of a part: weights (of all items, the caller's) and batches.
 * batch_first[n_items + 1] is the caller's too. */
void laser_search_items(const struct laser_evaluation *evaluation, enum laser_item_part part,
                        const double *weights, int *batch_first, struct laser_search_plan *plan);

#endif
