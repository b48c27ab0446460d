/* Axes, numbers beside them, and legends.  Private to this module. */
#ifndef LASER_REPORT_AXIS_H
#define LASER_REPORT_AXIS_H

#include "report/figure.h"

/* A range of values on a range of pixels. */
struct laser_axis {
    double from, to, start, end;
    int logarithmic;
};
double laser_axis_place(const struct laser_axis *axis, double value);

enum { LASER_AXIS_TICKS = 24 };
/* Round values between from and to, about `count` of them; returns how many. */
int laser_axis_ticks(const struct laser_axis *axis, int count, double ticks[LASER_AXIS_TICKS]);

/* "0.25", "1200", "10^-6" with raised digits: short. */
void laser_axis_text(double value, char text[32]);

/* Numbers for people: four digits, "∞", "–" for NaN; a share in percent. */
void laser_number_text(double value, char text[32]);
void laser_share_text(double value, int digits, char text[32]);

/* Grid lines and numbers at the left; the title above. */
void laser_draw_left_axis(struct laser_figure *f, const struct laser_axis *y, double left, double right,
                          int count, const char *title);
/* The line, numbers below and the title below these.  integers: whole values only. */
void laser_draw_bottom_axis(struct laser_figure *f, const struct laser_axis *x, double bottom, int count,
                            const char *title, int integers);

/* What a legend shows before a text. */
enum laser_mark {
    LASER_MARK_LINE,
    LASER_MARK_SQUARE,
    LASER_MARK_DOT,
    LASER_MARK_RING,
    LASER_MARK_CROSS,
    LASER_MARK_UP
};
struct laser_legend_item {
    enum laser_mark mark;
    int colour;
    double dash;
    const char *text; /* NULL: the item is left out */
};
/* From (x, y) to the right, in as many rows as it takes; returns the y below. */
double laser_draw_legend(struct laser_figure *f, const struct laser_legend_item *items, int n, double x,
                         double y, double width);

/* Tells the page's script where the plot stands: values of x on pixels, the upper and the lower end. */
void laser_figure_frame(struct laser_figure *f, const struct laser_axis *x, double top, double bottom);

#endif
