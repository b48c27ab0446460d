/* The files of a checkpoint that is being written: which there are, and what goes into each. */
#ifndef LASER_CHECKPOINT_WRITER_FILES_H
#define LASER_CHECKPOINT_WRITER_FILES_H

#include "checkpoint/io.h"
#include "checkpoint/writer.h"

/* Fills w->files, n_files and size_bytes. */
int laser_writer_list_files(struct laser_writer *w, struct laser_error *err);

/* The header that a shard will have, length and padding included. *header is malloc'ed. */
int laser_writer_make_header(const struct laser_checkpoint *c, int shard, char **header, int64_t *n,
                             struct laser_error *err);

/* A shard: its header (with __metadata__ format "pt" put in where there is none), its data, and over them the
 * redirected tensors. */
int laser_writer_put_shard(const struct laser_writer *w, const struct laser_writer_file *f,
                           struct laser_output *out, struct laser_error *err);

/* Of a checkpoint that is written anew: how many shards, their names (the caller's) and sizes, and what goes
 * into them and the index. */
int laser_writer_anew_shards(const struct laser_checkpoint *c);
char *laser_writer_anew_name(const struct laser_checkpoint *c, int shard);
int laser_writer_anew_size(const struct laser_checkpoint *c, int shard, int64_t *size_bytes,
                           struct laser_error *err);
int laser_writer_anew_put_shard(const struct laser_checkpoint *c, int shard, struct laser_output *out,
                                struct laser_error *err);
int laser_writer_anew_put_index(const struct laser_checkpoint *c, struct laser_output *out,
                                struct laser_error *err);

/* The shard index: as it is, or with the total_size that it lacks. */
int laser_writer_put_index(const struct laser_writer *w, const struct laser_writer_file *f,
                           struct laser_output *out, struct laser_error *err);

/* Any other file, byte for byte. */
int laser_writer_put_copy(const struct laser_writer_file *f, struct laser_output *out,
                          struct laser_error *err);

#endif
