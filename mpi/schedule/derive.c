/* The command `derive`: thresholds, scores, scan files and table again from stored spectra, without the
 * model. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "comm/agree.h"
#include "schedule/commands.h"
#include "schedule/report.h"
#include "schedule/results.h"
#include "store/spectra.h"

static void fill_row(const struct laser_spectra_matrix *m, struct laser_scan_row *row)
{
    *row = (struct laser_scan_row){.name = m->name,
                                   .type = m->type,
                                   .layer = m->layer,
                                   .rows = m->outcome.metrics.rows,
                                   .columns = m->outcome.metrics.columns,
                                   .dtype = m->dtype};
}

static bool has(const struct laser_spectra *s, const char *name)
{
    for (int64_t i = 0; i < s->n; ++i)
        if (strcmp(s->matrices[i].name, name) == 0)
            return true;
    return false;
}

static int write_files(struct laser_mpi_run *run, const struct laser_spectra *s,
                       const struct laser_scan_row *rows, struct laser_error *err)
{
    const char *asked = laser_deck_string(run->deck, "scan.model_id");
    char *model_id =
        asked[0] != '\0' ? strdup(asked) : laser_scan_model_id(s->model != NULL ? s->model : "model");
    struct laser_scan_style style = laser_mpi_style();
    struct laser_text table = {0};
    struct laser_scan_meta meta = {.command = "derive",
                                   .version = PACKAGE_VERSION,
                                   .model = s->model != NULL ? s->model : "",
                                   .model_id = model_id,
                                   .threshold = laser_deck_string(run->deck, "scan.threshold"),
                                   .score = laser_deck_string(run->deck, "scan.score"),
                                   .ranks = run->size,
                                   .seconds = MPI_Wtime() - run->start_s,
                                   .top_percent = (int)laser_deck_int(run->deck, "scan.top_percent"),
                                   .lm_head = has(s, "lm_head.weight") ? "lm_head.weight" : NULL,
                                   .embedding = "model.embed_tokens.weight"};
    json_t *results;
    int code;

    if (model_id == NULL)
        return laser_error_set(err, LASER_ENOMEM, "derive", "no memory");
    if (strcmp(meta.threshold, "laserrmt") == 0)
        meta.never_cuts_below_beta = laser_compat_beta_limit();
    code = laser_directory_make(run->output, err);
    if (code == LASER_OK)
        code = laser_scan_write_files(run->output, &meta, rows, (size_t)s->n, err);
    results = laser_scan_results(&meta, rows, (size_t)s->n);
    if (results != NULL)
        json_object_set_new(results, "spectra", json_string(run->arguments[0]));
    if (code == LASER_OK && results == NULL)
        code = laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    if (code == LASER_OK)
        code = laser_results_write(run->output, results, err);
    json_decref(results);
    laser_scan_table(&table, &meta, rows, (size_t)s->n, &style);
    if (code == LASER_OK && table.data != NULL) {
        laser_mpi_log_block(run->log, table.data);
        laser_mpi_log_line(run->log, "OUTPUT", "%s", run->output);
        laser_mpi_report_make(run);
    }
    laser_text_free(&table);
    free(model_id);
    return code;
}

static int derive(struct laser_mpi_run *run, struct laser_error *err)
{
    enum laser_score score =
        laser_deck_is(run->deck, "scan.score", "snr") ? LASER_SCORE_SNR : LASER_SCORE_SNR_NORMALIZED;
    struct laser_spectra s;
    struct laser_rule rule;
    struct laser_scan_row *rows = NULL;
    struct laser_scan_number *numbers = NULL;
    int code = laser_rule_parse(laser_deck_string(run->deck, "scan.threshold"), &rule, err);

    if (code == LASER_OK)
        code = laser_spectra_read(run->arguments[0], &s, err);
    if (code != LASER_OK)
        return code;
    rows = calloc((size_t)s.n + 1, sizeof *rows);
    numbers = calloc((size_t)s.n * (size_t)laser_n_metric_fields + 1, sizeof *numbers);
    if (rows == NULL || numbers == NULL)
        code = laser_error_set(err, LASER_ENOMEM, run->arguments[0], "no memory for its matrices");
    for (int64_t i = 0; code == LASER_OK && i < s.n; ++i) {
        struct laser_spectra_matrix *m = &s.matrices[i];
        fill_row(m, &rows[i]);
        if (m->sigma != NULL)
            code =
                laser_metrics_fill(&rule, m->sigma, rows[i].rows, rows[i].columns, &m->outcome.metrics, err);
        laser_mpi_row_fill(&rows[i], &m->outcome, score, numbers + i * laser_n_metric_fields);
    }
    snprintf(run->output, sizeof run->output, "%s", laser_deck_string(run->deck, "output"));
    if (code == LASER_OK)
        code = write_files(run, &s, rows, err);
    free(rows);
    free(numbers);
    laser_spectra_free(&s);
    return code;
}

int laser_mpi_command_derive(struct laser_mpi_run *run, struct laser_error *err)
{
    int code = LASER_OK;

    if (run->rank == 0)
        code = derive(run, err);
    return laser_mpi_agree(run->world, code, err);
}
