#include <math.h>
#include <stdlib.h>

#include "comm/agree.h"
#include "run/signals.h"
#include "schedule/farm.h"
#include "sensitivity/gather.h"
#include "sensitivity/vectors.h"

struct order {
    int64_t matrix;
};

struct result {
    int32_t stop_asked;
};

struct making {
    struct laser_run *run;
    int64_t *todo, n_todo, n_handed_out, n_done;
};

static enum laser_mpi_next next(void *context, int group, void *order)
{
    struct making *m = context;

    (void)group;
    if (m->n_handed_out == m->n_todo)
        return LASER_MPI_END;
    ((struct order *)order)->matrix = m->todo[m->n_handed_out++];
    return LASER_MPI_ORDER;
}

static int done(void *context, int group, const void *order, const void *result, struct laser_error *err)
{
    struct making *m = context;

    (void)group;
    (void)order;
    ++m->n_done;
    return laser_run_asked(((const struct result *)result)->stop_asked, err);
}

static int tick(void *context, struct laser_error *err)
{
    struct making *m = context;

    laser_log_progress(m->run->log, m->n_done, m->n_todo, "matrices");
    return laser_run_stop(m->run, err);
}

static double expected(void *context, const void *order)
{
    const struct making *m = context;
    const struct laser_matrix *w = &m->run->matrices.matrices[((const struct order *)order)->matrix];
    double rows = (double)w->rows, columns = (double)w->cols, n = fmin(rows, columns);

    return 6 * n * n * fmax(rows, columns) + 9 * n * n * n;
}

static int work(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                struct laser_error *err)
{
    struct making *m = context;

    (void)team;
    ((struct result *)result)->stop_asked = laser_signalled() != 0;
    return laser_singular_vectors_make(m->run, ((const struct order *)order)->matrix, err);
}

int laser_mpi_vectors_make(struct laser_run *run, struct laser_error *err)
{
    struct making making = {.run = run};
    struct laser_mpi_farm farm = {.context = &making,
                                  .order_bytes = sizeof(struct order),
                                  .result_bytes = sizeof(struct result),
                                  .log = run->log,
                                  .pace = &run->pace,
                                  .expected = expected,
                                  .unit_s = run->speed.product_flops > 0 ? 1 / run->speed.product_flops : 0,
                                  .depth = 2,
                                  .next = next,
                                  .done = done,
                                  .tick = tick,
                                  .work = work};
    struct laser_mpi_team team;
    int code = laser_mpi_agree(
        laser_mpi_world(run),
        run->rank == 0 ? laser_singular_vectors_missing(run, &making.todo, &making.n_todo, err) : LASER_OK,
        err);

    if (code == LASER_OK)
        code = laser_mpi_team_create(laser_mpi_world(run), 1, &team, err);
    if (code == LASER_OK) {
        laser_log_phase(run->log, "vectors");
        code = laser_mpi_farm_run(&team, &farm, err);
        laser_log_phase_end(run->log);
        laser_mpi_team_free(&team);
    }
    free(making.todo);
    return code;
}
