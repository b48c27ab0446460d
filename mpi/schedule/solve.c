#include "schedule/solve.h"

#include "base/clock.h"
#include "plan/scan_plan.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "checkpoint/adapter.h"
#include "comm/agree.h"
#include "layout/gridshape.h"
#include "linalg/accuracy.h"
#include "linalg/gram.h"
#include "linalg/product.h"
#include "linalg/reference.h"
#include "svd/values.h"

static int64_t file_bytes(const struct laser_matrix_source *s)
{
    return (int64_t)((double)s->matrix->rows * (double)s->matrix->cols *
                     laser_matrix_source_element_bytes(s->model, s->change, s->matrix));
}

/* ---- one rank ---- */

/* Where the slabs of a matrix go: one of the two accumulators. */
typedef int take_slab(void *accumulator, double *slab, int64_t count, struct laser_error *err);

static int take_gram(void *accumulator, double *slab, int64_t count, struct laser_error *err)
{
    return laser_gram_add(accumulator, slab, count, err);
}

static int take_reference(void *accumulator, double *slab, int64_t count, struct laser_error *err)
{
    return laser_reference_add(accumulator, slab, count, err);
}

/* Reads the matrix once, slab by slab along its long side, so that memory does not grow with that side. */
static int read_slabs(const struct laser_run *run, const struct laser_matrix *m, take_slab *take,
                      void *accumulator, struct laser_outcome *outcome, struct laser_error *err)
{
    bool by_rows = m->rows >= m->cols;
    int64_t longest = by_rows ? m->rows : m->cols, other = by_rows ? m->cols : m->rows;
    int64_t slab = laser_gram_slab(m->rows, m->cols, LASER_SOLVE_SLAB_BYTES);
    struct laser_matrix_source source;
    double *values, start;
    int code = laser_run_source(run, m, &source, err);

    if (code != LASER_OK)
        return code;
    if (slab > longest)
        slab = longest;
    values = malloc((size_t)slab * (size_t)other * sizeof *values);
    if (values == NULL)
        return laser_error_set(err, LASER_ENOMEM, m->name, "no memory for a slab of it");
    for (int64_t at = 0; code == LASER_OK && at < longest; at += slab) {
        int64_t n = longest - at < slab ? longest - at : slab;
        start = laser_clock_s();
        code = laser_matrix_source_read(&source, by_rows ? at : 0, by_rows ? n : m->rows, by_rows ? 0 : at,
                                        by_rows ? m->cols : n, values, by_rows ? m->cols : n, err);
        outcome->read_s += laser_clock_s() - start;
        start = laser_clock_s();
        if (code == LASER_OK)
            code = take(accumulator, values, n, err);
        outcome->solve_s += laser_clock_s() - start;
    }
    outcome->bytes_read += file_bytes(&source);
    free(values);
    return code;
}

static int solve_gram(const struct laser_run *run, const struct laser_matrix *m, double *sigma,
                      struct laser_outcome *outcome, struct laser_error *err)
{
    struct laser_gram gram;
    double start;
    int code = laser_gram_init(&gram, m->rows, m->cols, err);

    if (code != LASER_OK)
        return code;
    outcome->solver = LASER_SOLVER_GRAM;
    code = read_slabs(run, m, take_gram, &gram, outcome, err);
    start = laser_clock_s();
    if (code == LASER_OK)
        code = laser_gram_values(&gram, LASER_STAGES_AUTO, sigma, err);
    outcome->solve_s += laser_clock_s() - start;
    laser_gram_free(&gram);
    return code;
}

static int solve_reference(const struct laser_run *run, const struct laser_matrix *m, double *sigma,
                           struct laser_outcome *outcome, struct laser_error *err)
{
    struct laser_reference reference;
    double start;
    int code = laser_reference_init(&reference, m->rows, m->cols, err);

    if (code != LASER_OK)
        return code;
    outcome->solver = LASER_SOLVER_GESVD;
    code = read_slabs(run, m, take_reference, &reference, outcome, err);
    start = laser_clock_s();
    if (code == LASER_OK)
        code = laser_reference_values(&reference, sigma, err);
    outcome->solve_s += laser_clock_s() - start;
    laser_reference_free(&reference);
    return code;
}

/* The product of two thin factors (an adapter): *done says whether it is one. */
static int solve_factors(const struct laser_run *run, const struct laser_matrix *m, double *sigma, bool *done,
                         struct laser_outcome *outcome, struct laser_error *err)
{
    double *left = NULL, *right = NULL, start = laser_clock_s();
    int64_t rank = 0;
    int code = laser_matrix_factors(run->checkpoint, m, &rank, &left, &right, err);

    outcome->read_s += laser_clock_s() - start;
    *done = rank > 0 && rank <= m->rows && rank <= m->cols;
    start = laser_clock_s();
    if (code == LASER_OK && *done) {
        outcome->solver = LASER_SOLVER_GESVD;
        outcome->bytes_read += rank * (m->rows + m->cols) * (int64_t)sizeof(float);
        code = laser_product_values(left, right, m->rows, rank, m->cols, sigma, err);
        outcome->solve_s += laser_clock_s() - start;
    }
    free(left);
    free(right);
    return code;
}

