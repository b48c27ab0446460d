/* The command `show`: the results of a run in a terminal, without the model. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/json.h"
#include "comm/agree.h"
#include "report/heat_map.h"
#include "report/sweep_map.h"
#include "schedule/commands.h"
#include "schedule/results.h"
#include "store/spectra.h"

static void show_map(struct laser_mpi_run *run, const struct laser_spectra *s,
                     const struct laser_scan_row *rows)
{
    struct laser_heat_style style = {.width = laser_mpi_style().width, .colours = laser_mpi_log_terminal()};
    struct laser_text text = {0};

    laser_text_printf(&text, "%s: %s of each matrix under the rule %s\n\n", s->model != NULL ? s->model : "?",
                      s->score != NULL ? s->score : "snr", s->rule != NULL ? s->rule : "?");
    laser_heat_map(&text, rows, (size_t)s->n, &style);
    if (text.data != NULL && !text.failed)
        laser_mpi_log_block(run->log, text.data);
    laser_text_free(&text);
}

static void show_sweep(struct laser_mpi_run *run, const json_t *results)
{
    struct laser_heat_style style = {.width = laser_mpi_style().width, .colours = laser_mpi_log_terminal()};
    struct laser_text text = {0};

    laser_text_puts(&text, "\n");
    laser_sweep_map(&text, json_object_get(results, "sweep_table"), &style);
    if (text.data != NULL && !text.failed)
        laser_mpi_log_block(run->log, text.data);
    laser_text_free(&text);
}

static double real_or_nan(const json_t *value)
{
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static const char *text_or_empty(const json_t *value)
{
    const char *text = json_string_value(value);

    return text != NULL ? text : "";
}

static void show_decisions(struct laser_mpi_run *run, const json_t *results)
{
    const json_t *list = json_object_get(results, "decisions"), *d;
    struct laser_text text = {0};
    size_t i;

    if (!json_is_array(list))
        return;
    laser_text_printf(&text, "\n%zu decisions\n", json_array_size(list));
    json_array_foreach(list, i, d) laser_text_printf(
        &text, "%-9s %-44s %-18s rank %6lld of %6lld  ppl %.6f  %s\n",
        json_is_true(json_object_get(d, "kept")) ? "kept" : "reverted",
        text_or_empty(json_object_get(d, "tensor")), text_or_empty(json_object_get(d, "edit")),
        (long long)json_integer_value(json_object_get(d, "rank")),
        (long long)json_integer_value(json_object_get(d, "of")), real_or_nan(json_object_get(d, "ppl")),
        text_or_empty(json_object_get(d, "reason")));
    if (text.data != NULL && !text.failed)
        laser_mpi_log_block(run->log, text.data);
    laser_text_free(&text);
}

static int show(struct laser_mpi_run *run, struct laser_error *err)
{
    struct laser_spectra s;
    struct laser_scan_row *rows;
    json_t *results = NULL;
    char path[4200];
    enum laser_score score;
    int code;

    snprintf(path, sizeof path, "%s/spectra.h5", run->arguments[0]);
    code = laser_spectra_read(path, &s, err);
    if (code != LASER_OK)
        return code;
    score = s.score != NULL && strcmp(s.score, "snr-normalized") == 0 ? LASER_SCORE_SNR_NORMALIZED
                                                                      : LASER_SCORE_SNR;
    rows = calloc((size_t)s.n + 1, sizeof *rows);
    if (rows == NULL)
        code = laser_error_set(err, LASER_ENOMEM, path, "no memory for its matrices");
    for (int64_t i = 0; code == LASER_OK && i < s.n; ++i)
        rows[i] = (struct laser_scan_row){.name = s.matrices[i].name,
                                          .type = s.matrices[i].type,
                                          .layer = s.matrices[i].layer,
                                          .score = laser_score_of(score, &s.matrices[i].outcome.metrics.cut),
                                          .status = s.matrices[i].outcome.status == LASER_OUTCOME_SCANNED
                                                        ? LASER_SCAN_SCANNED
                                                        : LASER_SCAN_FAILED};
    if (code == LASER_OK) {
        show_map(run, &s, rows);
        snprintf(path, sizeof path, "%s/results.json", run->arguments[0]);
        if (access(path, F_OK) == 0)
            code = laser_json_load(path, 0, &results, err);
        if (json_object_get(results, "sweep_table") != NULL)
            show_sweep(run, results);
        show_decisions(run, results);
    }
    json_decref(results);
    free(rows);
    laser_spectra_free(&s);
    return code;
}

int laser_mpi_command_show(struct laser_mpi_run *run, struct laser_error *err)
{
    int code = LASER_OK;

    if (run->rank == 0)
        code = show(run, err);
    return laser_mpi_agree(run->world, code, err);
}
