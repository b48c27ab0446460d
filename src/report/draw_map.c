#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/draw.h"
#include "report/fit.h"
#include "report/sweep_map.h"

#define GAP    0.5 /* between cells */
#define CHAR   6.6 /* width of a letter of a label */
#define LEGEND 54.0

/* Where the drawing's parts stand.  Across and down are columns and rows, or rows and columns where it is turned, because
 * there are too many columns for the width. */
struct places {
    int turned, slanted; /* names above stand upright */
    double left, top, w, h;
    size_t across, down;
    char *const *names_across, *const *names_down;
};

static size_t longest(char *const *names, size_t n, int is_short)
{
    size_t most = 0;

    for (size_t i = 0; i < n; i++) {
        const char *dot = is_short ? strrchr(names[i], '.') : NULL;
        size_t length = laser_text_columns(dot != NULL ? dot + 1 : names[i]);
        most = length > most ? length : most;
    }
    return most;
}

static double height_of_rows(size_t n)
{
    return n > 60 ? 10 : n > 24 ? 14 : n > 10 ? 20 : 26;
}

static struct places lay_out(const struct laser_map *m, double width)
{
    double left =
        fmin(fmax((double)longest(m->row_names, m->n_rows, 0) * CHAR + 14, 34), width < 560 ? 118 : 230);
    double w = (width - left - 8) / (double)m->n_columns;
    double left_turned = fmin(fmax((double)longest(m->column_names, m->n_columns, 0) * CHAR + 12, 30), 150);
    double w_turned = (width - left_turned - 8) / (double)m->n_rows;
    double names = fmin(130, (double)longest(m->row_names, m->n_rows, 1) * 6.2 + 10);
    struct places p = {.left = left,
                       .top = LEGEND + 6,
                       .w = fmax(1, fmin(w, 84)),
                       .h = height_of_rows(m->n_rows),
                       .across = m->n_columns,
                       .down = m->n_rows,
                       .names_across = m->column_names,
                       .names_down = m->row_names};

    if (w < 7 && w_turned > w)
        p = (struct places){
            .turned = 1,
            .slanted =
                w_turned<names, .left = left_turned, .top = LEGEND + (w_turned < names ? names + 8 : 24),
                         .w = fmin(w_turned, 90), .h = m->n_columns> 60
                    ? 10
                : m->n_columns > 30 ? 14
                                    : 22,
            .across = m->n_rows,
            .down = m->n_columns,
            .names_across = m->row_names,
            .names_down = m->column_names};
    return p;
}

static void cell_text(const struct laser_map *m, double x, char text[32])
{
    char number[40];

    if (m->kind == LASER_METRIC_SHARE) {
        laser_share_text(x, 0, text);
    } else if (!isfinite(x) || fabs(x) >= 1000 || (fabs(x) < 0.01 && x != 0)) {
        laser_number_text(x, text);
    } else {
        snprintf(number, sizeof number, "%.3g", x);
        laser_number_text(atof(number), text);
    }
}

static void put_cells(struct laser_figure *f, const struct laser_map *m, const struct places *p)
{
    int with_text = p->w >= 46 && p->h >= 20;
    char text[32];

    for (int pass = 0; pass < 2 + with_text; pass++) {
        laser_figure_group(f, pass == 0 ? "cells" : pass == 1 ? "crosses" : "values");
        for (size_t i = 0; i < m->n_rows * m->n_columns; i++) {
            size_t c = i / m->n_rows, r = i % m->n_rows;
            double x = p->left + (double)(p->turned ? r : c) * p->w,
                   y = p->top + (double)(p->turned ? c : r) * p->h;
            int colour =
                isnan(m->values[i]) ? LASER_COLOUR_HOLE : laser_colour_scale_colour(&m->scale, m->values[i]);
            if (m->states[i] == LASER_CELL_ABSENT)
                continue;
            if (pass == 0)
                laser_figure_box(f, x, y, fmax(0.6, p->w - GAP), fmax(0.6, p->h - GAP), colour);
            else if (pass == 1 && m->states[i] == LASER_CELL_FAILED && isnan(m->values[i]))
                laser_figure_cross(f, x + p->w / 2, y + p->h / 2, 0.28 * fmin(p->w, p->h), LASER_COLOUR_BAD,
                                   1.3);
            else if (pass == 2) {
                cell_text(m, m->values[i], text);
                laser_figure_text(f, x + (p->w - GAP) / 2, y + p->h / 2 + 4, isnan(m->values[i]) ? "" : text,
                                  isnan(m->values[i]) ? LASER_COLOUR_MUTED : colour + 2000,
                                  LASER_ANCHOR_MIDDLE, 0);
            }
        }
        laser_figure_end(f);
    }
}

