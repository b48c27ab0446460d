#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/decision_list.h"
#include "report/heat_map.h"
#include "report/layer_grid.h"

static const struct laser_scan_row rows[] = {
    {.name = "l10.b", .type = "mlp.b", .layer = 10, .score = 3},
    {.name = "l2.a", .type = "self_attn.a", .layer = 2, .score = 1.25},
    {.name = "l2.b", .type = "mlp.b", .layer = 2, .score = INFINITY},
    {.name = "head", .type = "lm_head", .layer = -1, .score = 7},
    {.name = "l10.a", .type = "self_attn.a", .layer = 10, .status = LASER_SCAN_FAILED},
    {.name = "norm", .type = "norm", .layer = -1, .status = LASER_SCAN_SKIPPED},
};

static void test_layers_go_down_in_order_and_what_failed_says_so(void **state)
{
    struct laser_heat_style style = {.width = 80};
    struct laser_text text = {0};

    (void)state;
    laser_heat_map(&text, rows, sizeof rows / sizeof *rows, &style);
    assert_string_equal(text.data, " layer         b         a   lm_head\n"
                                   "     2       inf      1.25         .\n"
                                   "    10         3    failed         .\n"
                                   "     -         .         .         7\n");
    laser_text_free(&text);
}

static void test_each_tower_has_a_block_of_its_own(void **state)
{
    static const struct laser_scan_row towers[] = {
        {.name = "v0", .type = "vision.layers:attn.q", .layer = 0, .score = 9},
        {.name = "t0", .type = "text.layers:attn.q", .layer = 0, .score = 1},
        {.name = "u0", .type = "mlp.up", .layer = 0, .score = 2},
    };
    struct laser_heat_style style = {.width = 80};
    struct laser_text text = {0};

    (void)state;
    laser_heat_map(&text, towers, 3, &style);
    assert_string_equal(text.data, " layer        up\n"
                                   "     0         2\n"
                                   "\n"
                                   "text.layers\n"
                                   " layer         q\n"
                                   "     0         1\n"
                                   "\n"
                                   "vision.layers\n"
                                   " layer         q\n"
                                   "     0         9\n");
    laser_text_free(&text);
}

static void test_types_that_do_not_fit_go_into_further_blocks(void **state)
{
    struct laser_heat_style style = {.width = 6 + 2 * 10};
    struct laser_text text = {0};
    size_t longest = 0;

    (void)state;
    laser_heat_map(&text, rows, sizeof rows / sizeof *rows, &style);
    for (const char *line = text.data; *line != '\0'; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > longest)
            longest = strcspn(line, "\n");
    assert_in_range(longest, 1, 26);
    assert_non_null(strstr(text.data, "lm_head"));
    laser_text_free(&text);
}

static void test_colours_are_only_there_when_asked_for(void **state)
{
    struct laser_heat_style style = {.width = 80, .colours = 1};
    struct laser_text text = {0};

    (void)state;
    laser_heat_map(&text, rows, sizeof rows / sizeof *rows, &style);
    assert_non_null(strstr(text.data, "\033[38;5;21m      1.25\033[0m")); /* the lowest */
    laser_text_free(&text);
}

static void test_experts_of_one_kind_share_a_cell(void **state)
{
    static const struct laser_scan_row experts[] = {
        {.name = "a", .type = "mlp.experts.0.up_proj", .layer = 0, .score = 1},
        {.name = "b", .type = "mlp.experts.1.up_proj", .layer = 0, .score = 2},
        {.name = "c", .type = "mlp.experts.0.up_proj", .layer = 1, .score = NAN},
        {.name = "d", .type = "mlp.experts.0.up_proj", .layer = 2, .status = LASER_SCAN_FAILED},
    };
    struct laser_heat_style style = {.width = 80};
    struct laser_text text = {0};

    (void)state;
    laser_heat_map(&text, experts, sizeof experts / sizeof *experts, &style);
    assert_string_equal(text.data, " layer   up_proj\n"
                                   "     0       1.5\n"
                                   "     1       nan\n"
                                   "     2    failed\n");
    laser_text_free(&text);
}

static void test_types_stand_as_a_layer_has_them(void **state)
{
    const char *types[] = {"mlp.down_proj", "self_attn.o_proj", "lm_head",      "mlp.experts.*.up_proj",
                           "mlp.up_proj",   "self_attn.q_proj", "mlp.gate_proj"};
    static const char *const wanted[] = {"self_attn.q_proj",     "self_attn.o_proj", "mlp.gate_proj",
                                         "mlp.up_proj",          "mlp.down_proj",    "lm_head",
                                         "mlp.experts.*.up_proj"};

    (void)state;
    qsort(types, 7, sizeof *types, laser_type_compare);
    for (int i = 0; i < 7; i++)
        assert_string_equal(types[i], wanted[i]);
}

