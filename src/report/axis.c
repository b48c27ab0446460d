#include "report/axis.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

double laser_axis_place(const struct laser_axis *a, double value)
{
    double t =
        a->logarithmic ? log(value / a->from) / log(a->to / a->from) : (value - a->from) / (a->to - a->from);

    return a->start + (isfinite(t) ? t : 0) * (a->end - a->start);
}

static int linear_ticks(const struct laser_axis *a, int count, double *ticks)
{
    static const double steps[] = {1, 2, 2.5, 5, 10};
    double rough = (a->to - a->from) / count, power, step = 0;
    int n = 0;

    if (!(rough > 0) || !isfinite(rough)) {
        ticks[0] = a->from;
        return 1;
    }
    power = pow(10, floor(log10(rough)));
    for (int i = 0; i < 5 && step < rough * 0.999; i++)
        step = steps[i] * power;
    for (double k = ceil(a->from / step - 1e-9); k * step <= a->to + 1e-9 * step && n < LASER_AXIS_TICKS; k++)
        ticks[n++] = k == 0 ? 0 : k * step;
    return n;
}

static int log_ticks(const struct laser_axis *a, int count, double *ticks)
{
    static const double parts[] = {1, 2, 5}, many[] = {1, 1.5, 2, 3, 4, 5, 6, 8};
    double low = log10(a->from), high = log10(a->to);
    int every = (int)fmax(1, round((high - low) / count)), n = 0, close = high - low < 0.7;

    for (int k = (int)ceil(low - 1e-9); k <= high + 1e-9 && n < LASER_AXIS_TICKS; k++)
        if (k % every == 0)
            ticks[n++] = pow(10, k);
    if (n >= 3 || high - low > 2.5)
        return n;
    n = 0;
    for (int k = (int)floor(low); k <= high; k++)
        for (int i = 0; i < (close ? 8 : 3); i++) {
            double x = (close ? many : parts)[i] * pow(10, k);
            if (x >= a->from * 0.999 && x <= a->to * 1.001 && n < LASER_AXIS_TICKS)
                ticks[n++] = x;
        }
    if (n < 2) {
        ticks[0] = a->from;
        ticks[1] = a->to;
        n = a->to > a->from ? 2 : 1;
    }
    return n;
}

int laser_axis_ticks(const struct laser_axis *a, int count, double ticks[LASER_AXIS_TICKS])
{
    count = count < 1 ? 1 : count;
    return a->logarithmic ? log_ticks(a, count, ticks) : linear_ticks(a, count, ticks);
}

/* With a true minus, and none before a zero. */
static void with_minus(const char *number, char text[32])
{
    int is_zero = strspn(number, "-0.") == strlen(number);

    if (number[0] == '-')
        snprintf(text, 32, "%s%.24s", is_zero ? "" : "\xe2\x88\x92", number + 1);
    else
        snprintf(text, 32, "%.27s", number);
}

/* 3.2·10^-5 with raised digits. */
static void raised(double value, int digits, char text[32])
{
    static const char *const digit[] = {"\xe2\x81\xb0", "\xc2\xb9",     "\xc2\xb2",     "\xc2\xb3",
                                        "\xe2\x81\xb4", "\xe2\x81\xb5", "\xe2\x81\xb6", "\xe2\x81\xb7",
                                        "\xe2\x81\xb8", "\xe2\x81\xb9"};
    int power = (int)floor(log10(fabs(value)) + 1e-9);
    char number[40];
    size_t n;

    snprintf(number, sizeof number, "%.*g", digits, value / pow(10, power));
    if (strcmp(number, "1") == 0)
        number[0] = '\0';
    with_minus(number, text);
    n = strlen(text);
    n += (size_t)snprintf(text + n, 32 - n, "%s10%s", n > 0 ? "\xc2\xb7" : "",
                          power < 0 ? "\xe2\x81\xbb" : "");
    if (abs(power) >= 10)
        n += (size_t)snprintf(text + n, 32 - n, "%s", digit[abs(power) / 10 % 10]);
    snprintf(text + n, 32 - n, "%s", digit[abs(power) % 10]);
}

void laser_axis_text(double value, char text[32])
{
    char number[40];

    if (value != 0 && (fabs(value) < 1e-3 || fabs(value) >= 1e5)) {
        raised(value, 3, text);
        return;
    }
    snprintf(number, sizeof number, "%.5g", value);
    with_minus(number, text);
}

