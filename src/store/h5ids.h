/* Token ids in an HDF5 file. */
#ifndef LASER_STORE_H5IDS_H
#define LASER_STORE_H5IDS_H

#include <stdint.h>

#include "base/error.h"

/* Local.  The integers of one data set of the file, rows one after another; name NULL: the only data set of
 * integers.  The caller frees *ids.  LASER_EINPUT: no such file or data set, not integers, several to choose
 * from (named), a number beyond int32. */
int laser_h5_token_ids(const char *path, const char *name, int32_t **ids, int64_t *n_ids,
                       struct laser_error *err);

#endif
