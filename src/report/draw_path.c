#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/axis.h"
#include "report/decisions.h"
#include "report/draw.h"

struct path {
    struct laser_goal goal;
    const struct laser_decision *list;
    int n;
    struct laser_axis x, y;
    double radius;
};

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* How far a candidate may be from the best before it for the axis to reach it: five times what three of four
 * keep within. */
static double farthest(const struct path *p)
{
    double *sizes = malloc(((size_t)p->n + 1) * sizeof *sizes), far = 0.0025;
    size_t known = 0;

    for (int i = 0; sizes != NULL && i < p->n; i++)
        if (isfinite(p->list[i].difference))
            sizes[known++] = fabs(p->list[i].difference);
    if (known > 0) {
        qsort(sizes, known, sizeof *sizes, by_size);
        far = fmax(far, 5 * sizes[(known - 1) * 3 / 4]);
    }
    free(sizes);
    return far;
}

/* All kept ones, the base, and the others with their errors but for a few very bad ones. */
static void find_limits(struct path *p)
{
    double low = p->goal.base, high = p->goal.base, far = farthest(p), pad;

    for (int i = 0; i < p->n; i++) {
        const struct laser_decision *d = &p->list[i];
        if (!isfinite(d->level) || (!d->kept && fabs(d->difference) > far))
            continue;
        for (int sign = -1; sign <= 1; sign++) {
            double end = laser_goal_moved(
                &p->goal, d->level, isfinite(d->error) && fabs(d->difference) <= far ? sign * d->error : 0);
            low = fmin(low, end);
            high = fmax(high, end);
        }
    }
    pad = high > low ? 0.06 * (high - low) : fmax(0.01 * fabs(high), 1e-9);
    p->y.from = low - pad;
    p->y.to = high + pad;
}

static double inside(const struct path *p, double y)
{
    return fmin(p->y.start, fmax(p->y.end - 8, y));
}

static int beyond(const struct path *p, const struct laser_decision *d)
{
    double y = laser_axis_place(&p->y, d->level);

    return y < p->y.end - 8 || y > p->y.start;
}

static void put_error(struct laser_figure *f, const struct path *p, const struct laser_decision *d, double x,
                      int colour)
{
    double ends[2], cap = p->radius > 3 ? 3 : 0;

    if (!isfinite(d->error) || beyond(p, d))
        return;
    for (int i = 0; i < 2; i++)
        ends[i] =
            inside(p, laser_axis_place(&p->y, laser_goal_moved(&p->goal, d->level, (2 * i - 1) * d->error)));
    {
        const double gap = (double)NAN;
        const double xy[] = {x,       ends[0], x,   ends[1], gap,     gap,     x - cap, ends[0],
                             x + cap, ends[0], gap, gap,     x - cap, ends[1], x + cap, ends[1]};
        laser_figure_path(f, xy, cap > 0 ? 8 : 2, colour, p->radius > 2.5 ? 1.2 : 0.7, 0);
    }
}

static void put_mark(struct laser_figure *f, const struct path *p, const struct laser_decision *d, double x,
                     int colour)
{
    double y = laser_axis_place(&p->y, d->level), r = p->radius;
    int many = r < 2.5;

    if (beyond(p, d)) {
        int up = y < p->y.end;
        double tip = up ? p->y.end - 8 : p->y.start, base = tip + (up ? 7 : -7);
        const double xy[] = {x - 4, base, x + 4, base, x, tip};
        laser_figure_path(f, xy, 3, colour, 0, 0);
    } else if (d->early) {
        laser_figure_cross(f, x, y, fmax(1.6, 0.75 * r), colour, 1.4);
    } else if (d->kept || many) {
        laser_figure_dots(f, (const double[]){x, y}, 1, !d->kept ? 1.3 : many ? 3 : r + 0.6, colour);
    } else {
        laser_figure_ring(f, x, y, r, colour, 1.5);
    }
}

