/* The spectrum of one matrix: density and values by rank.  Private to this module. */
#ifndef LASER_REPORT_DRAW_SPECTRUM_H
#define LASER_REPORT_DRAW_SPECTRUM_H

#include "report/draw.h"
#include "report/spectrum_bins.h"

/* A matrix and, in a comparison, the same one of the other run. */
struct laser_spectrum {
    const struct laser_scan_row *row;
    struct laser_spectrum_bins bins, other;
    int has_other;
    const char *label, *other_label; /* of the runs */
};

/* Does the row have values to be drawn? */
int laser_spectrum_known(const struct laser_scan_row *row);

void laser_spectrum_make(struct laser_spectrum *s, const struct laser_scan_row *row,
                         const struct laser_scan_row *other, int bins, int points);

/* In a box: bins, the law of the noise, and the thresholds; nothing beside it. */
void laser_draw_density(struct laser_figure *f, const struct laser_spectrum *s, double left, double top,
                        double width, double height);
/* With axes and a legend, into an empty figure of the width below. */
enum { LASER_SPECTRUM_WIDTH = 460 };
void laser_draw_density_figure(struct laser_figure *f, const struct laser_spectrum *s);
void laser_draw_values_figure(struct laser_figure *f, const struct laser_spectrum *s);

#endif
