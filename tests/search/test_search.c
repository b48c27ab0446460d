#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "search/search.h"

#define N_CANDIDATES 20
#define N_TRIALS     (3 * N_CANDIDATES)
#define N_WINDOWS    61
#define BATCH        4
#define MAX_GROUPS   9

/* A made-up model: every edit shifts the loss of every window by its own amount, some for the better, and
 * edits influence each other a little. */
static double loss(const struct laser_search_order *order, int window)
{
    double x = 2.0 + 0.3 * sin(window * 1.7);

    for (int i = 0; i < order->n_edits; ++i) {
        int e = order->edits[i];
        x += 0.02 * sin(e * 12.9898) + 0.01 * sin(e * 78.233 + window * 3.1);
        if (i > 0)
            x += 0.002 * sin(e * 3.0 + order->edits[i - 1]);
    }
    return x;
}

struct record {
    int n;
    struct laser_search_decision decisions[N_CANDIDATES];
};

static int write_down(void *context, const struct laser_search_decision *d, struct laser_error *err)
{
    struct record *r = context;

    (void)err;
    r->decisions[r->n] = *d;
    r->decisions[r->n++].windows = NULL; /* valid in here only */
    return LASER_OK;
}

static struct laser_search_candidate candidates[N_CANDIDATES];
static struct laser_search_trial trials[N_TRIALS];
static int32_t edits[N_TRIALS];
static double weights[N_WINDOWS];

static struct laser_search_plan make_plan(enum laser_search_accept accept)
{
    struct laser_search_plan plan = {.candidates = candidates,
                                     .n_candidates = N_CANDIDATES,
                                     .trials = trials,
                                     .n_trials = N_TRIALS,
                                     .edits = edits,
                                     .n_edits = N_TRIALS,
                                     .window_weights = weights,
                                     .n_windows = N_WINDOWS,
                                     .batch_windows = BATCH,
                                     .accept = accept,
                                     .z = 1,
                                     .tolerance = 0.01,
                                     .give_up_early = true,
                                     .lookahead = 3};

    for (int t = 0; t < N_TRIALS; ++t) {
        trials[t] = (struct laser_search_trial){.first_edit = t, .n_edits = 1};
        edits[t] = t;
    }
    for (int c = 0; c < N_CANDIDATES; ++c)
        candidates[c] = (struct laser_search_candidate){.first_trial = 3 * c, .n_trials = 3};
    for (int w = 0; w < N_WINDOWS; ++w)
        weights[w] = w == N_WINDOWS - 1 ? 50 : 127;
    return plan;
}

/* Runs a search with n_groups groups that hold up to `depth` orders and answer in random order. */
static struct record run(const struct laser_search_plan *plan, int n_groups, int depth, unsigned seed,
                         const struct record *replay)
{
    static struct laser_search_order held[MAX_GROUPS][4];
    int n_held[MAX_GROUPS] = {0}, outstanding = 0, ended = 0;
    struct record record = {0};
    struct laser_search *s;
    struct laser_error err = {0};

    assert_int_equal(laser_search_create(plan, write_down, &record, &s, &err), LASER_OK);
    for (int i = 0; replay != NULL && i < replay->n; ++i) {
        record.decisions[record.n++] = replay->decisions[i];
        assert_int_equal(
            laser_search_replay(s, i, replay->decisions[i].kept, replay->decisions[i].trial, &err), LASER_OK);
    }
    while (ended < n_groups || outstanding > 0) {
        struct laser_search_result result = {0};
        int g;
        ended = 0;
        for (g = 0; g < n_groups; ++g) {
            enum laser_search_next next = LASER_SEARCH_ORDER;
            while (n_held[g] < depth &&
                   (next = laser_search_next(s, g, &held[g][n_held[g]])) == LASER_SEARCH_ORDER) {
                ++n_held[g];
                ++outstanding;
            }
            ended += next == LASER_SEARCH_END;
        }
        if (outstanding == 0) {
            assert_int_equal(ended, n_groups); /* else it would wait for ever */
            break;
        }
        do
            g = rand_r(&seed) % n_groups;
        while (n_held[g] == 0);
        result.n_windows = held[g][0].batch == (N_WINDOWS - 1) / BATCH ? (N_WINDOWS - 1) % BATCH + 1 : BATCH;
        for (int i = 0; i < result.n_windows; ++i)
            result.nll[i] = loss(&held[g][0], held[g][0].batch * BATCH + i);
        assert_int_equal(laser_search_done(s, g, &held[g][0], &result, &err), LASER_OK);
        --n_held[g];
        --outstanding;
        memmove(&held[g][0], &held[g][1], (size_t)n_held[g] * sizeof held[g][0]);
    }
    laser_search_free(s);
    return record;
}

