/* The command `report`: report.html of a run again, or of two runs side by side. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "commands/serial.h"
#include "store/report.h"

/* Two runs of one name are told apart by letters. */
static void tell_apart(struct laser_report_source *sources)
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
static void pair_windows(struct laser_report_source *sources)
{
    struct laser_error why = {0};

    if (sources[0].windows.n_windows == 0 || sources[1].windows.n_windows == 0)
        return;
    if (laser_windows_match(sources[0].label, &sources[0].windows, sources[1].label, &sources[1].windows,
                            &why) == LASER_OK)
        sources[1].page.is_paired = 1;
    else
        laser_report_notice(&sources[1], "windows.h5", why.text);
}

/* Where the page goes: into the run's directory, or, for a single file, beside it under its name, unless
 * --output says otherwise. */
static int choose_path(struct laser_run *run, bool two, char path[4200], struct laser_error *err)
{
    const char *first = run->arguments[0], *name = two ? "comparison.html" : "report.html";
    bool asked = laser_deck_is_set(run->deck, LASER_KEY_output), is_directory;
    char *directory;
    struct stat info;

    is_directory = stat(first, &info) == 0 && S_ISDIR(info.st_mode);
    directory = asked          ? strdup(run->settings->output)
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

int laser_command_report(struct laser_run *run, struct laser_error *err)
{
    static const char *const folders[] = {"figures", "figures-1", "figures-2"};
    const char *second = run->settings->report.compare;
    struct laser_report_source sources[2] = {{.n_texts = 0}, {.n_texts = 0}};
    int n = second[0] != '\0' ? 2 : 1, code = laser_report_load(run->arguments[0], &sources[0], err);
    char path[4200];

    if (code == LASER_OK && n == 2) {
        code = laser_report_load(second, &sources[1], err);
        if (code == LASER_OK)
            code = laser_report_pair(sources, run->arguments[0], second, err);
        if (code == LASER_OK) {
            tell_apart(sources);
            pair_windows(sources);
        }
    }
    if (code == LASER_OK)
        code = choose_path(run, n == 2, path, err);
    if (code == LASER_OK)
        code = laser_report_write_page(sources, n, path, err);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        code = laser_report_write_figures(run, folders[n == 1 ? 0 : 1 + i], &sources[i].page, err);
    for (int i = 0; code == LASER_OK && i < n; ++i)
        for (size_t k = 0; k < sources[i].page.n_notices; ++k)
            laser_log_line(run->log, "WARNING", "%s: %s", sources[i].notices[k].name,
                           sources[i].notices[k].text);
    if (code == LASER_OK)
        laser_log_line(run->log, "REPORT", "%s", path);
    for (int i = 0; i < n; ++i)
        laser_report_free(&sources[i]);
    return code;
}
