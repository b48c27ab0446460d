#include "run/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What log.level: quiet leaves out. */
static bool is_detail(const char *word)
{
    static const char *const details[] = {"BEGIN",  "PHASE",      "PROGRESS", "RESUME",  "BUILD",
                                          "RANKS",  "NODE",       "MEMORY",   "MODEL",   "LIMIT",
                                          "SHARES", "CANDIDATES", "KEPT",     "REVERTED"};

    for (size_t i = 0; i < sizeof details / sizeof *details; ++i)
        if (strcmp(word, details[i]) == 0)
            return true;
    return false;
}

static bool speaks(const struct laser_log *log)
{
    return log->speaks && log->writer != NULL;
}

static void put_line(struct laser_log *log, const char *word, const char *fmt, va_list args)
{
    char text[4096];

    vsnprintf(text, sizeof text, fmt, args);
    log->writer->line(log, word, text);
}

void laser_log_line(struct laser_log *log, const char *word, const char *fmt, ...)
{
    va_list args;

    if (!speaks(log) || (log->level == LASER_LOG_QUIET && is_detail(word)))
        return;
    va_start(args, fmt);
    put_line(log, word, fmt, args);
    va_end(args);
}

void laser_log_detail(struct laser_log *log, const char *word, const char *fmt, ...)
{
    va_list args;

    if (!speaks(log) || log->level != LASER_LOG_VERBOSE)
        return;
    va_start(args, fmt);
    put_line(log, word, fmt, args);
    va_end(args);
}

void laser_log_block(struct laser_log *log, const char *text)
{
    if (speaks(log))
        log->writer->block(log, text);
}

void laser_log_value(struct laser_log *log, const char *word, const char *key, json_t *value)
{
    if (speaks(log))
        log->writer->value(log, word, key, value);
    else
        json_decref(value);
}

void laser_log_phase(struct laser_log *log, const char *phase)
{
    laser_log_phase_end(log);
    if (log->writer != NULL)
        log->writer->phase(log, phase);
    laser_log_line(log, "BEGIN", "%s", phase);
}

void laser_log_phase_end(struct laser_log *log)
{
    if (log->writer != NULL)
        log->writer->phase(log, NULL);
}

void laser_log_progress(struct laser_log *log, int64_t done, int64_t total, const char *unit)
{
    if (speaks(log) && log->level != LASER_LOG_QUIET)
        log->writer->progress(log, done, total, unit);
}

void laser_log_work(struct laser_log *log, double seconds, double flops)
{
    if (log->writer != NULL)
        log->writer->work(log, seconds, flops);
}