/* ---- a group ---- */

struct grid_task {
    struct laser_matrix_source source;
    const struct laser_matrix *matrix;
    const struct laser_rule *rule;
    double read_s;
};

static int read_rows(void *context, int64_t row0, int64_t nrows, double *dst, struct laser_error *err)
{
    struct grid_task *t = context;
    double start = laser_clock_s();
    int code =
        laser_matrix_source_read(&t->source, row0, nrows, 0, t->matrix->cols, dst, t->matrix->cols, err);

    t->read_s += laser_clock_s() - start;
    return code;
}

static int enough(void *context, const double *sigma, int64_t count)
{
    const struct grid_task *t = context;

    (void)count;
    return laser_gram_is_enough(sigma, t->matrix->rows, t->matrix->cols, t->rule, LASER_SCORE_TOLERANCE, NULL,
                                0);
}

static int solve_grid(struct grid_task *t, MPI_Comm comm, enum laser_mpi_solver solver, double *sigma,
                      struct laser_outcome *outcome, struct laser_error *err)
{
    const struct laser_matrix *m = t->matrix;
    struct laser_grid_shape shape;
    struct laser_mpi_grid grid = {0};
    struct laser_mpi_matrix a = {0};
    enum laser_mpi_solver used = solver;
    double start = laser_clock_s();
    int ranks, code;

    MPI_Comm_size(comm, &ranks);
    shape = laser_layout_gridshape(m->cols, m->rows, ranks);
    code = laser_mpi_grid_create(comm, shape.nprow, shape.npcol, &grid, err);
    if (code != LASER_OK)
        return code;
    code = laser_mpi_matrix_create(&grid, m->name, m->cols, m->rows, shape.nb, &a, err);
    if (code == LASER_OK)
        code = laser_mpi_matrix_load(&a, read_rows, t, err);
    outcome->bytes_read += file_bytes(&t->source);
    outcome->read_s += t->read_s;
    if (code == LASER_OK)
        code = laser_mpi_svd_values(&a, solver, enough, t, sigma, &used, err);
    outcome->solver = used == LASER_MPI_SOLVER_GESVD ? LASER_SOLVER_GESVD : LASER_SOLVER_GRAM;
    outcome->solve_s += laser_clock_s() - start - t->read_s;
    laser_mpi_matrix_free(&a);
    laser_mpi_grid_free(&grid);
    return code;
}

/* The reference route leaves some eps * sigma[0] where a matrix has no rank left: a rule would take that
 * rounding for a spectrum, and find another one on every grid.  What cannot be told from zero becomes zero.
 */
static void clear_rounding(double *sigma, int64_t n)
{
    double floor_value = 4 * sqrt((double)n) * DBL_EPSILON * sigma[0];

    for (int64_t i = n - 1; i >= 0 && sigma[i] < floor_value; --i)
        sigma[i] = 0;
}

static int solve(const struct laser_run *run, const struct laser_mpi_team *team, const struct laser_matrix *m,
                 const struct laser_rule *rule, double *sigma, struct laser_outcome *outcome,
                 struct laser_error *err)
{
    struct grid_task task = {.matrix = m, .rule = rule};
    bool gesvd = run->settings->scan.solver == LASER_DECK_SOLVER_GESVD;
    bool gram = run->settings->scan.solver == LASER_DECK_SOLVER_GRAM;
    enum laser_mpi_solver solver = gesvd  ? LASER_MPI_SOLVER_GESVD
                                   : gram ? LASER_MPI_SOLVER_GRAM
                                          : LASER_MPI_SOLVER_AUTO;
    bool done = false;
    int code;

    code = laser_run_source(run, m, &task.source, err);
    if (code != LASER_OK)
        return code;
    if (team->group_size > 1)
        return solve_grid(&task, team->group_comm, solver, sigma, outcome, err);
    if (run->change == NULL)
        code = solve_factors(run, m, sigma, &done, outcome, err);
    if (code != LASER_OK || done)
        return code;
    if (gesvd)
        return solve_reference(run, m, sigma, outcome, err);
    code = solve_gram(run, m, sigma, outcome, err);
    if (code != LASER_OK || gram ||
        laser_gram_is_enough(sigma, m->rows, m->cols, rule, LASER_SCORE_TOLERANCE, NULL, 0))
        return code;
    return solve_reference(run, m, sigma, outcome, err);
}

int laser_mpi_solve_values(const struct laser_run *run, const struct laser_mpi_team *team,
                           const struct laser_matrix *m, const struct laser_rule *rule, double *sigma,
                           struct laser_outcome *outcome, struct laser_error *err)
{
    int code = solve(run, team, m, rule, sigma, outcome, err);

    if (code == LASER_OK && outcome->solver == LASER_SOLVER_GESVD)
        clear_rounding(sigma, m->rows < m->cols ? m->rows : m->cols);
    return code;
}
