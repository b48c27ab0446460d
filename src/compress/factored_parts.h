/* Inside of the writer of factored checkpoints: what goes into one shard. */
#ifndef LASER_COMPRESS_FACTORED_PARTS_H
#define LASER_COMPRESS_FACTORED_PARTS_H

#include <jansson.h>

#include "checkpoint/io.h"
#include "checkpoint/matrix.h"
#include "compress/factored.h"

/* The file that transformers runs a factored checkpoint by: share/modeling_laser_factored.py. */
extern const unsigned char laser_factored_modeling[];
extern const size_t laser_factored_modeling_size;

/* The pair that stands for a tensor, or NULL. */
const struct laser_factor_pair *laser_factored_pair(const struct laser_factored *w,
                                                    const struct laser_tensor *t);

/* The matrix that a pair stands for: its part, or the whole tensor.  Names and types are not filled in. */
struct laser_matrix laser_factored_matrix(const struct laser_factor_pair *pair, const struct laser_tensor *t);

/* Of a matrix as the layer sees it: outputs and inputs. */
static inline int64_t laser_factored_rows(const struct laser_matrix *m)
{
    return m->transposed ? m->cols : m->rows;
}

static inline int64_t laser_factored_columns(const struct laser_matrix *m)
{
    return m->transposed ? m->rows : m->cols;
}

/* "model.layers.0.mlp.experts.gate_up_proj.3.gate": what a part of a tensor is called as a module. */
void laser_factored_part_module(const struct laser_tensor *t, const struct laser_matrix *m, char *name,
                                size_t size);

/* Notes that a pair is a part of a tensor.  LASER_EINPUT: given twice, or it alternates with other parts. */
int laser_factored_add_part(struct laser_factored *w, int pair, int64_t tensor, struct laser_error *err);
void laser_factored_free_parts(struct laser_factored *w);

/* config.json's truncation_parts with the parts of every tensor that has some. */
int laser_factored_describe_parts(const struct laser_factored *w, json_t *config);

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
