#include <math.h>
#include <stdio.h>

#include "report/draw.h"

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
    static const double parts[] = {1, 2, 5};
    double low = log10(a->from), high = log10(a->to);
    int every = (int)fmax(1, round((high - low) / count)), n = 0;

    if (high - low > 2.5) {
        for (int k = (int)ceil(low - 1e-9); k <= high + 1e-9 && n < LASER_AXIS_TICKS; k++)
            if (k % every == 0)
                ticks[n++] = pow(10, k);
        return n;
    }
    for (int k = (int)floor(low); k <= high; k++)
        for (int i = 0; i < 3; i++) {
            double x = parts[i] * pow(10, k);
            if (x >= a->from * 0.999 && x <= a->to * 1.001 && n < LASER_AXIS_TICKS)
                ticks[n++] = x;
        }
    return n;
}

int laser_axis_ticks(const struct laser_axis *a, int count, double ticks[LASER_AXIS_TICKS])
{
    return a->logarithmic ? log_ticks(a, count, ticks) : linear_ticks(a, count, ticks);
}

void laser_axis_text(double value, char text[32])
{
    snprintf(text, 32, "%.6g", value);
}

void laser_draw_left_axis(struct laser_figure *f, const struct laser_axis *y, double left, double right,
                          int count)
{
    double ticks[LASER_AXIS_TICKS];
    int n = laser_axis_ticks(y, count, ticks);
    char text[32];

    for (int i = 0; i < n; i++) {
        double at = laser_axis_place(y, ticks[i]);
        laser_figure_line(f, left, at, right, at, LASER_INK_LINE, 0.7, 0);
        laser_axis_text(ticks[i], text);
        laser_figure_text(f, left - 4, at + 2.7, text, 8, LASER_INK_MUTED, LASER_ANCHOR_END, 0);
    }
}

void laser_draw_bottom_axis(struct laser_figure *f, const struct laser_axis *x, double bottom, int count,
                            const char *title)
{
    double ticks[LASER_AXIS_TICKS];
    int n = laser_axis_ticks(x, count, ticks);
    char text[32];

    laser_figure_line(f, x->start, bottom, x->end, bottom, LASER_INK_AXIS, 0.7, 0);
    for (int i = 0; i < n; i++) {
        laser_axis_text(ticks[i], text);
        laser_figure_text(f, laser_axis_place(x, ticks[i]), bottom + 10, text, 8, LASER_INK_MUTED,
                          LASER_ANCHOR_MIDDLE, 0);
    }
    if (title != NULL)
        laser_figure_text(f, (x->start + x->end) / 2, bottom + 22, title, 8, LASER_INK_MUTED,
                          LASER_ANCHOR_MIDDLE, 0);
}

uint32_t laser_viridis(double t)
{
    static const uint32_t table[] = {0x440154, 0x48186a, 0x472d7b, 0x424086, 0x3b528b, 0x33638d,
                                     0x2c728e, 0x26828e, 0x21918c, 0x1fa088, 0x28ae80, 0x3fbc73,
                                     0x5ec962, 0x84d44b, 0xaddc30, 0xd8e219, 0xfde725};
    double at = (t > 0 ? t < 1 ? t : 1 : 0) * 16;
    int i = at < 15 ? (int)at : 15;
    uint32_t colour = 0;

    for (int shift = 16; shift >= 0; shift -= 8) {
        double a = table[i] >> shift & 255, b = table[i + 1] >> shift & 255;
        colour |= (uint32_t)lround(a + (at - i) * (b - a)) << shift;
    }
    return colour;
}
