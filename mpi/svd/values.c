#include "svd/values.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "layout/blockcyclic.h"
#include "linalg/gram.h"
#include "linalg/sturm.h"
#include "svd/gram.h"
#include "svd/scalapack.h"

/* sigma was computed on rank 0 of the group: the same bits for all, largest first, scaled back. */
static void share(const struct laser_mpi_matrix *a, int exponent, double *sigma)
{
    int64_t i, side = laser_mpi_svd_side(a);

    if (exponent != 0)
        for (i = 0; i < side; i++)
            sigma[i] = ldexp(sigma[i], -exponent);
    MPI_Bcast(sigma, (int)side, MPI_DOUBLE, 0, a->grid->comm);
}

/* Local memory for the tridiagonal form: d, e, tau as ScaLAPACK spreads them, and the workspace. */
struct tridiagonal {
    double *d, *e, *tau; /* nloc + nb each */
    double *work;
    int lwork;
    double *whole, *sum; /* 2 n each: d and e of the whole matrix, mine and everyone's */
};

static void tridiagonal_free(struct tridiagonal *t)
{
    free(t->d);
    free(t->work);
    free(t->whole);
}

static int tridiagonal_init(struct tridiagonal *t, struct laser_mpi_matrix *gram, struct laser_error *err)
{
    size_t count = (size_t)gram->nloc + (size_t)gram->nb;
    int code = LASER_OK, info, one = 1, n = (int)gram->m;
    double answer = 0;

    memset(t, 0, sizeof *t);
    t->d = calloc(3 * count, sizeof *t->d);
    t->whole = calloc(4 * (size_t)n, sizeof *t->whole);
    if (t->d != NULL && t->whole != NULL) {
        t->e = t->d + count;
        t->tau = t->d + 2 * count;
        t->sum = t->whole + 2 * (size_t)n;
        if (laser_mpi_grid_active(gram->grid)) {
            int query = -1;

            pdsyntrd_("L", &n, gram->a, &one, &one, gram->desc, t->d, t->e, t->tau, &answer, &query, &info);
        }
        t->lwork = laser_mpi_svd_workspace(answer);
        t->work = t->lwork > 0 ? malloc((size_t)t->lwork * sizeof *t->work) : NULL;
    }
    if (t->work == NULL)
        code =
            laser_error_set(err, LASER_ENOMEM, gram->name,
                            "no memory for the tridiagonal form of order %d (workspace of %.0f)", n, answer);
    return code;
}

/* Everything of d and e to rank 0 of the group: sums with zeros, so exact. */
static void gather(const struct laser_mpi_matrix *gram, struct tridiagonal *t)
{
    const struct laser_mpi_grid *grid = gram->grid;
    int64_t n = gram->m;
    int j;

    if (grid->myrow == 0)
        for (j = 0; j < gram->nloc; j++) {
            int64_t column = laser_layout_global(j, gram->nb, grid->mycol, grid->npcol);

            t->whole[column] = t->d[j];
            if (column + 1 < n)
                t->whole[n + column] = t->e[j];
        }
    MPI_Reduce(t->whole, t->sum, (int)(2 * n), MPI_DOUBLE, MPI_SUM, 0, grid->comm);
}

/* Eigenvalues of the Gram matrix (destroyed) into sigma as their square roots, on rank 0 of the group. */
static int roots(struct laser_mpi_matrix *gram, double *sigma, struct laser_error *err)
{
    struct tridiagonal t;
    int n = (int)gram->m, one = 1, info = 0, code;

    code = laser_mpi_agree(gram->grid->comm, tridiagonal_init(&t, gram, err), err);
    if (code != LASER_OK) {
        tridiagonal_free(&t);
        return code;
    }
    if (laser_mpi_grid_active(gram->grid))
        pdsyntrd_("L", &n, gram->a, &one, &one, gram->desc, t.d, t.e, t.tau, t.work, &t.lwork, &info);
    if (info != 0)
        code = laser_error_set(err, LASER_EINTERNAL, gram->name, "pdsyntrd refused its argument %d", -info);
    gather(gram, &t);
    if (gram->grid->rank == 0 && code == LASER_OK) {
        code = laser_tridiagonal_values(n, t.sum, t.sum + n, err);
        if (code == LASER_OK) {
            laser_gram_roots(t.sum, n, 0);
            memcpy(sigma, t.sum, (size_t)n * sizeof *sigma);
        }
    }
    code = laser_mpi_agree(gram->grid->comm, code, err);
    tridiagonal_free(&t);
    return code;
}

