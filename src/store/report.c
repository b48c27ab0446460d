/* report.html and its figures. */
#include "store/report.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "report/figures.h"
#include "store/report_load.h"
#include "store/results.h"

int laser_report_write_page(const struct laser_report_source *sources, int n, const char *path,
                            struct laser_error *err)
{
    struct laser_page_run runs[2] = {sources[0].page, n > 1 ? sources[1].page : sources[0].page};
    struct laser_text html = {0};
    int code;

    laser_page_render(&html, runs, n);
    code = html.failed || html.data == NULL
               ? laser_error_set(err, LASER_ENOMEM, path, "no memory for the report")
               : laser_file_replace(path, html.data, html.size, err);
    laser_text_free(&html);
    return code;
}

int laser_report_check(const struct laser_deck *deck, struct laser_error *err)
{
    const struct laser_deck_list *formats = &laser_deck_settings(deck)->report.figures;

    for (int i = 0; i < formats->count; ++i)
        if (!laser_figure_has_format(formats->items[i]))
            return laser_error_set(
                err, LASER_EUSAGE, laser_deck_origin(deck, LASER_KEY_report_figures),
                "this program was built without cairo (libcairo2-dev), so that figures can be svg only");
    return LASER_OK;
}

int laser_report_write_figures(struct laser_run *run, const char *folder, const struct laser_page_run *page,
                               struct laser_error *err)
{
    const struct laser_deck_list *formats = &run->settings->report.figures;
    int n = 0, code = LASER_OK;
    char path[4200];

    if (formats->count == 0)
        return LASER_OK;
    snprintf(path, sizeof path, "%.4096s/%.60s", run->output, folder);
    code = laser_directory_make(path, err);
    for (int i = 0; code == LASER_OK && i < formats->count; ++i)
        code = laser_figures_write(path, formats->items[i], page, &n, err);
    if (code == LASER_OK)
        laser_log_line(run->log, "REPORT", "%s: %d files", path, n);
    return code;
}

void laser_report_make(struct laser_run *run)
{
    struct laser_report_source source;
    struct laser_error err = {0};
    char path[4200];
    int code = laser_report_load(run->output, &source, &err);

    snprintf(path, sizeof path, "%.4096s/report.html", run->output);
    if (code == LASER_OK)
        code = laser_report_write_page(&source, 1, path, &err);
    if (code == LASER_OK)
        code = laser_report_write_figures(run, "figures", &source.page, &err);
    laser_report_free(&source);
    if (code == LASER_OK)
        laser_log_line(run->log, "REPORT", "%s", path);
    else
        laser_log_line(run->log, "WARNING", "the report could not be made: %s: %s", err.where, err.text);
}

int laser_results_scan(struct laser_run *run, json_t *phases, struct laser_error *err)
{
    json_t *results;
    int code = laser_scan_results_write(run, &results, err);

    if (code == LASER_OK && json_object_set(results, "phases", phases) != 0)
        code = laser_error_set(err, LASER_ENOMEM, "results.json", "no memory");
    if (code == LASER_OK)
        code = laser_results_write(run->output, results, err);
    json_decref(results);
    if (code != LASER_OK)
        return code;
    laser_log_line(run->log, "OUTPUT", "%s", run->output);
    laser_report_make(run);
    return laser_results_failures(run, err);
}