void laser_number_text(double value, char text[32])
{
    char number[40];

    if (isnan(value)) {
        snprintf(text, 32, "\xe2\x80\x93");
    } else if (isinf(value)) {
        snprintf(text, 32, "%s\xe2\x88\x9e", value < 0 ? "\xe2\x88\x92" : "");
    } else if (value != 0 && (fabs(value) < 1e-3 || fabs(value) >= 1e7)) {
        raised(value, 3, text);
    } else {
        snprintf(number, sizeof number, fabs(value) >= 1e4 || value == floor(value) ? "%.0f" : "%.4g", value);
        with_minus(number, text);
    }
}

void laser_share_text(double value, int digits, char text[32])
{
    char number[40];

    snprintf(number, sizeof number, "%.*f", digits, 100 * value);
    with_minus(number, text);
    if (isfinite(value))
        snprintf(text + strlen(text), 32 - strlen(text), "%%");
    else
        laser_number_text(value, text);
}

void laser_draw_left_axis(struct laser_figure *f, const struct laser_axis *y, double left, double right,
                          int count, const char *title)
{
    double ticks[LASER_AXIS_TICKS];
    int n = laser_axis_ticks(y, count, ticks);
    char text[32];

    for (int i = 0; i < n; i++) {
        double at = laser_axis_place(y, ticks[i]);
        laser_figure_line(f, left, at, right, at, LASER_COLOUR_LINE, 1, 0);
        laser_axis_text(ticks[i], text);
        laser_figure_text(f, left - 7, at + 4, text, LASER_COLOUR_MUTED, LASER_ANCHOR_END, 0);
    }
    if (title != NULL)
        laser_figure_text(f, left, y->end - 12, title, LASER_COLOUR_MUTED, LASER_ANCHOR_START, 0);
}

void laser_draw_bottom_axis(struct laser_figure *f, const struct laser_axis *x, double bottom, int count,
                            const char *title, int integers)
{
    double ticks[LASER_AXIS_TICKS], last = -1e9;
    int n = laser_axis_ticks(x, count, ticks);
    char text[32];

    laser_figure_line(f, x->start, bottom, x->end, bottom, LASER_COLOUR_FAINT, 1, 0);
    for (int i = 0; i < n; i++) {
        double at = laser_axis_place(x, ticks[i]), half;
        laser_axis_text(ticks[i], text);
        half = laser_figure_text_width(text) / 2;
        if ((integers && ticks[i] != floor(ticks[i])) || at - half < last)
            continue;
        laser_figure_text(f, at, bottom + 16, text, LASER_COLOUR_MUTED, LASER_ANCHOR_MIDDLE, 0);
        last = at + half + 4;
    }
    if (title != NULL)
        laser_figure_text(f, (x->start + x->end) / 2, bottom + 34, title, LASER_COLOUR_MUTED,
                          LASER_ANCHOR_MIDDLE, 0);
}

static void put_mark(struct laser_figure *f, const struct laser_legend_item *item, double x, double y)
{
    const double up[] = {x + 4, y + 4, x + 12, y + 4, x + 8, y - 4};

    if (item->mark == LASER_MARK_LINE)
        laser_figure_line(f, x, y, x + 18, y, item->colour, 2, item->dash);
    else if (item->mark == LASER_MARK_SQUARE)
        laser_figure_box(f, x + 2, y - 6, 12, 12, item->colour);
    else if (item->mark == LASER_MARK_DOT)
        laser_figure_dots(f, (const double[]){x + 8, y}, 1, 4.5, item->colour);
    else if (item->mark == LASER_MARK_RING)
        laser_figure_ring(f, x + 8, y, 4, item->colour, 1.6);
    else if (item->mark == LASER_MARK_CROSS)
        laser_figure_cross(f, x + 8, y, 3.5, item->colour, 1.6);
    else
        laser_figure_path(f, up, 3, item->colour, 0, 0);
}

double laser_draw_legend(struct laser_figure *f, const struct laser_legend_item *items, int n, double x,
                         double y, double width)
{
    double at = x;
    int any = 0;

    for (int i = 0; i < n; i++) {
        double wide;
        if (items[i].text == NULL)
            continue;
        wide = 24 + laser_figure_text_width(items[i].text);
        if (at > x && at + wide > x + width) {
            at = x;
            y += 19;
        }
        put_mark(f, &items[i], at, y + 8);
        laser_figure_text(f, at + 24, y + 12, items[i].text, LASER_COLOUR_MUTED, LASER_ANCHOR_START, 0);
        at += wide + 18;
        any = 1;
    }
    return any ? y + 24 : y;
}

void laser_figure_frame(struct laser_figure *f, const struct laser_axis *x, double top, double bottom)
{
    laser_text_printf(&f->attributes, " data-x=\"%.6g %.6g %.2f %.2f\" data-y=\"%.1f %.1f\"", x->from, x->to,
                      x->start, x->end, top, bottom);
}
