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

/* The layer of an entry of `layers`: -2 for all layers together, -1 for none. */
int64_t laser_sweep_layer(const json_t *layer);

#endif
