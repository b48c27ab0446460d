/* How good predictions are: some of the edits are made and measured. */
#ifndef LASER_MPI_COMMANDS_SAMPLE_H
#define LASER_MPI_COMMANDS_SAMPLE_H

#include <jansson.h>

#include "evaluate/evaluation.h"
#include "sensitivity/predict.h"

/* Collective over run->world, with the model open and no edits made.  edits[n] are the same on every rank.  *sample on rank 0,
 * for results.json: the measured ones, whose predicted changes go from the lowest to the highest in even steps of rank; an
 * empty list where the objective has a share, which is not what is predicted. */
int laser_mpi_sample_measure(struct laser_evaluation *evaluation, const struct laser_predicted *edits,
                             int64_t n, json_t **sample, struct laser_error *err);

#endif
