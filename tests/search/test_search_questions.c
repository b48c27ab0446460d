/* Searches on questions that are right or wrong: LASER_ACCEPT_MCNEMAR, and what a tolerance is measured in.
 */
#include "testing.h"

#include <math.h>
#include <string.h>

#include "base/mcnemar.h"
#include "search/search.h"

enum { QUESTIONS = 60, BATCH = 5, MOST = 8 };

/* The model has every second question wrong; an edit mends so many of these and spoils so many of the others,
 * scattered over all of them. */
struct change {
    int better, worse;
};

static double value(const struct change *changes, const struct laser_search_order *order, int question)
{
    bool wrong = question % 2 == 0;
    int place = (7 * (question / 2) + 3) % (QUESTIONS / 2);

    for (int i = 0; i < order->n_edits; ++i) {
        const struct change *c = &changes[order->edits[i]];
        if (question % 2 == 0 && place < c->better)
            wrong = false;
        if (question % 2 == 1 && place < c->worse)
            wrong = true;
    }
    return wrong;
}

struct record {
    int n;
    struct laser_search_decision decisions[MOST];
};

static int write_down(void *context, const struct laser_search_decision *d, struct laser_error *err)
{
    struct record *r = context;

    (void)err;
    r->decisions[r->n] = *d;
    r->decisions[r->n++].windows = NULL;
    return LASER_OK;
}

static double z_in_use = 2;

/* One candidate for each change, each an edit alone. */
static struct record search(const struct change *changes, int n, enum laser_search_accept accept,
                            double tolerance, bool give_up_early)
{
    struct laser_search_candidate candidates[MOST];
    struct laser_search_trial trials[MOST];
    int32_t edits[MOST];
    double weights[QUESTIONS];
    struct laser_search_plan plan = {.candidates = candidates,
                                     .n_candidates = n,
                                     .trials = trials,
                                     .n_trials = n,
                                     .edits = edits,
                                     .n_edits = n,
                                     .window_weights = weights,
                                     .n_windows = QUESTIONS,
                                     .batch_windows = BATCH,
                                     .accept = accept,
                                     .z = z_in_use,
                                     .tolerance = tolerance,
                                     .give_up_early = give_up_early};
    struct laser_search_order order;
    struct record record = {0};
    struct laser_error err = {0};
    struct laser_search *s;

    for (int i = 0; i < n; ++i) {
        candidates[i] = (struct laser_search_candidate){.first_trial = i, .n_trials = 1};
        trials[i] = (struct laser_search_trial){.first_edit = i, .n_edits = 1};
        edits[i] = i;
    }
    for (int i = 0; i < QUESTIONS; ++i)
        weights[i] = 1;
    assert_int_equal(laser_search_create(&plan, write_down, &record, &s, &err), LASER_OK);
    while (laser_search_next(s, 0, &order) == LASER_SEARCH_ORDER) {
        struct laser_search_result result = {.n_windows = BATCH};

        for (int i = 0; i < BATCH; ++i)
            result.nll[i] = value(changes, &order, order.batch * BATCH + i);
        assert_int_equal(laser_search_done(s, 0, &order, &result, &err), LASER_OK);
    }
    laser_search_free(s);
    assert_int_equal(record.n, n);
    return record;
}

static struct laser_search_decision judge(int better, int worse, enum laser_search_accept accept)
{
    const struct change change = {.better = better, .worse = worse};

    return search(&change, 1, accept, 0, false).decisions[0];
}

