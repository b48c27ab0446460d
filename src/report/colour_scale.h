/* From values to colours, and the bar that tells which is which.  Private to this module. */
#ifndef LASER_REPORT_COLOUR_SCALE_H
#define LASER_REPORT_COLOUR_SCALE_H

#include "report/axis.h"

enum laser_scale_how {
    LASER_SCALE_AUTO,
    LASER_SCALE_LINEAR,
    LASER_SCALE_LOG,
    LASER_SCALE_RANK,
    LASER_SCALE_HOWS
};

struct laser_colour_scale {
    enum laser_scale_how how; /* never AUTO once made */
    int diverging;            /* 0 is the middle; far values share the last colour */
    double low, high;         /* of the colours */
    double farthest;          /* diverging: the largest size where it is beyond the last colour, else 0 */
    int any_infinite;
    double *sorted; /* the finite values */
    size_t n;
};

/* 0 without memory.  Free it in any case. */
int laser_colour_scale_make(struct laser_colour_scale *scale, const double *values, size_t n,
                            enum laser_scale_how how, int diverging);
void laser_colour_scale_free(struct laser_colour_scale *scale);

/* Step 0 .. LASER_COLOUR_STEPS-1 of a value that is not NaN, and its colour. */
int laser_colour_scale_step(const struct laser_colour_scale *scale, double value);
int laser_colour_scale_colour(const struct laser_colour_scale *scale, double value);

/* The bar of colours at (x, y), 200 wide and 34 high, and the numbers below it, which change with the scale. */
void laser_colour_scale_bar(struct laser_figure *f, const struct laser_colour_scale *scale, double x,
                            double y);
void laser_colour_scale_numbers(struct laser_figure *f, const struct laser_colour_scale *scale, double x,
                                double y);

#endif
