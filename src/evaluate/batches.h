/* Finished batches of an evaluation in the ledger, so that one that was stopped goes on. */
#ifndef LASER_EVALUATE_BATCHES_H
#define LASER_EVALUATE_BATCHES_H

#include "evaluate/evaluate.h"

struct laser_batches {
    char identity[20];   /* model, edits, items, arithmetic: what the bits of a batch depend on */
    unsigned char *done; /* of each batch */
    int64_t n_done;      /* batches */
    int64_t n_items;     /* of those */
};

/* Of an evaluation: what the bits of its batches depend on.  LASER_ENOMEM. */
int laser_batches_identity(const struct laser_evaluation *evaluation, const int32_t *edits, int n_edits,
                           char identity[20], struct laser_error *err);

/* Rank 0.  Takes over into scores what an earlier start has finished of the same evaluation with these edits.
 */
int laser_batches_open(struct laser_evaluation *evaluation, const int32_t *edits, int n_edits,
                       struct laser_item_score *scores, struct laser_batches *batches,
                       struct laser_error *err);

/* Rank 0.  The scores of one batch, and its log probabilities in evaluation->option_nats, into the ledger. */
int laser_batches_record(struct laser_evaluation *evaluation, const struct laser_batches *batches,
                         int64_t batch, const struct laser_item_score *scores, struct laser_error *err);

void laser_batches_free(struct laser_batches *batches);

#endif
