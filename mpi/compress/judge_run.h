#ifndef LASER_MPI_COMPRESS_JUDGE_RUN_H
#define LASER_MPI_COMPRESS_JUDGE_RUN_H

#include "compress/judge.h"

/* Collective over run->world, with the model loaded.  Free with laser_judgement_free. */
int laser_mpi_judge(struct laser_evaluation *evaluation, struct laser_judgement *judgement,
                    struct laser_error *err);

#endif
