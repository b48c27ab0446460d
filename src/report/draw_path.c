#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/draw.h"

/* ---- ranks kept ---- */

static double share_of(const struct laser_scan_row *row)
{
    int64_t n = row->rows < row->columns ? row->rows : row->columns;

    return n > 0 ? (double)row->rank / (double)n : (double)NAN;
}

static void put_ranks_panel(struct laser_figure *f, const struct laser_layer_grid *g, size_t type,
                            double most, double left, double top)
{
    struct laser_axis y = {.from = 0, .to = most, .start = top + 84, .end = top + 16};
    struct laser_axis x = {.from = -0.5, .to = (double)g->n_layers - 0.5, .start = left, .end = left + 150};
    double w = fmax(0.8, 150 / (double)g->n_layers - 0.5), ticks[LASER_AXIS_TICKS];
    int n = laser_axis_ticks(&x, 5, ticks);
    char text[32];

    laser_figure_text(f, left, top + 8, g->types[type], 8, LASER_INK, LASER_ANCHOR_START, 0);
    laser_draw_left_axis(f, &y, left, left + 150, 2);
    for (size_t l = 0; l < g->n_layers; l++) {
        const struct laser_grid_cell *cell = &g->cells[l * g->n_types + type];
        if (cell->n > 0) {
            double up = laser_axis_place(&y, cell->sum / cell->n);
            laser_figure_box(f, laser_axis_place(&x, (double)l) - w / 2, up, w, fmax(0.4, y.start - up),
                             LASER_INK_KEPT);
        }
    }
    laser_figure_line(f, left, y.start, left + 150, y.start, LASER_INK_AXIS, 0.7, 0);
    for (int i = 0; i < n; i++) {
        size_t l = (size_t)ticks[i];
        if (ticks[i] < 0 || ticks[i] != floor(ticks[i]) || l >= g->n_layers || g->layers[l] < 0)
            continue;
        snprintf(text, sizeof text, "%lld", (long long)g->layers[l]);
        laser_figure_text(f, laser_axis_place(&x, ticks[i]), y.start + 10, text, 8, LASER_INK_MUTED,
                          LASER_ANCHOR_MIDDLE, 0);
    }
}

void laser_draw_ranks(struct laser_figure *f, const struct laser_page_run *run)
{
    struct laser_scan_row *rows = calloc(run->n_rows + 1, sizeof *rows);
    struct laser_layer_grid g = {0};
    double most = 0.1;

    if (rows == NULL) {
        f->failed = 1;
        return;
    }
    for (size_t i = 0; i < run->n_rows; i++) {
        rows[i] = run->rows[i];
        rows[i].score = share_of(&rows[i]);
        if (rows[i].status == LASER_SCAN_SCANNED && rows[i].score > most)
            most = rows[i].score > 0.5 ? 1 : rows[i].score > 0.2 ? 0.5 : 0.2;
    }
    if (!laser_layer_grid_make(&g, rows, run->n_rows, 1))
        f->failed = 1;
    if (g.n_sorted > 0) {
        f->width = 730;
        f->height = 34 + 112 * (double)((g.n_types + 3) / 4);
        laser_figure_text(f, 10, 16, "Share of the singular values kept, by layer", 10, LASER_INK,
                          LASER_ANCHOR_START, LASER_FIGURE_BOLD);
        for (size_t t = 0; t < g.n_types; t++)
            put_ranks_panel(f, &g, t, most, 34 + 178 * (double)(t % 4), 26 + 112 * (double)(t / 4));
    }
    laser_layer_grid_free(&g);
    free(rows);
}

/* ---- the path of a reduction ---- */

/* What the search improves, as people read it: perplexity, which is multiplied by e^change, or a figure of
 * tasks, to which the change is added (sign -1: taken from it, as the figure rises). */
struct goal {
    const char *name, *items;
    double base;
    int sign; /* 0: perplexity */
};

static double moved(const struct goal *goal, double level, double change)
{
    return goal->sign == 0 ? level * exp(change) : level + goal->sign * change;
}