static void test_decisions_do_not_depend_on_groups_or_on_who_comes_first(void **state)
{
    const enum laser_search_accept rules[] = {LASER_ACCEPT_NOT_WORSE, LASER_ACCEPT_BETTER,
                                              LASER_ACCEPT_PAIRED, LASER_ACCEPT_TOLERANCE,
                                              LASER_ACCEPT_NEVER};

    (void)state;
    for (int r = 0; r < 5; ++r)
        for (int pick = 0; pick < 2; ++pick) {
            struct laser_search_plan plan = make_plan(rules[r]);
            struct record serial, other;
            int kept = 0;
            plan.pick = pick ? LASER_PICK_FIRST : LASER_PICK_BEST;
            plan.lookahead = 0;
            serial = run(&plan, 1, 1, 1, NULL);
            assert_int_equal(serial.n, N_CANDIDATES);
            for (int i = 0; i < serial.n; ++i)
                kept += serial.decisions[i].kept;
            if (rules[r] == LASER_ACCEPT_NEVER)
                assert_int_equal(kept, 0);
            else
                assert_in_range(kept, 1, N_CANDIDATES - 1);
            plan.lookahead = 3;
            for (int groups = 1; groups <= MAX_GROUPS; groups += 2)
                for (int depth = 1; depth <= 3; ++depth) {
                    other = run(&plan, groups, depth, (unsigned)(groups * 100 + depth), NULL);
                    assert_memory_equal(&serial, &other, sizeof serial);
                }
        }
}

static void test_a_replayed_search_goes_on_to_the_same_decisions(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_NOT_WORSE);
    struct record whole = run(&plan, 3, 2, 7, NULL);

    (void)state;
    for (int n = 1; n <= whole.n; ++n) {
        struct record part = whole, again;
        part.n = n;
        again = run(&plan, 2, 1, 8, &part);
        assert_memory_equal(&whole, &again, sizeof whole);
    }
}

static void test_the_search_stops_after_max_kept(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_BETTER);
    struct record r;
    int kept = 0;

    (void)state;
    plan.max_kept = 2;
    r = run(&plan, 4, 2, 9, NULL);
    for (int i = 0; i < r.n; ++i)
        kept += r.decisions[i].kept;
    assert_int_equal(kept, 2);
    assert_true(r.decisions[r.n - 1].kept);
    assert_true(r.n < N_CANDIDATES);
}

static void test_without_candidates_only_the_base_is_evaluated(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_BETTER);

    (void)state;
    plan.n_candidates = 0;
    assert_int_equal(run(&plan, 4, 2, 9, NULL).n, 0);
}

static void test_early_giving_up_changes_no_decision(void **state)
{
    const enum laser_search_accept rules[] = {LASER_ACCEPT_NOT_WORSE, LASER_ACCEPT_BETTER,
                                              LASER_ACCEPT_TOLERANCE};

    (void)state;
    for (int r = 0; r < 3; ++r) {
        struct laser_search_plan plan = make_plan(rules[r]);
        struct record early = run(&plan, 3, 2, 11, NULL), full;
        plan.give_up_early = false;
        full = run(&plan, 3, 2, 11, NULL);
        for (int i = 0; i < N_CANDIDATES; ++i) {
            assert_int_equal(early.decisions[i].kept, full.decisions[i].kept);
            if (full.decisions[i].kept)
                assert_int_equal(early.decisions[i].trial, full.decisions[i].trial);
        }
    }
}

