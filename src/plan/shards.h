/* Into how many shards a model is divided. */
#ifndef LASER_PLAN_SHARDS_H
#define LASER_PLAN_SHARDS_H

#include "run/run.h"

/* Bytes of a rank and seconds of the work, with the model in this many shards. */
typedef int laser_shards_measure(void *context, int shards, double *bytes, double *seconds,
                                 struct laser_error *err);

/* Local, the same on every rank.  parallel.shards where set, at most `most`.  Otherwise the fewest that a rank's memory holds, or
 * the fastest (by_speed), where more of them must be worth 5 %.  *shards is 0 where none fits: the context has measured the most last. */
int laser_shards_choose(const struct laser_run *run, int most, bool by_speed, laser_shards_measure *measure,
                        void *context, int *shards, struct laser_error *err);

/* Seconds of `sums` sums over shards, of so many bytes each; 0 for one shard. */
double laser_shards_sum_s(int shards, int sums, double bytes);

/* Bytes of all tensors of a checkpoint, and about how long so many ranks write them. */
int64_t laser_checkpoint_bytes(const struct laser_checkpoint *checkpoint);
double laser_checkpoint_write_s(const struct laser_checkpoint *checkpoint, int ranks);

#endif
