#include "reduce/refine.h"

#include <math.h>
#include <stdlib.h>

/* Of the fraction that promises most: what the first measurements of a cell are made at. */
static const double depths[] = {1, 0.5, 0.25};

enum { DEPTHS = sizeof depths / sizeof *depths, BEST_CELLS = 2, NEW_CELLS = 3 };

struct trial {
    double fraction;
    int number; /* of the plan */
    bool asked;
};

/* The trials of a row and a column. */
struct cell {
    struct trial *trials; /* by fraction, smallest first */
    int n, place;
    int start, best; /* the trial that promises most, and the best that was measured; -1: none */
    double promise, mean;
};

struct rounds {
    const struct laser_sweep *sweep;
    const struct laser_refine_state *state;
    struct trial *trials;
    struct cell *cells;
    int n_cells;
    int left, *out, n;
};

static int by_fraction(const void *a, const void *b)
{
    const struct trial *x = a, *y = b;

    if (x->fraction < y->fraction || x->fraction > y->fraction)
        return x->fraction < y->fraction ? -1 : 1;
    return x->number - y->number;
}

static int by_promise(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;

    if (x->promise < y->promise || x->promise > y->promise)
        return x->promise < y->promise ? -1 : 1;
    return x->place - y->place;
}

static int by_mean(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;

    if (x->mean < y->mean || x->mean > y->mean)
        return x->mean < y->mean ? -1 : 1;
    return x->place - y->place;
}

/* What is predicted of a cell's trials and known of them; trials in the order of their fractions. */
static void look_at(const struct rounds *r, struct cell *c)
{
    qsort(c->trials, (size_t)c->n, sizeof *c->trials, by_fraction);
    c->start = c->best = -1;
    c->promise = c->mean = INFINITY;
    for (int i = c->n - 1; i >= 0; --i) {
        double change = r->state->changes[c->trials[i].number], mean = r->state->means[c->trials[i].number];

        if (isfinite(change) && change < c->promise) {
            c->promise = change;
            c->start = i;
        }
        if (c->trials[i].asked && (c->best < 0 || mean < c->mean)) {
            c->best = i;
            c->mean = isfinite(mean) ? mean : INFINITY;
        }
    }
}

static void find_cells(struct rounds *r)
{
    const struct laser_sweep *s = r->sweep;

    for (int p = 0; p < s->n_places; ++p) {
        const struct laser_sweep_place *place = &s->places[p];

        if (p == 0 || place->row != s->places[p - 1].row || place->column != s->places[p - 1].column)
            r->cells[r->n_cells++] = (struct cell){.trials = r->trials + p, .place = p};
        r->trials[p] = (struct trial){s->fractions[place->fraction], p, r->state->asked[p] != 0};
        r->left -= r->state->asked[p] != 0;
        ++r->cells[r->n_cells - 1].n;
    }
    for (int c = 0; c < r->n_cells; ++c)
        look_at(r, &r->cells[c]);
}

static void ask(struct rounds *r, struct trial *t)
{
    if (t->asked || r->left == 0)
        return;
    t->asked = true;
    r->out[r->n++] = t->number;
    --r->left;
}

/* A cell that nothing is known of yet. */
static void begin(struct rounds *r, struct cell *c)
{
    for (int d = 0; d < DEPTHS; ++d) {
        double wanted = c->trials[c->start].fraction * depths[d], least = INFINITY;
        int nearest = c->start;

        for (int i = 0; i < c->n && wanted > 0; ++i) {
            double far = c->trials[i].fraction > 0 ? fabs(log(c->trials[i].fraction / wanted)) : INFINITY;
            if (far < least) {
                least = far;
                nearest = i;
            }
        }
        ask(r, &c->trials[nearest]);
    }
}

static void begin_cells(struct rounds *r, int n)
{
    qsort(r->cells, (size_t)r->n_cells, sizeof *r->cells, by_promise);
    for (int c = 0; c < r->n_cells && n > 0; ++c)
        if (r->cells[c].best < 0 && r->cells[c].start >= 0) {
            begin(r, &r->cells[c]);
            --n;
        }
}

/* Halves the gaps beside the best trial. */
static void halve(struct rounds *r, struct cell *c)
{
    int below = c->best - 1, above = c->best + 1;

    while (below >= 0 && !c->trials[below].asked)
        --below;
    while (above < c->n && !c->trials[above].asked)
        ++above;
    if (c->best - below > 1)
        ask(r, &c->trials[below >= 0 ? (below + c->best) / 2 : c->best / 2]);
    if (above - c->best > 1)
        ask(r, &c->trials[above < c->n ? (c->best + above + 1) / 2 : (c->best + c->n) / 2]);
}

static void refine(struct rounds *r, int n)
{
    qsort(r->cells, (size_t)r->n_cells, sizeof *r->cells, by_mean);
    for (int c = 0; c < r->n_cells && c < n && r->cells[c].best >= 0; ++c)
        halve(r, &r->cells[c]);
}

/* What is left of the best cell that has anything left, nearest to its best trial first. */
static void ask_rest(struct rounds *r)
{
    for (int c = 0; c < r->n_cells && r->n == 0; ++c) {
        struct cell *cell = &r->cells[c];

        for (int far = 1; cell->best >= 0 && far < cell->n && r->n < BEST_CELLS; ++far) {
            if (cell->best - far >= 0)
                ask(r, &cell->trials[cell->best - far]);
            if (cell->best + far < cell->n)
                ask(r, &cell->trials[cell->best + far]);
        }
    }
}

int laser_refine_next(const struct laser_sweep *sweep, const struct laser_refine_state *state, int *trials,
                      int *n, struct laser_error *err)
{
    struct rounds r = {.sweep = sweep, .state = state, .left = state->evaluations, .out = trials};
    int first = state->evaluations / (2 * DEPTHS);

    *n = 0;
    r.trials = calloc((size_t)sweep->n_places + 1, sizeof *r.trials);
    r.cells = calloc((size_t)sweep->n_places + 1, sizeof *r.cells);
    if (r.trials == NULL || r.cells == NULL) {
        free(r.trials);
        free(r.cells);
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d edits", sweep->n_places);
    }
    find_cells(&r);
    if (r.left == state->evaluations)
        begin_cells(&r, first > 0 ? first : 1);
    else
        refine(&r, BEST_CELLS);
    if (r.n == 0)
        begin_cells(&r, NEW_CELLS);
    if (r.n == 0)
        refine(&r, r.n_cells);
    if (r.n == 0)
        ask_rest(&r);
    *n = r.n;
    free(r.trials);
    free(r.cells);
    return LASER_OK;
}