struct candidate {
    double level, difference, error;
    int kept, early;
};

static double real_of(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static void read_goal(const json_t *results, struct goal *goal)
{
    const json_t *base = json_object_get(json_object_get(results, "baseline"), "selection");
    const char *name = json_string_value(json_object_get(results, "objective"));

    *goal = (struct goal){"perplexity", "windows", exp(real_of(base, "nll")), 0};
    if (json_object_get(base, "value") != NULL)
        *goal = (struct goal){name != NULL ? name : "objective",
                              name != NULL && strstr(name, "perplexity") != NULL ? "items" : "questions",
                              real_of(base, "value"),
                              json_is_true(json_object_get(results, "objective_rises")) ? -1 : 1};
}

/* The figure with each candidate in place: the best so far, moved by the difference, as not all are measured
 * on all windows. */
static int read_candidates(const json_t *results, const struct goal *goal, struct candidate *list)
{
    const json_t *decisions = json_object_get(results, "decisions");
    double best = goal->base,
           nll = real_of(json_object_get(json_object_get(results, "baseline"), "selection"), "nll");
    int n = 0;

    for (size_t i = 0; i < json_array_size(decisions); i++) {
        const json_t *d = json_array_get(decisions, i);
        const char *reason = json_string_value(json_object_get(d, "reason"));
        double difference = real_of(d, "difference");

        if (reason != NULL && strcmp(reason, "measured") == 0)
            continue;
        list[n] =
            (struct candidate){.level = isnan(difference) ? moved(goal, goal->base, real_of(d, "nll") - nll)
                                                          : moved(goal, best, difference),
                               .difference = difference,
                               .error = real_of(d, "difference_stderr"),
                               .kept = json_is_true(json_object_get(d, "kept")),
                               .early = reason != NULL && strstr(reason, "early") != NULL};
        if (list[n].kept && isfinite(list[n].level))
            best = list[n].level;
        n++;
    }
    return n;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* How far a candidate may be from the best before it for the axis to reach it: five times what three of four
 * keep within. */
static double farthest(const struct candidate *list, int n)
{
    double *sizes = malloc(((size_t)n + 1) * sizeof *sizes), far = 0.0025;
    size_t known = 0;

    for (int i = 0; sizes != NULL && i < n; i++)
        if (isfinite(list[i].difference))
            sizes[known++] = fabs(list[i].difference);
    if (known > 0) {
        qsort(sizes, known, sizeof *sizes, by_size);
        far = fmax(far, 5 * sizes[(known - 1) * 3 / 4]);
    }
    free(sizes);
    return far;
}

/* All kept ones, the base, and the others but for a few very bad ones. */
static void find_limits(const struct candidate *list, int n, double base, struct laser_axis *y)
{
    double low = base, high = base, far = farthest(list, n), range;

    for (int i = 0; i < n; i++)
        if (list[i].kept || fabs(list[i].difference) <= far) {
            low = fmin(low, list[i].level);
            high = fmax(high, list[i].level);
        }
    range = fmax(fmax(high - low, 0.002 * fabs(base)), 1e-9);
    y->from = low - 0.1 * range;
    y->to = high + 0.1 * range;
}

static void put_candidate(struct laser_figure *f, const struct goal *goal, const struct candidate *c,
                          double x, const struct laser_axis *y, double r)
{
    uint32_t colour = c->kept ? LASER_INK_KEPT : LASER_INK_EDGE;
    double at, s = 0.8 * r;

    if (!isfinite(c->level))
        return;
    at = laser_axis_place(y, fmin(fmax(c->level, y->from), y->to));
    if (isfinite(c->error) && c->level > y->from && c->level < y->to)
        laser_figure_line(f, x,
                          laser_axis_place(y, fmax(y->from, fmin(moved(goal, c->level, c->error),
                                                                 moved(goal, c->level, -c->error)))),
                          x,
                          laser_axis_place(y, fmin(y->to, fmax(moved(goal, c->level, c->error),
                                                               moved(goal, c->level, -c->error)))),
                          colour, 0.8, 0);
    if (c->early || c->level < y->from || c->level > y->to) {
        laser_figure_line(f, x - s, at - s, x + s, at + s, colour, 1, 0);
        laser_figure_line(f, x - s, at + s, x + s, at - s, colour, 1, 0);
    } else {
        laser_figure_dot(f, x, at, r < 2 ? c->kept ? 1.8 : 0.8 : r, colour, c->kept || r < 2 ? 0 : 1);
    }
}

static void put_best(struct laser_figure *f, const struct candidate *list, int n, double base,
                     const struct laser_axis *x, const struct laser_axis *y)
{
    double *xy = malloc((4 * (size_t)n + 4) * sizeof *xy), best = base;
    size_t k = 0;

    if (xy == NULL) {
        f->failed = 1;
        return;
    }
    xy[k++] = x->start;
    xy[k++] = laser_axis_place(y, best);
    for (int i = 0; i < n; i++)
        if (list[i].kept && isfinite(list[i].level)) {
            xy[k++] = laser_axis_place(x, i + 1);
            xy[k++] = laser_axis_place(y, best);
            best = list[i].level;
            xy[k++] = laser_axis_place(x, i + 1);
            xy[k++] = laser_axis_place(y, best);
        }
    xy[k++] = x->end;
    xy[k++] = laser_axis_place(y, best);
    laser_figure_path(f, xy, k / 2, LASER_INK_KEPT, 1.1);
    free(xy);
}

static void put_path(struct laser_figure *f, const struct goal *goal, const struct candidate *list, int n)
{
    char title[200];
    struct laser_axis x = {.from = 0.5, .to = n + 0.5, .start = 50, .end = 570},
                      y = {.start = 250, .end = 48};
    double r = fmax(1.2, fmin(3, 520.0 / n / 2.5)), at;

    find_limits(list, n, goal->base, &y);
    snprintf(title, sizeof title, "Path of the reduction: %.120s on the selection %s", goal->name,
             goal->items);
    f->width = 590;
    f->height = 282;
    laser_figure_text(f, 10, 16, title, 10, LASER_INK, LASER_ANCHOR_START, LASER_FIGURE_BOLD);
    laser_figure_dot(f, 54, 31, 3, LASER_INK_KEPT, 0);
    laser_figure_text(f, 62, 34, "kept", 8, LASER_INK_MUTED, LASER_ANCHOR_START, 0);
    laser_figure_dot(f, 98, 31, 3, LASER_INK_EDGE, 1);
    laser_figure_text(f, 106, 34, "reverted (cross: given up early, or beyond the axis)", 8, LASER_INK_MUTED,
                      LASER_ANCHOR_START, 0);
    laser_figure_line(f, 336, 31, 354, 31, LASER_INK_MUTED, 1, 3);
    laser_figure_text(f, 360, 34, "before", 8, LASER_INK_MUTED, LASER_ANCHOR_START, 0);
    laser_draw_left_axis(f, &y, x.start, x.end, 5);
    laser_draw_bottom_axis(f, &x, y.start, n < 8 ? n : 8, "candidate");
    at = laser_axis_place(&y, goal->base);
    laser_figure_line(f, x.start, at, x.end, at, LASER_INK_MUTED, 1, 3);
    put_best(f, list, n, goal->base, &x, &y);
    /* The kept ones before the others. */
    for (int kept = 0; kept < 2; kept++)
        for (int i = 0; i < n; i++)
            if (!list[i].kept == !kept)
                put_candidate(f, goal, &list[i], laser_axis_place(&x, i + 1), &y, r);
}

void laser_draw_path(struct laser_figure *f, const struct laser_page_run *run)
{
    size_t room = json_array_size(json_object_get(run->results, "decisions"));
    struct candidate *list = calloc(room + 1, sizeof *list);
    struct goal goal;
    int n;

    if (list == NULL) {
        f->failed = 1;
        return;
    }
    read_goal(run->results, &goal);
    n = isfinite(goal.base) ? read_candidates(run->results, &goal, list) : 0;
    if (n > 0)
        put_path(f, &goal, list, n);
    free(list);
}
