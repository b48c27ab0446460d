/* Inside of the writer of factored checkpoints: what goes into one shard. */
#ifndef LASER_COMPRESS_FACTORED_PARTS_H
#define LASER_COMPRESS_FACTORED_PARTS_H

#include <jansson.h>

#include "checkpoint/io.h"
#include "compress/factored.h"

/* The file that transformers runs a factored checkpoint by: share/modeling_laser_factored.py. */
extern const unsigned char laser_factored_modeling[];
extern const size_t laser_factored_modeling_size;

/* The pair that stands for a tensor, or NULL. */
const struct laser_factor_pair *laser_factored_pair(const struct laser_factored *w,
                                                    const struct laser_tensor *t);

/* "model.layers.0.mlp.up_proj" from "model.layers.0.mlp.up_proj.weight"; false if it has no such end. */
bool laser_factored_module(const char *tensor, char *module, size_t size);

/* The header of a shard in factored form, and the bytes of the data behind it.  Adds its tensors to
 * weight_map (may be NULL) under the file's name, and their elements to *parameters (may be NULL).  *text is
 * malloc'ed. */
int laser_factored_header(const struct laser_factored *w, int shard, json_t *weight_map, int64_t *parameters,
                          char **text, int64_t *header_bytes, int64_t *data_bytes, struct laser_error *err);

int laser_factored_put_shard(const struct laser_factored *w, const struct laser_writer_file *f,
                             struct laser_output *out, struct laser_error *err);
int laser_factored_put_dense_shard(const struct laser_factored *w, const struct laser_writer_file *f,
                                   struct laser_output *out, struct laser_error *err);

#endif