/* Every how many labels one fits. */
static size_t label_step(size_t count, double size, double need)
{
    static const size_t steps[] = {1, 2, 5, 10, 20, 50, 100};

    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        if (size * (double)steps[i] >= need)
            return steps[i];
    return count > 0 ? count : 1;
}

static void put_labels(struct laser_figure *f, const struct laser_map *m, const struct places *p)
{
    double below = p->top + (double)p->down * p->h;
    size_t step = label_step(p->down, p->h, 13);

    for (size_t d = 0; d < p->down; d += step) {
        struct laser_text name = {0};
        laser_text_fit(&name, p->names_down[d], (size_t)fmax(3, (p->left - 12) / 6.3), "\xe2\x80\xa6", 0);
        if (!name.failed && name.data != NULL)
            laser_figure_text(f, p->left - 7, p->top + ((double)d + 0.5) * p->h + 4, name.data,
                              LASER_COLOUR_MUTED, LASER_ANCHOR_END, 0);
        f->failed |= name.failed;
        laser_text_free(&name);
    }
    step = label_step(p->across, p->w,
                      p->slanted ? 13 : (double)longest(p->names_across, p->across, p->turned) * CHAR + 10);
    for (size_t a = 0; a < p->across; a += step) {
        const char *dot = p->turned ? strrchr(p->names_across[a], '.') : NULL;
        const char *name = dot != NULL ? dot + 1 : p->names_across[a];
        double x = p->left + ((double)a + 0.5) * p->w;
        if (p->slanted)
            laser_figure_text(f, x + 4, p->top - 7, name, LASER_COLOUR_MUTED, LASER_ANCHOR_START,
                              LASER_FIGURE_TURNED);
        else
            laser_figure_text(f, x, p->turned ? p->top - 6 : below + 16, name, LASER_COLOUR_MUTED,
                              LASER_ANCHOR_MIDDLE, 0);
    }
    if (p->turned)
        laser_figure_text(f, 0, p->top - 8, m->column_title, LASER_COLOUR_MUTED, LASER_ANCHOR_START, 0);
    else
        laser_figure_text(f, p->left + (double)p->across * p->w / 2, below + 36, m->column_title,
                          LASER_COLOUR_MUTED, LASER_ANCHOR_MIDDLE, 0);
}

void laser_map_draw(struct laser_figure *f, const struct laser_map *m, double width)
{
    struct places p = lay_out(m, width);
    int any_failed = 0;

    for (size_t i = 0; i < m->n_rows * m->n_columns; i++)
        any_failed |= m->states[i] == LASER_CELL_FAILED;
    f->width = width;
    f->height = p.top + (double)p.down * p.h + (p.turned ? 6 : 44);
    laser_colour_scale_bar(f, &m->scale, LASER_MAP_BAR, 0);
    laser_colour_scale_numbers(f, &m->scale, LASER_MAP_BAR, 0);
    if (any_failed) {
        laser_figure_box(f, 280, 2, 12, 12, LASER_COLOUR_HOLE);
        laser_figure_cross(f, 286, 8, 4, LASER_COLOUR_BAD, 1.3);
        laser_figure_text(f, 298, 12, "failed", LASER_COLOUR_MUTED, LASER_ANCHOR_START, 0);
    }
    put_cells(f, m, &p);
    put_labels(f, m, &p);
    laser_text_printf(&f->attributes, " data-rows=\"%zu\" data-turned=\"%d\"", m->n_rows, p.turned);
}

void laser_map_free(struct laser_map *m)
{
    for (size_t i = 0; m->row_names != NULL && i < m->n_rows; i++)
        free(m->row_names[i]);
    for (size_t i = 0; m->column_names != NULL && i < m->n_columns; i++)
        free(m->column_names[i]);
    free(m->row_names);
    free(m->column_names);
    free(m->values);
    free(m->states);
    laser_colour_scale_free(&m->scale);
    memset(m, 0, sizeof *m);
}

/* ---- what they show ---- */

static int allocate(struct laser_map *m, size_t n_rows, size_t n_columns)
{
    *m = (struct laser_map){
        .n_rows = n_rows, .n_columns = n_columns, .row_title = "type", .column_title = "layer"};
    m->row_names = calloc(n_rows + 1, sizeof *m->row_names);
    m->column_names = calloc(n_columns + 1, sizeof *m->column_names);
    m->values = calloc(n_rows * n_columns + 1, sizeof *m->values);
    m->states = calloc(n_rows * n_columns + 1, sizeof *m->states);
    return m->row_names != NULL && m->column_names != NULL && m->values != NULL && m->states != NULL;
}

