/* An evaluation (evaluate/evaluate.h) by the ranks of a run: that, the teams of the layout, and how a copy's shards add up. */
#ifndef LASER_MPI_EVALUATE_EVALUATION_H
#define LASER_MPI_EVALUATE_EVALUATION_H

#include <stdint.h>

#include "comm/team.h"
#include "evaluate/divergence.h"
#include "evaluate/evaluate.h"
#include "forward/shards.h"
#include "schedule/run.h"

struct laser_mpi_evaluation {
    struct laser_evaluation evaluation; /* evaluation.parallel points to this */
    struct laser_mpi_team team;
    struct laser_mpi_shards shards;
};

/* Nothing is open yet: laser_mpi_evaluation_close is harmless. */
void laser_mpi_evaluation_init(struct laser_mpi_evaluation *evaluation);

/* Collective over run->world.  Tokenises the deck's texts and tasks on rank 0, sends the ids to all, cuts
 * windows and batches; all items are of the selection. */
int laser_mpi_texts_open(struct laser_run *run, struct laser_mpi_evaluation *evaluation,
                         struct laser_error *err);

/* The deck's tasks alone: part of laser_mpi_texts_open.  Reads evaluate.objective too. */
int laser_mpi_questions_open(struct laser_evaluation *evaluation, struct laser_error *err);

/* Collective over run->world.  Chooses the layout (parallel.shards, memory) and loads the model on the
 * workers. */
int laser_mpi_evaluation_open(struct laser_evaluation *evaluation, struct laser_error *err);

/* Collective over run->world: the model goes, items and batches stay, so that another model can be opened on them.  Harmless
 * after a failed open. */
void laser_mpi_evaluation_close_model(struct laser_evaluation *evaluation);

/* Collective over run->world; harmless after a failed open. */
void laser_mpi_evaluation_close(struct laser_evaluation *evaluation);

/* Collective over run->world.  Scores of every item with these edits in place (of rank 0); scores[n_items] on
 * rank 0.  Without edits a loss that is not finite is LASER_ENUMERIC. */
int laser_mpi_evaluate_all(struct laser_evaluation *evaluation, const char *phase, const int32_t *edits,
                           int n_edits, struct laser_item_score *scores, struct laser_error *err);

/* The same for the items of one part: scores[n_items] of the other parts are left alone. */
int laser_mpi_evaluate_part(struct laser_evaluation *evaluation, const char *phase, enum laser_item_part part,
                            const int32_t *edits, int n_edits, struct laser_item_score *scores,
                            struct laser_error *err);

/* The same for the batches first .. end - 1. */
int laser_mpi_evaluate_batches(struct laser_evaluation *evaluation, const char *phase, int64_t first,
                               int64_t end, const int32_t *edits, int n_edits,
                               struct laser_item_score *scores, struct laser_error *err);

/* Collective over run->world, while no model is open: how far `other` is from `base` on the windows of some parts
 * (evaluate/divergence.h), and the losses of both.  *divergences on rank 0 (laser_divergences_free, also after an error).
 * LASER_EINPUT: a token that is not in both vocabularies.  LASER_ENUMERIC: logits that are not finite, with the layer where
 * that begins. */
int laser_mpi_evaluation_diverge(struct laser_evaluation *evaluation, struct laser_checkpoint *base,
                                 struct laser_checkpoint *other, unsigned parts,
                                 struct laser_divergences *divergences, struct laser_error *err);

/* Collective over run->world.  The same of the model in the output directory's `name` and the run's model as it is read, with
 * its adapter; a model that is open is closed.  Nothing where there are no windows: divergences->each is NULL then. */
int laser_mpi_evaluation_diverge_written(struct laser_evaluation *evaluation, const char *name,
                                         unsigned parts, struct laser_divergences *divergences,
                                         struct laser_error *err);

/* Collective over run->world, with the model open and no edit in place: what trials are compared with where a search has a bound
 * on their divergence, for as long as it is the evaluation's `beside`.  The states of the windows stay in files, also where the
 * run is stopped; laser_mpi_evaluation_unbound (local) removes them.  laser_beside_close does not. */
int laser_mpi_evaluation_bound(struct laser_evaluation *evaluation, unsigned parts,
                               struct laser_beside *bound, struct laser_error *err);
void laser_mpi_evaluation_unbound(struct laser_evaluation *evaluation, struct laser_beside *bound);

/* Collective over run->world.  Runs a search (rank 0's; NULL elsewhere) on the items of a part to its end. */
int laser_mpi_evaluate_search(struct laser_evaluation *evaluation, const char *phase,
                              struct laser_search *search, enum laser_item_part part,
                              struct laser_error *err);

#endif