/* One edit on 200 windows whose difference to the base has this mean, in standard deviations of a window. */
static int windows_until_decided(double shift, unsigned seed, enum laser_search_reason *reason)
{
    enum { WINDOWS = 200 };
    static double equal[WINDOWS];
    const struct laser_search_candidate only = {.n_trials = 1};
    const struct laser_search_trial trial = {.n_edits = 1};
    const int32_t edit = 0;
    struct record record = {0};
    struct laser_search_plan plan = {.candidates = &only,
                                     .n_candidates = 1,
                                     .trials = &trial,
                                     .n_trials = 1,
                                     .edits = &edit,
                                     .n_edits = 1,
                                     .window_weights = equal,
                                     .n_windows = WINDOWS,
                                     .batch_windows = 4,
                                     .accept = LASER_ACCEPT_PAIRED,
                                     .z = 2,
                                     .give_up_early = true};
    struct laser_search_order order;
    struct laser_search *s;
    struct laser_error err = {0};

    for (int i = 0; i < WINDOWS; ++i)
        equal[i] = 1;
    assert_int_equal(laser_search_create(&plan, write_down, &record, &s, &err), LASER_OK);
    srand(seed);
    while (laser_search_next(s, 0, &order) == LASER_SEARCH_ORDER) {
        struct laser_search_result result = {.n_windows = 4};
        for (int i = 0; i < 4; ++i) {
            double noise = -6; /* of variance 1: twelve uniform draws */
            for (int k = 0; k < 12; ++k)
                noise += (double)rand() / RAND_MAX;
            result.nll[i] = 3 + (order.trial < 0 ? 0 : 0.01 * (noise + shift));
        }
        assert_int_equal(laser_search_done(s, 0, &order, &result, &err), LASER_OK);
    }
    laser_search_free(s);
    assert_int_equal(record.n, 1);
    *reason = record.decisions[0].reason;
    return record.decisions[0].n_windows;
}

/* 200 windows: a shift of 0.35 is five standard errors. */
static void test_trials_without_effect_are_left_and_good_ones_kept(void **state)
{
    enum laser_search_reason reason;
    int nothing = 0, worse = 0, kept = 0;

    (void)state;
    for (unsigned seed = 1; seed <= 100; ++seed) {
        nothing += windows_until_decided(0, seed, &reason);
        worse += windows_until_decided(0.35, seed, &reason);
        assert_int_equal(reason, LASER_REASON_GIVEN_UP);
        windows_until_decided(-0.35, seed, &reason);
        kept += reason == LASER_REASON_ACCEPTED;
    }
    assert_in_range(nothing, 100 * 20, 100 * 120); /* of 100 * 200 */
    assert_in_range(worse, 100 * 8, 100 * 30);
    assert_in_range(kept, 92, 100);
}

/* One trial that gives every window the loss `nll` on a base of 3.  Its divergence is 0.1 on every window but the last, where it is
 * 1, and the first has none. */
static struct laser_search_decision decide_one(enum laser_search_accept accept, double nll, double max_kl)
{
    struct laser_search_plan plan = make_plan(accept);
    struct laser_search_order order;
    struct laser_search *s;
    struct laser_error err = {0};
    struct record record = {0};

