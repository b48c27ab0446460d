#include "report/draw_spectrum.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/axis.h"

/* Of the law's curve every fourth point is enough. */
enum { EVERY = 4, CURVE_POINTS = (LASER_NOISE_CURVE - 1) / EVERY + 1 };

int laser_spectrum_known(const struct laser_scan_row *row)
{
    return row->status == LASER_SCAN_SCANNED && row->sigma != NULL && row->rows > 0 && row->columns > 0;
}

void laser_spectrum_make(struct laser_spectrum *s, const struct laser_scan_row *row,
                         const struct laser_scan_row *other, int bins, int points)
{
    memset(s, 0, sizeof *s);
    s->row = row;
    laser_spectrum_bins_make(row->sigma, row->rows, row->columns, row->threshold, bins, points, &s->bins);
    s->has_other = other != NULL && laser_spectrum_known(other);
    if (s->has_other)
        laser_spectrum_bins_make(other->sigma, other->rows, other->columns, other->threshold, bins, points,
                                 &s->other);
}

static double bin_width(const struct laser_spectrum_bins *b)
{
    return (b->high - b->low) / b->n_bins;
}

static double bin_density(const struct laser_spectrum_bins *b, int i)
{
    return (double)b->counts[i] / ((double)b->n * bin_width(b));
}

/* From which value on singular values are kept. */
static double kept_from(const struct laser_scan_row *row, const struct laser_spectrum_bins *b)
{
    if (isfinite(row->threshold))
        return row->threshold;
    return row->rank > 0 && row->rank <= b->n ? row->sigma[row->rank - 1] * (1 - 1e-12) : (double)INFINITY;
}

static double highest_density(const struct laser_spectrum_bins *b)
{
    double u[LASER_NOISE_CURVE], d[LASER_NOISE_CURVE], most = 0;

    for (int i = 0; i < b->n_bins; i++)
        most = fmax(most, bin_density(b, i));
    if (!(b->level > 0))
        return most;
    laser_noise_density(b->beta, u, d);
    for (int i = 0; i < LASER_NOISE_CURVE; i++)
        most = fmax(most, d[i] / b->level);
    return most;
}

static void density_axes(const struct laser_spectrum *s, struct laser_axis *x, struct laser_axis *y)
{
    double most = highest_density(&s->bins);

    x->from = s->bins.low;
    x->to = s->bins.high;
    if (s->has_other) {
        x->from = fmin(x->from, s->other.low);
        x->to = fmax(x->to, s->other.high);
        most = fmax(most, highest_density(&s->other));
    }
    y->from = 0;
    y->to = most > 0 ? 1.06 * most : 1;
}

/* Bins from..to-1 as one area. */
static void put_bins(struct laser_figure *f, const struct laser_spectrum_bins *b, int from, int to,
                     const struct laser_axis *x, const struct laser_axis *y, int colour)
{
    double xy[4 * LASER_SPECTRUM_BINS + 4];
    size_t k = 0;

    if (from >= to)
        return;
    xy[k++] = laser_axis_place(x, b->low + from * bin_width(b));
    xy[k++] = y->start;
    for (int i = from; i < to; i++)
        for (int end = 0; end < 2; end++) {
            xy[k++] = laser_axis_place(x, b->low + (i + end) * bin_width(b));
            xy[k++] = laser_axis_place(y, bin_density(b, i));
        }
    xy[k++] = laser_axis_place(x, b->low + to * bin_width(b));
    xy[k++] = y->start;
    laser_figure_path(f, xy, k / 2, colour, 0, 0);
}

static void put_outline(struct laser_figure *f, const struct laser_spectrum_bins *b,
                        const struct laser_axis *x, const struct laser_axis *y)
{
    double xy[4 * LASER_SPECTRUM_BINS];
    size_t k = 0;

    for (int i = 0; i < b->n_bins; i++)
        for (int end = 0; end < 2; end++) {
            xy[k++] = laser_axis_place(x, b->low + (i + end) * bin_width(b));
            xy[k++] = laser_axis_place(y, bin_density(b, i));
        }
    laser_figure_path(f, xy, k / 2, LASER_COLOUR_B, 1.6, 0);
}

