#include "svd/vectors.h"

#include <stdlib.h>

#include "comm/agree.h"
#include "svd/gram.h"
#include "svd/scalapack.h"

/* Queries, allocates and runs pdsyevd; w and z exist. */
static int solve_eigen(struct laser_mpi_matrix *gram, double *w, struct laser_mpi_matrix *z,
                       struct laser_error *err)
{
    int n = (int)gram->m, one = 1, info = 0, query = -1, lwork, liwork = 1, least = 1, code = LASER_OK;
    int active = laser_mpi_grid_active(gram->grid), *iwork;
    double answer = 0, *work;

    if (active)
        pdsyevd_("V", "L", &n, gram->a, &one, &one, gram->desc, w, z->a, &one, &one, z->desc, &answer, &query,
                 &least, &query, &info);
    /* pdsyevd forgets what its pdormtr needs: too little for a block larger than the matrix. */
    answer += (double)gram->nb * (gram->mloc + gram->nloc + 2 * gram->nb);
    lwork = laser_mpi_svd_workspace(answer);
    liwork = laser_mpi_svd_workspace(7.0 * n + 8.0 * gram->grid->npcol + 2);
    work = lwork > 0 ? malloc((size_t)lwork * sizeof *work) : NULL;
    iwork = liwork > 0 ? malloc((size_t)liwork * sizeof *iwork) : NULL;
    if (work == NULL || iwork == NULL)
        code = laser_error_set(err, LASER_ENOMEM, gram->name,
                               "no memory for the workspace of pdsyevd, %.0f float64 (at most 2147483647)",
                               answer);
    code = laser_mpi_agree(gram->grid->comm, code, err);
    if (code == LASER_OK) {
        if (active)
            pdsyevd_("V", "L", &n, gram->a, &one, &one, gram->desc, w, z->a, &one, &one, z->desc, work,
                     &lwork, iwork, &liwork, &info);
        if (info > 0)
            code =
                laser_error_set(err, LASER_ENUMERIC, gram->name, "pdsyevd did not converge (info %d)", info);
        else if (info < 0)
            code =
                laser_error_set(err, LASER_EINTERNAL, gram->name, "pdsyevd refused its argument %d", -info);
        code = laser_mpi_agree(gram->grid->comm, code, err);
    }
    free(work);
    free(iwork);
    return code;
}

int laser_mpi_svd_eigenvectors(struct laser_mpi_matrix *gram, double **w, struct laser_mpi_matrix *z,
                               struct laser_error *err)
{
    int code = laser_mpi_matrix_create(gram->grid, gram->name, gram->m, gram->m, gram->nb, z, err);

    *w = NULL;
    if (code != LASER_OK)
        return code;
    *w = calloc((size_t)gram->m, sizeof **w);
    if (*w == NULL)
        code = laser_error_set(err, LASER_ENOMEM, gram->name, "no memory for %lld eigenvalues",
                               (long long)gram->m);
    code = laser_mpi_agree(gram->grid->comm, code, err);
    if (code == LASER_OK)
        code = solve_eigen(gram, *w, z, err);
    if (code != LASER_OK) {
        laser_mpi_matrix_free(z);
        free(*w);
        *w = NULL;
    }
    return code;
}

/* Queries, allocates and runs pdgesvd with both sets of vectors. */
static int solve_singular(struct laser_mpi_matrix *a, double *s, struct laser_mpi_matrix *u,
                          struct laser_mpi_matrix *vt, struct laser_error *err)
{
    int m = (int)a->m, n = (int)a->n, one = 1, info = 0, query = -1, lwork, code = LASER_OK;
    int active = laser_mpi_grid_active(a->grid);
    double answer = 0, *work;

    if (active)
        pdgesvd_("V", "V", &m, &n, a->a, &one, &one, a->desc, s, u->a, &one, &one, u->desc, vt->a, &one, &one,
                 vt->desc, &answer, &query, &info);
    lwork = laser_mpi_svd_workspace(answer);
    work = lwork > 0 ? malloc((size_t)lwork * sizeof *work) : NULL;
    if (work == NULL)
        code = laser_error_set(err, LASER_ENOMEM, a->name,
                               "no memory for the workspace of pdgesvd, %.0f float64 (at most 2147483647)",
                               answer);
    code = laser_mpi_agree(a->grid->comm, code, err);
    if (code == LASER_OK) {
        if (active)
            pdgesvd_("V", "V", &m, &n, a->a, &one, &one, a->desc, s, u->a, &one, &one, u->desc, vt->a, &one,
                     &one, vt->desc, work, &lwork, &info);
        if (info > 0)
            code = laser_error_set(err, LASER_ENUMERIC, a->name, "pdgesvd did not converge (info %d)", info);
        else if (info < 0)
            code = laser_error_set(err, LASER_EINTERNAL, a->name, "pdgesvd refused its argument %d", -info);
        code = laser_mpi_agree(a->grid->comm, code, err);
    }
    free(work);
    return code;
}

int laser_mpi_svd_vectors(struct laser_mpi_matrix *a, double **s, struct laser_mpi_matrix *u,
                          struct laser_mpi_matrix *vt, struct laser_error *err)
{
    int64_t side = laser_mpi_svd_side(a);
    int code = laser_mpi_matrix_create(a->grid, a->name, a->m, side, a->nb, u, err);

    *s = NULL;
    if (code != LASER_OK)
        return code;
    code = laser_mpi_matrix_create(a->grid, a->name, side, a->n, a->nb, vt, err);
    if (code == LASER_OK) {
        *s = calloc((size_t)side, sizeof **s);
        if (*s == NULL)
            code = laser_error_set(err, LASER_ENOMEM, a->name, "no memory for %lld singular values",
                                   (long long)side);
        code = laser_mpi_agree(a->grid->comm, code, err);
    }
    if (code == LASER_OK)
        code = solve_singular(a, *s, u, vt, err);
    if (code == LASER_OK) {
        MPI_Bcast(*s, (int)side, MPI_DOUBLE, 0, a->grid->comm);
        return LASER_OK;
    }
    laser_mpi_matrix_free(u);
    laser_mpi_matrix_free(vt);
    free(*s);
    *s = NULL;
    return code;
}
