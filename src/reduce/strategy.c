#include "reduce/strategy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/match.h"
#include "reduce/sweep.h"
#include "spectrum/edit.h"

static const char *const names[] = {LASER_STRATEGY_WORDS(LASER_WORD_TEXT)};

const char *laser_strategy_name(enum laser_strategy strategy)
{
    return names[strategy];
}

/* Room for n edits, each a trial and at most a candidate of its own, and for a candidate of `joint` trials of
 * all of them together. */
static int reserve(struct laser_strategy_plan *plan, int64_t n, int joint, struct laser_error *err)
{
    memset(plan, 0, sizeof *plan);
    if (n > 1000000)
        return laser_error_set(err, LASER_EUSAGE, "reduce", "%lld edits to try; at most 1000000 are possible",
                               (long long)n);
    plan->edits = calloc((size_t)n + 1, sizeof *plan->edits);
    plan->trials = calloc((size_t)(n + joint) + 1, sizeof *plan->trials);
    plan->candidates = calloc((size_t)n + 2, sizeof *plan->candidates);
    plan->edit_numbers = calloc((size_t)(joint > 0 ? 2 * n : n) + 1, sizeof *plan->edit_numbers);
    if (plan->edits == NULL || plan->trials == NULL || plan->candidates == NULL ||
        plan->edit_numbers == NULL) {
        laser_strategy_free(plan);
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %lld edits", (long long)n);
    }
    return LASER_OK;
}

static int add_edit(struct laser_strategy_plan *plan, int matrix, const char *text, struct laser_error *err)
{
    plan->edit_numbers[plan->n_edit_numbers++] = plan->n_edits;
    return laser_strategy_edit_set(&plan->edits[plan->n_edits++], matrix, text, err);
}

/* A trial of the edits added since the last one. */
static void add_trial(struct laser_strategy_plan *plan, int n_edits)
{
    plan->trials[plan->n_trials++] =
        (struct laser_search_trial){.first_edit = plan->n_edit_numbers - n_edits, .n_edits = n_edits};
}

static void add_candidate(struct laser_strategy_plan *plan, int n_trials)
{
    plan->candidates[plan->n_candidates++] =
        (struct laser_search_candidate){.first_trial = plan->n_trials - n_trials, .n_trials = n_trials};
}

/* Edits that take the whole bulk for noise, which it is in a difference; a part of it is a hedge for single
 * matrices. */
static bool is_joint(const char *text)
{
    struct laser_edit edit;

    return laser_edit_parse(text, &edit, NULL) == LASER_OK &&
           ((edit.kind != LASER_EDIT_SHRINK && edit.kind != LASER_EDIT_WIENER) || edit.value >= 1);
}

static int count_joint(const struct laser_strategy_options *o)
{
    int n = 0;

    for (int t = 0; t < o->n_edits; ++t)
        n += is_joint(o->edits[t]);
    return n;
}

/* Puts a candidate before the others: each of these edits on all n matrices at once.  The edits of a matrix
 * stand one after another. */
static void add_together(const struct laser_strategy_options *o, struct laser_strategy_plan *plan, int n)
{
    struct laser_search_candidate together = {.first_trial = plan->n_trials};

    for (int t = 0; t < o->n_edits; ++t) {
        if (!is_joint(o->edits[t]))
            continue;
        for (int i = 0; i < n; ++i)
            plan->edit_numbers[plan->n_edit_numbers++] = i * o->n_edits + t;
        add_trial(plan, n);
        ++together.n_trials;
    }
    memmove(plan->candidates + 1, plan->candidates, (size_t)plan->n_candidates * sizeof *plan->candidates);
    plan->candidates[0] = together;
    ++plan->n_candidates;
}

static bool type_taken(const struct laser_strategy_options *o, const char *type)
{
    for (int i = 0; i < o->n_types; ++i)
        if (laser_glob_match(o->types[i], type))
            return true;
    return o->n_types == 0;
}

static bool layer_taken(const struct laser_strategy_options *o, int layer, int last)
{
    for (int i = 0; i < o->n_layers; ++i) {
        int from, to, n = sscanf(o->layers[i], "%d-%d", &from, &to);
        if (n == 1)
            to = from;
        if (n >= 1 && layer >= (from < 0 ? from + last + 1 : from) && layer <= (to < 0 ? to + last + 1 : to))
            return true;
    }
    return o->n_layers == 0;
}

static bool is_no_op(const struct laser_strategy_matrix *m)
{
    return m->rank >= (m->rows < m->columns ? m->rows : m->columns);
}

struct key {
    double value;
    int matrix; /* breaks ties: the order of the list */
};

static int by_value(const void *a, const void *b)
{
    const struct key *x = a, *y = b;

    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->matrix < y->matrix ? -1 : 1;
}

static int type_place(const struct laser_strategy_options *o, const char *type)
{
    int i = 0;

    while (i < o->n_types && !laser_glob_match(o->types[i], type))
        ++i;
    return i;
}

