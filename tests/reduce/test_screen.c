/* Which trials a prediction leaves, and the rounds of a sweep. */
#include "testing.h"

#include "reduce/refine.h"
#include "reduce/screen.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MATRICES = 6, FRACTIONS = 20, CELLS = MATRICES * FRACTIONS };

static struct laser_strategy_plan plan;
static struct laser_sweep sweep;
static double changes[CELLS], means[CELLS];
static unsigned char asked[CELLS];

/* A sweep of one type in six layers. */
static int set_up(void **state)
{
    static struct laser_strategy_matrix matrices[MATRICES];
    static char texts[FRACTIONS][16];
    static const char *fractions[FRACTIONS];
    struct laser_strategy_options o = {
        .strategy = LASER_STRATEGY_SWEEP, .fractions = fractions, .n_fractions = FRACTIONS};
    struct laser_error err;

    (void)state;
    for (int m = 0; m < MATRICES; ++m)
        matrices[m] = (struct laser_strategy_matrix){
            .name = "w", .type = "mlp", .layer = m, .rows = 64, .columns = 64, .usable = true};
    for (int f = 0; f < FRACTIONS; ++f) {
        /* Not in order: the deck says them as it likes. */
        snprintf(texts[f], sizeof texts[f], "%.4g", 0.05 * ((f * 7) % FRACTIONS + 0.5));
        fractions[f] = texts[f];
    }
    memset(asked, 0, sizeof asked);
    return laser_sweep_build(&o, matrices, MATRICES, &plan, &sweep, &err);
}

static int tear_down(void **state)
{
    (void)state;
    laser_strategy_free(&plan);
    laser_sweep_free(&sweep);
    return 0;
}

static double fraction_of(int trial)
{
    return sweep.fractions[sweep.places[trial].fraction];
}

/* Layer 4 gains most, at a quarter of the fraction that promises most; layer 2 promises most. */
static double measured(int trial)
{
    double distance = log(fraction_of(trial) / 0.12);
    int layer = sweep.places[trial].row;

    return layer == 4 ? -1 + distance * distance : 0.1 * layer - 0.2 * fraction_of(trial);
}

static void predict(void)
{
    for (int t = 0; t < CELLS; ++t) {
        double distance = fraction_of(t) - 0.475;
        int layer = sweep.places[t].row;

        changes[t] = distance * distance - (layer == 2 ? 0.3 : layer == 4 ? 0.2 : 0.01 * layer);
        means[t] = NAN;
    }
}

/* Runs all rounds; returns how many trials were asked for. */
static int run_rounds(int evaluations, int *rounds)
{
    struct laser_refine_state s = {changes, means, asked, evaluations};
    struct laser_error err;
    int trials[CELLS], n, all = 0;

    predict();
    for (*rounds = 0;; ++*rounds) {
        assert_int_equal(laser_refine_next(&sweep, &s, trials, &n, &err), LASER_OK);
        if (n == 0)
            return all;
        all += n;
        for (int i = 0; i < n; ++i) {
            assert_false(asked[trials[i]]);
            asked[trials[i]] = 1;
            means[trials[i]] = measured(trials[i]);
        }
    }
}

static int best_of(const double *x)
{
    int best = -1;

    for (int t = 0; t < CELLS; ++t)
        if (isfinite(x[t]) && (best < 0 || x[t] < x[best]))
            best = t;
    return best;
}

static void the_first_round_looks_at_what_promises_most_and_deeper(void **state)
{
    struct laser_refine_state s = {changes, means, asked, 12};
    struct laser_error err;
    int trials[12], n;

    (void)state;
    predict();
    assert_int_equal(laser_refine_next(&sweep, &s, trials, &n, &err), LASER_OK);
    assert_int_equal(n, 6);
    for (int i = 0; i < 6; ++i)
        assert_int_equal(sweep.places[trials[i]].row, i < 3 ? 2 : 4);
    assert_true(fabs(fraction_of(trials[0]) - 0.475) < 0.001);
    assert_true(fabs(fraction_of(trials[1]) - 0.225) < 0.001);
    assert_true(fabs(fraction_of(trials[2]) - 0.125) < 0.001);
}

static void the_best_edit_of_a_smooth_sweep_is_found(void **state)
{
    double all[CELLS];
    int rounds;

    (void)state;
    assert_int_equal(run_rounds(20, &rounds), 20);
    for (int t = 0; t < CELLS; ++t)
        all[t] = measured(t);
    assert_int_equal(best_of(means), best_of(all));
    assert_true(rounds > 2);
}

static void a_large_number_of_evaluations_is_the_whole_sweep(void **state)
{
    int rounds;

    (void)state;
    assert_int_equal(run_rounds(10 * CELLS, &rounds), CELLS);
}

static void a_cell_without_a_prediction_is_not_looked_at(void **state)
{
    struct laser_refine_state s = {changes, means, asked, CELLS};
    struct laser_error err;
    int trials[CELLS], n;

    (void)state;
    predict();
    for (int t = 0; t < CELLS; ++t)
        if (sweep.places[t].row == 2)
            changes[t] = NAN;
    assert_int_equal(laser_refine_next(&sweep, &s, trials, &n, &err), LASER_OK);
    assert_true(n > 0);
    for (int i = 0; i < n; ++i)
        assert_int_not_equal(sweep.places[trials[i]].row, 2);
}

