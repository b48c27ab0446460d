/* Figures as files: axes, shapes, and what the formats begin with. */
#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "report/draw.h"

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
            assert_true(strlen(text) <= 7);
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
    laser_figure_text(&f, 1, 2, "<b>&\"\n", 8, 0, LASER_ANCHOR_END, LASER_FIGURE_TURNED);
    laser_figure_svg(&svg, &f);
    assert_non_null(strstr(svg.data, ">&#60;b&#62;&#38;&#34;</text>"));
    assert_non_null(strstr(svg.data, "rotate(-90 1.00 2.00)"));
    laser_text_free(&svg);
    laser_figure_free(&f);
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
    struct laser_layer_grid grid;
    struct laser_figure f = {0};
    struct laser_text svg = {0};

    (void)state;
    assert_true(laser_layer_grid_make(&grid, rows, 5, 1));
    laser_draw_map(&f, &grid, "m", "snr");
    laser_figure_svg(&svg, &f);
    assert_int_equal(count(svg.data, "<rect"), 1 + 60 + 4); /* background, legend, cells */
    assert_int_equal(count(svg.data, "#b3261e"), 2);        /* the cross of the failed one */
    assert_null(strstr(svg.data, "nan"));
    assert_null(strstr(svg.data, "inf"));
    laser_text_free(&svg);
    laser_figure_free(&f);
    laser_layer_grid_free(&grid);
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
        assert_int_equal(n, 4);
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
        cmocka_unit_test(test_a_run_becomes_files_in_every_format),
        cmocka_unit_test(test_a_run_of_nothing_has_no_figures),
        cmocka_unit_test(test_a_directory_that_is_not_there_is_an_error),
    };

    return cmocka_run_group_tests_name("figures", tests, make_directory, remove_directory);
}
