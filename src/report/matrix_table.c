#include "report/matrix_table.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/decisions.h"
#include "report/layer_grid.h"

const struct laser_metric_text laser_metric_texts[] = {
    {"score", "score", "what matrices are ranked by", LASER_METRIC_PLAIN},
    {"snr", "SNR", "sum of the singular values that are kept / sum of the others", LASER_METRIC_PLAIN},
    {"snr_normalized", "SNR / largest value", "SNR divided by the largest singular value",
     LASER_METRIC_PLAIN},
    {"kept_share", "rank kept", "share of the singular values above the threshold", LASER_METRIC_SHARE},
    {"rank", "rank kept, count", "singular values above the threshold", LASER_METRIC_COUNT},
    {"kept_after", "rank left by the kept edits", "singular values that stay above 0 in the written model",
     LASER_METRIC_SHARE},
    {"difference", "change of loss",
     "change of the mean loss (nats per token) by the best edit that was tried", LASER_METRIC_SIGNED},
    {"energy_kept", "energy kept", "share of the squared Frobenius norm above the threshold",
     LASER_METRIC_SHARE},
    {"threshold", "threshold", "singular values above it are signal", LASER_METRIC_PLAIN},
    {"stable_rank", "stable rank", "squared Frobenius norm / squared largest singular value",
     LASER_METRIC_PLAIN},
    {"effective_rank", "effective rank", "exponential of the entropy of the singular values",
     LASER_METRIC_PLAIN},
    {"entropy", "matrix entropy", "entropy of the squared singular values", LASER_METRIC_PLAIN},
    {"matrix_rank", "numerical rank", "singular values above rounding", LASER_METRIC_COUNT},
    {"alpha", "alpha", "exponent of the power law in the tail of the eigenvalues", LASER_METRIC_PLAIN},
    {"alpha_sigma", "error of alpha", "standard error of alpha", LASER_METRIC_PLAIN},
    {"alpha_weighted", "alpha, weighted", "alpha times log10 of the largest eigenvalue", LASER_METRIC_PLAIN},
    {"ks_distance", "distance of the power law fit", "Kolmogorov-Smirnov distance", LASER_METRIC_SHARE},
    {"num_spikes", "values above the true edge", "singular values above the Marchenko-Pastur edge",
     LASER_METRIC_COUNT},
    {"noise_sigma", "noise", "median estimate of the standard deviation of a noise entry",
     LASER_METRIC_PLAIN},
    {"sigma_mp", "noise / entries", "noise over the root mean square entry", LASER_METRIC_PLAIN},
    {"mp_edge", "true edge", "Marchenko-Pastur edge, as a singular value", LASER_METRIC_PLAIN},
    {"mp_softrank", "MP soft rank", "squared edge / squared largest singular value", LASER_METRIC_PLAIN},
    {"s_max", "largest value", "largest singular value", LASER_METRIC_PLAIN},
    {"s_min", "smallest value", "smallest singular value", LASER_METRIC_PLAIN},
    {"frobenius", "Frobenius norm", "root of the sum of squares", LASER_METRIC_PLAIN},
    {"log_norm", "log norm", "log10 of the squared Frobenius norm", LASER_METRIC_PLAIN},
    {"log_spectral_norm", "log spectral norm", "log10 of the largest eigenvalue", LASER_METRIC_PLAIN},
    {"log_alpha_norm", "log alpha norm", "log10 of the sum of eigenvalues to the power alpha",
     LASER_METRIC_PLAIN},
    {"xmin", "begin of the power law", "smallest eigenvalue of the fit", LASER_METRIC_PLAIN},
    {"xmax", "largest eigenvalue", "largest eigenvalue", LASER_METRIC_PLAIN},
    {"tail", "eigenvalues in the power law", "eigenvalues of the fit", LASER_METRIC_COUNT},
    {"signal", "signal", "sum of the singular values that are kept", LASER_METRIC_PLAIN},
    {"noise", "noise sum", "sum of the singular values that are not kept", LASER_METRIC_PLAIN},
    {"compressed", "rank left",
     "share of the singular values that are left; 100 % is a matrix that stays dense", LASER_METRIC_SHARE},
    {"predicted_rise", "predicted rise",
     "change of the mean loss (nats per token) that the cut of the matrix is predicted to cost",
     LASER_METRIC_PLAIN},
    {"cut_predicted", "predicted change by the cut",
     "change of the mean loss (nats per token) by the cut at the threshold", LASER_METRIC_SIGNED},
    {"best_predicted", "predicted change by the best edit",
     "change of the mean loss (nats per token) by the edit that is predicted to do best",
     LASER_METRIC_SIGNED},
    {"step_predicted", "predicted change by the step",
     "lowest predicted change of the mean loss (nats per token) along the damped Newton step",
     LASER_METRIC_SIGNED},
    {"seconds", "time", "seconds to read and to solve", LASER_METRIC_PLAIN},
};
const size_t laser_n_metric_texts = sizeof laser_metric_texts / sizeof *laser_metric_texts;

