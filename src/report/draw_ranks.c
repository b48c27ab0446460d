#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/axis.h"
#include "report/decisions.h"
#include "report/draw.h"
#include "report/fit.h"

#define PANEL_HEIGHT 152.0
#define BETWEEN      20.0

struct panels {
    const struct laser_drawing *d;
    const double *share[2], *after; /* of each run; what the kept edits of the first leave */
    double most;                    /* of the axis */
    int columns;
    double width; /* of a panel */
};

static double highest(const struct panels *p)
{
    static const double ends[] = {0.1, 0.2, 0.5, 1};
    const struct laser_matrix_table *t = p->d->table;
    double most = 0;

    for (int r = 0; r < t->n_runs; r++)
        for (size_t i = 0; p->share[r] != NULL && i < t->runs[r].n; i++)
            if (isfinite(p->share[r][i]))
                most = fmax(most, p->share[r][i]);
    for (size_t i = 0; p->after != NULL && i < t->runs[0].n; i++)
        if (p->after[i] < 1)
            most = fmax(most, p->after[i]);
    for (size_t i = 0; i < 4; i++)
        if (most <= ends[i] * 1.0001)
            return ends[i];
    return 1;
}

/* Share of all singular values of a type. */
static double overall(const struct panels *p, size_t type)
{
    const struct laser_run_matrices *list = &p->d->table->runs[0];
    const char *name = p->d->table->types[type];
    double kept = 0, of = 0;

    for (size_t i = 0; i < list->n; i++) {
        double n = (double)(list->rows[i]->rows < list->rows[i]->columns ? list->rows[i]->rows
                                                                         : list->rows[i]->columns);
        if (strcmp(list->types[i], name) != 0 || isnan(p->share[0][i]))
            continue;
        kept += p->share[0][i] * n;
        of += n;
    }
    return of > 0 ? kept / of : (double)NAN;
}

static void put_layer(struct laser_figure *f, const struct panels *p, size_t type, size_t layer,
                      const struct laser_axis *x, const struct laser_axis *y)
{
    const struct laser_matrix_table *t = p->d->table;
    struct laser_cell cell = laser_matrix_cell(t, 0, p->share[0], layer, type);
    double at = laser_axis_place(x, (double)layer),
           thick = fmax(0.8, (x->end - x->start) / (double)t->n_layers - 1);
    size_t c = layer * t->n_types + type;

    if (cell.known > 0) {
        double up = laser_axis_place(y, cell.median);
        laser_figure_box(f, at - thick / 2, fmin(up, y->start - 0.8), thick, fmax(0.8, y->start - up),
                         LASER_COLOUR_KEPT);
    }
    if (cell.known > 1)
        laser_figure_line(f, at, laser_axis_place(y, cell.low), at, laser_axis_place(y, cell.high),
                          LASER_COLOUR_MUTED, 1, 0);
    for (size_t k = t->runs[0].start[c]; p->after != NULL && k < t->runs[0].start[c + 1]; k++) {
        double share = p->after[t->runs[0].order[k]];
        if (share < 1)
            laser_figure_dots(f, (const double[]){at, laser_axis_place(y, share)}, 1, 3.2,
                              LASER_COLOUR_REVERTED);
    }
}

static void put_other_run(struct laser_figure *f, const struct panels *p, size_t type,
                          const struct laser_axis *x, const struct laser_axis *y)
{
    const struct laser_matrix_table *t = p->d->table;
    double *xy = malloc((2 * t->n_layers + 2) * sizeof *xy);
    size_t n = 0;

    for (size_t l = 0; xy != NULL && l < t->n_layers; l++) {
        struct laser_cell cell = laser_matrix_cell(t, 1, p->share[1], l, type);
        if (cell.known == 0)
            continue;
        xy[2 * n] = laser_axis_place(x, (double)l);
        xy[2 * n++ + 1] = laser_axis_place(y, cell.median);
    }
    if (xy != NULL)
        laser_figure_path(f, xy, n, LASER_COLOUR_B, 1.6, 0);
    else
        f->failed = 1;
    free(xy);
}

static void put_head(struct laser_figure *f, const struct panels *p, size_t type, double left, double right,
                     double top)
{
    struct laser_text name = {0};
    char share[32];

    laser_share_text(overall(p, type), 1, share);
    laser_figure_text(f, right, top + 12, share, LASER_COLOUR_MUTED, LASER_ANCHOR_END, 0);
    laser_text_fit(&name, p->d->table->types[type],
                   (size_t)((right - left - laser_figure_text_width(share)) / 6.6 - 1), "\xe2\x80\xa6", 0);
    if (!name.failed && name.data != NULL)
        laser_figure_text(f, left, top + 12, name.data, LASER_COLOUR_MUTED, LASER_ANCHOR_START, 0);
    f->failed |= name.failed;
    laser_text_free(&name);
}

