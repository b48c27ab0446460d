/* Picking matrices, and the files made of a pick. */
#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "exchange/export.h"

#define SCANNED(name_, type_, layer_, score_, rank_)                                                         \
    {                                                                                                        \
        .name = name_, .type = type_, .layer = layer_, .rows = 8, .columns = 4, .score = score_,             \
        .snr = score_, .rank = rank_, .status = LASER_SCAN_SCANNED                                           \
    }

static const struct laser_scan_row rows[] = {
    SCANNED("model.layers.0.mlp.up_proj.weight", "mlp.up_proj", 0, 3.0, 1),
    SCANNED("model.layers.1.mlp.up_proj.weight", "mlp.up_proj", 1, NAN, 2),
    SCANNED("model.layers.2.mlp.up_proj.weight", "mlp.up_proj", 2, INFINITY, 3),
    SCANNED("model.layers.10.mlp.up_proj.weight", "mlp.up_proj", 10, 1.0, 4),
    SCANNED("model.layers.0.q_proj.weight", "q_proj", 0, 9.0, 1),
    SCANNED("model.layers.1.q_proj.weight", "q_proj", 1, 8.0, 3),
    {.name = "model.layers.2.q_proj.weight", .type = "q_proj", .layer = 2, .status = LASER_SCAN_FAILED},
    {.name = "model.norm.weight", .type = "model.norm", .layer = -1, .status = LASER_SCAN_SKIPPED},
};
enum { COUNT = sizeof rows / sizeof rows[0] };

static const struct laser_scan_meta meta = {.model = "org/m_1", .model_id = "org/m_1"};

/* The picked rows as letters. */
static void assert_picks(const struct laser_pick_rule *rule, const char *expected)
{
    struct laser_pick pick;
    char found[COUNT + 1];
    size_t n = 0;

    assert_true(laser_pick_make(&pick, rows, COUNT, rule));
    for (size_t i = 0; i < COUNT; i++)
        if (pick.picked[i])
            found[n++] = (char)('a' + i);
    found[n] = '\0';
    assert_string_equal(found, expected);
    assert_int_equal(pick.n_picked, n);
    laser_pick_free(&pick);
}

static void a_share_of_each_type_is_picked(void **state)
{
    (void)state;
    assert_picks(&(struct laser_pick_rule){.percent = 50}, "ace");
    assert_picks(&(struct laser_pick_rule){.percent = 25}, "c");
    assert_picks(&(struct laser_pick_rule){.percent = 0}, "");
}

static void the_lowest_are_the_bottom(void **state)
{
    (void)state;
    assert_picks(&(struct laser_pick_rule){.percent = 50, .bottom = 1}, "adf");
}

static void overall_counts_all_types_together(void **state)
{
    (void)state;
    assert_picks(&(struct laser_pick_rule){.percent = 50, .overall = 1}, "cef");
    assert_picks(&(struct laser_pick_rule){.percent = 17, .overall = 1, .bottom = 1}, "d");
}

static void nan_is_never_picked(void **state)
{
    (void)state;
    assert_picks(&(struct laser_pick_rule){.percent = 100}, "acdef");
    assert_picks(&(struct laser_pick_rule){.percent = 100, .bottom = 1, .overall = 1}, "acdef");
}

static void another_number_may_decide(void **state)
{
    (void)state;
    assert_picks(&(struct laser_pick_rule){.percent = 50, .metric = "rank"}, "cdf");
    assert_picks(&(struct laser_pick_rule){.percent = 50, .metric = "beauty"}, "");
}

/* Everything with a finite or infinite score. */
static struct laser_export export_all(struct laser_pick *pick)
{
    struct laser_export e = {
        .meta = &meta, .rows = rows, .count = COUNT, .rule = {.percent = 100}, .rank = 2};

    assert_true(laser_pick_make(pick, rows, COUNT, &e.rule));
    e.pick = pick;
    return e;
}

