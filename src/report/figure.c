#include "report/figure.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct laser_shape *add_shape(struct laser_figure *f, enum laser_shape_kind kind, int colour)
{
    struct laser_shape *bigger;

    if (f->n_shapes == f->shapes_room) {
        size_t room = f->shapes_room > 0 ? 2 * f->shapes_room : 256;
        bigger = f->failed ? NULL : realloc(f->shapes, room * sizeof *bigger);
        if (bigger == NULL) {
            f->failed = 1;
            return NULL;
        }
        f->shapes = bigger;
        f->shapes_room = room;
    }
    f->shapes[f->n_shapes] = (struct laser_shape){.kind = kind, .colour = colour};
    return &f->shapes[f->n_shapes++];
}

void laser_figure_box(struct laser_figure *f, double x, double y, double width, double height, int colour)
{
    struct laser_shape *s = add_shape(f, LASER_SHAPE_BOX, colour);

    if (s == NULL)
        return;
    s->x = x;
    s->y = y;
    s->width = width;
    s->height = height;
}

/* The shape with room for its points, or NULL. */
static struct laser_shape *add_points(struct laser_figure *f, enum laser_shape_kind kind, const double *xy,
                                      size_t n, int colour)
{
    struct laser_shape *s = add_shape(f, kind, colour);

    if (s == NULL)
        return NULL;
    if (f->n_points + 2 * n > f->points_room) {
        size_t room = 2 * (f->points_room + 2 * n);
        double *bigger = realloc(f->points, room * sizeof *bigger);
        if (bigger == NULL) {
            f->failed = 1;
            f->n_shapes--;
            return NULL;
        }
        f->points = bigger;
        f->points_room = room;
    }
    s->first = f->n_points;
    s->n = n;
    if (n > 0)
        memcpy(f->points + f->n_points, xy, 2 * n * sizeof *xy);
    f->n_points += 2 * n;
    return s;
}

void laser_figure_path(struct laser_figure *f, const double *xy, size_t n, int colour, double stroke,
                       double dash)
{
    struct laser_shape *s = add_points(f, LASER_SHAPE_PATH, xy, n, colour);

    if (s == NULL)
        return;
    s->stroke = stroke;
    s->dash = dash;
}

void laser_figure_line(struct laser_figure *f, double x1, double y1, double x2, double y2, int colour,
                       double stroke, double dash)
{
    const double xy[] = {x1, y1, x2, y2};

    laser_figure_path(f, xy, 2, colour, stroke, dash);
}

void laser_figure_cross(struct laser_figure *f, double x, double y, double half, int colour, double stroke)
{
    const double xy[] = {x - half,    y - half, x + half, y + half, (double)NAN,
                         (double)NAN, x - half, y + half, x + half, y - half};

    laser_figure_path(f, xy, 5, colour, stroke, 0);
}

void laser_figure_dots(struct laser_figure *f, const double *xy, size_t n, double radius, int colour)
{
    struct laser_shape *s = n > 0 ? add_points(f, LASER_SHAPE_DOTS, xy, n, colour) : NULL;

    if (s != NULL)
        s->width = radius;
}

void laser_figure_ring(struct laser_figure *f, double x, double y, double radius, int colour, double stroke)
{
    struct laser_shape *s = add_shape(f, LASER_SHAPE_RING, colour);

    if (s == NULL)
        return;
    s->x = x;
    s->y = y;
    s->width = radius;
    s->stroke = stroke;
}

/* A text with its zero, so that renderers can use it in place. */
static void keep_text(struct laser_figure *f, struct laser_shape *s, const char *text)
{
    s->first = f->texts.size;
    s->n = strlen(text);
    laser_text_add(&f->texts, text, s->n + 1);
    f->failed |= f->texts.failed;
}

void laser_figure_text(struct laser_figure *f, double x, double y, const char *text, int colour,
                       enum laser_anchor anchor, int flags)
{
    struct laser_shape *s = add_shape(f, LASER_SHAPE_TEXT, colour);

    if (s == NULL)
        return;
    s->x = x;
    s->y = y;
    s->height = LASER_FIGURE_FONT;
    s->anchor = anchor;
    s->flags = flags;
    keep_text(f, s, text);
}

void laser_figure_label(struct laser_figure *f, double x, double y, enum laser_anchor anchor, const char *fmt,
                        ...)
{
    char text[256];
    va_list list;

    va_start(list, fmt);
    vsnprintf(text, sizeof text, fmt, list);
    va_end(list);
    laser_figure_text(f, x, y, text, LASER_COLOUR_MUTED, anchor, 0);
}

