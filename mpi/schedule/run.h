/* What all commands that work on a model have in common: the model's catalogue on every rank, the output
 * directory, the ledger with what an earlier start has finished, requests to stop.
 */
#ifndef LASER_MPI_SCHEDULE_RUN_H
#define LASER_MPI_SCHEDULE_RUN_H

#include <mpi.h>
#include <stdbool.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/matrix.h"
#include "checkpoint/source.h"
#include "comm/log.h"
#include "deck/deck.h"
#include "schedule/farm.h"
#include "search/ledger.h"
#include "search/outcome.h"
#include "search/rundir.h"

/* A list of ledger entries of one kind, as read when the ledger was opened. */
struct laser_mpi_entries {
    struct laser_ledger_entry *entries;
    int n;
};

/* Operations a second of one working rank; 0 where nothing was measured. */
struct laser_mpi_speed {
    double product_flops;     /* float64 matrix product */
    double tridiagonal_flops; /* reduction of a symmetric matrix of the order of most matrices here */
    double forward_flops;     /* linear layer of the forward pass, in the deck's precision */
    int cores;                /* of the nodes of the job together, bound or not */
};

struct laser_mpi_run {
    MPI_Comm world;
    int rank, size;
    const struct laser_deck *deck;
    enum laser_command command;
    struct laser_mpi_log *log;
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
    struct laser_mpi_speed speed;      /* every rank; measured where time is limited, else zero */
    int node_workers; /* workers of the node that has fewest, 1 or more: the same everywhere */

    /* Rank 0 only. */
    struct laser_rundir dir;
    struct laser_ledger *ledger;
    struct laser_outcome *outcomes;     /* of each matrix */
    struct laser_mpi_entries decisions; /* kinds `base` and `decision` of the same search, in order */
    struct laser_mpi_entries batches;   /* kind `batch`, of the same unchanged model */
    char search_hash[20];               /* identity of model, deck and texts that decisions depend on */
    double start_s;
    struct laser_mpi_pace pace;
};

/* Collective.  Opens model, output directory and ledger for a run that writes (scan, reduce, perplexity).
 * Settings are the deck's.  An output directory that holds a run of another model is LASER_EUSAGE unless
 * run.force. */
int laser_mpi_run_open(struct laser_mpi_run *run, struct laser_error *err);

/* Collective.  Only the model and its matrices (plan). */
int laser_mpi_run_open_model(struct laser_mpi_run *run, struct laser_error *err);

/* The adapter: `adapter`, or "" for commands that take none. */
const char *laser_mpi_run_adapter(const struct laser_mpi_run *run);

/* The base: scan.base, or "" for commands that take none. */
const char *laser_mpi_run_base(const struct laser_mpi_run *run);

/* Local.  What is taken apart for a matrix of run->matrices.  LASER_EINPUT: it has no difference. */
int laser_mpi_run_source(const struct laser_mpi_run *run, const struct laser_matrix *matrix,
                         struct laser_matrix_source *source, struct laser_error *err);

/* Identity of the model, and of its base where there is one. */
struct laser_checkpoint_fingerprint laser_mpi_run_print(const struct laser_mpi_run *run);

/* Collective over comm: rank 0 opens a model's catalogue, the others get it.  plans: a model whose
 * weights are not here will do (model/absent.h).  *checkpoint is the caller's. */
int laser_mpi_share_checkpoint(MPI_Comm comm, const char *model, bool plans,
                               struct laser_checkpoint **checkpoint, struct laser_error *err);

/* The same with an adapter added to the model and a base subtracted from it; "" for neither. */
int laser_mpi_share_changed(MPI_Comm comm, const char *model, const char *adapter, const char *base,
                            bool plans, struct laser_checkpoint **checkpoint, struct laser_error *err);

/* Collective.  Lets go of everything; harmless after a failed open. */
void laser_mpi_run_close(struct laser_mpi_run *run);

/* Rank 0.  Is the run to stop: a signal (comm/signals.h), a file STOP in the output directory, or
 * the end of run.max_time.  LASER_OK or LASER_ESTOPPED with the reason.  Looks at most ten times a second. */
int laser_mpi_run_stop(struct laser_mpi_run *run, struct laser_error *err);

/* Collective: a safe point between two phases.  LASER_ESTOPPED, agreed, if the run is to stop, if any rank
 * was signalled, or if what follows (about expected_s) would not be finished in time while something else is.
 */
int laser_mpi_run_safe_point(struct laser_mpi_run *run, double expected_s, struct laser_error *err);

/* LASER_ESTOPPED with its text if a worker was asked to stop by a signal, else LASER_OK. */
int laser_mpi_run_asked(int asked, struct laser_error *err);

/* Path of a file in the output directory; in a static buffer. */
const char *laser_mpi_run_path(const struct laser_mpi_run *run, const char *name);

/* Collective over comm: sends n bytes of rank 0 to the others, who get malloc'ed memory in *data. */
int laser_mpi_share(MPI_Comm comm, void **data, size_t *n, struct laser_error *err);

#endif