static void ranks_follow_the_spectra(void **state)
{
    struct laser_pick pick;
    struct laser_export e = export_all(&pick);
    int ranks[COUNT];

    (void)state;
    /* kept: 1, 3, 4, 1, 3 of 4; mean 2.4 */
    assert_true(laser_export_ranks(&e, ranks));
    assert_int_equal(ranks[0], 1);
    assert_int_equal(ranks[1], 0);
    assert_int_equal(ranks[2], 3);
    assert_int_equal(ranks[3], 3);
    assert_int_equal(ranks[7], 0);
    e.rank = 4;
    laser_export_ranks(&e, ranks);
    assert_int_equal(ranks[3], 4); /* not 7: the matrix has no more */
    laser_pick_free(&pick);
}

static void without_ranks_all_adapters_are_alike(void **state)
{
    const struct laser_scan_row foreign[] = {
        {.name = "h.0.a.weight", .type = "a", .score = 1},
        {.name = "h.1.a.weight", .type = "a", .layer = 1, .score = 2},
    };
    struct laser_export e = {.meta = &meta, .rows = foreign, .count = 2, .rule = {.percent = 100}, .rank = 8};
    struct laser_pick pick;
    int ranks[2];

    (void)state;
    assert_true(laser_pick_make(&pick, foreign, 2, &e.rule));
    e.pick = &pick;
    assert_false(laser_export_ranks(&e, ranks));
    assert_int_equal(ranks[0], 8);
    assert_int_equal(ranks[1], 8);
    laser_pick_free(&pick);
}

static void llama_factory_gets_names_from_the_layers_on(void **state)
{
    struct laser_pick pick;
    struct laser_export e = export_all(&pick);
    struct laser_text text = {0};

    (void)state;
    laser_export_llama_factory(&text, &e);
    assert_string_equal(text.data, "finetuning_type: lora\nlora_rank: 2\nlora_alpha: 2\nlora_target: "
                                   "layers.0.mlp.up_proj,layers.2.mlp.up_proj,layers.10.mlp.up_proj,"
                                   "layers.0.q_proj,layers.1.q_proj\n");
    laser_text_free(&text);
    laser_pick_free(&pick);
}

static void two_stems_keep_their_full_names(void **state)
{
    const struct laser_scan_row two[] = {
        {.name = "model.encoder.layers.0.q.weight", .type = "q", .score = 1},
        {.name = "model.decoder.layers.0.q.weight", .type = "q", .score = 2},
    };
    struct laser_export e = {.meta = &meta, .rows = two, .count = 2, .rule = {.percent = 50}, .rank = 8};
    struct laser_text text = {0};
    struct laser_pick pick;

    (void)state;
    assert_true(laser_pick_make(&pick, two, 2, &e.rule));
    e.pick = &pick;
    laser_export_llama_factory(&text, &e);
    assert_non_null(strstr(text.data, "lora_target: model.decoder.layers.0.q\n"));
    laser_text_free(&text);
    laser_pick_free(&pick);
}

static void ms_swift_gets_prefixes_with_a_dot(void **state)
{
    struct laser_pick pick;
    struct laser_export e = export_all(&pick);
    struct laser_text text = {0};

    (void)state;
    laser_export_ms_swift(&text, &e);
    assert_string_equal(text.data, "freeze_parameters_ratio: 1.0\ntrainable_parameters:\n"
                                   "- model.layers.0.mlp.up_proj.\n- model.layers.2.mlp.up_proj.\n"
                                   "- model.layers.10.mlp.up_proj.\n- model.layers.0.q_proj.\n"
                                   "- model.layers.1.q_proj.\n");
    laser_text_free(&text);
    laser_pick_free(&pick);
}

static void a_part_of_a_tensor_is_no_module(void **state)
{
    const struct laser_scan_row part = {
        .name = "model.layers.0.experts.down_proj[3]", .type = "experts.down_proj", .score = 1};
    struct laser_export e = {.meta = &meta, .rows = &part, .count = 1, .rule = {.percent = 100}, .rank = 8};
    struct laser_text text = {0};
    struct laser_pick pick;

    (void)state;
    assert_true(laser_pick_make(&pick, &part, 1, &e.rule));
    e.pick = &pick;
    laser_export_llama_factory(&text, &e);
    assert_non_null(strstr(text.data, "lora_target: \"\"\n"));
    laser_text_free(&text);
    laser_pick_free(&pick);
}

