/* The command `compare` with a text: two models on the same windows.  Without one, two evaluations that are there already
 * (src/commands/compare.c). */
#include "config.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "comm/agree.h"
#include "comm/log.h"
#include "commands/commands.h"
#include "commands/serial.h"
#include "evaluate/evaluation.h"
#include "evaluate/texts.h"
#include "store/results.h"

/* Rank 0 has the names. */
static int open_models(struct laser_run *run, struct laser_checkpoint **other, struct laser_error *err)
{
    MPI_Comm world = laser_mpi_world(run);
    int code;

    laser_run_begin(run);
    code = laser_mpi_share_checkpoint(world, run->rank == 0 ? run->arguments[0] : "", false, &run->checkpoint,
                                      err);
    if (code == LASER_OK)
        code = laser_mpi_share_checkpoint(world, run->rank == 0 ? run->arguments[1] : "", false, other, err);
    if (code != LASER_OK)
        return code;
    laser_mpi_run_limits(run);
    if (run->rank == 0)
        code = laser_run_open_output(run, err);
    code = laser_mpi_agree(world, code, err);
    MPI_Bcast(run->output, (int)sizeof run->output, MPI_BYTE, 0, world);
    return code;
}

/* Rank 0.  Do both tokenizers make the same tokens of the texts? */
static int check_texts(const struct laser_evaluation *a, const struct laser_evaluation *b,
                       struct laser_error *err)
{
    for (int32_t i = 0; i < a->n_datasets; ++i) {
        const struct laser_dataset *x = &a->datasets[i], *y = &b->datasets[i];
        int64_t at = 0;
        while (at < x->n_tokens && at < y->n_tokens && x->tokens[at] == y->tokens[at])
            ++at;
        if (at < x->n_tokens || at < y->n_tokens)
            return laser_error_set(
                err, LASER_EINPUT, y->path,
                "the tokenizers of the two models make different tokens of it, from token %lld "
                "on: their distributions cannot be compared",
                (long long)at);
    }
    return LASER_OK;
}

/* A model without a tokenizer takes that of the first. */
static int check_tokenizers(struct laser_evaluation *e, struct laser_checkpoint *other,
                            struct laser_error *err)
{
    struct laser_run *run = e->run;
    struct laser_checkpoint *own = run->checkpoint;
    struct laser_mpi_evaluation second;
    int has, code;

    has = laser_evaluation_has_tokenizer(other);
    MPI_Bcast(&has, 1, MPI_INT, 0, laser_mpi_world(run));
    if (!has)
        return LASER_OK;
    run->checkpoint = other;
    code = laser_mpi_texts_open(run, &second, err);
    run->checkpoint = own;
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = check_texts(e, &second.evaluation, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    laser_mpi_evaluation_close(&second.evaluation);
    return code;
}

/* Rank 0. */
static int report(const struct laser_evaluation *e, const struct laser_checkpoint *other,
                  const struct laser_divergences *d, struct laser_error *err)
{
    struct laser_run *run = e->run;
    json_t *results = json_pack(
        "{s:i, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:I, s:f, s:o}", "format", 1, "command", "compare",
        "version", PACKAGE_VERSION, "model", run->checkpoint->model, "compared", other->model, "convention",
        laser_convention_name(e->convention), "seqlen", (json_int_t)run->settings->evaluate.seqlen,
        "precision", laser_deck_value_text(run->deck, LASER_KEY_evaluate_precision), "ranks",
        (json_int_t)run->size, "seconds", laser_clock_s() - run->start_s, "divergence",
        laser_divergences_json(d));
    int code = results != NULL ? laser_results_write(run->output, results, err)
                               : laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");

    json_decref(results);
    laser_divergences_say(d, run->log);
    laser_log_line(run->log, "OUTPUT", "%s", run->output);
    return code;
}

static int compare_models(struct laser_run *run, struct laser_error *err)
{
    struct laser_checkpoint *other = NULL;
    struct laser_mpi_evaluation whole;
    struct laser_evaluation *e = &whole.evaluation;
    struct laser_divergences d = {0};
    int code;

    laser_mpi_evaluation_init(&whole);
    code = open_models(run, &other, err);
    if (code == LASER_OK)
        code = laser_mpi_texts_open(run, &whole, err);
    if (code == LASER_OK)
        code = check_tokenizers(e, other, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluation_diverge(e, run->checkpoint, other, LASER_PARTS_ALL, &d, err);
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = report(e, other, &d, err);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    laser_divergences_free(&d);
    if (e->run != NULL)
        laser_mpi_evaluation_close(e);
    laser_checkpoint_close(other);
    return code;
}

int laser_mpi_command_compare(struct laser_run *run, struct laser_error *err)
{
    int code = LASER_OK;

    if (run->settings->evaluate.text.count > 0)
        return compare_models(run, err);
    if (run->rank == 0)
        code = laser_command_compare(run, err);
    return laser_mpi_agree(laser_mpi_world(run), code, err);
}
