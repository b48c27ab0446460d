/* The command `report`: report.html of a run again, or of two runs side by side. */
#include "schedule/report.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "comm/agree.h"
#include "report/draw.h"
#include "schedule/report_load.h"

/* Two runs of one name are told apart by letters. */
static void tell_apart(struct laser_mpi_report_source *sources)
{
    if (strcmp(sources[0].page.model, sources[1].page.model) != 0) {
        sources[0].page.label = sources[0].page.model;
        sources[1].page.label = sources[1].page.model;
    } else if (strcmp(sources[0].label, sources[1].label) == 0) {
        sources[0].page.label = "A";
        sources[1].page.label = "B";
    }
}

/* Losses can be subtracted where both runs had the same windows of the same texts. */
static void pair_windows(struct laser_mpi_report_source *sources)
{
    struct laser_error why = {0};

    if (sources[0].windows.n_windows == 0 || sources[1].windows.n_windows == 0)
        return;
    if (laser_windows_match(sources[0].label, &sources[0].windows, sources[1].label, &sources[1].windows,
                            &why) == LASER_OK)
        sources[1].page.is_paired = 1;
    else
        laser_mpi_report_notice(&sources[1], "windows.h5", why.text);
}

static int write_page(const struct laser_mpi_report_source *sources, int n, const char *path,
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

int laser_mpi_report_check(const struct laser_deck *deck, struct laser_error *err)
{
    int n;
    const char *const *formats = laser_deck_list(deck, "report.figures", &n);

    for (int i = 0; i < n; ++i)
        if (!laser_figure_has_format(formats[i]))
            return laser_error_set(
                err, LASER_EUSAGE, laser_deck_origin(deck, LASER_KEY_report_figures),
                "this program was built without cairo (libcairo2-dev), so that figures can be svg only");
    return LASER_OK;
}

/* run->output/FOLDER/NAME.FORMAT, if asked for. */
static int write_figures(struct laser_mpi_run *run, const char *folder, const struct laser_page_run *page,
                         struct laser_error *err)
{
    int n_formats, n = 0, code = LASER_OK;
    const char *const *formats = laser_deck_list(run->deck, "report.figures", &n_formats);
    char path[4200];

    if (n_formats == 0)
        return LASER_OK;
    snprintf(path, sizeof path, "%.4096s/%.60s", run->output, folder);
    code = laser_directory_make(path, err);
    for (int i = 0; code == LASER_OK && i < n_formats; ++i)
        code = laser_figures_write(path, formats[i], page, &n, err);
    if (code == LASER_OK)
        laser_mpi_log_line(run->log, "REPORT", "%s: %d files", path, n);
    return code;
}

void laser_mpi_report_make(struct laser_mpi_run *run)
{
    struct laser_mpi_report_source source;
    struct laser_error err = {0};
    char path[4200];
    int code = laser_mpi_report_load(run->output, &source, &err);

    snprintf(path, sizeof path, "%.4096s/report.html", run->output);
    if (code == LASER_OK)
        code = write_page(&source, 1, path, &err);
    if (code == LASER_OK)
        code = write_figures(run, "figures", &source.page, &err);
    laser_mpi_report_free(&source);
    if (code == LASER_OK)
        laser_mpi_log_line(run->log, "REPORT", "%s", path);
    else
        laser_mpi_log_line(run->log, "WARNING", "the report could not be made: %s: %s", err.where, err.text);
}

/* Where the page goes: into the run's directory, or, for a single file, beside it under its name, unless
 * --output says otherwise. */
static int choose_path(struct laser_mpi_run *run, bool two, char path[4200], struct laser_error *err)
{
    const char *first = run->arguments[0], *name = two ? "comparison.html" : "report.html";
    bool asked = laser_deck_is_set(run->deck, LASER_KEY_output), is_directory;
    char *directory;
    struct stat info;

    is_directory = stat(first, &info) == 0 && S_ISDIR(info.st_mode);
    directory = asked          ? strdup(laser_deck_string(run->deck, "output"))
                : is_directory ? strdup(first)
                               : laser_file_directory(first);
    if (directory == NULL)
        return laser_error_set(err, LASER_ENOMEM, first, "no memory");
    snprintf(run->output, sizeof run->output, "%.4000s", directory);
    snprintf(path, 4200, "%.4000s/%s", directory, name);
    if (!asked && !is_directory && !two)
        snprintf(path, 4200, "%.4096s.html", first);
    free(directory);
    return laser_directory_make(run->output, err);
}

/* Rank 0. */
static int report(struct laser_mpi_run *run, struct laser_error *err)
{
    static const char *const folders[] = {"figures", "figures-1", "figures-2"};
    const char *second = laser_deck_string(run->deck, "report.compare");
    struct laser_mpi_report_source sources[2] = {{.n_texts = 0}, {.n_texts = 0}};
    int n = second[0] != '\0' ? 2 : 1, code = laser_mpi_report_load(run->arguments[0], &sources[0], err);
    char path[4200];

    if (code == LASER_OK && n == 2) {
        code = laser_mpi_report_load(second, &sources[1], err);
        if (code == LASER_OK) {
            tell_apart(sources);
            pair_windows(sources);
        }
    }
    if (code == LASER_OK)
        code = choose_path(run, n == 2, path, err);
    if (code == LASER_OK)
        code = write_page(sources, n, path, err);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = write_figures(run, folders[n == 1 ? 0 : 1 + i], &sources[i].page, err);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        for (size_t k = 0; k < sources[i].page.n_notices; ++k)
            laser_mpi_log_line(run->log, "WARNING", "%s: %s", sources[i].notices[k].name,
                               sources[i].notices[k].text);
    if (code == LASER_OK)
        laser_mpi_log_line(run->log, "REPORT", "%s", path);
    for (int i = 0; i < n; ++i)
        laser_mpi_report_free(&sources[i]);
    return code;
}

int laser_mpi_command_report(struct laser_mpi_run *run, struct laser_error *err)
{
    int code = LASER_OK;

    if (run->rank == 0)
        code = report(run, err);
    return laser_mpi_agree(run->world, code, err);
}
