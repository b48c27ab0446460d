/* Files that are no text, known by their first bytes. */
#ifndef LASER_BASE_KIND_H
#define LASER_BASE_KIND_H

#include <stddef.h>

#include "base/error.h"

/* LASER_EINPUT for a compressed file, an archive, a table or a picture: text names its kind and the command
 * that makes text of it.  LASER_OK for everything else.  The first 512 bytes will do. */
int laser_kind_refuse(const char *path, const char *bytes, size_t n, struct laser_error *err);

#endif
