#include "report/figures.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"

const struct laser_figure_entry laser_figure_entries[] = {
    {"size", "Size against loss", laser_draw_size, LASER_FIGURE_PER_RUN, 0},
    {"calibration", "Predicted against measured", laser_draw_predictions, LASER_FIGURE_PER_RUN, 0},
    {"gains", "Gains of the sweep", laser_draw_gains, LASER_FIGURE_PER_RUN, 0},
    {"path", "Path of the reduction", laser_draw_path, LASER_FIGURE_PER_RUN, 0},
    {"windows", "Loss of every window", laser_draw_windows, LASER_FIGURE_ONCE, 0},
    {"map", "Map of the matrices", laser_draw_metric, LASER_FIGURE_PER_RUN, 0},
    {"change", "Difference", laser_draw_change, LASER_FIGURE_ONCE, 0},
    {"experts", "Experts", laser_draw_experts, LASER_FIGURE_ONCE, 0},
    {"spectra", "Singular values", laser_draw_spectra, LASER_FIGURE_ONCE, 1},
    {"ranks", "Ranks kept", laser_draw_ranks, LASER_FIGURE_ONCE, 0},
    {"times", "Time", laser_draw_times, LASER_FIGURE_PER_RUN, 0},
};
const size_t laser_n_figure_entries = sizeof laser_figure_entries / sizeof *laser_figure_entries;

enum { FILE_WIDTH = 680 };

static int write_one(const struct laser_figure_entry *entry, const struct laser_drawing *drawing,
                     const char *dir, const char *format, int *n, struct laser_error *err)
{
    const char *model = drawing->runs[0].model, *metric = laser_first_metric(drawing);
    struct laser_metric_text unknown;
    struct laser_figure f = {0};
    char name[40], title[700], *path;
    int code = LASER_OK;

    entry->draw(&f, drawing);
    snprintf(name, sizeof name, "%s.%s", entry->name, format);
    snprintf(title, sizeof title, "%s%s%.500s", entry->title, model != NULL ? ": " : "",
             model != NULL ? model : "");
    if (entry->draw == laser_draw_metric && metric != NULL)
        snprintf(title, sizeof title, "%s%s%.500s", laser_metric_text_find(metric, &unknown)->label,
                 model != NULL ? ": " : "", model != NULL ? model : "");
    f.title = title;
    path = laser_file_join(dir, name);
    if (path == NULL)
        f.failed = 1;
    if (f.failed)
        code = laser_error_set(err, LASER_ENOMEM, dir, "no memory for %s", name);
    else if (f.width > 0) {
        code = laser_figure_write(&f, format, path, err);
        *n += code == LASER_OK;
    }
    free(path);
    laser_figure_free(&f);
    return code;
}

int laser_figures_write(const char *dir, const char *format, const struct laser_page_run *run, int *n,
                        struct laser_error *err)
{
    struct laser_matrix_table table;
    struct laser_drawing drawing = {.runs = run, .table = &table, .n_runs = 1, .width = FILE_WIDTH};
    int code = LASER_OK;

    if (!laser_matrix_table_make(&table, run, 1))
        code = laser_error_set(err, LASER_ENOMEM, dir, "no memory for the figures");
    for (size_t i = 0; code == LASER_OK && i < laser_n_figure_entries; i++)
        code = write_one(&laser_figure_entries[i], &drawing, dir, format, n, err);
    laser_matrix_table_free(&table);
    return code;
}
