/* A figure as a list of shapes, drawn once and rendered into SVG, PDF or PNG.
 *
 * Coordinates are points of 1/72 inch, y downwards.  Colours are 0xRRGGBB.  A failed allocation is remembered
 * in .failed, like a text's.
 */
#ifndef LASER_REPORT_FIGURE_H
#define LASER_REPORT_FIGURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"

enum laser_anchor { LASER_ANCHOR_START, LASER_ANCHOR_MIDDLE, LASER_ANCHOR_END };

enum { LASER_FIGURE_BOLD = 1, LASER_FIGURE_TURNED = 2 /* text from below to above */ };

enum laser_shape_kind { LASER_SHAPE_BOX, LASER_SHAPE_PATH, LASER_SHAPE_DOT, LASER_SHAPE_TEXT };

struct laser_shape {
    enum laser_shape_kind kind;
    double x, y, width, height; /* dot: width is the radius; text: height is the font's size */
    double stroke;              /* line width; 0: filled */
    double dash;                /* length of dashes; 0: solid */
    uint32_t colour;
    int flags;
    enum laser_anchor anchor;
    size_t first, n; /* path: its points; text: its bytes */
};

struct laser_figure {
    double width, height;
    struct laser_shape *shapes;
    size_t n_shapes, shapes_room;
    double *points; /* x, y of paths */
    size_t n_points, points_room;
    struct laser_text texts;
    int failed;
};

void laser_figure_box(struct laser_figure *f, double x, double y, double width, double height,
                      uint32_t colour);
void laser_figure_line(struct laser_figure *f, double x1, double y1, double x2, double y2, uint32_t colour,
                       double stroke, double dash);
/* n points; a line of this width through them. */
void laser_figure_path(struct laser_figure *f, const double *xy, size_t n, uint32_t colour, double stroke);
/* stroke 0: filled, else a ring. */
void laser_figure_dot(struct laser_figure *f, double x, double y, double radius, uint32_t colour,
                      double stroke);
void laser_figure_text(struct laser_figure *f, double x, double y, const char *text, double size,
                       uint32_t colour, enum laser_anchor anchor, int flags);
void laser_figure_free(struct laser_figure *f);

/* ---- rendering ---- */

/* Appends an SVG document. */
void laser_figure_svg(struct laser_text *out, const struct laser_figure *f);

/* "pdf" and "png" need cairo, which the program may have been built without. */
int laser_figure_has_format(const char *format);

/* Replaces path by the figure in the format svg, pdf or png (two pixels a point) atomically.  LASER_EUSAGE: a
 * format that this program lacks; LASER_EIO, LASER_ENOMEM. */
int laser_figure_write(const struct laser_figure *f, const char *format, const char *path,
                       struct laser_error *err);

#endif
