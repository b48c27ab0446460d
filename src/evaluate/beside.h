/* A worker's side of a divergence: the base's states before its head go to files, batch by batch, in one pass, and in a
 * second one another model is compared with them, token by token (model/pair.h).  For a bound of a search, whose trials are
 * compared by their means alone, no tokens are written.
 *
 * The files stand in the output directory, so that any group can go on with what another has written.
 */
#ifndef LASER_EVALUATE_BESIDE_H
#define LASER_EVALUATE_BESIDE_H

#include <stdbool.h>

#include "corpus/divergence.h"
#include "evaluate/evaluate.h"

enum laser_beside_side { LASER_BESIDE_BASE, LASER_BESIDE_OTHER, LASER_BESIDE_BOUND };

struct laser_beside {
    enum laser_beside_side side;
    char states[4300], tokens[4300]; /* folders; tokens of the other side */
    const struct laser_checkpoint *base;
    int64_t vocabulary, width; /* of the base, and of its states */

    /* Workers, after laser_beside_open. */
    struct laser_model *head;
    struct laser_model_pair *pair;
    float *rows;                      /* states of a batch */
    struct laser_pair_values *values; /* of the tokens of the batch that was compared last */
    struct laser_token_divergence *out;
};

/* Is the file of a batch there that this side makes? */
bool laser_beside_has(const struct laser_beside *beside, int64_t batch);

/* Local, on workers whose model is open, in two parts, since reading a head may be collective over those that share it
 * (laser_model_load of beside->head, where there is one, stands between them).  LASER_ENOMEM, LASER_EINPUT. */
int laser_beside_describe(struct laser_beside *beside, const struct laser_evaluation *evaluation,
                          struct laser_error *err);
int laser_beside_open(struct laser_beside *beside, const struct laser_evaluation *evaluation,
                      int64_t max_tokens, struct laser_error *err);
void laser_beside_close(struct laser_beside *beside);

/* Collective over a group: the losses nll[n] of a batch of windows as laser_model_nll gives them; the batch's file is written.
 * LASER_ENUMERIC: one is not finite. */
int laser_beside_run(struct laser_beside *beside, const struct laser_evaluation *evaluation,
                     struct laser_model_workspace *workspace, int64_t batch, int64_t n, const float *hidden,
                     const int32_t *targets, double *nll, struct laser_error *err);

/* The tokens of a batch, which laser_beside_run has written: n of them.  LASER_EINPUT: another number. */
int laser_beside_read(const struct laser_beside *beside, int64_t batch, int64_t n,
                      struct laser_token_divergence *tokens, struct laser_error *err);

#endif
