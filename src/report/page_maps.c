#include <stdlib.h>
#include <string.h>

#include "report/page_json.h"

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* `,"KEY/HOW":` */
static void put_choice(struct laser_text *out, const char *key, const char *how)
{
    struct laser_text name = {0};

    laser_text_printf(&name, "%s/%s", key, how);
    out->failed |= name.failed;
    if (!name.failed)
        laser_page_key(out, name.data);
    laser_text_free(&name);
}

static void put_map(struct laser_text *out, const struct laser_map *m)
{
    struct laser_figure f = {0};
    struct laser_text numbers = {0};

    laser_text_puts(out, "[\"");
    for (size_t i = 0; i < m->n_rows * m->n_columns; i++)
        if (m->states[i] != LASER_CELL_ABSENT)
            laser_text_fill(out,
                            m->values[i] != m->values[i]
                                ? '.'
                                : letters[laser_colour_scale_step(&m->scale, m->values[i])],
                            1);
    laser_text_puts(out, "\",");
    laser_colour_scale_numbers(&f, &m->scale, LASER_MAP_BAR, 0);
    laser_figure_shapes(&numbers, &f, 1);
    out->failed |= numbers.failed;
    laser_page_string(out, numbers.data);
    laser_text_printf(out, ",%d]", m->scale.diverging);
    laser_text_free(&numbers);
    laser_figure_free(&f);
}

/* Every metric that a run has. */
static int next_metric(const struct laser_drawing *d, int *run, int *k, const char **key)
{
    for (; *run < d->n_runs; *k = 0, ++*run)
        while (*k < d->table->runs[*run].n_metrics) {
            *key = d->table->runs[*run].metrics[(*k)++].key;
            if (*run == 0 || laser_matrix_metric(&d->table->runs[0], *key) == NULL)
                return 1;
        }
    return 0;
}

static void put_metric(struct laser_text *out, const struct laser_drawing *d, const char *key)
{
    static const char *const names[] = {"auto", "linear", "log", "rank"};

    for (int how = 0; how < LASER_SCALE_HOWS; how++) {
        struct laser_map m;
        if (!laser_map_of_metric(&m, d, key, (enum laser_scale_how)how)) {
            out->failed = 1;
        } else if (how == LASER_SCALE_AUTO) {
            put_choice(out, key, names[how]);
            laser_text_printf(out, "\"%s/%s\"", key, names[m.scale.how]);
        } else if (how == LASER_SCALE_LINEAR || m.kind != LASER_METRIC_SIGNED) {
            put_choice(out, key, names[how]);
            put_map(out, &m);
        }
        laser_map_free(&m);
    }
}

static void put_metrics(struct laser_text *out, struct laser_drawing d, const char *figure)
{
    const char *key;
    int run = 0, k = 0;

    laser_page_key(out, figure);
    laser_text_puts(out, "{\"first\":");
    laser_page_string(out, laser_first_metric(&d));
    while (next_metric(&d, &run, &k, &key))
        put_metric(out, &d, key);
    laser_text_puts(out, "}");
}

static void put_changes(struct laser_text *out, const struct laser_drawing *d)
{
    static const char *const names[] = {"absolute", "relative"};
    const char *key;
    int run = 0, k = 0;

    laser_text_puts(out, ",\n\"change\":{\"first\":");
    laser_page_string(out, laser_first_metric(d));
    while (next_metric(d, &run, &k, &key))
        for (int relative = 0; relative < 2; relative++) {
            struct laser_map m;
            if (laser_map_of_change(&m, d, key, relative)) {
                put_choice(out, key, names[relative]);
                put_map(out, &m);
            } else {
                out->failed = 1;
            }
            laser_map_free(&m);
        }
    laser_text_puts(out, "}");
}

static int has_experts(const struct laser_run_matrices *list, const char *type)
{
    for (size_t i = 0; i < list->n; i++)
        if (list->experts[i] >= 0 && strcmp(list->types[i], type) == 0)
            return 1;
    return 0;
}

static void put_experts(struct laser_text *out, const struct laser_drawing *d)
{
    const struct laser_run_matrices *list = &d->table->runs[0];

    laser_text_puts(out, ",\n\"experts\":{\"first\":");
    laser_page_string(out, laser_first_metric(d));
    for (size_t t = 0; t < d->table->n_types; t++)
        for (int k = 0; k < list->n_metrics && has_experts(list, d->table->types[t]); k++) {
            struct laser_map m;
            if (laser_map_of_experts(&m, d, d->table->types[t], list->metrics[k].key)) {
                put_choice(out, d->table->types[t], list->metrics[k].key);
                put_map(out, &m);
            } else {
                out->failed = 1;
            }
            laser_map_free(&m);
        }
    laser_text_puts(out, "}");
}

void laser_page_maps(struct laser_text *out, const struct laser_drawing *d)
{
    struct laser_drawing second = *d;

    laser_text_puts(out, "\"maps\":{\"format\":1");
    second.which = 1;
    if (d->table->n_types > 0 && laser_first_metric(d) != NULL) {
        put_metrics(out, *d, "map");
        if (d->n_runs == 2) {
            put_metrics(out, second, "map-2");
            put_changes(out, d);
        }
        if (laser_first_expert_type(d->table) != NULL)
            put_experts(out, d);
    }
    laser_text_puts(out, "}");
}
