/* Figures as files: axes, shapes, and what the formats begin with. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "report/axis.h"
#include "report/decisions.h"
#include "report/figures.h"
#include "report/prediction_fit.h"

/* cairo's fonts: fontconfig keeps what it once read. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libfontconfig\n";
}

static char directory[] = "/tmp/laser-figures-XXXXXX";

static int make_directory(void **state)
{
    (void)state;
    return mkdtemp(directory) == NULL;
}

static int remove_directory(void **state)
{
    static const char *const names[] = {"map", "spectra", "ranks", "path", "one"}, *const formats[] = {
                                                                                       "svg", "pdf", "png"};
    char path[200];

    (void)state;
    for (int i = 0; i < 15; i++) {
        snprintf(path, sizeof path, "%s/%s.%s", directory, names[i / 3], formats[i % 3]);
        unlink(path);
    }
    return rmdir(directory);
}

static int count(const char *text, const char *word)
{
    int n = 0;

    while ((text = strstr(text, word)) != NULL) {
        n++;
        text++;
    }
    return n;
}

static void test_ticks_are_round_and_inside(void **state)
{
    static const struct laser_axis axes[] = {{.from = 0, .to = 1},
                                             {.from = -0.013, .to = 0.0021},
                                             {.from = 18.2, .to = 18.5},
                                             {.from = 0, .to = 123456},
                                             {.from = 1e-9, .to = 3e-9},
                                             {.from = 1, .to = 40, .logarithmic = 1},
                                             {.from = 1e-4, .to = 1e6, .logarithmic = 1}};
    double ticks[LASER_AXIS_TICKS];
    char text[32];

    (void)state;
    for (size_t i = 0; i < sizeof axes / sizeof *axes; i++) {
        int n = laser_axis_ticks(&axes[i], 5, ticks);
        assert_in_range(n, 2, 12);
        for (int k = 0; k < n; k++) {
            assert_true(ticks[k] >= axes[i].from * (axes[i].from < 0 ? 1.001 : 0.999) &&
                        ticks[k] <= axes[i].to * 1.001);
            laser_axis_text(ticks[k], text);
            assert_true(laser_text_columns(text) <= 8);
        }
    }
}

static void test_an_axis_of_one_value_has_one_tick(void **state)
{
    struct laser_axis axis = {.from = 3, .to = 3, .start = 10, .end = 20};
    double ticks[LASER_AXIS_TICKS];

    (void)state;
    assert_int_equal(laser_axis_ticks(&axis, 5, ticks), 1);
    assert_true(laser_axis_place(&axis, 3) == 10);
}

static void test_the_colours_go_from_dark_to_light(void **state)
{
    double last = -1;

    (void)state;
    assert_int_equal(laser_viridis(0), 0x440154);
    assert_int_equal(laser_viridis(1), 0xfde725);
    assert_int_equal(laser_viridis(NAN), 0x440154);
    for (int i = 0; i <= 100; i++) {
        uint32_t c = laser_viridis(i / 100.0);
        double light = 0.2126 * (c >> 16) + 0.7152 * (c >> 8 & 255) + 0.0722 * (c & 255);
        assert_true(light > last);
        last = light;
    }
}

static void test_markup_in_a_text_is_escaped(void **state)
{
    struct laser_figure f = {.width = 10, .height = 10};
    struct laser_text svg = {0};

    (void)state;
    laser_figure_text(&f, 1, 2, "<b>&\"\n", 0, LASER_ANCHOR_END, LASER_FIGURE_TURNED);
    laser_figure_svg(&svg, &f);
    assert_non_null(strstr(svg.data, ">&#60;b&#62;&#38;&#34;</text>"));
    assert_non_null(strstr(svg.data, "rotate(-90 1.0 2.0)"));
    laser_text_free(&svg);
    laser_figure_free(&f);
}

static char *svg_of(const struct laser_figure_entry *entry, const struct laser_page_run *runs, int n_runs,
                    double width)
{
    struct laser_matrix_table table;
    struct laser_drawing d = {.runs = runs, .table = &table, .n_runs = n_runs, .width = width};
    struct laser_figure f = {0};
    struct laser_text svg = {0};

    assert_true(laser_matrix_table_make(&table, runs, n_runs));
    entry->draw(&f, &d);
    assert_false(f.failed);
    if (f.width > 0)
        laser_figure_svg(&svg, &f);
    laser_figure_free(&f);
    laser_matrix_table_free(&table);
    return laser_text_take(&svg);
}

static const struct laser_figure_entry *entry_of(const char *name)
{
    for (size_t i = 0; i < laser_n_figure_entries; i++)
        if (strcmp(laser_figure_entries[i].name, name) == 0)
            return &laser_figure_entries[i];
    fail_msg("no figure %s", name);
    return NULL;
}

static void test_a_map_has_a_box_for_each_cell(void **state)
{
    static const struct laser_scan_row rows[] = {
        {.name = "a", .type = "up_proj", .layer = 0, .score = 1},
        {.name = "b", .type = "up_proj", .layer = 1, .score = INFINITY},
        {.name = "c", .type = "down_proj", .layer = 0, .score = NAN},
        {.name = "d", .type = "down_proj", .layer = 1, .status = LASER_SCAN_FAILED},
        {.name = "e", .type = "norm", .layer = 1, .status = LASER_SCAN_SKIPPED},
    };
    const struct laser_page_run run = {.rows = rows, .n_rows = 5};
    char *svg = svg_of(entry_of("map"), &run, 1, 600);

    (void)state;
    /* The background, the bar, the infinite one and the failed one of the legend, the cells. */
    assert_int_equal(count(svg, "<rect"), 1 + 32 + 1 + 1 + 4);
    assert_int_equal(count(svg, "#b3261e"), 2); /* the cross of the failed one, and of the legend */
    assert_null(strstr(svg, "nan"));
    assert_null(strstr(svg, "inf"));
    free(svg);
}

