/* A file that appears whole or not at all: written as `.NAME.partial` beside its place, brought to the disk,
 * and renamed.  The only writer of files in this program that have to survive a crash; what is appended
 * (ledger, part files) aside.
 */
#ifndef LASER_BASE_OUTPUT_H
#define LASER_BASE_OUTPUT_H

#include <stdint.h>

#include "base/error.h"

struct laser_output {
    int fd;          /* of the temporary file */
    char *path;      /* where it will stand */
    char *temporary; /* where a library that writes by name writes */
    int64_t counted; /* bytes that base/traffic.h knows of */
    int64_t needed;  /* bytes that the whole will have, for the message of a full disk; 0: not known */
};

/* After a begin that succeeds, exactly one of commit (fsync, rename, fsync of the directory) or abort (the
 * temporary is removed).  A failing commit aborts.  A symbolic link at path is replaced, not followed; a
 * temporary file that a killed process left is used again.  One writer at a time per path.
 *
 * LASER_EIO: where = path, text names the step and the cause, and says of a full disk that it is one; the old
 * file is as it was.  LASER_ENOMEM. */
int laser_output_begin(const char *path, struct laser_output *out, struct laser_error *err);
int laser_output_write(struct laser_output *out, const void *bytes, int64_t n, struct laser_error *err);
int laser_output_write_at(struct laser_output *out, int64_t position, const void *bytes, int64_t n,
                          struct laser_error *err);
int laser_output_commit(struct laser_output *out, struct laser_error *err);
void laser_output_abort(struct laser_output *out);

/* Fills *err for a step that failed with an errno: for those who write to out->fd or out->temporary
 * themselves. */
int laser_output_failed(const struct laser_output *out, const char *step, int cause, struct laser_error *err);

/* Makes the names in a directory durable, or those beside a file. */
int laser_directory_sync(const char *dir, struct laser_error *err);
int laser_directory_sync_of(const char *file, struct laser_error *err);

#endif
