#include "grid/grid.h"

#include <string.h>

#include "comm/agree.h"
#include "grid/blacs.h"

/* BLACS' number for "repeatable combines" (SGET_TOPSREPEAT). */
#define BLACS_TOPSREPEAT 15

/* On the ranks of the grid only. */
static int blacs_init(struct laser_mpi_grid *grid, struct laser_error *err)
{
    int handle = Csys2blacs_handle(grid->active != MPI_COMM_NULL ? grid->active : grid->comm), one = 1, p, q;

    grid->context = handle;
    Cblacs_gridinit(&grid->context, "Row", grid->nprow, grid->npcol);
    Cfree_blacs_system_handle(handle);
    Cblacs_gridinfo(grid->context, &p, &q, &grid->myrow, &grid->mycol);
    if (p != grid->nprow || q != grid->npcol || grid->myrow != laser_mpi_grid_row_of(grid, grid->rank) ||
        grid->mycol != laser_mpi_grid_col_of(grid, grid->rank))
        return laser_error_set(err, LASER_EINTERNAL, NULL, "BLACS made a %d x %d grid instead of %d x %d", p,
                               q, grid->nprow, grid->npcol);
    Cblacs_set(grid->context, BLACS_TOPSREPEAT, &one);
    return LASER_OK;
}

int laser_mpi_grid_create(MPI_Comm comm, int nprow, int npcol, struct laser_mpi_grid *grid,
                          struct laser_error *err)
{
    int code = LASER_OK;

    memset(grid, 0, sizeof *grid);
    grid->comm = comm;
    grid->active = MPI_COMM_NULL;
    grid->context = grid->myrow = grid->mycol = -1;
    grid->nprow = nprow;
    grid->npcol = npcol;
    MPI_Comm_rank(comm, &grid->rank);
    MPI_Comm_size(comm, &grid->size);
    if (nprow < 1 || npcol < 1 || nprow > grid->size / npcol)
        code = laser_error_set(err, LASER_EUSAGE, NULL, "a %d x %d process grid does not fit on %d ranks",
                               nprow, npcol, grid->size);
    code = laser_mpi_agree(comm, code, err);
    if (code != LASER_OK)
        return code;

    /* A rank that idles must not even ask BLACS: Cblacs_gridmap leaks memory there. */
    if (nprow * npcol < grid->size)
        MPI_Comm_split(comm, grid->rank < nprow * npcol ? 0 : MPI_UNDEFINED, grid->rank, &grid->active);
    if (grid->rank < nprow * npcol)
        code = blacs_init(grid, err);
    code = laser_mpi_agree(comm, code, err);
    if (code != LASER_OK)
        laser_mpi_grid_free(grid);
    return code;
}

void laser_mpi_grid_free(struct laser_mpi_grid *grid)
{
    if (grid->size > 0 && grid->context >= 0)
        Cblacs_gridexit(grid->context);
    if (grid->size > 0 && grid->active != MPI_COMM_NULL)
        MPI_Comm_free(&grid->active);
    memset(grid, 0, sizeof *grid);
    grid->active = MPI_COMM_NULL;
    grid->context = grid->myrow = grid->mycol = -1;
}
