/* What a scan leaves behind: spectra.h5, results.json, the scan files, the table. */
#ifndef LASER_STORE_RESULTS_H
#define LASER_STORE_RESULTS_H

#include <jansson.h>

#include "report/scan_report.h"
#include "run/run.h"
#include "store/spectra.h"

/* The rows of a report, one for each matrix and each skipped tensor; free with laser_rows_free. */
struct laser_rows {
    struct laser_scan_row *rows;
    size_t n;
    struct laser_scan_number *numbers; /* of all rows */
};
int laser_rows_make(const struct laser_run *run, struct laser_rows *rows, struct laser_error *err);
void laser_rows_free(struct laser_rows *rows);

/* The fields of one row that follow from an outcome; numbers: room for laser_n_metric_fields. */
void laser_row_fill(struct laser_scan_row *row, const struct laser_outcome *outcome, enum laser_score score,
                    struct laser_scan_number *numbers);

/* Rank 0.  spectra.h5 and the scan files; *results (owned by the caller) is what results.json is to hold of
 * the scan.  For commands that add to it. */
int laser_scan_results_write(struct laser_run *run, json_t **results, struct laser_error *err);

/* Rank 0.  LASER_ENUMERIC naming the first failed matrix and their number, or LASER_OK. */
int laser_results_failures(const struct laser_run *run, struct laser_error *err);

/* Rank 0.  LASER_EUSAGE where dir has a results.json of another command than those named (NULL ends them),
 * which would be lost; LASER_OK with run.force.  For commands that take no lock. */
int laser_results_guard(const struct laser_run *run, const char *dir, const char *const *commands,
                        struct laser_error *err);

#endif
