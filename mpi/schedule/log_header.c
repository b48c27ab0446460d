#include "config.h" /* _GNU_SOURCE: CPU sets */

#include "schedule/log_header.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "comm/log.h"
#include "kernels/dispatch.h"
#include "schedule/run.h"

#define MOST_NODES 8 /* that are shown unless asked for more */

/* What each rank says of its place. */
struct place {
    char host[LASER_MPI_HOST_SIZE];
    cpu_set_t cores; /* that it may run on */
    int node_cores;  /* of its node */
};

static void find_place(struct place *p)
{
    memset(p, 0, sizeof *p);
    gethostname(p->host, sizeof p->host - 1);
    p->host[strcspn(p->host, ".")] = '\0';
    p->node_cores = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof p->cores, &p->cores) != 0)
        CPU_ZERO(&p->cores);
}

/* "0-3,8" */
static void put_range(struct laser_text *out, int first, int last)
{
    if (first == last)
        laser_text_printf(out, "%s%d", out->size > 0 ? "," : "", first);
    else
        laser_text_printf(out, "%s%d-%d", out->size > 0 ? "," : "", first, last);
}

static void cores_text(const cpu_set_t *set, struct laser_text *out)
{
    for (int first = 0; first < CPU_SETSIZE; ++first) {
        int last = first;
        if (!CPU_ISSET(first, set))
            continue;
        while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, set))
            ++last;
        put_range(out, first, last);
        first = last;
    }
}

/* The ranks of one node, and what they are bound to. */
struct node {
    const char *host;
    int ranks, workers, node_cores;
    int fewest, most; /* cores of a rank */
    cpu_set_t cores;  /* of all its ranks */
    struct laser_text list;
};

static void look_at_node(const struct place *places, int size, int first, struct node *node)
{
    memset(node, 0, sizeof *node);
    node->host = places[first].host;
    node->node_cores = places[first].node_cores;
    node->fewest = CPU_SETSIZE;
    for (int r = first; r < size; ++r) {
        int last = r, count;
        if (strcmp(places[r].host, node->host) != 0)
            continue;
        while (last + 1 < size && strcmp(places[last + 1].host, node->host) == 0)
            ++last;
        put_range(&node->list, r, last);
        for (; r <= last; ++r) {
            count = CPU_COUNT(&places[r].cores);
            ++node->ranks;
            node->workers += size == 1 || r > 0;
            node->fewest = count < node->fewest ? count : node->fewest;
            node->most = count > node->most ? count : node->most;
            CPU_OR(&node->cores, &node->cores, &places[r].cores);
        }
        --r;
    }
}

static void say_node(struct laser_log *log, const struct node *node, int threads)
{
    int cores = CPU_COUNT(&node->cores);
    struct laser_text text = {0};
    char bound[64];

    cores_text(&node->cores, &text);
    if (node->fewest == cores && node->most == cores)
        snprintf(bound, sizeof bound, "not bound");
    else if (node->fewest == node->most)
        snprintf(bound, sizeof bound, "bound to %d core%s each", node->most, node->most > 1 ? "s" : "");
    else
        snprintf(bound, sizeof bound, "bound to %d to %d cores each", node->fewest, node->most);
    laser_log_line(log, "NODE", "%s: rank%s %s, %s, %d of %d cores (%s)", node->host,
                   node->ranks > 1 ? "s" : "", node->list.data, bound, cores, node->node_cores, text.data);
    if (node->workers * threads > cores)
        laser_log_line(log, "WARNING",
                       "%s: %d working rank%s of %d thread%s share%s %d core%s: more than there are",
                       node->host, node->workers, node->workers > 1 ? "s" : "", threads,
                       threads > 1 ? "s" : "", node->workers > 1 ? "" : "s", cores, cores > 1 ? "s" : "");
    else if (node->fewest < threads)
        laser_log_line(log, "WARNING", "%s: a rank has %d threads and is bound to %d core%s", node->host,
                       threads, node->fewest, node->fewest > 1 ? "s" : "");
    laser_text_free(&text);
}

static void say_nodes(const struct laser_run *run, const struct place *places)
{
    int threads = (int)run->settings->parallel.threads, nodes = 0;
    bool all = run->log->level == LASER_LOG_VERBOSE;

    for (int r = 0; r < run->size; ++r) {
        struct node node;
        int before = 0;
        while (before < r && strcmp(places[before].host, places[r].host) != 0)
            ++before;
        if (before < r)
            continue;
        ++nodes;
        look_at_node(places, run->size, r, &node);
        if (all || nodes <= MOST_NODES)
            say_node(run->log, &node, threads);
        laser_text_free(&node.list);
    }
    if (!all && nodes > MOST_NODES)
        laser_log_line(run->log, "NODE", "and %d more (--verbose names them)", nodes - MOST_NODES);
    laser_log_line(run->log, "RANKS", "%d on %d node%s: %s; %d thread%s a rank", run->size, nodes,
                   nodes > 1 ? "s" : "", run->size > 1 ? "one coordinates, the others work" : "it does all",
                   threads, threads > 1 ? "s" : "");
}

static void say_program(const struct laser_run *run)
{
    enum laser_precision precision = run->settings->evaluate.precision;
    const char *job = getenv("SLURM_JOB_ID");

    laser_log_line(run->log, "LASER_MPI", "%s %s%s%s", PACKAGE_VERSION, laser_command_name(run->command),
                   job != NULL ? ", job " : "", job != NULL ? job : "");
    laser_log_line(run->log, "BUILD", "%s %s; %s; kernels %s",
#ifdef __clang__
                   "clang", __clang_version__,
#else
                   "gcc", __VERSION__,
#endif
                   run->libraries, laser_kernels_name(laser_kernels_current(precision)));
}

void laser_mpi_log_header(const struct laser_run *run)
{
    struct place mine, *places = run->rank == 0 ? calloc((size_t)run->size, sizeof *places) : NULL;
    int there = places != NULL;

    laser_mpi_log_hosts(run->log, laser_mpi_world(run));
    MPI_Bcast(&there, 1, MPI_INT, 0, laser_mpi_world(run));
    find_place(&mine);
    if (there)
        MPI_Gather(&mine, sizeof mine, MPI_BYTE, places, sizeof mine, MPI_BYTE, 0, laser_mpi_world(run));
    if (run->rank == 0)
        say_program(run);
    if (places != NULL)
        say_nodes(run, places);
    free(places);
}
