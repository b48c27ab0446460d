/* Who is who: rank 0 coordinates, the others work in groups.
 *
 * With one rank, that rank is coordinator and only worker at once.
 */
#ifndef LASER_MPI_COMM_TEAM_H
#define LASER_MPI_COMM_TEAM_H

#include <mpi.h>
#include <stdbool.h>

#include "base/error.h"

struct laser_mpi_team {
    MPI_Comm world;      /* not owned */
    int rank;            /* in world */
    int size;            /* of world */
    int n_workers;       /* size - 1, or 1 when size is 1 */
    int group_size;      /* ranks of each group */
    int n_groups;        /* n_workers / group_size: what is left over stays idle */
    int group;           /* this rank's group, -1 for a coordinator that does not work and for idle ranks */
    int group_rank;      /* rank in group_comm; 0 leads */
    MPI_Comm group_comm; /* owned; MPI_COMM_NULL where group is -1 */
};

/* Rank in world that leads a group. */
int laser_mpi_team_leader(const struct laser_mpi_team *team, int group);

/* Collective over world.  Splits the workers into groups of group_size consecutive ranks (cut to the number
 * of workers).  LASER_EUSAGE if group_size < 1. */
int laser_mpi_team_create(MPI_Comm world, int group_size, struct laser_mpi_team *team,
                          struct laser_error *err);

/* Collective over world. */
void laser_mpi_team_free(struct laser_mpi_team *team);

#endif