static char *layer_name(int64_t layer)
{
    char text[32];

    snprintf(text, sizeof text, "%" PRId64, layer);
    return strdup(layer == -2 ? "all" : layer < 0 ? "\xe2\x80\x93" : text);
}

static int allocate_grid(struct laser_map *m, const struct laser_matrix_table *t, const char *key)
{
    struct laser_metric_text unknown;
    int good = allocate(m, t->n_types, t->n_layers);

    for (size_t i = 0; good && i < m->n_rows; i++)
        good = (m->row_names[i] = strdup(t->types[i])) != NULL;
    for (size_t i = 0; good && i < m->n_columns; i++)
        good = (m->column_names[i] = layer_name(t->layers[i])) != NULL;
    m->kind = laser_metric_text_find(key, &unknown)->kind;
    return good;
}

int laser_map_of_metric(struct laser_map *m, const struct laser_drawing *d, const char *key,
                        enum laser_scale_how how)
{
    const struct laser_matrix_table *t = d->table;
    size_t n = t->n_types * t->n_layers, k = 0;
    double *all = malloc((2 * n + 1) * sizeof *all);
    int good = allocate_grid(m, t, key) && all != NULL;

    for (int r = 0; good && r < t->n_runs; r++)
        for (size_t i = 0; i < n; i++) {
            struct laser_cell cell = laser_matrix_cell(t, r, laser_matrix_metric(&t->runs[r], key),
                                                       i / t->n_types, i % t->n_types);
            if (cell.known > 0)
                all[k++] = cell.median;
            if (r != d->which)
                continue;
            m->values[i] = cell.median;
            m->states[i] = cell.n == 0       ? LASER_CELL_ABSENT
                           : cell.failed > 0 ? LASER_CELL_FAILED
                                             : LASER_CELL_PRESENT;
        }
    good = good && laser_colour_scale_make(&m->scale, all, k, how, m->kind == LASER_METRIC_SIGNED);
    free(all);
    return good;
}

static double change(double a, double b, int relative)
{
    if (isnan(a) || isnan(b))
        return NAN;
    if (isinf(a) && a == b)
        return 0;
    if (relative)
        return a == 0 ? b == 0 ? 0 : (double)NAN : (b - a) / fabs(a);
    return b - a;
}

int laser_map_of_change(struct laser_map *m, const struct laser_drawing *d, const char *key, int relative)
{
    const struct laser_matrix_table *t = d->table;
    size_t n = t->n_types * t->n_layers;
    int good = allocate_grid(m, t, key);

    for (size_t i = 0; good && i < n; i++) {
        struct laser_cell cells[2];
        for (int r = 0; r < 2; r++)
            cells[r] = laser_matrix_cell(t, r, laser_matrix_metric(&t->runs[r], key), i / t->n_types,
                                         i % t->n_types);
        m->values[i] = change(cells[0].median, cells[1].median, relative);
        m->states[i] = cells[0].n == 0 || cells[1].n == 0      ? LASER_CELL_ABSENT
                       : cells[0].failed + cells[1].failed > 0 ? LASER_CELL_FAILED
                                                               : LASER_CELL_PRESENT;
    }
    if (relative)
        m->kind = LASER_METRIC_SHARE;
    return good && laser_colour_scale_make(&m->scale, m->values, n, LASER_SCALE_LINEAR, 1);
}

const char *laser_first_expert_type(const struct laser_matrix_table *t)
{
    for (size_t k = 0; k < t->n_types; k++)
        for (size_t i = 0; i < t->runs[0].n; i++)
            if (t->runs[0].experts[i] >= 0 && strcmp(t->runs[0].types[i], t->types[k]) == 0)
                return t->types[k];
    return NULL;
}

