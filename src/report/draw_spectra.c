#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/axis.h"
#include "report/draw.h"
#include "report/draw_spectrum.h"

enum { COLUMNS = 4, MOST_TYPES = 12 };

#define PANEL_HEIGHT 92.0
#define BETWEEN      20.0

/* The matrices of one type that have values, by layer. */
static size_t rows_of_type(const struct laser_matrix_table *t, size_t type,
                           const struct laser_scan_row **list)
{
    const struct laser_run_matrices *run = &t->runs[0];
    size_t n = 0;

    for (size_t l = 0; l < t->n_layers; l++) {
        size_t c = l * t->n_types + type;
        for (size_t k = run->start[c]; k < run->start[c + 1]; k++)
            if (laser_spectrum_known(run->rows[run->order[k]]))
                list[n++] = run->rows[run->order[k]];
    }
    return n;
}

static void put_panel(struct laser_figure *f, const struct laser_scan_row *row, double left, double top,
                      double width)
{
    struct laser_spectrum s;
    struct laser_axis x = {.start = left, .end = left + width};
    char snr[32], most[32];

    laser_spectrum_make(&s, row, NULL, LASER_SPECTRUM_BINS, LASER_SPECTRUM_POINTS);
    laser_draw_density(f, &s, left, top + 22, width, PANEL_HEIGHT - 22);
    x.from = s.bins.low;
    x.to = s.bins.high;
    laser_draw_bottom_axis(f, &x, top + PANEL_HEIGHT, 4, NULL, 0);
    laser_number_text(row->snr, snr);
    if (row->layer >= 0)
        laser_figure_label(f, left, top + 10, LASER_ANCHOR_START, "layer %" PRId64 ", SNR %s", row->layer,
                           snr);
    else
        laser_figure_label(f, left, top + 10, LASER_ANCHOR_START, "SNR %s", snr);
    if (s.bins.above > 0) {
        laser_number_text(row->sigma[0], most);
        laser_figure_label(f, left + width, top + 24, LASER_ANCHOR_END, "%" PRId64 " to %s \xe2\x86\x92",
                           s.bins.above, most);
    }
}

static double put_legend(struct laser_figure *f, double width)
{
    static const struct laser_legend_item items[] = {
        {LASER_MARK_LINE, LASER_COLOUR_EDGE, 0, "Marchenko\xe2\x80\x93Pastur density and true edge"},
        {LASER_MARK_LINE, LASER_COLOUR_COMPAT, 6, "threshold of laserRMT (compat)"},
        {LASER_MARK_LINE, LASER_COLOUR_OWN, 1.5, "threshold of this run"},
        {LASER_MARK_SQUARE, LASER_COLOUR_KEPT, 0, "kept"},
        {LASER_MARK_SQUARE, LASER_COLOUR_NOISE, 0, "not kept"}};

    return laser_draw_legend(f, items, sizeof items / sizeof *items, 0, 0, width);
}

void laser_draw_spectra(struct laser_figure *f, const struct laser_drawing *d)
{
    const struct laser_matrix_table *t = d->table;
    const struct laser_scan_row **list = calloc(t->runs[0].n + 1, sizeof *list);
    double width = (d->width + BETWEEN) / COLUMNS - BETWEEN, y = 0;
    size_t types = 0;

    if (list == NULL) {
        f->failed = 1;
        return;
    }
    for (size_t k = 0; k < t->n_types && types < MOST_TYPES; k++) {
        size_t n = rows_of_type(t, k, list), shown = n < COLUMNS ? n : COLUMNS;
        if (n == 0)
            continue;
        if (types++ == 0)
            y = put_legend(f, d->width);
        laser_figure_text(f, 0, y + 13, t->types[k], LASER_COLOUR_TEXT, LASER_ANCHOR_START,
                          LASER_FIGURE_BOLD);
        for (size_t i = 0; i < shown; i++)
            put_panel(f, list[shown > 1 ? i * (n - 1) / (shown - 1) : 0], (double)i * (width + BETWEEN),
                      y + 18, width);
        y += PANEL_HEIGHT + 50;
    }
    if (types > 0) {
        f->width = d->width;
        f->height = y;
    }
    free(list);
}
