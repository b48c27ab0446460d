/* The command `reduce`: scan, candidates, edits, the search on the selection windows, the report on the
 * others, the written model.
 */
#include "reduce/reduce.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/writer.h"
#include "comm/agree.h"
#include "corpus/split.h"
#include "schedule/results.h"
#include "schedule/scan.h"

/* Marks the questions that select: of each task evaluate.validation_share. */
static int mark_questions(const struct laser_mpi_evaluation *e, unsigned char *mark, struct laser_error *err)
{
    double share = laser_deck_real(e->run->deck, "evaluate.validation_share");
    int32_t *task = malloc((size_t)e->set.n_questions * sizeof *task + 1);
    int code;

    if (task == NULL)
        return laser_error_set(err, LASER_ENOMEM, "evaluate.task", "no memory");
    for (int64_t i = 0; i < e->set.n_questions; ++i) {
        task[i] = e->set.questions[i].task;
        mark[i] = 1;
    }
    code = share >= 1 ? LASER_OK
                      : laser_items_split(task, e->set.n_questions, LASER_SPLIT_SEEDED, share,
                                          (uint64_t)laser_deck_int(e->run->deck, "evaluate.seed"), mark, err);
    free(task);
    return code;
}

static int mark_windows(const struct laser_mpi_evaluation *e, unsigned char *mark, struct laser_error *err)
{
    double share = laser_deck_real(e->run->deck, "evaluate.selection_share");

    memset(mark, LASER_MARK_SELECTION, (size_t)e->n_windows);
    return share >= 1
               ? LASER_OK
               : laser_windows_split(e->windows, e->n_windows, LASER_SPLIT_SEEDED, share,
                                     (uint64_t)laser_deck_int(e->run->deck, "evaluate.seed"), mark, err);
}

/* The windows of guard texts are no part of the selection. */
static void mark_guards(const struct laser_mpi_evaluation *e, unsigned char *mark)
{
    for (int64_t i = 0; i < e->n_windows; ++i)
        if (e->windows[i].dataset >= e->n_datasets - e->n_guards)
            mark[i] = mark[i] == LASER_MARK_SELECTION ? LASER_MARK_GUARD : LASER_MARK_GUARD_REPORT;
}

/* Of the windows that select, all but every k-th one are for gradients; those that choose the length of a
 * step are spread over the texts, and no more than reduce.selection_tokens asks for. */
static int mark_calibration(const struct laser_mpi_evaluation *e, unsigned char *mark,
                            struct laser_error *err)
{
    double share = laser_deck_real(e->run->deck, "reduce.calibration_share"), tokens = 0, most, rest;
    int64_t n = 0, at = 0, kept = 0;

    for (int64_t i = 0; i < e->n_windows; ++i)
        if (mark[i] == LASER_MARK_SELECTION) {
            tokens += e->windows[i].n_tokens;
            ++n;
        }
    if (n < 2)
        return laser_error_set(
            err, LASER_EINPUT, "evaluate.text",
            "%" PRId64 " window%s of text to select by: tune needs at least 2, one for the gradient "
            "and one for the length of a step; give more text or a smaller evaluate.seqlen",
            n, n == 1 ? "" : "s");
    most = (double)laser_deck_int(e->run->deck, "reduce.selection_tokens");
    rest = 1 - share;
    if (most > 0 && rest * tokens > most)
        rest = most / tokens;
    if (rest * (double)n < 1)
        rest = 1 / (double)n;
    for (int64_t i = 0; i < e->n_windows; ++i) {
        if (mark[i] != LASER_MARK_SELECTION)
            continue;
        ++at;
        if ((double)kept < floor(rest * (double)at + 1e-9))
            ++kept;
        else
            mark[i] = LASER_MARK_CALIBRATION;
    }
    return LASER_OK;
}

static int split_items(struct laser_mpi_reduction *r, struct laser_error *err)
{
    struct laser_mpi_evaluation *e = &r->e;
    unsigned char *windows = malloc((size_t)e->n_windows + 1);
    unsigned char *questions = malloc((size_t)e->set.n_questions + 1);
    int code = windows == NULL || questions == NULL
                   ? laser_error_set(err, LASER_ENOMEM, "evaluate", "no memory")
                   : mark_windows(e, windows, err);

    if (code == LASER_OK)
        code = mark_questions(e, questions, err);
    if (code == LASER_OK)
        mark_guards(e, windows);
    if (code == LASER_OK && laser_mpi_tune_is(r))
        code = mark_calibration(e, windows, err);
    if (code == LASER_OK)
        code = laser_mpi_items_make(e, windows, questions, err);
    r->has_report =
        code == LASER_OK && e->part_item[LASER_PART_REPORT_OTHER] > e->part_item[LASER_PART_REPORT];
    free(windows);
    free(questions);
    return code;
}

/* Rank 0: can the model be evaluated, and written at the end?  Better asked before the work than after it. */
static int check_ends(const struct laser_mpi_run *run, enum laser_precision precision,
                      struct laser_error *err)
{
    struct laser_writer *writer;
    struct laser_model *model;
    int code = laser_model_describe(run->checkpoint, NULL, precision, &model, err);

