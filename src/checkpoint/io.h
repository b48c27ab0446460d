/* Files: whole reads, reads that may not be short, and files that appear whole or not at all. */
#ifndef LASER_CHECKPOINT_IO_H
#define LASER_CHECKPOINT_IO_H

#include <stdint.h>

#include "base/error.h"

/* Reads a whole file (with a 0 byte after it). LASER_EIO, LASER_EINPUT (larger than max_bytes, or not a
 * regular file), LASER_ENOMEM.  *text is malloc'ed. */
int laser_io_read_file(const char *file, int64_t max_bytes, char **text, int64_t *length,
                       struct laser_error *err);

/* Reads n bytes at a position.  Anything less is LASER_EIO: file, position, found, expected. */
int laser_io_read_at(int fd, const char *file, int64_t position, int64_t n, void *dst,
                     struct laser_error *err);

/* `a/b` in fresh memory, or NULL. */
char *laser_io_join(const char *a, const char *b);

/* A file under construction: written as `.NAME.partial` beside its place. */
struct laser_io_output {
    int fd;
    char *path;
    char *temporary;
};

/* After a begin that succeeds, exactly one of commit (fsync, rename, fsync of the directory) or abort (the
 * temporary is removed).  A failing commit aborts.  Errors are LASER_EIO and name the file; a full disk is
 * said to be one. */
int laser_io_output_begin(const char *path, struct laser_io_output *out, struct laser_error *err);
int laser_io_output_write(struct laser_io_output *out, const void *bytes, int64_t n, struct laser_error *err);
int laser_io_output_write_at(struct laser_io_output *out, int64_t position, const void *bytes, int64_t n,
                             struct laser_error *err);

/* Appends n bytes of another file from a position; the system copies where it can. */
int laser_io_output_copy(struct laser_io_output *out, int fd, const char *file, int64_t position, int64_t n,
                         struct laser_error *err);
int laser_io_output_commit(struct laser_io_output *out, struct laser_error *err);
void laser_io_output_abort(struct laser_io_output *out);

/* Makes the names in a directory durable. */
int laser_io_sync_directory(const char *dir, struct laser_error *err);

#endif
