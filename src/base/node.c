#include "base/node.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static void look_at_control_groups(double *limit)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    char line[PATH_MAX];

    while (f != NULL && fgets(line, sizeof line, f) != NULL) {
        char *group = strrchr(line, ':');
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::", 3) == 0)
            look_upwards("/sys/fs/cgroup", line + 3, "memory.max", limit);
        else if (strstr(line, ":memory:") != NULL && group != NULL)
            look_upwards("/sys/fs/cgroup/memory", group + 1, "memory.limit_in_bytes", limit);
    }
    if (f != NULL)
        fclose(f);
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

    look_at_control_groups(&limit);
    lower(&limit, setting("SLURM_MEM_PER_NODE") * mebibyte);
    lower(&limit, setting("SLURM_MEM_PER_CPU") * setting("SLURM_CPUS_ON_NODE") * mebibyte);
    return limit;
}

double laser_resident_memory(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    double pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%*f %lf", &pages) != 1)
        pages = 0;
    fclose(f);
    return pages * (double)sysconf(_SC_PAGESIZE);
}