void laser_figure_group(struct laser_figure *f, const char *name)
{
    struct laser_shape *s = add_shape(f, LASER_SHAPE_GROUP, 0);

    if (s != NULL)
        keep_text(f, s, name);
}

void laser_figure_end(struct laser_figure *f)
{
    add_shape(f, LASER_SHAPE_END, 0);
}

void laser_figure_free(struct laser_figure *f)
{
    free(f->shapes);
    free(f->points);
    laser_text_free(&f->texts);
    laser_text_free(&f->attributes);
    memset(f, 0, sizeof *f);
}

double laser_figure_text_width(const char *text)
{
    return 0.54 * LASER_FIGURE_FONT * (double)laser_text_columns(text);
}

/* ---- SVG ---- */

static void put_escaped(struct laser_text *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '&' || *p == '<' || *p == '>' || *p == '"')
            laser_text_printf(out, "&#%d;", *p);
        else if ((unsigned char)*p >= 0x20)
            laser_text_add(out, p, 1);
    }
}

/* A coordinate with one digit after the point, none where it is 0; `before` stands before it. */
static void put_coordinate(struct laser_text *out, const char *before, double x)
{
    long tenths = lround(10 * (isfinite(x) ? x : 0));
    const char *sign = tenths < 0 ? "-" : "";

    if (tenths < 0)
        tenths = -tenths;
    if (tenths % 10 == 0)
        laser_text_printf(out, "%s%s%ld", before, sign, tenths / 10);
    else
        laser_text_printf(out, "%s%s%ld.%ld", before, sign, tenths / 10, tenths % 10);
}

static void put_attribute(struct laser_text *out, const char *name, double x)
{
    laser_text_printf(out, " %s=\"", name);
    put_coordinate(out, "", x);
    laser_text_puts(out, "\"");
}

static void put_path(struct laser_text *out, const struct laser_figure *f, const struct laser_shape *s,
                     int for_page)
{
    const double *xy = f->points + s->first;
    int pen_up = 1;

    laser_text_puts(out, "<path");
    if (s->stroke > 0) {
        laser_text_puts(out, " fill=\"none\"");
        laser_colour_attribute(out, "stroke", s->colour, for_page);
        laser_text_printf(out, " stroke-width=\"%.2g\"", s->stroke);
    } else {
        laser_colour_attribute(out, "fill", s->colour, for_page);
    }
    if (s->dash > 0)
        laser_text_printf(out, " stroke-dasharray=\"%g\"", s->dash);
    laser_text_puts(out, " d=\"");
    for (size_t i = 0; i < s->n; i++) {
        double x = xy[2 * i], y = xy[2 * i + 1];
        if (isnan(x)) {
            pen_up = 1;
            continue;
        }
        if (!pen_up && y == xy[2 * i - 1]) {
            put_coordinate(out, "H", x);
        } else if (!pen_up && x == xy[2 * i - 2]) {
            put_coordinate(out, "V", y);
        } else {
            put_coordinate(out, pen_up ? "M" : "L", x);
            put_coordinate(out, " ", y);
        }
        pen_up = 0;
    }
    laser_text_puts(out, "\"/>\n");
}

/* Dots are lines without length whose ends are round: a few bytes each. */
static void put_dots(struct laser_text *out, const struct laser_figure *f, const struct laser_shape *s,
                     int for_page)
{
    laser_text_puts(out, "<path fill=\"none\" stroke-linecap=\"round\"");
    laser_colour_attribute(out, "stroke", s->colour, for_page);
    laser_text_printf(out, " stroke-width=\"%.2g\" d=\"", 2 * s->width);
    for (size_t i = 0; i < s->n; i++) {
        put_coordinate(out, "M", f->points[s->first + 2 * i]);
        put_coordinate(out, " ", f->points[s->first + 2 * i + 1]);
        laser_text_puts(out, "h0");
    }
    laser_text_puts(out, "\"/>\n");
}

