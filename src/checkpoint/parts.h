/* The parts of fused tensors. */
#ifndef LASER_CHECKPOINT_PARTS_H
#define LASER_CHECKPOINT_PARTS_H

#include "checkpoint/matrix.h"

#define LASER_MAX_PARTS 3

/* True if config.json and the names say that this whole matrix is stored [in, out]. */
bool laser_parts_transposed(const struct laser_checkpoint *c, const char *name, int n_dims);

/* The parts of a whole matrix of the tensor `name`: addressing, shape, `part` and nothing else are filled
 * into copies of *whole.  Returns their number; 1 with parts[0] = *whole if it is not fused, or, with a note,
 * if its name is that of a fused one but the layout is not known for the model type, or does not fit the
 * shape. */
int laser_parts_split(const struct laser_checkpoint *c, const char *name, const struct laser_matrix *whole,
                      struct laser_matrix parts[LASER_MAX_PARTS]);

#endif