const struct laser_metric_text *laser_metric_text_find(const char *key, struct laser_metric_text *unknown)
{
    for (size_t i = 0; i < laser_n_metric_texts; i++)
        if (strcmp(laser_metric_texts[i].key, key) == 0)
            return &laser_metric_texts[i];
    *unknown = (struct laser_metric_text){key, key, key, LASER_METRIC_PLAIN};
    return unknown;
}

/* ---- columns ---- */

const double *laser_matrix_metric(const struct laser_run_matrices *list, const char *key)
{
    for (int i = 0; i < list->n_metrics; i++)
        if (strcmp(list->metrics[i].key, key) == 0)
            return list->metrics[i].values;
    return NULL;
}

/* A column of NaN; NULL: no memory, or too many of them. */
static double *add_column(struct laser_run_matrices *list, const char *key)
{
    double *values = list->n_metrics < LASER_TABLE_METRICS ? malloc((list->n + 1) * sizeof *values) : NULL;

    if (values == NULL)
        return NULL;
    for (size_t i = 0; i < list->n; i++)
        values[i] = NAN;
    list->metrics[list->n_metrics++] = (struct laser_metric_column){key, values};
    return values;
}

/* Columns in which nothing is known go. */
static void drop_empty(struct laser_run_matrices *list)
{
    int kept = 0;

    for (int k = 0; k < list->n_metrics; k++) {
        int timed = strcmp(list->metrics[k].key, "seconds") == 0, known = 0;
        for (size_t i = 0; i < list->n && !known; i++)
            known = timed ? list->metrics[k].values[i] > 0 : !isnan(list->metrics[k].values[i]);
        if (known)
            list->metrics[kept++] = list->metrics[k];
        else
            free(list->metrics[k].values);
    }
    list->n_metrics = kept;
}

static const struct laser_scan_number *find_number(const struct laser_scan_row *row, const char *name,
                                                   int guess)
{
    if (guess < row->nnumbers && strcmp(row->numbers[guess].name, name) == 0)
        return &row->numbers[guess];
    for (int i = 0; i < row->nnumbers; i++)
        if (strcmp(row->numbers[i].name, name) == 0)
            return &row->numbers[i];
    return NULL;
}

/* Score, seconds, and the further numbers under the names of the first row that has any. */
static int add_scan_columns(struct laser_run_matrices *list)
{
    const struct laser_scan_row *model = NULL;
    double *score = add_column(list, "score"), *seconds = add_column(list, "seconds");

    if (score == NULL || seconds == NULL)
        return 0;
    for (size_t i = 0; i < list->n; i++) {
        const struct laser_scan_row *row = list->rows[i];
        seconds[i] = row->seconds;
        if (row->status != LASER_SCAN_SCANNED)
            continue;
        score[i] = row->score;
        if (model == NULL && row->nnumbers > 0)
            model = row;
    }
    for (int k = 0; model != NULL && k < model->nnumbers; k++) {
        const char *name = model->numbers[k].name;
        double *column;
        if (strcmp(name, "rows") == 0 || strcmp(name, "columns") == 0)
            continue;
        if ((column = add_column(list, name)) == NULL)
            return 0;
        for (size_t i = 0; i < list->n; i++) {
            const struct laser_scan_number *x = find_number(list->rows[i], name, k);
            if (x != NULL && list->rows[i]->status == LASER_SCAN_SCANNED)
                column[i] = x->value;
        }
    }
    return 1;
}

