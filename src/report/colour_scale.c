#include "report/colour_scale.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAR = 190 }; /* width */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static double quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t i = (size_t)at;

    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* From -most to most: the largest size, unless a few values are far beyond the others. */
static void find_diverging_range(struct laser_colour_scale *s)
{
    double *sizes = s->sorted, all, usual, most; /* the values themselves are not needed any more */

    for (size_t i = 0; i < s->n; i++)
        sizes[i] = fabs(sizes[i]);
    qsort(sizes, s->n, sizeof *sizes, by_value);
    all = sizes[s->n - 1];
    usual = quantile(sizes, s->n, 0.95);
    most = all > 2.5 * usual && usual > 0 ? usual : all > 0 ? all : 1;
    s->farthest = most < all ? all : 0;
    s->low = -most;
    s->high = most;
    s->how = LASER_SCALE_LINEAR;
}

static void find_range(struct laser_colour_scale *s)
{
    size_t positive = 0;

    s->low = s->sorted[0];
    s->high = s->sorted[s->n - 1];
    if (s->how == LASER_SCALE_AUTO)
        s->how = s->low > 0 && s->high / s->low > 20 ? LASER_SCALE_LOG : LASER_SCALE_LINEAR;
    if (s->how != LASER_SCALE_LOG)
        return;
    while (positive < s->n && s->sorted[positive] <= 0)
        positive++;
    if (positive < s->n)
        s->low = s->sorted[positive];
    else
        s->how = LASER_SCALE_LINEAR;
}

int laser_colour_scale_make(struct laser_colour_scale *s, const double *values, size_t n,
                            enum laser_scale_how how, int diverging)
{
    memset(s, 0, sizeof *s);
    s->how = how;
    s->diverging = diverging;
    s->sorted = malloc((n + 1) * sizeof *s->sorted);
    if (s->sorted == NULL)
        return 0;
    for (size_t i = 0; i < n; i++) {
        s->any_infinite |= isinf(values[i]);
        if (isfinite(values[i]))
            s->sorted[s->n++] = values[i];
    }
    qsort(s->sorted, s->n, sizeof *s->sorted, by_value);
    if (s->n == 0)
        s->how = LASER_SCALE_LINEAR;
    else if (diverging)
        find_diverging_range(s);
    else
        find_range(s);
    return 1;
}

void laser_colour_scale_free(struct laser_colour_scale *s)
{
    free(s->sorted);
    s->sorted = NULL;
}

static size_t below(const struct laser_colour_scale *s, double x)
{
    size_t a = 0, b = s->n;

    while (a < b) {
        size_t middle = (a + b) / 2;
        if (s->sorted[middle] < x)
            a = middle + 1;
        else
            b = middle;
    }
    return a;
}

static double place(const struct laser_colour_scale *s, double x)
{
    if (isinf(x))
        return x > 0;
    if (s->how == LASER_SCALE_RANK)
        return s->n > 1 ? (double)below(s, x) / (double)(s->n - 1) : 0.5;
    if (s->how == LASER_SCALE_LOG && x <= 0)
        return 0;
    if (!(s->high > s->low))
        return 0.5;
    return s->how == LASER_SCALE_LOG ? log(x / s->low) / log(s->high / s->low)
                                     : (x - s->low) / (s->high - s->low);
}

int laser_colour_scale_step(const struct laser_colour_scale *s, double value)
{
    double t = place(s, value);

    return (int)lround((t > 0 ? t < 1 ? t : 1 : 0) * (LASER_COLOUR_STEPS - 1));
}

int laser_colour_scale_colour(const struct laser_colour_scale *s, double value)
{
    return (s->diverging ? LASER_COLOUR_DIVERGING : LASER_COLOUR_SEQUENTIAL) +
           laser_colour_scale_step(s, value);
}

void laser_colour_scale_bar(struct laser_figure *f, const struct laser_colour_scale *s, double x, double y)
{
    int base = s->diverging ? LASER_COLOUR_DIVERGING : LASER_COLOUR_SEQUENTIAL;
    double width = (double)BAR / (LASER_COLOUR_STEPS / 2);

    laser_figure_group(f, "bar");
    for (int k = 0; k < LASER_COLOUR_STEPS; k += 2)
        laser_figure_box(f, x + k / 2 * width, y + 2, width + (k + 2 < LASER_COLOUR_STEPS ? 0.6 : 0), 11,
                         base + k);
    laser_figure_end(f);
}

static void put_number(struct laser_figure *f, double x, double y, double value)
{
    char text[32];

    laser_axis_text(value, text);
    laser_figure_text(f, x, y, text, LASER_COLOUR_MUTED, LASER_ANCHOR_MIDDLE, 0);
}

void laser_colour_scale_numbers(struct laser_figure *f, const struct laser_colour_scale *s, double x,
                                double y)
{
    struct laser_axis axis = {
        .from = s->low, .to = s->high, .start = 0, .end = 1, .logarithmic = s->how == LASER_SCALE_LOG};
    double ticks[LASER_AXIS_TICKS] = {0.5}, last = 2, right = x + BAR + 26;
    int n;
    char text[32], note[80];

    laser_figure_group(f, "numbers-of-bar");
    if (s->n > 0 && s->how == LASER_SCALE_RANK && s->high > s->low) {
        for (int k = 0; k < 3; k++)
            put_number(f, x + BAR * k / 2.0, y + 28, quantile(s->sorted, s->n, k / 2.0));
    } else if (s->n > 0 && s->high > s->low) {
        n = laser_axis_ticks(&axis, 4, ticks);
        for (int i = n - 1; i >= 0; i--) {
            double at = laser_axis_place(&axis, ticks[i]);
            if (last - at < 0.2)
                continue;
            last = at;
            put_number(f, x + BAR * at, y + 28, ticks[i]);
        }
    } else if (s->n > 0) {
        put_number(f, x + BAR / 2.0, y + 28, s->low);
    }
    if (s->farthest > 0) {
        laser_number_text(s->farthest, text);
        snprintf(note, sizeof note, "up to %s in the last colour", text);
        laser_figure_text(f, x, y + 47, note, LASER_COLOUR_MUTED, LASER_ANCHOR_START, 0);
    }
    if (s->any_infinite) {
        laser_figure_box(f, right, y + 2, 12, 12,
                         (s->diverging ? LASER_COLOUR_DIVERGING : LASER_COLOUR_SEQUENTIAL) +
                             LASER_COLOUR_STEPS - 1);
        laser_figure_text(f, right + 18, y + 12, "\xe2\x88\x9e", LASER_COLOUR_MUTED, LASER_ANCHOR_START, 0);
    }
    laser_figure_end(f);
}
