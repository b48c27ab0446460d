/* What lies beside the weights that are read, and could be taken for the model. */
#ifndef LASER_CHECKPOINT_BESIDE_H
#define LASER_CHECKPOINT_BESIDE_H

#include "checkpoint/checkpoint.h"

/* Does this file of the model directory (path relative to it) hold weights that are none of the catalogue's:
 * those of another format, of a second set, of an adapter, or of an earlier step of the training?  In a
 * reduced model they would be the weights of the model as it was.  Weights in folders of other names are
 * further parts of a model (sentence-transformers), and not meant. */
bool laser_beside_is_weights(const struct laser_checkpoint *c, const char *name);

/* An adapter lies beside the weights of a model, and transformers would attach it (adapter_config.json).  Not
 * where the file of weights itself was named. */
bool laser_beside_has_adapter(const struct laser_checkpoint *c);

/* One file of weights is read, and an index of shards lies beside it. */
bool laser_beside_has_index(const struct laser_checkpoint *c);

/* LASER_EINPUT where the catalogue alone is not what transformers would run: laser_beside_has_adapter. */
int laser_beside_check(const struct laser_checkpoint *c, struct laser_error *err);

#endif
