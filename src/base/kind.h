/* Files that are not what they should be, known by their first bytes; 512 of them will do. */
#ifndef LASER_BASE_KIND_H
#define LASER_BASE_KIND_H

#include <stddef.h>

#include "base/error.h"

/* Where text is needed.  LASER_EINPUT for a compressed file, an archive, a table or a picture: the message names its
 * kind and the command that makes text of it.  LASER_OK for everything else. */
int laser_kind_refuse(const char *path, const char *bytes, size_t n, struct laser_error *err);

/* Where nothing but text is out of place: LASER_EINPUT for what stands there instead of the file, a pointer of Git LFS.
 * Part of the other two. */
int laser_kind_refuse_stray(const char *path, const char *bytes, size_t n, struct laser_error *err);

/* Once a file of data (JSON, safetensors) cannot be read as such: LASER_EINPUT if it is a known other kind, an HTML page
 * of a failed download among them.  LASER_OK: it is not. */
int laser_kind_refuse_data(const char *path, const char *bytes, size_t n, struct laser_error *err);

#endif
