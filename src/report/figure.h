/* A figure as a list of shapes: drawn once, rendered as SVG into the page, or as SVG, PDF or PNG into a file.
 *
 * Coordinates are pixels of the page, y downwards.  Colours are those of report/colours.h.  A failed allocation is
 * remembered in .failed, like a text's.
 */
#ifndef LASER_REPORT_FIGURE_H
#define LASER_REPORT_FIGURE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "report/colours.h"

enum laser_anchor { LASER_ANCHOR_START, LASER_ANCHOR_MIDDLE, LASER_ANCHOR_END };

enum { LASER_FIGURE_BOLD = 1, LASER_FIGURE_TURNED = 2 /* text from below to above */ };

enum laser_shape_kind {
    LASER_SHAPE_BOX,
    LASER_SHAPE_PATH,
    LASER_SHAPE_DOTS,
    LASER_SHAPE_RING,
    LASER_SHAPE_TEXT,
    LASER_SHAPE_GROUP,
    LASER_SHAPE_END
};

struct laser_shape {
    enum laser_shape_kind kind;
    double x, y, width, height; /* dots, ring: width is the radius; text: height is the font's size */
    double stroke;              /* line width; 0: filled */
    double dash;                /* length of dashes; 0: solid */
    int colour;
    int flags;
    enum laser_anchor anchor;
    size_t first, n; /* path, dots: their points; text: its bytes; group: its name */
};

struct laser_figure {
    double width, height; /* 0: there is nothing to draw */
    const char *title;    /* stands above the figure in a file; the page has its own headings */
    struct laser_shape *shapes;
    size_t n_shapes, shapes_room;
    double *points; /* x, y of paths and dots */
    size_t n_points, points_room;
    struct laser_text texts;
    struct laser_text attributes; /* further ones of the svg element, for the page's script */
    int failed;
};

enum { LASER_FIGURE_FONT = 12 };

void laser_figure_box(struct laser_figure *f, double x, double y, double width, double height, int colour);
void laser_figure_line(struct laser_figure *f, double x1, double y1, double x2, double y2, int colour,
                       double stroke, double dash);
/* n points; a line of this width through them, with a gap where x is NaN; stroke 0: the area is filled. */
void laser_figure_path(struct laser_figure *f, const double *xy, size_t n, int colour, double stroke,
                       double dash);
/* n filled dots. */
void laser_figure_dots(struct laser_figure *f, const double *xy, size_t n, double radius, int colour);
/* A circle that is open: what is below it is covered. */
void laser_figure_ring(struct laser_figure *f, double x, double y, double radius, int colour, double stroke);
void laser_figure_cross(struct laser_figure *f, double x, double y, double half, int colour, double stroke);
void laser_figure_text(struct laser_figure *f, double x, double y, const char *text, int colour,
                       enum laser_anchor anchor, int flags);
/* As above, formatted, at most 255 bytes, in the colour of axes. */
void laser_figure_label(struct laser_figure *f, double x, double y, enum laser_anchor anchor, const char *fmt,
                        ...) __attribute__((format(printf, 5, 6)));
/* The shapes up to the matching end are what the page's script finds under this name. */
void laser_figure_group(struct laser_figure *f, const char *name);
void laser_figure_end(struct laser_figure *f);
void laser_figure_free(struct laser_figure *f);

/* About how wide a text is. */
double laser_figure_text_width(const char *text);

/* ---- rendering ---- */

/* Appends an SVG element for the page, or the shapes of one alone. */
void laser_figure_embed(struct laser_text *out, const struct laser_figure *f, const char *class,
                        const char *label);
void laser_figure_shapes(struct laser_text *out, const struct laser_figure *f, int for_page);

/* Appends an SVG document. */
void laser_figure_svg(struct laser_text *out, const struct laser_figure *f);

/* "pdf" and "png" need cairo, which the program may have been built without. */
int laser_figure_has_format(const char *format);

/* Replaces path by the figure in the format svg, pdf or png (two pixels a point) atomically.  LASER_EUSAGE: a
 * format that this program lacks; LASER_EIO, LASER_ENOMEM. */
int laser_figure_write(const struct laser_figure *f, const char *format, const char *path,
                       struct laser_error *err);

/* In a file a pixel of the page is so many points of 1/72 inch, and the title takes so many pixels. */
#define LASER_FIGURE_POINTS 0.75
#define LASER_FIGURE_TITLE  26.0
#define LASER_FIGURE_MARGIN 10.0

#endif
