/* Slabs of stored rows to and from block-cyclic columns. */
#include <math.h>
#include <stdlib.h>

#include "comm/agree.h"
#include "grid/matrix.h"
#include "layout/blockcyclic.h"

/* One load or store: its buffers and who sends what in the current round. */
struct transfer {
    const struct laser_mpi_matrix *a;
    int64_t slab_rows; /* at most, on a rank in a round */
    int64_t rounds;
    int64_t row0, nrows;              /* this rank's slab in this round */
    double *slab;                     /* slab_rows x m, as stored */
    double *packed;                   /* the same elements, sorted by the rank that owns them */
    int *slab_counts, *slab_displs;   /* elements of my slab per owner */
    int *block_counts, *block_displs; /* elements of my local block per reader */
};

static void transfer_free(struct transfer *t)
{
    free(t->slab);
    free(t->packed);
    free(t->slab_counts);
}

static int transfer_init(struct transfer *t, const struct laser_mpi_matrix *a, struct laser_error *err)
{
    int64_t longest = (a->n + a->grid->size - 1) / a->grid->size;
    size_t size = (size_t)a->grid->size, bytes;
    int code = LASER_OK;

    *t = (struct transfer){.a = a};
    t->slab_rows = LASER_MPI_SLAB_BYTES / (a->m * (int64_t)sizeof *t->slab);
    if (t->slab_rows < 1)
        t->slab_rows = 1;
    if (t->slab_rows > longest)
        t->slab_rows = longest;
    t->rounds = (longest + t->slab_rows - 1) / t->slab_rows;
    bytes = (size_t)t->slab_rows * (size_t)a->m * sizeof *t->slab;
    t->slab = malloc(bytes);
    t->packed = malloc(bytes);
    t->slab_counts = malloc(4 * size * sizeof *t->slab_counts);
    if (t->slab == NULL || t->packed == NULL || t->slab_counts == NULL) {
        code = laser_error_set(err, LASER_ENOMEM, a->name, "no memory for two slabs of %zu bytes", bytes);
    } else {
        t->slab_displs = t->slab_counts + size;
        t->block_counts = t->slab_counts + 2 * size;
        t->block_displs = t->slab_counts + 3 * size;
    }
    code = laser_mpi_agree(a->grid->comm, code, err);
    if (code != LASER_OK)
        transfer_free(t);
    return code;
}

/* The stored rows that a rank of the group treats in a round. */
static void slab_of(const struct transfer *t, int rank, int64_t round, int64_t *row0, int64_t *nrows)
{
    int64_t first, count, done = round * t->slab_rows;

    laser_layout_part(t->a->n, rank, t->a->grid->size, &first, &count);
    *row0 = first + done;
    *nrows = count - done;
    if (*nrows > t->slab_rows)
        *nrows = t->slab_rows;
    if (*nrows < 0)
        *nrows = 0;
}

/* How many of the stored rows row0 .. row0+nrows-1 process column `col` owns, and from which local column on.
 */
static int64_t columns_in(const struct transfer *t, int col, int64_t row0, int64_t nrows, int64_t *local0)
{
    int npcol = t->a->grid->npcol, nb = t->a->nb;

    *local0 = laser_layout_numroc(row0, nb, col, npcol);
    return laser_layout_numroc(row0 + nrows, nb, col, npcol) - *local0;
}

static void plan_round(struct transfer *t, int64_t round)
{
    const struct laser_mpi_matrix *a = t->a;
    const struct laser_mpi_grid *grid = a->grid;
    int64_t row0, nrows, local0, at = 0;
    int r;

    slab_of(t, grid->rank, round, &t->row0, &t->nrows);
    for (r = 0; r < grid->size; r++) {
        int row = laser_mpi_grid_row_of(grid, r), col = laser_mpi_grid_col_of(grid, r);

        t->slab_counts[r] = t->block_counts[r] = t->block_displs[r] = 0;
        t->slab_displs[r] = (int)at;
        if (row >= 0)
            t->slab_counts[r] = (int)(laser_layout_numroc(a->m, a->nb, row, grid->nprow) *
                                      columns_in(t, col, t->row0, t->nrows, &local0));
        at += t->slab_counts[r];
        if (a->a != NULL) {
            slab_of(t, r, round, &row0, &nrows);
            t->block_counts[r] = (int)(a->mloc * columns_in(t, grid->mycol, row0, nrows, &local0));
            t->block_displs[r] = (int)(a->mloc * local0);
            if (t->block_counts[r] == 0)
                t->block_displs[r] = 0;
        }
    }
}