static void put_curve(struct laser_figure *f, const struct laser_spectrum_bins *b, const struct laser_axis *x,
                      const struct laser_axis *y, int is_dashed)
{
    double u[LASER_NOISE_CURVE], d[LASER_NOISE_CURVE], xy[2 * CURVE_POINTS];

    if (!(b->level > 0))
        return;
    laser_noise_density(b->beta, u, d);
    for (int i = 0; i < CURVE_POINTS; i++) {
        xy[2 * i] = laser_axis_place(x, u[EVERY * i] * b->level);
        xy[2 * i + 1] = laser_axis_place(y, d[EVERY * i] / b->level);
    }
    laser_figure_path(f, xy, CURVE_POINTS, LASER_COLOUR_EDGE, 2, is_dashed ? 3 : 0);
}

/* The edge of the noise and the thresholds: those that are known, and the run's own where it is none of the others. */
struct mark {
    const char *text;
    double value, dash;
    int colour;
};
enum { MARKS = 3 };

static void read_marks(const struct laser_spectrum_bins *b, struct mark marks[MARKS])
{
    int own =
        fabs(b->threshold - b->edge) > 1e-5 * b->edge && fabs(b->threshold - b->compat) > 1e-5 * b->compat;

    marks[0] = (struct mark){"true Marchenko\xe2\x80\x93Pastur edge", b->edge, 0, LASER_COLOUR_EDGE};
    marks[1] = (struct mark){"threshold of laserRMT (compat)", b->compat, 6, LASER_COLOUR_COMPAT};
    marks[2] =
        (struct mark){"threshold of this run", own ? b->threshold : (double)NAN, 1.5, LASER_COLOUR_OWN};
}

void laser_draw_density(struct laser_figure *f, const struct laser_spectrum *s, double left, double top,
                        double width, double height)
{
    struct laser_axis x = {.start = left, .end = left + width}, y = {.start = top + height, .end = top};
    double kept = kept_from(s->row, &s->bins);
    struct mark marks[MARKS];
    int first = 0;

    density_axes(s, &x, &y);
    while (first < s->bins.n_bins && s->bins.low + (first + 0.5) * bin_width(&s->bins) <= kept)
        first++;
    put_bins(f, &s->bins, 0, first, &x, &y, LASER_COLOUR_NOISE);
    put_bins(f, &s->bins, first, s->bins.n_bins, &x, &y, LASER_COLOUR_KEPT);
    if (s->has_other)
        put_outline(f, &s->other, &x, &y);
    put_curve(f, &s->bins, &x, &y, s->has_other);
    read_marks(&s->bins, marks);
    for (int i = 0; i < MARKS; i++) {
        double at = laser_axis_place(&x, marks[i].value);
        if (isfinite(marks[i].value))
            laser_figure_line(f, at, top - 5, at, top + height, marks[i].colour, 1.6, marks[i].dash);
    }
}

static double put_legend(struct laser_figure *f, const struct laser_spectrum *s)
{
    struct mark marks[MARKS];
    char texts[MARKS][80], number[32];
    struct laser_legend_item items[4 + MARKS] = {
        {LASER_MARK_SQUARE, LASER_COLOUR_KEPT, 0, "kept"},
        {LASER_MARK_SQUARE, LASER_COLOUR_NOISE, 0, "not kept"},
        {LASER_MARK_LINE, LASER_COLOUR_B, 0,
         s->has_other ? s->other_label != NULL ? s->other_label : "B" : NULL},
        {LASER_MARK_LINE, LASER_COLOUR_EDGE, s->has_other ? 3 : 0,
         s->bins.level > 0 ? "density of the noise" : NULL}};

    read_marks(&s->bins, marks);
    for (int i = 0; i < MARKS; i++) {
        laser_number_text(marks[i].value, number);
        snprintf(texts[i], sizeof texts[i], "%s %s", marks[i].text, number);
        items[4 + i] = (struct laser_legend_item){LASER_MARK_LINE, marks[i].colour, marks[i].dash,
                                                  isfinite(marks[i].value) ? texts[i] : NULL};
    }
    return laser_draw_legend(f, items, 4 + MARKS, 0, 0, LASER_SPECTRUM_WIDTH);
}

enum { PLOT_HEIGHT = 214 };

