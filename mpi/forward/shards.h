/* One copy of a model held by the ranks of a group: how the shards add up, and how ranks of one node that
 * hold the same shard of different copies share its memory.
 */
#ifndef LASER_MPI_FORWARD_SHARDS_H
#define LASER_MPI_FORWARD_SHARDS_H

#include <mpi.h>

#include "base/error.h"
#include "comm/team.h"
#include "model/model.h"

struct laser_mpi_shards {
    struct laser_model_group group; /* for the model; context points to this struct, which must not move */
    MPI_Comm comm;                  /* the group's: borrowed */
    MPI_Comm sharers;               /* ranks of this node with the same shard; owned */
    MPI_Win *windows;               /* shared memory handed out */
    int n_windows;
};

/* Collective over all ranks of team->world (idle ranks and the coordinator take part and get an empty
 * struct). */
void laser_mpi_shards_create(const struct laser_mpi_team *team, struct laser_mpi_shards *shards);

/* Collective over the sharers: frees the shared memory, after the model is gone. */
void laser_mpi_shards_free(struct laser_mpi_shards *shards);

#endif
