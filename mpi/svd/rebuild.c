#include "svd/rebuild.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "layout/blockcyclic.h"
#include "svd/gram.h"
#include "svd/scalapack.h"
#include "svd/vectors.h"

/* What W' may be off by because neighbours were mixed, relative to its Frobenius norm. */
#define MIXING_MAX 2e-8
/* pdgesvd must promise this much less. */
#define MUCH_BETTER 0.1

/* The change as a correction: new = keep * A + sum over lo <= i < hi of weight[i] z_i z_i^T A. */
struct change {
    double keep; /* 0 or 1 */
    int64_t lo, hi;
};

static struct change find_change(const double *ratio, int64_t n)
{
    struct change nonzero = {0, 0, n}, differs = {1, 0, n};

    while (nonzero.lo < n && ratio[nonzero.lo] == 0)
        nonzero.lo++;
    while (nonzero.hi > nonzero.lo && ratio[nonzero.hi - 1] == 0)
        nonzero.hi--;
    while (differs.lo < n && ratio[differs.lo] == 1)
        differs.lo++;
    while (differs.hi > differs.lo && ratio[differs.hi - 1] == 1)
        differs.hi--;
    return nonzero.hi - nonzero.lo <= differs.hi - differs.lo ? nonzero : differs;
}

/* Would pdgesvd's vectors be worth their time?  w: eigenvalues of the Gram matrix, ascending. */
static int needs_gesvd(const double *w, const double *ratio, int64_t n)
{
    double gram = 0, gesvd = 0, norm = 0, s0 = sqrt(fmax(w[n - 1], 0));
    int64_t i;

    for (i = 0; i < n; i++) {
        double s = sqrt(fmax(w[n - 1 - i], 0)), next = i + 1 < n ? sqrt(fmax(w[n - 2 - i], 0)) : s;
        double step = i + 1 < n ? fabs(ratio[i] - ratio[i + 1]) * s : 0, gap = fmax(s - next, DBL_MIN);

        norm += ratio[i] * s * ratio[i] * s;
        if (step > 0) {
            gram = fmax(gram, step * fmin(1, DBL_EPSILON * s0 * s0 / (gap * (s + next))));
            gesvd = fmax(gesvd, step * fmin(1, DBL_EPSILON * s0 / gap));
        }
    }
    return gram > MIXING_MAX * sqrt(norm) && gesvd < MUCH_BETTER * gram;
}

/* Multiplies row i (or column i) of t, i counted from 0, by ratio[i] - keep. */
static void weigh(struct laser_mpi_matrix *t, int rows, const double *ratio, double keep)
{
    const struct laser_mpi_grid *grid = t->grid;
    int i, j;

    for (j = 0; j < t->nloc; j++)
        for (i = 0; i < t->mloc; i++) {
            int64_t index = rows ? laser_layout_global(i, t->nb, grid->myrow, grid->nprow)
                                 : laser_layout_global(j, t->nb, grid->mycol, grid->npcol);

            t->a[(size_t)j * (size_t)t->lld + (size_t)i] *= ratio[index] - keep;
        }
}

/* A = keep A + Z diag(weight) Z^T A (or, for a short right side, A Z diag(weight) Z^T).  z: ascending. */
static int apply(struct laser_mpi_matrix *a, const struct laser_mpi_matrix *z, const double *ratio,
                 const struct change *change, struct laser_error *err)
{
    struct laser_mpi_matrix t, picked;
    int64_t k = change->hi - change->lo, side = laser_mpi_svd_side(a);
    int m = (int)a->m, n = (int)a->n, kk = (int)k, one = 1, wide = a->m <= a->n, code;
    int first = (int)(side - change->hi) + 1;
    double alpha = 1, zero = 0;
    double *ascending;

    if (k == 0) {
        if (change->keep == 0 && a->a != NULL)
            memset(a->a, 0, (size_t)a->mloc * (size_t)a->nloc * sizeof *a->a);
        return LASER_OK;
    }
    code = laser_mpi_matrix_create(a->grid, a->name, wide ? k : a->m, wide ? a->n : k, a->nb, &t, err);
    if (code != LASER_OK)
        return code;
    /* An own copy of the vectors in use: PBLAS is at its best, and best tested, on aligned operands. */
    code = laser_mpi_matrix_create(a->grid, a->name, side, k, a->nb, &picked, err);
    ascending = code == LASER_OK ? malloc((size_t)k * sizeof *ascending) : NULL;
    if (code == LASER_OK) {
        int64_t i;

        if (ascending == NULL)
            code = laser_error_set(err, LASER_ENOMEM, a->name, "no memory for %lld ratios", (long long)k);
        else
            for (i = 0; i < k; i++)
                ascending[i] = ratio[change->hi - 1 - i];
        code = laser_mpi_agree(a->grid->comm, code, err);
    }
    if (code == LASER_OK && laser_mpi_grid_active(a->grid)) {
        int s = (int)side;

        pdgeadd_("N", &s, &kk, &alpha, z->a, &one, &first, z->desc, &zero, picked.a, &one, &one, picked.desc);
        if (wide)
            pdgemm_("T", "N", &kk, &n, &m, &alpha, picked.a, &one, &one, picked.desc, a->a, &one, &one,
                    a->desc, &zero, t.a, &one, &one, t.desc);
        else
            pdgemm_("N", "N", &m, &kk, &n, &alpha, a->a, &one, &one, a->desc, picked.a, &one, &one,
                    picked.desc, &zero, t.a, &one, &one, t.desc);
        weigh(&t, wide, ascending, change->keep);
        if (wide)
            pdgemm_("N", "N", &m, &n, &kk, &alpha, picked.a, &one, &one, picked.desc, t.a, &one, &one, t.desc,
                    &change->keep, a->a, &one, &one, a->desc);
        else
            pdgemm_("N", "T", &m, &n, &kk, &alpha, t.a, &one, &one, t.desc, picked.a, &one, &one, picked.desc,
                    &change->keep, a->a, &one, &one, a->desc);
    }
    free(ascending);
    laser_mpi_matrix_free(&picked);
    laser_mpi_matrix_free(&t);
    return code;
}

