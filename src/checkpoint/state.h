/* What the files of this room share about an open checkpoint. */
#ifndef LASER_CHECKPOINT_STATE_H
#define LASER_CHECKPOINT_STATE_H

#include <stdatomic.h>

#include "checkpoint/checkpoint.h"

struct laser_checkpoint_redirection {
    char *path; /* NULL: the checkpoint's own data */
    int64_t offset;
};

struct laser_checkpoint_state {
    atomic_int *fds;                                   /* one a file, -1 until its first read */
    struct laser_checkpoint_redirection *redirections; /* one a tensor, or NULL when there is none at all */
};

/* Sets up c->state for a catalogue whose files are known. */
int laser_checkpoint_state_init(struct laser_checkpoint *c, struct laser_error *err);
void laser_checkpoint_state_free(struct laser_checkpoint *c);

/* The descriptor of a file, opened when needed.  LASER_EIO: not readable, or not of the size it had. */
int laser_checkpoint_fd(const struct laser_checkpoint *c, int file, int *fd, struct laser_error *err);

/* Parses config_text, which c owns. */
int laser_checkpoint_parse_config(struct laser_checkpoint *c, int64_t length, struct laser_error *err);

#endif
