/* A model beside its base: for every token the divergence of their distributions, by the base's states before its head,
 * which take a hundredth of the room of its logits and give the same.
 *
 * The vocabulary is split among the shards as in model.h.  What they exchange of a token is a few sums.
 */
#ifndef LASER_MODEL_PAIR_H
#define LASER_MODEL_PAIR_H

#include "kernels/divergence.h"
#include "model/model.h"

struct laser_model_pair;

/* Floats of a token's states before the head. */
int64_t laser_model_states_width(const struct laser_model *model);

/* states[n, width] that go into the head (after the final norm), from the last layer's.  Local. */
int laser_model_states(const struct laser_model *model, struct laser_model_workspace *workspace, int64_t n,
                       const float *hidden, float *states, struct laser_error *err);

/* The head of a base alone, of the entries of the vocabulary that this shard of `model` has, as far as the base has them
 * too.  base and model must outlive it; free with laser_model_free.  laser_model_load reads it, and
 * laser_model_states_width is that of its states; nothing else may be called on it.  Local. */
int laser_model_head_describe(const struct laser_checkpoint *base, const struct laser_model *model,
                              struct laser_model **head, struct laser_error *err);

/* Where the base's logits come from. */
struct laser_model_base {
    const struct laser_model *head; /* of laser_model_head_describe, loaded; NULL: the model's own head */
    int64_t vocabulary;             /* of the base; entries that both have are compared */
    /* A table in place of a head; NULL: none. */
    void (*read)(const void *context, int64_t token, int64_t v, int64_t n, float *logits);
    const void *context;
};

/* Working memory for calls of up to max_tokens.  base is copied; what it points to, and the model, must outlive the pair.
 * Local.  LASER_ENOMEM. */
int laser_model_pair_create(const struct laser_model *model, const struct laser_model_base *base,
                            int64_t max_tokens, struct laser_model_pair **pair, struct laser_error *err);
void laser_model_pair_free(struct laser_model_pair *pair); /* NULL is fine */

/* values[n] of the model's last hidden states[n, H] and the base's states[n, width] before its head (NULL with a table), and
 * nll[n] as laser_model_nll gives them, with the same bits.  Rows without a target (negative) have a divergence, and no
 * losses.  Collective.  LASER_EINPUT: a target that is not in both vocabularies.  LASER_ENUMERIC: a divergence or a loss of a
 * row with a target is not finite (all is filled). */
int laser_model_pair_run(struct laser_model_pair *pair, struct laser_model_workspace *workspace, int64_t n,
                         const float *hidden, const float *base_states, const int32_t *targets,
                         struct laser_pair_values *values, double *nll, struct laser_error *err);

#endif
