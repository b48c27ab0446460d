/* Writes a checkpoint into a new directory: the same files, shard names, keys, order, dtypes and offsets; the
 * tensors that are redirected (laser_checkpoint_redirect) come from their new place; every other file of the
 * model directory is copied byte for byte, symlinks followed, but for weights that are none of the
 * catalogue's (beside.h): they would be those of the model as it was.
 *
 * The files are independent, so ranks can share them:
 *     every rank: laser_writer_open            (same list on every rank)
 *     one rank:   laser_writer_begin           (checks, creates the directory)
 *     any rank:   laser_writer_file(w, i)      each i in 0 .. w->n_files-1 once
 *     one rank:   laser_writer_finish          after all of them
 * Of a checkpoint that is to be written anew (cast.h) the shards are new safetensors files of the tensors as they
 * are seen, whatever they are read from, and config.json is c->config_text.
 * Each file appears by temp, fsync, rename; the index comes last in the list and is to be written after the
 * shards only for tidiness: nothing but laser_writer_finish says that the checkpoint is whole.
 * Memory is bounded by a few MB, whatever the size of a tensor.
 */
#ifndef LASER_CHECKPOINT_WRITER_H
#define LASER_CHECKPOINT_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"

struct laser_writer_file {
    char *name;   /* relative to the output directory */
    char *source; /* path that it comes from */
    int shard;    /* index in c->files, -1 for other files */
    bool is_index;
    bool is_config; /* config.json of a checkpoint that is written anew: c->config_text */
    int64_t size_bytes;
};

struct laser_writer {
    const struct laser_checkpoint *c; /* borrowed */
    char *dir;
    int n_files;
    struct laser_writer_file *files; /* shards, other files by name, the shard index */
    int64_t size_bytes;              /* of all files */
    int n_left_out;                  /* weights that are not taken along */
    int64_t left_out_bytes;
    char left_out[320]; /* the names of the first of them, "a, b" */
};

/* Lists what is to be written; touches nothing.  A single .safetensors file takes along the configuration and
 * tokenizer files beside it.  Sub-folders are included, .git and .cache are not.
 * LASER_EUSAGE: dir is the model directory, inside it, or holds it. */
int laser_writer_open(const struct laser_checkpoint *c, const char *dir, struct laser_writer **out,
                      struct laser_error *err);
void laser_writer_close(struct laser_writer *w); /* NULL is allowed */

/* Creates the directory (parents must exist).  An existing one may hold only files of this list, left by an
 * earlier attempt: anything else is LASER_EUSAGE.  LASER_EIO if not writable or too full. */
int laser_writer_begin(const struct laser_writer *w, struct laser_error *err);

/* Writes one file.  LASER_EIO (disk full, ...) leaves neither the file nor its temporary. */
int laser_writer_file(const struct laser_writer *w, int i, struct laser_error *err);

/* Checks that every file is there at its size and makes the directory durable. */
int laser_writer_finish(const struct laser_writer *w, struct laser_error *err);

/* All of the above, alone. */
int laser_checkpoint_write(const struct laser_checkpoint *c, const char *dir, struct laser_error *err);

#endif
