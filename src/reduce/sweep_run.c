/* The LASER protocol's part of `reduce`: the table of a sweep, its winner, the composition. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mcnemar.h"
#include "reduce/reduce.h"
#include "report/sweep_map.h"
#include "run/terminal.h"
#include "store/results.h"
#include "store/sweep_table.h"

/* Names of the paper that stand for nothing in this model, cells that are the same. */
static void say_what_is_left_out(const struct laser_run *run, const struct laser_sweep *s)
{
    for (int c = 0; c < s->n_columns; ++c) {
        int p = 0;
        while (p < s->n_places && s->places[p].column != c)
            ++p;
        if (p == s->n_places)
            laser_log_line(run->log, "SWEEP", "%s: no matrix of its own in these layers of this model",
                           s->columns[c]);
    }
    if (s->n_same > 0)
        laser_log_line(run->log, "SWEEP", "%d cells are left out: another name edits the same matrices",
                       s->n_same);
}

int laser_reduction_sweep_plan(const struct laser_run *run, const struct laser_strategy_options *options,
                               const struct laser_strategy_matrix *matrices, int n,
                               struct laser_strategy_plan *plan, struct laser_sweep *cells,
                               struct laser_error *err)
{
    int code = laser_sweep_build(options, matrices, n, plan, cells, err);

    if (code != LASER_OK)
        return code;
    if (plan->n_candidates == 0)
        return laser_error_set(
            err, LASER_EUSAGE, "reduce.types, reduce.layers",
            "no matrix that can be edited is named by both; the model's types and layers are in "
            "the table of `laser_mpi scan`");
    laser_log_line(run->log, "SWEEP",
                   "%d layers x %d types x %d fractions: %d edits of %d matrices and fractions",
                   cells->n_rows, cells->n_columns, cells->n_fractions, plan->n_candidates, plan->n_edits);
    say_what_is_left_out(run, cells);
    return LASER_OK;
}

/* The place of a trial of the plan that is searched now; NULL if it is no sweep. */
static const struct laser_sweep_place *place_of(const struct laser_reduction_search *s, int trial)
{
    const struct laser_search_trial *mine = &s->now->trials[trial];

    if (s->trials->cells.n_places == 0)
        return NULL;
    if (s->now == &s->trials->plan)
        return &s->trials->cells.places[trial];
    for (int t = 0; t < s->trials->plan.n_trials; ++t) {
        const struct laser_search_trial *other = &s->trials->plan.trials[t];
        if (other->n_edits == mine->n_edits &&
            memcmp(s->trials->plan.edit_numbers + other->first_edit, s->now->edit_numbers + mine->first_edit,
                   (size_t)mine->n_edits * sizeof *s->trials->plan.edit_numbers) == 0)
            return &s->trials->cells.places[t];
    }
    return NULL;
}

static json_t *layer_json(const struct laser_sweep *s, int row)
{
    if (s->layers[row] == LASER_SWEEP_ALL_LAYERS)
        return json_string("all");
    return s->layers[row] == LASER_SWEEP_NO_LAYER ? json_null() : json_integer(s->layers[row]);
}

void laser_reduction_sweep_describe(const struct laser_reduction_search *s, int trial, json_t *decision)
{
    const struct laser_sweep_place *place = place_of(s, trial);

    if (place == NULL)
        return;
    json_object_set_new(decision, "layer", layer_json(&s->trials->cells, place->row));
    json_object_set_new(decision, "type", json_string(s->trials->cells.columns[place->column]));
    json_object_set_new(decision, "fraction", json_real(s->trials->cells.fractions[place->fraction]));
}

void laser_reduction_sweep_label(const struct laser_reduction_search *s, int trial, char *label, size_t size)
{
    const struct laser_sweep_place *place = place_of(s, trial);
    int n = s->now->trials[trial].n_edits;
    int32_t first = s->now->edit_numbers[s->now->trials[trial].first_edit];
    char row[24];

    if (place == NULL || n == 1) {
        snprintf(label, size, "%s",
                 s->setup->run->matrices.matrices[s->trials->plan.edits[first].matrix].name);
        return;
    }
    laser_sweep_row_name(&s->trials->cells, place->row, row);
    snprintf(label, size, "%s %s (%d matrices)", row, s->trials->cells.columns[place->column], n);
}

