/* Evaluation of a model on windows of text by groups of ranks, each group holding one copy of the model in
 * shards.
 *
 * The windows are cut into batches that depend on the texts and on the deck alone, so a batch's numbers do
 * not depend on the number of groups.  A worker keeps the hidden states before layers, within
 * evaluate.cache_memory, and runs a batch again only from the first layer that an edit has changed.
 */
#ifndef LASER_MPI_SCHEDULE_EVALUATE_H
#define LASER_MPI_SCHEDULE_EVALUATE_H

#include <stdint.h>

#include "comm/team.h"
#include "corpus/dataset.h"
#include "corpus/perplexity.h"
#include "corpus/window.h"
#include "forward/shards.h"
#include "model/model.h"
#include "schedule/layout.h"
#include "schedule/run.h"
#include "search/search.h"

/* One edit that can be switched on: the new elements of a matrix, a tensor or a part of one, stand in a
 * safetensors file under its name (laser_matrix_redirect). */
struct laser_mpi_edit {
    const struct laser_matrix *matrix; /* borrowed */
    char *tensor;                      /* that it is in; borrowed */
    char *path;
};

struct laser_mpi_evaluation {
    struct laser_mpi_run *run;
    enum laser_convention convention;
    enum laser_precision precision;

    /* Every rank, the same. */
    struct laser_dataset *datasets;
    int32_t n_datasets;
    struct laser_window *windows;
    int64_t n_windows;
    int64_t n_selected;    /* the first windows: those that a search decides on; the rest is only reported */
    int32_t batch_windows; /* of a full batch */
    int64_t n_batches;     /* of both parts; no batch has windows of both */
    const struct laser_mpi_edit *edits; /* borrowed */
    int n_edits;

    /* The layout, and this rank's place in it. */
    struct laser_mpi_team team;
    struct laser_mpi_shards shards;
    struct laser_model *model; /* workers */
    double flops_per_token;    /* of the whole model */
    struct laser_mpi_worker *worker;
    double *dataset_work_s; /* rank 0: seconds that the groups worked on each data set in evaluate_all */
};

/* Collective over run->world.  Tokenises the deck's texts on rank 0, sends the ids to all, cuts windows and
 * batches. */
int laser_mpi_texts_open(struct laser_mpi_run *run, struct laser_mpi_evaluation *evaluation,
                         struct laser_error *err);

/* What the windows ask of a layout. */
struct laser_mpi_work laser_mpi_evaluation_work(const struct laser_mpi_evaluation *evaluation);

/* Splits the windows: those with mark[i] != 0 come first and are the selection, the others are for the
 * report.  Local, the same on every rank; before the model. */
int laser_mpi_windows_split(struct laser_mpi_evaluation *evaluation, const unsigned char *mark,
                            struct laser_error *err);

/* Batches of the selection; those of the report follow. */
int64_t laser_mpi_selected_batches(const struct laser_mpi_evaluation *evaluation);

/* Collective over run->world.  Chooses the layout (parallel.shards, memory) and loads the model on the
 * workers. */
int laser_mpi_evaluation_open(struct laser_mpi_evaluation *evaluation, struct laser_error *err);

/* Collective over run->world; harmless after a failed open. */
void laser_mpi_evaluation_close(struct laser_mpi_evaluation *evaluation);

/* Windows first .. first + n - 1 of a batch. */
int laser_mpi_batch_windows(const struct laser_mpi_evaluation *evaluation, int64_t batch, int64_t *first);

/* Collective over a group: the sums of the windows of one batch with the edits in place (kept ones first).  A
 * loss that is not finite is NaN in nll, no error.  nll[LASER_SEARCH_MAX_BATCH], on every rank of the group.
 */
int laser_mpi_evaluate_batch(struct laser_mpi_evaluation *evaluation, int64_t batch, const int32_t *edits,
                             int n_edits, int n_kept, struct laser_window_nll *nll, struct laser_error *err);

/* Collective over a group: where the first value that is not finite appears in a batch, as an error text. */
int laser_mpi_blame(struct laser_mpi_evaluation *evaluation, int64_t batch, struct laser_error *err);

/* Collective over run->world.  Evaluates every window as the model is; nll[n_windows] on rank 0. */
int laser_mpi_evaluate_all(struct laser_mpi_evaluation *evaluation, const char *phase,
                           struct laser_window_nll *nll, struct laser_error *err);

/* Collective over run->world.  Runs a search (rank 0's; NULL elsewhere) to its end.  Its windows are those of
 * the evaluation from the first one of batch first_batch on. */
int laser_mpi_evaluate_search(struct laser_mpi_evaluation *evaluation, const char *phase,
                              struct laser_search *search, int64_t first_batch, struct laser_error *err);

#endif
