#include "report/figure.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct laser_shape *add_shape(struct laser_figure *f)
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
    memset(&f->shapes[f->n_shapes], 0, sizeof *f->shapes);
    return &f->shapes[f->n_shapes++];
}

void laser_figure_box(struct laser_figure *f, double x, double y, double width, double height,
                      uint32_t colour)
{
    struct laser_shape *s = add_shape(f);

    if (s != NULL)
        *s = (struct laser_shape){
            .kind = LASER_SHAPE_BOX, .x = x, .y = y, .width = width, .height = height, .colour = colour};
}

void laser_figure_path(struct laser_figure *f, const double *xy, size_t n, uint32_t colour, double stroke)
{
    struct laser_shape *s = add_shape(f);

    if (s == NULL)
        return;
    if (f->n_points + 2 * n > f->points_room) {
        size_t room = 2 * (f->points_room + 2 * n);
        double *bigger = realloc(f->points, room * sizeof *bigger);
        if (bigger == NULL) {
            f->failed = 1;
            f->n_shapes--;
            return;
        }
        f->points = bigger;
        f->points_room = room;
    }
    *s = (struct laser_shape){
        .kind = LASER_SHAPE_PATH, .colour = colour, .stroke = stroke, .first = f->n_points, .n = n};
    memcpy(f->points + f->n_points, xy, 2 * n * sizeof *xy);
    f->n_points += 2 * n;
}

void laser_figure_line(struct laser_figure *f, double x1, double y1, double x2, double y2, uint32_t colour,
                       double stroke, double dash)
{
    const double xy[] = {x1, y1, x2, y2};
    size_t before = f->n_shapes;

    laser_figure_path(f, xy, 2, colour, stroke);
    if (f->n_shapes > before)
        f->shapes[before].dash = dash;
}

void laser_figure_dot(struct laser_figure *f, double x, double y, double radius, uint32_t colour,
                      double stroke)
{
    struct laser_shape *s = add_shape(f);

    if (s != NULL)
        *s = (struct laser_shape){
            .kind = LASER_SHAPE_DOT, .x = x, .y = y, .width = radius, .colour = colour, .stroke = stroke};
}

void laser_figure_text(struct laser_figure *f, double x, double y, const char *text, double size,
                       uint32_t colour, enum laser_anchor anchor, int flags)
{
    struct laser_shape *s = add_shape(f);

    if (s == NULL)
        return;
    *s = (struct laser_shape){.kind = LASER_SHAPE_TEXT,
                              .x = x,
                              .y = y,
                              .height = size,
                              .colour = colour,
                              .anchor = anchor,
                              .flags = flags,
                              .first = f->texts.size,
                              .n = strlen(text)};
    /* With its zero, so that renderers can use it in place. */
    laser_text_add(&f->texts, text, s->n + 1);
    f->failed |= f->texts.failed;
}

void laser_figure_free(struct laser_figure *f)
{
    free(f->shapes);
    free(f->points);
    laser_text_free(&f->texts);
    memset(f, 0, sizeof *f);
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

static void put_path(struct laser_text *out, const struct laser_figure *f, const struct laser_shape *s)
{
    laser_text_puts(out, "<path fill=\"none\" d=\"");
    for (size_t i = 0; i < s->n; i++)
        laser_text_printf(out, "%c%.2f %.2f", i > 0 ? 'L' : 'M', f->points[s->first + 2 * i],
                          f->points[s->first + 2 * i + 1]);
    laser_text_printf(out, "\" stroke=\"#%06x\" stroke-width=\"%g\"", (unsigned)s->colour, s->stroke);
    if (s->dash > 0)
        laser_text_printf(out, " stroke-dasharray=\"%g\"", s->dash);
    laser_text_puts(out, "/>\n");
}

static void put_text(struct laser_text *out, const struct laser_figure *f, const struct laser_shape *s)
{
    static const char *const anchors[] = {"start", "middle", "end"};

    laser_text_printf(out, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%g\" fill=\"#%06x\" text-anchor=\"%s\"",
                      s->x, s->y, s->height, (unsigned)s->colour, anchors[s->anchor]);
    if (s->flags & LASER_FIGURE_BOLD)
        laser_text_puts(out, " font-weight=\"bold\"");
    if (s->flags & LASER_FIGURE_TURNED)
        laser_text_printf(out, " transform=\"rotate(-90 %.2f %.2f)\"", s->x, s->y);
    laser_text_puts(out, ">");
    put_escaped(out, f->texts.data + s->first);
    laser_text_puts(out, "</text>\n");
}

void laser_figure_svg(struct laser_text *out, const struct laser_figure *f)
{
    laser_text_printf(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%gpt\" height=\"%gpt\" viewBox=\"0 0 %g %g\" "
        "font-family=\"Helvetica, Arial, 'DejaVu Sans', sans-serif\">\n"
        "<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n",
        f->width, f->height, f->width, f->height);
    for (size_t i = 0; i < f->n_shapes; i++) {
        const struct laser_shape *s = &f->shapes[i];
        if (s->kind == LASER_SHAPE_BOX)
            laser_text_printf(out,
                              "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" fill=\"#%06x\"/>\n",
                              s->x, s->y, fmax(0, s->width), fmax(0, s->height), (unsigned)s->colour);
        else if (s->kind == LASER_SHAPE_DOT && s->stroke > 0)
            laser_text_printf(out,
                              "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" fill=\"#ffffff\" stroke=\"#%06x\" "
                              "stroke-width=\"%g\"/>\n",
                              s->x, s->y, s->width, (unsigned)s->colour, s->stroke);
        else if (s->kind == LASER_SHAPE_DOT)
            laser_text_printf(out, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\" fill=\"#%06x\"/>\n", s->x,
                              s->y, s->width, (unsigned)s->colour);
        else if (s->kind == LASER_SHAPE_PATH)
            put_path(out, f, s);
        else
            put_text(out, f, s);
    }
    laser_text_puts(out, "</svg>\n");
    out->failed |= f->failed;
}
