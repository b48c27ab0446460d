/* The figures of a run, each drawn into an empty struct laser_figure, and all of them as files. */
#ifndef LASER_REPORT_DRAW_H
#define LASER_REPORT_DRAW_H

#include "report/figure.h"
#include "report/layer_grid.h"
#include "report/page.h"

/* Colours of the page's light scheme. */
enum {
    LASER_INK = 0x1c2127,
    LASER_INK_MUTED = 0x5a6571,
    LASER_INK_LINE = 0xdde2e8,
    LASER_INK_AXIS = 0x8d97a2,
    LASER_INK_KEPT = 0x0072b2,
    LASER_INK_NOISE = 0xb4bec9,
    LASER_INK_EDGE = 0xc2570c,
    LASER_INK_COMPAT = 0x8a3ffc,
    LASER_INK_BAD = 0xb3261e,
    LASER_INK_HOLE = 0xeceff3
};

/* ---- parts (draw_axes.c) ---- */

/* A range of values on a range of points. */
struct laser_axis {
    double from, to, start, end;
    int logarithmic;
};
double laser_axis_place(const struct laser_axis *axis, double value);

enum { LASER_AXIS_TICKS = 24 };
/* Round values between from and to, about `count` of them; returns how many. */
int laser_axis_ticks(const struct laser_axis *axis, int count, double ticks[LASER_AXIS_TICKS]);

/* "0.25", "1200", "3e-05": short. */
void laser_axis_text(double value, char text[32]);

/* Grid lines and numbers at the left, numbers below. */
void laser_draw_left_axis(struct laser_figure *f, const struct laser_axis *y, double left, double right,
                          int count);
void laser_draw_bottom_axis(struct laser_figure *f, const struct laser_axis *x, double bottom, int count,
                            const char *title);

/* viridis at 0 to 1. */
uint32_t laser_viridis(double t);

/* ---- figures ---- */

/* Layers by types; what: the words of the legend, "SNR". */
void laser_draw_map(struct laser_figure *f, const struct laser_layer_grid *grid, const char *title,
                    const char *what);

/* Spectra of every type at up to four layers, from the first to the last. */
void laser_draw_spectra(struct laser_figure *f, const struct laser_page_run *run);

/* Share of the singular values kept, by layer, one panel a type. */
void laser_draw_ranks(struct laser_figure *f, const struct laser_page_run *run);

/* Perplexity over the candidates of results.json; nothing is drawn (width 0) where there are none. */
void laser_draw_path(struct laser_figure *f, const struct laser_page_run *run);

/* dir/map.FORMAT, spectra, ranks, path, gains: those for which the run has numbers.  The directory must be
 * there. *n: files written.  Errors as of laser_figure_write. */
int laser_figures_write(const char *dir, const char *format, const struct laser_page_run *run, int *n,
                        struct laser_error *err);

#endif
