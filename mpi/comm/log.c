#include "comm/log.h"

#include <langinfo.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "comm/watch.h"

#define BAR_COLUMNS 79

void laser_mpi_log_open(struct laser_mpi_log *log, int rank, bool json, enum laser_mpi_progress progress,
                        enum laser_mpi_log_level level)
{
    bool terminal = laser_mpi_log_terminal();

    memset(log, 0, sizeof *log);
    log->speaks = rank == 0;
    log->json = json;
    log->level = level;
    log->bar =
        !json && (progress == LASER_MPI_PROGRESS_BAR || (progress == LASER_MPI_PROGRESS_AUTO && terminal));
    log->lines = progress == LASER_MPI_PROGRESS_LINES || (progress == LASER_MPI_PROGRESS_AUTO && !log->bar);
    log->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    log->start_s = MPI_Wtime();
    laser_mpi_phases_start(&log->phases);
}

void laser_mpi_log_close(struct laser_mpi_log *log)
{
    free(log->hosts);
    log->hosts = NULL;
    log->n_hosts = 0;
}

void laser_mpi_log_hosts(struct laser_mpi_log *log, MPI_Comm comm)
{
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

const char *laser_mpi_log_host(const struct laser_mpi_log *log, int rank)
{
    return rank >= 0 && rank < log->n_hosts ? log->hosts[rank] : "";
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
        json_pack("{s:s, s:f, s:o}", "event", word, "elapsed_s", MPI_Wtime() - log->start_s, key, value);

    if (line == NULL)
        return;
    json_dumpf(line, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    fflush(stdout);
    json_decref(line);
}

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

static void put_line(struct laser_mpi_log *log, const char *word, const char *fmt, va_list args)
{
    char text[4096];

    vsnprintf(text, sizeof text, fmt, args);
    wipe_bar(log);
    if (log->json)
        print_json(log, word, "text", string_json(text));
    else
        printf(text[0] != '\0' ? "%-10s %s\n" : "%s\n", word, text);
    fflush(stdout);
}

void laser_mpi_log_line(struct laser_mpi_log *log, const char *word, const char *fmt, ...)
{
    va_list args;

    if (!log->speaks || (log->level == LASER_MPI_LOG_QUIET && is_detail(word)))
        return;
    va_start(args, fmt);
    put_line(log, word, fmt, args);
    va_end(args);
}

void laser_mpi_log_detail(struct laser_mpi_log *log, const char *word, const char *fmt, ...)
{
    va_list args;

    if (!log->speaks || log->level != LASER_MPI_LOG_VERBOSE)
        return;
    va_start(args, fmt);
    put_line(log, word, fmt, args);
    va_end(args);
}

void laser_mpi_log_block(struct laser_mpi_log *log, const char *text)
{
    if (!log->speaks || log->json)
        return;
    wipe_bar(log);
    fputs(text, stdout);
    fflush(stdout);
}

void laser_mpi_log_value(struct laser_mpi_log *log, const char *word, const char *key, json_t *value)
{
    if (log->speaks && log->json)
        print_json(log, word, key, value);
    else
        json_decref(value);
}

void laser_mpi_log_phase(struct laser_mpi_log *log, const char *phase)
{
    laser_mpi_log_phase_end(log);
    laser_mpi_phases_enter(&log->phases, phase);
    laser_mpi_watch_tick();
    log->phase = phase;
    log->phase_start_s = MPI_Wtime();
    log->last_progress_s = -1;
    laser_mpi_log_line(log, "BEGIN", "%s", phase);
}

void laser_mpi_log_phase_end(struct laser_mpi_log *log)
{
    if (log->speaks)
        wipe_bar(log);
    if (log->phase == NULL)
        return;
    laser_mpi_log_line(log, "PHASE", "%s: %.2f s", log->phase, MPI_Wtime() - log->phase_start_s);
    laser_mpi_phases_enter(&log->phases, NULL);
    log->phase = NULL;
}

void laser_mpi_log_work(struct laser_mpi_log *log, double seconds, double flops)
{
    laser_mpi_phases_work(&log->phases, seconds, flops);
}

void laser_mpi_log_phases(struct laser_mpi_log *log, MPI_Comm comm)
{
    struct laser_phase_row rows[LASER_MPI_MAX_PHASES];
    struct laser_text table = {0};
    int n = laser_mpi_phases_collect(&log->phases, comm, rows);

    if (!log->speaks || log->level == LASER_MPI_LOG_QUIET)
        return;
    laser_mpi_log_value(log, "PHASES", "phases", laser_phase_json(rows, n));
    laser_phase_table(&table, rows, n);
    if (table.data != NULL && !table.failed)
        laser_mpi_log_block(log, table.data);
    laser_text_free(&table);
}

json_t *laser_mpi_log_phases_json(struct laser_mpi_log *log, MPI_Comm comm)
{
    struct laser_phase_row rows[LASER_MPI_MAX_PHASES];
    int n = laser_mpi_phases_collect(&log->phases, comm, rows);

    return log->speaks ? laser_phase_json(rows, n) : NULL;
}

void laser_mpi_log_progress(struct laser_mpi_log *log, int64_t done, int64_t total, const char *unit)
{
    struct laser_progress p = {
        .what = unit, .done = done, .total = total, .elapsed_s = MPI_Wtime() - log->phase_start_s};
    struct laser_text text = {0};

    if (!log->speaks || log->phase == NULL || total < 1 || done >= total || !(log->bar || log->lines) ||
        log->level == LASER_MPI_LOG_QUIET || !laser_progress_due(&p, log->last_progress_s, log->bar))
        return;
    log->last_progress_s = p.elapsed_s;
    if (log->bar)
        laser_progress_bar(&text, &p, BAR_COLUMNS - (int)strlen(log->phase) - 1, log->utf8);
    else
        laser_progress_line(&text, &p);
    if (text.data == NULL || text.failed) {
        laser_text_free(&text);
        return;
    }
    if (log->bar) {
        printf("\r\033[K%s %s", log->phase, text.data);
        log->bar_drawn = true;
        fflush(stdout);
    } else {
        laser_mpi_log_line(log, "PROGRESS", "%s: %s", log->phase, text.data);
    }
    laser_text_free(&text);
}

void laser_mpi_log_error(struct laser_mpi_log *log, const struct laser_error *err)
{
    const char *host = laser_mpi_log_host(log, err->rank);
    char place[128] = "";

    if (!log->speaks)
        return;
    wipe_bar(log);
    fflush(stdout);
    if (err->rank > 0)
        snprintf(place, sizeof place, " (rank %d%s%s)", err->rank, host[0] != '\0' ? " on " : "", host);
    fprintf(stderr, "laser_mpi: %s%s%s%s\n", err->where, err->where[0] != '\0' ? ": " : "", err->text, place);
    laser_mpi_log_value(log, "ERROR", "error",
                        json_pack("{s:i, s:s, s:o, s:o, s:i, s:s}", "code", err->code, "kind",
                                  laser_result_name(err->code), "where", string_json(err->where), "text",
                                  string_json(err->text), "rank", err->rank, "host", host));
}
