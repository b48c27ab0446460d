/* The matrices of a run, or of two, as a table: one column for every metric, and where each matrix stands in the grid of
 * layers by types.  What maps and figures are drawn from.
 */
#ifndef LASER_REPORT_MATRIX_TABLE_H
#define LASER_REPORT_MATRIX_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include "report/page.h"

enum laser_metric_kind {
    LASER_METRIC_PLAIN,
    LASER_METRIC_SHARE, /* from 0 to 1 */
    LASER_METRIC_COUNT, /* integers */
    LASER_METRIC_SIGNED /* a change: 0 is the middle of its colours */
};

/* What is known of a metric; a name that is not known explains itself. */
struct laser_metric_text {
    const char *key, *label, *explanation;
    enum laser_metric_kind kind;
};
extern const struct laser_metric_text laser_metric_texts[];
extern const size_t laser_n_metric_texts;
/* Never NULL: for an unknown key *unknown is filled and returned. */
const struct laser_metric_text *laser_metric_text_find(const char *key, struct laser_metric_text *unknown);

enum { LASER_TABLE_METRICS = 64 };

struct laser_metric_column {
    const char *key;
    double *values; /* NaN: not known */
};

/* The matrices of one run: scanned and failed ones, or those of a compression. */
struct laser_run_matrices {
    size_t n;
    const struct laser_scan_row **rows;
    char **types;     /* experts of one kind are one type: "mlp.experts.*.up_proj" */
    int64_t *experts; /* -1: no expert */
    struct laser_metric_column metrics[LASER_TABLE_METRICS];
    int n_metrics;

    /* Places in the grid: the matrices of cell (layer, type) are order[start[c]] .. order[start[c+1] - 1], by expert, with
     * c = layer * n_types + type. */
    size_t *order, *start;

    struct laser_scan_row *own_rows; /* of a compression */
    char **own_types;
};

struct laser_matrix_table {
    int n_runs;
    struct laser_run_matrices runs[2];
    char **types; /* in the order in which a decoder layer has them */
    size_t n_types;
    int64_t *layers; /* ascending, -1 (none) last */
    size_t n_layers;
};

/* 0 without memory.  Free it in any case.  Strings of the runs are used, not copied. */
int laser_matrix_table_make(struct laser_matrix_table *table, const struct laser_page_run *runs, int n_runs);
void laser_matrix_table_free(struct laser_matrix_table *table);

/* The column, or NULL. */
const double *laser_matrix_metric(const struct laser_run_matrices *list, const char *key);
/* The matrix of this name, or list->n. */
size_t laser_matrix_find(const struct laser_run_matrices *list, const char *name);

/* What a cell of the grid shows: the median of its matrices' known values. */
struct laser_cell {
    size_t n, known, failed;
    double median, low, high; /* NaN where none is known */
};
struct laser_cell laser_matrix_cell(const struct laser_matrix_table *table, int run, const double *values,
                                    size_t layer, size_t type);

#endif
