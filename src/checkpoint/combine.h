/* Tensors that are made of two others: what difference.c and adapter.c share. */
#ifndef LASER_CHECKPOINT_COMBINE_H
#define LASER_CHECKPOINT_COMBINE_H

#include "checkpoint/coded.h"

/* A copy with everything that it is made of, whose files come after the first n_files; NULL without memory.
 */
struct laser_tensor *laser_tensor_copy(const struct laser_tensor *t, int n_files);

bool laser_tensor_same_shape(const struct laser_tensor *a, const struct laser_tensor *b);

/* Makes t, of c, the sum or difference (coding) of itself and `other`, in this type. */
int laser_tensor_combine(const struct laser_checkpoint *c, struct laser_tensor *t,
                         const struct laser_tensor *other, int n_files, enum laser_coding coding,
                         enum laser_dtype dtype, struct laser_error *err);

/* The files of another catalogue, behind those of c; descriptors and redirections of c are dropped. */
int laser_checkpoint_add_files(struct laser_checkpoint *c, const struct laser_checkpoint *other,
                               struct laser_error *err);

#endif
