#include "comm/log.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a process's standard output is; empty if that cannot be told. */
static void output_of(long process, char *target, size_t size)
{
    char link[64];
    ssize_t n;

    snprintf(link, sizeof link, "/proc/%ld/fd/1", process);
    n = readlink(link, target, size - 1);
    target[n > 0 ? n : 0] = '\0';
}

static long parent_of(long process)
{
    char path[64], text[512], *end;
    long parent = 0;
    FILE *f;

    snprintf(path, sizeof path, "/proc/%ld/stat", process);
    f = fopen(path, "re");
    if (f == NULL)
        return 0;
    /* PID (COMMAND) STATE PARENT; the command may hold blanks and brackets. */
    if (fgets(text, sizeof text, f) != NULL && (end = strrchr(text, ')')) != NULL &&
        sscanf(end + 1, " %*c %ld", &parent) != 1)
        parent = 0;
    fclose(f);
    return parent;
}

/* Does a person watch?  Open MPI gives a rank a pseudo-terminal whatever mpirun itself writes to, so there it
 * is the launcher's standard output that counts: that of the first ancestor with another one than ours (a
 * shell between them has ours). */
bool laser_mpi_log_terminal(void)
{
    char mine[256], target[256];
    long process = (long)getpid();

    if (!isatty(STDOUT_FILENO) || getenv("OMPI_COMM_WORLD_RANK") == NULL)
        return isatty(STDOUT_FILENO);
    output_of(process, mine, sizeof mine);
    do {
        process = parent_of(process);
        output_of(process, target, sizeof target);
    } while (process > 1 && strcmp(mine, target) == 0);
    return strncmp(target, "/dev/pts/", 9) == 0 || strncmp(target, "/dev/tty", 8) == 0;
}

void laser_mpi_log_open(struct laser_mpi_log *log, int rank, bool json, enum laser_mpi_progress progress)
{
    bool terminal = laser_mpi_log_terminal();

    memset(log, 0, sizeof *log);
    log->speaks = rank == 0;
    log->json = json;
    log->bar =
        !json && (progress == LASER_MPI_PROGRESS_BAR || (progress == LASER_MPI_PROGRESS_AUTO && terminal));
    log->lines = progress == LASER_MPI_PROGRESS_LINES || (progress == LASER_MPI_PROGRESS_AUTO && !log->bar);
    log->start_s = MPI_Wtime();
}

static void wipe_bar(struct laser_mpi_log *log)
{
    if (log->bar_drawn)
        fputs("\r\033[K", stdout);
    log->bar_drawn = false;
}

static void print_json(const char *word, double elapsed_s, const char *text)
{
    json_t *line = json_pack("{s:s, s:f, s:s}", "event", word, "elapsed_s", elapsed_s, "text", text);

    if (line == NULL)
        return;
    json_dumpf(line, stdout, JSON_COMPACT);
    fputc('\n', stdout);
    json_decref(line);
}

void laser_mpi_log_line(struct laser_mpi_log *log, const char *word, const char *fmt, ...)
{
    char text[4096];
    va_list args;

    if (!log->speaks)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    wipe_bar(log);
    if (log->json)
        print_json(word, MPI_Wtime() - log->start_s, text);
    else
        printf("%-10s %s\n", word, text);
    fflush(stdout);
}

void laser_mpi_log_block(struct laser_mpi_log *log, const char *text)
{
    if (!log->speaks || log->json)
        return;
    wipe_bar(log);
    fputs(text, stdout);
    fflush(stdout);
}

void laser_mpi_log_phase(struct laser_mpi_log *log, const char *phase)
{
    laser_mpi_log_phase_end(log);
    log->phase = phase;
    log->phase_start_s = log->last_progress_s = MPI_Wtime();
    if (log->json)
        laser_mpi_log_line(log, "PHASE", "%s", phase);
}

