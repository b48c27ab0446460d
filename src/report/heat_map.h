/* A map of scores for a terminal: one row a layer, one column a type. */
#ifndef LASER_REPORT_HEAT_MAP_H
#define LASER_REPORT_HEAT_MAP_H

#include <stddef.h>

#include "base/text.h"
#include "report/scan_report.h"

struct laser_heat_style {
    int width;   /* columns of the terminal: types that do not fit go into further blocks */
    int colours; /* 1: the 256 colours of a terminal, from blue (lowest tenth) to red (highest) */
};

/* Scores of the scanned rows: layers downwards in ascending order, those without a layer last; a dot where
 * there is none, `failed` where it failed.  Experts of one type in a layer: their mean. */
void laser_heat_map(struct laser_text *out, const struct laser_scan_row *rows, size_t count,
                    const struct laser_heat_style *style);

#endif
