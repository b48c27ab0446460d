/* A worker's side of an evaluation: the edits that are in place in its copy of the model, and hidden states
 * that can be used again.
 */
#ifndef LASER_EVALUATE_WORKER_H
#define LASER_EVALUATE_WORKER_H

#include "evaluate/evaluate.h"
#include "model/gradient.h"

/* Local.  Memory for batches of this evaluation; LASER_ENOMEM. */
int laser_worker_create(struct laser_evaluation *evaluation, struct laser_worker **out,
                        struct laser_error *err);
void laser_worker_free(struct laser_worker *worker);

/* Tokens of the largest batch. */
int64_t laser_worker_tokens(const struct laser_worker *worker);

/* One run of the backward pass over some sequences: windows, or all options of some questions.  The number of
 * the part's objective is the sum of c[i] times the summed loss of sequence i.  Gradients that come are those
 * of sum of sign(c[i]) sqrt(|c[i]|) times the loss, so that with p of a token from them
 *   scale p     is its part of the objective's gradient, scale = sqrt(|c[i]|),
 *   p p'        its part of the objective's Fisher information, |c[i]| times that of the sequence's loss. */
struct laser_gradient_run {
    int64_t n_sequences;
    const int64_t *lengths; /* [n_sequences] tokens */
    const int *items;       /* [n_sequences] number in the batch of the item that the sequence is of */
    const float *scales;    /* [n_sequences] */
};

struct laser_gradient_sink {
    void *context;
    /* Before each run, on every rank of the group. */
    int (*begin)(void *context, const struct laser_gradient_run *run, struct laser_error *err);
    struct laser_model_gradient_sink linear;
    bool unit_slopes; /* c = 1 for every option of a question: how large gradients are at most, about */
};

/* Collective over a group: forward and backward through a batch with these edits in place; *sink gets inputs
 * and gradients of every linear layer.  scores as of laser_evaluate_batch, but a loss that is not finite
 * is LASER_ENUMERIC. */
int laser_gradient_batch(struct laser_evaluation *evaluation, int64_t batch, const int32_t *edits,
                         int n_edits, const struct laser_gradient_sink *sink, struct laser_item_score *scores,
                         struct laser_error *err);

/* Collective over a group: laser_model_gradient_teach with no edit in place.  The next laser_gradient_batch,
 * of the same batch, gives the gradient of the divergence from the model as it is without edits. */
int laser_gradient_teach(struct laser_evaluation *evaluation, int64_t batch, struct laser_error *err);

/* Local: bytes of the hidden states and working arrays of laser_gradient_batch. */
int64_t laser_gradient_bytes(const struct laser_evaluation *evaluation);

/* Collective over a group: no edit is in place any more. */
int laser_worker_clear(struct laser_worker *worker, struct laser_error *err);

/* Local.  The evaluation has another list of edits now: none of the old ones may be in place.  LASER_ENOMEM.
 */
int laser_worker_edits(struct laser_worker *worker, struct laser_error *err);

#endif