static int64_t short_side(const struct laser_scan_row *row)
{
    return row->rows < row->columns ? row->rows : row->columns;
}

static int add_kept_share(struct laser_run_matrices *list)
{
    const double *rank = laser_matrix_metric(list, "rank");
    double *share = rank != NULL ? add_column(list, "kept_share") : NULL;

    if (rank == NULL)
        return 1;
    for (size_t i = 0; share != NULL && i < list->n; i++)
        if (short_side(list->rows[i]) > 0)
            share[i] = rank[i] / (double)short_side(list->rows[i]);
    return share != NULL;
}

struct named_row {
    const char *name;
    size_t row;
};

static int by_name(const void *a, const void *b)
{
    const struct named_row *x = a, *y = b;

    return strcmp(x->name, y->name);
}

/* Rows sorted by their names, for look-ups; NULL without memory. */
static struct named_row *sorted_names(const struct laser_run_matrices *list)
{
    struct named_row *sorted = malloc((list->n + 1) * sizeof *sorted);

    for (size_t i = 0; sorted != NULL && i < list->n; i++)
        sorted[i] = (struct named_row){list->rows[i]->name, i};
    if (sorted != NULL)
        qsort(sorted, list->n, sizeof *sorted, by_name);
    return sorted;
}

static size_t find_name(const struct laser_run_matrices *list, const struct named_row *sorted,
                        const char *name)
{
    const struct named_row key = {name, 0}, *found = NULL;

    if (name != NULL)
        found = bsearch(&key, sorted, list->n, sizeof *sorted, by_name);
    return found != NULL ? found->row : list->n;
}

size_t laser_matrix_find(const struct laser_run_matrices *list, const char *name)
{
    size_t i = 0;

    while (i < list->n && strcmp(list->rows[i]->name, name) != 0)
        i++;
    return i;
}

/* The best change that an edit of the matrix made, and the rank that a kept one has left. */
static int add_decision_columns(struct laser_run_matrices *list, const json_t *results,
                                const struct named_row *sorted)
{
    struct laser_goal goal;
    struct laser_decision *decisions;
    double *after = NULL, *change;
    long n;
    int any_kept = 0;

    laser_goal_read(results, &goal);
    n = laser_decisions_read(results, &goal, &decisions);
    for (long k = 0; k < n; k++)
        any_kept |= decisions[k].kept;
    change = n > 0 ? add_column(list, "difference") : NULL;
    if (any_kept && laser_matrix_metric(list, "rank") != NULL) {
        after = add_column(list, "kept_after");
        for (size_t i = 0; after != NULL && i < list->n; i++)
            after[i] = 1;
    }
    for (long k = 0; k < n; k++) {
        size_t i = find_name(list, sorted, decisions[k].tensor);
        if (i == list->n)
            continue;
        if (change != NULL && !(change[i] <= decisions[k].difference))
            change[i] = decisions[k].difference;
        if (after != NULL && decisions[k].kept && !isnan(decisions[k].share))
            after[i] = decisions[k].share;
    }
    free(decisions);
    return n == 0 || (n > 0 && change != NULL);
}

static int add_sensitivity_columns(struct laser_run_matrices *list, const json_t *results,
                                   const struct named_row *sorted)
{
    static const char *const keys[] = {"cut", "step", "best"}, *const columns[] = {"cut_predicted",
                                                                                   "step_predicted",
                                                                                   "best_predicted"};
    const json_t *matrices = json_object_get(json_object_get(results, "sensitivity"), "matrices");

    for (int k = 0; k < 3 && json_array_size(matrices) > 0; k++) {
        double *column = add_column(list, columns[k]);
        if (column == NULL)
            return 0;
        for (size_t j = 0; j < json_array_size(matrices); j++) {
            const json_t *m = json_array_get(matrices, j);
            size_t i = find_name(list, sorted, json_string_value(json_object_get(m, "tensor")));
            if (i < list->n)
                column[i] = laser_result_number(m, keys[k]);
        }
    }
    return 1;
}

