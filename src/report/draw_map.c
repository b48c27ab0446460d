#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/draw.h"

/* Where the drawing's parts stand. */
struct places {
    double left, top, w, h;
};

static double mean_of(const struct laser_grid_cell *cell)
{
    return cell->n > 0 ? cell->sum / cell->n : (double)NAN;
}

static void put_cell(struct laser_figure *f, const struct places *p, size_t layer, size_t type,
                     const struct laser_grid_cell *cell, const struct laser_axis *colours)
{
    double x = p->left + (double)layer * p->w, y = p->top + (double)type * p->h, value = mean_of(cell), t = 1;
    double r = 0.28 * fmin(p->w, p->h), cx = x + p->w / 2, cy = y + p->h / 2;

    if (cell->n + cell->nans + cell->failed == 0)
        return;
    if (isnan(value)) {
        laser_figure_box(f, x, y, p->w - 0.4, p->h - 0.4, LASER_INK_HOLE);
        if (cell->failed > 0) {
            laser_figure_line(f, cx - r, cy - r, cx + r, cy + r, LASER_INK_BAD, 1, 0);
            laser_figure_line(f, cx - r, cy + r, cx + r, cy - r, LASER_INK_BAD, 1, 0);
        }
        return;
    }
    if (isfinite(value))
        t = colours->logarithmic && value <= 0 ? 0
            : colours->to > colours->from      ? laser_axis_place(colours, value)
                                               : 0.5;
    laser_figure_box(f, x, y, p->w - 0.4, p->h - 0.4, laser_viridis(value < 0 && isinf(value) ? 0 : t));
}

/* From the lowest to the highest finite value; by logarithm where they are far apart. */
static struct laser_axis colours_of(const struct laser_layer_grid *g)
{
    struct laser_axis a = {.from = 0, .to = 1, .start = 0, .end = 1};
    size_t first = 0, last = g->n_sorted, positive;

    while (first < last && !isfinite(g->sorted[first]))
        first++;
    while (last > first && !isfinite(g->sorted[last - 1]))
        last--;
    if (first == last)
        return a;
    a.from = g->sorted[first];
    a.to = g->sorted[last - 1];
    for (positive = first; positive < last && g->sorted[positive] <= 0; positive++)
        ;
    if (a.from >= 0 && positive < last && positive - first <= (last - first) / 4 &&
        a.to / g->sorted[positive] > 20) {
        a.logarithmic = 1;
        a.from = g->sorted[positive];
    }
    return a;
}

static void put_legend(struct laser_figure *f, const struct laser_axis *colours, const char *what, double x,
                       double y)
{
    struct laser_axis bar = *colours;
    double ticks[LASER_AXIS_TICKS], last = -100;
    char text[32];
    int n;

    laser_figure_text(f, x, y + 8, what, 8, LASER_INK_MUTED, LASER_ANCHOR_END, 0);
    for (int i = 0; i < 60; i++)
        laser_figure_box(f, x + 6 + 2 * i, y, 2.3, 9, laser_viridis((i + 0.5) / 60));
    if (!(colours->to > colours->from))
        return;
    bar.start = x + 6;
    bar.end = x + 126;
    n = laser_axis_ticks(&bar, 4, ticks);
    for (int i = 0; i < n; i++) {
        double at = laser_axis_place(&bar, ticks[i]);
        laser_axis_text(ticks[i], text);
        if (at - last > 22)
            laser_figure_text(f, last = at, y + 19, text, 8, LASER_INK_MUTED, LASER_ANCHOR_MIDDLE, 0);
    }
}

static void put_labels(struct laser_figure *f, const struct places *p, const struct laser_layer_grid *g)
{
    size_t step = 1;
    char text[32];

    for (size_t t = 0; t < g->n_types; t++)
        laser_figure_text(f, p->left - 5, p->top + ((double)t + 0.5) * p->h + 3, g->types[t], 8,
                          LASER_INK_MUTED, LASER_ANCHOR_END, 0);
    while ((double)step * p->w < 16)
        step *= step == 2 || step == 20 ? 5 : 2;
    for (size_t l = 0; l < g->n_layers; l += step) {
        if (g->layers[l] < 0)
            snprintf(text, sizeof text, "%s", g->layers[l] == -2 ? "all" : "-");
        else
            snprintf(text, sizeof text, "%" PRId64, g->layers[l]);
        laser_figure_text(f, p->left + ((double)l + 0.5) * p->w, p->top + (double)g->n_types * p->h + 10,
                          text, 8, LASER_INK_MUTED, LASER_ANCHOR_MIDDLE, 0);
    }
    laser_figure_text(f, p->left + (double)g->n_layers * p->w / 2, p->top + (double)g->n_types * p->h + 22,
                      "layer", 8, LASER_INK_MUTED, LASER_ANCHOR_MIDDLE, 0);
}

void laser_draw_map(struct laser_figure *f, const struct laser_layer_grid *g, const char *title,
                    const char *what)
{
    struct laser_axis colours = colours_of(g);
    struct places p = {.left = 40, .top = 44};

    for (size_t t = 0; t < g->n_types; t++)
        p.left = fmax(p.left, 14 + 4.6 * (double)strlen(g->types[t]));
    p.w = g->n_layers > 0 ? fmin(28, fmax(5, 560 / (double)g->n_layers)) : 28;
    p.h = g->n_types > 40 ? 8 : 15;
    f->width = fmax(p.left + (double)g->n_layers * p.w + 14, p.left + 190);
    f->height = p.top + (double)g->n_types * p.h + 30;
    laser_figure_text(f, 10, 16, title, 10, LASER_INK, LASER_ANCHOR_START, LASER_FIGURE_BOLD);
    put_legend(f, &colours, what, p.left, 22);
    for (size_t l = 0; l < g->n_layers; l++)
        for (size_t t = 0; t < g->n_types; t++)
            put_cell(f, &p, l, t, &g->cells[l * g->n_types + t], &colours);
    put_labels(f, &p, g);
}
