/* What all commands that work on a model have in common: the model's catalogue, the output directory, the ledger with what an
 * earlier start has finished, requests to stop, limits of time and memory.
 *
 * One process is a run of rank 0 of 1; schedule/run.h adds what several need, a communicator.
 */
#ifndef LASER_RUN_RUN_H
#define LASER_RUN_RUN_H

#include <stdbool.h>

#include "base/clock.h"
#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/matrix.h"
#include "checkpoint/source.h"
#include "deck/deck.h"
#include "run/ledger.h"
#include "run/log.h"
#include "run/outcome.h"
#include "run/rundir.h"

/* A list of ledger entries of one kind, as read when the ledger was opened. */
struct laser_ledger_entries {
    struct laser_ledger_entry *entries;
    int n;
};

/* How long a run may take; rank 0's.  Shared by the farms of a run. */
struct laser_pace {
    double deadline_s; /* laser_clock_s() at which the run is to have stopped; INFINITY: never */
    double stall_s;    /* a group that gives no result for so long, and for 20 times as long as expected, is
                          taken for lost; <= 0: never */
    int64_t n_durable; /* pieces that this start has brought to the disk */
};

/* Operations a second of one working rank; 0 where nothing was measured. */
struct laser_calibration {
    double product_flops;     /* float64 matrix product */
    double tridiagonal_flops; /* reduction of a symmetric matrix of the order of most matrices here */
    double forward_flops;     /* linear layer of the forward pass, in the deck's precision */
    int cores;                /* of the nodes of the job together, bound or not */
};

struct laser_mpi_run; /* schedule/run.h: unknown here */

struct laser_run {
    struct laser_mpi_run *parallel; /* what several ranks need; NULL: one process */
    int rank, size;
    const struct laser_deck *deck; /* its texts and origins; the values are in settings */
    const struct laser_settings *settings;
    enum laser_command command;
    struct laser_log *log;
    const char *libraries; /* rank 0: versions of MPI, BLAS, ScaLAPACK and HDF5 */
    int n_arguments;
    const char *const *arguments; /* of the command; rank 0 only */

    const char *const
        *only; /* every rank: names of the matrices, instead of the deck's patterns; may be NULL */
    int n_only;
    bool only_parts; /* fused tensors in parts, whatever the deck says */

    struct laser_checkpoint *checkpoint; /* every rank */
    struct laser_checkpoint *change;   /* every rank: W_model - W_base, where that is what is taken apart and
                                            edited (reduce, apply); NULL: the model's matrices are */
    struct laser_matrix_list matrices; /* every rank, the same */
    char output[4096];                 /* every rank; absolute */
    char values[4096];                 /* every rank: where edits by values have theirs; empty: the output */
    double memory_limit_bytes;         /* of this rank: the same on every rank */
    const char *limit_name;            /* the limit of this process that sets it (base/node.h); may be NULL */
    double base_bytes;                 /* what a rank holds before it works: the same on every rank */
    struct laser_calibration speed;    /* every rank; measured where time is limited, else zero */
    int node_workers; /* workers of the node that has fewest, 1 or more: the same everywhere */

    /* Rank 0 only. */
    struct laser_rundir dir;
    struct laser_ledger *ledger;
    struct laser_outcome *outcomes;        /* of each matrix */
    struct laser_ledger_entries decisions; /* kinds `base` and `decision` of the same search, in order */
    struct laser_ledger_entries batches;   /* kind `batch`, of the same unchanged model */
    char search_hash[20];                  /* identity of model, deck and texts that decisions depend on */
    double start_s;
    struct laser_pace pace;
};

/* The adapter: `adapter`, or "" for commands that take none. */
const char *laser_run_adapter(const struct laser_run *run);

/* The base: scan.base, or "" for commands that take none. */
const char *laser_run_base(const struct laser_run *run);

/* Is the written model made of new files: with an adapter in it, or all weights of another type?  *dtype: that of
 * all of them, or LASER_DTYPE_COUNT. */
bool laser_run_writes_anew(const struct laser_run *run, enum laser_dtype *dtype);

/* Are the differences from the base edited, and not only scanned? */
bool laser_run_edits_change(const struct laser_run *run);

/* What is taken apart for a matrix of run->matrices.  LASER_EINPUT: it has no difference. */
int laser_run_source(const struct laser_run *run, const struct laser_matrix *matrix,
                     struct laser_matrix_source *source, struct laser_error *err);

/* Identity of the model, and of its base where there is one. */
struct laser_checkpoint_fingerprint laser_run_print(const struct laser_run *run);

/* Starts the clock: start_s and pace, from run.max_time and run.stall_time. */
void laser_run_begin(struct laser_run *run);

/* Rank 0, once model and matrices are open.  The output directory, its lock, and the ledger: outcomes, decisions and batches of
 * an earlier start.  An output directory that holds a run of another model is LASER_EUSAGE unless run.force. */
int laser_run_open_output(struct laser_run *run, struct laser_error *err);

/* Lets go of everything; harmless after a failed open. */
void laser_run_close(struct laser_run *run);

/* Rank 0.  Is the run to stop: a signal (run/signals.h), a file STOP in the output directory, or
 * the end of run.max_time.  LASER_OK or LASER_ESTOPPED with the reason.  Looks at most ten times a second. */
int laser_run_stop(struct laser_run *run, struct laser_error *err);

/* Rank 0, at a safe point between two phases, any: was any rank signalled?  As laser_run_stop; also where what follows (about
 * expected_s) would not be finished in time while something else is. */
int laser_run_may_go_on(struct laser_run *run, int any, double expected_s, struct laser_error *err);

/* LASER_ESTOPPED with its text if a worker was asked to stop by a signal, else LASER_OK. */
int laser_run_asked(int asked, struct laser_error *err);

/* Path of a file in the output directory; in a static buffer. */
const char *laser_run_path(const struct laser_run *run, const char *name);

#endif
