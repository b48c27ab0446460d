#include "plan/scan_plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "checkpoint/source.h"
#include "plan/machine.h"

enum laser_route laser_scan_route(const struct laser_run *run)
{
    return run->settings->scan.solver == LASER_DECK_SOLVER_GESVD ? LASER_ROUTE_SERIAL_GESVD
                                                                 : LASER_ROUTE_SERIAL_GRAM;
}

int laser_scan_wanted(const struct laser_run *run, const unsigned char *open,
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
        (*wanted)[(*n)++] = (struct laser_plan_matrix){
            .name = m->name,
            .rows = m->rows,
            .cols = m->cols,
            .stored_bytes = laser_matrix_source_element_bytes(run->checkpoint, run->change, m),
            .route = laser_scan_route(run)};
    }
    return LASER_OK;
}

double laser_scan_peak_bytes(const struct laser_run *run, const struct laser_cost_rates *rates,
                             const struct laser_plan *plan)
{
    double peak = run->base_bytes + LASER_RESULTS_BYTES + LASER_RESULT_BYTES * (double)plan->njobs;

    for (int64_t j = 0; j < plan->njobs; ++j) {
        const struct laser_matrix *m = &run->matrices.matrices[plan->jobs[j].matrix];
        int g = plan->jobs[j].group_size;
        enum laser_route route = laser_route_for(laser_scan_route(run), g);
        double bytes =
            run->base_bytes - rates->base_bytes + laser_cost_memory(rates, route, m->rows, m->cols, g);

        if (route == LASER_ROUTE_SERIAL_GRAM)
            bytes += fmin(8 * (double)m->rows * (double)m->cols, LASER_SOLVE_SLAB_BYTES) *
                     (1 + (double)laser_dtype_size(m->dtype) / 8);
        peak = fmax(peak, bytes);
    }
    return peak;
}