int laser_mpi_svd_gram(struct laser_mpi_matrix *a, double *sigma, struct laser_error *err)
{
    struct laser_mpi_matrix gram;
    double max;
    int exponent, code = laser_mpi_svd_scale(a, &max, &exponent, err);

    if (code != LASER_OK)
        return code;
    if (max == 0) {
        memset(sigma, 0, (size_t)laser_mpi_svd_side(a) * sizeof *sigma);
        return LASER_OK;
    }
    code = laser_mpi_svd_gram_create(a, &gram, err);
    laser_mpi_matrix_scale(a, -exponent);
    if (code != LASER_OK)
        return code;
    code = roots(&gram, sigma, err);
    laser_mpi_matrix_free(&gram);
    if (code == LASER_OK)
        share(a, exponent, sigma);
    return code;
}

/* The square matrix that pdgesvd gets: a itself, or its triangular factor. */
static int triangular(struct laser_mpi_matrix *a, struct laser_mpi_matrix *r, struct laser_error *err)
{
    int64_t side = laser_mpi_svd_side(a);
    int m = (int)a->m, n = (int)a->n, one = 1, info = 0, query = -1, lwork, i, j, tall = a->m >= a->n;
    double answer = 0, *tau, *work = NULL;
    int code = laser_mpi_matrix_create(a->grid, a->name, side, side, a->nb, r, err);

    if (code != LASER_OK)
        return code;
    tau = calloc((size_t)(tall ? a->nloc : a->mloc) + (size_t)a->nb, sizeof *tau);
    if (laser_mpi_grid_active(a->grid) && tau != NULL)
        (tall ? pdgeqrf_ : pdgelqf_)(&m, &n, a->a, &one, &one, a->desc, tau, &answer, &query, &info);
    lwork = laser_mpi_svd_workspace(answer);
    if (lwork > 0 && tau != NULL)
        work = malloc((size_t)lwork * sizeof *work);
    if (work == NULL)
        code = laser_error_set(err, LASER_ENOMEM, a->name,
                               "no memory for a QR factorisation (workspace of %.0f)", answer);
    code = laser_mpi_agree(a->grid->comm, code, err);
    if (code == LASER_OK && laser_mpi_grid_active(a->grid))
        (tall ? pdgeqrf_ : pdgelqf_)(&m, &n, a->a, &one, &one, a->desc, tau, work, &lwork, &info);
    free(work);
    free(tau);
    if (code != LASER_OK) {
        laser_mpi_matrix_free(r);
        return code;
    }
    /* The factor lies in the leading square of a, whose local blocks are the leading parts of a's. */
    for (j = 0; j < r->nloc; j++)
        for (i = 0; i < r->mloc; i++) {
            int64_t row = laser_layout_global(i, a->nb, a->grid->myrow, a->grid->nprow);
            int64_t col = laser_layout_global(j, a->nb, a->grid->mycol, a->grid->npcol);
            size_t at = (size_t)j * (size_t)a->lld + (size_t)i;

            r->a[(size_t)j * (size_t)r->lld + (size_t)i] = (tall ? row <= col : row >= col) ? a->a[at] : 0;
        }
    return LASER_OK;
}

