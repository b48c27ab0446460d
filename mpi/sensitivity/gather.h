/* The statistics of a text (sensitivity/statistics.h), gathered by the groups of an evaluation; and the singular vectors and
 * predictions that go with them. */
#ifndef LASER_MPI_SENSITIVITY_GATHER_H
#define LASER_MPI_SENSITIVITY_GATHER_H

#include <stdint.h>

#include "evaluate/evaluation.h"
#include "sensitivity/predict.h"
#include "sensitivity/statistics.h"

/* Collective over run->world.  Batches first_batch .. end_batch - 1 of the evaluation, with these edits in
 * place (of rank 0).  The sums are saved from time to time (sensitivity/saved.h): the same pass of a later start continues.
 * After LASER_OK free with laser_statistics_free.  LASER_ENUMERIC: a loss or a
 * gradient is not finite (the layer and the window are named); LASER_ENOMEM: refused before the work, with
 * what would do. */
int laser_mpi_statistics_gather(struct laser_evaluation *evaluation,
                                const struct laser_statistics_options *options, int64_t first_batch,
                                int64_t end_batch, const int32_t *edits, int n_edits,
                                struct laser_statistics *statistics, struct laser_error *err);

/* Rank 0 lets go of what a pass has saved: call it when what follows from the statistics is on the disk. */
void laser_mpi_statistics_forget(const struct laser_run *run);

/* Collective over run->world.  Makes the files that are not there yet, each by one rank.  Nothing may be
 * redirected in the checkpoint.  LASER_EIO, LASER_ENOMEM, LASER_ENUMERIC (a matrix that is not finite). */
int laser_mpi_vectors_make(struct laser_run *run, struct laser_error *err);

/* Collective over run->world.  *spectrum from the scan's values.  Free with laser_scan_spectrum_free. */
int laser_mpi_spectrum_read(const struct laser_run *run, struct laser_scan_spectrum *spectrum,
                            struct laser_error *err);

/* Collective over run->world; edits[n] are the same on every rank but for `change`, which is filled in on
 * all. g . d + d' F d / 2 with d the change of the singular values. */
int laser_mpi_predict(const struct laser_run *run, const struct laser_statistics *statistics,
                      const struct laser_scan_spectrum *spectrum, struct laser_predicted *edits, int64_t n,
                      struct laser_error *err);

#endif