static void an_edit_that_breaks_the_model_is_the_worst(void **state)
{
    struct laser_refine_state s = {changes, means, asked, CELLS};
    struct laser_error err;
    int trials[CELLS], n;

    (void)state;
    predict();
    for (int t = 0; t < CELLS; ++t) /* layer 2 was measured: not finite; layer 4: good */
        if (sweep.places[t].row == 2 || sweep.places[t].row == 4) {
            asked[t] = fabs(fraction_of(t) - 0.475) < 0.001;
            means[t] = asked[t] && sweep.places[t].row == 4 ? 1 : NAN;
        }
    assert_int_equal(laser_refine_next(&sweep, &s, trials, &n, &err), LASER_OK);
    assert_true(n > 0);
    assert_int_equal(sweep.places[trials[0]].row, 4);
}

static void denoise_keeps_what_is_predicted_to_help(void **state)
{
    struct laser_screen_options o = {.strategy = LASER_STRATEGY_DENOISE, .evaluations = 3};
    struct laser_screen_summary s;
    struct laser_error err;
    double edits[CELLS];

    (void)state;
    /* Every trial has one edit, and every candidate one trial: two help, the second more. */
    for (int e = 0; e < plan.n_edits; ++e)
        edits[e] = e == 5 ? -0.1 : e == 9 ? -0.2 : e == 11 ? NAN : 0.1;
    assert_int_equal(laser_screen(&o, edits, &plan, &s, &err), LASER_OK);
    assert_int_equal(plan.n_candidates, 3);
    assert_int_equal(plan.trials[plan.candidates[0].first_trial].n_edits, 2); /* both together first */
    assert_int_equal(plan.candidates[1].first_trial, 9);
    assert_int_equal(plan.candidates[2].first_trial, 5);
    assert_int_equal(s.hurting, CELLS - 2);
    assert_int_equal(s.too_many, 0);
    assert_false(plan.edits[5].skip || plan.edits[9].skip);
    assert_true(plan.edits[0].skip);
}

/* Ten edits of each of six matrices: of the one that promises most all are tried, then the best of the others together,
 * and each alone. */
static void denoise_tries_all_edits_of_what_promises_most(void **state)
{
    struct laser_screen_options o = {.strategy = LASER_STRATEGY_DENOISE};
    struct laser_screen_summary s;
    struct laser_error err;
    double edits[CELLS];

    (void)state;
    for (int c = 0; c < MATRICES; ++c)
        plan.candidates[c] = (struct laser_search_candidate){FRACTIONS * c, 10};
    plan.n_candidates = MATRICES;
    for (int e = 0; e < plan.n_edits; ++e)
        edits[e] = e % FRACTIONS == 3 && e / FRACTIONS < 4 ? -0.1 * (e / FRACTIONS + 1) : 0.1;
    o.evaluations = 24; /* of which half is for whole matrices; a tenth of 60 would be 6 */
    assert_int_equal(laser_screen(&o, edits, &plan, &s, &err), LASER_OK);
    assert_int_equal(plan.n_candidates, 5); /* no room: 60 / 10 */
    laser_strategy_free(&plan);
    laser_sweep_free(&sweep);
    assert_int_equal(set_up(NULL), 0);
    for (int c = 0; c < MATRICES; ++c)
        plan.candidates[c] = (struct laser_search_candidate){FRACTIONS * c, 10};
    for (int c = MATRICES; c < 2 * MATRICES; ++c)
        plan.candidates[c] = (struct laser_search_candidate){FRACTIONS * (c - MATRICES) + 10, 10};
    plan.n_candidates = 2 * MATRICES;
    assert_int_equal(laser_screen(&o, edits, &plan, &s, &err), LASER_OK);
    assert_int_equal(plan.candidates[0].n_trials, 10); /* matrix 3 */
    assert_int_equal(plan.candidates[0].first_trial, 3 * FRACTIONS);
    assert_int_equal(plan.trials[plan.candidates[1].first_trial].n_edits, 3);
    assert_int_equal(plan.n_candidates, 5);
    assert_int_equal(s.after, 14);
    assert_int_equal(s.hurting, 120 - 13);
}

static void budget_keeps_cuts_within_twice_the_tolerance(void **state)
{
    struct laser_screen_options o = {.strategy = LASER_STRATEGY_BUDGET, .tolerance = 0.1};
    struct laser_screen_summary s;
    struct laser_error err;
    double edits[CELLS];

    (void)state;
    for (int e = 0; e < plan.n_edits; ++e)
        edits[e] = e == 3 ? 0.19 : e == 4 ? 0.05 : 0.21;
    assert_int_equal(laser_screen(&o, edits, &plan, &s, &err), LASER_OK);
    assert_int_equal(plan.n_candidates, 2);
    assert_int_equal(plan.candidates[0].first_trial, 4);
    assert_int_equal(plan.candidates[1].first_trial, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_round_looks_at_what_promises_most_and_deeper, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_best_edit_of_a_smooth_sweep_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_large_number_of_evaluations_is_the_whole_sweep, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cell_without_a_prediction_is_not_looked_at, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_edit_that_breaks_the_model_is_the_worst, set_up, tear_down),
        cmocka_unit_test_setup_teardown(denoise_keeps_what_is_predicted_to_help, set_up, tear_down),
        cmocka_unit_test_setup_teardown(denoise_tries_all_edits_of_what_promises_most, set_up, tear_down),
        cmocka_unit_test_setup_teardown(budget_keeps_cuts_within_twice_the_tolerance, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
