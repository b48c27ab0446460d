#include "report/layer_grid.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

char *laser_type_display(const char *type)
{
    char *text = strdup(type), *to = text;

    for (const char *from = text; text != NULL && *from != '\0';) {
        size_t n = from == text || from[-1] == '.' ? strspn(from, "0123456789") : 0;

        if (n > 0 && from[n] == '.' && from != text) {
            *to++ = '*';
            from += n;
        } else {
            *to++ = *from++;
        }
    }
    if (text != NULL)
        *to = '\0';
    return text;
}

/* 0, 1, ...: attention, MLP, experts, each from its inputs to its output. */
static int type_place(const char *type)
{
    static const char *const names[] = {
        "q_proj",       "k_proj",        "v_proj",   "qkv_proj",  "query_key_value", "c_attn",
        "o_proj",       "dense",         "out_proj", "gate",      "router",          "gate_proj",
        "w1",           "up_proj",       "w3",       "c_fc",      "fc_in",           "fc1",
        "gate_up_proj", "dense_h_to_4h", "w2",       "down_proj", "c_proj",          "fc_out",
        "fc2",          "dense_4h_to_h"};
    enum { NAMES = sizeof names / sizeof *names };
    const char *dot = strrchr(type, '.');
    int group = strstr(type, "attn") != NULL || strstr(type, "attention") != NULL ? 0
                : strstr(type, "expert") != NULL                                  ? 2
                                                                                  : 1;
    int place = 0;

    while (place < NAMES && strcmp(names[place], dot != NULL ? dot + 1 : type) != 0)
        place++;
    return group * (NAMES + 1) + place;
}

size_t laser_type_tower(const char *type)
{
    const char *colon = strchr(type, ':');

    return colon != NULL ? (size_t)(colon - type) : 0;
}

static int compare_towers(const char *x, const char *y)
{
    size_t n = laser_type_tower(x), m = laser_type_tower(y);
    int order = memcmp(x, y, n < m ? n : m);

    return order != 0 ? order : (n > m) - (n < m);
}

int laser_type_compare(const void *a, const void *b)
{
    const char *x = *(const char *const *)a, *y = *(const char *const *)b;
    int difference = compare_towers(x, y);

    if (difference == 0)
        difference = type_place(x) - type_place(y);
    return difference != 0 ? difference : strcmp(x, y);
}

static size_t type_index(const struct laser_layer_grid *g, const char *type)
{
    size_t i = 0;

    while (i < g->n_types && strcmp(g->types[i], type) != 0)
        ++i;
    return i;
}

static size_t layer_index(const struct laser_layer_grid *g, int64_t layer)
{
    size_t i = 0;

    while (i < g->n_layers && g->layers[i] != layer)
        ++i;
    return i;
}

/* Types of one tower stand together, else as they were found. */
static void gather_towers(struct laser_layer_grid *g)
{
    for (size_t i = 1; i < g->n_types; ++i)
        for (size_t k = i; k > 0 && compare_towers(g->types[k], g->types[k - 1]) < 0; --k) {
            char *type = g->types[k];
            g->types[k] = g->types[k - 1];
            g->types[k - 1] = type;
        }
}

static int find_axes(struct laser_layer_grid *g, const struct laser_scan_row *rows, char *const *types,
                     size_t count, int customary)
{
    g->types = calloc(count + 1, sizeof *g->types);
    g->layers = calloc(count + 1, sizeof *g->layers);
    if (g->types == NULL || g->layers == NULL)
        return 0;
    for (size_t i = 0; i < count; ++i) {
        if (types[i] == NULL)
            continue;
        if (type_index(g, types[i]) == g->n_types && (g->types[g->n_types++] = strdup(types[i])) == NULL)
            return 0;
        if (layer_index(g, rows[i].layer) == g->n_layers)
            g->layers[g->n_layers++] = rows[i].layer;
    }
    qsort(g->layers, g->n_layers, sizeof *g->layers, by_layer);
    if (customary)
        qsort(g->types, g->n_types, sizeof *g->types, laser_type_compare);
    else
        gather_towers(g);
    return 1;
}

static int fill_cells(struct laser_layer_grid *g, const struct laser_scan_row *rows, char *const *types,
                      size_t count)
{
    size_t n = g->n_layers * g->n_types;

    g->cells = calloc(n + 1, sizeof *g->cells);
    g->sorted = calloc(n + 1, sizeof *g->sorted);
    if (g->cells == NULL || g->sorted == NULL)
        return 0;
    for (size_t i = 0; i < count; ++i) {
        struct laser_grid_cell *cell;
        if (types[i] == NULL)
            continue;
        cell = &g->cells[layer_index(g, rows[i].layer) * g->n_types + type_index(g, types[i])];
        if (rows[i].status == LASER_SCAN_FAILED) {
            ++cell->failed;
        } else if (isnan(rows[i].score)) {
            ++cell->nans;
            cell->zeros += rows[i].is_zero;
        } else {
            cell->sum += rows[i].score;
            ++cell->n;
        }
    }
    for (size_t i = 0; i < n; ++i)
        if (g->cells[i].n > 0)
            g->sorted[g->n_sorted++] = g->cells[i].sum / g->cells[i].n;
    qsort(g->sorted, g->n_sorted, sizeof *g->sorted, by_value);
    return 1;
}

int laser_layer_grid_make(struct laser_layer_grid *g, const struct laser_scan_row *rows, size_t count,
                          int customary)
{
    char **types = calloc(count + 1, sizeof *types);
    int good = types != NULL;

    memset(g, 0, sizeof *g);
    for (size_t i = 0; good && i < count; ++i)
        if (rows[i].status != LASER_SCAN_SKIPPED)
            good =
                (types[i] = laser_type_display(rows[i].type != NULL ? rows[i].type : rows[i].name)) != NULL;
    good = good && find_axes(g, rows, types, count, customary) && fill_cells(g, rows, types, count);
    for (size_t i = 0; types != NULL && i < count; ++i)
        free(types[i]);
    free(types);
    return good;
}

void laser_layer_grid_free(struct laser_layer_grid *g)
{
    for (size_t i = 0; i < g->n_types; ++i)
        free(g->types[i]);
    free(g->types);
    free(g->layers);
    free(g->cells);
    free(g->sorted);
    memset(g, 0, sizeof *g);
}