/* Many layers on a phone: they go downwards. */
static void test_a_map_that_is_too_wide_is_turned(void **state)
{
    static struct laser_scan_row rows[120];
    const struct laser_page_run run = {.rows = rows, .n_rows = 120};
    struct laser_matrix_table table;
    struct laser_drawing d = {.runs = &run, .table = &table, .n_runs = 1};
    struct laser_figure wide = {0}, narrow = {0};

    (void)state;
    for (int i = 0; i < 120; i++)
        rows[i] = (struct laser_scan_row){
            .name = "x", .type = i % 2 ? "mlp.up_proj" : "mlp.down_proj", .layer = i / 2, .score = i};
    assert_true(laser_matrix_table_make(&table, &run, 1));
    d.width = 1120;
    laser_draw_metric(&wide, &d);
    d.width = 360;
    laser_draw_metric(&narrow, &d);
    assert_non_null(strstr(wide.attributes.data, "data-turned=\"0\""));
    assert_non_null(strstr(narrow.attributes.data, "data-turned=\"1\""));
    assert_true(narrow.height > 60 * 10);
    assert_true(wide.height < 200);
    laser_figure_free(&wide);
    laser_figure_free(&narrow);
    laser_matrix_table_free(&table);
}

static void test_a_cell_of_experts_shows_their_median(void **state)
{
    static const struct laser_scan_row rows[] = {{.name = "a", .type = "mlp.experts.2.up_proj", .score = 10},
                                                 {.name = "b", .type = "mlp.experts.0.up_proj", .score = 1},
                                                 {.name = "c", .type = "mlp.experts.1.up_proj", .score = 2},
                                                 {.name = "d", .type = "mlp.router.7.gate", .score = 5}};
    const struct laser_page_run run = {.rows = rows, .n_rows = 4};
    struct laser_matrix_table t;
    struct laser_cell cell;

    (void)state;
    assert_true(laser_matrix_table_make(&t, &run, 1));
    assert_int_equal(t.n_types, 2);
    assert_string_equal(t.types[1], "mlp.experts.*.up_proj");
    assert_string_equal(t.types[0],
                        "mlp.router.7.gate"); /* a number that is alone of its kind is no expert */
    cell = laser_matrix_cell(&t, 0, laser_matrix_metric(&t.runs[0], "score"), 0, 1);
    assert_int_equal(cell.n, 3);
    assert_true(cell.median == 2 && cell.low == 1 && cell.high == 10);
    assert_int_equal(t.runs[0].order[t.runs[0].start[1]], 1); /* by expert */
    laser_matrix_table_free(&t);
}

static void test_two_experts_show_the_middle_between_them(void **state)
{
    static const struct laser_scan_row rows[] = {{.name = "a", .type = "mlp.experts.0.up_proj", .score = 1},
                                                 {.name = "b", .type = "mlp.experts.1.up_proj", .score = 4}};
    const struct laser_page_run run = {.rows = rows, .n_rows = 2};
    struct laser_matrix_table t;

    (void)state;
    assert_true(laser_matrix_table_make(&t, &run, 1));
    assert_true(laser_matrix_cell(&t, 0, laser_matrix_metric(&t.runs[0], "score"), 0, 0).median == 2.5);
    laser_matrix_table_free(&t);
}

