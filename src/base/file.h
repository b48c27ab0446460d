/* Whole files: read with a limit, replaced atomically. */
#ifndef LASER_BASE_FILE_H
#define LASER_BASE_FILE_H

#include <stddef.h>

#include "base/error.h"

/* Puts size bytes at path, by base/output.h: a reader sees the old file or the new one, never a part. */
int laser_file_replace(const char *path, const void *data, size_t size, struct laser_error *err);

/* Reads a regular file of at most limit bytes into *data, which gets a NUL after its *size bytes; the caller
 * frees it.
 *
 * LASER_EINPUT: not there, not a regular file, larger than limit, or a pointer of Git LFS in its place.  LASER_EIO: reading failed.  LASER_ENOMEM.
 */
int laser_file_read(const char *path, size_t limit, char **data, size_t *size, struct laser_error *err);

/* For a file that a library opens by its name, which would wait for the other end of a FIFO, or read a device
 * for ever: LASER_EINPUT where path is there and is not a regular file; LASER_OK otherwise, also where
 * nothing is there. */
int laser_file_refuse_special(const char *path, struct laser_error *err);

/* "dir/name" for a name relative to dir; a copy of name when it is absolute or dir is "" or ".".  The caller
 * frees it; NULL without memory. */
char *laser_file_join(const char *dir, const char *name);

/* The directory of path, "." when it names none.  The caller frees it; NULL without memory. */
char *laser_file_directory(const char *path);

#endif
