/* Changes of the loss that gradients predicted against the same ones measured. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/axis.h"
#include "report/draw.h"
#include "report/prediction_fit.h"

static void find_ranges(const struct laser_prediction_fit *c, struct laser_axis *x, struct laser_axis *y)
{
    for (size_t i = 0; i < c->n; i++) {
        double error = isfinite(c->pairs[i].error) ? c->pairs[i].error : 0;
        x->from = fmin(x->from, c->pairs[i].predicted);
        x->to = fmax(x->to, c->pairs[i].predicted);
        y->from = fmin(y->from, c->pairs[i].measured - error);
        y->to = fmax(y->to, c->pairs[i].measured + error);
    }
    {
        double across = 0.06 * (x->to - x->from), up = 0.06 * (y->to - y->from);
        x->from -= across;
        x->to += across;
        y->from -= up;
        y->to += up;
    }
}

/* y = factor x, as far as the plot goes. */
static void put_line(struct laser_figure *f, const struct laser_axis *x, const struct laser_axis *y,
                     double factor, int colour, double dash)
{
    double low = x->from, high = x->to;

    if (factor > 0) {
        low = fmax(low, y->from / factor);
        high = fmin(high, y->to / factor);
    } else if (factor < 0) {
        low = fmax(low, y->to / factor);
        high = fmin(high, y->from / factor);
    }
    if (low < high)
        laser_figure_line(f, laser_axis_place(x, low), laser_axis_place(y, factor * low),
                          laser_axis_place(x, high), laser_axis_place(y, factor * high), colour, 1.4, dash);
}

static void put_pairs(struct laser_figure *f, const struct laser_prediction_fit *c,
                      const struct laser_axis *x, const struct laser_axis *y)
{
    double r = c->n > 200 ? 2 : 3.4;

    for (size_t i = 0; i < c->n; i++) {
        const struct laser_prediction_pair *p = &c->pairs[i];
        double at = laser_axis_place(x, p->predicted), up = laser_axis_place(y, p->measured);
        if (isfinite(p->error))
            laser_figure_line(f, at, laser_axis_place(y, p->measured - p->error), at,
                              laser_axis_place(y, p->measured + p->error), LASER_COLOUR_A, 1, 0);
        laser_figure_dots(f, (const double[]){at, up}, 1, r, LASER_COLOUR_A);
    }
}

void laser_draw_predictions(struct laser_figure *f, const struct laser_drawing *d)
{
    struct laser_prediction_fit c;
    struct laser_axis x = {.start = 70, .end = fmin(d->width, 700) - 20}, y = {.end = 0};
    char factor[80], correlation[80];
    double top;

    if (!laser_prediction_fit_read(d->runs[d->which].results, &c)) {
        f->failed = 1;
        return;
    }
    if (c.n >= 2) {
        find_ranges(&c, &x, &y);
        snprintf(factor, sizeof factor, "measured = %.2f \xc3\x97 predicted", c.factor);
        snprintf(correlation, sizeof correlation, "%zu edits, correlation %.3f", c.n, c.correlation);
        {
            const struct laser_legend_item items[] = {
                {LASER_MARK_DOT, LASER_COLOUR_A, 0, isfinite(c.correlation) ? correlation : "an edit"},
                {LASER_MARK_LINE, LASER_COLOUR_MUTED, 5, "measured = predicted"},
                {LASER_MARK_LINE, LASER_COLOUR_REVERTED, 0, isfinite(c.factor) ? factor : NULL}};
            top = 24 + laser_draw_legend(f, items, 3, 0, 0, d->width);
        }
        y.start = top + 260;
        y.end = top;
        f->width = d->width;
        f->height = y.start + 40;
        laser_draw_left_axis(f, &y, x.start, x.end, 5, "measured change of the loss, nats");
        laser_draw_bottom_axis(f, &x, y.start, d->width < 500 ? 3 : 6, "predicted change of the loss, nats",
                               0);
        put_line(f, &x, &y, 1, LASER_COLOUR_MUTED, 5);
        if (isfinite(c.factor))
            put_line(f, &x, &y, c.factor, LASER_COLOUR_REVERTED, 0);
        put_pairs(f, &c, &x, &y);
        laser_figure_frame(f, &x, y.end, y.start);
    }
    laser_prediction_fit_free(&c);
}