/* Differences are to the best so far, which only a kept edit moves. */
static void test_decisions_stand_on_those_that_were_kept(void **state)
{
    json_t *results = json_pack("{s:{s:{s:f}}, s:[{s:b, s:f}, {s:b, s:f}, {s:b, s:f}]}", "baseline",
                                "selection", "nll", 2.0, "decisions", "kept", 0, "difference", 1.0, "kept", 1,
                                "difference", -0.5, "kept", 0, "difference", 0.25);
    struct laser_goal goal;
    struct laser_decision *list;

    (void)state;
    laser_goal_read(results, &goal);
    assert_int_equal(laser_decisions_read(results, &goal, &list), 3);
    assert_true(fabs(list[0].level - exp(3)) < 1e-12 * exp(3));
    assert_true(fabs(list[1].level - exp(1.5)) < 1e-12 * exp(1.5));
    assert_true(fabs(list[2].level - exp(1.75)) < 1e-12 * exp(1.75));
    free(list);
    json_decref(results);
}

static void test_a_kept_edit_changes_what_a_matrix_has_left(void **state)
{
    static const struct laser_scan_number rank = {"rank", 20, 1};
    static const struct laser_scan_row rows[] = {
        {.name = "a", .type = "x", .rows = 40, .columns = 80, .numbers = &rank, .nnumbers = 1},
        {.name = "b", .type = "y", .rows = 40, .columns = 80, .numbers = &rank, .nnumbers = 1}};
    json_t *results =
        json_pack("{s:{s:{s:f}}, s:[{s:s, s:b, s:i, s:i, s:f}, {s:s, s:b, s:i, s:i, s:f}]}", "baseline",
                  "selection", "nll", 2.0, "decisions", "tensor", "b", "kept", 1, "rank", 10, "of", 40,
                  "difference", -0.25, "tensor", "b", "kept", 0, "rank", 4, "of", 40, "difference", 0.5);
    const struct laser_page_run run = {.rows = rows, .n_rows = 2, .results = results};
    struct laser_matrix_table t;

    (void)state;
    assert_true(laser_matrix_table_make(&t, &run, 1));
    assert_true(laser_matrix_metric(&t.runs[0], "kept_share")[0] == 0.5);
    assert_true(laser_matrix_metric(&t.runs[0], "kept_after")[0] == 1);
    assert_true(laser_matrix_metric(&t.runs[0], "kept_after")[1] == 0.25);
    assert_true(isnan(laser_matrix_metric(&t.runs[0], "difference")[0]));
    assert_true(laser_matrix_metric(&t.runs[0], "difference")[1] == -0.25);
    laser_matrix_table_free(&t);
    json_decref(results);
}

static void test_colours_are_by_logarithm_where_values_are_far_apart(void **state)
{
    static const double near[] = {1, 2, 3}, far[] = {1, 10, 100, INFINITY}, signs[] = {-1, 0, 0.5},
                        zero[] = {0, 1, 2, 30, 100}, zeros[] = {0, 0, 1, 100};
    struct laser_colour_scale s;

    (void)state;
    assert_true(laser_colour_scale_make(&s, near, 3, LASER_SCALE_AUTO, 0));
    assert_int_equal(s.how, LASER_SCALE_LINEAR);
    assert_int_equal(laser_colour_scale_step(&s, 2), 32);
    laser_colour_scale_free(&s);
    assert_true(laser_colour_scale_make(&s, far, 4, LASER_SCALE_AUTO, 0));
    assert_int_equal(s.how, LASER_SCALE_LOG);
    assert_int_equal(laser_colour_scale_step(&s, 10), 32);
    assert_int_equal(laser_colour_scale_step(&s, INFINITY), LASER_COLOUR_STEPS - 1);
    assert_int_equal(laser_colour_scale_step(&s, -1), 0);
    laser_colour_scale_free(&s);
    assert_true(
        laser_colour_scale_make(&s, zero, 5, LASER_SCALE_AUTO, 0)); /* a single 0 has the lowest colour */
    assert_int_equal(s.how, LASER_SCALE_LOG);
    assert_int_equal(laser_colour_scale_step(&s, 0), 0);
    laser_colour_scale_free(&s);
    assert_true(laser_colour_scale_make(&s, zeros, 4, LASER_SCALE_AUTO, 0));
    assert_int_equal(s.how, LASER_SCALE_LINEAR);
    laser_colour_scale_free(&s);
    assert_true(laser_colour_scale_make(&s, signs, 3, LASER_SCALE_AUTO, 1));
    assert_int_equal(laser_colour_scale_step(&s, 0), 32); /* the middle is 0 */
    assert_int_equal(laser_colour_scale_step(&s, -1), 0);
    assert_int_equal(laser_colour_scale_step(&s, 0.5), 47);
    laser_colour_scale_free(&s);
}

