/* What a run says.  Where it goes is up to who made the log (comm/log.h: rank 0's standard output); the functions here decide
 * what is said at all and put the text together, so that code without MPI can speak and be tested.
 *
 * Text for people by default, each line beginning with a word in capitals that can be searched for.
 */
#ifndef LASER_RUN_LOG_H
#define LASER_RUN_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "deck/settings.h"

struct laser_log;

/* How a log writes.  Only called where the log speaks, except phase and work, which every rank accounts for. */
struct laser_log_writer {
    void (*line)(struct laser_log *log, const char *word, const char *text);
    void (*block)(struct laser_log *log, const char *text);
    void (*value)(struct laser_log *log, const char *word, const char *key,
                  json_t *value);                            /* takes value over */
    void (*phase)(struct laser_log *log, const char *phase); /* NULL: the end of one */
    void (*progress)(struct laser_log *log, int64_t done, int64_t total, const char *unit);
    void (*work)(struct laser_log *log, double seconds, double flops);
};

struct laser_log {
    const struct laser_log_writer *writer; /* NULL: silent */
    bool speaks;                           /* rank 0 */
    enum laser_log_level level;
};

/* One line: `WORD  text`. */
void laser_log_line(struct laser_log *log, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for log.level: verbose alone. */
void laser_log_detail(struct laser_log *log, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A block of text as it is (a table); left out where the log is for machines. */
void laser_log_block(struct laser_log *log, const char *text);

/* For machines alone: {"event": word, "elapsed_s": ..., key: value}.  Takes the value over. */
void laser_log_value(struct laser_log *log, const char *word, const char *key, json_t *value);

/* Begins a phase (`BEGIN  name`), and ends the one before. */
void laser_log_phase(struct laser_log *log, const char *phase);

/* Ends the phase (`PHASE  name: seconds`). */
void laser_log_phase_end(struct laser_log *log);

/* Progress of the phase (report/progress.h has the pace).  unit: "matrices". */
void laser_log_progress(struct laser_log *log, int64_t done, int64_t total, const char *unit);

/* Computing that this rank has done in the phase; any rank. */
void laser_log_work(struct laser_log *log, double seconds, double flops);

#endif
