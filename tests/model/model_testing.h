/* Shared by the tests of the model: the small checkpoints of tests/golden/model, and a model whose shards are
 * threads of this process. */
#ifndef LASER_TESTS_MODEL_TESTING_H
#define LASER_TESTS_MODEL_TESTING_H

#include "model/model.h"

/* A golden case: the checkpoint, and what transformers computes on it (tools/golden/make_models.py). */
struct golden {
    struct laser_checkpoint *checkpoint;
    int64_t sequences, length, vocabulary;
    int32_t *tokens;  /* [B, T] */
    int32_t *targets; /* [B, T], -1 in the last column */
    double *nll;      /* [B, T - 1] */
    int64_t *rank;    /* [B, T - 1] */
    double *logits;   /* [V] after the first sequence */
};

/* Fails the test if it cannot. */
void golden_open(struct golden *golden, const char *name);
void golden_close(struct golden *golden);

/* Runs body(context, index, group) in `count` threads, which form a group; returns when all have ended. */
typedef void (*shard_body)(void *context, int index, const struct laser_model_group *group);
void run_shards(int count, shard_body body, void *context);

/* The losses [B, T] of the whole golden text by `count` shards, each with the result that it got; nll of
 * shard 0. Returns the worst result. */
int nll_by_shards(const struct golden *golden, enum laser_precision precision, int count, double *nll,
                  struct laser_error *err);

/* The same after change(context, model) of every shard's model. */
typedef int model_change(void *context, struct laser_model *model, struct laser_error *err);
int nll_of_changed(const struct golden *golden, enum laser_precision precision, int count,
                   model_change *change, void *context, double *nll, struct laser_error *err);

/* What a shard of the group has of a batch: the scores of n targets.  Returns the first code that is not LASER_OK. */
int score_batch(const struct laser_checkpoint *checkpoint, const struct laser_model_group *group,
                const struct laser_model_batch *batch, int64_t n_tokens, const int32_t *tokens, int64_t n,
                const int64_t *rows, const int32_t *targets, struct laser_model_score *scores,
                struct laser_error *err);

/* The largest difference of two lists. */
double largest_difference(const double *a, const double *b, int64_t n);

#endif
