#include "grid/grid.h"

#include <string.h>

#include "comm/agree.h"
#include "grid/blacs.h"

/* BLACS' number for "repeatable combines" (SGET_TOPSREPEAT). */
#define BLACS_TOPSREPEAT 15

int laser_mpi_grid_create(MPI_Comm comm, int nprow, int npcol, struct laser_mpi_grid *grid,
                          struct laser_error *err)
{
    int code = LASER_OK, handle, one = 1, p, q;

    memset(grid, 0, sizeof *grid);
    grid->comm = comm;
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

    handle = Csys2blacs_handle(comm);
    grid->context = handle;
    Cblacs_gridinit(&grid->context, "Row", nprow, npcol);
    Cfree_blacs_system_handle(handle);
    if (grid->rank < nprow * npcol) {
        Cblacs_gridinfo(grid->context, &p, &q, &grid->myrow, &grid->mycol);
        if (p != nprow || q != npcol || grid->myrow != laser_mpi_grid_row_of(grid, grid->rank) ||
            grid->mycol != laser_mpi_grid_col_of(grid, grid->rank))
            code = laser_error_set(err, LASER_EINTERNAL, NULL, "BLACS made a %d x %d grid instead of %d x %d",
                                   p, q, nprow, npcol);
        else
            Cblacs_set(grid->context, BLACS_TOPSREPEAT, &one);
    } else {
        grid->context = -1;
    }
    code = laser_mpi_agree(comm, code, err);
    if (code != LASER_OK)
        laser_mpi_grid_free(grid);
    return code;
}

void laser_mpi_grid_free(struct laser_mpi_grid *grid)
{
    if (grid->size > 0 && grid->context >= 0)
        Cblacs_gridexit(grid->context);
    memset(grid, 0, sizeof *grid);
    grid->context = grid->myrow = grid->mycol = -1;
}
