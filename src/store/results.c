#include "store/results.h"

#include "config.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arch/family.h"
#include "base/clock.h"
#include "checkpoint/coded.h"
#include "checkpoint/json.h"
#include "run/terminal.h"
#include "store/parts.h"

void laser_row_fill(struct laser_scan_row *row, const struct laser_outcome *o, enum laser_score score,
                    struct laser_scan_number *numbers)
{
    row->status = o->status == LASER_OUTCOME_SCANNED ? LASER_SCAN_SCANNED : LASER_SCAN_FAILED;
    row->seconds = o->read_s + o->solve_s;
    if (o->status != LASER_OUTCOME_SCANNED) {
        row->reason = o->reason;
        return;
    }
    row->solver = laser_solver_name((enum laser_solver)o->solver);
    row->threshold = o->metrics.cut.threshold;
    row->rank = o->metrics.cut.k;
    row->snr = o->metrics.cut.snr;
    row->score = laser_score_of(score, &o->metrics.cut);
    row->s_max = o->metrics.s_max;
    row->s_min = o->metrics.s_min;
    row->step_noise = o->step_noise;
    row->fitted_noise = o->metrics.noise_sigma;
    row->is_zero = row->s_max == 0;
    if (row->is_zero) /* a ledger or a file of an earlier version calls it infinite */
        row->snr = row->score = NAN;
    for (int i = 0; i < laser_n_metric_fields; ++i) {
        const struct laser_metric_field *f = &laser_metric_fields[i];
        const char *value = (const char *)&o->metrics + f->offset;
        numbers[i].name = f->name;
        numbers[i].is_integer = f->is_integer;
        numbers[i].value = f->is_integer ? (double)*(const int64_t *)(const void *)value
                                         : *(const double *)(const void *)value;
    }
    row->numbers = numbers;
    row->nnumbers = laser_n_metric_fields;
}

int laser_rows_make(const struct laser_run *run, struct laser_rows *rows, struct laser_error *err)
{
    const struct laser_matrix_list *list = &run->matrices;
    size_t n = (size_t)(list->n_matrices + list->n_skipped);

    rows->rows = calloc(n + 1, sizeof *rows->rows);
    rows->numbers =
        calloc((size_t)list->n_matrices * (size_t)laser_n_metric_fields + 1, sizeof *rows->numbers);
    rows->n = n;
    if (rows->rows == NULL || rows->numbers == NULL) {
        laser_rows_free(rows);
        return laser_error_set(err, LASER_ENOMEM, "results", "no memory for %zu rows", n);
    }
    for (int64_t i = 0; i < list->n_matrices; ++i) {
        const struct laser_matrix *m = &list->matrices[i];
        rows->rows[i] =
            (struct laser_scan_row){.name = m->name,
                                    .type = m->type,
                                    .layer = m->layer,
                                    .rows = m->rows,
                                    .columns = m->cols,
                                    .dtype = laser_coded_format(&run->checkpoint->tensors[m->tensor])};
        laser_row_fill(&rows->rows[i], &run->outcomes[i], run->settings->scan.score,
                       rows->numbers + i * laser_n_metric_fields);
        if (laser_run_base(run)[0] != '\0' && run->outcomes[i].status == LASER_OUTCOME_SCANNED &&
            run->outcomes[i].metrics.s_max == 0)
            rows->rows[i].reason = "equal to the base";
    }
    for (int64_t i = 0; i < list->n_skipped; ++i) {
        const struct laser_tensor *t = &run->checkpoint->tensors[list->skipped[i].tensor];
        rows->rows[list->n_matrices + i] =
            (struct laser_scan_row){.name = t->name,
                                    .type = t->name,
                                    .layer = -1,
                                    .rows = t->n_dims > 0 ? t->shape[0] : 1,
                                    .columns = t->n_dims > 1 ? t->shape[t->n_dims - 1] : 1,
                                    .dtype = laser_coded_format(t),
                                    .status = LASER_SCAN_SKIPPED,
                                    .reason = list->skipped[i].reason};
    }
    return LASER_OK;
}

void laser_rows_free(struct laser_rows *rows)
{
    free(rows->rows);
    free(rows->numbers);
    memset(rows, 0, sizeof *rows);
}

