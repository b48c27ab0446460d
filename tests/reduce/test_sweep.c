#include "testing.h"

#include "arch/paper.h"
#include "reduce/sweep.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

/* Two layers of a gated model, and a head. */
static const struct laser_strategy_matrix llama[] = {
    {"l.0.q", "self_attn.q_proj", 0, 8, 8, 1, 4, true},   {"l.0.k", "self_attn.k_proj", 0, 8, 8, 1, 4, true},
    {"l.0.v", "self_attn.v_proj", 0, 8, 8, 1, 4, true},   {"l.0.o", "self_attn.o_proj", 0, 8, 8, 1, 4, true},
    {"l.0.gate", "mlp.gate_proj", 0, 16, 8, 1, 4, true},  {"l.0.up", "mlp.up_proj", 0, 16, 8, 1, 4, true},
    {"l.0.down", "mlp.down_proj", 0, 8, 16, 1, 4, true},  {"l.1.q", "self_attn.q_proj", 1, 8, 8, 1, 4, true},
    {"l.1.gate", "mlp.gate_proj", 1, 16, 8, 1, 4, true},  {"l.1.up", "mlp.up_proj", 1, 16, 8, 1, 4, true},
    {"l.1.down", "mlp.down_proj", 1, 8, 16, 1, 4, false}, {"head", "lm_head", -1, 32, 8, 1, 4, true},
};

static struct laser_strategy_plan plan, composed;
static struct laser_sweep sweep;
static struct laser_error err;

static int forget(void **state)
{
    (void)state;
    laser_strategy_free(&plan);
    laser_strategy_free(&composed);
    laser_sweep_free(&sweep);
    return 0;
}

static const char *const tenth[] = {"0.1"};
static const char *const three[] = {"rate:9", "0.05", "rate:9.9"};

static int try_build(const char *const *types, int n_types, const char *const *layers, int n_layers,
                     const char *const *fractions, int n_fractions)
{
    struct laser_strategy_options o = {.strategy = LASER_STRATEGY_SWEEP,
                                       .types = types,
                                       .n_types = n_types,
                                       .layers = layers,
                                       .n_layers = n_layers,
                                       .fractions = fractions,
                                       .n_fractions = n_fractions};

    return laser_sweep_build(&o, llama, COUNT(llama), &plan, &sweep, &err);
}

/* The trial's place and matrices, as one text: "layer 0 mlp 0.1: 4 5 6". */
static void trial_is(int t, const char *expected)
{
    const struct laser_search_trial *trial = &plan.trials[t];
    char text[256], row[24];
    size_t n;

    laser_sweep_row_name(&sweep, sweep.places[t].row, row);
    n = (size_t)snprintf(text, sizeof text, "%s %s %g:", row, sweep.columns[sweep.places[t].column],
                         sweep.fractions[sweep.places[t].fraction]);
    for (int i = 0; i < trial->n_edits; ++i)
        n += (size_t)snprintf(text + n, sizeof text - n, " %d",
                              plan.edits[plan.edit_numbers[trial->first_edit + i]].matrix);
    assert_string_equal(text, expected);
}

static void test_names_of_the_paper_and_of_its_program_are_known(void **state)
{
    (void)state;
    assert_int_equal(laser_paper_parse("q_proj"), LASER_PAPER_Q);
    assert_int_equal(laser_paper_parse("q"), LASER_PAPER_Q);
    assert_int_equal(laser_paper_parse("out"), LASER_PAPER_OUT);
    assert_int_equal(laser_paper_parse("mlp"), LASER_PAPER_FC_IN | LASER_PAPER_FC_UP | LASER_PAPER_FC_OUT);
    assert_int_equal(laser_paper_parse("all"), 127);
    assert_int_equal(laser_paper_parse("mlp.up_proj"), 0);
}