/* pdgesvd without vectors; destroys b.  values: min(m, n), on every rank of the grid. */
static int bidiagonal(struct laser_mpi_matrix *b, double *values, struct laser_error *err)
{
    int m = (int)b->m, n = (int)b->n, one = 1, info = 0, query = -1, lwork, side = m < n ? m : n;
    double answer = 0, none = 0, *work;
    int code = LASER_OK, active = laser_mpi_grid_active(b->grid);

    if (active)
        pdgesvd_("N", "N", &m, &n, b->a, &one, &one, b->desc, values, &none, &one, &one, b->desc, &none, &one,
                 &one, b->desc, &answer, &query, &info);
    lwork = laser_mpi_svd_workspace(answer);
    work = lwork > 0 ? malloc((size_t)lwork * sizeof *work) : NULL;
    if (work == NULL)
        code = laser_error_set(err, LASER_ENOMEM, b->name,
                               "no memory for the workspace of pdgesvd, %.0f float64 (at most 2147483647)",
                               answer);
    code = laser_mpi_agree(b->grid->comm, code, err);
    if (code == LASER_OK) {
        if (active)
            pdgesvd_("N", "N", &m, &n, b->a, &one, &one, b->desc, values, &none, &one, &one, b->desc, &none,
                     &one, &one, b->desc, work, &lwork, &info);
        if (info == side + 1)
            code = laser_error_set(err, LASER_ENUMERIC, b->name,
                                   "pdgesvd: ranks came to different singular values");
        else if (info > 0)
            code = laser_error_set(err, LASER_ENUMERIC, b->name,
                                   "pdgesvd: %d superdiagonals did not converge", info);
        else if (info < 0)
            code = laser_error_set(err, LASER_EINTERNAL, b->name, "pdgesvd refused its argument %d", -info);
        code = laser_mpi_agree(b->grid->comm, code, err);
    }
    free(work);
    return code;
}

int laser_mpi_svd_gesvd(struct laser_mpi_matrix *a, double *sigma, struct laser_error *err)
{
    struct laser_mpi_matrix r = {0};
    int64_t side = laser_mpi_svd_side(a), longer = a->m < a->n ? a->n : a->m;
    double max;
    int exponent, code = laser_mpi_svd_scale(a, &max, &exponent, err);

    if (code != LASER_OK)
        return code;
    if (max == 0) {
        memset(sigma, 0, (size_t)side * sizeof *sigma);
        return LASER_OK;
    }
    /* Chan's crossover: a QR factorisation first saves work. */
    if (3 * longer > 5 * side)
        code = triangular(a, &r, err);
    if (code == LASER_OK)
        code = bidiagonal(r.grid != NULL ? &r : a, sigma, err);
    laser_mpi_matrix_free(&r);
    if (code == LASER_OK)
        share(a, exponent, sigma);
    return code;
}

/* Rounding errors of the Gram matrix's eigenvalues, up to about 16 eps sigma[0]^2 where they were measured,
 * divided by 2 sigma[i]: below 2e-8 sigma[0]. */
#define RESOLVED 1e-7

int laser_mpi_svd_values(struct laser_mpi_matrix *a, enum laser_mpi_solver solver,
                         laser_mpi_gram_test *enough, void *context, double *sigma,
                         enum laser_mpi_solver *used, struct laser_error *err)
{
    int64_t side = laser_mpi_svd_side(a);
    int code, good;

    if (used != NULL)
        *used = solver == LASER_MPI_SOLVER_GESVD ? LASER_MPI_SOLVER_GESVD : LASER_MPI_SOLVER_GRAM;
    if (solver == LASER_MPI_SOLVER_GESVD)
        return laser_mpi_svd_gesvd(a, sigma, err);
    code = laser_mpi_svd_gram(a, sigma, err);
    if (code != LASER_OK || solver == LASER_MPI_SOLVER_GRAM)
        return code;
    good = enough != NULL || sigma[0] == 0 || sigma[side - 1] >= RESOLVED * sigma[0];
    if (enough != NULL && a->grid->rank == 0)
        good = enough(context, sigma, side) != 0;
    MPI_Bcast(&good, 1, MPI_INT, 0, a->grid->comm);
    if (good)
        return LASER_OK;
    if (used != NULL)
        *used = LASER_MPI_SOLVER_GESVD;
    return laser_mpi_svd_gesvd(a, sigma, err);
}
