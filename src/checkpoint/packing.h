/* Packed integer weights, known by the names of their tensors: for messages that name them, where nothing is
 * read from them.
 */
#ifndef LASER_CHECKPOINT_PACKING_H
#define LASER_CHECKPOINT_PACKING_H

#include <stddef.h>
#include <stdint.h>

#include "checkpoint/checkpoint.h"

struct laser_packing {
    const char *name;   /* "GPTQ"; static */
    const char *back;   /* how its own tools write floats again; static */
    const char *tensor; /* the first packed one; the catalogue's */
    int64_t n_matrices; /* of this packing */
};

/* The packing of most matrices among the tensors; 0 if there is none. */
int laser_packing_find(const struct laser_tensor *tensors, int64_t n, struct laser_packing *found);

/* "its weights are packed integers (GPTQ: 224 matrices, such as ...qweight); they ..." into text; 0 if there
 * is no packing. */
int laser_packing_describe(const struct laser_tensor *tensors, int64_t n, char *text, size_t size);

#endif
