#include "report/heat_map.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CELL 11

struct cell {
    double sum;
    int n, failed;
};

struct map {
    const char **types;
    size_t n_types;
    int64_t *layers;
    size_t n_layers;
    struct cell *cells; /* n_layers x n_types */
    double *sorted;     /* the cells' means, ascending */
    size_t n_sorted;
};

static int by_layer(const void *a, const void *b)
{
    /* -1, no layer, is the largest when taken without its sign; -2, all layers, comes before it. */
    uint64_t x = (uint64_t) * (const int64_t *)a, y = (uint64_t) * (const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static size_t type_index(const struct map *m, const char *type)
{
    size_t i = 0;

    while (i < m->n_types && strcmp(m->types[i], type) != 0)
        ++i;
    return i;
}

static size_t layer_index(const struct map *m, int64_t layer)
{
    size_t i = 0;

    while (i < m->n_layers && m->layers[i] != layer)
        ++i;
    return i;
}

static int find_axes(struct map *m, const struct laser_scan_row *rows, size_t count)
{
    m->types = calloc(count + 1, sizeof *m->types);
    m->layers = calloc(count + 1, sizeof *m->layers);
    if (m->types == NULL || m->layers == NULL)
        return 0;
    for (size_t i = 0; i < count; ++i) {
        if (rows[i].status == LASER_SCAN_SKIPPED)
            continue;
        if (type_index(m, rows[i].type) == m->n_types)
            m->types[m->n_types++] = rows[i].type;
        if (layer_index(m, rows[i].layer) == m->n_layers)
            m->layers[m->n_layers++] = rows[i].layer;
    }
    qsort(m->layers, m->n_layers, sizeof *m->layers, by_layer);
    return 1;
}

static int fill_cells(struct map *m, const struct laser_scan_row *rows, size_t count)
{
    size_t n = m->n_layers * m->n_types;

    m->cells = calloc(n + 1, sizeof *m->cells);
    m->sorted = calloc(n + 1, sizeof *m->sorted);
    if (m->cells == NULL || m->sorted == NULL)
        return 0;
    for (size_t i = 0; i < count; ++i) {
        struct cell *cell;
        if (rows[i].status == LASER_SCAN_SKIPPED)
            continue;
        cell = &m->cells[layer_index(m, rows[i].layer) * m->n_types + type_index(m, rows[i].type)];
        if (rows[i].status == LASER_SCAN_FAILED || isnan(rows[i].score)) {
            ++cell->failed;
        } else {
            cell->sum += rows[i].score;
            ++cell->n;
        }
    }
    for (size_t i = 0; i < n; ++i)
        if (m->cells[i].n > 0)
            m->sorted[m->n_sorted++] = m->cells[i].sum / m->cells[i].n;
    qsort(m->sorted, m->n_sorted, sizeof *m->sorted, by_value);
    return 1;
}

/* Colour by rank, so that one outlier does not grey out the rest. */
static int colour(const struct map *m, double value)
{
    static const int ramp[] = {21, 27, 33, 39, 45, 49, 118, 190, 214, 202};
    size_t below = 0;

    while (below < m->n_sorted && m->sorted[below] < value)
        ++below;
    return ramp[10 * below / (m->n_sorted > 0 ? m->n_sorted : 1)];
}

static void put_cell(struct laser_text *out, const struct map *m, const struct cell *cell,
                     const struct laser_heat_style *style)
{
    char text[32];

    if (cell->n == 0) {
        laser_text_printf(out, "%*s", CELL, cell->failed > 0 ? "failed" : ".");
        return;
    }
    snprintf(text, sizeof text, isinf(cell->sum) ? "inf" : "%.3g", cell->sum / cell->n);
    if (style->colours)
        laser_text_printf(out, "\033[38;5;%dm%*s\033[0m", colour(m, cell->sum / cell->n), CELL, text);
    else
        laser_text_printf(out, "%*s", CELL, text);
}

/* The last part of a type that fits into a cell: "self_attn.q_proj" as "q_proj". */
static const char *short_type(const char *type)
{
    const char *dot = strrchr(type, '.');
    const char *name = dot != NULL ? dot + 1 : type;
    size_t n = strlen(name);

    return n < CELL ? name : name + n - (CELL - 1);
}

static void put_block(struct laser_text *out, const struct map *m, size_t first, size_t end,
                      const struct laser_heat_style *style)
{
    laser_text_printf(out, "%6s", "layer");
    for (size_t t = first; t < end; ++t)
        laser_text_printf(out, "%*s", CELL, short_type(m->types[t]));
    laser_text_puts(out, "\n");
    for (size_t l = 0; l < m->n_layers; ++l) {
        if (m->layers[l] < 0)
            laser_text_printf(out, "%6s", m->layers[l] == -2 ? "all" : "-");
        else
            laser_text_printf(out, "%6" PRId64, m->layers[l]);
        for (size_t t = first; t < end; ++t)
            put_cell(out, m, &m->cells[l * m->n_types + t], style);
        laser_text_puts(out, "\n");
    }
}

void laser_heat_map(struct laser_text *out, const struct laser_scan_row *rows, size_t count,
                    const struct laser_heat_style *style)
{
    struct map m = {0};
    size_t fit = style->width > 6 + CELL ? (size_t)(style->width - 6) / CELL : 1;

    if (find_axes(&m, rows, count) && fill_cells(&m, rows, count)) {
        for (size_t first = 0; first < m.n_types; first += fit) {
            if (first > 0)
                laser_text_puts(out, "\n");
            put_block(out, &m, first, first + fit < m.n_types ? first + fit : m.n_types, style);
        }
    } else {
        out->failed = 1;
    }
    free(m.types);
    free(m.layers);
    free(m.cells);
    free(m.sorted);
}