void laser_draw_density_figure(struct laser_figure *f, const struct laser_spectrum *s)
{
    struct laser_axis x = {.start = 52, .end = LASER_SPECTRUM_WIDTH - 14}, y = {.end = 0};
    char number[32];

    density_axes(s, &x, &y);
    y.end = put_legend(f, s) + 24;
    y.start = y.end + PLOT_HEIGHT;
    f->width = LASER_SPECTRUM_WIDTH;
    f->height = y.start + 40;
    laser_draw_left_axis(f, &y, x.start, x.end, 4, "density");
    laser_figure_group(f, "plot-only");
    laser_draw_density(f, s, x.start, y.end, x.end - x.start, PLOT_HEIGHT);
    laser_figure_end(f);
    laser_draw_bottom_axis(f, &x, y.start, 5, "singular value", 0);
    if (s->bins.above > 0) {
        laser_number_text(s->row->sigma[0], number);
        laser_figure_label(f, x.end, y.end - 12, LASER_ANCHOR_END,
                           "%" PRId64 " beyond, up to %s \xe2\x86\x92", s->bins.above, number);
    }
    laser_figure_frame(f, &x, y.end, y.start);
}

/* ---- values by rank ---- */

static void value_axes(const struct laser_spectrum *s, struct laser_axis *x, struct laser_axis *y)
{
    double low = INFINITY, high = 0;

    for (int r = 0; r <= s->has_other; r++) {
        const struct laser_spectrum_bins *b = r == 0 ? &s->bins : &s->other;
        for (int i = 0; i < b->n_points; i++)
            if (b->values[i] > 0) {
                low = fmin(low, b->values[i]);
                high = fmax(high, b->values[i]);
            }
    }
    high = high > 0 ? high : 1;
    low = fmax(isfinite(low) ? low : high, 1e-6 * high);
    x->from = 1;
    x->to = fmax(2, (double)(s->has_other && s->other.n > s->bins.n ? s->other.n : s->bins.n));
    y->from = 0.85 * low;
    y->to = 1.15 * high;
    x->logarithmic = y->logarithmic = 1;
}

/* Points from..to-1. */
static size_t place_points(const struct laser_spectrum_bins *b, int from, int to, const struct laser_axis *x,
                           const struct laser_axis *y, double *xy)
{
    size_t k = 0;

    for (int i = from; i < to; i++) {
        xy[k++] = laser_axis_place(x, (double)b->ranks[i] + 1);
        xy[k++] = laser_axis_place(y, fmax(b->values[i], y->from));
    }
    return k / 2;
}

void laser_draw_values_figure(struct laser_figure *f, const struct laser_spectrum *s)
{
    const struct laser_spectrum_bins *b = &s->bins;
    struct laser_axis x = {.start = 56, .end = LASER_SPECTRUM_WIDTH - 14}, y = {.end = 24};
    struct laser_figure beside = {0};
    double xy[2 * LASER_SPECTRUM_POINTS];
    struct mark marks[MARKS];
    int kept = 0;

    /* As high as the other one, which has a legend. */
    y.end += put_legend(&beside, s);
    y.start = y.end + PLOT_HEIGHT;
    f->failed |= beside.failed;
    laser_figure_free(&beside);
    value_axes(s, &x, &y);
    f->width = LASER_SPECTRUM_WIDTH;
    f->height = y.start + 40;
    laser_draw_left_axis(f, &y, x.start, x.end, 5, "singular value");
    read_marks(b, marks);
    for (int i = 0; i < MARKS; i++) {
        double at = laser_axis_place(&y, marks[i].value);
        if (marks[i].value > y.from && marks[i].value < y.to)
            laser_figure_line(f, x.start, at, x.end, at, marks[i].colour, 1.6, marks[i].dash);
    }
    if (s->has_other)
        laser_figure_path(f, xy, place_points(&s->other, 0, s->other.n_points, &x, &y, xy), LASER_COLOUR_B,
                          1.6, 0);
    while (kept < b->n_points && b->ranks[kept] < s->row->rank)
        kept++;
    laser_figure_dots(f, xy, place_points(b, 0, kept, &x, &y, xy), 2.4, LASER_COLOUR_KEPT);
    laser_figure_dots(f, xy, place_points(b, kept, b->n_points, &x, &y, xy), 2.4, LASER_COLOUR_MUTED);
    laser_draw_bottom_axis(f, &x, y.start, 5, "rank", 0);
    if (s->row->rank > 0)
        laser_figure_label(f, x.end, y.end - 12, LASER_ANCHOR_END, "%" PRId64 " of %" PRId64 " kept",
                           s->row->rank, b->n);
    laser_figure_frame(f, &x, y.end, y.start);
}
