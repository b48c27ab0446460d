/* What a model costs, from its description alone: for plans, before any weight is read. */
#ifndef LASER_PLAN_ESTIMATE_H
#define LASER_PLAN_ESTIMATE_H

#include "arch/arch.h"
#include "kernels/dispatch.h"
#include "kernels/storage.h"

struct laser_model_estimate {
    int64_t weights_bytes;  /* of the shard that holds most: what laser_model_weights_bytes will say */
    int64_t hidden_bytes;   /* of the caller's hidden states of one batch */
    int64_t working_bytes;  /* of the working arrays of one batch, without the scratch of the kernels */
    double flops_per_token; /* of the whole model in sequences of `length`, head included; 2 for a product and
                               sum */
    double share;           /* of them that the busiest shard has: 1 / shards when balanced */
};

/* stored: the type of the linear weights.  max_tokens: of one batch.  length: of one sequence.
 * LASER_EUSAGE: a number below 1.  LASER_EINPUT: the sizes overflow. */
int laser_model_estimate(const struct laser_arch *arch, int shards, enum laser_precision precision,
                         enum laser_storage stored, int64_t max_tokens, int64_t length,
                         struct laser_model_estimate *estimate, struct laser_error *err);

#endif