/* The level is the normal tail beyond two: 0.02275.  The chances are sums of binomials over powers of two. */
static void the_exact_chance_decides(void **state)
{
    static const struct {
        int better, worse;
        double p;
        enum laser_search_reason reason;
    } cases[] = {
        {6, 0, 1.0 / 64, LASER_REASON_ACCEPTED},           {5, 0, 1.0 / 32, LASER_REASON_WITHIN_ERROR},
        {8, 1, 10.0 / 512, LASER_REASON_ACCEPTED},         {7, 1, 9.0 / 256, LASER_REASON_WITHIN_ERROR},
        {10, 2, 79.0 / 4096, LASER_REASON_ACCEPTED},       {9, 2, 67.0 / 2048, LASER_REASON_WITHIN_ERROR},
        {11, 3, 470.0 / 16384, LASER_REASON_WITHIN_ERROR}, {3, 7, 968.0 / 1024, LASER_REASON_WORSE},
        {4, 4, 163.0 / 256, LASER_REASON_NO_BETTER},       {0, 0, 1, LASER_REASON_NO_BETTER},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct laser_search_decision d = judge(cases[i].better, cases[i].worse, LASER_ACCEPT_MCNEMAR);

        assert_true(fabs(laser_mcnemar_p(cases[i].better, cases[i].worse) - cases[i].p) < 1e-12);
        assert_int_equal(d.reason, cases[i].reason);
        assert_int_equal(d.kept, cases[i].reason == LASER_REASON_ACCEPTED);
        assert_int_equal(d.n_windows, QUESTIONS);
        assert_true(fabs(d.difference - (double)(cases[i].worse - cases[i].better) / QUESTIONS) < 1e-12);
    }
}

/* 8 : 0 is a chance of 1/256: enough for one edit, too little for the best of 40 (0.05 / 40 = 1/800). */
static void the_more_edits_are_tried_the_rarer_a_chance_decides(void **state)
{
    (void)state;
    assert_true(judge(8, 0, LASER_ACCEPT_MCNEMAR).kept);
    z_in_use = laser_search_z(40);
    assert_int_equal(judge(8, 0, LASER_ACCEPT_MCNEMAR).reason, LASER_REASON_WITHIN_ERROR);
    assert_int_equal(judge(9, 0, LASER_ACCEPT_MCNEMAR).reason, LASER_REASON_WITHIN_ERROR);
    assert_true(judge(10, 0, LASER_ACCEPT_MCNEMAR).kept);
    assert_int_equal(laser_mcnemar_fewest(laser_normal_tail(z_in_use)), 10);
    z_in_use = 2;
}

static void a_decision_counts_what_changed(void **state)
{
    struct laser_search_decision d = judge(7, 3, LASER_ACCEPT_MCNEMAR);

    (void)state;
    assert_int_equal(d.n_better, 7);
    assert_int_equal(d.n_worse, 3);
}

/* Two standard errors, or the same chance (2.3 %) in either direction. */
static void a_verdict_asks_for_more_than_chance(void **state)
{
    (void)state;
    assert_int_equal(laser_verdict_paired(-0.125, 0.13), LASER_VERDICT_SAME);
    assert_int_equal(laser_verdict_paired(-0.2, 0.1), LASER_VERDICT_SAME);
    assert_int_equal(laser_verdict_paired(-0.201, 0.1), LASER_VERDICT_BETTER);
    assert_int_equal(laser_verdict_paired(0.201, 0.1), LASER_VERDICT_WORSE);
    assert_int_equal(laser_verdict_paired(-1, NAN), LASER_VERDICT_SAME);
    assert_int_equal(laser_verdict_counts(5, 0), LASER_VERDICT_SAME);
    assert_int_equal(laser_verdict_counts(6, 0), LASER_VERDICT_BETTER);
    assert_int_equal(laser_verdict_counts(1, 8), LASER_VERDICT_WORSE);
    assert_int_equal(laser_verdict_counts(0, 0), LASER_VERDICT_SAME);
}

/* Five questions mended and none spoiled are 2.3 standard errors, and 1 in 32 by chance. */
static void it_asks_for_more_than_the_standard_error(void **state)
{
    (void)state;
    assert_true(judge(5, 0, LASER_ACCEPT_PAIRED).kept);
    assert_false(judge(5, 0, LASER_ACCEPT_MCNEMAR).kept);
}