/* Eigenvectors, then either A' from them or the decision that pdgesvd is needed. */
static int by_gram(struct laser_mpi_matrix *a, const double *ratio, const struct change *change,
                   int *declined, struct laser_error *err)
{
    struct laser_mpi_matrix gram, z;
    int64_t side = laser_mpi_svd_side(a);
    double *w = NULL;
    int code = laser_mpi_svd_gram_create(a, &gram, err);

    *declined = 0;
    if (code != LASER_OK)
        return code;
    code = laser_mpi_svd_eigenvectors(&gram, &w, &z, err);
    laser_mpi_matrix_free(&gram);
    if (code != LASER_OK)
        return code;
    if (a->grid->rank == 0)
        *declined = needs_gesvd(w, ratio, side);
    MPI_Bcast(declined, 1, MPI_INT, 0, a->grid->comm);
    free(w);
    if (!*declined)
        code = apply(a, &z, ratio, change, err);
    laser_mpi_matrix_free(&z);
    return code;
}

/* A' = U diag(ratio S) V^T from pdgesvd's vectors. */
static int by_gesvd(struct laser_mpi_matrix *a, const double *ratio, struct laser_error *err)
{
    struct laser_mpi_matrix u, vt;
    double *s = NULL, alpha = 1, zero = 0;
    int64_t side = laser_mpi_svd_side(a), i;
    int m = (int)a->m, n = (int)a->n, k = (int)side, one = 1;
    int code = laser_mpi_svd_vectors(a, &s, &u, &vt, err);

    if (code != LASER_OK)
        return code;
    for (i = 0; i < side; i++)
        s[i] *= ratio[i];
    if (laser_mpi_grid_active(a->grid)) {
        weigh(&u, 0, s, 0);
        pdgemm_("N", "N", &m, &n, &k, &alpha, u.a, &one, &one, u.desc, vt.a, &one, &one, vt.desc, &zero, a->a,
                &one, &one, a->desc);
    }
    free(s);
    laser_mpi_matrix_free(&u);
    laser_mpi_matrix_free(&vt);
    return LASER_OK;
}

static int check_ratio(const struct laser_mpi_matrix *a, const double *ratio, struct laser_error *err)
{
    int64_t i;

    for (i = 0; i < laser_mpi_svd_side(a); i++)
        if (!isfinite(ratio[i]))
            return laser_error_set(err, LASER_ENUMERIC, a->name,
                                   "ratio %lld of the singular values is not finite", (long long)i);
    return LASER_OK;
}

int laser_mpi_svd_rebuild(struct laser_mpi_matrix *a, const double *ratio,
                          enum laser_mpi_rebuild_route *route, struct laser_error *err)
{
    struct change change;
    double max;
    int exponent, declined = 0, code;

    if (route != NULL)
        *route = LASER_MPI_REBUILD_GRAM;
    code = laser_mpi_agree(a->grid->comm, check_ratio(a, ratio, err), err);
    if (code != LASER_OK)
        return code;
    change = find_change(ratio, laser_mpi_svd_side(a));
    code = laser_mpi_svd_scale(a, &max, &exponent, err);
    if (code != LASER_OK)
        return code;
    if (change.hi == change.lo || max == 0)
        code = apply(a, NULL, ratio, &(struct change){change.keep, 0, 0}, err);
    else
        code = by_gram(a, ratio, &change, &declined, err);
    if (code == LASER_OK && declined) {
        if (route != NULL)
            *route = LASER_MPI_REBUILD_GESVD;
        code = by_gesvd(a, ratio, err);
    }
    laser_mpi_matrix_scale(a, -exponent);
    return code;
}