static void norms_have_no_adapters(void **state)
{
    const struct laser_scan_row linear = {.name = "model.norms.0.proj.weight"},
                                norm = {.name = "model.layers.0.input_layernorm.weight"},
                                ln = {.name = "h.0.ln_1.weight"}, vector = {.name = "a.b.weight", .rows = 1},
                                column = {.name = "a.b.weight", .rows = 5, .columns = 1},
                                part = {.name = "a.b[0]"};

    (void)state;
    assert_true(laser_export_adaptable(&linear));
    assert_false(laser_export_adaptable(&norm));
    assert_false(laser_export_adaptable(&ln));
    assert_false(laser_export_adaptable(&vector));
    assert_false(laser_export_adaptable(&column));
    assert_false(laser_export_adaptable(&part));
}

static void pefts_configuration_is_strict_json(void **state)
{
    struct laser_pick pick;
    struct laser_export e = export_all(&pick);
    struct laser_text text = {0};
    json_t *o;

    (void)state;
    laser_export_peft(&text, &e);
    o = json_loads(text.data, 0, NULL);
    assert_int_equal(json_array_size(json_object_get(o, "target_modules")), 5);
    assert_int_equal(json_integer_value(json_object_get(o, "r")), 2);
    assert_int_equal(json_integer_value(
                         json_object_get(json_object_get(o, "rank_pattern"), "model.layers.10.mlp.up_proj")),
                     3);
    assert_string_equal(json_string_value(json_object_get(o, "base_model_name_or_path")), "org/m_1");
    json_decref(o);
    laser_text_free(&text);
    laser_pick_free(&pick);
}

static void axolotls_file_has_no_nan(void **state)
{
    struct laser_pick pick;
    struct laser_export e = export_all(&pick);
    struct laser_text text = {0};

    (void)state;
    laser_export_axolotl(&text, &e);
    assert_null(strstr(text.data, "NaN"));
    assert_non_null(strstr(text.data, "Infinity"));
    laser_text_free(&text);
    laser_pick_free(&pick);
}

static void weightwatchers_frame_says_what_failed(void **state)
{
    static const struct laser_scan_number numbers[] = {{"alpha", NAN, 0}, {"log_norm", 2.0, 0}};
    const struct laser_scan_row row = {.name = "model.\"a,b\".weight",
                                       .type = "x",
                                       .layer = -1,
                                       .rows = 2,
                                       .columns = 6,
                                       .s_max = 3,
                                       .numbers = numbers,
                                       .nnumbers = 2};
    struct laser_text text = {0};
    const char *line;

    (void)state;
    laser_export_weightwatcher(&text, &row, 1);
    line = strchr(text.data, '\n') + 1;
    /* layer_id, name, D, M, N, Q, alpha, alpha_weighted, entropy, has_esd, lambda_max, layer_type */
    assert_true(strstr(line, "0,\"\"\"a,b\"\"\",-1.0,2,6,3.0,-1.0,-1.0,,True,9.0,dense,") == line);
    assert_non_null(strstr(line, ",100.0,2,-1,"));
    assert_non_null(strstr(line, ",failed,"));
    laser_text_free(&text);
}

static void formats_have_names(void **state)
{
    (void)state;
    assert_int_equal(laser_export_format("axolotl"), LASER_EXPORT_AXOLOTL);
    assert_int_equal(laser_export_format("milora"), LASER_EXPORT_MILORA);
    assert_int_equal(laser_export_format(""), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_of_each_type_is_picked),
        cmocka_unit_test(the_lowest_are_the_bottom),
        cmocka_unit_test(overall_counts_all_types_together),
        cmocka_unit_test(nan_is_never_picked),
        cmocka_unit_test(another_number_may_decide),
        cmocka_unit_test(ranks_follow_the_spectra),
        cmocka_unit_test(without_ranks_all_adapters_are_alike),
        cmocka_unit_test(llama_factory_gets_names_from_the_layers_on),
        cmocka_unit_test(two_stems_keep_their_full_names),
        cmocka_unit_test(ms_swift_gets_prefixes_with_a_dot),
        cmocka_unit_test(a_part_of_a_tensor_is_no_module),
        cmocka_unit_test(norms_have_no_adapters),
        cmocka_unit_test(pefts_configuration_is_strict_json),
        cmocka_unit_test(axolotls_file_has_no_nan),
        cmocka_unit_test(weightwatchers_frame_says_what_failed),
        cmocka_unit_test(formats_have_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
