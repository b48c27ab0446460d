/* Points and curves over an axis: losses of windows, size against loss, predictions against measurements. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/axis.h"
#include "report/decisions.h"
#include "report/draw.h"

/* ---- losses of the windows ---- */

static const int dataset_colours[] = {LASER_COLOUR_A, LASER_COLOUR_B, LASER_COLOUR_GOOD, LASER_COLOUR_COMPAT,
                                      LASER_COLOUR_MUTED};
enum { DATASET_COLOURS = sizeof dataset_colours / sizeof *dataset_colours, MOST_DATASETS = 12 };

struct losses {
    const struct laser_page_run *run;
    double *values; /* of every window; NaN: it gave gradients or guarded a search, and has no loss here */
    double mean, error, low, high;
    int two;
};

static int read_losses(const struct laser_drawing *d, struct losses *l)
{
    double sum = 0, tokens = 0, spread = 0, count = 0;

    l->run = d->n_runs > 1 && d->runs[0].n_windows == 0 ? &d->runs[1] : &d->runs[0];
    l->two = d->n_runs > 1 && d->runs[1].is_paired && d->runs[0].n_windows > 0 &&
             d->runs[0].n_windows == d->runs[1].n_windows;
    l->values = malloc((l->run->n_windows + 1) * sizeof *l->values);
    l->low = l->two ? 0 : INFINITY;
    l->high = l->two ? 0 : -INFINITY;
    for (size_t i = 0; l->values != NULL && i < l->run->n_windows; i++) {
        const struct laser_page_window *w = &l->run->windows[i];
        double x = l->values[i] = l->two ? d->runs[1].windows[i].nll_nats - w->nll_nats : w->nll_nats;
        if (!isfinite(x))
            continue;
        l->low = fmin(l->low, x);
        l->high = fmax(l->high, x);
        sum += w->scored * x;
        tokens += w->scored;
        count++;
    }
    l->mean = sum / tokens;
    for (size_t i = 0; l->values != NULL && i < l->run->n_windows; i++)
        if (isfinite(l->values[i]))
            spread += pow(l->run->windows[i].scored * (l->values[i] - l->mean), 2);
    l->error = count > 1 ? sqrt(spread * count / (count - 1)) / tokens : (double)NAN;
    return l->values != NULL;
}

static double put_window_legend(struct laser_figure *f, const struct losses *l, double width)
{
    struct laser_legend_item items[MOST_DATASETS + 1];
    int n = 0;
    char mean[80], text[2][32];

    for (size_t k = 0; k < l->run->n_datasets && n < MOST_DATASETS; k++) {
        int seen = 0;
        for (size_t i = 0; i < l->run->n_windows && !seen; i++)
            seen = l->run->windows[i].dataset == (int32_t)k && isfinite(l->values[i]);
        if (seen)
            items[n++] = (struct laser_legend_item){LASER_MARK_DOT, dataset_colours[k % DATASET_COLOURS], 0,
                                                    l->run->datasets[k]};
    }
    laser_number_text(l->mean, text[0]);
    snprintf(text[1], sizeof text[1], "%.2g", l->error);
    snprintf(mean, sizeof mean, isfinite(l->error) ? "mean %s \xc2\xb1 %s" : "mean %s", text[0], text[1]);
    items[n++] = (struct laser_legend_item){LASER_MARK_LINE, LASER_COLOUR_TEXT, 0, mean};
    return laser_draw_legend(f, items, n, 0, 0, width);
}

