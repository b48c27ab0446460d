/* The decisions of a reduction for a terminal, one line each. */
#ifndef LASER_REPORT_DECISION_LIST_H
#define LASER_REPORT_DECISION_LIST_H

#include <jansson.h>

#include "base/text.h"
#include "report/heat_map.h"

/* decisions: the array of results.json (doc/results.md).  rises: more of the objective is better, so changes
 * are shown with the sign of the objective.  No line is wider than style->width, but fewer than 60 columns
 * count as 60: reasons and errors are left out where there is no room, names lose what they have in common
 * and their middle.  The figure of a candidate that was given up early is left out, as a part of the windows
 * tells nothing beside the others; its reason says how many it has seen. */
void laser_decision_list(struct laser_text *out, const json_t *decisions, int rises,
                         const struct laser_heat_style *style);

#endif
