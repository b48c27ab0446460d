/* HDF5 files: opened with a message that says why not, and what HDF5 itself says of a call that failed.
 *
 * HDF5 prints nothing in this program; the innermost message of the first call that failed is kept.
 */
#ifndef LASER_STORE_H5FILE_H
#define LASER_STORE_H5FILE_H

#include <hdf5.h>

#include "base/error.h"
#include "base/output.h"

/* Begins a piece of work with HDF5: forgets what failed before. */
void laser_h5_begin(void);

/* What failed first since then: "No space left on device", "unable to lock file, ..."; "unknown" if nothing
 * did. */
const char *laser_h5_cause(void);

/* Local.  Opens a file for reading.  LASER_EIO: another process holds it locked, or it cannot be read;
 * LASER_EINPUT: it is no HDF5 file, torn, or not there. */
int laser_h5_open(const char *path, hid_t *file, struct laser_error *err);

/* Local.  A new file of the format of HDF5 1.8 (read by every HDF5 in use) at out->temporary; -1 if that
 * fails. */
hid_t laser_h5_create(const struct laser_output *out);

/* Fills *err: what ("the decisions") could not be written to the file, by HDF5's own error.  Returns the
 * code. */
int laser_h5_write_failed(const struct laser_output *out, const char *what, struct laser_error *err);

/* A text attribute of variable length, in malloc'ed memory; NULL where there is none, or no memory. */
char *laser_h5_text(hid_t where, const char *name);

/* "1.10.8", in a static buffer. */
const char *laser_h5_version(void);

#endif
