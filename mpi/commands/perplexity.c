/* The commands `perplexity` and `evaluate`: every window of the deck's texts, and every question of its
 * tasks, through the model as it is. */
#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json_text.h"
#include "checkpoint/checkpoint.h"
#include "comm/agree.h"
#include "comm/log.h"
#include "commands/commands.h"
#include "evaluate/evaluation.h"
#include "evaluate/task_results.h"
#include "evaluate/windows_file.h"
#include "kernels/dispatch.h"
#include "report/scan_report.h"
#include "store/report.h"
#include "store/results.h"

/* What is reported of a data set, or of all. */
struct figures {
    struct laser_perplexity perplexity;
    double tokens_per_second; /* tokens that went through the model, scored or not; NaN: none did */
    int64_t reused;           /* tokens whose result an earlier start had */
};

static json_t *figures_json(const struct figures *f)
{
    const struct laser_perplexity *p = &f->perplexity;
    json_t *o = json_pack("{s:f, s:f, s:I, s:I, s:o}", "ppl", p->ppl, "nll", p->nll_nats, "tokens",
                          (json_int_t)p->tokens, "windows", (json_int_t)p->windows, "tokens_per_second",
                          isfinite(f->tokens_per_second) ? json_real(f->tokens_per_second) : json_null());

    if (o == NULL)
        return NULL;
    /* One window has no standard error. */
    json_object_set_new(o, "stderr", isfinite(p->stderr_nats) ? json_real(p->stderr_nats) : json_null());
    json_object_set_new(o, "ppl_stderr", isfinite(p->stderr_ppl) ? json_real(p->stderr_ppl) : json_null());
    return o;
}

/* lm-eval's figures: those of whole texts.  In other conventions a part of the text is not scored. */
static void add_text_figures(json_t *o, const struct laser_perplexity *p)
{
    json_object_set_new(o, "words", json_integer(p->words));
    json_object_set_new(o, "bytes", json_integer(p->bytes));
    json_object_set_new(o, "word_perplexity", laser_json_real(p->word_ppl));
    json_object_set_new(o, "byte_perplexity", laser_json_real(p->byte_ppl));
    json_object_set_new(o, "bits_per_byte", laser_json_real(p->bits_per_byte));
}

static json_t *describe(const struct laser_evaluation *e, const struct figures *f)
{
    json_t *o = figures_json(f);

    if (o != NULL && e->convention == LASER_CONVENTION_LM_EVAL && f->perplexity.bytes > 0)
        add_text_figures(o, &f->perplexity);
    return o;
}

static void say(const struct laser_evaluation *e, const char *name, const struct figures *f)
{
    const struct laser_perplexity *p = &f->perplexity;
    char error[64] = "", word[96] = "", rate[96] = "taken from an earlier start";

    if (isfinite(p->stderr_nats))
        snprintf(error, sizeof error, " +- %.6f", p->stderr_nats);
    if (e->convention == LASER_CONVENTION_LM_EVAL && p->bytes > 0)
        snprintf(word, sizeof word, ", word perplexity %.6f, %.6f bits a byte", p->word_ppl,
                 p->bits_per_byte);
    if (isfinite(f->tokens_per_second))
        snprintf(rate, sizeof rate, "%.0f tokens/s%s", f->tokens_per_second,
                 f->reused > 0 ? " of those that an earlier start had not done" : "");
    laser_log_line(e->run->log, "PERPLEXITY",
                   "%-12s %12.6f  nll %.6f%s, %" PRId64 " tokens in %" PRId64 " windows%s, %s", name, p->ppl,
                   p->nll_nats, error, p->tokens, p->windows, word, rate);
}

static int64_t tokens_of(const struct laser_evaluation *e, int32_t dataset)
{
    int64_t n = 0;

    for (int64_t i = 0; i < e->n_windows; ++i)
        if (dataset < 0 || e->windows[i].dataset == dataset)
            n += e->windows[i].n_tokens;
    return n;
}