int laser_map_of_experts(struct laser_map *m, const struct laser_drawing *d, const char *type,
                         const char *key)
{
    const struct laser_matrix_table *t = d->table;
    const struct laser_run_matrices *list = &t->runs[0];
    const double *values = laser_matrix_metric(list, key);
    struct laser_metric_text unknown;
    size_t n_experts = 0;
    int good;

    for (size_t i = 0; i < list->n; i++)
        if (list->experts[i] >= (int64_t)n_experts)
            n_experts = (size_t)list->experts[i] + 1;
    good = allocate(m, t->n_layers, n_experts);
    m->row_title = "layer";
    m->column_title = "expert";
    m->kind = laser_metric_text_find(key, &unknown)->kind;
    for (size_t i = 0; good && i < m->n_rows; i++)
        good = (m->row_names[i] = layer_name(t->layers[i])) != NULL;
    for (size_t i = 0; good && i < m->n_columns; i++)
        good = (m->column_names[i] = layer_name((int64_t)i)) != NULL;
    for (size_t i = 0; good && i < m->n_rows * m->n_columns; i++)
        m->values[i] = NAN;
    for (size_t i = 0; good && i < list->n; i++) {
        size_t layer = 0, at;
        if (list->experts[i] < 0)
            continue;
        while (t->layers[layer] != list->rows[i]->layer)
            layer++;
        at = (size_t)list->experts[i] * m->n_rows + layer;
        if (m->states[at] == LASER_CELL_ABSENT)
            m->states[at] = LASER_CELL_PRESENT;
        if (strcmp(list->types[i], type) != 0)
            continue;
        if (list->rows[i]->status == LASER_SCAN_FAILED)
            m->states[at] = LASER_CELL_FAILED;
        m->values[at] = values != NULL ? values[i] : (double)NAN;
    }
    return good && laser_colour_scale_make(&m->scale, m->values, m->n_rows * m->n_columns, LASER_SCALE_AUTO,
                                           m->kind == LASER_METRIC_SIGNED);
}

const char *laser_first_metric(const struct laser_drawing *d)
{
    const struct laser_matrix_table *t = d->table;
    const char *score = d->runs[0].score, *first = NULL;
    int has_snr = 0;

    for (size_t k = 0; k < laser_n_metric_texts; k++)
        for (int r = 0; r < t->n_runs; r++) {
            const char *key = laser_metric_texts[k].key;
            if (laser_matrix_metric(&t->runs[r], key) == NULL)
                continue;
            if (strcmp(key, "cut_predicted") == 0)
                return key;
            has_snr |= strcmp(key, "snr") == 0;
            first = first != NULL ? first : key;
        }
    if (has_snr && score != NULL && strcmp(score, "snr") == 0)
        return "snr";
    return first != NULL || t->runs[0].n_metrics == 0 ? first : t->runs[0].metrics[0].key;
}

/* ---- figures ---- */

static void finish(struct laser_figure *f, struct laser_map *m, int good, double width)
{
    if (!good)
        f->failed = 1;
    else
        laser_map_draw(f, m, width);
    laser_map_free(m);
}

void laser_draw_metric(struct laser_figure *f, const struct laser_drawing *d)
{
    const char *key = laser_first_metric(d);
    struct laser_map m;

    if (key != NULL && d->table->n_types > 0)
        finish(f, &m, laser_map_of_metric(&m, d, key, LASER_SCALE_AUTO), d->width);
}

void laser_draw_change(struct laser_figure *f, const struct laser_drawing *d)
{
    const char *key = laser_first_metric(d);
    struct laser_map m;

    if (key != NULL && d->table->n_types > 0 && d->table->n_runs == 2)
        finish(f, &m, laser_map_of_change(&m, d, key, 1), d->width);
}

void laser_draw_experts(struct laser_figure *f, const struct laser_drawing *d)
{
    const char *key = laser_first_metric(d), *type = laser_first_expert_type(d->table);
    struct laser_map m;

    if (key != NULL && type != NULL)
        finish(f, &m, laser_map_of_experts(&m, d, type, key), d->width);
}

void laser_draw_gains(struct laser_figure *f, const struct laser_drawing *d)
{
    const json_t *sweep = json_object_get(d->runs[d->which].results, "sweep_table");
    const json_t *types = json_object_get(sweep, "types"), *layers = json_object_get(sweep, "layers");
    const json_t *gains = json_object_get(sweep, "gain");
    size_t n_types = json_array_size(types), n_layers = json_array_size(layers);
    struct laser_map m;
    int good;

    if (n_types == 0 || n_layers == 0)
        return;
    good = allocate(&m, n_types, n_layers);
    for (size_t i = 0; good && i < n_types; i++) {
        const char *type = json_string_value(json_array_get(types, i));
        good = (m.row_names[i] = strdup(type != NULL ? type : "")) != NULL;
    }
    for (size_t i = 0; good && i < n_layers; i++)
        good = (m.column_names[i] = layer_name(laser_sweep_layer(json_array_get(layers, i)))) != NULL;
    for (size_t i = 0; good && i < n_types * n_layers; i++) {
        const json_t *gain = json_array_get(json_array_get(gains, i / n_types), i % n_types);
        m.values[i] = json_is_number(gain) ? json_number_value(gain) : (double)NAN;
        m.states[i] = json_is_number(gain) ? LASER_CELL_PRESENT : LASER_CELL_ABSENT;
    }
    good = good && laser_colour_scale_make(&m.scale, m.values, n_types * n_layers, LASER_SCALE_LINEAR, 1);
    finish(f, &m, good, d->width);
}
