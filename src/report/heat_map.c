#include "report/heat_map.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "report/layer_grid.h"

#define CELL 10

/* Colour by rank, so that one outlier does not grey out the rest. */
static int colour(const struct laser_layer_grid *m, double value)
{
    static const int ramp[] = {21, 27, 33, 39, 45, 49, 118, 190, 214, 202};
    size_t below = 0;

    while (below < m->n_sorted && m->sorted[below] < value)
        ++below;
    return ramp[10 * below / (m->n_sorted > 0 ? m->n_sorted : 1)];
}

static void put_cell(struct laser_text *out, const struct laser_layer_grid *m,
                     const struct laser_grid_cell *cell, const struct laser_heat_style *style)
{
    char text[32];

    if (cell->n == 0) {
        laser_text_printf(out, "%*s", CELL,
                          cell->failed > 0  ? "failed"
                          : cell->zeros > 0 ? "zero"
                          : cell->nans > 0  ? "nan"
                                            : ".");
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

static void put_block(struct laser_text *out, const struct laser_layer_grid *m, size_t first, size_t end,
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

static int same_tower(const char *x, const char *y)
{
    size_t n = laser_type_tower(x);

    return n == laser_type_tower(y) && memcmp(x, y, n) == 0;
}

void laser_heat_map(struct laser_text *out, const struct laser_scan_row *rows, size_t count,
                    const struct laser_heat_style *style)
{
    struct laser_layer_grid m;
    size_t fit = style->width > 6 + CELL ? (size_t)(style->width - 6) / CELL : 1;

    if (!laser_layer_grid_make(&m, rows, count, 0))
        out->failed = 1;
    for (size_t first = 0, end; !out->failed && first < m.n_types; first = end) {
        size_t n = laser_type_tower(m.types[first]);

        for (end = first; end < m.n_types && end < first + fit && same_tower(m.types[end], m.types[first]);)
            ++end;
        if (first > 0)
            laser_text_puts(out, "\n");
        if (n > 0)
            laser_text_printf(out, "%.*s\n", (int)n, m.types[first]);
        put_block(out, &m, first, end, style);
    }
    laser_layer_grid_free(&m);
}
