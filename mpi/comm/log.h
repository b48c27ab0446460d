/* What a run says on standard output: rank 0's voice, every other rank is silent.
 *
 * Text for people by default, each line beginning with a word in capitals that can be searched for; with
 * `json`, one JSON object a line for machines.  The last line of a job that did all of its work is JOB DONE.
 */
#ifndef LASER_MPI_COMM_LOG_H
#define LASER_MPI_COMM_LOG_H

#include <jansson.h>
#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "comm/phases.h"
#include "report/progress.h"

enum laser_mpi_progress {
    LASER_MPI_PROGRESS_AUTO, /* a bar on a terminal, lines elsewhere */
    LASER_MPI_PROGRESS_BAR,
    LASER_MPI_PROGRESS_LINES,
    LASER_MPI_PROGRESS_OFF
};

enum laser_mpi_log_level { LASER_MPI_LOG_QUIET, LASER_MPI_LOG_NORMAL, LASER_MPI_LOG_VERBOSE };

enum { LASER_MPI_HOST_SIZE = 64 };

struct laser_mpi_log {
    bool speaks; /* rank 0 */
    bool json;
    bool bar;
    bool lines;
    bool utf8; /* what a bar may be drawn with */
    enum laser_mpi_log_level level;
    bool bar_drawn;
    double start_s; /* of the run, MPI_Wtime */
    const char *phase;
    double phase_start_s;
    double last_progress_s; /* since the start of the phase; negative: none yet */
    struct laser_mpi_phases phases;
    char (*hosts)[LASER_MPI_HOST_SIZE]; /* of each rank; rank 0, once laser_mpi_log_hosts was called */
    int n_hosts;
};

/* Does a person watch standard output?  (Under mpirun: the launcher's.) */
bool laser_mpi_log_terminal(void);

void laser_mpi_log_open(struct laser_mpi_log *log, int rank, bool json, enum laser_mpi_progress progress,
                        enum laser_mpi_log_level level);
void laser_mpi_log_close(struct laser_mpi_log *log);

/* Collective over comm: the host of each rank, for messages. */
void laser_mpi_log_hosts(struct laser_mpi_log *log, MPI_Comm comm);

/* "n2" of a rank, "" where it is not known. */
const char *laser_mpi_log_host(const struct laser_mpi_log *log, int rank);

/* One line: `WORD  text`; in JSON {"event": word, "elapsed_s": ..., "text": ...}. */
void laser_mpi_log_line(struct laser_mpi_log *log, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same for log.level: verbose alone. */
void laser_mpi_log_detail(struct laser_mpi_log *log, const char *word, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A block of text as it is (a table); left out in JSON. */
void laser_mpi_log_block(struct laser_mpi_log *log, const char *text);

/* JSON alone: {"event": word, "elapsed_s": ..., key: value}.  Takes the value over. */
void laser_mpi_log_value(struct laser_mpi_log *log, const char *word, const char *key, json_t *value);

/* Begins a phase (`BEGIN  name`), and ends the one before. */
void laser_mpi_log_phase(struct laser_mpi_log *log, const char *phase);

/* Progress of the phase (report/progress.h has the pace).  unit: "matrices". */
void laser_mpi_log_progress(struct laser_mpi_log *log, int64_t done, int64_t total, const char *unit);

/* Ends the phase (`PHASE  name: seconds`); wipes a bar. */
void laser_mpi_log_phase_end(struct laser_mpi_log *log);

/* Computing that this rank has done in the phase; any rank. */
void laser_mpi_log_work(struct laser_mpi_log *log, double seconds, double flops);

/* Collective over comm.  The table of phases so far, on rank 0. */
void laser_mpi_log_phases(struct laser_mpi_log *log, MPI_Comm comm);

/* Collective over comm.  The same as JSON for results.json: rank 0 owns it; NULL elsewhere. */
json_t *laser_mpi_log_phases_json(struct laser_mpi_log *log, MPI_Comm comm);

/* The error on standard error, once: `laser_mpi: WHERE: TEXT (rank 3 on n2)`. */
void laser_mpi_log_error(struct laser_mpi_log *log, const struct laser_error *err);

#endif
