/* Rank 0: what is to be known of a model that was opened, one line each, nothing where there is nothing. */
#ifndef LASER_RUN_NOTES_H
#define LASER_RUN_NOTES_H

#include "checkpoint/writer.h"
#include "run/run.h"

/* Which of two models in one directory is worked on. */
void laser_say_beside(const struct laser_run *run);

/* Fused matrices that were to be split and are not. */
void laser_say_whole(const struct laser_run *run);

/* Weights of the model directory that a written model does not have. */
void laser_say_left_out(const struct laser_run *run, const struct laser_writer *writer);

/* Rank 0, once the model is open: its size, and the memory that a rank may use. */
void laser_say_model(const struct laser_run *run);

/* Rank 0; silent elsewhere.  Warns of groups (parallel.group_size, parallel.shards) that are larger than the
 * allocation: as many ranks as work are used then. */
void laser_say_groups(const struct laser_run *run);

#endif
