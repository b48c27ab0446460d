/* The difference of two checkpoints of the same architecture: a fine-tuned model and its base. */
#ifndef LASER_CHECKPOINT_DIFFERENCE_H
#define LASER_CHECKPOINT_DIFFERENCE_H

#include "checkpoint/checkpoint.h"

/* What was found of the two. */
struct laser_difference {
    int64_t n_compared;  /* tensors of both, of the same shape */
    int64_t n_reshaped;  /* of both, of another shape: a resized vocabulary */
    int64_t n_only_here; /* not in the base */
    int64_t n_only_base;
};

/* Makes `tuned` the catalogue of W_tuned - W_base, in float64, which is exact for types of up to 32 bits of
 * about the same size. Tensors that have no partner stay, by name, as ones that are not scanned; those only
 * in the base are added.  The files of base become files of tuned; base is left as it is. LASER_EINPUT:
 * another architecture (model_type), or no tensor in common; LASER_ENOMEM. */
int laser_checkpoint_subtract(struct laser_checkpoint *tuned, const struct laser_checkpoint *base,
                              struct laser_difference *found, struct laser_error *err);

#endif
