/* What the files of this module share about an open checkpoint. */
#ifndef LASER_CHECKPOINT_STATE_H
#define LASER_CHECKPOINT_STATE_H

#include <stdatomic.h>

#include "checkpoint/checkpoint.h"
#include "checkpoint/matrix.h"

struct laser_checkpoint_redirection {
    char *path; /* NULL: the checkpoint's own data */
    int64_t offset;
};

/* A window of a tensor that is read from another file. */
struct laser_checkpoint_patch {
    struct laser_matrix window; /* its geometry; the strings are not used */
    char *path;
    int64_t offset; /* of the window's elements, row-major, in that file */
    struct laser_checkpoint_patch *next;
};

/* Makes the elements of a coded tensor (coded.h).  The parts of one may be coded themselves, and are read as all tensors are: so the
 * files that read stored bytes know their maker by this alone. */
struct laser_coded_reader {
    int (*bytes)(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t byte_offset,
                 int64_t n_bytes, void *dst, struct laser_error *err);
    int (*rows)(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t row0, int64_t n_rows,
                int64_t col0, int64_t n_cols, void *dst, struct laser_error *err);
};

struct laser_checkpoint_state {
    const struct laser_coded_reader *reader;
    atomic_int *fds;                                   /* one a file, -1 until its first read */
    struct laser_checkpoint_redirection *redirections; /* one a tensor, or NULL when there is none at all */
    struct laser_checkpoint_patch **patches;           /* as redirections: lists */
};

/* Sets up c->state for a catalogue whose files are known. */
int laser_checkpoint_state_init(struct laser_checkpoint *c, const struct laser_coded_reader *reader,
                                struct laser_error *err);
void laser_checkpoint_state_free(struct laser_checkpoint *c);

/* The patches of a tensor, or NULL. */
const struct laser_checkpoint_patch *laser_checkpoint_patches(const struct laser_checkpoint *c,
                                                              const struct laser_tensor *tensor);

/* Puts what the patches have of a tensor's bytes byte_offset ... byte_offset + n_bytes - 1 over dst. */
int laser_checkpoint_patch_bytes(const struct laser_checkpoint_patch *patches, int64_t byte_offset,
                                 int64_t n_bytes, char *dst, struct laser_error *err);
void laser_checkpoint_patches_free(struct laser_checkpoint *c);

/* Where the tensor of a name, dtype and shape starts in a safetensors file. */
int laser_checkpoint_find_overlay(const struct laser_tensor *tensor, const char *path, int64_t *offset,
                                  struct laser_error *err);

/* The descriptor of a file, opened when needed.  LASER_EIO: not readable, or not of the size it had. */
int laser_checkpoint_fd(const struct laser_checkpoint *c, int file, int *fd, struct laser_error *err);

/* Bytes of a tensor as they stand in its file (or, for a coded tensor, are made), whatever it is redirected
 * to; the tensor need not be one of the catalogue. */
int laser_checkpoint_read_stored(const struct laser_checkpoint *c, const struct laser_tensor *tensor,
                                 int64_t byte_offset, int64_t n_bytes, void *dst, struct laser_error *err);

/* Sorts the tensors by name.  LASER_EINPUT: a name occurs twice. */
int laser_checkpoint_sort(struct laser_checkpoint *c, struct laser_error *err);

/* Parses config_text, which c owns. */
int laser_checkpoint_parse_config(struct laser_checkpoint *c, int64_t length, struct laser_error *err);

#endif
