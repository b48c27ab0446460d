#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/draw.h"
#include "report/sketch.h"

enum { COLUMNS = 4, MOST_TYPES = 12 };

#define PANEL_WIDTH  150.0
#define PANEL_HEIGHT 84.0

static void put_line(struct laser_figure *f, const struct laser_axis *x, double value, double top,
                     double bottom, uint32_t colour, double dash)
{
    double at;

    if (!isfinite(value) || value < x->from || value > x->to)
        return;
    at = laser_axis_place(x, value);
    laser_figure_line(f, at, top, at, bottom, colour, 1.1, dash);
}

static void put_curve(struct laser_figure *f, const struct laser_sketch *k, const struct laser_axis *x,
                      const struct laser_axis *y)
{
    double u[LASER_SKETCH_CURVE], d[LASER_SKETCH_CURVE], xy[2 * LASER_SKETCH_CURVE];

    if (!(k->level > 0))
        return;
    laser_sketch_curve(k->beta, u, d);
    for (int i = 0; i < LASER_SKETCH_CURVE; i++) {
        xy[2 * i] = laser_axis_place(x, u[i] * k->level);
        xy[2 * i + 1] = laser_axis_place(y, d[i] / k->level);
    }
    laser_figure_path(f, xy, LASER_SKETCH_CURVE, LASER_INK_EDGE, 1.3);
}

static double highest_density(const struct laser_sketch *k, double width)
{
    double u[LASER_SKETCH_CURVE], d[LASER_SKETCH_CURVE], most = 0;

    for (int i = 0; i < k->n_bins; i++)
        most = fmax(most, (double)k->counts[i] / ((double)k->n * width));
    laser_sketch_curve(k->beta, u, d);
    for (int i = 0; k->level > 0 && i < LASER_SKETCH_CURVE; i++)
        most = fmax(most, d[i] / k->level);
    return most > 0 ? most : 1;
}

/* One matrix: bins, the law, the edge and the thresholds. */
static void put_panel(struct laser_figure *f, const struct laser_scan_row *row, double left, double top)
{
    struct laser_axis x = {.start = left, .end = left + PANEL_WIDTH},
                      y = {.start = top + PANEL_HEIGHT, .end = top + 14};
    struct laser_sketch k;
    double width, kept;
    char text[160];

    laser_sketch_make(row->sigma, row->rows, row->columns, row->threshold, LASER_SKETCH_BINS,
                      LASER_SKETCH_POINTS, &k);
    width = (k.high - k.low) / k.n_bins;
    x.from = k.low;
    x.to = k.high;
    y.to = 1.05 * highest_density(&k, width);
    kept = isfinite(row->threshold)            ? row->threshold
           : row->rank > 0 && row->rank <= k.n ? row->sigma[row->rank - 1] * (1 - 1e-12)
                                               : (double)INFINITY;
    for (int i = 0; i < k.n_bins; i++) {
        double from = k.low + i * width, at = laser_axis_place(&x, from);
        double up = laser_axis_place(&y, (double)k.counts[i] / ((double)k.n * width));
        if (k.counts[i] > 0)
            laser_figure_box(f, at, up, laser_axis_place(&x, from + width) - at - 0.3, y.start - up,
                             from + width / 2 > kept ? LASER_INK_KEPT : LASER_INK_NOISE);
    }
    put_curve(f, &k, &x, &y);
    put_line(f, &x, k.edge, top + 12, y.start, LASER_INK_EDGE, 0);
    put_line(f, &x, k.compat, top + 12, y.start, LASER_INK_COMPAT, 3);
    if (fabs(k.threshold - k.edge) > 1e-5 * k.edge && fabs(k.threshold - k.compat) > 1e-5 * k.compat)
        put_line(f, &x, k.threshold, top + 12, y.start, LASER_INK, 1.5);
    laser_draw_bottom_axis(f, &x, y.start, 4, NULL);
    snprintf(text, sizeof text, "layer %" PRId64 ", SNR %.2g", row->layer, row->snr);
    if (row->layer < 0)
        snprintf(text, sizeof text, "SNR %.2g", row->snr);
    laser_figure_text(f, left, top + 8, text, 8, LASER_INK_MUTED, LASER_ANCHOR_START, 0);
    if (k.above > 0) {
        snprintf(text, sizeof text, "%" PRId64 " above, to %.2g", k.above, row->sigma[0]);
        laser_figure_text(f, x.end, top + 8, text, 7, LASER_INK_MUTED, LASER_ANCHOR_END, 0);
    }
}

