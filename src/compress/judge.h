/* How good and how fast a checkpoint is: losses on held-out windows of the texts and on the guard texts. */
#ifndef LASER_COMPRESS_JUDGE_H
#define LASER_COMPRESS_JUDGE_H

#include <jansson.h>
#include <stdint.h>

#include "evaluate/evaluate.h"

/* The held-out windows of an evaluation, one after another, and what a checkpoint makes of them; rank 0. */
struct laser_judgement {
    int64_t n; /* windows: those of the report, then those of the guard texts */
    int32_t *dataset;
    double *nll, *tokens;     /* mean nats of a scored token, and scored tokens, of each window */
    double tokens_per_second; /* of all tokens through all groups; 0: taken from an earlier start */
    int64_t tokens_evaluated;
};

/* Rank 0.  The windows of a part behind those that are there. */
void laser_judgement_add(const struct laser_evaluation *e, enum laser_item_part part,
                         const struct laser_item_score *scores, struct laser_judgement *j);
void laser_judgement_free(struct laser_judgement *judgement);

/* Rank 0.  Mean difference of b to a over the windows of one text (-1: of all texts that are no guards), its
 * standard error, and the mean of a.  false: no window. */
bool laser_judgement_compare(const struct laser_evaluation *evaluation, const struct laser_judgement *a,
                             const struct laser_judgement *b, int32_t dataset, double *mean_a,
                             double *difference, double *error);

/* Rank 0.  A list with an object for each text: name, guard, windows, before, after, difference, stderr. NULL
 * without memory. */
json_t *laser_judgement_json(const struct laser_evaluation *evaluation, const struct laser_judgement *before,
                             const struct laser_judgement *after);

#endif
