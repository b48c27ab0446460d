/* A BLACS process grid on the ranks of one communicator. */
#ifndef LASER_MPI_GRID_GRID_H
#define LASER_MPI_GRID_GRID_H

#include <mpi.h>

#include "base/error.h"

struct laser_mpi_grid {
    MPI_Comm comm;   /* the group: borrowed, must outlive the grid */
    MPI_Comm active; /* the ranks that hold a part, owned; MPI_COMM_NULL on a rank that idles, or if all of
                        comm do */
    int rank, size;  /* in comm */
    int context;     /* BLACS context; -1 on a rank that idles */
    int nprow, npcol;
    int myrow, mycol; /* -1 on a rank that idles */
};

/* Collective over comm.  The first nprow * npcol ranks of comm form the grid, row by row; the others idle,
 * but take part in everything that is collective over the grid.  Topologies are set to repeatable ones, so
 * that a computation gives the same bits each time on the same grid. Agreed errors: LASER_EUSAGE (a shape
 * that comm cannot hold), LASER_EINTERNAL. */
int laser_mpi_grid_create(MPI_Comm comm, int nprow, int npcol, struct laser_mpi_grid *grid,
                          struct laser_error *err);

/* Collective over grid->comm.  A zeroed grid is fine. */
void laser_mpi_grid_free(struct laser_mpi_grid *grid);

/* Does this rank hold a part of the grid? */
static inline int laser_mpi_grid_active(const struct laser_mpi_grid *grid)
{
    return grid->context >= 0;
}

/* Process row and column of a rank of comm; -1 for one that idles. */
static inline int laser_mpi_grid_row_of(const struct laser_mpi_grid *grid, int rank)
{
    return rank < grid->nprow * grid->npcol ? rank / grid->npcol : -1;
}

static inline int laser_mpi_grid_col_of(const struct laser_mpi_grid *grid, int rank)
{
    return rank < grid->nprow * grid->npcol ? rank % grid->npcol : -1;
}

#endif
