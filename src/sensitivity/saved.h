/* A pass for gradients on its way, in `work/gradient` of the output directory, so that a killed run continues with the
 * batches that are missing.
 *
 * The sums of a matrix lie in the file of one writer (of a group of ranks); the file `state`, which is replaced last, says
 * which batches they hold.  Two sets of files take turns: the one that `state` names is never written to.
 */
#ifndef LASER_SENSITIVITY_SAVED_H
#define LASER_SENSITIVITY_SAVED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "run/run.h"
#include "sensitivity/sums.h"

/* What a batch adds beside the sums of matrices. */
struct laser_batch_sums {
    double loss, tokens;
    int64_t windows, questions;
};

struct laser_saved_pass {
    uint64_t key; /* of all that the sums depend on */
    int64_t set;  /* 0 or 1: the set of files that is complete */
    int64_t n_writers, n_matrices, n_batches;
    double *units;                    /* [n_matrices, LASER_SUM_KINDS] */
    unsigned char *done;              /* [n_batches] */
    struct laser_batch_sums *batches; /* [n_batches] of those that are done */
};

/* Arrays of zeros for n_matrices and n_batches.  LASER_ENOMEM. */
int laser_saved_pass_create(struct laser_saved_pass *pass, struct laser_error *err);
void laser_saved_pass_free(struct laser_saved_pass *pass);

/* Rank 0.  Replaces `state`: from now on a run continues from the sums of pass->set. */
int laser_saved_pass_write(const struct laser_run *run, const struct laser_saved_pass *pass,
                           struct laser_error *err);

/* Rank 0.  Is there a state with pass->key and these numbers of matrices and batches?  Then the rest is filled in. */
bool laser_saved_pass_read(const struct laser_run *run, struct laser_saved_pass *pass);

/* Rank 0.  Removes state and sums; harmless where there are none. */
void laser_saved_pass_remove(const struct laser_run *run);

/* A writer's sums: matrix i is of writer input_of % n_writers. */
int laser_saved_sums_write(const struct laser_run *run, int64_t set, int64_t writer, int64_t n_writers,
                           struct laser_gradient_sums *sums, struct laser_error *err);

/* Fills the sums of reader `reader` of n_readers, whatever the number of writers was.  LASER_EIO. */
int laser_saved_sums_read(const struct laser_run *run, const struct laser_saved_pass *pass, int64_t reader,
                          int64_t n_readers, struct laser_gradient_sums *sums, struct laser_error *err);

#endif
