#include "comm/team.h"

int laser_mpi_team_leader(const struct laser_mpi_team *team, int group)
{
    return team->size == 1 ? 0 : 1 + group * team->group_size;
}

int laser_mpi_team_create(MPI_Comm world, int group_size, struct laser_mpi_team *team,
                          struct laser_error *err)
{
    int worker;

    if (group_size < 1)
        return laser_error_set(err, LASER_EUSAGE, "parallel.group_size", "found %d, expected at least 1",
                               group_size);
    team->world = world;
    MPI_Comm_rank(world, &team->rank);
    MPI_Comm_size(world, &team->size);
    team->n_workers = team->size > 1 ? team->size - 1 : 1;
    team->group_size = group_size < team->n_workers ? group_size : team->n_workers;
    team->n_groups = team->n_workers / team->group_size;
    worker = team->size > 1 ? team->rank - 1 : 0;
    team->group = worker < 0 || worker / team->group_size >= team->n_groups ? -1 : worker / team->group_size;
    MPI_Comm_split(world, team->group < 0 ? MPI_UNDEFINED : team->group, team->rank, &team->group_comm);
    team->group_rank = -1;
    if (team->group_comm != MPI_COMM_NULL)
        MPI_Comm_rank(team->group_comm, &team->group_rank);
    return LASER_OK;
}

void laser_mpi_team_free(struct laser_mpi_team *team)
{
    if (team->group_comm != MPI_COMM_NULL)
        MPI_Comm_free(&team->group_comm);
}
