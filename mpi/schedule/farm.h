/* The loop over pieces of work: a coordinator that hands out orders, groups of ranks that carry them out.
 *
 * What to do next and what a result means is decided by the caller's functions on rank 0, which know nothing
 * of MPI; this file only moves orders and results.  Orders and results have fixed sizes, so the traffic of
 * rank 0 does not grow with the size of a matrix.
 */
#ifndef LASER_MPI_SCHEDULE_FARM_H
#define LASER_MPI_SCHEDULE_FARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "comm/log.h"
#include "comm/team.h"
#include "run/run.h"

enum laser_mpi_next {
    LASER_MPI_ORDER, /* *order was filled in */
    LASER_MPI_WAIT,  /* nothing now: perhaps after another result */
    LASER_MPI_END    /* nothing any more for this group */
};

struct laser_mpi_farm {
    void *context;
    size_t order_bytes;
    size_t result_bytes;
    struct laser_log *log;   /* gets the seconds of every rank's work; may be NULL */
    struct laser_pace *pace; /* may be NULL: no limits */
    bool counts_itself;      /* not every result is durable: done() counts pace->n_durable */
    double unit_s;           /* about how long a unit of `expected` takes, until results tell; 0: unknown */
    int depth; /* orders that a group may hold at once: 2 hides the coordinator's answer, 1 decides as late as
                  can be */

    /* Rank 0: the next order of a free group. */
    enum laser_mpi_next (*next)(void *context, int group, void *order);

    /* Rank 0: a result has come.  A code other than LASER_OK ends the farm: no new orders, running ones
     * finish. */
    int (*done)(void *context, int group, const void *order, const void *result, struct laser_error *err);

    /* Rank 0: about how many seconds an order takes, in any unit (results set the scale, unit_s before them);
     * NULL: all alike, one unit. */
    double (*expected)(void *context, const void *order);

    /* Rank 0: called between polls, for progress and requests to stop; may be NULL.  As done. */
    int (*tick)(void *context, struct laser_error *err);

    /* Every rank of a group, collective over team->group_comm, with the same order.  The result of the leader
     * (group_rank 0) goes to rank 0.  A failed matrix is a result, not an error: a code other than LASER_OK
     * means that the run cannot go on, and ends the farm.  It must be the same on every rank of the group. */
    int (*work)(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                struct laser_error *err);
};

/* An order that would not be finished before pace->deadline_s is not begun: the farm ends with LASER_ESTOPPED
 * - unless nothing has become durable in this start, for then the next start would not come further either. A
 * group that is lost (a rank hangs, its node is gone and nobody tells) ends the job by MPI_Abort with a
 * message that names ranks and hosts: no collective would come to an end.
 *
 * Collective over team->world.  Returns the same code on every rank, the text of the first failing rank in
 * *err. */
int laser_mpi_farm_run(const struct laser_mpi_team *team, const struct laser_mpi_farm *farm,
                       struct laser_error *err);

#endif
