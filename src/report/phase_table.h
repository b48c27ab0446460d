/* Where the time of a run went: one row for each phase, as a table for a log and as JSON. */
#ifndef LASER_REPORT_PHASE_TABLE_H
#define LASER_REPORT_PHASE_TABLE_H

#include <jansson.h>

#include "base/text.h"

struct laser_phase_row {
    const char *name;
    double seconds;                             /* from its beginning to its end */
    double work_min_s, work_mean_s, work_max_s; /* that the working ranks computed in it */
    double flops;                               /* of all ranks; 0: none were counted */
    double read_bytes, written_bytes;           /* files, all ranks */
    double rank_peak_bytes, node_peak_bytes; /* resident memory up to its end: fullest rank, fullest node */
};

/* "phase seconds share ...", a line for each row and one for the total, at most 110 columns wide. */
void laser_phase_table(struct laser_text *out, const struct laser_phase_row *rows, int n);

/* An array of objects: name, seconds, share, work_seconds {min, mean, max}, gflops_per_second, read_bytes,
 * written_bytes, rank_peak_bytes, node_peak_bytes.  NULL without memory. */
json_t *laser_phase_json(const struct laser_phase_row *rows, int n);

#endif
