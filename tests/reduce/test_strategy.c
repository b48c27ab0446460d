#include "testing.h"

#include "reduce/screen.h"
#include "reduce/strategy.h"

#include <math.h>
#include <string.h>

/* Two layers of three types; the scores are not in order. */
static const struct laser_strategy_matrix model[] = {
    {"l0.q", "q", 0, 20, 10, 3.0, 4, true},         {"l0.o", "o", 0, 20, 10, 1.0, 4, true},
    {"l0.up", "up", 0, 20, 10, INFINITY, 10, true}, {"l1.q", "q", 1, 20, 10, 2.0, 4, true},
    {"l1.o", "o", 1, 20, 10, 1.0, 4, true},         {"l1.up", "up", 1, 20, 10, 0.5, 4, false},
};
#define N ((int)(sizeof model / sizeof *model))

static struct laser_strategy_plan plan;

static int forget(void **state)
{
    (void)state;
    laser_strategy_free(&plan);
    return 0;
}

static void build(const struct laser_strategy_options *options)
{
    struct laser_error err = {0};

    assert_int_equal(laser_strategy_build(options, model, N, &plan, &err), LASER_OK);
}

/* Matrices of the candidates, by the first edit of their first trials. */
static void candidates_are(int n, const int *matrices)
{
    assert_int_equal(plan.n_candidates, n);
    for (int c = 0; c < n; ++c) {
        const struct laser_search_trial *trial = &plan.trials[plan.candidates[c].first_trial];
        assert_int_equal(plan.edits[plan.edit_numbers[trial->first_edit]].matrix, matrices[c]);
    }
}

static void test_a_strategy_is_named_as_in_decks(void **state)
{
    (void)state;
    assert_string_equal(laser_strategy_name(LASER_STRATEGY_SNR), "snr");
    assert_string_equal(laser_strategy_name(LASER_STRATEGY_TUNE), "tune");
}

static void test_snr_takes_the_lowest_scores_in_order_and_ties_as_listed(void **state)
{
    (void)state;
    build(&(struct laser_strategy_options){.strategy = LASER_STRATEGY_SNR, .rule = "laserrmt"});
    candidates_are(4, (int[]){1, 4, 3, 0});
    assert_string_equal(plan.edits[0].text, "laserrmt");
    assert_int_equal(plan.n_no_op, 1);
}

static void test_snr_takes_no_more_than_asked(void **state)
{
    (void)state;
    build(&(struct laser_strategy_options){
        .strategy = LASER_STRATEGY_SNR, .rule = "laserrmt", .candidates = 2});
    candidates_are(2, (int[]){1, 4});
}

static void test_backward_goes_from_the_last_layer_by_types(void **state)
{
    static const char *const types[] = {"o", "q"};

    (void)state;
    build(&(struct laser_strategy_options){
        .strategy = LASER_STRATEGY_BACKWARD, .rule = "laserrmt", .types = types, .n_types = 2});
    candidates_are(4, (int[]){4, 3, 1, 0});
}

static void test_layers_are_numbers_ranges_and_counted_from_the_end(void **state)
{
    static const char *const last[] = {"-1"}, *const first[] = {"0-0"}, *const both[] = {"-2--1"};
    struct laser_strategy_options o = {.strategy = LASER_STRATEGY_SNR, .rule = "laserrmt", .n_layers = 1};

    (void)state;
    o.layers = last;
    build(&o);
    candidates_are(2, (int[]){4, 3});
    laser_strategy_free(&plan);
    o.layers = first;
    build(&o);
    candidates_are(2, (int[]){1, 0});
    laser_strategy_free(&plan);
    o.layers = both;
    build(&o);
    assert_int_equal(plan.n_candidates, 4);
}

static void test_types_are_globs(void **state)
{
    static const char *const types[] = {"[oq]"};

    (void)state;
    build(&(struct laser_strategy_options){
        .strategy = LASER_STRATEGY_SNR, .rule = "laserrmt", .types = types, .n_types = 1});
    assert_int_equal(plan.n_candidates, 4);
    assert_int_equal(plan.n_no_op, 0);
}

