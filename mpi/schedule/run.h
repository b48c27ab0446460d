/* A run (run/run.h) of several ranks: that and a communicator. */
#ifndef LASER_MPI_SCHEDULE_RUN_H
#define LASER_MPI_SCHEDULE_RUN_H

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "run/run.h"

struct laser_mpi_run {
    struct laser_run run; /* run.parallel points to this, in copies of it too */
    MPI_Comm world;       /* not owned */
};

/* The communicator of a run: every run that a collective function is given has one. */
static inline MPI_Comm laser_mpi_world(const struct laser_run *run)
{
    return run->parallel->world;
}

/* "Open MPI 4.1.4, OpenBLAS 0.3.21 ..., ScaLAPACK ..., HDF5 1.10.8": in a static buffer. */
const char *laser_mpi_libraries(void);

/* Collective.  Opens model, output directory and ledger for a run that writes (scan, reduce, perplexity).
 * Settings are the deck's.  An output directory that holds a run of another model is LASER_EUSAGE unless
 * run.force. */
int laser_mpi_run_open(struct laser_run *run, struct laser_error *err);

/* Collective.  Only the model and its matrices (plan). */
int laser_mpi_run_open_model(struct laser_run *run, struct laser_error *err);

/* Collective over comm: rank 0 opens a model's catalogue, the others get it.  plans: a model whose
 * weights are not here will do (model/absent.h).  *checkpoint is the caller's. */
int laser_mpi_share_checkpoint(MPI_Comm comm, const char *model, bool plans,
                               struct laser_checkpoint **checkpoint, struct laser_error *err);

/* What is done to a model after it is opened, in this order. */
struct laser_mpi_changes {
    bool products;       /* factors become their products, as a scan sees them (laser_factors_resolve) */
    const char *adapter; /* is added; "" for none */
    bool anew;           /* it will be written anew (checkpoint/cast.h), in this type */
    enum laser_dtype dtype;
    const char *base; /* is subtracted; "" for none */
};

/* The same with changes. */
int laser_mpi_share_changed(MPI_Comm comm, const char *model, const struct laser_mpi_changes *changes,
                            bool plans, struct laser_checkpoint **checkpoint, struct laser_error *err);

/* Local.  The model of a run with its adapter, and in the types in which it is written; its base is left alone. */
int laser_mpi_open_alone(const struct laser_run *run, struct laser_checkpoint **checkpoint,
                         struct laser_error *err);

/* Collective: memory_limit_bytes, base_bytes and node_workers. */
void laser_mpi_run_limits(struct laser_run *run);

/* Collective: a safe point between two phases.  LASER_ESTOPPED, agreed, if the run is to stop, if any rank
 * was signalled, or if what follows (about expected_s) would not be finished in time while something else is.
 */
int laser_mpi_run_safe_point(struct laser_run *run, double expected_s, struct laser_error *err);

/* Collective over comm: sends n bytes of rank 0 to the others, who get malloc'ed memory in *data. */
int laser_mpi_share(MPI_Comm comm, void **data, size_t *n, struct laser_error *err);

#endif
