/* What report.html is made from: the files of an output directory, as far as they are there and whole. */
#ifndef LASER_STORE_REPORT_LOAD_H
#define LASER_STORE_REPORT_LOAD_H

#include "report/page.h"
#include "report/scan_report.h"
#include "store/scan_load.h"
#include "store/windows.h"

enum { LASER_REPORT_NOTES = 16 };

struct laser_report_source {
    struct laser_page_run page; /* points into what follows */
    json_t *results;
    struct laser_scan_input scan; /* spectra.h5, or a scan of another program */
    struct laser_windows windows;
    struct laser_scan_row *rows;
    struct laser_scan_number *numbers;
    struct laser_page_window *losses;
    const char **datasets;
    struct laser_page_note provenance[LASER_REPORT_NOTES], notices[LASER_REPORT_NOTES];
    char texts[LASER_REPORT_NOTES][1600]; /* of notices and of numbers in the provenance */
    int n_texts;
    char *model_id, *label;
};

/* Local.  path: an output directory, a spectra file, or a scan that another program wrote
 * (exchange/foreign.h).  A file that is torn or of another version becomes a notice on the page
 * and is left out; LASER_EINPUT (the first such error) when nothing remains.  Free with
 * laser_report_free, also after an error. */
int laser_report_load(const char *path, struct laser_report_source *source, struct laser_error *err);
/* Before two runs are shown side by side.  Matrices that both have under different names (another prefix, no ".weight")
 * take the names of the first: they are the same where layer and type are.  LASER_EINPUT: there are matrices, but none in
 * both, and no losses, scores or decisions that could be compared instead. */
int laser_report_pair(struct laser_report_source sources[2], const char *first, const char *second,
                      struct laser_error *err);
/* Adds a notice to the page, as far as there is room; the text is copied, the name is not. */
void laser_report_notice(struct laser_report_source *source, const char *name, const char *text);
void laser_report_free(struct laser_report_source *source);

#endif