/* How the numbers were computed. */
static json_t *computed_json(const struct laser_evaluation *e, double evaluation_s)
{
    const struct laser_run *run = e->run;

    return json_pack("{s:i, s:s, s:s, s:s, s:I, s:s, s:s, s:{s:i, s:i}, s:I, s:I, s:f, s:f}", "format", 1,
                     "command", laser_command_name(run->command), "version", PACKAGE_VERSION, "model",
                     run->checkpoint->model, "ranks", (json_int_t)run->size, "precision",
                     laser_deck_value_text(run->deck, LASER_KEY_evaluate_precision), "kernels",
                     laser_kernels_name(laser_kernels_current(e->precision)), "layout", "replicas",
                     e->n_groups, "shards", e->group_size, "threads",
                     (json_int_t)run->settings->parallel.threads, "batch_windows",
                     (json_int_t)e->batch_windows, "evaluation_seconds", evaluation_s, "seconds",
                     laser_clock_s() - run->start_s);
}

static json_t *perplexity_json(const struct laser_evaluation *e, const struct figures *each,
                               const struct figures *pooled)
{
    json_t *datasets = json_object(), *o;

    for (int32_t i = 0; i < e->n_datasets; ++i)
        json_object_set_new(datasets, e->datasets[i].name, describe(e, &each[i]));
    o = json_pack("{s:o, s:O}", "pooled", describe(e, pooled), "datasets", datasets);
    json_decref(datasets);
    return o;
}

/* The tasks, and how many questions a second went through the model. */
static json_t *tasks_json(const struct laser_evaluation *e, const struct laser_item_score *scores)
{
    json_t *tasks = laser_tasks_json(e, 0, e->n_items, scores, NULL);

    for (int32_t t = 0; tasks != NULL && t < e->set.n_tasks; ++t) {
        json_t *o = json_object_get(tasks, e->set.tasks[t].name);
        const struct laser_work_done *done = &e->done[e->n_datasets + t];
        json_object_set_new(o, "questions_per_second",
                            done->work_s > 0 ? json_real((double)(done->items * e->n_groups) / done->work_s)
                                             : json_null());
    }
    return tasks;
}

/* Where there is no windows.h5 that says so: of which model and with which settings. */
static int add_provenance(const struct laser_run *run, json_t *results)
{
    struct laser_checkpoint_fingerprint print = laser_checkpoint_fingerprint(run->checkpoint);
    char content[20], *deck = laser_deck_print(run->deck, run->command);
    int bad;

    snprintf(content, sizeof content, "%016" PRIx64, print.content);
    bad = deck == NULL || json_object_set_new(results, "content", json_string(content)) != 0 ||
          json_object_set_new(results, "libraries", json_string(run->libraries)) != 0 ||
          json_object_set_new(results, "deck", json_string(deck)) != 0;
    free(deck);
    return bad;
}

static int write_results(const struct laser_evaluation *e, const struct figures *each,
                         const struct figures *pooled, const struct laser_item_score *scores,
                         double evaluation_s, json_t *phases, struct laser_error *err)
{
    const struct laser_run *run = e->run;
    json_t *results = computed_json(e, evaluation_s);
    int bad = results == NULL || json_object_set(results, "phases", phases) != 0, code;

    if (e->n_datasets > 0)
        bad |= json_object_set_new(results, "convention", json_string(laser_convention_name(e->convention))) |
               json_object_set_new(results, "seqlen", json_integer(run->settings->evaluate.seqlen)) |
               json_object_set_new(results, "perplexity", perplexity_json(e, each, pooled));
    else
        bad |= add_provenance(run, results);
    if (e->set.n_tasks > 0)
        bad |= json_object_set_new(results, "tasks", tasks_json(e, scores));
    code = bad ? laser_error_set(err, LASER_ENOMEM, "results.json", "no memory")
               : laser_results_write(run->output, results, err);
    json_decref(results);
    return code;
}

