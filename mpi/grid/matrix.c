#include "grid/matrix.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "layout/blockcyclic.h"

static int allocate(struct laser_mpi_matrix *a, struct laser_error *err)
{
    const struct laser_mpi_grid *grid = a->grid;
    int64_t rows, cols;

    if (!laser_mpi_grid_active(grid))
        return LASER_OK;
    rows = laser_layout_numroc(a->m, a->nb, grid->myrow, grid->nprow);
    cols = laser_layout_numroc(a->n, a->nb, grid->mycol, grid->npcol);
    if (rows > 0 && cols > INT_MAX / rows)
        return laser_error_set(
            err, LASER_ENOMEM, a->name,
            "%lld x %lld on a %d x %d grid has local blocks of %lld x %lld: ScaLAPACK counts at most "
            "2147483647 elements on a rank, use more ranks",
            (long long)a->m, (long long)a->n, grid->nprow, grid->npcol, (long long)rows, (long long)cols);
    a->mloc = (int)rows;
    a->nloc = (int)cols;
    a->lld = rows > 0 ? (int)rows : 1;
    a->desc[8] = a->lld;
    if (rows == 0 || cols == 0)
        return LASER_OK;
    a->a = malloc((size_t)rows * (size_t)cols * sizeof *a->a);
    if (a->a == NULL)
        return laser_error_set(err, LASER_ENOMEM, a->name,
                               "no memory for a local block of %lld x %lld float64", (long long)rows,
                               (long long)cols);
    return LASER_OK;
}

int laser_mpi_matrix_create(const struct laser_mpi_grid *grid, const char *name, int64_t m, int64_t n, int nb,
                            struct laser_mpi_matrix *a, struct laser_error *err)
{
    int code;

    memset(a, 0, sizeof *a);
    a->grid = grid;
    a->name = name;
    a->m = m;
    a->n = n;
    a->nb = nb;
    a->lld = 1;
    if (m < 1 || n < 1 || m > INT_MAX || n > INT_MAX || nb < 1) {
        code = laser_error_set(err, LASER_EINPUT, name,
                               "a %lld x %lld matrix: each side must be from 1 to 2147483647", (long long)m,
                               (long long)n);
    } else {
        int desc[9] = {1, grid->context, (int)m, (int)n, nb, nb, 0, 0, 1};

        memcpy(a->desc, desc, sizeof desc);
        code = allocate(a, err);
    }
    code = laser_mpi_agree(grid->comm, code, err);
    if (code != LASER_OK)
        laser_mpi_matrix_free(a);
    return code;
}

void laser_mpi_matrix_free(struct laser_mpi_matrix *a)
{
    free(a->a);
    memset(a, 0, sizeof *a);
}

static int not_finite(const struct laser_mpi_matrix *a, int i, int j, struct laser_error *err)
{
    const struct laser_mpi_grid *grid = a->grid;
    int64_t column = laser_layout_global(i, a->nb, grid->myrow, grid->nprow);
    int64_t row = laser_layout_global(j, a->nb, grid->mycol, grid->npcol);
    double value = a->a[(size_t)j * (size_t)a->lld + (size_t)i];

    return laser_error_set(err, LASER_ENUMERIC, a->name,
                           "the element in row %lld, column %lld (from 0) is %s", (long long)row,
                           (long long)column, isnan(value) ? "NaN" : "infinite");
}

int laser_mpi_matrix_maxabs(const struct laser_mpi_matrix *a, double *max, struct laser_error *err)
{
    double mine = 0;
    int code = LASER_OK, i, j;

    for (j = 0; j < a->nloc && a->a != NULL && code == LASER_OK; j++) {
        const double *column = a->a + (size_t)j * (size_t)a->lld;
        double sum = 0;

        for (i = 0; i < a->mloc; i++) {
            double x = fabs(column[i]);

            sum += x * 0.0; /* NaN as soon as one element is not finite */
            mine = x > mine ? x : mine;
        }
        if (sum != 0)
            for (i = 0; i < a->mloc && code == LASER_OK; i++)
                if (!isfinite(column[i]))
                    code = not_finite(a, i, j, err);
    }
    code = laser_mpi_agree(a->grid->comm, code, err);
    if (code == LASER_OK)
        MPI_Allreduce(&mine, max, 1, MPI_DOUBLE, MPI_MAX, a->grid->comm);
    return code;
}

void laser_mpi_matrix_scale(struct laser_mpi_matrix *a, int exponent)
{
    size_t i, count = (size_t)a->mloc * (size_t)a->nloc;
    /* 2^exponent itself may be out of range where the products are not. */
    double first = ldexp(1.0, exponent / 2), second = ldexp(1.0, exponent - exponent / 2);

    if (exponent == 0)
        return;
    for (i = 0; i < count; i++)
        a->a[i] = a->a[i] * first * second;
}