    plan.n_candidates = 1;
    plan.give_up_early = false;
    plan.max_kl = max_kl;
    assert_int_equal(laser_search_create(&plan, write_down, &record, &s, &err), LASER_OK);
    while (laser_search_next(s, 0, &order) == LASER_SEARCH_ORDER) {
        struct laser_search_result result = {.n_windows = N_WINDOWS - order.batch * plan.batch_windows};
        if (result.n_windows > plan.batch_windows)
            result.n_windows = plan.batch_windows;
        for (int i = 0; i < result.n_windows; ++i) {
            int window = order.batch * plan.batch_windows + i;
            result.nll[i] = order.trial < 0 ? 3 : nll;
            result.kl[i] = window == 0 ? (double)NAN : window == N_WINDOWS - 1 ? 1 : 0.1;
        }
        assert_int_equal(laser_search_done(s, 0, &order, &result, &err), LASER_OK);
    }
    laser_search_free(s);
    assert_int_equal(record.n, 1);
    return record.decisions[0];
}

static enum laser_search_reason reason_for(enum laser_search_accept accept, double nll)
{
    return decide_one(accept, nll, 0).reason;
}

static void test_what_leads_too_far_from_the_base_is_refused(void **state)
{
    const double mean = (0.1 * 127 * (N_WINDOWS - 2) + 50) / (127 * (N_WINDOWS - 2) + 50);
    struct laser_search_decision d = decide_one(LASER_ACCEPT_BETTER, 2, mean * 0.999);

    (void)state;
    assert_int_equal(d.reason, LASER_REASON_TOO_FAR);
    assert_false(d.kept);
    assert_true(fabs(d.kl - mean) < 1e-15);
    assert_string_equal(laser_search_reason_name(d.reason), "too far from the base");
    assert_int_equal(decide_one(LASER_ACCEPT_BETTER, 2, mean * 1.001).reason, LASER_REASON_ACCEPTED);
    assert_int_equal(decide_one(LASER_ACCEPT_BETTER, 3.5, mean * 0.999).reason, LASER_REASON_WORSE);
    assert_true(isnan(decide_one(LASER_ACCEPT_BETTER, 2, 0).kl));
}

static void test_a_loss_that_stays_is_called_no_better_and_not_worse(void **state)
{
    (void)state;
    assert_int_equal(reason_for(LASER_ACCEPT_NOT_WORSE, 3), LASER_REASON_ACCEPTED);
    assert_int_equal(reason_for(LASER_ACCEPT_BETTER, 3), LASER_REASON_NO_BETTER);
    assert_int_equal(reason_for(LASER_ACCEPT_PAIRED, 3), LASER_REASON_NO_BETTER);
    assert_int_equal(reason_for(LASER_ACCEPT_BETTER, 3.5), LASER_REASON_WORSE);
    assert_string_equal(laser_search_reason_name(LASER_REASON_NO_BETTER), "no better");
    assert_string_equal(laser_search_reason_name(LASER_REASON_WORSE), "worse");
}

static void test_a_base_that_is_not_finite_is_an_error(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_BETTER);
    struct laser_search_order order;
    struct laser_search_result result = {.n_windows = 1, .nll = {NAN}};
    struct laser_search *s;
    struct laser_error err = {0};

    (void)state;
    plan.n_windows = 1;
    assert_int_equal(laser_search_create(&plan, NULL, NULL, &s, &err), LASER_OK);
    assert_int_equal(laser_search_next(s, 0, &order), LASER_SEARCH_ORDER);
    assert_int_equal(order.trial, -1);
    assert_int_equal(laser_search_done(s, 0, &order, &result, &err), LASER_ENUMERIC);
    laser_search_free(s);
}

static void test_paired_difference_and_its_standard_error(void **state)
{
    /* numpy: d = a - b; d.mean(), d.std(ddof=1) / sqrt(4) */
    const double a[] = {1, 2, 3, 5}, b[] = {1.5, 1.5, 2, 4}, w[] = {1, 1, 1, 1};
    double mean, se;

    (void)state;
    laser_search_paired(a, b, w, 4, &mean, &se);
    assert_true(fabs(mean - 0.5) < 1e-15);
    assert_true(fabs(se - 0.7071067811865476 / 2) < 1e-15);
}

