#include "comm/phases.h"
#include "base/clock.h"

#include <stdio.h>
#include <string.h>

/* Local numbers that travel; the first group is added up, the others are compared. */
enum { SUM_WORK, SUM_FLOPS, SUM_READ, SUM_WRITTEN, N_SUMS };
enum { MAX_SECONDS, MAX_WORK, MAX_NOT_WORK, MAX_RANK, N_MOST };

static double status_bytes(const char *text, const char *key)
{
    const char *at = strstr(text, key);
    double kilobytes = 0;

    return at != NULL && sscanf(at + strlen(key), " %lf", &kilobytes) == 1 ? 1024 * kilobytes : 0;
}

/* Peak of the resident memory so far, cut into what is this process's own and pages that it may share with
 * the others of its node. */
static void measure_memory(struct laser_mpi_phase *phase)
{
    char text[8192];
    FILE *f = fopen("/proc/self/status", "re");
    size_t n;
    double peak;

    if (f == NULL)
        return;
    n = fread(text, 1, sizeof text - 1, f);
    fclose(f);
    text[n] = '\0';
    peak = status_bytes(text, "VmHWM:");
    phase->shared_bytes = status_bytes(text, "RssShmem:") + status_bytes(text, "RssFile:");
    phase->own_bytes = peak > phase->shared_bytes ? peak - phase->shared_bytes : 0;
}

void laser_mpi_phases_start(struct laser_mpi_phases *p)
{
    memset(p, 0, sizeof *p);
    p->list[0].name = "other";
    p->n = 1;
    p->since_s = laser_clock_s();
    p->since = laser_traffic_so_far();
}

void laser_mpi_phases_enter(struct laser_mpi_phases *p, const char *name)
{
    struct laser_mpi_phase *phase = &p->list[p->now];
    struct laser_traffic traffic = laser_traffic_so_far();
    double now_s = laser_clock_s();

    phase->seconds += now_s - p->since_s;
    phase->read_bytes += (double)(traffic.read_bytes - p->since.read_bytes);
    phase->written_bytes += (double)(traffic.written_bytes - p->since.written_bytes);
    measure_memory(phase);
    p->since_s = now_s;
    p->since = traffic;
    p->now = 0;
    for (int i = 1; name != NULL && i < p->n; ++i)
        if (strcmp(p->list[i].name, name) == 0)
            p->now = i;
    if (name != NULL && p->now == 0 && p->n < LASER_MPI_MAX_PHASES) {
        p->now = p->n++;
        p->list[p->now].name = name;
    }
}

void laser_mpi_phases_work(struct laser_mpi_phases *p, double seconds, double flops)
{
    p->list[p->now].work_s += seconds;
    p->list[p->now].flops += flops;
}

/* The fullest node: the memory of its ranks, shared pages once. */
static double fullest_node(double own, double shared, MPI_Comm node, MPI_Comm comm)
{
    double sum, most, all;

    MPI_Allreduce(&own, &sum, 1, MPI_DOUBLE, MPI_SUM, node);
    MPI_Allreduce(&shared, &most, 1, MPI_DOUBLE, MPI_MAX, node);
    sum += most;
    MPI_Reduce(&sum, &all, 1, MPI_DOUBLE, MPI_MAX, 0, comm);
    return all;
}

static void collect_one(const struct laser_mpi_phase *mine, int workers, MPI_Comm node, MPI_Comm comm,
                        struct laser_phase_row *row)
{
    double sums[N_SUMS] = {mine->work_s, mine->flops, mine->read_bytes, mine->written_bytes}, total[N_SUMS];
    double most[N_MOST], greatest[N_MOST], node_bytes;
    int rank, size;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    most[MAX_SECONDS] = mine->seconds;
    most[MAX_WORK] = mine->work_s;
    most[MAX_NOT_WORK] = size > 1 && rank == 0 ? -1e300 : -mine->work_s;
    most[MAX_RANK] = mine->own_bytes + mine->shared_bytes;
    MPI_Reduce(sums, total, N_SUMS, MPI_DOUBLE, MPI_SUM, 0, comm);
    MPI_Reduce(most, greatest, N_MOST, MPI_DOUBLE, MPI_MAX, 0, comm);
    node_bytes = fullest_node(mine->own_bytes, mine->shared_bytes, node, comm);
    if (rank != 0)
        return;
    *row = (struct laser_phase_row){.name = mine->name,
                                    .seconds = greatest[MAX_SECONDS],
                                    .work_min_s = -greatest[MAX_NOT_WORK],
                                    .work_mean_s = total[SUM_WORK] / workers,
                                    .work_max_s = greatest[MAX_WORK],
                                    .flops = total[SUM_FLOPS],
                                    .read_bytes = total[SUM_READ],
                                    .written_bytes = total[SUM_WRITTEN],
                                    .rank_peak_bytes = greatest[MAX_RANK],
                                    .node_peak_bytes = node_bytes};
}

int laser_mpi_phases_collect(struct laser_mpi_phases *p, MPI_Comm comm, struct laser_phase_row *rows)
{
    MPI_Comm node;
    int n, size;

    laser_mpi_phases_enter(p, p->now > 0 ? p->list[p->now].name : NULL);
    MPI_Comm_size(comm, &size);
    MPI_Allreduce(&p->n, &n, 1, MPI_INT, MPI_MIN, comm);
    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    for (int i = 0; i < n; ++i)
        collect_one(&p->list[i], size > 1 ? size - 1 : 1, node, comm, &rows[(i + n - 1) % n]);
    MPI_Comm_free(&node);
    return n;
}