/* Against the kept state, not the first one: what another edit has mended already is no gain. */
static void a_later_edit_is_judged_on_top_of_the_kept_ones(void **state)
{
    static const struct change changes[] = {{.better = 8}, {.better = 8}, {.better = 13}, {.better = 14}};
    struct record r = search(changes, 4, LASER_ACCEPT_MCNEMAR, 0, false);

    (void)state;
    assert_true(r.decisions[0].kept);
    assert_false(r.decisions[1].kept);
    assert_true(r.decisions[1].difference == 0);
    assert_false(r.decisions[2].kept); /* five more: 1/32 */
    assert_true(r.decisions[3].kept);  /* six more: 1/64 */
}

static void what_spoils_questions_is_left_early(void **state)
{
    static const struct change bad = {.worse = 15}, good = {.better = 12, .worse = 1}, few = {.better = 6};
    struct laser_search_decision d = search(&bad, 1, LASER_ACCEPT_MCNEMAR, 0, true).decisions[0];

    (void)state;
    assert_int_equal(d.reason, LASER_REASON_GIVEN_UP);
    assert_true(d.n_windows >= 8 && d.n_windows <= QUESTIONS / 2);
    assert_true(d.n_windows % BATCH == 0);
    d = search(&good, 1, LASER_ACCEPT_MCNEMAR, 0, true).decisions[0];
    assert_true(d.kept);
    assert_int_equal(d.n_windows, QUESTIONS);
    assert_true(search(&few, 1, LASER_ACCEPT_MCNEMAR, 0, true).decisions[0].kept);
}

static void leaving_early_keeps_the_same_edits(void **state)
{
    int left = 0;

    (void)state;
    for (int better = 0; better <= QUESTIONS / 2; ++better)
        for (int worse = 0; worse <= QUESTIONS / 2; ++worse) {
            const struct change c = {.better = better, .worse = worse};
            struct laser_search_decision all = search(&c, 1, LASER_ACCEPT_MCNEMAR, 0, false).decisions[0];
            struct laser_search_decision some = search(&c, 1, LASER_ACCEPT_MCNEMAR, 0, true).decisions[0];

            assert_int_equal(all.kept, some.kept);
            left += some.reason == LASER_REASON_GIVEN_UP;
        }
    assert_true(left > 200);
}

/* The tolerance is an amount of the mean, measured from the first base, also where that is 0. */
static void a_tolerance_is_an_amount_of_the_objective(void **state)
{
    static const struct change changes[] = {
        {.worse = 3}, {.worse = 4}, {.worse = 2}, {.better = 9, .worse = 12}};
    static const struct change from_none[] = {
        {.better = 30}, {.better = 30, .worse = 2}, {.better = 30, .worse = 30}};

    (void)state;
    for (int early = 0; early < 2; ++early) {
        struct record r = search(changes, 4, LASER_ACCEPT_TOLERANCE, 3.05 / QUESTIONS, early);
        assert_true(r.decisions[0].kept);
        assert_false(r.decisions[1].kept);
        assert_true(r.decisions[2].kept);
        assert_true(r.decisions[3].kept);
        r = search(from_none, 3, LASER_ACCEPT_TOLERANCE, 2.5 / QUESTIONS, early);
        assert_true(r.decisions[0].kept);
        assert_true(r.decisions[1].kept);
        assert_true(r.decisions[2].kept);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_exact_chance_decides),
        cmocka_unit_test(it_asks_for_more_than_the_standard_error),
        cmocka_unit_test(the_more_edits_are_tried_the_rarer_a_chance_decides),
        cmocka_unit_test(a_decision_counts_what_changed),
        cmocka_unit_test(a_verdict_asks_for_more_than_chance),
        cmocka_unit_test(a_later_edit_is_judged_on_top_of_the_kept_ones),
        cmocka_unit_test(what_spoils_questions_is_left_early),
        cmocka_unit_test(leaving_early_keeps_the_same_edits),
        cmocka_unit_test(a_tolerance_is_an_amount_of_the_objective),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
