/* Files: whole reads, reads that may not be short, copies. */
#ifndef LASER_CHECKPOINT_IO_H
#define LASER_CHECKPOINT_IO_H

#include <stdint.h>

#include "base/error.h"
#include "base/output.h"

/* Reads a whole file (with a 0 byte after it). LASER_EIO, LASER_EINPUT (larger than max_bytes, or not a
 * regular file), LASER_ENOMEM.  *text is malloc'ed. */
int laser_io_read_file(const char *file, int64_t max_bytes, char **text, int64_t *length,
                       struct laser_error *err);

/* Reads n bytes at a position.  Anything less is LASER_EIO: file, position, found, expected. */
int laser_io_read_at(int fd, const char *file, int64_t position, int64_t n, void *dst,
                     struct laser_error *err);

/* `a/b` in fresh memory, or NULL. */
char *laser_io_join(const char *a, const char *b);

/* Appends n bytes of another file from a position; the system copies where it can. */
int laser_io_copy(struct laser_output *out, int fd, const char *file, int64_t position, int64_t n,
                  struct laser_error *err);

#endif
