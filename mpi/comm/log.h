/* What a run says on standard output: rank 0's voice, every other rank is silent.
 *
 * Text for people by default; with `json`, one JSON object a line for machines.  Every line of a phase begins
 * with a word that can be searched for.
 */
#ifndef LASER_MPI_COMM_LOG_H
#define LASER_MPI_COMM_LOG_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum laser_mpi_progress {
    LASER_MPI_PROGRESS_AUTO, /* a bar on a terminal, lines elsewhere */
    LASER_MPI_PROGRESS_BAR,
    LASER_MPI_PROGRESS_LINES,
    LASER_MPI_PROGRESS_OFF
};

#define LASER_MPI_MAX_PHASES 16

struct laser_mpi_log {
    bool speaks; /* rank 0 */
    bool json;
    bool bar;
    bool lines;
    bool bar_drawn;
    double start_s; /* of the run, MPI_Wtime */
    const char *phase;
    double phase_start_s;
    double last_progress_s;
    struct {
        const char *name;
        double seconds;
    } phases[LASER_MPI_MAX_PHASES]; /* those that have ended, on every rank */
    int n_phases;
};

/* Does a person watch standard output?  (Under mpirun: the launcher's.) */
bool laser_mpi_log_terminal(void);

void laser_mpi_log_open(struct laser_mpi_log *log, int rank, bool json, enum laser_mpi_progress progress);

/* One line: `WORD  text`; in JSON {"event": word, "text": ...}. */
void laser_mpi_log_line(struct laser_mpi_log *log, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A block of text as it is (a table); left out in JSON. */
void laser_mpi_log_block(struct laser_mpi_log *log, const char *text);

/* Begins a phase, and ends the one before. */
void laser_mpi_log_phase(struct laser_mpi_log *log, const char *phase);

/* Progress of the phase, drawn at most ten times a second as a bar, every 30 s as a line.  unit: "matrices".
 */
void laser_mpi_log_progress(struct laser_mpi_log *log, int64_t done, int64_t total, const char *unit);

/* Ends the phase; wipes a bar. */
void laser_mpi_log_phase_end(struct laser_mpi_log *log);

/* Collective over comm.  `scan 1.2 / 1.3 / 1.4, ...`: the seconds of the phases so far, min / mean / max over
 * the ranks.  On rank 0; nothing elsewhere. */
void laser_mpi_log_phases_text(const struct laser_mpi_log *log, MPI_Comm comm, char *text, size_t size);

/* The error on standard error, once: `laser_mpi: WHERE: TEXT`. */
void laser_mpi_log_error(struct laser_mpi_log *log, const struct laser_error *err);

#endif