static void test_types_with_brackets_match_themselves(void **state)
{
    static const struct laser_strategy_matrix fused[] = {
        {"l0.qkv[q]", "attn.qkv[q]", 0, 20, 10, 3.0, 4, true},
        {"l0.qkv[k]", "attn.qkv[k]", 0, 20, 10, 2.0, 4, true},
        {"l0.qkvq", "attn.qkvq", 0, 20, 10, 1.0, 4, true}};
    struct laser_error err = {0};
    const char *const types[] = {"attn.qkv[q]"};
    struct laser_strategy_options options = {
        .strategy = LASER_STRATEGY_SNR, .rule = "laserrmt", .types = types, .n_types = 1};

    /* As scan.matrices has it: a bracket is a set, and itself. */
    (void)state;
    assert_int_equal(laser_strategy_build(&options, fused, 3, &plan, &err), LASER_OK);
    candidates_are(2, (int[]){2, 0});
}

static void test_all_is_one_trial_of_everything(void **state)
{
    (void)state;
    build(&(struct laser_strategy_options){.strategy = LASER_STRATEGY_ALL, .rule = "laserrmt"});
    assert_int_equal(plan.n_candidates, 1);
    assert_int_equal(plan.n_trials, 1);
    assert_int_equal(plan.trials[0].n_edits, 4);
}

static void test_denoise_is_one_candidate_with_all_edits(void **state)
{
    static const char *const edits[] = {"wiener:0.5", "marchenko-pastur"};

    (void)state;
    build(&(struct laser_strategy_options){.strategy = LASER_STRATEGY_DENOISE, .edits = edits, .n_edits = 2});
    candidates_are(4, (int[]){1, 4, 3, 0});
    assert_int_equal(plan.candidates[0].n_trials, 2);
    assert_string_equal(plan.edits[0].text, "wiener:0.5");
}

static void test_denoise_together_tries_edits_of_the_whole_noise_on_all_matrices_first(void **state)
{
    static const char *const edits[] = {"wiener:0.5", "marchenko-pastur", "shrink:1"};

    (void)state;
    build(&(struct laser_strategy_options){
        .strategy = LASER_STRATEGY_DENOISE, .edits = edits, .n_edits = 3, .together = true});
    candidates_are(5, (int[]){1, 1, 4, 3, 0});
    assert_int_equal(plan.candidates[0].n_trials, 2);
    for (int t = 0; t < 2; ++t) {
        const struct laser_search_trial *trial = &plan.trials[plan.candidates[0].first_trial + t];

        assert_int_equal(trial->n_edits, 4);
        for (int e = 0; e < 4; ++e) {
            const struct laser_strategy_edit *edit = &plan.edits[plan.edit_numbers[trial->first_edit + e]];

            assert_int_equal(edit->matrix, ((int[]){1, 4, 3, 0})[e]);
            assert_string_equal(edit->text, edits[t + 1]);
        }
    }
}

static void test_screening_keeps_all_trials_of_several_edits(void **state)
{
    static const char *const edits[] = {"shrink:1", "marchenko-pastur"};
    const struct laser_screen_options options = {.strategy = LASER_STRATEGY_DENOISE};
    struct laser_screen_summary summary;
    struct laser_error err = {0};
    double changes[8] = {1, 1, 1, -1, 1, 1, 1, 1}; /* one single edit promises something */

    (void)state;
    build(&(struct laser_strategy_options){
        .strategy = LASER_STRATEGY_DENOISE, .edits = edits, .n_edits = 2, .together = true});
    assert_int_equal(laser_screen(&options, changes, &plan, &summary, &err), LASER_OK);
    candidates_are(2, (int[]){1, 4});
    assert_int_equal(plan.candidates[0].n_trials, 2);
    assert_int_equal(plan.candidates[1].n_trials, 1);
    assert_int_equal(summary.before, 10);
    assert_int_equal(summary.after, 3);
    for (int e = 0; e < plan.n_edits; ++e)
        assert_false(plan.edits[e].skip);
}

static void test_matrices_without_noise_are_left_out_of_what_goes_by_score(void **state)
{
    static const char *const edits[] = {"wiener:0.5"}, *const fractions[] = {"0.5"};
    static const enum laser_strategy by_score[] = {LASER_STRATEGY_SNR, LASER_STRATEGY_DENOISE,
                                                   LASER_STRATEGY_BUDGET};

    (void)state;
    for (int s = 0; s < 3; ++s) {
        build(&(struct laser_strategy_options){.strategy = by_score[s],
                                               .rule = "laserrmt",
                                               .edits = edits,
                                               .n_edits = 1,
                                               .fractions = fractions,
                                               .n_fractions = 1});
        for (int e = 0; e < plan.n_edits; ++e)
            assert_int_not_equal(plan.edits[e].matrix, 2);
        assert_int_equal(plan.n_no_op, 1);
        laser_strategy_free(&plan);
    }
}

