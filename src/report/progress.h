/* How far a run is: a bar for a terminal, plain lines for a log.  Pure: counts and a clock in, text out. */
#ifndef LASER_REPORT_PROGRESS_H
#define LASER_REPORT_PROGRESS_H

#include <stdint.h>

#include "base/text.h"

struct laser_progress {
    const char *what;    /* plural of what is counted: "matrices", "candidates", "windows" */
    int64_t done, total; /* total 0: not known yet */
    int64_t resumed;     /* of done, those that an earlier run had finished: no part of the rate */
    int64_t failed;
    /* Cost of the pieces in any unit, for a remaining time that knows that the large ones come first; all 0:
     * each piece counts the same. */
    double work_done, work_total, work_resumed;
    double elapsed_s; /* of this run */
};

/* Share done in [0, 1], and the seconds left (NaN: cannot be told yet). */
double laser_progress_share(const struct laser_progress *p);
double laser_progress_left(const struct laser_progress *p);

/* At most width columns, without line break: "[######....]  62% 25/40 matrices  3.2/s  5 s left". */
void laser_progress_bar(struct laser_text *out, const struct laser_progress *p, int width, int utf8);

/* "25/40 matrices (62 %), 3.2 per second, 5 s left": without line break, for a log. */
void laser_progress_line(struct laser_text *out, const struct laser_progress *p);

/* 1 when the next line is due: a bar five times a second; lines after 10 s, ever more rarely in a long run
 * (half a minute after a minute, a minute after ten, five after an hour), and the last one.  last_s:
 * elapsed_s of the line before, negative for none. */
int laser_progress_due(const struct laser_progress *p, double last_s, int is_bar);

#endif
