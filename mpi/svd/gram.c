#include "svd/gram.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "svd/scalapack.h"

/* Elements up to 2^200: their squares, summed 2^31 times and squared once more by an eigenvalue solver, stay
 * finite. */
#define EXPONENT_MAX 200

int laser_mpi_svd_scale(struct laser_mpi_matrix *a, double *max, int *exponent, struct laser_error *err)
{
    int code = laser_mpi_matrix_maxabs(a, max, err);

    *exponent = 0;
    if (code != LASER_OK || *max == 0)
        return code;
    if (abs(ilogb(*max)) > EXPONENT_MAX) {
        *exponent = -ilogb(*max);
        laser_mpi_matrix_scale(a, *exponent);
        *max = ldexp(*max, *exponent);
    }
    return LASER_OK;
}

int laser_mpi_svd_gram_create(const struct laser_mpi_matrix *a, struct laser_mpi_matrix *gram,
                              struct laser_error *err)
{
    int64_t side = laser_mpi_svd_side(a);
    int n = (int)side, k = (int)(a->m < a->n ? a->n : a->m), one = 1;
    const char *trans = a->m <= a->n ? "N" : "T";
    double alpha = 1, beta = 0;
    int code = laser_mpi_matrix_create(a->grid, a->name, side, side, a->nb, gram, err);

    if (code != LASER_OK || !laser_mpi_grid_active(a->grid))
        return code;
    if (gram->a != NULL)
        memset(gram->a, 0, (size_t)gram->mloc * (size_t)gram->nloc * sizeof *gram->a);
    pdsyrk_("L", trans, &n, &k, &alpha, a->a, &one, &one, a->desc, &beta, gram->a, &one, &one, gram->desc);
    return LASER_OK;
}

int laser_mpi_svd_workspace(double answer)
{
    double want = answer * 1.02 + 4096;

    return want < INT_MAX ? (int)want : -1;
}