static void put_text(struct laser_text *out, const struct laser_figure *f, const struct laser_shape *s,
                     int for_page)
{
    static const char *const anchors[] = {"start", "middle", "end"};

    laser_text_puts(out, "<text");
    put_attribute(out, "x", s->x);
    put_attribute(out, "y", s->y);
    if (!for_page || s->colour != LASER_COLOUR_MUTED)
        laser_colour_attribute(out, "fill", s->colour, for_page);
    if (s->anchor != LASER_ANCHOR_START)
        laser_text_printf(out, " text-anchor=\"%s\"", anchors[s->anchor]);
    if (s->flags & LASER_FIGURE_BOLD)
        laser_text_puts(out, " font-weight=\"bold\"");
    if (s->flags & LASER_FIGURE_TURNED)
        laser_text_printf(out, " transform=\"rotate(-90 %.1f %.1f)\"", s->x, s->y);
    laser_text_puts(out, ">");
    put_escaped(out, f->texts.data + s->first);
    laser_text_puts(out, "</text>\n");
}

static void put_box(struct laser_text *out, const struct laser_shape *s, int for_page)
{
    laser_text_puts(out, "<rect");
    put_attribute(out, "x", s->x);
    put_attribute(out, "y", s->y);
    put_attribute(out, "width", fmax(0, s->width));
    put_attribute(out, "height", fmax(0, s->height));
    laser_colour_attribute(out, "fill", s->colour, for_page);
    laser_text_puts(out, "/>\n");
}

static void put_ring(struct laser_text *out, const struct laser_shape *s, int for_page)
{
    laser_text_puts(out, "<circle");
    put_attribute(out, "cx", s->x);
    put_attribute(out, "cy", s->y);
    put_attribute(out, "r", s->width);
    laser_colour_attribute(out, "fill", LASER_COLOUR_BACKGROUND, for_page);
    laser_colour_attribute(out, "stroke", s->colour, for_page);
    laser_text_printf(out, " stroke-width=\"%.2g\"/>\n", s->stroke);
}

void laser_figure_shapes(struct laser_text *out, const struct laser_figure *f, int for_page)
{
    for (size_t i = 0; i < f->n_shapes; i++) {
        const struct laser_shape *s = &f->shapes[i];
        if (s->kind == LASER_SHAPE_BOX)
            put_box(out, s, for_page);
        else if (s->kind == LASER_SHAPE_RING)
            put_ring(out, s, for_page);
        else if (s->kind == LASER_SHAPE_DOTS)
            put_dots(out, f, s, for_page);
        else if (s->kind == LASER_SHAPE_PATH)
            put_path(out, f, s, for_page);
        else if (s->kind == LASER_SHAPE_TEXT)
            put_text(out, f, s, for_page);
        else if (s->kind == LASER_SHAPE_GROUP)
            laser_text_printf(out, "<g class=\"%s\">\n", f->texts.data + s->first);
        else
            laser_text_puts(out, "</g>\n");
    }
    out->failed |= f->failed;
}

void laser_figure_embed(struct laser_text *out, const struct laser_figure *f, const char *class,
                        const char *label)
{
    laser_text_printf(out, "<svg class=\"%s\" viewBox=\"0 0 %g %g\" role=\"img\" aria-label=\"", class,
                      f->width, f->height);
    put_escaped(out, label);
    laser_text_puts(out, "\"");
    if (f->attributes.size > 0)
        laser_text_puts(out, f->attributes.data);
    laser_text_puts(out, ">\n");
    laser_figure_shapes(out, f, 1);
    laser_text_puts(out, "</svg>\n");
}

void laser_figure_svg(struct laser_text *out, const struct laser_figure *f)
{
    double top = f->title != NULL ? LASER_FIGURE_TITLE : 0, m = LASER_FIGURE_MARGIN;
    double width = f->width + 2 * m, height = f->height + top + 2 * m;

    laser_text_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%gpt\" height=\"%gpt\" viewBox=\"%g %g %g %g\" "
        "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\" font-size=\"%d\">\n"
        "<rect x=\"%g\" y=\"%g\" width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
        width * LASER_FIGURE_POINTS, height * LASER_FIGURE_POINTS, -m, -m - top, width, height,
        LASER_FIGURE_FONT, -m, -m - top);
    if (f->title != NULL) {
        laser_text_printf(out, "<text x=\"0\" y=\"%g\" font-size=\"14\" font-weight=\"bold\" fill=\"#%06x\">",
                          13 - top, (unsigned)laser_colour_hex(LASER_COLOUR_TEXT));
        put_escaped(out, f->title);
        laser_text_puts(out, "</text>\n");
    }
    laser_figure_shapes(out, f, 0);
    laser_text_puts(out, "</svg>\n");
}