static void test_each_architecture_has_its_types_under_the_papers_names(void **state)
{
    static const struct {
        const char *type;
        bool gated;
        unsigned parts;
    } facts[] = {
        {"mlp.gate_proj", true, LASER_PAPER_FC_IN},
        {"mlp.up_proj", true, LASER_PAPER_FC_UP},
        {"mlp.up_proj", false, LASER_PAPER_FC_IN},
        {"mlp.gate_up_proj", false, LASER_PAPER_FC_IN | LASER_PAPER_FC_UP},
        {"mlp.experts.7.down_proj", true, LASER_PAPER_FC_OUT},
        {"block_sparse_moe.experts.0.w3", true, LASER_PAPER_FC_UP},
        {"attn.out_proj", false, LASER_PAPER_OUT},
        {"mlp.fc_in", false, LASER_PAPER_FC_IN},
        {"mlp.fc2", false, LASER_PAPER_FC_OUT},
        {"self_attn.dense", false, LASER_PAPER_OUT},
        {"attn.c_attn", false, LASER_PAPER_Q | LASER_PAPER_K | LASER_PAPER_V},
        {"attn.c_proj", false, LASER_PAPER_OUT},
        {"mlp.c_proj", false, LASER_PAPER_FC_OUT},
        {"attention.query_key_value", false, LASER_PAPER_Q | LASER_PAPER_K | LASER_PAPER_V},
        {"attention.dense", false, LASER_PAPER_OUT},
        {"attention.self.key", false, LASER_PAPER_K},
        {"attention.output.dense", false, LASER_PAPER_OUT},
        {"output.dense", false, LASER_PAPER_FC_OUT},
        {"attn.c_attn[k]", false, LASER_PAPER_K},
        {"mlp.experts.gate_up_proj[3][up]", false, LASER_PAPER_FC_UP},
        {"mlp.experts.down_proj[3]", false, LASER_PAPER_FC_OUT},
        {"mlp.gate", true, 0},
        {"lm_head", false, 0},
    };

    (void)state;
    for (int i = 0; i < COUNT(facts); ++i)
        assert_int_equal(laser_paper_parts(facts[i].type, facts[i].gated), facts[i].parts);
}

static void test_rates_of_the_paper_are_exact_fractions(void **state)
{
    (void)state;
    assert_true(laser_sweep_fraction("rate:9.9") == 0.01);
    assert_true(laser_sweep_fraction("rate:9.5") == 0.05);
    assert_true(laser_sweep_fraction("rate:10") == 0);
    assert_true(laser_sweep_fraction("0.1") == 0.1);
    assert_true(isnan(laser_sweep_fraction("rate:11")));
    assert_true(isnan(laser_sweep_fraction("1.5")));
    assert_true(isnan(laser_sweep_fraction("half")));
    assert_true(isnan(laser_sweep_fraction("rate:")));
}

static void test_without_lists_every_matrix_is_a_cell(void **state)
{
    (void)state;
    assert_int_equal(try_build(NULL, 0, NULL, 0, three, 3), LASER_OK);
    assert_int_equal(plan.n_candidates, 3 * 11);
    assert_int_equal(plan.n_edits, 3 * 11);
    trial_is(0, "layer 0 self_attn.q_proj 0.1: 0");
    trial_is(1, "layer 0 self_attn.q_proj 0.05: 0");
    trial_is(32, "no layer lm_head 0.01: 11");
    assert_string_equal(plan.edits[2].text, "rank:0.01");
}

static void test_names_of_groups_edit_their_matrices_together_and_share_the_edits(void **state)
{
    static const char *const types[] = {"fc_out", "mlp", "attn", "all"};

    (void)state;
    assert_int_equal(try_build(types, 4, NULL, 0, tenth, 1), LASER_OK);
    trial_is(0, "layer 0 fc_out 0.1: 6");
    trial_is(1, "layer 0 mlp 0.1: 4 5 6");
    trial_is(2, "layer 0 attn 0.1: 0 1 2 3");
    trial_is(3, "layer 0 all 0.1: 0 1 2 3 4 5 6");
    trial_is(4, "layer 1 mlp 0.1: 8 9");
    assert_int_equal(plan.n_edits, 10);
}