static void test_matrices_of_zeros_have_no_score_and_are_not_tried_by_score(void **state)
{
    static const struct laser_strategy_matrix zeros[] = {{"l0.q", "q", 0, 20, 10, NAN, 0, true},
                                                         {"l0.o", "o", 0, 20, 10, 1.0, 4, true},
                                                         {"l1.q", "q", 1, 20, 10, NAN, 0, true}};
    static const enum laser_strategy by_score[] = {LASER_STRATEGY_SNR, LASER_STRATEGY_ALL};
    struct laser_error err = {0};

    (void)state;
    for (size_t i = 0; i < sizeof by_score / sizeof *by_score; ++i) {
        struct laser_strategy_options options = {.strategy = by_score[i], .rule = "laserrmt"};
        assert_int_equal(laser_strategy_build(&options, zeros, 3, &plan, &err), LASER_OK);
        candidates_are(1, (int[]){1});
        assert_int_equal(plan.n_edits, 1);
        assert_int_equal(plan.n_no_op, 2);
        laser_strategy_free(&plan);
    }
}

static void test_an_empty_list_of_edits_is_an_error_that_names_the_key(void **state)
{
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(
        laser_strategy_build(&(struct laser_strategy_options){.strategy = LASER_STRATEGY_DENOISE}, model, N,
                             &plan, &err),
        LASER_EUSAGE);
    assert_string_equal(err.where, "reduce.edits");
    assert_int_equal(laser_strategy_build(&(struct laser_strategy_options){.strategy = LASER_STRATEGY_BUDGET},
                                          model, N, &plan, &err),
                     LASER_EUSAGE);
    assert_string_equal(err.where, "reduce.fractions");
}

static void test_no_matrices_make_an_empty_plan(void **state)
{
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(
        laser_strategy_build(&(struct laser_strategy_options){.strategy = LASER_STRATEGY_ALL, .rule = "x"},
                             model, 0, &plan, &err),
        LASER_OK);
    assert_int_equal(plan.n_candidates, 0);
    assert_int_equal(plan.n_trials, 0);
}

static void test_one_less_than_all_is_a_limit_too(void **state)
{
    (void)state;
    build(&(struct laser_strategy_options){
        .strategy = LASER_STRATEGY_SNR, .rule = "laserrmt", .candidates = 3});
    candidates_are(3, (int[]){1, 4, 3});
}

static void test_budget_tries_no_cut_that_saves_nothing(void **state)
{
    /* Of 4 x 4, rank 2 has as many parameters as two thin matrices as the whole. */
    static const struct laser_strategy_matrix square = {"l0.q", "q", 0, 4, 4, 3.0, 4, true};
    static const char *const fractions[] = {"0.5", "0.25"};
    struct laser_strategy_options o = {
        .strategy = LASER_STRATEGY_BUDGET, .fractions = fractions, .n_fractions = 2};
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_strategy_build(&o, &square, 1, &plan, &err), LASER_OK);
    assert_int_equal(plan.n_trials, 1);
    assert_string_equal(plan.edits[0].text, "rank:0.25");
}

/* The rule that the objective gives, before the strategy has its say. */
static struct laser_search_plan paired(int max_kept, double tolerance)
{
    return (struct laser_search_plan){.accept = LASER_ACCEPT_PAIRED,
                                      .give_up_early = true,
                                      .lookahead = 2,
                                      .n_candidates = 7,
                                      .max_kept = max_kept,
                                      .tolerance = tolerance};
}

static void test_backward_stops_after_five_unless_told_and_keeps_strict_gains_in_laserrmt_s_way(void **state)
{
    struct laser_search_plan search = paired(0, 0), told = paired(2, 0), compat = paired(0, 0);

    (void)state;
    laser_strategy_search(LASER_STRATEGY_BACKWARD, false, true, &search);
    laser_strategy_search(LASER_STRATEGY_BACKWARD, false, true, &told);
    laser_strategy_search(LASER_STRATEGY_BACKWARD, true, true, &compat);
    assert_int_equal(search.max_kept, 5);
    assert_int_equal(search.accept, LASER_ACCEPT_PAIRED);
    assert_int_equal(told.max_kept, 2);
    assert_int_equal(compat.accept, LASER_ACCEPT_BETTER);
}

