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

static void draw_text(cairo_t *c, const struct laser_figure *f, const struct laser_shape *s)
{
    static const double shares[] = {0, 0.5, 1};
    const char *text = f->texts.data + s->first;
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

static void draw_shape(cairo_t *c, const struct laser_figure *f, const struct laser_shape *s)
{
    cairo_new_path(c);
    cairo_set_source_rgb(c, (s->colour >> 16) / 255.0, (s->colour >> 8 & 255) / 255.0,
                         (s->colour & 255) / 255.0);
    cairo_set_line_width(c, s->stroke);
    cairo_set_dash(c, &s->dash, s->dash > 0, 0);
    if (s->kind == LASER_SHAPE_TEXT) {
        draw_text(c, f, s);
        return;
    }
    if (s->kind == LASER_SHAPE_BOX)
        cairo_rectangle(c, s->x, s->y, fmax(0, s->width), fmax(0, s->height));
    else if (s->kind == LASER_SHAPE_DOT)
        cairo_arc(c, s->x, s->y, s->width, 0, 2 * M_PI);
    for (size_t i = 0; s->kind == LASER_SHAPE_PATH && i < s->n; i++)
        cairo_line_to(c, f->points[s->first + 2 * i], f->points[s->first + 2 * i + 1]);
    if (s->stroke <= 0) {
        cairo_fill(c);
        return;
    }
    if (s->kind == LASER_SHAPE_DOT) {
        cairo_save(c);
        cairo_set_source_rgb(c, 1, 1, 1);
        cairo_fill_preserve(c);
        cairo_restore(c);
    }
    cairo_stroke(c);
}

static int render(const struct laser_figure *f, int is_pdf, struct laser_text *out)
{
    double scale = is_pdf ? 1 : PIXELS;
    cairo_surface_t *surface =
        is_pdf ? cairo_pdf_surface_create_for_stream(append, out, f->width, f->height)
               : cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(scale * f->width),
                                            (int)ceil(scale * f->height));
    cairo_t *c = cairo_create(surface);
    int good;

    cairo_scale(c, scale, scale);
    cairo_set_source_rgb(c, 1, 1, 1);
    cairo_paint(c);
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