    if (code != LASER_OK)
        return code;
    laser_model_free(model);
    code = laser_writer_open(run->checkpoint, laser_mpi_run_path(run, "model"), &writer, err);
    if (code != LASER_OK)
        return code;
    code = laser_writer_begin(writer, err);
    laser_writer_close(writer);
    return code;
}

static int candidates_and_edits(struct laser_mpi_reduction *r, json_t **results, struct laser_error *err)
{
    bool screens = laser_mpi_screen_is(r);
    int code = LASER_OK, any = 0;

    if (r->run->rank == 0) {
        code = laser_mpi_results_write(r->run, results, err);
        if (code == LASER_OK)
            code = laser_mpi_reduction_plan(r, err);
        any = r->plan.n_candidates > 0;
    }
    code = laser_mpi_agree(r->run->world, code, err);
    MPI_Bcast(&any, 1, MPI_INT, 0, r->run->world);
    if (code == LASER_OK && screens) {
        r->e.caches = true;
        code = laser_mpi_evaluation_open(&r->e, err);
        if (code == LASER_OK && any)
            code = laser_mpi_reduction_screen(r, err);
    }
    if (code == LASER_OK && r->run->rank == 0)
        code = laser_mpi_edits_room(r->run, &r->plan, r->ranks, err);
    code = laser_mpi_agree(r->run->world, code, err);
    return code == LASER_OK ? laser_mpi_edits_make(r->run, &r->plan, &r->edits, err) : code;
}

static int write_kept(struct laser_mpi_reduction *r, struct laser_error *err)
{
    const int32_t *kept = NULL;
    int n = 0;

    if (r->run->rank == 0)
        kept = laser_search_kept(r->search, &n);
    return laser_mpi_reduction_write(r, kept, n, true, err);
}

static int open_with_edits(struct laser_mpi_reduction *r, json_t **results, struct laser_error *err)
{
    int code = candidates_and_edits(r, results, err);

    if (code == LASER_OK && r->e.model_is_open)
        return laser_mpi_agree(r->run->world,
                               laser_mpi_evaluation_edits(&r->e, r->edits.files, r->edits.n, err), err);
    r->e.edits = r->edits.files;
    r->e.n_edits = r->edits.n;
    return code == LASER_OK ? laser_mpi_evaluation_open(&r->e, err) : code;
}

/* The edits follow from gradients: the model comes first. */
static int tune(struct laser_mpi_reduction *r, json_t **results, struct laser_error *err)
{
    int code = r->run->rank == 0 ? laser_mpi_results_write(r->run, results, err) : LASER_OK;

    code = laser_mpi_agree(r->run->world, code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluation_open(&r->e, err);
    return code == LASER_OK ? laser_mpi_reduction_tune(r, err) : code;
}

static int reduce(struct laser_mpi_reduction *r, json_t **results, struct laser_error *err)
{
    struct laser_mpi_run *run = r->run;
    int code = laser_mpi_texts_open(run, &r->e, err);

    if (code == LASER_OK) {
        code = split_items(r, err);
        if (code == LASER_OK && run->rank == 0)
            code = check_ends(run, r->e.precision, err);
        code = laser_mpi_agree(run->world, code, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_scan_matrices(run, err);
    if (code == LASER_OK)
        code = laser_mpi_tune_is(r) ? tune(r, results, err) : open_with_edits(r, results, err);
    if (code == LASER_OK)
        code = laser_mpi_reduction_search(r, err);
    if (code == LASER_OK && r->has_report)
        code = laser_mpi_reduction_report(r, err);
    if (code == LASER_OK && laser_mpi_tune_is(r))
        code = laser_mpi_tune_guards(r, err);
    if (code == LASER_OK && r->e.set.n_questions > 0)
        code = laser_mpi_reduction_measure(r, err);
    if (code == LASER_OK)
        code = write_kept(r, err);
    return code == LASER_OK ? laser_mpi_reduction_results(r, *results, err) : code;
}

void laser_mpi_reduction_free(struct laser_mpi_reduction *r)
{
    laser_mpi_evaluation_close(&r->e);
    laser_mpi_edits_free(&r->edits);
    laser_search_free(r->search);
    laser_strategy_free(&r->plan);
    laser_strategy_free(&r->composed);
    json_decref(r->decisions);
    json_decref(r->sweep);
    json_decref(r->tune);
    json_decref(r->table);
    laser_sweep_free(&r->cells);
    free(r->weights);
    free(r->final);
    free(r->batch_first);
    free(r->before);
    free(r->after);
    free(r->options_before);
    free(r->ranks);
    free(r->trial_means);
    free(r->changes);
    free(r->asked);
}

int laser_mpi_command_reduce(struct laser_mpi_run *run, struct laser_error *err)
{
    struct laser_mpi_reduction r = {.run = run, .base_mean = NAN, .winner = -1};
    json_t *results = NULL;
    int code = laser_mpi_run_open(run, err);

    if (code != LASER_OK)
        return code;
    r.e.shards.sharers = MPI_COMM_NULL;
    r.e.team.group_comm = MPI_COMM_NULL;
    code = reduce(&r, &results, err);
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = laser_mpi_results_failures(run, err);
        code = laser_mpi_agree(run->world, code, err);
    }
    laser_mpi_reduction_free(&r);
    json_decref(results);
    return code;
}