/* ---- the table ---- */

/* L x T x F and L x T numbers of a sweep. */
struct table {
    double *gain, *error, *best_gain, *best_fraction;
};

static void free_table(struct table *t)
{
    free(t->gain);
    free(t->error);
    free(t->best_gain);
    free(t->best_fraction);
}

static double *make_nans(size_t n)
{
    double *x = malloc((n + 1) * sizeof *x);

    for (size_t i = 0; x != NULL && i < n; ++i)
        x[i] = NAN;
    return x;
}

static double number_of(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);

    return json_is_number(v) ? json_number_value(v) : NAN;
}

/* The decision on a trial of the sweep: they stand in the order of the candidates, of which a screening
 * leaves some out.  NULL: left out. */
static const json_t *decision_of(const struct laser_reduction_search *s, const json_t *decisions, int trial)
{
    for (int c = 0; c < s->trials->plan.n_candidates; ++c)
        if (s->trials->plan.candidates[c].first_trial == trial)
            return json_array_get(decisions, (size_t)c);
    return NULL;
}

static int fill_table(const struct laser_reduction_search *s, const json_t *decisions, struct table *t)
{
    const struct laser_sweep *cells = &s->trials->cells;
    size_t n_cells = (size_t)cells->n_rows * (size_t)cells->n_columns,
           n = n_cells * (size_t)cells->n_fractions;

    t->gain = make_nans(n);
    t->error = make_nans(n);
    t->best_gain = make_nans(n_cells);
    t->best_fraction = make_nans(n_cells);
    if (t->gain == NULL || t->error == NULL || t->best_gain == NULL || t->best_fraction == NULL)
        return LASER_ENOMEM;
    for (int p = 0; p < cells->n_places; ++p) {
        const struct laser_sweep_place *place = &cells->places[p];
        const json_t *d = decision_of(s, decisions, p);
        size_t cell = (size_t)place->row * (size_t)cells->n_columns + (size_t)place->column;
        size_t i = cell * (size_t)cells->n_fractions + (size_t)place->fraction;
        t->gain[i] = 0 - number_of(d, "difference");
        t->error[i] = number_of(d, "difference_stderr");
        if (p == laser_sweep_best(cells, s->trial_means, place->row, place->column)) {
            t->best_gain[cell] = t->gain[i];
            t->best_fraction[cell] = cells->fractions[place->fraction];
        }
    }
    return LASER_OK;
}

