#include "plan/schedule.h"

#include <stdlib.h>
#include <string.h>

/* A change of group sizes must save this much of the estimate to be made. */
#define WORTHWHILE 0.99
/* Changes tried after one another; each strictly shortens the estimate. */
#define ROUNDS 12

struct slot {
    double free_s;
    int group;
};

struct draft {
    const struct laser_plan_matrix *matrices;
    const struct laser_cost_rates *rates;
    int workers;
    int64_t count;                /* jobs that fit somewhere */
    struct laser_plan_job *jobs;  /* sorted: descending group, descending seconds, ascending index */
    struct laser_plan_job *trial; /* as long */
    struct slot *heap;            /* workers */
};

static int by_order(const void *pa, const void *pb)
{
    const struct laser_plan_job *a = pa, *b = pb;

    if (a->code != b->code)
        return a->code == LASER_OK ? -1 : 1;
    if (a->group_size != b->group_size)
        return a->group_size > b->group_size ? -1 : 1;
    if (a->code == LASER_OK && a->seconds != b->seconds)
        return a->seconds > b->seconds ? -1 : 1;
    return a->matrix < b->matrix ? -1 : a->matrix > b->matrix;
}

static int slot_before(const struct slot *a, const struct slot *b)
{
    return a->free_s != b->free_s ? a->free_s < b->free_s : a->group < b->group;
}

static void sift_down(struct slot *heap, int n)
{
    int at = 0;

    for (;;) {
        int low = at, child = 2 * at + 1;
        struct slot t;

        if (child < n && slot_before(&heap[child], &heap[low]))
            low = child;
        if (child + 1 < n && slot_before(&heap[child + 1], &heap[low]))
            low = child + 1;
        if (low == at)
            return;
        t = heap[at];
        heap[at] = heap[low];
        heap[low] = t;
        at = low;
    }
}

/* List scheduling of one phase; sets start_s and group of its jobs and returns when the last one ends. */
static double simulate_phase(struct laser_plan_job *jobs, int64_t count, int groups, struct slot *heap)
{
    double end = 0;
    int64_t i;
    int g;

    for (g = 0; g < groups; g++)
        heap[g] = (struct slot){0, g};
    for (i = 0; i < count; i++) {
        jobs[i].start_s = heap[0].free_s;
        jobs[i].group = heap[0].group;
        heap[0].free_s += jobs[i].seconds;
        if (heap[0].free_s > end)
            end = heap[0].free_s;
        sift_down(heap, groups);
    }
    return end;
}

static int64_t phase_length(const struct laser_plan_job *jobs, int64_t count)
{
    int64_t n = 1;

    while (n < count && jobs[n].group_size == jobs[0].group_size)
        n++;
    return n;
}

/* Sorts the jobs into their order and returns the time of all phases. */
static double simulate(struct draft *draft, struct laser_plan_job *jobs)
{
    double total = 0;
    int64_t i, n;

    qsort(jobs, (size_t)draft->count, sizeof *jobs, by_order);
    for (i = 0; i < draft->count; i += n) {
        n = phase_length(jobs + i, draft->count - i);
        total += simulate_phase(jobs + i, n, draft->workers / jobs[i].group_size, draft->heap);
    }
    return total;
}

static void set_group(const struct draft *draft, struct laser_plan_job *job, int group_size)
{
    const struct laser_plan_matrix *a = &draft->matrices[job->matrix];
    enum laser_route route = laser_route_for(a->route, group_size);

    job->group_size = group_size;
    job->seconds =
        laser_cost_route_seconds(draft->rates, route, a->rows, a->cols, group_size, a->stored_bytes);
    job->memory_bytes = laser_cost_memory(draft->rates, route, a->rows, a->cols, group_size);
}

static int64_t next_step(int64_t t)
{
    return t < 4 ? t + 1 : t + t / 2;
}

/* What a job adds to the time of its phase at least: were the groups all busy to the end, their times would be the sum of these. */
static double share_of(const struct draft *draft, const struct laser_plan_job *job)
{
    return job->seconds / (draft->workers / job->group_size);
}

/* No order of the jobs takes less. */
static double least_time(const struct draft *draft)
{
    double sum = 0;

    for (int64_t i = 0; i < draft->count; i++)
        sum += share_of(draft, &draft->jobs[i]);
    return sum;
}