static void test_a_sweep_keeps_nothing_and_the_composition_after_it_by_the_rule(void **state)
{
    struct laser_search_plan sweep = paired(3, 0), first = paired(3, 0), second = paired(3, 0);

    (void)state;
    laser_strategy_search(LASER_STRATEGY_SWEEP, false, true, &sweep);
    laser_strategy_search(LASER_STRATEGY_COMPOSE, false, true, &first);
    laser_strategy_search(LASER_STRATEGY_COMPOSE, false, false, &second);
    assert_int_equal(sweep.accept, LASER_ACCEPT_NEVER);
    assert_int_equal(first.accept, LASER_ACCEPT_NEVER);
    assert_int_equal(first.max_kept, 0);
    assert_int_equal(first.lookahead, 7);
    assert_false(first.give_up_early);
    assert_int_equal(second.accept, LASER_ACCEPT_PAIRED);
    assert_int_equal(second.max_kept, 3);
    assert_int_equal(second.lookahead, 2);
}

static void test_budget_takes_the_first_that_the_tolerance_allows(void **state)
{
    struct laser_search_plan search = paired(0, 0.01);

    (void)state;
    laser_strategy_search(LASER_STRATEGY_BUDGET, false, true, &search);
    assert_int_equal(search.accept, LASER_ACCEPT_TOLERANCE);
    assert_int_equal(search.pick, LASER_PICK_FIRST);
    assert_true(search.tolerance == 0.01 && search.give_up_early);
}

static void test_all_at_once_is_kept_whatever_it_does_unless_a_tolerance_is_given(void **state)
{
    struct laser_search_plan any = paired(0, 0), strict = paired(0, 0.01);

    (void)state;
    laser_strategy_search(LASER_STRATEGY_ALL, false, true, &any);
    laser_strategy_search(LASER_STRATEGY_ALL, false, true, &strict);
    assert_int_equal(any.accept, LASER_ACCEPT_TOLERANCE);
    assert_true(any.tolerance > 1e100);
    assert_true(strict.tolerance == 0.01);
    assert_false(any.give_up_early);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_strategy_is_named_as_in_decks),
        cmocka_unit_test(test_backward_stops_after_five_unless_told_and_keeps_strict_gains_in_laserrmt_s_way),
        cmocka_unit_test(test_a_sweep_keeps_nothing_and_the_composition_after_it_by_the_rule),
        cmocka_unit_test(test_budget_takes_the_first_that_the_tolerance_allows),
        cmocka_unit_test(test_all_at_once_is_kept_whatever_it_does_unless_a_tolerance_is_given),
        cmocka_unit_test_teardown(test_snr_takes_the_lowest_scores_in_order_and_ties_as_listed, forget),
        cmocka_unit_test_teardown(test_snr_takes_no_more_than_asked, forget),
        cmocka_unit_test_teardown(test_backward_goes_from_the_last_layer_by_types, forget),
        cmocka_unit_test_teardown(test_layers_are_numbers_ranges_and_counted_from_the_end, forget),
        cmocka_unit_test_teardown(test_types_are_globs, forget),
        cmocka_unit_test_teardown(test_types_with_brackets_match_themselves, forget),
        cmocka_unit_test_teardown(test_all_is_one_trial_of_everything, forget),
        cmocka_unit_test_teardown(test_denoise_is_one_candidate_with_all_edits, forget),
        cmocka_unit_test_teardown(test_denoise_together_tries_edits_of_the_whole_noise_on_all_matrices_first,
                                  forget),
        cmocka_unit_test_teardown(test_screening_keeps_all_trials_of_several_edits, forget),
        cmocka_unit_test_teardown(test_matrices_without_noise_are_left_out_of_what_goes_by_score, forget),
        cmocka_unit_test_teardown(test_matrices_of_zeros_have_no_score_and_are_not_tried_by_score, forget),
        cmocka_unit_test_teardown(test_an_empty_list_of_edits_is_an_error_that_names_the_key, forget),
        cmocka_unit_test_teardown(test_no_matrices_make_an_empty_plan, forget),
        cmocka_unit_test_teardown(test_one_less_than_all_is_a_limit_too, forget),
        cmocka_unit_test_teardown(test_budget_tries_no_cut_that_saves_nothing, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
