/* The room that the files of the edits take on the disk, told and looked for before they are made. */
#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/number.h"
#include "evaluate/thin.h"
#include "reduce/edits.h"

/* Bytes of the files that an earlier start left there. */
static double there_already(const char *path)
{
    DIR *stream = opendir(path);
    double bytes = 0;
    struct dirent *entry;

    while (stream != NULL && (entry = readdir(stream)) != NULL) {
        struct stat status;
        if (fstatat(dirfd(stream), entry->d_name, &status, 0) == 0 && S_ISREG(status.st_mode))
            bytes += (double)status.st_size;
    }
    if (stream != NULL)
        closedir(stream);
    return bytes;
}

int laser_edits_disk(const struct laser_run *run, const struct laser_strategy_plan *plan,
                     const int64_t *ranks, struct laser_error *err)
{
    double bytes = 0, missing, available;
    int n = 0;
    char text[2][LASER_NUMBER_SIZE];
    struct statvfs space;

    for (int e = 0; e < plan->n_edits; ++e) {
        const struct laser_matrix *m = &run->matrices.matrices[plan->edits[e].matrix];

        if (plan->edits[e].skip)
            continue;
        ++n;
        bytes += (double)m->rows * (double)m->cols * (double)laser_dtype_size(m->dtype);
        if (laser_edits_want_thin(run, m) && laser_thin_pays(m->rows, m->cols, ranks[e]))
            bytes += (double)ranks[e] * (double)(m->rows + m->cols) * sizeof(float);
    }
    laser_log_line(run->log, "EDITS", "%d edits of matrices, %s in %s/work/edits", n,
                   laser_number_bytes(bytes, text[0]), run->output);
    missing = bytes - there_already(laser_run_path(run, "work/edits"));
    if (statvfs(run->output, &space) != 0)
        return LASER_OK; /* the write itself will tell */
    available = (double)space.f_bavail * (double)space.f_frsize;
    if (missing <= available)
        return LASER_OK;
    return laser_error_set(
        err, LASER_EIO, run->output,
        "the disk has too little space for the edits: %s free, %s needed; fewer fractions, types, "
        "layers or candidates need less",
        laser_number_bytes(available, text[0]), laser_number_bytes(missing, text[1]));
}