/* Tries to move the t largest jobs of the phase that starts at `first` to groups of `to`; keeps the best
 * trial.  least_s: of the jobs as they are; what cannot be better than the best is not simulated, which is nearly all of it
 * where there are many matrices for each worker. */
static void try_moves(struct draft *draft, int64_t first, int64_t length, int to, double least_s,
                      double *best_s, int64_t *best_first, int64_t *best_t, int *best_to)
{
    int64_t t, i, moved = 0;

    for (t = 1; t <= length; t = t < length && next_step(t) > length ? length : next_step(t)) {
        double s;

        for (; moved < t; moved++) {
            struct laser_plan_job job = draft->jobs[first + moved];
            set_group(draft, &job, to);
            least_s += share_of(draft, &job) - share_of(draft, &draft->jobs[first + moved]);
        }
        if (least_s * (1 - 1e-9) >= *best_s)
            continue;
        memcpy(draft->trial, draft->jobs, (size_t)draft->count * sizeof *draft->trial);
        for (i = first; i < first + t; i++)
            set_group(draft, &draft->trial[i], to);
        s = simulate(draft, draft->trial);
        if (s < *best_s) {
            *best_s = s;
            *best_first = first;
            *best_t = t;
            *best_to = to;
        }
    }
}

/* Larger groups for the largest matrices of a phase, as long as that shortens the whole. */
static double widen(struct draft *draft)
{
    double now_s = simulate(draft, draft->jobs);
    int round;

    for (round = 0; round < ROUNDS; round++) {
        double best_s = now_s * WORTHWHILE, least_s = least_time(draft);
        int64_t first, length, best_first = 0, best_t = 0, i;
        int best_to = 0, to;

        for (first = 0; first < draft->count; first += length) {
            int g = draft->jobs[first].group_size;

            length = phase_length(draft->jobs + first, draft->count - first);
            for (to = 2 * g; to <= draft->workers; to *= 2)
                try_moves(draft, first, length, to, least_s, &best_s, &best_first, &best_t, &best_to);
            if (g < draft->workers)
                try_moves(draft, first, length, draft->workers, least_s, &best_s, &best_first, &best_t,
                          &best_to);
        }
        if (best_t == 0)
            break;
        for (i = best_first; i < best_first + best_t; i++)
            set_group(draft, &draft->jobs[i], best_to);
        now_s = simulate(draft, draft->jobs);
    }
    return now_s;
}

static int check(const struct laser_plan_matrix *matrices, int64_t count,
                 const struct laser_plan_limits *limits, struct laser_error *err)
{
    int64_t i;

    if (limits->workers < 1 || limits->group_size < 0 || limits->group_size > limits->workers)
        return laser_error_set(err, LASER_EUSAGE, "parallel.group_size", "group size %d with %d workers",
                               limits->group_size, limits->workers);
    for (i = 0; i < count; i++)
        if (matrices[i].rows < 1 || matrices[i].cols < 1)
            return laser_error_set(err, LASER_EUSAGE, matrices[i].name,
                                   "a %lld x %lld matrix has nothing to plan", (long long)matrices[i].rows,
                                   (long long)matrices[i].cols);
    return LASER_OK;
}

/* The smallest group of every matrix; those that fit nowhere end behind draft->count. */
static void first_groups(struct draft *draft, struct laser_plan *plan, const struct laser_plan_limits *limits)
{
    int64_t i;

    for (i = 0; i < plan->njobs; i++) {
        struct laser_plan_job *job = &plan->jobs[i];
        const struct laser_plan_matrix *a = &draft->matrices[i];

        job->matrix = i;
        job->code = laser_cost_group_size(draft->rates, a->route, a->name, a->rows, a->cols, limits->workers,
                                          limits->limit_bytes, &job->min_group, NULL);
        if (job->code != LASER_OK) {
            job->min_group = 0;
            set_group(draft, job, limits->workers);
            plan->misfits++;
        } else {
            set_group(draft, job, job->min_group > limits->group_size ? job->min_group : limits->group_size);
        }
    }
    draft->count = plan->njobs - plan->misfits;
    qsort(plan->jobs, (size_t)plan->njobs, sizeof *plan->jobs, by_order);
}