/* What is written of the run beside the matrices. */
static int put_provenance(const struct laser_run *run, struct laser_spectra_writer *w,
                          struct laser_error *err)
{
    struct laser_checkpoint_fingerprint print = laser_run_print(run);
    char *deck = laser_deck_print(run->deck, run->command);
    char *json = laser_deck_json(run->deck, run->command, 0);
    char content[20], ranks[16], seconds[32];
    const struct {
        const char *name, *text;
    } texts[] = {{"laser_mpi_version", PACKAGE_VERSION},
                 {"command", laser_command_name(run->command)},
                 {"model", run->checkpoint->model},
                 {"base", laser_run_base(run)},
                 {"model_content_hash", content},
                 {"rule", run->settings->scan.threshold},
                 {"score", laser_score_name(run->settings->scan.score)},
                 {"deck", deck},
                 {"deck_json", json},
                 {"libraries", run->libraries},
                 {"ranks", ranks},
                 {"seconds", seconds}};
    int code =
        deck == NULL || json == NULL ? laser_error_set(err, LASER_ENOMEM, "deck", "no memory") : LASER_OK;

    snprintf(content, sizeof content, "%016" PRIx64, print.content);
    snprintf(ranks, sizeof ranks, "%d", run->size);
    snprintf(seconds, sizeof seconds, "%.3f", laser_clock_s() - run->start_s);
    for (size_t i = 0; code == LASER_OK && i < sizeof texts / sizeof *texts; ++i)
        if (texts[i].text[0] != '\0' || strcmp(texts[i].name, "base") != 0)
            code = laser_spectra_text(w, texts[i].name, texts[i].text, err);
    free(deck);
    free(json);
    return code;
}

static int put_matrices(const struct laser_run *run, struct laser_spectra_writer *w, struct laser_error *err)
{
    int code = LASER_OK;

    for (int64_t i = 0; code == LASER_OK && i < run->matrices.n_matrices; ++i) {
        const struct laser_matrix *m = &run->matrices.matrices[i];
        struct laser_spectra_matrix out = {
            .name = m->name,
            .type = m->type,
            .dtype = (char *)(uintptr_t)laser_coded_format(&run->checkpoint->tensors[m->tensor]),
            .layer = m->layer,
            .outcome = run->outcomes[i]};
        out.outcome.metrics.rows = m->rows;
        out.outcome.metrics.columns = m->cols;
        if (out.outcome.status == LASER_OUTCOME_SCANNED) {
            out.sigma = malloc((size_t)out.outcome.values.count * sizeof *out.sigma + 1);
            code = out.sigma == NULL ? laser_error_set(err, LASER_ENOMEM, m->name, "no memory for its values")
                                     : laser_part_read(run->output, &out.outcome.values, out.sigma, err);
        }
        if (code == LASER_OK)
            code = laser_spectra_add(w, &out, err);
        free(out.sigma);
    }
    return code;
}

static int put_account(const struct laser_rows *rows, struct laser_spectra_writer *w, struct laser_error *err)
{
    static const char *const words[] = {"scanned", "skipped", "failed"};
    const char **texts = calloc(3 * rows->n + 1, sizeof *texts);
    int code;

    if (texts == NULL)
        return laser_error_set(err, LASER_ENOMEM, "results", "no memory for %zu tensors", rows->n);
    for (size_t i = 0; i < rows->n; ++i) {
        texts[i] = rows->rows[i].name;
        texts[rows->n + i] = words[rows->rows[i].status];
        texts[2 * rows->n + i] = rows->rows[i].reason != NULL ? rows->rows[i].reason : "";
    }
    code = laser_spectra_tensors(w, texts, texts + rows->n, texts + 2 * rows->n, (int64_t)rows->n, err);
    free(texts);
    return code;
}

static int write_spectra(const struct laser_run *run, const struct laser_rows *rows, struct laser_error *err)
{
    struct laser_spectra_writer *w;
    char path[4400];
    int code, finish;

    snprintf(path, sizeof path, "%s", laser_run_path(run, "spectra.h5"));
    code = laser_spectra_create(path, &w, err);
    if (code != LASER_OK)
        return code;
    code = put_provenance(run, w, err);
    if (code == LASER_OK)
        code = put_matrices(run, w, err);
    if (code == LASER_OK)
        code = put_account(rows, w, err);
    finish = laser_spectra_finish(w, code == LASER_OK, code == LASER_OK ? err : NULL);
    return code == LASER_OK ? finish : code;
}

