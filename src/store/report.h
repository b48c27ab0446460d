/* report.html, from what stands in an output directory. */
#ifndef LASER_STORE_REPORT_H
#define LASER_STORE_REPORT_H

#include "run/run.h"
#include "store/report_load.h"

/* Rank 0, at the end of a run whose files are written: run->output gets its report.html.  What the run has
 * computed is safe by then, so a report that cannot be made is a warning in the log and no error. */
void laser_report_make(struct laser_run *run);

/* Every rank, before the work: has this program the formats that report.figures asks for?  LASER_EUSAGE. */
int laser_report_check(const struct laser_deck *deck, struct laser_error *err);

/* Rank 0.  report.html of one run or of two side by side, at path. */
int laser_report_write_page(const struct laser_report_source *sources, int n, const char *path,
                            struct laser_error *err);

/* Rank 0.  run->output/FOLDER/NAME.FORMAT, if report.figures asks for figures. */
int laser_report_write_figures(struct laser_run *run, const char *folder, const struct laser_page_run *page,
                               struct laser_error *err);

/* Rank 0.  All that a scan leaves, report.html too; phases: of laser_mpi_log_phases_json.  LASER_ENUMERIC, after everything is written, if
 * a matrix failed. */
int laser_results_scan(struct laser_run *run, json_t *phases, struct laser_error *err);

#endif
