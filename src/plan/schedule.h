/* Which matrices are worked on by groups of what size, and in what order.  Pure and deterministic: the same
 * matrices, workers and rates give the same plan on every machine.
 *
 * The work is cut into phases.  In a phase all groups have the same size g (workers/g groups, the workers
 * left over idle); phases come in descending g.  Within a phase the matrices go out largest first (by
 * estimated seconds, ties by index), each to the first group that is free.  A matrix goes to the smallest
 * group in whose memory it fits; larger groups only where they shorten the estimated time of the whole: fewer
 * matrices than workers, or a few large ones that would work on alone at the end.
 */
#ifndef LASER_PLAN_SCHEDULE_H
#define LASER_PLAN_SCHEDULE_H

#include <stdint.h>

#include "base/error.h"
#include "plan/cost.h"

struct laser_plan_matrix {
    const char *name;       /* for messages; borrowed */
    int64_t rows, cols;     /* >= 1 */
    double stored_bytes;    /* one element in the files, scales included */
    enum laser_route route; /* what to do; serial or group is chosen by the plan */
};

struct laser_plan_job {
    int64_t matrix;      /* index into the given matrices */
    int group_size;      /* ranks of its group */
    int min_group;       /* the smallest group whose memory would do */
    int code;            /* LASER_OK, or LASER_ENOMEM: fits into no group, planned in no phase */
    double seconds;      /* estimated, in its group */
    double memory_bytes; /* estimated peak on a rank */
    double start_s;      /* estimated, from the start of its phase */
    int group;           /* 0 .. groups-1, in the simulation; the run gives it to the first free one */
};

struct laser_plan_phase {
    int group_size;
    int groups;
    int64_t first, count; /* jobs[first .. first+count-1], in the order in which they go out */
    double makespan_s;
};

struct laser_plan {
    int workers;
    int64_t njobs; /* all matrices; those of no phase come last, ordered by index */
    struct laser_plan_job *jobs;
    int nphases;
    struct laser_plan_phase *phases;
    double makespan_s; /* estimated, all phases */
    double work_s;     /* the sum of seconds x group_size: what the workers are busy for */
    int64_t misfits;   /* jobs with code != LASER_OK */
};

struct laser_plan_limits {
    int workers;        /* >= 1 */
    int group_size;     /* 0: chosen; otherwise this for every matrix (more if memory asks for it) */
    double limit_bytes; /* memory of a rank; <= 0: no limit */
};

/* Makes a plan.  A matrix that fits into no group is no error of the plan: its job says so (see misfits; its
 * text is that of laser_cost_group_size).  LASER_ENOMEM when the plan itself cannot be allocated;
 * LASER_EUSAGE when workers < 1 or group_size > workers or a side is < 1.  On success the caller frees the
 * plan. */
int laser_plan_make(struct laser_plan *plan, const struct laser_plan_matrix *matrices, int64_t count,
                    const struct laser_cost_rates *rates, const struct laser_plan_limits *limits,
                    struct laser_error *err);

/* Frees what the plan owns; a zeroed plan is fine. */
void laser_plan_free(struct laser_plan *plan);

/* How many workers to ask for: the largest number up to max_workers (tried: 1 2 3 4 6 8 12 16 ...) for which
 * at least half of the workers' time is work, and which is no slower than a smaller number; large enough for
 * every matrix that fits into any tried number.  Add one rank for the coordinator.  *workers >= 1.  Errors as
 * laser_plan_make. */
int laser_plan_recommend(const struct laser_plan_matrix *matrices, int64_t count,
                         const struct laser_cost_rates *rates, double limit_bytes, int max_workers,
                         int *workers, struct laser_error *err);

#endif