static void put_best(struct laser_figure *f, const struct path *p)
{
    double *xy = malloc((4 * (size_t)p->n + 4) * sizeof *xy), best = p->goal.base;
    size_t k = 0;

    if (xy == NULL) {
        f->failed = 1;
        return;
    }
    xy[k++] = p->x.start;
    xy[k++] = laser_axis_place(&p->y, best);
    for (int i = 0; i < p->n; i++)
        if (p->list[i].kept && isfinite(p->list[i].level)) {
            xy[k++] = laser_axis_place(&p->x, i + 1);
            xy[k++] = laser_axis_place(&p->y, best);
            best = p->list[i].level;
            xy[k++] = laser_axis_place(&p->x, i + 1);
            xy[k++] = laser_axis_place(&p->y, best);
        }
    xy[k++] = p->x.end;
    xy[k++] = laser_axis_place(&p->y, best);
    laser_figure_path(f, xy, k / 2, LASER_COLOUR_KEPT, 1.6, 0);
    free(xy);
}

static double put_legend(struct laser_figure *f, const struct path *p, double width)
{
    int early = 0, far = 0;
    char before[64] = "", number[32];

    for (int i = 0; i < p->n; i++) {
        early |= p->list[i].early;
        far |= isfinite(p->list[i].level) && beyond(p, &p->list[i]);
    }
    laser_number_text(p->goal.base, number);
    snprintf(before, sizeof before, "before %s", number);
    {
        const struct laser_legend_item items[] = {
            {LASER_MARK_DOT, LASER_COLOUR_KEPT, 0, "kept"},
            {LASER_MARK_RING, LASER_COLOUR_REVERTED, 0, "reverted"},
            {LASER_MARK_CROSS, LASER_COLOUR_REVERTED, 0, early ? "given up early" : NULL},
            {LASER_MARK_UP, LASER_COLOUR_REVERTED, 0, far ? "beyond the axis" : NULL},
            {LASER_MARK_LINE, LASER_COLOUR_MUTED, 5, before},
            {LASER_MARK_LINE, LASER_COLOUR_KEPT, 0, "best so far"}};
        return laser_draw_legend(f, items, sizeof items / sizeof *items, 0, 0, width);
    }
}

static void put_path(struct laser_figure *f, struct path *p, double width)
{
    double height = width < 500 ? 260 : 330, top = 24, base;
    char title[200];

    p->x = (struct laser_axis){.from = 0.5, .to = p->n + 0.5, .start = 58, .end = width - 14};
    p->y = (struct laser_axis){.start = height - 40, .end = top};
    p->radius = fmax(1.8, fmin(4.5, (p->x.end - p->x.start) / p->n / 2.4));
    find_limits(p);
    top += put_legend(f, p, width);
    p->y.start += top - p->y.end;
    p->y.end = top;
    f->width = width;
    f->height = p->y.start + 40;
    snprintf(title, sizeof title, "%.120s on the selection %s", p->goal.name, p->goal.items);
    laser_draw_left_axis(f, &p->y, p->x.start, p->x.end, 5, title);
    laser_draw_bottom_axis(f, &p->x, p->y.start, (int)fmax(3, fmin(p->n, width / 80)), "candidate", 1);
    base = laser_axis_place(&p->y, p->goal.base);
    laser_figure_line(f, p->x.start, base, p->x.end, base, LASER_COLOUR_MUTED, 1.4, 5);
    put_best(f, p);
    /* The kept ones before the others. */
    for (int kept = 0; kept < 2; kept++)
        for (int i = 0; i < p->n; i++) {
            const struct laser_decision *d = &p->list[i];
            double x = laser_axis_place(&p->x, i + 1);
            int colour = d->kept ? LASER_COLOUR_KEPT : LASER_COLOUR_REVERTED;
            if (!d->kept != !kept || !isfinite(d->level))
                continue;
            put_error(f, p, d, x, colour);
            put_mark(f, p, d, x, colour);
        }
    laser_figure_frame(f, &p->x, p->y.end, p->y.start);
}

void laser_draw_path(struct laser_figure *f, const struct laser_drawing *d)
{
    struct path p = {.n = 0};
    struct laser_decision *list;
    long n;

    laser_goal_read(d->runs[d->which].results, &p.goal);
    n = laser_decisions_read(d->runs[d->which].results, &p.goal, &list);
    if (n < 0) {
        f->failed = 1;
        return;
    }
    for (long i = 0; i < n; i++)
        if (!list[i].measured)
            list[p.n++] = list[i];
    p.list = list;
    if (p.n > 0 && isfinite(p.goal.base))
        put_path(f, &p, d->width);
    free(list);
}
