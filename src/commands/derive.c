/* The command `derive`: thresholds, scores, scan files and table again from stored spectra, without the
 * model. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands/export.h"
#include "commands/serial.h"
#include "run/terminal.h"
#include "store/report.h"
#include "store/results.h"
#include "store/scan_load.h"

static int write_results(struct laser_run *run, const struct laser_scan_input *in,
                         const struct laser_scan_meta *meta, struct laser_error *err)
{
    json_t *results = laser_scan_results(meta, in->rows, in->n);
    int code;

    if (results == NULL || json_object_set_new(results, "spectra", json_string(in->path)) != 0)
        code = laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    else
        code = laser_results_write(run->output, results, err);
    json_decref(results);
    return code;
}

static int write_files(struct laser_run *run, const struct laser_scan_input *in, struct laser_error *err)
{
    struct laser_scan_style style = laser_terminal_style();
    struct laser_text table = {0};
    struct laser_scan_meta meta;
    char *model_id;
    int code = laser_scan_input_meta(run, in, &meta, &model_id, err);

    if (code == LASER_OK)
        code = laser_directory_make(run->output, err);
    if (code == LASER_OK)
        code = laser_scan_write_files(run->output, &meta, in->rows, in->n, err);
    if (code == LASER_OK)
        code = write_results(run, in, &meta, err);
    if (code == LASER_OK && laser_deck_is_set(run->deck, LASER_KEY_export_formats))
        code = laser_export_texts(run, in, err);
    if (code == LASER_OK) {
        laser_scan_table(&table, &meta, in->rows, in->n, &style);
        if (table.data != NULL)
            laser_log_block(run->log, table.data);
        laser_log_line(run->log, "OUTPUT", "%s", run->output);
        laser_report_make(run);
    }
    laser_text_free(&table);
    free(model_id);
    return code;
}

int laser_command_derive(struct laser_run *run, struct laser_error *err)
{
    /* What a scan says can be derived again. */
    static const char *const own[] = {"scan", "derive", NULL};
    struct laser_scan_input in;
    int code = laser_scan_load(run->arguments[0], &in, err);

    if (code == LASER_OK && in.program != NULL)
        code =
            laser_error_set(err, LASER_EUSAGE, in.path,
                            "a scan of %s has no singular values to derive from; laser_mpi export, show and "
                            "report take it",
                            in.program);
    if (code == LASER_OK)
        code = laser_scan_rederive(&in, run->settings->scan.threshold,
                                   laser_score_name(run->settings->scan.score), err);
    snprintf(run->output, sizeof run->output, "%s", run->settings->output);
    if (code == LASER_OK)
        code = laser_results_guard(run, run->output, own, err);
    if (code == LASER_OK)
        code = write_files(run, &in, err);
    laser_scan_input_free(&in);
    return code;
}