static void put_windows(struct laser_figure *f, const struct losses *l, const struct laser_drawing *d)
{
    size_t n = l->run->n_windows, k;
    double width = d->width, top = 24 + put_window_legend(f, l, width), height = width < 500 ? 166 : 216;
    double pad = l->high > l->low ? 0.05 * (l->high - l->low) : 0.1, at;
    struct laser_axis x = {.from = -0.5, .to = (double)n - 0.5, .start = 52, .end = width - 14};
    struct laser_axis y = {.from = l->low - pad, .to = l->high + pad, .start = top + height, .end = top};
    double r = fmax(1.1, fmin(3, (x.end - x.start) / (double)n / 2)), *xy = malloc((2 * n + 2) * sizeof *xy);
    char title[200] = "mean loss, nats per token";

    if (xy == NULL) {
        f->failed = 1;
        return;
    }
    if (l->two)
        snprintf(title, sizeof title, "change of loss, %.60s less %.60s",
                 d->runs[1].label != NULL ? d->runs[1].label : "B",
                 d->runs[0].label != NULL ? d->runs[0].label : "A");
    f->width = width;
    f->height = y.start + 40;
    laser_draw_left_axis(f, &y, x.start, x.end, 5, title);
    laser_draw_bottom_axis(f, &x, y.start, (int)fmax(3, width / 100), "window", 1);
    for (int c = 0; c < DATASET_COLOURS; c++) {
        k = 0;
        for (size_t i = 0; i < n; i++)
            if (isfinite(l->values[i]) && l->run->windows[i].dataset % DATASET_COLOURS == c) {
                xy[k++] = laser_axis_place(&x, (double)i);
                xy[k++] = laser_axis_place(&y, l->values[i]);
            }
        laser_figure_dots(f, xy, k / 2, r, dataset_colours[c]);
    }
    at = laser_axis_place(&y, l->mean);
    laser_figure_line(f, x.start, at, x.end, at, LASER_COLOUR_TEXT, 1.3, 0);
    laser_figure_frame(f, &x, y.end, y.start);
    free(xy);
}

void laser_draw_windows(struct laser_figure *f, const struct laser_drawing *d)
{
    struct losses l;

    if (d->runs[0].n_windows == 0 && (d->n_runs < 2 || d->runs[1].n_windows == 0))
        return;
    if (!read_losses(d, &l))
        f->failed = 1;
    else if (isfinite(l.mean))
        put_windows(f, &l, d);
    free(l.values);
}

/* ---- size against loss ---- */

enum { MOST_POINTS = 64, MOST_TEXTS = 16 };

/* One of the models of a compression: the chosen one, or one of the curve. */
struct size_point {
    const json_t *object;
    double parameters;
    int chosen;
};

static int by_parameters(const void *a, const void *b)
{
    const struct size_point *x = a, *y = b;

    return (x->parameters > y->parameters) - (x->parameters < y->parameters);
}

static int read_size_points(const json_t *results, struct size_point *points)
{
    const json_t *chosen = json_object_get(results, "chosen"), *curve = json_object_get(results, "curve");
    int n = 0;

    if (json_is_object(chosen))
        points[n++] = (struct size_point){chosen, laser_result_number(chosen, "parameters"), 1};
    for (size_t i = 0; n > 0 && n < MOST_POINTS && i < json_array_size(curve); i++) {
        const json_t *point = json_array_get(curve, i);
        double parameters = laser_result_number(point, "parameters");
        if (isfinite(parameters))
            points[n++] = (struct size_point){point, parameters, 0};
    }
    qsort(points, (size_t)n, sizeof *points, by_parameters);
    return n;
}

static const json_t *text_of(const struct size_point *point, const char *name)
{
    const json_t *texts = json_object_get(point->object, "texts");

    for (size_t i = 0; i < json_array_size(texts); i++) {
        const char *own = json_string_value(json_object_get(json_array_get(texts, i), "name"));
        if (own != NULL && strcmp(own, name) == 0)
            return json_array_get(texts, i);
    }
    return NULL;
}

static const char *name_of_text(const struct size_point *point, size_t i)
{
    return json_string_value(
        json_object_get(json_array_get(json_object_get(point->object, "texts"), i), "name"));
}

static int colour_of_text(const json_t *text)
{
    return json_is_true(json_object_get(text, "guard")) ? LASER_COLOUR_B : LASER_COLOUR_A;
}

