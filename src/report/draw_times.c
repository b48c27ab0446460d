#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/axis.h"
#include "report/decisions.h"
#include "report/draw.h"

#define ROW 26.0

static void seconds_text(double s, char text[32])
{
    if (s > 0 && s < 0.1)
        snprintf(text, 32, "%.2g ms", 1000 * s);
    else if (s < 60)
        snprintf(text, 32, s < 10 ? "%.2g s" : "%.0f s", s);
    else if (s < 3600)
        snprintf(text, 32, "%d min %02d s", (int)s / 60, (int)s % 60);
    else
        snprintf(text, 32, "%.0f h %02d min", floor(s / 3600), (int)(fmod(s, 3600) / 60));
}

static void put_phase(struct laser_figure *f, const json_t *phase, const struct laser_axis *x, double y)
{
    double seconds = laser_result_number(phase, "seconds"), share = laser_result_number(phase, "share");
    double work = laser_result_number(json_object_get(phase, "work_seconds"), "mean");
    double end = fmax(x->start + 1, laser_axis_place(x, seconds));
    char text[32], part[32] = "", line[80];

    laser_figure_text(f, x->start - 9, y + 17, json_string_value(json_object_get(phase, "name")),
                      LASER_COLOUR_TEXT, LASER_ANCHOR_END, 0);
    laser_figure_box(f, x->start, y + 4, end - x->start, 18, LASER_COLOUR_NOISE);
    if (work > 0)
        laser_figure_box(f, x->start, y + 4, laser_axis_place(x, fmin(work, seconds)) - x->start, 18,
                         LASER_COLOUR_A);
    seconds_text(seconds, text);
    if (isfinite(share))
        laser_share_text(share, 1, part);
    snprintf(line, sizeof line, "%s  %s", text, part);
    laser_figure_text(f, end + 8, y + 17, line, LASER_COLOUR_TEXT, LASER_ANCHOR_START, 0);
}

void laser_draw_times(struct laser_figure *f, const struct laser_drawing *d)
{
    const json_t *phases = json_object_get(d->runs[d->which].results, "phases");
    const struct laser_legend_item items[] = {
        {LASER_MARK_SQUARE, LASER_COLOUR_A, 0, "work of a rank, mean"},
        {LASER_MARK_SQUARE, LASER_COLOUR_NOISE, 0, "waiting, files, messages"}};
    struct laser_axis x = {.end = d->width - 130};
    double y;
    int n = 0;

    for (size_t i = 0; i < json_array_size(phases); i++) {
        const json_t *phase = json_array_get(phases, i);
        const char *name = json_string_value(json_object_get(phase, "name"));
        if (name == NULL || !(laser_result_number(phase, "seconds") >= 0))
            continue;
        x.to = fmax(x.to, laser_result_number(phase, "seconds"));
        x.start = fmax(x.start, laser_figure_text_width(name) + 20);
        n++;
    }
    if (n == 0)
        return;
    x.end = fmax(x.end, x.start + 40);
    y = laser_draw_legend(f, items, 2, 0, 0, d->width);
    for (size_t i = 0; i < json_array_size(phases); i++) {
        const json_t *phase = json_array_get(phases, i);
        if (!json_is_string(json_object_get(phase, "name")) || !(laser_result_number(phase, "seconds") >= 0))
            continue;
        put_phase(f, phase, &x, y);
        y += ROW;
    }
    f->width = d->width;
    f->height = y + 6;
}
