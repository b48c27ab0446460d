#include "schedule/scan_plan.h"

#include <inttypes.h>
#include <stdlib.h>

enum laser_route laser_mpi_scan_route(const struct laser_mpi_run *run)
{
    return laser_deck_is(run->deck, "scan.solver", "gesvd") ? LASER_ROUTE_SERIAL_GESVD
                                                            : LASER_ROUTE_SERIAL_GRAM;
}

int laser_mpi_scan_wanted(const struct laser_mpi_run *run, const unsigned char *open,
                          struct laser_plan_matrix **wanted, int64_t *indices, int64_t *n,
                          struct laser_error *err)
{
    const struct laser_matrix_list *list = &run->matrices;

    *n = 0;
    *wanted = calloc((size_t)list->n_matrices + 1, sizeof **wanted);
    if (*wanted == NULL)
        return laser_error_set(err, LASER_ENOMEM, "plan", "no memory for %" PRId64 " matrices",
                               list->n_matrices);
    for (int64_t i = 0; i < list->n_matrices; ++i) {
        const struct laser_matrix *m = &list->matrices[i];
        if (open != NULL && !open[i])
            continue;
        if (indices != NULL)
            indices[*n] = i;
        (*wanted)[(*n)++] = (struct laser_plan_matrix){.name = m->name,
                                                       .rows = m->rows,
                                                       .cols = m->cols,
                                                       .stored_bytes = (int)laser_dtype_size(m->dtype),
                                                       .route = laser_mpi_scan_route(run)};
    }
    return LASER_OK;
}