/* The only or the first decision of a search whose trials have the losses nll(trial, window); trial -1: the
 * base. */
static struct record decide(struct laser_search_plan *plan, double (*nll)(int trial, int window))
{
    struct laser_search_order order;
    struct laser_search *s;
    struct laser_error err = {0};
    struct record record = {0};

    assert_int_equal(laser_search_create(plan, write_down, &record, &s, &err), LASER_OK);
    while (laser_search_next(s, 0, &order) == LASER_SEARCH_ORDER) {
        struct laser_search_result result = {.n_windows = N_WINDOWS - order.batch * BATCH};
        if (result.n_windows > BATCH)
            result.n_windows = BATCH;
        for (int i = 0; i < result.n_windows; ++i)
            result.nll[i] = nll(order.trial < 0 && order.n_kept > 0 ? order.edits[0] : order.trial,
                                order.batch * BATCH + i);
        assert_int_equal(laser_search_done(s, 0, &order, &result, &err), LASER_OK);
    }
    laser_search_free(s);
    return record;
}

static double nearly_better(int trial, int window)
{
    return trial < 0 ? 3 : 3 - 0.0001 + (window % 2 ? 0.01 : -0.01);
}

static double nearly_worse(int trial, int window)
{
    return trial < 0 ? 3 : 3 + 0.0005 + (window % 2 ? 0.01 : -0.01);
}

static void test_the_paired_rule_keeps_nothing_within_the_error(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_PAIRED);

    (void)state;
    plan.n_candidates = 1;
    plan.give_up_early = false;
    assert_int_equal(decide(&plan, nearly_better).decisions[0].reason, LASER_REASON_WITHIN_ERROR);
    assert_int_equal(decide(&plan, nearly_worse).decisions[0].reason, LASER_REASON_WORSE);
}

static double three_good_ones(int trial, int window)
{
    static const double gain[] = {0.1, 0.3, 0.2};

    return 3 + 0.01 * (window % 3) - (trial < 0 ? 0 : gain[trial % 3]);
}

static void test_of_several_good_trials_the_best_is_taken(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_PAIRED);
    struct record r;

    (void)state;
    plan.n_candidates = 1;
    r = decide(&plan, three_good_ones);
    assert_true(r.decisions[0].kept);
    assert_int_equal(r.decisions[0].trial, 1);
}

static void test_or_the_first_where_the_order_says_more(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_TOLERANCE);
    struct record r;

    (void)state;
    plan.n_candidates = 1;
    plan.pick = LASER_PICK_FIRST;
    r = decide(&plan, three_good_ones);
    assert_true(r.decisions[0].kept);
    assert_int_equal(r.decisions[0].trial, 0);
}

static double gains_half_then_gives_most_back(int trial, int window)
{
    return 3 + 0.01 * (window % 3) - (trial < 0 ? 0 : trial == 0 ? 0.5 : 0.1);
}

static void test_a_tolerance_may_use_up_what_was_gained_before(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_TOLERANCE);
    struct record r;

    (void)state;
    for (int c = 0; c < 2; ++c)
        candidates[c] = (struct laser_search_candidate){.first_trial = c, .n_trials = 1};
    plan.n_candidates = 2;
    plan.lookahead = 0;
    r = decide(&plan, gains_half_then_gives_most_back);
    assert_true(r.decisions[0].kept);
    assert_true(r.decisions[1].kept);
}

static double begins_badly(int trial, int window)
{
    return 3 + 0.001 * (window % 3) - (trial < 0 ? 0 : window < 4 ? -0.01 : 0.05 + 0.001 * (window % 2));
}

static void test_a_few_windows_end_no_trial(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_PAIRED);

    (void)state;
    candidates[0].n_trials = 1;
    plan.n_candidates = 1;
    assert_true(decide(&plan, begins_badly).decisions[0].kept);
}

