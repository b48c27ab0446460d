#include "comm/log.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "run/terminal.h"
#include "run/watch.h"

#define BAR_COLUMNS 79

/* The log that a laser_log is part of. */
static struct laser_mpi_log *own(const struct laser_log *log)
{
    return (struct laser_mpi_log *)(uintptr_t)log;
}

void laser_mpi_log_close(struct laser_mpi_log *log)
{
    free(log->hosts);
    log->hosts = NULL;
    log->n_hosts = 0;
}

void laser_mpi_log_hosts(struct laser_log *serial, MPI_Comm comm)
{
    struct laser_mpi_log *log = own(serial);
    char name[LASER_MPI_HOST_SIZE] = "";
    int rank, size, there;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &size);
    gethostname(name, sizeof name - 1);
    name[strcspn(name, ".")] = '\0';
    if (rank == 0)
        log->hosts = calloc((size_t)size, sizeof *log->hosts);
    there = log->hosts != NULL;
    MPI_Bcast(&there, 1, MPI_INT, 0, comm);
    if (!there)
        return;
    MPI_Gather(name, sizeof name, MPI_CHAR, log->hosts, sizeof name, MPI_CHAR, 0, comm);
    log->n_hosts = rank == 0 ? size : 0;
}

const char *laser_mpi_log_host(const struct laser_log *log, int rank)
{
    return rank >= 0 && rank < own(log)->n_hosts ? own(log)->hosts[rank] : "";
}

static void wipe_bar(struct laser_mpi_log *log)
{
    if (log->bar_drawn)
        fputs("\r\033[K", stdout);
    log->bar_drawn = false;
}

/* A JSON string of any bytes. */
static json_t *string_json(const char *text)
{
    json_t *value = json_string(text);
    char *copy;

    if (value != NULL || (copy = strdup(text)) == NULL)
        return value;
    for (char *c = copy; *c != '\0'; ++c)
        if ((unsigned char)*c > 127)
            *c = '?';
    value = json_string(copy);
    free(copy);
    return value;
}

