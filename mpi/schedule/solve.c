#include "schedule/solve.h"

#include <stdlib.h>

#include "comm/agree.h"
#include "layout/gridshape.h"
#include "linalg/gram.h"
#include "svd/values.h"

#define SLAB_BYTES (32 << 20)

struct reading {
    const struct laser_mpi_run *run;
    const struct laser_matrix *matrix;
    double seconds;
};

static int read_rows(void *context, int64_t row0, int64_t nrows, double *dst, struct laser_error *err)
{
    struct reading *r = context;
    double start = MPI_Wtime();
    int code = laser_matrix_read(r->run->checkpoint, r->matrix, row0, nrows, 0, r->matrix->cols, dst,
                                 r->matrix->cols, err);

    r->seconds += MPI_Wtime() - start;
    return code;
}

static int64_t stored_bytes(const struct laser_matrix *m)
{
    return m->rows * m->cols * (int64_t)laser_dtype_size(m->dtype);
}

/* One rank: the Gram matrix slab by slab, so that memory does not grow with the long side. */
static int solve_gram(const struct laser_mpi_run *run, const struct laser_matrix *m, double *sigma,
                      struct laser_outcome *outcome, struct laser_error *err)
{
    bool by_rows = m->rows >= m->cols;
    int64_t slab = laser_gram_slab(m->rows, m->cols, SLAB_BYTES), longest = by_rows ? m->rows : m->cols;
    int64_t other = by_rows ? m->cols : m->rows;
    double *values = NULL, start;
    struct laser_gram gram;
    int code = laser_gram_init(&gram, m->rows, m->cols, err);

    if (code != LASER_OK)
        return code;
    values = malloc((size_t)(slab < longest ? slab : longest) * (size_t)other * sizeof *values);
    if (values == NULL)
        code = laser_error_set(err, LASER_ENOMEM, m->name, "no memory for a slab of it");
    for (int64_t at = 0; code == LASER_OK && at < longest; at += slab) {
        int64_t n = longest - at < slab ? longest - at : slab;
        start = MPI_Wtime();
        code = laser_matrix_read(run->checkpoint, m, by_rows ? at : 0, by_rows ? n : m->rows,
                                 by_rows ? 0 : at, by_rows ? m->cols : n, values, by_rows ? m->cols : n, err);
        outcome->read_s += MPI_Wtime() - start;
        start = MPI_Wtime();
        if (code == LASER_OK)
            code = laser_gram_add(&gram, values, n, err);
        outcome->solve_s += MPI_Wtime() - start;
    }
    outcome->bytes_read += stored_bytes(m);
    free(values);
    start = MPI_Wtime();
    if (code == LASER_OK)
        code = laser_gram_values(&gram, LASER_STAGES_AUTO, sigma, err);
    outcome->solve_s += MPI_Wtime() - start;
    laser_gram_free(&gram);
    return code;
}

/* A group, or one rank by pdgesvd. */
static int solve_grid(const struct laser_mpi_run *run, MPI_Comm comm, const struct laser_matrix *m,
                      enum laser_mpi_solver solver, double *sigma, struct laser_outcome *outcome,
                      struct laser_error *err)
{
    struct reading reading = {.run = run, .matrix = m};
    struct laser_grid_shape shape;
    struct laser_mpi_grid grid = {0};
    struct laser_mpi_matrix a = {0};
    enum laser_mpi_solver used = solver;
    double start = MPI_Wtime();
    int ranks, code;

    MPI_Comm_size(comm, &ranks);
    shape = laser_layout_gridshape(m->cols, m->rows, ranks);
    code = laser_mpi_grid_create(comm, shape.nprow, shape.npcol, &grid, err);
    if (code != LASER_OK)
        return code;
    code = laser_mpi_matrix_create(&grid, m->name, m->cols, m->rows, shape.nb, &a, err);
    if (code == LASER_OK)
        code = laser_mpi_matrix_load(&a, read_rows, &reading, err);
    outcome->bytes_read += stored_bytes(m);
    outcome->read_s += reading.seconds;
    if (code == LASER_OK)
        code = laser_mpi_svd_values(&a, solver, NULL, NULL, sigma, &used, err);
    outcome->solver = used == LASER_MPI_SOLVER_GESVD ? LASER_SOLVER_GESVD : LASER_SOLVER_GRAM;
    outcome->solve_s += MPI_Wtime() - start - reading.seconds;
    laser_mpi_matrix_free(&a);
    laser_mpi_grid_free(&grid);
    return code;
}

int laser_mpi_solve_values(const struct laser_mpi_run *run, const struct laser_mpi_team *team,
                           const struct laser_matrix *m, const struct laser_rule *rule, double *sigma,
                           struct laser_outcome *outcome, struct laser_error *err)
{
    bool gesvd = laser_deck_is(run->deck, "scan.solver", "gesvd");
    bool gram = laser_deck_is(run->deck, "scan.solver", "gram");
    int64_t n = m->rows < m->cols ? m->rows : m->cols;
    int code;

    (void)rule;
    if (team->group_size > 1)
        return solve_grid(run, team->group_comm, m,
                          gesvd  ? LASER_MPI_SOLVER_GESVD
                          : gram ? LASER_MPI_SOLVER_GRAM
                                 : LASER_MPI_SOLVER_AUTO,
                          sigma, outcome, err);
    outcome->solver = LASER_SOLVER_GRAM;
    code = gesvd ? LASER_OK : solve_gram(run, m, sigma, outcome, err);
    if (code != LASER_OK || gram || (!gesvd && sigma[n - 1] > 1e-7 * sigma[0]))
        return code;
    return solve_grid(run, team->group_comm, m, LASER_MPI_SOLVER_GESVD, sigma, outcome, err);
}