/* ---- decisions ---- */

static json_t *decision(const char *tensor, int kept, const char *reason, json_t *ppl)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:b, s:s, s:o, s:f, s:f}", "tensor", tensor, "edit", "wiener:0.25",
                     "rank", 11, "of", 64, "kept", kept, "reason", reason, "ppl", ppl, "difference", -0.00338,
                     "difference_stderr", 0.0013);
}

static void test_decisions_keep_to_the_width(void **state)
{
    json_t *list = json_pack(
        "[o, o, o, o]",
        decision("model.layers.10.mlp.experts.127.down_proj.weight", 1, "accepted", json_real(18.25)),
        decision("a\xc3\xa9.weight", 0, "given up early", json_real(17.25)),
        decision("b.weight", 0, "worse", json_null()),
        decision("c.weight", 0, "worse", json_string("Infinity")));

    (void)state;
    for (int width = 40; width <= 140; width += 10) {
        struct laser_heat_style style = {.width = width};
        struct laser_text text = {0};
        laser_decision_list(&text, list, 0, &style);
        for (const char *line = text.data; *line != '\0'; line += strcspn(line, "\n") + 1) {
            char copy[400];
            snprintf(copy, sizeof copy, "%.*s", (int)strcspn(line, "\n"), line);
            assert_in_range(laser_text_columns(copy), 1, width > 60 ? width : 60);
        }
        assert_non_null(strstr(text.data, "4 decisions: 1 kept, 3 reverted\n"));
        assert_non_null(strstr(text.data, "18.250000"));
        assert_null(strstr(text.data, "17.250000")); /* given up early */
        assert_null(strstr(text.data, "nan"));
        assert_non_null(strstr(text.data, "inf"));
        laser_text_free(&text);
    }
    json_decref(list);
}

/* A figure that rises has changes with its own sign; what was left early says on how much of the questions.
 */
static void test_what_was_given_up_says_what_it_has_seen(void **state)
{
    json_t *d =
        json_pack("{s:s, s:s, s:i, s:i, s:b, s:s, s:f, s:f, s:f, s:i, s:i}", "tensor", "a.weight", "edit",
                  "rank:0.1", "rank", 6, "of", 64, "kept", 0, "reason", "given up early", "value", 0.75,
                  "difference", 0.25, "difference_stderr", 0.1, "windows", 28, "of_windows", 120);
    json_t *list = json_pack("[o]", d);
    struct laser_heat_style style = {.width = 120};
    struct laser_text text = {0};

    (void)state;
    laser_decision_list(&text, list, 1, &style);
    assert_non_null(strstr(text.data, "early, 28/120"));
    assert_non_null(strstr(text.data, "-2.50e-01"));
    assert_null(strstr(text.data, "0.75"));
    laser_text_free(&text);
    json_object_set_new(d, "reason", json_string("worse"));
    json_object_set_new(d, "difference", json_real(-0.0));
    laser_decision_list(&text, list, 1, &style);
    assert_non_null(strstr(text.data, " 0.7500 "));
    assert_non_null(strstr(text.data, "+0.00e+00"));
    laser_text_free(&text);
    json_decref(list);
}

static void test_a_sweep_says_that_nothing_was_decided(void **state)
{
    json_t *list = json_pack("[o]", decision("a.weight", 0, "measured", json_real(18.25)));
    struct laser_heat_style style = {.width = 110};
    struct laser_text text = {0};

    (void)state;
    laser_decision_list(&text, list, 0, &style);
    assert_non_null(strstr(text.data, "1 edit measured, each alone\nmeasured  a.weight"));
    laser_text_free(&text);
    json_decref(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_go_down_in_order_and_what_failed_says_so),
        cmocka_unit_test(test_each_tower_has_a_block_of_its_own),
        cmocka_unit_test(test_types_that_do_not_fit_go_into_further_blocks),
        cmocka_unit_test(test_colours_are_only_there_when_asked_for),
        cmocka_unit_test(test_experts_of_one_kind_share_a_cell),
        cmocka_unit_test(test_types_stand_as_a_layer_has_them),
        cmocka_unit_test(test_decisions_keep_to_the_width),
        cmocka_unit_test(test_what_was_given_up_says_what_it_has_seen),
        cmocka_unit_test(test_a_sweep_says_that_nothing_was_decided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
