/* The values that cuts keep, moved afterwards: singular vectors (of the whitened matrices) stay as they are,
 * all kept values move at once along a damped Newton direction (sensitivity/fisher.h) of the calibration text, taken
 * in the model that is cut already.  So they make up for what the cut values did, and for what the cuts of other
 * matrices do.  The direction lowers the divergence of the predictions from those of the original model, or the
 * loss of the text.  Its length is chosen by the loss of windows that saw no gradient; a step is taken only if it
 * lowers that beyond its error.
 */
#ifndef LASER_MPI_COMPRESS_REFINE_H
#define LASER_MPI_COMPRESS_REFINE_H

#include <stdint.h>

#include "base/error.h"
#include "compress/cuts.h"
#include "evaluate/evaluation.h"

#define LASER_MPI_REFINE_ROUNDS 10 /* at most */

/* What a round did; length 0: no step was good, and there are no further rounds. */
struct laser_mpi_refine_round {
    double calibration_loss; /* before the step, nats a token of the windows of gradients */
    double length, predicted;
    double difference, error; /* of the step's windows, paired */
};

struct laser_mpi_refined {
    int64_t n_matrices; /* of run->matrices */
    double **s;         /* every rank: [rank of the matrix] moved values, not in order; NULL: as cut */
    int n_rounds;
    struct laser_mpi_refine_round rounds[LASER_MPI_REFINE_ROUNDS]; /* every rank */
};

/* Collective over laser_mpi_world(run), with the model loaded and no edit in place.  ranks[n_matrices] of run->matrices,
 * LASER_RANK_DENSE: not cut.  divergence: from the original model, instead of the loss.  Rounds that an earlier start finished are read again.  Free with
 * laser_mpi_refined_free. LASER_ESTOPPED; errors as laser_mpi_statistics_gather and laser_mpi_evaluate_part. */
int laser_mpi_refine(struct laser_evaluation *evaluation, const struct laser_mpi_cuts *cuts,
                     const int64_t *ranks, bool divergence, int rounds, struct laser_mpi_refined *refined,
                     struct laser_error *err);
void laser_mpi_refined_free(struct laser_mpi_refined *refined);

#endif