/* ---- the matrices of a compression: names and ranks only ---- */

/* The layer and the type in a name, "model.layers.3.mlp.up_proj.weight": 3 and "mlp.up_proj"; -1 and all but ".weight" where
 * there is no number.  *type is NULL without memory. */
static int64_t split_name(const char *name, char **type)
{
    static const char suffix[] = ".weight";
    int64_t layer = -1;
    size_t n;

    for (const char *dot = strchr(name, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
        size_t digits = strspn(dot + 1, "0123456789");
        if (digits == 0 || digits > 9 || dot[1 + digits] != '.' || dot[2 + digits] == '\0')
            continue;
        layer = atoll(dot + 1);
        name = dot + digits + 2;
        break;
    }
    n = strlen(name);
    if (n > sizeof suffix - 1 && strcmp(name + n - (sizeof suffix - 1), suffix) == 0)
        n -= sizeof suffix - 1;
    *type = strndup(name, n);
    return layer;
}

static int read_compressed(struct laser_run_matrices *list, const json_t *matrices)
{
    size_t room = json_array_size(matrices);
    double *left, *rise;

    list->rows = calloc(room + 1, sizeof *list->rows);
    list->own_rows = calloc(room + 1, sizeof *list->own_rows);
    list->own_types = calloc(room + 1, sizeof *list->own_types);
    if (list->rows == NULL || list->own_rows == NULL || list->own_types == NULL)
        return 0;
    for (size_t i = 0; i < room; i++)
        list->n += json_is_string(json_object_get(json_array_get(matrices, i), "tensor"));
    left = list->n > 0 ? add_column(list, "compressed") : NULL;
    rise = list->n > 0 ? add_column(list, "predicted_rise") : NULL;
    if (list->n > 0 && (left == NULL || rise == NULL))
        return 0;
    for (size_t i = 0, k = 0; i < room; i++) {
        const json_t *m = json_array_get(matrices, i);
        const char *name = json_string_value(json_object_get(m, "tensor"));
        double rank = laser_result_number(m, "rank"), of = laser_result_number(m, "of");
        struct laser_scan_row *row = &list->own_rows[k];
        if (name == NULL)
            continue;
        row->name = name;
        row->layer = split_name(name, &list->own_types[k]);
        if (list->own_types[k] == NULL)
            return 0;
        row->type = list->own_types[k];
        list->rows[k] = row;
        left[k] = isnan(rank) ? 1 : rank / of;
        rise[k++] = laser_result_number(m, "predicted_rise");
    }
    return 1;
}

/* ---- types and layers ---- */

/* "mlp.experts.17.up_proj" is expert 17 of "mlp.experts.*.up_proj"; a number between dots that is alone of its kind is no
 * expert. */
static int read_types(struct laser_run_matrices *list)
{
    list->types = calloc(list->n + 1, sizeof *list->types);
    list->experts = malloc((list->n + 1) * sizeof *list->experts);
    if (list->types == NULL || list->experts == NULL)
        return 0;
    for (size_t i = 0; i < list->n; i++) {
        const char *type = list->rows[i]->type != NULL ? list->rows[i]->type : list->rows[i]->name, *star;
        list->types[i] = laser_type_display(type);
        if (list->types[i] == NULL)
            return 0;
        star = strchr(list->types[i], '*');
        list->experts[i] = star != NULL && isdigit((unsigned char)type[star - list->types[i]])
                               ? atoll(type + (star - list->types[i]))
                               : -1;
    }
    return 1;
}

static int lone_expert(const struct laser_matrix_table *t, const char *type)
{
    int64_t seen = -1;

    for (int r = 0; r < t->n_runs; r++)
        for (size_t i = 0; i < t->runs[r].n; i++)
            if (t->runs[r].experts[i] >= 0 && strcmp(t->runs[r].types[i], type) == 0) {
                if (seen >= 0 && seen != t->runs[r].experts[i])
                    return 0;
                seen = t->runs[r].experts[i];
            }
    return seen >= 0;
}

static size_t find_type(const struct laser_matrix_table *t, const char *type)
{
    size_t i = 0;

    while (i < t->n_types && strcmp(t->types[i], type) != 0)
        i++;
    return i;
}

static size_t find_layer(const struct laser_matrix_table *t, int64_t layer)
{
    size_t i = 0;

    while (i < t->n_layers && t->layers[i] != layer)
        i++;
    return i;
}

static int add_type(struct laser_matrix_table *t, const char *type)
{
    if (find_type(t, type) < t->n_types)
        return 1;
    t->types[t->n_types] = strdup(type);
    return t->types[t->n_types++] != NULL;
}

/* A lone expert takes its own name again. */
static int restore_lone(struct laser_matrix_table *t)
{
    size_t n = t->n_types;

    for (size_t k = 0; k < n; k++) {
        char *type = t->types[k];
        if (strchr(type, '*') == NULL || !lone_expert(t, type))
            continue;
        for (int r = 0; r < t->n_runs; r++) {
            struct laser_run_matrices *list = &t->runs[r];
            for (size_t i = 0; i < list->n; i++)
                if (strcmp(list->types[i], type) == 0) {
                    const char *own = list->rows[i]->type != NULL ? list->rows[i]->type : list->rows[i]->name;
                    free(list->types[i]);
                    list->types[i] = strdup(own);
                    list->experts[i] = -1;
                    if (list->types[i] == NULL)
                        return 0;
                }
        }
    }
    return 1;
}

static int by_layer(const void *a, const void *b)
{
    /* Unsigned, so that -1, no layer, comes last. */
    uint64_t x = (uint64_t) * (const int64_t *)a, y = (uint64_t) * (const int64_t *)b;

    return x < y ? -1 : x > y;
}

static int find_axes(struct laser_matrix_table *t)
{
    size_t n = 0;

    for (int r = 0; r < t->n_runs; r++)
        n += t->runs[r].n;
    t->types = calloc(2 * n + 2, sizeof *t->types);
    t->layers = calloc(n + 1, sizeof *t->layers);
    if (t->types == NULL || t->layers == NULL)
        return 0;
    for (int pass = 0; pass < 2; pass++) {
        for (size_t k = 0; k < t->n_types; k++)
            free(t->types[k]);
        t->n_types = 0;
        for (int r = 0; r < t->n_runs; r++)
            for (size_t i = 0; i < t->runs[r].n; i++)
                if (!add_type(t, t->runs[r].types[i]))
                    return 0;
        if (pass == 0 && !restore_lone(t))
            return 0;
    }
    for (int r = 0; r < t->n_runs; r++)
        for (size_t i = 0; i < t->runs[r].n; i++)
            if (find_layer(t, t->runs[r].rows[i]->layer) == t->n_layers)
                t->layers[t->n_layers++] = t->runs[r].rows[i]->layer;
    qsort(t->types, t->n_types, sizeof *t->types, laser_type_compare);
    qsort(t->layers, t->n_layers, sizeof *t->layers, by_layer);
    return 1;
}

static void sort_by_expert(const struct laser_run_matrices *list, size_t from, size_t to)
{
    for (size_t k = from + 1; k < to; k++)
        for (size_t at = k; at > from && list->experts[list->order[at - 1]] > list->experts[list->order[at]];
             at--) {
            size_t other = list->order[at];
            list->order[at] = list->order[at - 1];
            list->order[at - 1] = other;
        }
}

/* A counting sort by cell, then by expert within each. */
static int place(const struct laser_matrix_table *t, struct laser_run_matrices *list)
{
    size_t cells = t->n_types * t->n_layers, *cell = malloc((list->n + 1) * sizeof *cell);

    list->order = calloc(list->n + 1, sizeof *list->order);
    list->start = calloc(cells + 2, sizeof *list->start);
    if (cell == NULL || list->order == NULL || list->start == NULL) {
        free(cell);
        return 0;
    }
    for (size_t i = 0; i < list->n; i++) {
        cell[i] = find_layer(t, list->rows[i]->layer) * t->n_types + find_type(t, list->types[i]);
        list->start[cell[i] + 2]++;
    }
    for (size_t c = 2; c < cells + 2; c++)
        list->start[c] += list->start[c - 1];
    for (size_t i = 0; i < list->n; i++)
        list->order[list->start[cell[i] + 1]++] =
            i; /* start[c + 1] runs from the beginning of cell c to its end */
    for (size_t c = 0; c < cells; c++)
        sort_by_expert(list, list->start[c], list->start[c + 1]);
    free(cell);
    return 1;
}

/* ---- all of it ---- */

static int read_run(struct laser_run_matrices *list, const struct laser_page_run *run)
{
    struct named_row *sorted;
    int good;

    if (run->n_rows == 0 && run->command != NULL && strcmp(run->command, "compress") == 0)
        return read_compressed(list, json_object_get(run->results, "matrices"));
    list->rows = calloc(run->n_rows + 1, sizeof *list->rows);
    if (list->rows == NULL)
        return 0;
    for (size_t i = 0; i < run->n_rows; i++)
        if (run->rows[i].status != LASER_SCAN_SKIPPED)
            list->rows[list->n++] = &run->rows[i];
    sorted = sorted_names(list);
    good = sorted != NULL && add_scan_columns(list) && add_kept_share(list) &&
           (list->n == 0 || (add_decision_columns(list, run->results, sorted) &&
                             add_sensitivity_columns(list, run->results, sorted)));
    free(sorted);
    return good;
}

int laser_matrix_table_make(struct laser_matrix_table *t, const struct laser_page_run *runs, int n_runs)
{
    int good = 1;

    memset(t, 0, sizeof *t);
    t->n_runs = n_runs;
    for (int r = 0; good && r < n_runs; r++) {
        good = read_run(&t->runs[r], &runs[r]) && read_types(&t->runs[r]);
        if (good)
            drop_empty(&t->runs[r]);
    }
    good = good && find_axes(t);
    for (int r = 0; good && r < n_runs; r++)
        good = place(t, &t->runs[r]);
    return good;
}

static void free_list(struct laser_run_matrices *list)
{
    for (size_t i = 0; list->types != NULL && i < list->n; i++)
        free(list->types[i]);
    for (size_t i = 0; list->own_types != NULL && i < list->n; i++)
        free(list->own_types[i]);
    for (int k = 0; k < list->n_metrics; k++)
        free(list->metrics[k].values);
    free(list->types);
    free(list->own_types);
    free(list->own_rows);
    free(list->experts);
    free((void *)list->rows);
    free(list->order);
    free(list->start);
}

void laser_matrix_table_free(struct laser_matrix_table *t)
{
    for (int r = 0; r < 2; r++)
        free_list(&t->runs[r]);
    for (size_t i = 0; t->types != NULL && i < t->n_types; i++)
        free(t->types[i]);
    free(t->types);
    free(t->layers);
    memset(t, 0, sizeof *t);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

struct laser_cell laser_matrix_cell(const struct laser_matrix_table *t, int run, const double *values,
                                    size_t layer, size_t type)
{
    const struct laser_run_matrices *list = &t->runs[run];
    size_t c = layer * t->n_types + type, from = list->start[c], to = list->start[c + 1];
    struct laser_cell cell = {.n = to - from, .median = NAN, .low = NAN, .high = NAN};
    double one, *known = cell.n > 1 ? malloc(cell.n * sizeof *known) : &one;

    for (size_t k = from; known != NULL && k < to; k++) {
        size_t i = list->order[k];
        cell.failed += list->rows[i]->status == LASER_SCAN_FAILED;
        if (values != NULL && !isnan(values[i]))
            known[cell.known++] = values[i];
    }
    if (cell.known > 0) {
        size_t middle = cell.known / 2;
        qsort(known, cell.known, sizeof *known, by_value);
        cell.low = known[0];
        cell.high = known[cell.known - 1];
        cell.median = cell.known % 2 == 1 || isinf(known[middle]) ? known[middle]
                                                                  : (known[middle - 1] + known[middle]) / 2;
    }
    if (cell.n > 1)
        free(known);
    return cell;
}
