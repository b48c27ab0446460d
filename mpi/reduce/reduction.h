/* The command `reduce` (reduce/reduce.h): what of it all ranks do together.
 *
 *   reduce.c    the order of things
 *   search.c    the search on the selection windows, the report on the others
 *   screen.c    predictions that leave trials out
 *   tune.c      tune: gradients, the line search, the step that was found
 *   edits.c     the edits as files
 *   model.c     the written model
 */
#ifndef LASER_MPI_REDUCE_REDUCTION_H
#define LASER_MPI_REDUCE_REDUCTION_H

#include "evaluate/evaluation.h"
#include "reduce/edits_make.h"
#include "reduce/reduce.h"

/* Collective, with the model loaded and no edits made.  The strategy tune: the plan becomes one candidate, the
 * step that it found (none: no candidate), and r->trials.edits its edits. */
int laser_mpi_reduction_tune(struct laser_reduction *r, struct laser_error *err);

/* Collective, after the search.  The guard texts before and after, also on windows that decided nothing:
 * r->report.tune has them. */
int laser_mpi_tune_guards(struct laser_reduction *r, struct laser_error *err);

/* Collective, with the model loaded and no edits made.  Of the plan those trials stay that promise something.
 */
int laser_mpi_reduction_screen(struct laser_reduction *r, struct laser_error *err);

/* Collective, with the model loaded and r->plan made: what is about to be done, and how long it takes. */
void laser_mpi_reduction_announce(struct laser_reduction *r);

/* Collective.  The search on the selection windows, both halves of it for compose. */
int laser_mpi_reduction_search(struct laser_reduction *r, struct laser_error *err);

/* Collective.  The edits of the plan that are not skipped are made, in the place of those before. */
int laser_mpi_reduction_edits(struct laser_reduction *r, struct laser_error *err);

/* Collective.  The kept edits, as one trial, on the report windows. */
int laser_mpi_reduction_report(const struct laser_reduction_search *search,
                               struct laser_reduction_report *report, struct laser_error *err);

/* Collective.  report->before and after: every item as the model was and with the kept edits. */
int laser_mpi_reduction_measure(const struct laser_reduction_search *search,
                                struct laser_reduction_report *report, struct laser_error *err);

/* Collective.  OUT/model: the checkpoint with these edits (rank 0's list of numbers), what reduce.also asks
 * for, and plan.yaml. */
int laser_mpi_reduction_write(const struct laser_reduction *r, const int32_t *edits, int n, bool with_plan,
                              struct laser_error *err);

/* Collective.  The files of the checkpoint, as it is seen now, into dir: each rank writes some. */
int laser_mpi_checkpoint_write(struct laser_run *run, const char *dir, struct laser_error *err);

/* The command `reduce`: collective, as all commands. */
int laser_mpi_command_reduce(struct laser_run *run, struct laser_error *err);

#endif
