/* Which items select, which are only reported, and which gradients are taken on. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/writer.h"
#include "corpus/split.h"
#include "reduce/reduce.h"

/* Marks the questions that select: of each task evaluate.validation_share. */
static int mark_questions(const struct laser_evaluation *e, unsigned char *mark, struct laser_error *err)
{
    double share = e->run->settings->evaluate.validation_share;
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
                                          (uint64_t)e->run->settings->evaluate.seed, mark, err);
    free(task);
    return code;
}

static int mark_windows(const struct laser_evaluation *e, unsigned char *mark, struct laser_error *err)
{
    double share = e->run->settings->evaluate.selection_share;

    memset(mark, LASER_MARK_SELECTION, (size_t)e->n_windows);
    return share >= 1 ? LASER_OK
                      : laser_windows_split(e->windows, e->n_windows, LASER_SPLIT_SEEDED, share,
                                            (uint64_t)e->run->settings->evaluate.seed, mark, err);
}

/* The windows of guard texts are no part of the selection. */
static void mark_guards(const struct laser_evaluation *e, unsigned char *mark)
{
    for (int64_t i = 0; i < e->n_windows; ++i)
        if (e->windows[i].dataset >= e->n_datasets - e->n_guards)
            mark[i] = mark[i] == LASER_MARK_SELECTION ? LASER_MARK_GUARD : LASER_MARK_GUARD_REPORT;
}

/* Of the windows that select, all but every k-th one are for gradients; those that choose the length of a
 * step are spread over the texts, and no more than reduce.selection_tokens asks for. */
static int mark_calibration(const struct laser_evaluation *e, unsigned char *mark, struct laser_error *err)
{
    double share = e->run->settings->reduce.calibration_share, tokens = 0, most, rest;
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
    most = (double)e->run->settings->reduce.selection_tokens;
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

int laser_reduction_split(struct laser_evaluation *e, bool *has_report, struct laser_error *err)
{
    unsigned char *windows = malloc((size_t)e->n_windows + 1);
    unsigned char *questions = malloc((size_t)e->set.n_questions + 1);
    int code = windows == NULL || questions == NULL
                   ? laser_error_set(err, LASER_ENOMEM, "evaluate", "no memory")
                   : mark_windows(e, windows, err);

    if (code == LASER_OK)
        code = mark_questions(e, questions, err);
    if (code == LASER_OK)
        mark_guards(e, windows);
    if (code == LASER_OK && e->run->settings->reduce.strategy == LASER_STRATEGY_TUNE)
        code = mark_calibration(e, windows, err);
    if (code == LASER_OK)
        code = laser_items_make(e, windows, questions, err);
    *has_report = code == LASER_OK && e->part_item[LASER_PART_REPORT_OTHER] > e->part_item[LASER_PART_REPORT];
    free(windows);
    free(questions);
    return code;
}

int laser_reduction_check_ends(const struct laser_run *run, enum laser_precision precision,
                               struct laser_error *err)
{
    struct laser_writer *writer;
    struct laser_model *model;
    int code = laser_model_describe(run->checkpoint, NULL, precision, &model, err);

    if (code != LASER_OK)
        return code;
    laser_model_free(model);
    code = laser_writer_open(run->checkpoint, laser_run_path(run, "model"), &writer, err);
    if (code != LASER_OK)
        return code;
    code = laser_writer_begin(writer, err);
    laser_writer_close(writer);
    return code;
}