/* Rank 0.  What the windows say. */
static int report_texts(struct laser_evaluation *e, const struct laser_window_nll *nll,
                        struct laser_perplexity *each, struct figures *figures, struct figures *pooled,
                        double evaluation_s, struct laser_error *err)
{
    int code = laser_perplexity_compute(e->convention, e->datasets, e->n_datasets, e->windows, nll,
                                        e->n_windows, each, &pooled->perplexity, err);
    int64_t tokens = 0; /* computed in this start */

    for (int32_t i = 0; code == LASER_OK && i < e->n_datasets; ++i) {
        const struct laser_work_done *done = &e->done[i];
        figures[i].perplexity = each[i];
        /* The groups work at the same time. */
        figures[i].tokens_per_second =
            done->work_s > 0 ? (double)(done->tokens * e->n_groups) / done->work_s : (double)NAN;
        figures[i].reused = tokens_of(e, i) - done->tokens;
        tokens += done->tokens;
        say(e, e->datasets[i].name, &figures[i]);
    }
    if (code != LASER_OK)
        return code;
    pooled->tokens_per_second = tokens > 0 && evaluation_s > 0 ? (double)tokens / evaluation_s : (double)NAN;
    pooled->reused = tokens_of(e, -1) - tokens;
    say(e, "pooled", pooled);
    return laser_evaluation_windows_write(e, "windows.h5", nll, err);
}

/* Rank 0. */
static int report(struct laser_evaluation *e, const struct laser_window_nll *nll,
                  const struct laser_item_score *scores, double evaluation_s, json_t *phases,
                  struct laser_error *err)
{
    struct laser_perplexity *each = calloc((size_t)e->n_datasets + 1, sizeof *each);
    struct figures *figures = calloc((size_t)e->n_datasets + 1, sizeof *figures), pooled = {0};
    const struct laser_answers answers = {scores, e->option_nats};
    int code = each == NULL || figures == NULL
                   ? laser_error_set(err, LASER_ENOMEM, "results.json", "no memory")
                   : LASER_OK;

    if (code == LASER_OK && e->n_datasets > 0)
        code = report_texts(e, nll, each, figures, &pooled, evaluation_s, err);
    if (code == LASER_OK && e->set.n_tasks > 0) {
        laser_tasks_say(e, "TASK", 0, e->n_items, scores, NULL);
        code = laser_questions_write(e, laser_run_path(e->run, "questions.jsonl"), &answers, NULL, err);
    }
    if (code == LASER_OK)
        code = write_results(e, figures, &pooled, scores, evaluation_s, phases, err);
    if (code == LASER_OK) {
        laser_log_line(e->run->log, "OUTPUT", "%s", e->run->output);
        laser_report_make(e->run);
    }
    free(each);
    free(figures);
    return code;
}

static int evaluate(struct laser_evaluation *e, struct laser_error *err)
{
    struct laser_run *run = e->run;
    struct laser_window_nll *nll = NULL;
    struct laser_item_score *scores = NULL;
    double start_s = laser_clock_s();
    int code = LASER_OK;

    if (run->rank == 0) {
        nll = calloc((size_t)e->n_windows + 1, sizeof *nll);
        scores = calloc((size_t)e->n_items, sizeof *scores);
    }
    if (run->rank == 0 && (nll == NULL || scores == NULL))
        code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory for %" PRId64 " windows",
                               e->n_windows);
    code = laser_mpi_agree(laser_mpi_world(run), code, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluate_all(e, laser_command_name(run->command), NULL, 0, scores, err);
    if (code == LASER_OK) {
        double evaluation_s = laser_clock_s() - start_s;
        json_t *phases = laser_mpi_log_phases_json(run->log, laser_mpi_world(run));
        for (int64_t i = 0, w; run->rank == 0 && i < e->n_items; ++i)
            if (!laser_item_is_question(e, i, &w))
                nll[w] = scores[i].window;
        if (run->rank == 0)
            code = report(e, nll, scores, evaluation_s, phases, err);
        json_decref(phases);
        code = laser_mpi_agree(laser_mpi_world(run), code, err);
    }
    free(nll);
    free(scores);
    return code;
}

int laser_mpi_command_perplexity(struct laser_run *run, struct laser_error *err)
{
    struct laser_mpi_evaluation e;
    int code = laser_mpi_run_open(run, err);

    if (code != LASER_OK)
        return code;
    code = laser_mpi_texts_open(run, &e, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluation_open(&e.evaluation, err);
    if (code == LASER_OK)
        code = evaluate(&e.evaluation, err);
    laser_mpi_evaluation_close(&e.evaluation);
    return code;
}
