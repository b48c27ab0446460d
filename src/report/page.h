/* report.html: everything about a run, or about two side by side, in one file that needs no network.
 *
 * Pure: what was read of a run's files goes in, a text comes out.  The page's own sources are
 * src/report/page/; the figures are put into it as SVG, the numbers behind them as JSON.
 */
#ifndef LASER_REPORT_PAGE_H
#define LASER_REPORT_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/text.h"
#include "report/scan_report.h"

/* A line of the provenance, or a notice. */
struct laser_page_note {
    const char *name, *text;
};

/* The loss of a window of text. */
struct laser_page_window {
    int32_t dataset; /* index into the names */
    int32_t scored;  /* tokens */
    double nll_nats; /* mean of the scored tokens */
};

/* One run.  Strings and arrays are the caller's; whatever is NULL or empty is left out of the page. */
struct laser_page_run {
    const char *label;   /* what tells the two runs of a comparison apart */
    const char *model;   /* name for people */
    const char *command; /* "scan", "reduce", or what the file is: "Spectrum scan" */
    const char *rule, *score;
    const struct laser_scan_row *rows; /* every tensor that is known */
    size_t n_rows;
    const json_t *results; /* results.json; its matrices are not looked at */
    const char *deck;      /* YAML */
    const struct laser_page_note *provenance;
    size_t n_provenance;
    const struct laser_page_note *notices; /* name: the file; what is wrong with it */
    size_t n_notices;
    const char *const *datasets; /* names, of the windows */
    size_t n_datasets;
    const struct laser_page_window *windows;
    size_t n_windows;
    int is_paired; /* of the second run: its windows are those of the first */
};

/* Appends the page for one run, or for two in comparison (differences are those of the second less the
 * first). Names may hold anything.  Runs of many matrices are drawn from fewer points each, so that the page
 * grows slowly: about 1 kB a matrix, 0.5 kB beyond 2000. */
void laser_page_render(struct laser_text *out, const struct laser_page_run *runs, int n_runs);

#endif