/* Copies between the slab and the part of the packed buffer that belongs to one rank of the grid. */
static void repack(const struct transfer *t, int rank, int pack)
{
    const struct laser_mpi_matrix *a = t->a;
    const struct laser_mpi_grid *grid = a->grid;
    int row = laser_mpi_grid_row_of(grid, rank), col = laser_mpi_grid_col_of(grid, rank), nb = a->nb;
    double *packed = t->packed + t->slab_displs[rank];
    int64_t local0, k, columns, i, b;

    if (row < 0)
        return;
    columns = columns_in(t, col, t->row0, t->nrows, &local0);
    for (k = local0; k < local0 + columns; k++) {
        double *column = t->slab + (laser_layout_global(k, nb, col, grid->npcol) - t->row0) * a->m;

        for (b = (int64_t)row * nb; b < a->m; b += (int64_t)nb * grid->nprow) {
            int64_t end = b + nb < a->m ? b + nb : a->m;

            if (pack)
                for (i = b; i < end; i++)
                    *packed++ = column[i];
            else
                for (i = b; i < end; i++)
                    column[i] = *packed++;
        }
    }
}

static int check_finite(const struct transfer *t, struct laser_error *err)
{
    int64_t i, count = t->nrows * t->a->m;
    double sum = 0;

    for (i = 0; i < count; i++)
        sum += t->slab[i] * 0.0;
    if (sum == 0)
        return LASER_OK;
    for (i = 0; i < count - 1 && isfinite(t->slab[i]); i++)
        ;
    return laser_error_set(
        err, LASER_ENUMERIC, t->a->name, "the element in row %lld, column %lld (from 0) is %s",
        (long long)(t->row0 + i / t->a->m), (long long)(i % t->a->m), isnan(t->slab[i]) ? "NaN" : "infinite");
}

int laser_mpi_matrix_load(struct laser_mpi_matrix *a, laser_mpi_read_rows *read, void *context,
                          struct laser_error *err)
{
    MPI_Comm comm = a->grid->comm;
    struct transfer t;
    int64_t round;
    int r, code = transfer_init(&t, a, err);

    if (code != LASER_OK)
        return code;
    for (round = 0; round < t.rounds; round++) {
        plan_round(&t, round);
        code = t.nrows > 0 ? read(context, t.row0, t.nrows, t.slab, err) : LASER_OK;
        if (code == LASER_OK)
            code = check_finite(&t, err);
        code = laser_mpi_agree(comm, code, err);
        if (code != LASER_OK)
            break;
        for (r = 0; r < a->grid->size; r++)
            repack(&t, r, 1);
        MPI_Alltoallv(t.packed, t.slab_counts, t.slab_displs, MPI_DOUBLE, a->a, t.block_counts,
                      t.block_displs, MPI_DOUBLE, comm);
    }
    transfer_free(&t);
    return code;
}

int laser_mpi_matrix_store(const struct laser_mpi_matrix *a, laser_mpi_write_rows *write, void *context,
                           struct laser_error *err)
{
    MPI_Comm comm = a->grid->comm;
    struct transfer t;
    int64_t round;
    int r, code = transfer_init(&t, a, err);

    if (code != LASER_OK)
        return code;
    for (round = 0; round < t.rounds; round++) {
        plan_round(&t, round);
        MPI_Alltoallv(a->a, t.block_counts, t.block_displs, MPI_DOUBLE, t.packed, t.slab_counts,
                      t.slab_displs, MPI_DOUBLE, comm);
        for (r = 0; r < a->grid->size; r++)
            repack(&t, r, 0);
        code = t.nrows > 0 ? write(context, t.row0, t.nrows, t.slab, err) : LASER_OK;
        code = laser_mpi_agree(comm, code, err);
        if (code != LASER_OK)
            break;
    }
    transfer_free(&t);
    return code;
}
