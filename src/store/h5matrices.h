/* Matrices in an HDF5 file: every two-dimensional data set of floating-point numbers, wherever it stands, is
 * one. */
#ifndef LASER_STORE_H5MATRICES_H
#define LASER_STORE_H5MATRICES_H

#include <stdbool.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"

/* Local.  Does the name end in .h5 or .hdf5? */
bool laser_h5_is_file(const char *path);

/* Local.  The catalogue of the file's data sets (named by their paths, without the first slash), read later
 * as plain bytes: 2, 4 or 8 byte little-endian IEEE numbers stored contiguously.  Others are LASER_EINPUT
 * with the data set, what was found, and how to convert it. */
int laser_h5_matrices_open(const char *path, struct laser_checkpoint **out, struct laser_error *err);

#endif
