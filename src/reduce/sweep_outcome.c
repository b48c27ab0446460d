/* What follows from the means of a sweep's trials. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/sweep.h"

struct key {
    double mean, fraction;
    int trial;
};

static struct key key_of(const struct laser_sweep *s, const double *means, int trial)
{
    return (struct key){means[trial], s->fractions[s->places[trial].fraction], trial};
}

static int by_mean(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    if (x->mean != y->mean)
        return x->mean < y->mean ? -1 : 1;
    if (x->fraction != y->fraction)
        return x->fraction < y->fraction ? -1 : 1;
    return x->trial < y->trial ? -1 : x->trial > y->trial;
}

/* The better one of a known trial and the best so far (-1: none yet). */
static int better(const struct laser_sweep *s, const double *means, int trial, int best)
{
    struct key mine, other;

    if (isnan(means[trial]) || best < 0)
        return isnan(means[trial]) ? best : trial;
    mine = key_of(s, means, trial);
    other = key_of(s, means, best);
    return by_mean(&mine, &other) < 0 ? trial : best;
}

int laser_sweep_best(const struct laser_sweep *s, const double *means, int row, int column)
{
    int best = -1;

    for (int t = 0; t < s->n_places; ++t)
        if (s->places[t].row == row && s->places[t].column == column)
            best = better(s, means, t, best);
    return best;
}

int laser_sweep_rank(const struct laser_sweep *s, const double *means, int *order)
{
    struct key *keys = malloc(((size_t)s->n_places + 1) * sizeof *keys);
    int n = 0;

    if (keys == NULL)
        return -1;
    for (int t = 0; t < s->n_places; ++t)
        if (!isnan(means[t]))
            keys[n++] = key_of(s, means, t);
    qsort(keys, (size_t)n, sizeof *keys, by_mean);
    for (int i = 0; i < n; ++i)
        order[i] = keys[i].trial;
    free(keys);
    return n;
}

int laser_sweep_winner(const struct laser_sweep *s, const double *means, double base_mean)
{
    int best = -1;

    for (int t = 0; t < s->n_places; ++t)
        best = better(s, means, t, best);
    return best >= 0 && means[best] < base_mean ? best : -1;
}

static bool shares_a_matrix(const struct laser_strategy_plan *plan,
                            const struct laser_strategy_plan *composed,
                            const struct laser_search_trial *trial)
{
    for (int i = 0; i < composed->n_edit_numbers; ++i)
        for (int j = 0; j < trial->n_edits; ++j)
            if (plan->edits[composed->edit_numbers[i]].matrix ==
                plan->edits[plan->edit_numbers[trial->first_edit + j]].matrix)
                return true;
    return false;
}

int laser_sweep_compose(const struct laser_sweep *s, const struct laser_strategy_plan *plan,
                        const double *means, double base_mean, struct laser_strategy_plan *composed,
                        struct laser_error *err)
{
    struct key *keys = malloc(((size_t)s->n_places + 1) * sizeof *keys);
    int n = 0;

    memset(composed, 0, sizeof *composed);
    composed->trials = calloc((size_t)plan->n_trials + 1, sizeof *composed->trials);
    composed->candidates = calloc((size_t)plan->n_trials + 1, sizeof *composed->candidates);
    composed->edit_numbers = calloc((size_t)plan->n_edit_numbers + 1, sizeof *composed->edit_numbers);
    if (keys == NULL || composed->trials == NULL || composed->candidates == NULL ||
        composed->edit_numbers == NULL) {
        free(keys);
        laser_strategy_free(composed);
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for the composition");
    }
    for (int row = 0; row < s->n_rows; ++row)
        for (int column = 0; column < s->n_columns; ++column) {
            int t = laser_sweep_best(s, means, row, column);
            if (t >= 0 && means[t] < base_mean)
                keys[n++] = key_of(s, means, t);
        }
    qsort(keys, (size_t)n, sizeof *keys, by_mean);
    for (int i = 0; i < n; ++i) {
        const struct laser_search_trial *trial = &plan->trials[keys[i].trial];
        int c = composed->n_candidates;
        if (shares_a_matrix(plan, composed, trial))
            continue;
        composed->candidates[c] = (struct laser_search_candidate){.first_trial = c, .n_trials = 1};
        composed->trials[c] =
            (struct laser_search_trial){.first_edit = composed->n_edit_numbers, .n_edits = trial->n_edits};
        for (int e = 0; e < trial->n_edits; ++e)
            composed->edit_numbers[composed->n_edit_numbers++] = plan->edit_numbers[trial->first_edit + e];
        composed->n_trials = ++composed->n_candidates;
    }
    free(keys);
    return LASER_OK;
}

void laser_sweep_row_name(const struct laser_sweep *s, int row, char name[24])
{
    if (s->layers[row] == LASER_SWEEP_ALL_LAYERS)
        snprintf(name, 24, "all layers");
    else if (s->layers[row] == LASER_SWEEP_NO_LAYER)
        snprintf(name, 24, "no layer");
    else
        snprintf(name, 24, "layer %d", s->layers[row]);
}
