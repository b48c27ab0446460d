#include "base/node.h"

#include <limits.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* The number in a file; 0 for "max", no file, or what is no number. */
static double number_in(const char *path)
{
    FILE *f = fopen(path, "re");
    double value = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%lf", &value) != 1)
        value = 0;
    fclose(f);
    return value;
}

static void lower(double *limit, double bytes)
{
    if (bytes > 0 && bytes < *limit)
        *limit = bytes;
}

/* A control group and all those above it. */
static void look_upwards(const char *root, char *group, const char *file, double *limit)
{
    char path[2 * PATH_MAX];

    for (;;) {
        char *slash;
        snprintf(path, sizeof path, "%s%s/%s", root, group, file);
        lower(limit, number_in(path));
        slash = strrchr(group, '/');
        if (slash == NULL)
            return;
        *slash = '\0';
    }
}

/* Is `memory` one of the controllers in a line of version 1, "9:cpu,memory:/path"? */
static bool of_memory(const char *controllers, size_t n)
{
    for (size_t at = 0, end; at < n; at = end + 1) {
        for (end = at; end < n && controllers[end] != ',';)
            ++end;
        if (end - at == strlen("memory") && strncmp(controllers + at, "memory", end - at) == 0)
            return true;
    }
    return false;
}

double laser_control_group_memory(const char *list, const char *root)
{
    FILE *f = fopen(list, "re");
    char line[PATH_MAX], at[PATH_MAX];
    double limit = INFINITY;

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        /* NUMBER:CONTROLLERS:PATH, and the path may hold colons. */
        char *controllers = strchr(line, ':'), *group;
        line[strcspn(line, "\n")] = '\0';
        group = controllers != NULL ? strchr(++controllers, ':') : NULL;
        if (group == NULL || strlen(group) >= sizeof at)
            continue;
        if (strncmp(line, "0::", 3) == 0) {
            look_upwards(root, strcpy(at, group + 1), "memory.max", &limit);
            look_upwards(root, strcpy(at, group + 1), "memory.high", &limit);
        } else if (of_memory(controllers, (size_t)(group - controllers))) {
            char hierarchy[PATH_MAX];
            snprintf(hierarchy, sizeof hierarchy, "%s/%.*s", root, (int)(group - controllers), controllers);
            look_upwards(hierarchy, group + 1, "memory.limit_in_bytes", &limit);
        }
    }
    if (f != NULL)
        fclose(f);
    return limit;
}

static double setting(const char *name)
{
    const char *text = getenv(name);

    return text != NULL ? strtod(text, NULL) : 0;
}

double laser_node_memory(void)
{
    double limit = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    const double mebibyte = 1 << 20;

    lower(&limit, laser_control_group_memory("/proc/self/cgroup", "/sys/fs/cgroup"));
    lower(&limit, setting("SLURM_MEM_PER_NODE") * mebibyte);
    lower(&limit, setting("SLURM_MEM_PER_CPU") * setting("SLURM_CPUS_ON_NODE") * mebibyte);
    return limit;
}

/* The figures of this process in pages: all of its addresses, those that are resident, and its data. */
static void own_pages(double *all, double *resident, double *data)
{
    FILE *f = fopen("/proc/self/statm", "re");

    *all = *resident = *data = 0;
    if (f == NULL)
        return;
    if (fscanf(f, "%lf %lf %*f %*f %*f %lf", all, resident, data) != 3)
        *all = *resident = *data = 0;
    fclose(f);
}

double laser_resident_memory(void)
{
    double all, resident, data;

    own_pages(&all, &resident, &data);
    return resident * (double)sysconf(_SC_PAGESIZE);
}

/* Takes a limit of the process into account if it leaves less than those before it. */
static void look_at_limit(int resource, const char *name, double used_bytes,
                          struct laser_address_space *space)
{
    struct rlimit l;

    if (getrlimit(resource, &l) != 0 || l.rlim_cur == RLIM_INFINITY ||
        (double)l.rlim_cur - used_bytes >= space->left_bytes)
        return;
    space->name = name;
    space->limit_bytes = (double)l.rlim_cur;
    space->left_bytes = (double)l.rlim_cur > used_bytes ? (double)l.rlim_cur - used_bytes : 0;
}

struct laser_address_space laser_address_space(void)
{
    struct laser_address_space space = {NULL, INFINITY, INFINITY};
    const double page = (double)sysconf(_SC_PAGESIZE);
    double all, resident, data;

    own_pages(&all, &resident, &data);
    look_at_limit(RLIMIT_AS, "address space, ulimit -v", all * page, &space);
    look_at_limit(RLIMIT_DATA, "data segment, ulimit -d", data * page, &space);
    return space;
}
