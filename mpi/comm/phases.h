/* The account of a run: what each phase took on every rank. */
#ifndef LASER_MPI_COMM_PHASES_H
#define LASER_MPI_COMM_PHASES_H

#include <mpi.h>

#include "base/traffic.h"
#include "report/phase_table.h"

enum { LASER_MPI_MAX_PHASES = 16 };

/* Of this rank. */
struct laser_mpi_phase {
    const char *name;
    double seconds, work_s, flops, read_bytes, written_bytes;
    double own_bytes, shared_bytes; /* peak of the memory that is its own; pages that others may have, too */
};

struct laser_mpi_phases {
    struct laser_mpi_phase list[LASER_MPI_MAX_PHASES]; /* the first is what is in no phase */
    int n, now;
    double since_s;
    struct laser_traffic since;
};

/* Begins the account. */
void laser_mpi_phases_start(struct laser_mpi_phases *phases);

/* From now on in this phase; NULL: in none.  A name that was there before goes on. */
void laser_mpi_phases_enter(struct laser_mpi_phases *phases, const char *name);

/* Computing that this rank has done in the phase. */
void laser_mpi_phases_work(struct laser_mpi_phases *phases, double seconds, double flops);

/* Collective over comm: rows (LASER_MPI_MAX_PHASES of them) on rank 0, the one for the rest last; returns
 * their number, the same on every rank.  With more than one rank, rank 0 does no work. */
int laser_mpi_phases_collect(struct laser_mpi_phases *phases, MPI_Comm comm, struct laser_phase_row *rows);

#endif
