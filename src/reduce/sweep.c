#include "reduce/sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/paper.h"
#include "base/match.h"

#define MAX_EDITS 1000000

/* What a column stands for: parts of the paper, or (0) one type. */
struct column {
    const char *name;
    unsigned parts;
};

struct building {
    const struct laser_strategy_options *options;
    const struct laser_strategy_matrix *matrices;
    int n_matrices, last_layer;
    bool *gated; /* of each matrix: its layer has a gate */
    struct column *columns;
    struct laser_strategy_plan *plan;
    struct laser_sweep *sweep;
    int *row;            /* matrices of the row at hand */
    int *cell, n_cell;   /* and of the cell */
    int *edit_of;        /* matrix x fraction: number of its edit, -1: none yet */
    int64_t edits_room;  /* of plan->edit_numbers */
    int64_t trials_room; /* of plan->trials, plan->candidates, sweep->places */
};

double laser_sweep_fraction(const char *text)
{
    bool rate = strncmp(text, "rate:", 5) == 0;
    const char *number = rate ? text + 5 : text;
    char *end, decimal[32];
    double value;

    if (*number == '\0' || number[strspn(number, "0123456789.eE+-")] != '\0')
        return NAN;
    value = strtod(number, &end);
    if (*end != '\0' || !isfinite(value))
        return NAN;
    if (rate) {
        /* Through text, so that rate 9.9 is 0.01 and not 0.00999...96. */
        snprintf(decimal, sizeof decimal, "%.12g", (10 - value) / 10);
        value = strtod(decimal, NULL);
    }
    return value >= 0 && value <= 1 ? value : NAN;
}

void laser_sweep_free(struct laser_sweep *s)
{
    for (int i = 0; s->columns != NULL && i < s->n_columns; ++i)
        free(s->columns[i]);
    free(s->columns);
    free(s->layers);
    free(s->fractions);
    free(s->places);
    memset(s, 0, sizeof *s);
}

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for the sweep");
}

static int fill_fractions(struct building *b, struct laser_error *err)
{
    const struct laser_strategy_options *o = b->options;

    if (o->n_fractions < 1)
        return laser_error_set(err, LASER_EUSAGE, "reduce.fractions",
                               "the list is empty: a sweep has nothing to try");
    b->sweep->fractions = calloc((size_t)o->n_fractions, sizeof *b->sweep->fractions);
    if (b->sweep->fractions == NULL)
        return no_memory(err);
    for (int f = 0; f < o->n_fractions; ++f) {
        double value = laser_sweep_fraction(o->fractions[f]);
        if (isnan(value))
            return laser_error_set(
                err, LASER_EUSAGE, "reduce.fractions",
                "%s is neither a share of the rank (0.1) nor a rate of the paper (rate:9.5)",
                o->fractions[f]);
        b->sweep->fractions[f] = value;
    }
    b->sweep->n_fractions = o->n_fractions;
    return LASER_OK;
}

static int row_of(const struct laser_strategy_matrix *m)
{
    return m->layer < 0 ? LASER_SWEEP_NO_LAYER : m->layer;
}

static bool listed(const struct laser_strategy_options *o, int layer, int last)
{
    for (int i = 0; i < o->n_layers; ++i) {
        int from, to, n = sscanf(o->layers[i], "%d-%d", &from, &to);
        if (strcmp(o->layers[i], "-1") == 0)
            continue; /* all at once */
        if (n == 1)
            to = from;
        if (n >= 1 && layer >= (from < 0 ? from + last + 1 : from) && layer <= (to < 0 ? to + last + 1 : to))
            return true;
    }
    return o->n_layers == 0;
}

static int by_row(const void *a, const void *b)
{
    /* Layers upwards, then all at once, then what has none. */
    unsigned x = (unsigned)*(const int *)a, y = (unsigned)*(const int *)b;

    return x < y ? -1 : x > y;
}

static int fill_rows(struct building *b, struct laser_error *err)
{
    struct laser_sweep *s = b->sweep;
    int n = 0;

    s->layers = calloc((size_t)b->n_matrices + 1, sizeof *s->layers);
    if (s->layers == NULL)
        return no_memory(err);
    for (int i = 0; i < b->n_matrices; ++i) {
        int row = row_of(&b->matrices[i]), r = 0;
        if (!b->matrices[i].usable || !listed(b->options, b->matrices[i].layer, b->last_layer))
            continue;
        while (r < n && s->layers[r] != row)
            ++r;
        if (r == n)
            s->layers[n++] = row;
    }
    for (int i = 0; i < b->options->n_layers; ++i)
        if (strcmp(b->options->layers[i], "-1") == 0) {
            s->layers[n++] = LASER_SWEEP_ALL_LAYERS;
            break;
        }
    qsort(s->layers, (size_t)n, sizeof *s->layers, by_row);
    s->n_rows = n;
    return LASER_OK;
}

