#include "schedule/commands.h"

#include "config.h"

#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "kernels/dispatch.h"
#include "schedule/evaluate.h"
#include "schedule/results.h"
#include "schedule/scan.h"

static const struct laser_mpi_command commands[] = {
    {LASER_COMMAND_SCAN, laser_mpi_command_scan},
    {LASER_COMMAND_PLAN, laser_mpi_command_plan},
    {LASER_COMMAND_DERIVE, laser_mpi_command_derive},
    {LASER_COMMAND_PERPLEXITY, laser_mpi_command_perplexity},
    {LASER_COMMAND_REDUCE, laser_mpi_command_reduce},
};

const struct laser_mpi_command *laser_mpi_command_find(enum laser_command command)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; ++i)
        if (commands[i].command == command)
            return &commands[i];
    return NULL;
}

void laser_mpi_set_threads(int threads)
{
    laser_kernels_set_threads(threads);
}

int laser_mpi_command_scan(struct laser_mpi_run *run, struct laser_error *err)
{
    int code = laser_mpi_run_open(run, err);

    return code == LASER_OK ? laser_mpi_scan(run, err) : code;
}

/* ---- perplexity ---- */

static json_t *perplexity_json(const struct laser_perplexity *p, double seconds)
{
    json_t *o = json_pack("{s:f, s:f, s:I, s:I, s:f}", "ppl", p->ppl, "nll", p->nll_nats, "tokens",
                          (json_int_t)p->tokens, "windows", (json_int_t)p->windows, "tokens_per_second",
                          seconds > 0 ? (double)p->tokens / seconds : 0);

    if (o == NULL)
        return NULL;
    /* One window has no standard error. */
    json_object_set_new(o, "stderr", isfinite(p->stderr_nats) ? json_real(p->stderr_nats) : json_null());
    if (isfinite(p->word_ppl)) {
        json_object_set_new(o, "word_perplexity", json_real(p->word_ppl));
        json_object_set_new(o, "byte_perplexity", json_real(p->byte_ppl));
        json_object_set_new(o, "bits_per_byte", json_real(p->bits_per_byte));
    }
    return o;
}

static void say_perplexity(struct laser_mpi_run *run, const char *name, const struct laser_perplexity *p,
                           double seconds)
{
    laser_mpi_log_line(run->log, "PERPLEXITY",
                       "%-12s %12.6f +- %-10.6f nll %.6f +- %.6f  %" PRId64 " tokens in %" PRId64
                       " windows, %.0f/s",
                       name, p->ppl, p->stderr_ppl, p->nll_nats, p->stderr_nats, p->tokens, p->windows,
                       seconds > 0 ? (double)p->tokens / seconds : 0);
}

/* Rank 0. */
static int report_perplexity(struct laser_mpi_evaluation *e, const struct laser_window_nll *nll,
                             double seconds, struct laser_error *err)
{
    struct laser_mpi_run *run = e->run;
    struct laser_perplexity *each = calloc((size_t)e->n_datasets, sizeof *each), pooled;
    json_t *datasets = json_object(), *results;
    int code;

    if (each == NULL || datasets == NULL) {
        free(each);
        json_decref(datasets);
        return laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    }
    code = laser_perplexity_compute(e->convention, e->datasets, e->n_datasets, e->windows, nll, e->n_windows,
                                    each, &pooled, err);
    for (int32_t i = 0; code == LASER_OK && i < e->n_datasets; ++i) {
        say_perplexity(run, e->datasets[i].name, &each[i],
                       seconds * (double)each[i].tokens / (double)pooled.tokens);
        json_object_set_new(
            datasets, e->datasets[i].name,
            perplexity_json(&each[i], seconds * (double)each[i].tokens / (double)pooled.tokens));
    }
    if (code == LASER_OK) {
        say_perplexity(run, "pooled", &pooled, seconds);
        results = json_pack("{s:s, s:s, s:s, s:i, s:s, s:s, s:f, s:{s:o, s:O}}", "command", "perplexity",
                            "version", PACKAGE_VERSION, "model", run->checkpoint->model, "ranks", run->size,
                            "convention", laser_convention_name(e->convention), "precision",
                            laser_deck_string(run->deck, "evaluate.precision"), "seconds", seconds,
                            "perplexity", "pooled", perplexity_json(&pooled, seconds), "datasets", datasets);
        code = results == NULL ? laser_error_set(err, LASER_ENOMEM, "results.json", "no memory")
                               : laser_results_write(run->output, results, err);
        json_decref(results);
    }
    json_decref(datasets);
    free(each);
    return code;
}

int laser_mpi_command_perplexity(struct laser_mpi_run *run, struct laser_error *err)
{
    struct laser_mpi_evaluation e;
    struct laser_window_nll *nll = NULL;
    double start;
    int code = laser_mpi_run_open(run, err);

    if (code != LASER_OK)
        return code;
    code = laser_mpi_texts_open(run, &e, err);
    if (code == LASER_OK)
        code = laser_mpi_evaluation_open(&e, err);
    start = MPI_Wtime();
    if (code == LASER_OK) {
        if (run->rank == 0 && (nll = calloc((size_t)e.n_windows, sizeof *nll)) == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "evaluation", "no memory");
        code = laser_mpi_agree(run->world, code, err);
    }
    if (code == LASER_OK)
        code = laser_mpi_evaluate_all(&e, "perplexity", nll, err);
    if (code == LASER_OK) {
        if (run->rank == 0)
            code = report_perplexity(&e, nll, MPI_Wtime() - start, err);
        code = laser_mpi_agree(run->world, code, err);
    }
    free(nll);
    laser_mpi_evaluation_close(&e);
    return code;
}
