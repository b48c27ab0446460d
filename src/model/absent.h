/* A model whose weights are not here: the catalogue of its tensors from config.json, for plans. */
#ifndef LASER_MODEL_ABSENT_H
#define LASER_MODEL_ABSENT_H

#include <stdbool.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"

/* A directory with config.json and without any weights? */
bool laser_model_is_absent(const char *dir);

/* The tensors that config.json describes; nothing can be read from them.  Where there is a shard index
 * (model.safetensors.index.json), its names and its total size must be theirs.  Quantised weights are
 * listed as they are once widened; the index names their parts, and its size is not compared.
 * LASER_EINPUT: a family that is not known, an index that says something else (what); LASER_EIO,
 * LASER_ENOMEM. */
int laser_model_absent(const char *dir, struct laser_checkpoint **out, struct laser_error *err);

#endif
