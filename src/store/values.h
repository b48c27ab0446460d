/* Files of singular values that edits refer to as values:HASH: one vector of float64 for each edited matrix
 * under its name, in OUT/singular-values/HASH.safetensors. */
#ifndef LASER_STORE_VALUES_H
#define LASER_STORE_VALUES_H

#include <stdint.h>

#include "base/error.h"

#define LASER_VALUES_DIRECTORY "singular-values"

/* The new values of n matrices: values[i] has counts[i].  *hash is that of names and values, and names the
 * file in `directory` (of a run, or where its plan.yaml lies).  Local.  LASER_EIO, LASER_ENOMEM. */
int laser_values_write(const char *directory, int64_t n, const char *const *names,
                       const double *const *values, const int64_t *counts, uint64_t *hash,
                       struct laser_error *err);

/* Local.  The vector of one matrix, which must have n values.  LASER_EINPUT: not such a file, or without this
 * matrix; LASER_EIO. */
int laser_values_read(const char *directory, uint64_t hash, const char *name, int64_t n, double *values,
                      struct laser_error *err);

/* Local.  Removes a file, if it is there. */
void laser_values_remove(const char *directory, uint64_t hash);

#endif
