#include "config.h"

#include <string.h>

#include "base/file.h"
#include "report/figure.h"

#ifdef HAVE_CAIRO

#include <cairo-pdf.h>
#include <cairo.h>
#include <math.h>

enum { PIXELS = 2 }; /* of a PNG, for each point */

static cairo_status_t append(void *text, const unsigned char *data, unsigned size)
{
    struct laser_text *t = text;

    laser_text_add(t, (const char *)data, size);
    return t->failed ? CAIRO_STATUS_NO_MEMORY : CAIRO_STATUS_SUCCESS;
}

static void set_colour(cairo_t *c, int colour)
{
    uint32_t hex = laser_colour_hex(colour);

    cairo_set_source_rgb(c, (hex >> 16) / 255.0, (hex >> 8 & 255) / 255.0, (hex & 255) / 255.0);
}

static void draw_text(cairo_t *c, const struct laser_shape *s, const char *text)
{
    static const double shares[] = {0, 0.5, 1};
    cairo_text_extents_t size;

    cairo_select_font_face(c, "sans-serif", CAIRO_FONT_SLANT_NORMAL,
                           s->flags & LASER_FIGURE_BOLD ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c, s->height);
    cairo_text_extents(c, text, &size);
    cairo_save(c);
    cairo_move_to(c, s->x, s->y);
    if (s->flags & LASER_FIGURE_TURNED)
        cairo_rotate(c, -M_PI / 2);
    cairo_rel_move_to(c, -shares[s->anchor] * size.x_advance, 0);
    cairo_show_text(c, text);
    cairo_restore(c);
}

static void draw_path(cairo_t *c, const double *xy, size_t n, int filled)
{
    for (size_t i = 0; i < n; i++) {
        if (isnan(xy[2 * i]))
            cairo_new_sub_path(c);
        else
            cairo_line_to(c, xy[2 * i], xy[2 * i + 1]);
    }
    if (filled)
        cairo_fill(c);
    else
        cairo_stroke(c);
}

static void draw_ring(cairo_t *c, const struct laser_shape *s)
{
    cairo_arc(c, s->x, s->y, s->width, 0, 2 * M_PI);
    set_colour(c, LASER_COLOUR_BACKGROUND);
    cairo_fill_preserve(c);
    set_colour(c, s->colour);
    cairo_stroke(c);
}

static void draw_shape(cairo_t *c, const struct laser_figure *f, const struct laser_shape *s)
{
    const double *xy = f->points + s->first;

    if (s->kind == LASER_SHAPE_GROUP || s->kind == LASER_SHAPE_END)
        return;
    cairo_new_path(c);
    set_colour(c, s->colour);
    cairo_set_line_width(c, s->stroke);
    cairo_set_dash(c, &s->dash, s->dash > 0, 0);
    if (s->kind == LASER_SHAPE_TEXT) {
        draw_text(c, s, f->texts.data + s->first);
    } else if (s->kind == LASER_SHAPE_BOX) {
        cairo_rectangle(c, s->x, s->y, fmax(0, s->width), fmax(0, s->height));
        cairo_fill(c);
    } else if (s->kind == LASER_SHAPE_RING) {
        draw_ring(c, s);
    } else if (s->kind == LASER_SHAPE_DOTS) {
        for (size_t i = 0; i < s->n; i++) {
            cairo_new_path(c);
            cairo_arc(c, xy[2 * i], xy[2 * i + 1], s->width, 0, 2 * M_PI);
            cairo_fill(c);
        }
    } else {
        draw_path(c, xy, s->n, s->stroke <= 0);
    }
}

static int render(const struct laser_figure *f, int is_pdf, struct laser_text *out)
{
    const struct laser_shape title = {.kind = LASER_SHAPE_TEXT,
                                      .colour = LASER_COLOUR_TEXT,
                                      .y = -13,
                                      .height = 14,
                                      .flags = LASER_FIGURE_BOLD};
    double scale = LASER_FIGURE_POINTS * (is_pdf ? 1 : PIXELS), m = LASER_FIGURE_MARGIN;
    double top = m + (f->title != NULL ? LASER_FIGURE_TITLE : 0);
    double width = scale * (f->width + 2 * m), height = scale * (f->height + top + m);
    cairo_surface_t *surface =
        is_pdf ? cairo_pdf_surface_create_for_stream(append, out, width, height)
               : cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(width), (int)ceil(height));
    cairo_t *c = cairo_create(surface);
    int good;

    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
    cairo_scale(c, scale, scale);
    cairo_translate(c, m, top);
    if (f->title != NULL) {
        set_colour(c, title.colour);
        draw_text(c, &title, f->title);
    }
    for (size_t i = 0; i < f->n_shapes; i++)
        draw_shape(c, f, &f->shapes[i]);
    good = cairo_status(c) == CAIRO_STATUS_SUCCESS;
    cairo_destroy(c);
    if (good && !is_pdf)
        good = cairo_surface_write_to_png_stream(surface, append, out) == CAIRO_STATUS_SUCCESS;
    cairo_surface_finish(surface);
    good = good && cairo_surface_status(surface) == CAIRO_STATUS_SUCCESS && !out->failed;
    cairo_surface_destroy(surface);
    return good;
}

int laser_figure_has_format(const char *format)
{
    return strcmp(format, "svg") == 0 || strcmp(format, "pdf") == 0 || strcmp(format, "png") == 0;
}

#else

static int render(const struct laser_figure *f, int is_pdf, struct laser_text *out)
{
    (void)f;
    (void)is_pdf;
    (void)out;
    return 0;
}

int laser_figure_has_format(const char *format)
{
    return strcmp(format, "svg") == 0;
}

#endif

int laser_figure_write(const struct laser_figure *f, const char *format, const char *path,
                       struct laser_error *err)
{
    struct laser_text data = {0};
    int code = LASER_OK;

    if (!laser_figure_has_format(format))
        return laser_error_set(err, LASER_EUSAGE, path,
                               "this program was built without cairo: figures as svg only");
    if (strcmp(format, "svg") == 0)
        laser_figure_svg(&data, f);
    else if (!f->failed && !render(f, strcmp(format, "pdf") == 0, &data))
        data.failed = 1;
    if (data.failed || f->failed)
        code = laser_error_set(err, LASER_ENOMEM, path, "no memory for this figure of %.0f by %.0f points",
                               f->width, f->height);
    else
        code = laser_file_replace(path, data.data, data.size, err);
    laser_text_free(&data);
    return code;
}