static void test_a_resumed_search_counts_its_tolerance_from_where_it_began(void **state)
{
    struct laser_search_plan plan = make_plan(LASER_ACCEPT_TOLERANCE);
    struct laser_search_order order;
    struct laser_search *s;
    struct laser_error err = {0};
    struct record record = {0};
    double mean;

    (void)state;
    for (int c = 0; c < 2; ++c)
        candidates[c] = (struct laser_search_candidate){.first_trial = c, .n_trials = 1};
    plan.n_candidates = 2;
    assert_int_equal(laser_search_create(&plan, write_down, &record, &s, &err), LASER_OK);
    assert_int_equal(laser_search_replay(s, 1, true, 1, &err), LASER_EIO); /* candidate 0 comes first */
    assert_int_equal(laser_search_replay(s, 0, true, 0, &err), LASER_OK);
    laser_search_replay_base(s, 3);
    while (laser_search_next(s, 0, &order) == LASER_SEARCH_ORDER) {
        struct laser_search_result result = {.n_windows = N_WINDOWS - order.batch * BATCH};
        if (result.n_windows > BATCH)
            result.n_windows = BATCH;
        for (int i = 0; i < result.n_windows; ++i)
            result.nll[i] = order.trial < 0 ? 2.5 : 2.9;
        assert_int_equal(laser_search_done(s, 0, &order, &result, &err), LASER_OK);
    }
    laser_search_base(s, &mean);
    assert_float_equal(mean, 3, 0);
    laser_search_free(s);
    assert_int_equal(record.n, 1);
    assert_true(record.decisions[0].kept);
}

/* There is no spread to tell a gain from chance by. */
static void test_one_window_decides_nothing_by_standard_errors(void **state)
{
    const double a[] = {1}, b[] = {1.5}, w[] = {1};
    double mean, se;

    (void)state;
    laser_search_paired(a, b, w, 1, &mean, &se);
    assert_true(fabs(mean + 0.5) < 1e-15);
    assert_true(isnan(se));
}

static void test_more_tries_ask_for_more_standard_errors(void **state)
{
    (void)state;
    assert_true(fabs(laser_search_z(1) - 2) < 1e-12);
    assert_true(fabs(laser_search_z(40) - 3.0233) < 1e-3);  /* scipy.stats.norm.isf(0.00125) */
    assert_true(fabs(laser_search_z(100) - 3.2905) < 1e-3); /* scipy.stats.norm.isf(0.0005) */
    assert_true(laser_search_z(10000) > laser_search_z(100));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decisions_do_not_depend_on_groups_or_on_who_comes_first),
        cmocka_unit_test(test_a_replayed_search_goes_on_to_the_same_decisions),
        cmocka_unit_test(test_what_leads_too_far_from_the_base_is_refused),
        cmocka_unit_test(test_the_search_stops_after_max_kept),
        cmocka_unit_test(test_without_candidates_only_the_base_is_evaluated),
        cmocka_unit_test(test_early_giving_up_changes_no_decision),
        cmocka_unit_test(test_trials_without_effect_are_left_and_good_ones_kept),
        cmocka_unit_test(test_a_loss_that_stays_is_called_no_better_and_not_worse),
        cmocka_unit_test(test_a_base_that_is_not_finite_is_an_error),
        cmocka_unit_test(test_paired_difference_and_its_standard_error),
        cmocka_unit_test(test_the_paired_rule_keeps_nothing_within_the_error),
        cmocka_unit_test(test_of_several_good_trials_the_best_is_taken),
        cmocka_unit_test(test_or_the_first_where_the_order_says_more),
        cmocka_unit_test(test_a_tolerance_may_use_up_what_was_gained_before),
        cmocka_unit_test(test_a_few_windows_end_no_trial),
        cmocka_unit_test(test_a_resumed_search_counts_its_tolerance_from_where_it_began),
        cmocka_unit_test(test_one_window_decides_nothing_by_standard_errors),
        cmocka_unit_test(test_more_tries_ask_for_more_standard_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
