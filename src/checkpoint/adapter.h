/* Adapters of PEFT (LoRA): a directory with adapter_config.json, seen as the changes that it makes; and a
 * model with such changes.
 */
#ifndef LASER_CHECKPOINT_ADAPTER_H
#define LASER_CHECKPOINT_ADAPTER_H

#include "checkpoint/checkpoint.h"

struct laser_matrix;

/* In the catalogue of an adapter, each pair lora_A, lora_B becomes one tensor of the name that the weight has
 * in the base: s B A in float64, s = lora_alpha / r or, with use_rslora, / sqrt(r).  Nothing is done where
 * the directory has no adapter_config.json or no such pair.  LASER_EINPUT: another kind of adapter, shapes
 * that do not fit, a pattern of ranks that is no plain name; LASER_ENOMEM. */
int laser_adapter_resolve(struct laser_checkpoint *c, struct laser_error *err);

/* In the catalogue of a factored checkpoint (config.json: truncation_ranks), each pair BLinear, ALinear becomes one
 * tensor of the name that the weight had, in float64, for a scan: a model is loaded from the pairs themselves.
 * LASER_EINPUT: shapes that do not fit; LASER_ENOMEM. */
int laser_factors_resolve(struct laser_checkpoint *c, struct laser_error *err);

/* Makes c the catalogue of a model with an adapter: W + s B A in float32, and tensors that the adapter has
 * whole in the place of the model's.  The adapter's files become files of c.  LASER_EINPUT: no adapter, a
 * weight that the model lacks or has in another shape, DoRA, embeddings or biases that are adapted. */
int laser_checkpoint_adapt(struct laser_checkpoint *c, const struct laser_checkpoint *adapter,
                           struct laser_error *err);

/* The factors of a matrix that is a whole product: left is rows x rank (scaled), right rank x cols, both
 * row-major and malloc'ed; *rank = 0 for another matrix. */
int laser_matrix_factors(const struct laser_checkpoint *c, const struct laser_matrix *m, int64_t *rank,
                         double **left, double **right, struct laser_error *err);

#endif
