/* Something added to a finished HDF5 file, or nothing. */
#ifndef LASER_STORE_AMEND_H
#define LASER_STORE_AMEND_H

#include <hdf5.h>

#include "base/error.h"

/* Adds to the open file; 0 on success. */
typedef int laser_h5_addition(hid_t file, const void *what);

/* A copy beside the file is completed by `add` and takes its place.  Local.  LASER_EIO (named by what_is_it:
 * "the decisions"), LASER_ENOMEM: the file is as it was. */
int laser_h5_amend(const char *path, laser_h5_addition *add, const void *what, const char *what_is_it,
                   struct laser_error *err);

#endif
