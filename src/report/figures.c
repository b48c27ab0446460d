#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "report/draw.h"
#include "report/sweep_map.h"

static void draw_scores(struct laser_figure *f, const struct laser_page_run *run)
{
    struct laser_layer_grid g;
    char title[600];

    if (!laser_layer_grid_make(&g, run->rows, run->n_rows, 1))
        f->failed = 1;
    else if (g.n_types > 0) {
        snprintf(title, sizeof title, "%.500s", run->model != NULL ? run->model : "Map of the matrices");
        laser_draw_map(f, &g, title, run->score != NULL ? run->score : "score");
    }
    laser_layer_grid_free(&g);
}

static void draw_gains(struct laser_figure *f, const struct laser_page_run *run)
{
    const json_t *table = json_object_get(run->results, "sweep_table");
    size_t n =
        json_array_size(json_object_get(table, "layers")) * json_array_size(json_object_get(table, "types"));
    const char *unit = json_string_value(json_object_get(table, "unit"));
    struct laser_scan_row *rows = calloc(n + 1, sizeof *rows);
    struct laser_layer_grid g = {0};

    if (rows == NULL || !laser_layer_grid_make(&g, rows, laser_sweep_rows(table, rows), 0))
        f->failed = 1;
    else if (g.n_types > 0)
        laser_draw_map(f, &g, "Best gain of each layer and type", unit != NULL ? unit : "gain");
    laser_layer_grid_free(&g);
    free(rows);
}

int laser_figures_write(const char *dir, const char *format, const struct laser_page_run *run, int *n,
                        struct laser_error *err)
{
    static const struct {
        const char *name;
        void (*draw)(struct laser_figure *, const struct laser_page_run *);
    } figures[] = {{"map", draw_scores},
                   {"spectra", laser_draw_spectra},
                   {"ranks", laser_draw_ranks},
                   {"path", laser_draw_path},
                   {"gains", draw_gains}};
    int code = LASER_OK;

    for (size_t i = 0; code == LASER_OK && i < sizeof figures / sizeof *figures; i++) {
        struct laser_figure f = {0};
        char name[40], *path;

        figures[i].draw(&f, run);
        snprintf(name, sizeof name, "%s.%s", figures[i].name, format);
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
    }
    return code;
}