static int list_phases(struct laser_plan *plan, int64_t count)
{
    int64_t i, n;
    int p;

    for (i = 0; i < count; i += phase_length(plan->jobs + i, count - i))
        plan->nphases++;
    plan->phases = calloc((size_t)plan->nphases + 1, sizeof *plan->phases);
    if (plan->phases == NULL)
        return LASER_ENOMEM;
    for (i = 0, p = 0; i < count; i += n, p++) {
        struct laser_plan_phase *phase = &plan->phases[p];
        int64_t j;

        n = phase_length(plan->jobs + i, count - i);
        phase->group_size = plan->jobs[i].group_size;
        phase->groups = plan->workers / phase->group_size;
        phase->first = i;
        phase->count = n;
        for (j = i; j < i + n; j++) {
            double end = plan->jobs[j].start_s + plan->jobs[j].seconds;

            plan->work_s += plan->jobs[j].seconds * phase->group_size;
            if (end > phase->makespan_s)
                phase->makespan_s = end;
        }
    }
    return LASER_OK;
}

int laser_plan_make(struct laser_plan *plan, const struct laser_plan_matrix *matrices, int64_t count,
                    const struct laser_cost_rates *rates, const struct laser_plan_limits *limits,
                    struct laser_error *err)
{
    struct draft draft = {.matrices = matrices, .rates = rates, .workers = limits->workers};
    int code;

    memset(plan, 0, sizeof *plan);
    code = check(matrices, count, limits, err);
    if (code != LASER_OK)
        return code;
    plan->workers = limits->workers;
    plan->njobs = count;
    plan->jobs = calloc((size_t)count + 1, sizeof *plan->jobs);
    draft.trial = calloc((size_t)count + 1, sizeof *draft.trial);
    draft.heap = calloc((size_t)limits->workers, sizeof *draft.heap);
    if (plan->jobs == NULL || draft.trial == NULL || draft.heap == NULL) {
        code = LASER_ENOMEM;
    } else {
        draft.jobs = plan->jobs;
        first_groups(&draft, plan, limits);
        plan->makespan_s = limits->group_size > 0 ? simulate(&draft, draft.jobs) : widen(&draft);
        code = list_phases(plan, draft.count);
    }
    free(draft.trial);
    free(draft.heap);
    if (code != LASER_OK) {
        laser_plan_free(plan);
        return laser_error_set(err, code, NULL, "no memory for a plan of %lld matrices", (long long)count);
    }
    return LASER_OK;
}

void laser_plan_free(struct laser_plan *plan)
{
    free(plan->jobs);
    free(plan->phases);
    memset(plan, 0, sizeof *plan);
}

int laser_plan_recommend(const struct laser_plan_matrix *matrices, int64_t count,
                         const struct laser_cost_rates *rates, double limit_bytes, int max_workers,
                         int *workers, struct laser_error *err)
{
    struct laser_plan_limits limits = {.workers = 1, .group_size = 0, .limit_bytes = limit_bytes};
    int64_t fewest_misfits = INT64_MAX;
    double serial_s = 0, best_s = 0;

    *workers = 1;
    /* 1 2 3 4 6 8 12 16 ...: powers of two and the numbers halfway between them. */
    for (; limits.workers <= max_workers; limits.workers = limits.workers < 3 ? limits.workers + 1
                                                           : (limits.workers & (limits.workers - 1)) == 0
                                                               ? limits.workers / 2 * 3
                                                               : limits.workers / 3 * 4) {
        struct laser_plan plan;
        int code = laser_plan_make(&plan, matrices, count, rates, &limits, err);

        if (code != LASER_OK)
            return code;
        if (plan.misfits < fewest_misfits) {
            /* The first number of ranks that holds more of the matrices is the new standard of comparison. */
            fewest_misfits = plan.misfits;
            serial_s = plan.makespan_s * limits.workers;
            best_s = plan.makespan_s;
            *workers = limits.workers;
        } else if (plan.makespan_s * limits.workers <= 2 * serial_s && plan.makespan_s < best_s) {
            best_s = plan.makespan_s;
            *workers = limits.workers;
        }
        laser_plan_free(&plan);
    }
    return LASER_OK;
}
