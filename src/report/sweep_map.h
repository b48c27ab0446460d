/* The outcome of a sweep for a terminal: a map of gains, layers by types, from what results.json holds of it.
 */
#ifndef LASER_REPORT_SWEEP_MAP_H
#define LASER_REPORT_SWEEP_MAP_H

#include <jansson.h>

#include "base/text.h"
#include "report/heat_map.h"

/* table: `sweep_table` of results.json (doc/results.md): layers, types, and the best gain of each pair.
 * Nothing is written for a table without these. */
void laser_sweep_map(struct laser_text *out, const json_t *table, const struct laser_heat_style *style);

/* One row of a map for each cell that was measured: at most layers x types.  Returns how many. */
size_t laser_sweep_rows(const json_t *table, struct laser_scan_row *rows);

#endif