void laser_mpi_log_phase_end(struct laser_mpi_log *log)
{
    if (log->speaks)
        wipe_bar(log);
    if (log->phase != NULL)
        laser_mpi_log_line(log, "PHASE", "%s: %.2f s", log->phase, MPI_Wtime() - log->phase_start_s);
    if (log->phase != NULL && log->n_phases < LASER_MPI_MAX_PHASES) {
        log->phases[log->n_phases].name = log->phase;
        log->phases[log->n_phases++].seconds = MPI_Wtime() - log->phase_start_s;
    }
    log->phase = NULL;
}

void laser_mpi_log_phases_text(const struct laser_mpi_log *log, MPI_Comm comm, char *text, size_t size)
{
    double mine[LASER_MPI_MAX_PHASES] = {0}, least[LASER_MPI_MAX_PHASES], sum[LASER_MPI_MAX_PHASES],
           most[LASER_MPI_MAX_PHASES];
    int rank, ranks;

    MPI_Comm_rank(comm, &rank);
    MPI_Comm_size(comm, &ranks);
    for (int i = 0; i < log->n_phases; ++i)
        mine[i] = log->phases[i].seconds;
    MPI_Reduce(mine, least, LASER_MPI_MAX_PHASES, MPI_DOUBLE, MPI_MIN, 0, comm);
    MPI_Reduce(mine, sum, LASER_MPI_MAX_PHASES, MPI_DOUBLE, MPI_SUM, 0, comm);
    MPI_Reduce(mine, most, LASER_MPI_MAX_PHASES, MPI_DOUBLE, MPI_MAX, 0, comm);
    text[0] = '\0';
    for (int i = 0; rank == 0 && i < log->n_phases; ++i) {
        size_t used = strlen(text);
        snprintf(text + used, size - used, "%s%s %.2f / %.2f / %.2f", i > 0 ? ", " : "", log->phases[i].name,
                 least[i], sum[i] / ranks, most[i]);
    }
}

static void duration(double seconds, char *text, size_t size)
{
    if (seconds < 100)
        snprintf(text, size, "%.0f s", seconds);
    else if (seconds < 6000)
        snprintf(text, size, "%d min %02d s", (int)seconds / 60, (int)seconds % 60);
    else
        snprintf(text, size, "%d h %02d min", (int)seconds / 3600, (int)seconds / 60 % 60);
}

void laser_mpi_log_progress(struct laser_mpi_log *log, int64_t done, int64_t total, const char *unit)
{
    double now = MPI_Wtime(), elapsed = now - log->phase_start_s;
    char left[32] = "?";
    int width = 30, filled;

    if (!log->speaks || log->phase == NULL || total < 1)
        return;
    if (now - log->last_progress_s < (log->bar ? 0.1 : 30) || !(log->bar || log->lines))
        return;
    log->last_progress_s = now;
    if (done > 0)
        duration(elapsed / (double)done * (double)(total - done), left, sizeof left);
    if (!log->bar) {
        laser_mpi_log_line(log, "PROGRESS", "%s: %" PRId64 " of %" PRId64 " %s, %.3g/s, %s left", log->phase,
                           done, total, unit, (double)done / elapsed, left);
        return;
    }
    filled = (int)(width * done / total);
    printf("\r\033[K%s [", log->phase);
    for (int i = 0; i < width; ++i)
        fputc(i < filled ? '#' : '.', stdout);
    printf("] %" PRId64 "/%" PRId64 " %s, %.3g/s, %s left", done, total, unit, (double)done / elapsed, left);
    log->bar_drawn = true;
    fflush(stdout);
}

void laser_mpi_log_error(struct laser_mpi_log *log, const struct laser_error *err)
{
    if (!log->speaks)
        return;
    wipe_bar(log);
    fflush(stdout);
    fprintf(stderr, "laser_mpi: %s%s%s", err->where, err->where[0] != '\0' ? ": " : "", err->text);
    if (err->rank > 0)
        fprintf(stderr, " (rank %d)", err->rank);
    fputc('\n', stderr);
}
