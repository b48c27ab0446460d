/* A list of pieces of work (matrices, batches) that the farm hands out in order, one number each: what is the same for all such
 * lists - the next piece, progress, requests to stop - in one place.
 */
#ifndef LASER_MPI_SCHEDULE_WORK_LIST_H
#define LASER_MPI_SCHEDULE_WORK_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "comm/team.h"
#include "run/run.h"

struct laser_mpi_work_list {
    struct laser_run *run;
    void *context;

    /* Rank 0. */
    const int64_t *pieces; /* n numbers; NULL: first, first + 1, ... */
    int64_t first, n;
    int64_t n_done, n_total; /* for progress, over all lists of a phase; n_total 0: n */
    const char *unit;        /* "matrices" */

    size_t result_bytes; /* of what work() fills in, may be 0 */
    int depth;           /* as laser_mpi_farm has them */
    double unit_s;
    bool counts_itself;

    /* Every rank of a group, collective over team->group_comm, as laser_mpi_farm.work. */
    int (*work)(void *context, const struct laser_mpi_team *team, int64_t piece, void *result,
                struct laser_error *err);

    /* Rank 0; both may be NULL. */
    int (*done)(void *context, int64_t piece, const void *result, struct laser_error *err);
    double (*expected)(void *context, int64_t piece);

    /* Rank 0, may be NULL: is no further piece to be handed out for now?  The list ends then, after what is under way,
     * with LASER_OK; a request to stop ends it in the same way, with LASER_ESTOPPED: the caller saves what it has. */
    bool (*rests)(void *context);

    int64_t n_handed_out; /* the list's own */
    struct laser_error stop;
};

/* Collective over team->world.  Carries all pieces out; returns as laser_mpi_farm_run.  LASER_ESTOPPED too when a worker was asked
 * to stop. */
int laser_mpi_work_list_run(const struct laser_mpi_team *team, struct laser_mpi_work_list *list,
                            struct laser_error *err);

#endif