static int add_column(struct building *b, const char *name, unsigned parts, struct laser_error *err)
{
    struct laser_sweep *s = b->sweep;

    for (int c = 0; c < s->n_columns; ++c)
        if (strcmp(b->columns[c].name, name) == 0)
            return LASER_OK;
    s->columns[s->n_columns] = strdup(name);
    if (s->columns[s->n_columns] == NULL)
        return no_memory(err);
    b->columns[s->n_columns++] = (struct column){.name = name, .parts = parts};
    return LASER_OK;
}

static int add_types(struct building *b, const char *glob, struct laser_error *err)
{
    int code = LASER_OK;

    for (int i = 0; code == LASER_OK && i < b->n_matrices; ++i)
        if (b->matrices[i].usable && (glob == NULL || laser_glob_match(glob, b->matrices[i].type)))
            code = add_column(b, b->matrices[i].type, 0, err);
    return code;
}

static int fill_columns(struct building *b, struct laser_error *err)
{
    const struct laser_strategy_options *o = b->options;
    size_t room = (size_t)b->n_matrices + (size_t)o->n_types + 1;
    int code = LASER_OK;

    b->columns = calloc(room, sizeof *b->columns);
    b->sweep->columns = calloc(room, sizeof *b->sweep->columns);
    if (b->columns == NULL || b->sweep->columns == NULL)
        return no_memory(err);
    if (o->n_types == 0)
        return add_types(b, NULL, err);
    for (int t = 0; code == LASER_OK && t < o->n_types; ++t) {
        unsigned parts = laser_paper_parse(o->types[t]);
        code = parts != 0 ? add_column(b, o->types[t], parts, err) : add_types(b, o->types[t], err);
    }
    return code;
}

/* Layers with a gate, and with them the matrices of such layers. */
static int find_gates(struct building *b, struct laser_error *err)
{
    bool *layer_gated;

    b->last_layer = -1;
    for (int i = 0; i < b->n_matrices; ++i)
        if (b->matrices[i].layer > b->last_layer)
            b->last_layer = b->matrices[i].layer;
    layer_gated = calloc((size_t)b->last_layer + 2, sizeof *layer_gated);
    b->gated = calloc((size_t)b->n_matrices + 1, sizeof *b->gated);
    if (layer_gated == NULL || b->gated == NULL) {
        free(layer_gated);
        return no_memory(err);
    }
    for (int i = 0; i < b->n_matrices; ++i)
        if (b->matrices[i].layer >= 0 && laser_paper_is_gate(b->matrices[i].type))
            layer_gated[b->matrices[i].layer] = true;
    for (int i = 0; i < b->n_matrices; ++i)
        b->gated[i] = b->matrices[i].layer >= 0 && layer_gated[b->matrices[i].layer];
    free(layer_gated);
    return LASER_OK;
}

static bool in_row(const struct building *b, const struct laser_strategy_matrix *m, int row)
{
    int layer = b->sweep->layers[row];

    return m->usable && (layer == LASER_SWEEP_ALL_LAYERS ? m->layer >= 0 : row_of(m) == layer);
}

static bool in_column(const struct building *b, int matrix, const struct column *column)
{
    const struct laser_strategy_matrix *m = &b->matrices[matrix];

    if (column->parts == 0)
        return strcmp(m->type, column->name) == 0;
    return m->layer >= 0 && (laser_paper_parts(m->type, b->gated[matrix]) & column->parts) != 0;
}

/* Does an earlier cell of the row edit the same matrices? */
static bool is_known(const struct building *b, int row)
{
    for (int t = b->plan->n_trials - b->sweep->n_fractions; t >= 0 && b->sweep->places[t].row == row;
         t -= b->sweep->n_fractions) {
        const struct laser_search_trial *trial = &b->plan->trials[t];
        int i = 0;
        if (trial->n_edits != b->n_cell)
            continue;
        while (i < b->n_cell &&
               b->plan->edits[b->plan->edit_numbers[trial->first_edit + i]].matrix == b->cell[i])
            ++i;
        if (i == b->n_cell)
            return true;
    }
    return false;
}

/* Grows an array to room for more elements; 0 on failure. */
static bool grow(void **array, size_t size, int64_t *room, int64_t wanted)
{
    int64_t more = *room > 0 ? *room : 64;
    void *grown;

    if (wanted <= *room)
        return true;
    while (more < wanted)
        more *= 2;
    grown = realloc(*array, (size_t)more * size);
    if (grown == NULL)
        return false;
    *array = grown;
    *room = more;
    return true;
}

static bool make_room(struct building *b)
{
    struct laser_strategy_plan *p = b->plan;
    int64_t trials = p->n_trials + (int64_t)b->sweep->n_fractions,
            room[3] = {b->trials_room, b->trials_room, b->trials_room};
    bool good = grow((void **)&p->edit_numbers, sizeof *p->edit_numbers, &b->edits_room,
                     p->n_edit_numbers + (int64_t)b->n_cell * b->sweep->n_fractions) &&
                grow((void **)&p->trials, sizeof *p->trials, &room[0], trials) &&
                grow((void **)&p->candidates, sizeof *p->candidates, &room[1], trials) &&
                grow((void **)&b->sweep->places, sizeof *b->sweep->places, &room[2], trials);

    b->trials_room = room[2];
    return good;
}