static void put_panel(struct laser_figure *f, const struct panels *p, size_t type, size_t place, double below)
{
    const struct laser_matrix_table *t = p->d->table;
    double left = (double)(place % (size_t)p->columns) * (p->width + BETWEEN), right = left + p->width - 4;
    double top = below + PANEL_HEIGHT * (double)(place / (size_t)p->columns);
    struct laser_axis x = {.from = -0.5, .to = (double)t->n_layers - 0.5, .start = left + 44, .end = right};
    struct laser_axis y = {.from = 0, .to = p->most, .start = top + 126, .end = top + 24};
    size_t step = 1;

    put_head(f, p, type, left, right, top);
    for (int i = 0; i < 3; i++) {
        double at = laser_axis_place(&y, p->most * i / 2);
        char text[32];
        laser_share_text(p->most * i / 2, p->most < 0.2 && i == 1 ? 1 : 0, text);
        laser_figure_line(f, x.start, at, x.end, at, LASER_COLOUR_LINE, 1, 0);
        laser_figure_text(f, x.start - 5, at + 4, text, LASER_COLOUR_MUTED, LASER_ANCHOR_END, 0);
    }
    for (size_t l = 0; l < t->n_layers; l++)
        put_layer(f, p, type, l, &x, &y);
    if (p->share[1] != NULL)
        put_other_run(f, p, type, &x, &y);
    while ((x.end - x.start) / (double)t->n_layers * (double)step < 34)
        step = step == 1 ? 2 : step == 2 ? 5 : step * 2;
    for (size_t l = 0; l < t->n_layers; l += step) {
        char text[32];
        double half;
        snprintf(text, sizeof text, t->layers[l] < 0 ? "\xe2\x80\x93" : "%" PRId64, t->layers[l]);
        half = laser_figure_text_width(text) / 2 + 2;
        laser_figure_text(f, fmin(laser_axis_place(&x, (double)l), right + 4 - half), y.start + 16, text,
                          LASER_COLOUR_MUTED, LASER_ANCHOR_MIDDLE, 0);
    }
    laser_text_printf(&f->attributes, "%s%zu %.1f %.1f %.1f %.1f", place > 0 ? ";" : " data-panels=\"", type,
                      x.start, x.end, top, y.start + 20);
}

static double put_legend(struct laser_figure *f, const struct panels *p)
{
    const struct laser_page_run *runs = p->d->runs;
    int two = p->share[1] != NULL, edited = 0, experts = laser_first_expert_type(p->d->table) != NULL;

    for (size_t i = 0; p->after != NULL && i < p->d->table->runs[0].n; i++)
        edited |= p->after[i] < 1;
    {
        const struct laser_legend_item items[] = {
            {LASER_MARK_SQUARE, LASER_COLOUR_KEPT, 0,
             two && runs[0].label != NULL ? runs[0].label : "above the threshold"},
            {LASER_MARK_LINE, LASER_COLOUR_B, 0,
             two ? runs[1].label != NULL ? runs[1].label : "second run" : NULL},
            {LASER_MARK_DOT, LASER_COLOUR_REVERTED, 0, edited ? "left by a kept edit" : NULL},
            {LASER_MARK_LINE, LASER_COLOUR_MUTED, 0,
             experts ? "lowest to highest expert, bar: median" : NULL}};
        return laser_draw_legend(f, items, sizeof items / sizeof *items, 0, 0, p->d->width) + 6;
    }
}

void laser_draw_ranks(struct laser_figure *f, const struct laser_drawing *d)
{
    const struct laser_matrix_table *t = d->table;
    struct panels p = {.d = d, .share = {laser_matrix_metric(&t->runs[0], "kept_share"), NULL}};
    double below;
    size_t place = 0;

    if (p.share[0] == NULL)
        return;
    if (t->n_runs > 1)
        p.share[1] = laser_matrix_metric(&t->runs[1], "kept_share");
    p.after = laser_matrix_metric(&t->runs[0], "kept_after");
    p.most = highest(&p);
    p.columns = d->width < 600 ? 2 : d->width < 900 ? 3 : 4;
    p.width = floor((d->width + BETWEEN) / p.columns - BETWEEN);
    below = put_legend(f, &p);
    for (size_t k = 0; k < t->n_types; k++)
        if (!isnan(overall(&p, k)))
            put_panel(f, &p, k, place++, below);
    if (place == 0)
        return;
    laser_text_puts(&f->attributes, "\"");
    f->width = d->width;
    f->height = below + PANEL_HEIGHT * (double)((place + (size_t)p.columns - 1) / (size_t)p.columns);
}