/* Matrices in the order in which the strategy tries them; *n of them. */
static struct key *order(const struct laser_strategy_options *o, const struct laser_strategy_matrix *m,
                         int n_matrices, int *n, int *n_no_op)
{
    const struct laser_strategy_row *row = laser_strategy_row(o->strategy);
    struct key *keys = malloc(((size_t)n_matrices + 1) * sizeof *keys);
    int last = -1;

    *n = *n_no_op = 0;
    if (keys == NULL)
        return NULL;
    for (int i = 0; i < n_matrices; ++i)
        if (m[i].layer > last)
            last = m[i].layer;
    for (int i = 0; i < n_matrices; ++i) {
        if (!m[i].usable || !type_taken(o, m[i].type) || !layer_taken(o, m[i].layer, last))
            continue;
        if ((row->hard_cut && is_no_op(&m[i])) || (row->finite_score && !isfinite(m[i].score)) ||
            (isnan(m[i].score) && !row->by_depth)) { /* a zero matrix has no score */
            ++*n_no_op;
            continue;
        }
        keys[*n].matrix = i;
        if (row->by_depth)
            keys[*n].value = -m[i].layer * (o->n_types + 1.0) + type_place(o, m[i].type);
        else
            keys[*n].value = m[i].score;
        ++*n;
    }
    qsort(keys, (size_t)*n, sizeof *keys, by_value);
    return keys;
}

/* Has a cut to this share of the rank fewer parameters as two thin matrices than the whole has? */
static bool pays(const struct laser_strategy_matrix *m, const char *fraction)
{
    int64_t n = m->rows < m->columns ? m->rows : m->columns;
    int64_t k = (int64_t)(laser_sweep_fraction(fraction) * (double)n);

    return k * (m->rows + m->columns) < m->rows * m->columns;
}

/* Places of the fractions, smallest first. */
static int *sort_fractions(const struct laser_strategy_options *o)
{
    int *places = malloc(((size_t)o->n_fractions + 1) * sizeof *places);
    struct key *keys = malloc(((size_t)o->n_fractions + 1) * sizeof *keys);

    for (int f = 0; places != NULL && keys != NULL && f < o->n_fractions; ++f)
        keys[f] = (struct key){.value = laser_sweep_fraction(o->fractions[f]), .matrix = f};
    if (places != NULL && keys != NULL)
        qsort(keys, (size_t)o->n_fractions, sizeof *keys, by_value);
    for (int f = 0; places != NULL && keys != NULL && f < o->n_fractions; ++f)
        places[f] = keys[f].matrix;
    if (keys == NULL) {
        free(places);
        places = NULL;
    }
    free(keys);
    return places;
}

/* ---- the edits of one matrix ---- */

static int add_cut(const struct laser_strategy_options *o, const struct laser_strategy_matrix *matrices,
                   const int *by_share, int matrix, struct laser_strategy_plan *plan, struct laser_error *err)
{
    int code = add_edit(plan, matrix, o->rule, err);

    (void)matrices;
    (void)by_share;
    if (laser_strategy_row(o->strategy)->at_once)
        return code;
    add_trial(plan, 1);
    add_candidate(plan, 1);
    return code;
}

static int add_edits(const struct laser_strategy_options *o, const struct laser_strategy_matrix *matrices,
                     const int *by_share, int matrix, struct laser_strategy_plan *plan,
                     struct laser_error *err)
{
    int code = LASER_OK;

    (void)matrices;
    (void)by_share;
    for (int i = 0; code == LASER_OK && i < o->n_edits; ++i) {
        code = add_edit(plan, matrix, o->edits[i], err);
        add_trial(plan, 1);
    }
    add_candidate(plan, o->n_edits);
    return code;
}

/* The deepest cut first: the first that the tolerance allows is taken. */
static int add_shares(const struct laser_strategy_options *o, const struct laser_strategy_matrix *matrices,
                      const int *by_share, int matrix, struct laser_strategy_plan *plan,
                      struct laser_error *err)
{
    int trials = 0, code = LASER_OK;

    for (int f = 0; code == LASER_OK && f < o->n_fractions; ++f) {
        const char *fraction = o->fractions[by_share[f]];
        char text[48];

        if (!pays(&matrices[matrix], fraction))
            continue;
        snprintf(text, sizeof text, "rank:%.12g", laser_sweep_fraction(fraction));
        code = add_edit(plan, matrix, text, err);
        add_trial(plan, 1);
        ++trials;
    }
    if (trials > 0)
        add_candidate(plan, trials);
    return code;
}

static int count_edits(const struct laser_strategy_options *o)
{
    return o->n_edits;
}

static int count_fractions(const struct laser_strategy_options *o)
{
    return o->n_fractions;
}

/* ---- the table ---- */

#define KEEPS_ANY 1e300 /* a tolerance that every trial meets */