/* The edit of one matrix, shared by all cells that have it. */
static int edit_number(struct building *b, int matrix, int fraction)
{
    int *number = &b->edit_of[(size_t)matrix * (size_t)b->sweep->n_fractions + (size_t)fraction];

    if (*number < 0) {
        char text[48];

        snprintf(text, sizeof text, "rank:%.12g", b->sweep->fractions[fraction]);
        /* A share between 0 and 1 reads back. */
        (void)laser_strategy_edit_set(&b->plan->edits[b->plan->n_edits], matrix, text, NULL);
        *number = b->plan->n_edits++;
    }
    return *number;
}

static int add_cell(struct building *b, int row, int column, struct laser_error *err)
{
    struct laser_strategy_plan *p = b->plan;

    if (b->n_cell > LASER_SEARCH_MAX_EDITS)
        return laser_error_set(err, LASER_EUSAGE, "reduce.types",
                               "%s has %d matrices at once, at most %d are possible",
                               b->sweep->columns[column], b->n_cell, LASER_SEARCH_MAX_EDITS);
    if (p->n_edit_numbers + (int64_t)b->n_cell * b->sweep->n_fractions > MAX_EDITS)
        return laser_error_set(err, LASER_EUSAGE, "reduce", "more than %d edits to try", MAX_EDITS);
    if (!make_room(b))
        return no_memory(err);
    for (int f = 0; f < b->sweep->n_fractions; ++f) {
        int first = p->n_edit_numbers;
        for (int i = 0; i < b->n_cell; ++i)
            p->edit_numbers[p->n_edit_numbers++] = edit_number(b, b->cell[i], f);
        p->candidates[p->n_candidates++] =
            (struct laser_search_candidate){.first_trial = p->n_trials, .n_trials = 1};
        p->trials[p->n_trials++] = (struct laser_search_trial){.first_edit = first, .n_edits = b->n_cell};
        b->sweep->places[b->sweep->n_places++] =
            (struct laser_sweep_place){.row = row, .column = column, .fraction = f};
    }
    return LASER_OK;
}

static int fill_row(struct building *b, int row, struct laser_error *err)
{
    int n = 0, code = LASER_OK;

    for (int i = 0; i < b->n_matrices; ++i)
        if (in_row(b, &b->matrices[i], row))
            b->row[n++] = i;
    for (int column = 0; code == LASER_OK && column < b->sweep->n_columns; ++column) {
        b->n_cell = 0;
        for (int i = 0; i < n; ++i)
            if (in_column(b, b->row[i], &b->columns[column]))
                b->cell[b->n_cell++] = b->row[i];
        if (b->n_cell == 0)
            continue;
        if (is_known(b, row))
            ++b->sweep->n_same;
        else
            code = add_cell(b, row, column, err);
    }
    return code;
}

static int fill_cells(struct building *b, struct laser_error *err)
{
    size_t n = (size_t)b->n_matrices * (size_t)b->sweep->n_fractions + 1;
    int code = LASER_OK;

    b->row = calloc((size_t)b->n_matrices + 1, sizeof *b->row);
    b->cell = calloc((size_t)b->n_matrices + 1, sizeof *b->cell);
    b->edit_of = malloc(n * sizeof *b->edit_of);
    b->plan->edits = calloc(n, sizeof *b->plan->edits);
    if (b->row == NULL || b->cell == NULL || b->edit_of == NULL || b->plan->edits == NULL)
        return no_memory(err);
    memset(b->edit_of, 0xff, n * sizeof *b->edit_of);
    for (int row = 0; code == LASER_OK && row < b->sweep->n_rows; ++row)
        code = fill_row(b, row, err);
    return code;
}

int laser_sweep_build(const struct laser_strategy_options *options,
                      const struct laser_strategy_matrix *matrices, int n_matrices,
                      struct laser_strategy_plan *plan, struct laser_sweep *sweep, struct laser_error *err)
{
    struct building b = {
        .options = options, .matrices = matrices, .n_matrices = n_matrices, .plan = plan, .sweep = sweep};
    int code;

    memset(plan, 0, sizeof *plan);
    memset(sweep, 0, sizeof *sweep);
    code = fill_fractions(&b, err);
    if (code == LASER_OK)
        code = find_gates(&b, err);
    if (code == LASER_OK)
        code = fill_rows(&b, err);
    if (code == LASER_OK)
        code = fill_columns(&b, err);
    if (code == LASER_OK)
        code = fill_cells(&b, err);
    free(b.gated);
    free(b.columns);
    free(b.row);
    free(b.cell);
    free(b.edit_of);
    if (code != LASER_OK) {
        laser_strategy_free(plan);
        laser_sweep_free(sweep);
    }
    return code;
}