/* The first of these names that the checkpoint has, or NULL. */
static const char *tensor_that_is_there(const struct laser_run *run, const struct laser_end_names *names)
{
    for (int i = 0; i < names->n; ++i)
        if (laser_checkpoint_find(run->checkpoint, names->names[i]) != NULL)
            return names->names[i];
    return NULL;
}

static void fill_meta(const struct laser_run *run, const char *model_id, struct laser_scan_meta *meta)
{
    const struct laser_settings *settings = run->settings;

    *meta = (struct laser_scan_meta){.command = laser_command_name(run->command),
                                     .version = PACKAGE_VERSION,
                                     .model = run->checkpoint->model,
                                     .base = laser_run_base(run)[0] != '\0' ? laser_run_base(run) : NULL,
                                     .model_id = model_id,
                                     .threshold = settings->scan.threshold,
                                     .score = laser_score_name(settings->scan.score),
                                     .ranks = run->size,
                                     .seconds = laser_clock_s() - run->start_s,
                                     .top_percent = (int)settings->scan.top_percent,
                                     .lm_head = tensor_that_is_there(run, &laser_arch_ends()[0]),
                                     .embedding = tensor_that_is_there(run, &laser_arch_ends()[1])};
    if (strcmp(meta->threshold, "laserrmt") == 0)
        meta->never_cuts_below_beta = laser_compat_beta_limit();
}

int laser_scan_results_write(struct laser_run *run, json_t **results, struct laser_error *err)
{
    const char *asked = run->settings->scan.model_id;
    char *model_id = asked[0] != '\0' ? strdup(asked) : laser_scan_model_id(run->checkpoint->model);
    struct laser_scan_style style = laser_terminal_style();
    struct laser_rows rows = {0};
    struct laser_scan_meta meta;
    struct laser_text table = {0};
    int code = model_id == NULL ? laser_error_set(err, LASER_ENOMEM, "results", "no memory")
                                : laser_rows_make(run, &rows, err);

    *results = NULL;
    if (code == LASER_OK)
        code = write_spectra(run, &rows, err);
    if (code == LASER_OK) {
        fill_meta(run, model_id, &meta);
        code = laser_scan_write_files(run->output, &meta, rows.rows, rows.n, err);
    }
    if (code == LASER_OK) {
        *results = laser_scan_results(&meta, rows.rows, rows.n);
        if (*results == NULL)
            code = laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
        laser_scan_table(&table, &meta, rows.rows, rows.n, &style);
        if (table.data != NULL)
            laser_log_block(run->log, table.data);
    }
    laser_text_free(&table);
    laser_rows_free(&rows);
    free(model_id);
    return code;
}

int laser_results_failures(const struct laser_run *run, struct laser_error *err)
{
    int64_t failed = 0, first = -1;

    for (int64_t i = 0; i < run->matrices.n_matrices; ++i)
        if (run->outcomes[i].status == LASER_OUTCOME_FAILED) {
            if (failed++ == 0)
                first = i;
        }
    if (failed == 0)
        return LASER_OK;
    return laser_error_set(err, run->outcomes[first].code, run->matrices.matrices[first].name,
                           "%s (%" PRId64 " of %" PRId64 " matrices failed, the others are done)",
                           run->outcomes[first].reason, failed, run->matrices.n_matrices);
}

int laser_results_guard(const struct laser_run *run, const char *dir, const char *const *commands,
                        struct laser_error *err)
{
    char path[4300];
    json_t *results = NULL;
    const char *command;
    int code = LASER_OK;

    snprintf(path, sizeof path, "%.4200s/results.json", dir);
    if (access(path, F_OK) != 0 || run->settings->run.force)
        return LASER_OK;
    if (laser_json_load(path, 0, &results, NULL) != LASER_OK)
        results = NULL;
    command = json_string_value(json_object_get(results, "command"));
    while (*commands != NULL && (command == NULL || strcmp(*commands, command) != 0))
        ++commands;
    if (*commands == NULL)
        code =
            laser_error_set(err, LASER_EUSAGE, path,
                            "the results of %s%.60s are there and would be lost; choose another --output, or "
                            "--force writes over them",
                            command != NULL ? "the command " : "another run", command != NULL ? command : "");
    json_decref(results);
    return code;
}
