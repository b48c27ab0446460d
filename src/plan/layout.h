/* How the workers form copies of a model: replicas x shards, from memory and speed. */
#ifndef LASER_PLAN_LAYOUT_H
#define LASER_PLAN_LAYOUT_H

#include "arch/arch.h"
#include "kernels/storage.h"
#include "run/run.h"

/* The work that a layout is for. */
struct laser_layout_work {
    int64_t n_batches;    /* 0: unknown, as many as there are workers */
    int64_t batch_tokens; /* of a full batch */
    int64_t length;       /* of a window */
    int64_t tokens;       /* of all windows */
    double forward_flops; /* a second and rank, measured (plan/calibrate.h): seconds are for these; 0: a Zen 4
                             core */
};

struct laser_layout {
    int shards, replicas;
    double weights_bytes; /* of one rank's shard */
    double memory_bytes;  /* of one rank, its part of the weights that ranks of a node share included */
    double saved_bytes; /* of one rank, on top: the hidden states that a reduction keeps of all its batches */
    double batch_s;     /* of a full batch */
    double seconds;     /* of the work */
    double tokens_per_second;
    double flops_per_token; /* of the whole model */
};

/* Rank 0.  One line about keys of config.json that are ignored, and one about a quantization_config that is
 * left over; nothing where there are none. */
void laser_say_config(struct laser_log *log, const struct laser_arch *arch);

/* Rank 0, of a command that does not run the model: one line with the reason where it could not be run. */
void laser_say_not_run(const struct laser_run *run);

/* Local, the same on every rank; rank 0 says what of config.json is ignored.  parallel.shards where set.
 * Otherwise perplexity takes the fastest layout that fits: few batches on many workers go to shards; a search
 * takes the fewest shards that fit, because its candidates fill the groups, and its decisions are to have the
 * same bits on every number of ranks. LASER_ENOMEM: nothing fits; says how many ranks would do. LASER_EINPUT:
 * config.json. */
int laser_layout_choose(const struct laser_run *run, const struct laser_layout_work *work,
                        struct laser_layout *layout, struct laser_error *err);

/* The type that most of the weights have. */
enum laser_storage laser_stored_type(const struct laser_checkpoint *checkpoint);

/* Local.  One layout's figures: no more than run->size, node_workers and base_bytes are looked at of the run,
 * and the model.  LASER_EINPUT: config.json. */
int laser_layout_of(const struct laser_run *run, const struct laser_layout_work *work, int shards,
                    struct laser_layout *layout, struct laser_error *err);

/* What laser_layout_choose goes by, operations a second and rank, whatever the machine: copies and shards
 * are to be the same in every start. */
double laser_layout_assumed_flops(const struct laser_run *run);

#endif