static void print_json(const struct laser_mpi_log *log, const char *word, const char *key, json_t *value)
{
    json_t *line =
        json_pack("{s:s, s:f, s:o}", "event", word, "elapsed_s", laser_clock_s() - log->start_s, key, value);

    if (line == NULL)
        return;
    json_dumpf(line, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    fflush(stdout);
    json_decref(line);
}

static void put_line(struct laser_log *log, const char *word, const char *text)
{
    struct laser_mpi_log *l = own(log);

    wipe_bar(l);
    if (l->json)
        print_json(l, word, "text", string_json(text));
    else
        printf(text[0] != '\0' ? "%-10s %s\n" : "%s\n", word, text);
    fflush(stdout);
}

static void put_block(struct laser_log *log, const char *text)
{
    if (own(log)->json)
        return;
    wipe_bar(own(log));
    fputs(text, stdout);
    fflush(stdout);
}

static void put_value(struct laser_log *log, const char *word, const char *key, json_t *value)
{
    if (own(log)->json)
        print_json(own(log), word, key, value);
    else
        json_decref(value);
}

static void end_phase(struct laser_mpi_log *l)
{
    if (l->log.speaks)
        wipe_bar(l);
    if (l->phase == NULL)
        return;
    laser_log_line(&l->log, "PHASE", "%s: %.2f s", l->phase, laser_clock_s() - l->phase_start_s);
    laser_mpi_phases_enter(&l->phases, NULL);
    l->phase = NULL;
}

static void enter_phase(struct laser_log *log, const char *phase)
{
    struct laser_mpi_log *l = own(log);

    if (phase == NULL) {
        end_phase(l);
        return;
    }
    laser_mpi_phases_enter(&l->phases, phase);
    laser_watch_tick();
    l->phase = phase;
    l->phase_start_s = laser_clock_s();
    l->last_progress_s = -1;
}

static void add_work(struct laser_log *log, double seconds, double flops)
{
    laser_mpi_phases_work(&own(log)->phases, seconds, flops);
}

static void put_progress(struct laser_log *log, int64_t done, int64_t total, const char *unit)
{
    struct laser_mpi_log *l = own(log);
    struct laser_progress p = {
        .what = unit, .done = done, .total = total, .elapsed_s = laser_clock_s() - l->phase_start_s};
    struct laser_text text = {0};

    if (l->phase == NULL || total < 1 || done >= total || !(l->bar || l->lines) ||
        !laser_progress_due(&p, l->last_progress_s, l->bar))
        return;
    l->last_progress_s = p.elapsed_s;
    if (l->bar)
        laser_progress_bar(&text, &p, BAR_COLUMNS - (int)strlen(l->phase) - 1, l->utf8);
    else
        laser_progress_line(&text, &p);
    if (text.data == NULL || text.failed) {
        laser_text_free(&text);
        return;
    }
    if (l->bar) {
        printf("\r\033[K%s %s", l->phase, text.data);
        l->bar_drawn = true;
        fflush(stdout);
    } else {
        laser_log_line(log, "PROGRESS", "%s: %s", l->phase, text.data);
    }
    laser_text_free(&text);
}

void laser_mpi_log_open(struct laser_mpi_log *log, int rank, bool json, enum laser_progress_kind progress,
                        enum laser_log_level level)
{
    static const struct laser_log_writer writer = {.line = put_line,
                                                   .block = put_block,
                                                   .value = put_value,
                                                   .phase = enter_phase,
                                                   .progress = put_progress,
                                                   .work = add_work};
    bool terminal = laser_terminal_is_watched();

    memset(log, 0, sizeof *log);
    log->log = (struct laser_log){.writer = &writer, .speaks = rank == 0, .level = level};
    log->json = json;
    log->bar = !json && (progress == LASER_PROGRESS_BAR || (progress == LASER_PROGRESS_AUTO && terminal));
    log->lines = progress == LASER_PROGRESS_LINES || (progress == LASER_PROGRESS_AUTO && !log->bar);
    log->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    log->start_s = laser_clock_s();
    laser_mpi_phases_start(&log->phases);
}

void laser_mpi_log_phases(struct laser_log *log, MPI_Comm comm)
{
    struct laser_phase_row rows[LASER_MPI_MAX_PHASES];
    struct laser_text table = {0};
    int n = laser_mpi_phases_collect(&own(log)->phases, comm, rows);

    if (!log->speaks || log->level == LASER_LOG_QUIET)
        return;
    laser_log_value(log, "PHASES", "phases", laser_phase_json(rows, n));
    laser_phase_table(&table, rows, n);
    if (table.data != NULL && !table.failed)
        laser_log_block(log, table.data);
    laser_text_free(&table);
}

json_t *laser_mpi_log_phases_json(struct laser_log *log, MPI_Comm comm)
{
    struct laser_phase_row rows[LASER_MPI_MAX_PHASES];
    int n = laser_mpi_phases_collect(&own(log)->phases, comm, rows);

    return log->speaks ? laser_phase_json(rows, n) : NULL;
}

void laser_mpi_log_error(struct laser_log *log, const struct laser_error *err)
{
    const char *host = laser_mpi_log_host(log, err->rank);
    char place[128] = "";

    if (!log->speaks)
        return;
    wipe_bar(own(log));
    fflush(stdout);
    if (err->rank > 0)
        snprintf(place, sizeof place, " (rank %d%s%s)", err->rank, host[0] != '\0' ? " on " : "", host);
    fprintf(stderr, "laser_mpi: %s%s%s%s\n", err->where, err->where[0] != '\0' ? ": " : "", err->text, place);
    laser_log_value(log, "ERROR", "error",
                    json_pack("{s:i, s:s, s:o, s:o, s:i, s:s}", "code", err->code, "kind",
                              laser_result_name(err->code), "where", string_json(err->where), "text",
                              string_json(err->text), "rank", err->rank, "host", host));
}