static void size_range(const struct size_point *points, int n, struct laser_axis *x, struct laser_axis *y)
{
    for (int k = 0; k < n; k++) {
        const json_t *texts = json_object_get(points[k].object, "texts");
        x->from = fmin(x->from, points[k].parameters);
        x->to = fmax(x->to, points[k].parameters);
        for (size_t i = 0; i < json_array_size(texts); i++) {
            double change = laser_result_number(json_array_get(texts, i), "difference");
            double error = laser_result_number(json_array_get(texts, i), "stderr");
            y->from = fmin(y->from, change - (isfinite(error) ? error : 0));
            y->to = fmax(y->to, change + (isfinite(error) ? error : 0));
        }
    }
}

static void put_size_line(struct laser_figure *f, const struct size_point *points, int n, const char *name,
                          const struct laser_axis *x, const struct laser_axis *y)
{
    double xy[2 * MOST_POINTS];
    size_t k = 0;
    int colour = LASER_COLOUR_A;

    for (int i = 0; i < n; i++) {
        const json_t *text = text_of(&points[i], name);
        double change = laser_result_number(text, "difference"), error = laser_result_number(text, "stderr");
        double at = laser_axis_place(x, points[i].parameters), up = laser_axis_place(y, change);
        if (!isfinite(change))
            continue;
        colour = colour_of_text(text);
        if (isfinite(error))
            laser_figure_line(f, at, laser_axis_place(y, change - error), at,
                              laser_axis_place(y, change + error), colour, 1, 0);
        if (points[i].chosen)
            laser_figure_ring(f, at, up, 8, LASER_COLOUR_TEXT, 1);
        xy[k++] = at;
        xy[k++] = up;
    }
    laser_figure_path(f, xy, k / 2, colour, 1.4, 0);
    laser_figure_dots(f, xy, k / 2, 3.6, colour);
}

static double put_size_legend(struct laser_figure *f, const struct size_point *first, double width)
{
    const json_t *texts = json_object_get(first->object, "texts");
    struct laser_legend_item items[MOST_TEXTS + 1];
    char names[MOST_TEXTS][80];
    int n = 0;

    for (size_t i = 0; i < json_array_size(texts) && n < MOST_TEXTS; i++) {
        const json_t *text = json_array_get(texts, i);
        const char *name = name_of_text(first, i);
        int guard = json_is_true(json_object_get(text, "guard"));
        snprintf(names[n], sizeof names[n], "%.50s, %s", name != NULL ? name : "a text",
                 guard ? "guard" : "held out");
        items[n] = (struct laser_legend_item){LASER_MARK_DOT, colour_of_text(text), 0, names[n]};
        n++;
    }
    items[n++] = (struct laser_legend_item){LASER_MARK_RING, LASER_COLOUR_TEXT, 0, "chosen"};
    return laser_draw_legend(f, items, n, 0, 0, width);
}

void laser_draw_size(struct laser_figure *f, const struct laser_drawing *d)
{
    const json_t *results = d->runs[d->which].results;
    struct size_point points[MOST_POINTS];
    int n = read_size_points(results, points);
    double before = laser_result_number(json_object_get(results, "before"), "parameters"), top;
    struct laser_axis x = {.from = before, .to = before, .start = 70, .end = d->width - 40},
                      y = {.from = 0, .to = 0};

    if (n < 2 || !isfinite(before) || json_array_size(json_object_get(points[0].object, "texts")) == 0)
        return;
    size_range(points, n, &x, &y);
    f->width = d->width;
    top = 24 + put_size_legend(f, &points[0], d->width);
    y.start = top + 190;
    y.end = top;
    f->height = y.start + 40;
    laser_draw_left_axis(f, &y, 58, d->width - 20, 4, "change of the loss, nats");
    laser_draw_bottom_axis(f, &x, y.start, d->width < 500 ? 2 : 5, "parameters", 0);
    for (size_t i = 0; i < json_array_size(json_object_get(points[0].object, "texts")); i++) {
        const char *name = name_of_text(&points[0], i);
        if (name != NULL)
            put_size_line(f, points, n, name, &x, &y);
    }
    laser_figure_frame(f, &x, y.end, y.start);
}