/* 0.22 / 0.56, and 0.22 / sqrt(0.56 * 0.26 / 3). */
static void test_a_calibration_finds_the_factor(void **state)
{
    json_t *results =
        json_pack("{s:{s:[{s:[{s:f, s:f, s:f}, {s:f, s:f}]}, {s:[{s:f, s:f}, {s:n}]}]}}", "tune", "rounds",
                  "steps", "predicted", -0.2, "difference", -0.1, "stderr", 0.01, "predicted", -0.4,
                  "difference", -0.2, "steps", "predicted", 0.6, "difference", 0.2, "predicted");
    struct laser_page_run run = {.results = results};
    struct laser_prediction_fit c;
    char *svg;

    (void)state;
    assert_true(laser_prediction_fit_read(results, &c));
    assert_int_equal(c.n, 3);
    assert_true(fabs(c.factor - 0.22 / 0.56) < 1e-12);
    assert_true(fabs(c.correlation - 0.22 / sqrt(0.56 * 0.26 / 3)) < 1e-12);
    laser_prediction_fit_free(&c);
    svg = svg_of(entry_of("calibration"), &run, 1, 600);
    assert_non_null(strstr(svg, "measured = 0.39"));
    assert_int_equal(count(svg, "h0"), 1 + 3); /* the legend's dot and three */
    free(svg);
    json_decref(results);
}

/* Decisions whose edit was predicted count, but those for a share do not: another loss was predicted for it. */
static void test_a_calibration_takes_decisions_with_a_prediction(void **state)
{
    json_t *results = json_pack("{s:[{s:f, s:f, s:f}, {s:f}], s:[{s:f, s:f}]}", "decisions", "predicted",
                                -0.2, "difference", -0.1, "difference_stderr", 0.01, "difference", 0.1,
                                "sweep", "predicted", 0.2, "difference", 0.3);
    struct laser_prediction_fit c;

    (void)state;
    assert_true(laser_prediction_fit_read(results, &c));
    assert_int_equal(c.n, 2);
    assert_true(isnan(c.pairs[0].error) && c.pairs[1].error == 0.01);
    laser_prediction_fit_free(&c);
    json_object_set_new(results, "objective_rises", json_true());
    assert_true(laser_prediction_fit_read(results, &c));
    assert_int_equal(c.n, 0);
    laser_prediction_fit_free(&c);
    json_decref(results);
}

static void test_a_compression_has_a_curve_of_size_against_loss(void **state)
{
    json_t *results =
        json_pack("{s:{s:i}, s:{s:i, s:[{s:s, s:b, s:f, s:f}]}, s:[{s:i, s:[{s:s, s:b, s:f, s:f}]}]}",
                  "before", "parameters", 1000, "chosen", "parameters", 800, "texts", "name", "wiki", "guard",
                  0, "difference", 0.1, "stderr", 0.01, "curve", "parameters", 600, "texts", "name", "wiki",
                  "guard", 0, "difference", 0.4, "stderr", 0.02);
    struct laser_page_run run = {.results = results};
    char *svg = svg_of(entry_of("size"), &run, 1, 600);

    (void)state;
    assert_non_null(strstr(svg, "wiki, held out"));
    assert_int_equal(count(svg, "<circle"), 2); /* the chosen one, and in the legend */
    assert_int_equal(count(svg, "h0"), 1 + 2);
    free(svg);
    json_decref(results);
}

static void test_losses_of_two_runs_are_subtracted(void **state)
{
    static const struct laser_page_window a[] = {{0, 10, 2.0}, {0, 10, 3.0}, {0, 10, NAN}},
                                          b[] = {{0, 10, 1.5}, {0, 10, 3.0}, {0, 10, NAN}};
    static const char *const names[] = {"wiki"};
    struct laser_page_run runs[2] = {
        {.label = "A", .windows = a, .n_windows = 3, .datasets = names, .n_datasets = 1},
        {.label = "B", .windows = b, .n_windows = 3, .datasets = names, .n_datasets = 1, .is_paired = 1}};
    char *svg = svg_of(entry_of("windows"), runs, 2, 600);

    (void)state;
    assert_non_null(strstr(svg, "change of loss, B less A"));
    assert_non_null(strstr(svg, "mean \xe2\x88\x92"
                                "0.25"));
    assert_int_equal(count(svg, "h0"), 1 + 2);
    free(svg);
    svg = svg_of(entry_of("windows"), runs, 1, 600);
    assert_non_null(strstr(svg, "mean 2.5"));
    free(svg);
}