static void test_layer_minus_one_is_all_layers_at_once(void **state)
{
    static const char *const types[] = {"q", "fc_up"}, *const layers[] = {"-1", "1"};

    (void)state;
    assert_int_equal(try_build(types, 2, layers, 2, tenth, 1), LASER_OK);
    assert_int_equal(plan.n_candidates, 4);
    trial_is(0, "layer 1 q 0.1: 7");
    trial_is(1, "layer 1 fc_up 0.1: 9");
    trial_is(2, "all layers q 0.1: 0 7");
    trial_is(3, "all layers fc_up 0.1: 5 9");
    assert_int_equal(plan.n_edits, 4);
}

static void test_other_layers_still_count_from_the_end(void **state)
{
    static const char *const types[] = {"q"}, *const layers[] = {"-2"};

    (void)state;
    assert_int_equal(try_build(types, 1, layers, 1, tenth, 1), LASER_OK);
    assert_int_equal(plan.n_candidates, 1);
    trial_is(0, "layer 0 q 0.1: 0");
}

static void test_a_cell_that_edits_the_same_matrices_again_is_left_out(void **state)
{
    static const char *const types[] = {"q", "self_attn.q_proj"};

    (void)state;
    assert_int_equal(try_build(types, 2, NULL, 0, tenth, 1), LASER_OK);
    assert_int_equal(plan.n_candidates, 2);
    assert_int_equal(sweep.n_same, 2);
}

static void test_a_list_of_fractions_is_needed_and_checked(void **state)
{
    static const char *const wrong[] = {"rate:12"};

    (void)state;
    assert_int_equal(try_build(NULL, 0, NULL, 0, NULL, 0), LASER_EUSAGE);
    assert_int_equal(try_build(NULL, 0, NULL, 0, wrong, 1), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "rate:12"));
}

static void test_the_best_of_a_cell_is_the_lowest_mean(void **state)
{
    static const char *const types[] = {"q", "mlp"};
    /* layer 0: q, mlp; layer 1: q, mlp; three fractions each */
    const double means[] = {3, 2.5, 2.7, 9, 9, NAN, NAN, NAN, NAN, 2.5, 4, 2.5};

    (void)state;
    assert_int_equal(try_build(types, 2, NULL, 0, three, 3), LASER_OK);
    assert_int_equal(laser_sweep_best(&sweep, means, 0, 0), 1);
    assert_int_equal(laser_sweep_best(&sweep, means, 1, 0), -1);
}

/* The fractions of a cell are 0.1, 0.05 and 0.01 of the rank. */
static void test_winner_cell_ranking_and_composition_agree_on_ties(void **state)
{
    static const char *const types[] = {"q", "mlp"};
    const double means[] = {3, 2.5, 2.7, 9, 9, NAN, NAN, NAN, NAN, 2.5, 4, 2.5};
    int order[12];

    (void)state;
    assert_int_equal(try_build(types, 2, NULL, 0, three, 3), LASER_OK);
    assert_int_equal(laser_sweep_best(&sweep, means, 1, 1), 11);
    assert_int_equal(laser_sweep_winner(&sweep, means, 2.6), 11);
    assert_int_equal(laser_sweep_rank(&sweep, means, order), 8);
    assert_int_equal(order[0], 11);
    assert_int_equal(order[1], 1);
    assert_int_equal(order[2], 9);
    assert_int_equal(order[3], 2);
    assert_int_equal(laser_sweep_compose(&sweep, &plan, means, 2.6, &composed, &err), LASER_OK);
    assert_int_equal(composed.n_candidates, 2);
    assert_int_equal(composed.edit_numbers[composed.trials[0].first_edit],
                     plan.edit_numbers[plan.trials[11].first_edit]);
}

