/* A checkpoint that is written in other types than it is read in: dequantised, or with an adapter in it. */
#ifndef LASER_CHECKPOINT_CAST_H
#define LASER_CHECKPOINT_CAST_H

#include "checkpoint/checkpoint.h"

/* From now on every floating tensor of c is seen rounded to this type, so that what is scanned and evaluated is
 * what will be written, and a writer makes new safetensors files of the tensors as they are seen, with a
 * config.json that says so (c->anew).  LASER_DTYPE_COUNT: tensors that an adapter changes are rounded to the
 * type that they had without it, the others stay as they are.  LASER_ENOMEM. */
int laser_checkpoint_cast(struct laser_checkpoint *c, enum laser_dtype dtype, struct laser_error *err);

#endif