/* The rows of one type that have values, by layer. */
static int by_layer(const void *a, const void *b)
{
    const struct laser_scan_row *x = *(const struct laser_scan_row *const *)a;
    const struct laser_scan_row *y = *(const struct laser_scan_row *const *)b;

    return (x->layer > y->layer) - (x->layer < y->layer);
}

static size_t rows_of_type(const struct laser_page_run *run, const char *type,
                           const struct laser_scan_row **list)
{
    size_t n = 0;

    for (size_t i = 0; i < run->n_rows; i++) {
        const struct laser_scan_row *row = &run->rows[i];
        char *shown;
        if (row->status != LASER_SCAN_SCANNED || row->sigma == NULL || row->rows < 1 || row->columns < 1)
            continue;
        shown = laser_type_display(row->type != NULL ? row->type : row->name);
        if (shown != NULL && strcmp(shown, type) == 0)
            list[n++] = row;
        free(shown);
    }
    qsort(list, n, sizeof *list, by_layer);
    return n;
}

static void put_legend(struct laser_figure *f)
{
    static const struct {
        const char *text;
        uint32_t colour;
        double dash;
    } items[] = {{"Marchenko-Pastur density and true edge", LASER_INK_EDGE, 0},
                 {"threshold of laserRMT", LASER_INK_COMPAT, 3},
                 {"threshold of this run", LASER_INK, 1.5}};
    double x = 10;

    for (int i = 0; i < 3; i++) {
        laser_figure_line(f, x, 28, x + 18, 28, items[i].colour, 1.3, items[i].dash);
        laser_figure_text(f, x + 22, 31, items[i].text, 8, LASER_INK_MUTED, LASER_ANCHOR_START, 0);
        x += 40 + 4.2 * (double)strlen(items[i].text);
    }
    laser_figure_box(f, x, 24, 8, 8, LASER_INK_KEPT);
    laser_figure_text(f, x + 12, 31, "kept", 8, LASER_INK_MUTED, LASER_ANCHOR_START, 0);
}

void laser_draw_spectra(struct laser_figure *f, const struct laser_page_run *run)
{
    const struct laser_scan_row **list = calloc(run->n_rows + 1, sizeof *list);
    struct laser_layer_grid g;
    double y = 42;

    if (list == NULL || !laser_layer_grid_make(&g, run->rows, run->n_rows, 1)) {
        f->failed = 1;
        free(list);
        return;
    }
    for (size_t t = 0; t < g.n_types && t < MOST_TYPES; t++) {
        size_t n = rows_of_type(run, g.types[t], list), shown = n < COLUMNS ? n : COLUMNS;
        if (n == 0)
            continue;
        laser_figure_text(f, 10, y + 10, g.types[t], 9, LASER_INK, LASER_ANCHOR_START, LASER_FIGURE_BOLD);
        for (size_t i = 0; i < shown; i++)
            put_panel(f, list[shown > 1 ? i * (n - 1) / (shown - 1) : 0], 10 + (double)i * (PANEL_WIDTH + 16),
                      y + 16);
        y += PANEL_HEIGHT + 40;
    }
    if (y > 42) {
        f->width = 20 + COLUMNS * (PANEL_WIDTH + 16) - 16;
        f->height = y;
        laser_figure_text(f, 10, 16, "Singular values: density", 10, LASER_INK, LASER_ANCHOR_START,
                          LASER_FIGURE_BOLD);
        put_legend(f);
    }
    laser_layer_grid_free(&g);
    free(list);
}
