#include <math.h>
#include <stdlib.h>

#include "comm/agree.h"
#include "schedule/work_list.h"
#include "sensitivity/gather.h"
#include "sensitivity/vectors.h"

static double expected(void *context, int64_t matrix)
{
    const struct laser_run *run = context;
    const struct laser_matrix *w = &run->matrices.matrices[matrix];
    double rows = (double)w->rows, columns = (double)w->cols, n = fmin(rows, columns);

    return 6 * n * n * fmax(rows, columns) + 9 * n * n * n;
}

static int work(void *context, const struct laser_mpi_team *team, int64_t matrix, void *result,
                struct laser_error *err)
{
    (void)team;
    (void)result;
    return laser_singular_vectors_make(context, matrix, err);
}

int laser_mpi_vectors_make(struct laser_run *run, struct laser_error *err)
{
    struct laser_mpi_work_list list = {.run = run,
                                       .context = run,
                                       .unit = "matrices",
                                       .depth = 2,
                                       .unit_s =
                                           run->speed.product_flops > 0 ? 1 / run->speed.product_flops : 0,
                                       .work = work,
                                       .expected = expected};
    struct laser_mpi_team team;
    int64_t *missing = NULL;
    int code = run->rank == 0 ? laser_singular_vectors_missing(run, &missing, &list.n, err) : LASER_OK;

    list.pieces = missing;
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_team_create(laser_mpi_world(run), 1, &team, err);
    if (code == LASER_OK) {
        laser_log_phase(run->log, "vectors");
        code = laser_mpi_work_list_run(&team, &list, err);
        laser_log_phase_end(run->log);
        laser_mpi_team_free(&team);
    }
    free(missing);
    return code;
}