static const struct laser_strategy_row rows[] = {
    [LASER_STRATEGY_AUTO] = {.add = NULL}, /* the deck has chosen another */
    [LASER_STRATEGY_SNR] = {.finite_score = true,
                            .hard_cut = true,
                            .takes_limit = true,
                            .limit = 15,
                            .add = add_cut,
                            .screening = LASER_SCREEN_BEST},
    [LASER_STRATEGY_BACKWARD] = {.by_depth = true,
                                 .hard_cut = true,
                                 .add = add_cut,
                                 .compat_accept = LASER_ACCEPT_BETTER,
                                 .max_kept = 5},
    [LASER_STRATEGY_ALL] = {.hard_cut = true,
                            .add = add_cut,
                            .at_once = true,
                            .has_accept = true,
                            .accept = LASER_ACCEPT_TOLERANCE,
                            .never_gives_up = true,
                            .tolerance = KEEPS_ANY},
    [LASER_STRATEGY_SWEEP] = {.measures = true, .screening = LASER_SCREEN_EACH},
    [LASER_STRATEGY_COMPOSE] = {.measures = true, .screening = LASER_SCREEN_EACH},
    [LASER_STRATEGY_DENOISE] = {.finite_score = true,
                                .takes_limit = true,
                                .count = count_edits,
                                .count_key = "reduce.edits",
                                .add = add_edits,
                                .together = true,
                                .screening = LASER_SCREEN_BEST},
    [LASER_STRATEGY_BUDGET] = {.finite_score = true,
                               .takes_limit = true,
                               .count = count_fractions,
                               .count_key = "reduce.fractions",
                               .add = add_shares,
                               .has_accept = true,
                               .accept = LASER_ACCEPT_TOLERANCE,
                               .pick = LASER_PICK_FIRST,
                               .screening = LASER_SCREEN_DEPTH},
    [LASER_STRATEGY_TUNE] = {.add = NULL}, /* its edits follow from gradients */
};

const struct laser_strategy_row *laser_strategy_row(enum laser_strategy strategy)
{
    return &rows[strategy];
}

void laser_strategy_search(enum laser_strategy strategy, bool compat, bool first_half,
                           struct laser_search_plan *p)
{
    const struct laser_strategy_row *row = &rows[strategy];

    if (row->has_accept)
        p->accept = row->accept;
    if (compat && row->compat_accept != 0)
        p->accept = row->compat_accept;
    if (row->has_accept)
        p->pick = row->pick;
    if (row->never_gives_up)
        p->give_up_early = false;
    if (p->max_kept == 0)
        p->max_kept = row->max_kept;
    if (row->tolerance > 0 && !(p->tolerance > 0))
        p->tolerance = row->tolerance;
    if (!row->measures || !first_half)
        return;
    p->accept = LASER_ACCEPT_NEVER;
    p->give_up_early = false;
    p->max_kept = 0;
    if (p->lookahead > 0)
        p->lookahead = p->n_candidates; /* nothing is kept: no work is thrown away */
}

int laser_strategy_build(const struct laser_strategy_options *o, const struct laser_strategy_matrix *matrices,
                         int n_matrices, struct laser_strategy_plan *plan, struct laser_error *err)
{
    const struct laser_strategy_row *row = laser_strategy_row(o->strategy);
    int per_matrix = row->count != NULL ? row->count(o) : 1, n, n_no_op, joint, code;
    int limit = row->takes_limit && o->candidates > 0 ? o->candidates : row->limit;
    struct key *keys;
    int *by_share;

    memset(plan, 0, sizeof *plan);
    if (row->measures)
        return laser_error_set(err, LASER_EINTERNAL, "reduce.strategy",
                               "a sweep is built by laser_sweep_build");
    if (per_matrix < 1)
        return laser_error_set(err, LASER_EUSAGE, row->count_key,
                               "the list is empty: strategy %s has nothing to try", names[o->strategy]);
    for (int f = 0; row->add == add_shares && f < o->n_fractions; ++f)
        if (isnan(laser_sweep_fraction(o->fractions[f])))
            return laser_error_set(err, LASER_EUSAGE, "reduce.fractions", "%s is not a share of the rank",
                                   o->fractions[f]);
    keys = order(o, matrices, n_matrices, &n, &n_no_op);
    if (keys == NULL)
        return laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d matrices", n_matrices);
    if (limit > 0 && n > limit)
        n = limit;
    joint = row->together && o->together && n > 1 && n <= LASER_SEARCH_MAX_EDITS / 2 ? count_joint(o) : 0;
    by_share = sort_fractions(o);
    code = by_share == NULL
               ? laser_error_set(err, LASER_ENOMEM, "reduce", "no memory for %d fractions", o->n_fractions)
               : reserve(plan, (int64_t)n * per_matrix, joint, err);
    if (code == LASER_OK) {
        for (int i = 0; code == LASER_OK && row->add != NULL && i < n; ++i)
            code = row->add(o, matrices, by_share, keys[i].matrix, plan, err);
        if (row->at_once && n > 0) {
            add_trial(plan, n);
            add_candidate(plan, 1);
        }
        if (joint > 0)
            add_together(o, plan, n);
        plan->n_no_op = n_no_op;
    }
    if (code != LASER_OK)
        laser_strategy_free(plan);
    free(by_share);
    free(keys);
    return code;
}
