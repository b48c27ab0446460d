#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    assert_string_equal(text.data, " layer          b          a    lm_head\n"
                                   "     2        inf       1.25          .\n"
                                   "    10          3     failed          .\n"
                                   "     -          .          .          7\n");
    laser_text_free(&text);
}

static void test_types_that_do_not_fit_go_into_further_blocks(void **state)
{
    struct laser_heat_style style = {.width = 6 + 2 * 11};
    struct laser_text text = {0};
    size_t longest = 0;

    (void)state;
    laser_heat_map(&text, rows, sizeof rows / sizeof *rows, &style);
    for (const char *line = text.data; *line != '\0'; line += strcspn(line, "\n") + 1)
        if (strcspn(line, "\n") > longest)
            longest = strcspn(line, "\n");
    assert_in_range(longest, 1, 28);
    assert_non_null(strstr(text.data, "lm_head"));
    laser_text_free(&text);
}

static void test_colours_are_only_there_when_asked_for(void **state)
{
    struct laser_heat_style style = {.width = 80, .colours = 1};
    struct laser_text text = {0};

    (void)state;
    laser_heat_map(&text, rows, sizeof rows / sizeof *rows, &style);
    assert_non_null(strstr(text.data, "\033[38;5;21m       1.25\033[0m")); /* the lowest */
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
    assert_string_equal(text.data, " layer    up_proj\n"
                                   "     0        1.5\n"
                                   "     1        nan\n"
                                   "     2     failed\n");
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_go_down_in_order_and_what_failed_says_so),
        cmocka_unit_test(test_types_that_do_not_fit_go_into_further_blocks),
        cmocka_unit_test(test_colours_are_only_there_when_asked_for),
        cmocka_unit_test(test_experts_of_one_kind_share_a_cell),
        cmocka_unit_test(test_types_stand_as_a_layer_has_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
