/* The figures of a run.  Each is drawn for a given width into an empty figure; where there is nothing to draw, the figure's
 * width stays 0.
 */
#ifndef LASER_REPORT_DRAW_H
#define LASER_REPORT_DRAW_H

#include "report/colour_scale.h"
#include "report/figure.h"
#include "report/matrix_table.h"
#include "report/page.h"

/* What is drawn: run number `which` of one or two that are compared. */
struct laser_drawing {
    const struct laser_page_run *runs;
    const struct laser_matrix_table *table; /* of the same runs */
    int n_runs, which;
    double width;
};

/* ---- maps (draw_map.c) ---- */

enum { LASER_CELL_ABSENT, LASER_CELL_PRESENT, LASER_CELL_FAILED };

/* A grid of cells; cell (column, row) is number column * n_rows + row. */
struct laser_map {
    size_t n_rows, n_columns;
    char **row_names, **column_names; /* types; layers or experts */
    const char *row_title, *column_title;
    double *values;        /* NaN: not known */
    unsigned char *states; /* as above */
    enum laser_metric_kind kind;
    struct laser_colour_scale scale;
};
enum { LASER_MAP_BAR = 15 }; /* x of the bar of colours */
void laser_map_draw(struct laser_figure *f, const struct laser_map *map, double width);
void laser_map_free(struct laser_map *map);

/* Layers by types of one metric of a run; of two runs the colours are those of both.  Or the change from the first run to
 * the second, in units of the first or not.  0 without memory. */
int laser_map_of_metric(struct laser_map *map, const struct laser_drawing *d, const char *key,
                        enum laser_scale_how how);
int laser_map_of_change(struct laser_map *map, const struct laser_drawing *d, const char *key, int relative);

/* Layers by experts of one type and metric; a cell is there if any type has the expert, so that all types share the cells. */
int laser_map_of_experts(struct laser_map *map, const struct laser_drawing *d, const char *type,
                         const char *key);

/* The metric that maps show first; NULL: the runs have none.  And the first type with experts. */
const char *laser_first_metric(const struct laser_drawing *d);
const char *laser_first_expert_type(const struct laser_matrix_table *table);

/* ---- figures ---- */

void laser_draw_metric(struct laser_figure *f, const struct laser_drawing *d);
void laser_draw_change(struct laser_figure *f, const struct laser_drawing *d);
void laser_draw_experts(struct laser_figure *f, const struct laser_drawing *d);
void laser_draw_gains(struct laser_figure *f, const struct laser_drawing *d);
/* Spectra of every type at up to four layers, from the first to the last. */
void laser_draw_spectra(struct laser_figure *f, const struct laser_drawing *d);
/* Share of the singular values kept, by layer, one panel a type. */
void laser_draw_ranks(struct laser_figure *f, const struct laser_drawing *d);
/* The objective over the candidates. */
void laser_draw_path(struct laser_figure *f, const struct laser_drawing *d);
/* The loss of every window; of two runs on the same windows the change. */
void laser_draw_windows(struct laser_figure *f, const struct laser_drawing *d);
/* Change of the loss by the parameters that are left. */
void laser_draw_size(struct laser_figure *f, const struct laser_drawing *d);
/* Predicted against measured changes of the loss. */
void laser_draw_predictions(struct laser_figure *f, const struct laser_drawing *d);
/* Seconds of the phases. */
void laser_draw_times(struct laser_figure *f, const struct laser_drawing *d);

#endif