static json_t *decisions(void)
{
    return json_pack("{s:{s:{s:f}}, s:[{s:b, s:s, s:f, s:f}, {s:b, s:s, s:f, s:f}, {s:b, s:s, s:n, s:n}]}",
                     "baseline", "selection", "nll", 2.0, "decisions", "kept", 1, "reason", "accepted",
                     "difference", -0.01, "difference_stderr", 0.002, "kept", 0, "reason", "given up early",
                     "difference", 5.0, "difference_stderr", 0.002, "kept", 0, "reason", "worse",
                     "difference", "nll");
}

static void test_a_run_becomes_files_in_every_format(void **state)
{
    static const char *const formats[] = {"svg", "pdf", "png"}, *const heads[] = {"<svg", "%PDF", "\x89PNG"};
    double s[40];
    struct laser_scan_row rows[2];
    struct laser_page_run run = {.model = "m", .rows = rows, .n_rows = 2, .results = decisions()};
    struct laser_error err = {0};

    (void)state;
    for (int i = 0; i < 40; i++)
        s[i] = 20.0 - 0.4 * i;
    for (int i = 0; i < 2; i++)
        rows[i] = (struct laser_scan_row){.name = "a.weight",
                                          .type = "mlp.up_proj",
                                          .layer = i,
                                          .rows = 40,
                                          .columns = 80,
                                          .rank = 3,
                                          .threshold = 18.0,
                                          .snr = 0.2,
                                          .score = 0.2,
                                          .sigma = s};
    for (int i = 0; i < 3; i++) {
        char path[200], *data;
        size_t size;
        int n = 0;
        if (!laser_figure_has_format(formats[i])) {
            assert_int_equal(laser_figures_write(directory, formats[i], &run, &n, &err), LASER_EUSAGE);
            continue;
        }
        assert_int_equal(laser_figures_write(directory, formats[i], &run, &n, &err), LASER_OK);
        assert_int_equal(n, 3);
        snprintf(path, sizeof path, "%s/spectra.%s", directory, formats[i]);
        assert_int_equal(laser_file_read(path, 10000000, &data, &size, &err), LASER_OK);
        assert_true(size > 1000);
        assert_memory_equal(data, heads[i], 4);
        free(data);
    }
    json_decref((json_t *)(uintptr_t)run.results);
}

static void test_a_run_of_nothing_has_no_figures(void **state)
{
    struct laser_page_run run = {.n_rows = 0};
    struct laser_error err = {0};
    int n = 0;

    (void)state;
    assert_int_equal(laser_figures_write(directory, "svg", &run, &n, &err), LASER_OK);
    assert_int_equal(n, 0);
}

static void test_a_directory_that_is_not_there_is_an_error(void **state)
{
    struct laser_figure f = {.width = 10, .height = 10};
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_figure_write(&f, "svg", "/nowhere/at/all.svg", &err), LASER_EIO);
    assert_int_equal(laser_figure_write(&f, "gif", "/nowhere/at/all.gif", &err), LASER_EUSAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks_are_round_and_inside),
        cmocka_unit_test(test_an_axis_of_one_value_has_one_tick),
        cmocka_unit_test(test_the_colours_go_from_dark_to_light),
        cmocka_unit_test(test_markup_in_a_text_is_escaped),
        cmocka_unit_test(test_a_map_has_a_box_for_each_cell),
        cmocka_unit_test(test_a_map_that_is_too_wide_is_turned),
        cmocka_unit_test(test_a_cell_of_experts_shows_their_median),
        cmocka_unit_test(test_two_experts_show_the_middle_between_them),
        cmocka_unit_test(test_decisions_stand_on_those_that_were_kept),
        cmocka_unit_test(test_a_kept_edit_changes_what_a_matrix_has_left),
        cmocka_unit_test(test_colours_are_by_logarithm_where_values_are_far_apart),
        cmocka_unit_test(test_a_calibration_finds_the_factor),
        cmocka_unit_test(test_a_calibration_takes_decisions_with_a_prediction),
        cmocka_unit_test(test_a_compression_has_a_curve_of_size_against_loss),
        cmocka_unit_test(test_losses_of_two_runs_are_subtracted),
        cmocka_unit_test(test_a_run_becomes_files_in_every_format),
        cmocka_unit_test(test_a_run_of_nothing_has_no_figures),
        cmocka_unit_test(test_a_directory_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests_name("figures", tests, make_directory, remove_directory);
}
