/* What a run says (run/log.h) on standard output: from rank 0; every other rank is silent.
 *
 * Text for people by default; with `json`, one JSON object a line for machines.  The last line of a job that did all of its work is JOB DONE.
 */
#ifndef LASER_MPI_COMM_LOG_H
#define LASER_MPI_COMM_LOG_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "comm/phases.h"
#include "report/progress.h"
#include "run/log.h"

enum { LASER_MPI_HOST_SIZE = 64 };

struct laser_mpi_log {
    struct laser_log log; /* the first: a pointer to it is one to all of this */
    bool json;
    bool bar;
    bool lines;
    bool utf8; /* what a bar may be drawn with */
    bool bar_drawn;
    double start_s; /* of the run */
    const char *phase;
    double phase_start_s;
    double last_progress_s; /* since the start of the phase; negative: none yet */
    struct laser_mpi_phases phases;
    char (*hosts)[LASER_MPI_HOST_SIZE]; /* of each rank; rank 0, once laser_mpi_log_hosts was called */
    int n_hosts;
};

void laser_mpi_log_open(struct laser_mpi_log *log, int rank, bool json, enum laser_progress_kind progress,
                        enum laser_log_level level);
void laser_mpi_log_close(struct laser_mpi_log *log);

/* The functions that follow take the laser_log of a laser_mpi_log. */

/* Collective over comm: the host of each rank, for messages. */
void laser_mpi_log_hosts(struct laser_log *log, MPI_Comm comm);

/* "n2" of a rank, "" where it is not known. */
const char *laser_mpi_log_host(const struct laser_log *log, int rank);

/* Collective over comm.  The table of phases so far, on rank 0. */
void laser_mpi_log_phases(struct laser_log *log, MPI_Comm comm);

/* Collective over comm.  The same as JSON for results.json: rank 0 owns it; NULL elsewhere. */
json_t *laser_mpi_log_phases_json(struct laser_log *log, MPI_Comm comm);

/* The error on standard error, once: `laser_mpi: WHERE: TEXT (rank 3 on n2)`. */
void laser_mpi_log_error(struct laser_log *log, const struct laser_error *err);

#endif
