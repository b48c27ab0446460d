/* Rows in groups of equal keys.  Private to this module. */
#ifndef LASER_REPORT_GROUPS_H
#define LASER_REPORT_GROUPS_H

#include <stddef.h>

#include "report/scan_report.h"

struct laser_row_groups {
    size_t *order; /* row numbers, group after group, in a group as the rows stand */
    size_t *start; /* count + 1 beginnings in order */
    size_t count;  /* groups, in the order in which their first rows stand */
};

/* Groups the rows that have a key (keys[i] != NULL).  0 without memory. */
int laser_row_groups_make(struct laser_row_groups *groups, const char *const *keys, size_t nrows);
void laser_row_groups_free(struct laser_row_groups *groups);

/* Sorts n row numbers by score, best first; equals stay, NaN comes last.  0 without memory. */
int laser_rows_sort(const struct laser_scan_row *rows, size_t *order, size_t n);

#endif