static void test_an_edit_that_gains_nothing_is_no_winner(void **state)
{
    static const char *const types[] = {"q", "mlp"};
    const double means[] = {3, 2.5, 2.7, 9, 9, NAN, NAN, NAN, NAN, 2.5, 4, 2.5};

    (void)state;
    assert_int_equal(try_build(types, 2, NULL, 0, three, 3), LASER_OK);
    assert_int_equal(laser_sweep_winner(&sweep, means, 2.5), -1);
    assert_int_equal(laser_sweep_winner(&sweep, means, 2), -1);
}

static void test_composition_is_best_first_without_a_matrix_twice(void **state)
{
    static const char *const types[] = {"fc_in", "mlp", "q"};
    /* layer 0: fc_in, mlp, q; layer 1: the same */
    const double means[] = {2.4, 2.2, 2.9, 2.5, 3.1, 2.1};

    (void)state;
    assert_int_equal(try_build(types, 3, NULL, 0, tenth, 1), LASER_OK);
    assert_int_equal(laser_sweep_compose(&sweep, &plan, means, 2.6, &composed, &err), LASER_OK);
    assert_int_equal(composed.n_candidates, 3);
    assert_int_equal(composed.trials[0].n_edits, 1);
    assert_int_equal(plan.edits[composed.edit_numbers[0]].matrix, 7);
    assert_int_equal(composed.trials[1].n_edits, 3);
    assert_int_equal(plan.edits[composed.edit_numbers[1]].matrix, 4);
    assert_int_equal(plan.edits[composed.edit_numbers[4]].matrix, 8);
}

static void test_minus_one_does_not_name_the_last_layer_as_well(void **state)
{
    static const char *const types[] = {"q"}, *const layers[] = {"0", "-1"};

    (void)state;
    assert_int_equal(try_build(types, 1, layers, 2, tenth, 1), LASER_OK);
    assert_int_equal(plan.n_candidates, 2);
    trial_is(0, "layer 0 q 0.1: 0");
    trial_is(1, "all layers q 0.1: 0 7");
}

static void test_an_edit_without_gain_is_not_composed(void **state)
{
    static const char *const types[] = {"q"};
    const double means[] = {2.5, 2.4};

    (void)state;
    assert_int_equal(try_build(types, 1, NULL, 0, tenth, 1), LASER_OK);
    assert_int_equal(laser_sweep_compose(&sweep, &plan, means, 2.5, &composed, &err), LASER_OK);
    assert_int_equal(composed.n_candidates, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_of_the_paper_and_of_its_program_are_known),
        cmocka_unit_test(test_each_architecture_has_its_types_under_the_papers_names),
        cmocka_unit_test(test_rates_of_the_paper_are_exact_fractions),
        cmocka_unit_test_teardown(test_without_lists_every_matrix_is_a_cell, forget),
        cmocka_unit_test_teardown(test_names_of_groups_edit_their_matrices_together_and_share_the_edits,
                                  forget),
        cmocka_unit_test_teardown(test_layer_minus_one_is_all_layers_at_once, forget),
        cmocka_unit_test_teardown(test_other_layers_still_count_from_the_end, forget),
        cmocka_unit_test_teardown(test_a_cell_that_edits_the_same_matrices_again_is_left_out, forget),
        cmocka_unit_test_teardown(test_a_list_of_fractions_is_needed_and_checked, forget),
        cmocka_unit_test_teardown(test_the_best_of_a_cell_is_the_lowest_mean, forget),
        cmocka_unit_test_teardown(test_winner_cell_ranking_and_composition_agree_on_ties, forget),
        cmocka_unit_test_teardown(test_an_edit_that_gains_nothing_is_no_winner, forget),
        cmocka_unit_test_teardown(test_composition_is_best_first_without_a_matrix_twice, forget),
        cmocka_unit_test_teardown(test_minus_one_does_not_name_the_last_layer_as_well, forget),
        cmocka_unit_test_teardown(test_an_edit_without_gain_is_not_composed, forget),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