static json_t *number_json(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

/* Rows of a matrix of numbers. */
static json_t *grid_json(const double *x, int n_rows, int n_columns)
{
    json_t *rows = json_array();

    for (int i = 0; i < n_rows; ++i) {
        json_t *row = json_array();
        for (int j = 0; j < n_columns; ++j)
            json_array_append_new(row, number_json(x[i * n_columns + j]));
        json_array_append_new(rows, row);
    }
    return rows;
}

static json_t *table_json(const struct laser_reduction_search *s, const struct table *t)
{
    const struct laser_sweep *cells = &s->trials->cells;
    json_t *layers = json_array(), *types = json_array(), *fractions = json_array();

    for (int i = 0; i < cells->n_rows; ++i)
        json_array_append_new(layers, layer_json(cells, i));
    for (int i = 0; i < cells->n_columns; ++i)
        json_array_append_new(types, json_string(cells->columns[i]));
    for (int i = 0; i < cells->n_fractions; ++i)
        json_array_append_new(fractions, json_real(cells->fractions[i]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "unit",
                     laser_reduction_has_ppl(s->setup) ? "nats per token" : laser_reduction_unit(s->setup),
                     "layers", layers, "types", types, "fractions", fractions, "gain",
                     grid_json(t->best_gain, cells->n_rows, cells->n_columns), "fraction",
                     grid_json(t->best_fraction, cells->n_rows, cells->n_columns));
}

static int store_table(const struct laser_reduction_search *s, const struct table *t, struct laser_error *err)
{
    const struct laser_sweep *cells = &s->trials->cells;
    int64_t *layers = calloc((size_t)cells->n_rows + 1, sizeof *layers);
    struct laser_spectra_sweep out = {.layers = layers,
                                      .n_layers = cells->n_rows,
                                      .types = (const char *const *)cells->columns,
                                      .n_types = cells->n_columns,
                                      .fractions = cells->fractions,
                                      .n_fractions = cells->n_fractions,
                                      .gain = t->gain,
                                      .error = t->error,
                                      .best_gain = t->best_gain,
                                      .best_fraction = t->best_fraction};
    int code;

    if (layers == NULL)
        return laser_error_set(err, LASER_ENOMEM, "spectra.h5", "no memory");
    for (int i = 0; i < cells->n_rows; ++i)
        layers[i] = cells->layers[i];
    code = laser_spectra_sweep(laser_run_path(s->setup->run, "spectra.h5"), &out, err);
    free(layers);
    return code;
}

static void say_map(const struct laser_reduction_search *s, const json_t *table)
{
    struct laser_heat_style style = {.width = laser_terminal_style().width,
                                     .colours = laser_terminal_is_watched()};
    struct laser_text text = {0};

    laser_text_puts(&text, "\n");
    laser_sweep_map(&text, table, &style);
    laser_text_puts(&text, "\n");
    if (text.data != NULL && !text.failed)
        laser_log_block(s->setup->run->log, text.data);
    laser_text_free(&text);
}

/* Would the edit pass the keep rule, which knows how many were tried? */
static bool beyond_chance(const struct laser_reduction_search *s, const json_t *d)
{
    double z = laser_search_z(laser_keep_rule_tried(s->trials));

    if (laser_objective_share(&s->setup->e->objective) >= 0)
        return laser_mcnemar_p(json_integer_value(json_object_get(d, "better")),
                               json_integer_value(json_object_get(d, "worse"))) < laser_normal_tail(z);
    return number_of(d, "difference") < -z * number_of(d, "difference_stderr");
}

static void say_winner(const struct laser_reduction_search *s, const json_t *decisions)
{
    const json_t *d = decision_of(s, decisions, s->winner);
    char label[160], gain[LASER_NUMBER_SIZE], error[LASER_NUMBER_SIZE];

    if (s->winner < 0) {
        laser_log_line(s->setup->run->log, "SWEEP",
                       "no winner: no single edit is better on the selection than the model as it is");
        return;
    }
    laser_reduction_sweep_label(s, s->winner, label, sizeof label);
    laser_log_line(s->setup->run->log, "SWEEP",
                   "best single edit: %s %s, gain %s +- %s %s on the selection: %s", label,
                   json_string_value(json_object_get(d, "edit")),
                   laser_reduction_change(s->setup, 0 - number_of(d, "difference"), gain),
                   laser_reduction_figure(s->setup, number_of(d, "difference_stderr"), error),
                   laser_reduction_unit(s->setup),
                   beyond_chance(s, d) ? "more than chance gives the best of so many"
                                       : "chance alone may give the best of so many that");
}

int laser_reduction_sweep_measured(struct laser_reduction_search *s, struct laser_error *err)
{
    struct table t = {0};
    int code = fill_table(s, s->decisions, &t);

    if (code != LASER_OK) {
        free_table(&t);
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for the table of the sweep");
    }
    code = store_table(s, &t, err);
    s->table = table_json(s, &t);
    free_table(&t);
    if (code == LASER_OK && s->table == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for the table of the sweep");
    s->winner = laser_sweep_winner(&s->trials->cells, s->trial_means, s->base_mean);
    if (code == LASER_OK) {
        say_map(s, s->table);
        say_winner(s, s->decisions);
    }
    return code;
}

int laser_reduction_sweep_compose(struct laser_reduction_search *s, struct laser_error *err)
{
    int code = laser_sweep_compose(&s->trials->cells, &s->trials->plan, s->trial_means, s->base_mean,
                                   &s->composed, err);

    if (code != LASER_OK)
        return code;
    laser_log_line(s->setup->run->log, "COMPOSE", "%d of %d cells have an edit with a better mean alone",
                   s->composed.n_candidates, s->trials->plan.n_trials / s->trials->cells.n_fractions);
    s->sweep = s->decisions;
    s->decisions = NULL;
    s->now = &s->composed;
    return LASER_OK;
}

/* ---- the end ---- */

#define LISTED 10

static void name_of(const json_t *d, char *name, size_t size)
{
    const json_t *layer = json_object_get(d, "layer");
    const char *type = json_string_value(json_object_get(d, "type"));

    if (json_integer_value(json_object_get(d, "edits")) == 1)
        snprintf(name, size, "%s", json_string_value(json_object_get(d, "tensor")));
    else if (json_is_integer(layer))
        snprintf(name, size, "layer %lld %s", (long long)json_integer_value(layer), type);
    else
        snprintf(name, size, "all layers %s", type);
}

void laser_reduction_sweep_list(const struct laser_reduction_search *s)
{
    const json_t *list = s->sweep != NULL ? s->sweep : s->decisions;
    int *order = calloc((size_t)s->trials->cells.n_places + 1, sizeof *order);
    int n = order != NULL ? laser_sweep_rank(&s->trials->cells, s->trial_means, order) : 0;
    char name[256], gain[LASER_NUMBER_SIZE];

    for (int i = 0; i < n && i < LISTED; ++i) {
        const json_t *d = decision_of(s, list, order[i]);
        name_of(d, name, sizeof name);
        laser_log_line(s->setup->run->log, "SWEEP", "%2d. %-44s %-10s gain %s +- %.1e", i + 1, name,
                       json_string_value(json_object_get(d, "edit")),
                       laser_number_change_power(0 - number_of(d, "difference"), 2, gain),
                       number_of(d, "difference_stderr"));
    }
    if (n > LISTED)
        laser_log_line(s->setup->run->log, "SWEEP", "and %d more, all in results.json and spectra.h5",
                       n - LISTED);
    free(order);
}

static void say_reported(const struct laser_reduction *r, const char *what,
                         const struct laser_reported *reported, const char *verdict)
{
    char gain[LASER_NUMBER_SIZE], error[LASER_NUMBER_SIZE];

    laser_log_line(r->setup.run->log, "RESULT", "%-36s %s +- %s %s: %s", what,
                   laser_reduction_change(&r->setup, 0 - reported->difference, gain),
                   laser_reduction_figure(&r->setup, reported->error, error), laser_reduction_unit(&r->setup),
                   verdict);
}

void laser_reduction_sweep_say(const struct laser_reduction *r)
{
    if (r->search.winner >= 0 && r->setup.has_report)
        say_reported(r, "best single edit on the report part:", &r->report.winner,
                     laser_reduction_verdict(&r->setup, &r->report.winner));
    if (r->search.sweep != NULL && r->setup.has_report)
        say_reported(r, "composition on the report part:", &r->report.kept,
                     r->search.n_kept == 0 ? "nothing was kept"
                                           : laser_reduction_verdict(&r->setup, &r->report.kept));
}

int laser_reduction_sweep_results(const struct laser_reduction *r, json_t *results)
{
    const json_t *list = r->search.sweep != NULL ? r->search.sweep : r->search.decisions;
    json_t *winner;
    int bad = json_object_set(results, "sweep_table", r->search.table);

    if (r->search.winner < 0)
        return bad;
    winner = json_deep_copy(decision_of(&r->search, list, r->search.winner));
    bad |= json_object_set_new(winner, "beyond_chance", json_boolean(beyond_chance(&r->search, winner)));
    if (r->setup.has_report) {
        json_t *report = json_pack("{s:o, s:o, s:s}", "difference", number_json(r->report.winner.difference),
                                   "difference_stderr", number_json(r->report.winner.error), "verdict",
                                   laser_reduction_verdict(&r->setup, &r->report.winner));
        bad |= json_object_set_new(winner, "report", report);
    }
    return bad | json_object_set_new(results, "sweep_winner", winner);
}
