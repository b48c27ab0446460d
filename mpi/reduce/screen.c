/* Screening of a plan's trials by a gradient on what selects. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "reduce/reduction.h"
#include "sensitivity/gather.h"
#include "sensitivity/statistics.h"
#include "sensitivity/vectors.h"

/* Rank 0's edits on every rank. */
static int share_edits(const struct laser_reduction *r, struct laser_strategy_edit **edits, int *n,
                       struct laser_error *err)
{
    const struct laser_run *run = r->setup.run;
    void *data = run->rank == 0 ? (void *)r->trials.plan.edits : NULL;
    size_t bytes = run->rank == 0 ? (size_t)r->trials.plan.n_edits * sizeof **edits : 0;
    int code = LASER_OK;

    *n = run->rank == 0 ? r->trials.plan.n_edits : 0;
    *edits = NULL;
    MPI_Bcast(n, 1, MPI_INT, 0, laser_mpi_world(run));
    if (*n > 0)
        code = laser_mpi_share(laser_mpi_world(run), &data, &bytes, err);
    if (code == LASER_OK)
        *edits = data;
    return code;
}

/* changes[n]: what each edit is predicted to do. */
static int predict(struct laser_reduction *r, const struct laser_statistics *statistics, double **changes,
                   struct laser_error *err)
{
    struct laser_run *run = r->setup.run;
    struct laser_scan_spectrum spectrum;
    struct laser_predicted *predicted = NULL;
    struct laser_strategy_edit *edits;
    int n, code = laser_mpi_spectrum_read(run, &spectrum, err);

    *changes = NULL;
    if (code != LASER_OK)
        return code;
    code = share_edits(r, &edits, &n, err);
    if (code == LASER_OK) {
        predicted = calloc((size_t)n + 1, sizeof *predicted);
        *changes = malloc(((size_t)n + 1) * sizeof **changes);
        if (predicted == NULL || *changes == NULL)
            code =
                laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for the predictions of %d edits", n);
        for (int i = 0; code == LASER_OK && i < n; ++i)
            predicted[i] = (struct laser_predicted){.matrix = edits[i].matrix, .what = edits[i].what};
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_predict(run, statistics, &spectrum, predicted, n, err);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        (*changes)[i] = predicted[i].change;
    free(predicted);
    if (run->rank != 0)
        free(edits);
    laser_scan_spectrum_free(&spectrum);
    return code;
}

int laser_mpi_reduction_screen(struct laser_reduction *r, struct laser_error *err)
{
    struct laser_statistics_options options = {.values = true, .block = true};
    struct laser_statistics statistics;
    double *changes = NULL;
    int code, all = r->setup.run->rank == 0 && laser_reduction_takes_all(&r->trials);

    MPI_Bcast(&all, 1, MPI_INT, 0, laser_mpi_world(r->setup.run));
    if (all)
        return LASER_OK;
    laser_mpi_reduction_announce(r);
    options.block = laser_statistics_block_fits(r->setup.run, &options);
    code = laser_mpi_vectors_make(r->setup.run, err);
    if (code == LASER_OK)
        code = laser_mpi_statistics_gather(
            r->setup.e, &options, 0,
            laser_evaluation_first_batches(r->setup.e, r->setup.run->settings->reduce.calibration_tokens),
            NULL, 0, &statistics, err);
    if (code != LASER_OK)
        return code;
    code = predict(r, &statistics, &changes, err);
    laser_statistics_free(&statistics);
    if (code == LASER_OK && r->setup.run->rank == 0)
        code = laser_reduction_screen(&r->trials, changes, err);
    else
        free(changes);
    return laser_mpi_agree(laser_mpi_world(r->setup.run), code, err);
}
