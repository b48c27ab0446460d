/* Finished batches of an evaluation in the ledger, so that one that was stopped goes on. */
#ifndef LASER_MPI_SCHEDULE_BATCHES_H
#define LASER_MPI_SCHEDULE_BATCHES_H

#include "schedule/evaluate.h"

struct laser_mpi_batches {
    char identity[20];   /* model, texts, windows, arithmetic: what the bits of a batch depend on */
    unsigned char *done; /* of each batch */
    int64_t n_done;      /* batches */
    int64_t n_windows;   /* of those */
};

/* Rank 0.  Takes over into nll what an earlier start has finished of the same evaluation. */
int laser_mpi_batches_open(struct laser_mpi_evaluation *evaluation, struct laser_window_nll *nll,
                           struct laser_mpi_batches *batches, struct laser_error *err);

/* Rank 0.  One batch into the ledger. */
int laser_mpi_batches_record(struct laser_mpi_evaluation *evaluation, const struct laser_mpi_batches *batches,
                             int64_t batch, const struct laser_window_nll *nll, int n,
                             struct laser_error *err);

void laser_mpi_batches_free(struct laser_mpi_batches *batches);

#endif
