/* A share of the matrices, best or worst, of each type or of all together. */
#ifndef LASER_REPORT_PICK_H
#define LASER_REPORT_PICK_H

#include <stddef.h>

#include "report/scan_report.h"

struct laser_pick_rule {
    const char *metric; /* a number of the rows (laser_row_metric); NULL: the score */
    int percent;        /* 0..100, of the scanned rows: int(n * percent / 100) */
    int bottom;         /* 1: those of the lowest numbers, 0: of the highest */
    int overall;        /* 1: of all types together */
};

struct laser_pick {
    size_t *order;      /* scanned row numbers, type after type, first to be picked first, NaN last */
    size_t *start;      /* n_types + 1 beginnings in order */
    const char **types; /* in the order in which their first rows stand; the rows' strings */
    size_t n_types;
    unsigned char *picked; /* of each row: 1 if it is */
    size_t n_picked;
};

/* Rows whose number is NaN are never picked, equals in the order of the rows.  0 without memory.  Free with
 * laser_pick_free, also then. */
int laser_pick_make(struct laser_pick *pick, const struct laser_scan_row *rows, size_t count,
                    const struct laser_pick_rule *rule);
void laser_pick_free(struct laser_pick *pick);

/* A number of a row by its name in results.json: "score", "snr", "rank", "s_max", "alpha", ...; 0 if the row
 * has none of that name. */
int laser_row_metric(const struct laser_scan_row *row, const char *name, double *value);

#endif
