/* Colours of the figures.  A colour is a small number: a named one, whose value depends on the scheme (light, dark, print)
 * of the page, or one of 64 steps from low to high.
 */
#ifndef LASER_REPORT_COLOURS_H
#define LASER_REPORT_COLOURS_H

#include <stdint.h>

#include "base/text.h"

enum laser_colour {
    LASER_COLOUR_BACKGROUND,
    LASER_COLOUR_TEXT,
    LASER_COLOUR_MUTED,
    LASER_COLOUR_FAINT,
    LASER_COLOUR_LINE,
    LASER_COLOUR_PANEL,
    LASER_COLOUR_A, /* of two runs the first */
    LASER_COLOUR_B,
    LASER_COLOUR_KEPT,
    LASER_COLOUR_REVERTED,
    LASER_COLOUR_NOISE,
    LASER_COLOUR_EDGE, /* the Marchenko-Pastur law */
    LASER_COLOUR_COMPAT,
    LASER_COLOUR_OWN, /* the run's own threshold */
    LASER_COLOUR_BAD,
    LASER_COLOUR_GOOD,
    LASER_COLOUR_HOLE, /* a cell without a value */
    LASER_COLOURS
};

/* Steps, to which 0 .. LASER_COLOUR_STEPS-1 is added: viridis; blue to orange with the middle at 0; and what can be read
 * upon a step of either. */
enum {
    LASER_COLOUR_STEPS = 64,
    LASER_COLOUR_SEQUENTIAL = 1000,
    LASER_COLOUR_DIVERGING = 2000,
    LASER_COLOUR_ON_SEQUENTIAL = 3000,
    LASER_COLOUR_ON_DIVERGING = 4000
};

/* 0xRRGGBB of the light scheme. */
uint32_t laser_colour_hex(int colour);

/* viridis at 0 to 1. */
uint32_t laser_viridis(double t);

/* Appends ` fill="..."` (or another attribute); on the page a step is a class (c0 .. c63, d0 .., t0 .., u0 ..) and a named
 * colour a variable, so that the page can change both. */
void laser_colour_attribute(struct laser_text *out, const char *attribute, int colour, int for_page);

/* Appends the style sheet that gives all of them their values. */
void laser_colour_styles(struct laser_text *out);

#endif
