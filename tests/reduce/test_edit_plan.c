/* plan.yaml: what was rendered reads back; what is wrong is named with its line. */
#include "testing.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reduce/edit_plan.h"

static char path[400];

static void put(const char *text, size_t size)
{
    FILE *out = fopen(path, "wb");

    assert_non_null(out);
    assert_int_equal(fwrite(text, 1, size, out), size);
    assert_int_equal(fclose(out), 0);
}

#define HEAD "version: 1\nmodel: m\nedits:\n"
#define ITEM                                                                                                 \
    "  - tensor: a.weight\n    edit: rank=3\n    rank: 3\n    shape: [8, 4]\n    dtype: F32\n    hash: "     \
    "00ff\n"

static void what_was_rendered_reads_back(void **state)
{
    char model[] = "org/\"na\\me\"", a[] = "x.0.w.weight[3][q]", b[] = "\xc3\xa9: #", e1[] = "wiener:0.5",
         e2[] = "rank=0";
    struct laser_edit_plan_item items[] = {{a, e1, 7, 9, 8, "BF16", 0xfedcba9876543210u, 0},
                                           {b, e2, 0, 1, 2, "F32", 0, 0}};
    struct laser_edit_plan plan = {model, NULL, 2, items}, again;
    struct laser_text text = {0};
    struct laser_error err = {0};

    (void)state;
    laser_edit_plan_render(&plan, &text);
    assert_false(text.failed);
    put(text.data, text.size);
    assert_int_equal(laser_edit_plan_read(path, &again, &err), LASER_OK);
    assert_string_equal(again.model, model);
    assert_null(again.base);
    assert_int_equal(again.n_items, 2);
    for (int i = 0; i < 2; ++i) {
        assert_string_equal(again.items[i].tensor, items[i].tensor);
        assert_string_equal(again.items[i].edit, items[i].edit);
        assert_string_equal(again.items[i].dtype, items[i].dtype);
        assert_int_equal(again.items[i].rank, items[i].rank);
        assert_int_equal(again.items[i].rows, items[i].rows);
        assert_int_equal(again.items[i].columns, items[i].columns);
        assert_true(again.items[i].hash == items[i].hash);
    }
    laser_edit_plan_free(&again);
    laser_text_free(&text);
}

static void a_plan_of_differences_names_the_base_and_its_hashes(void **state)
{
    char model[] = "m", base[] = "org/base", a[] = "a.weight", edit[] = "shrink:1";
    struct laser_edit_plan_item item = {a, edit, 7, 9, 8, "BF16", 1, 0xfedcba9876543210u};
    struct laser_edit_plan plan = {model, base, 1, &item}, again;
    struct laser_text text = {0};
    struct laser_error err = {0};

    (void)state;
    laser_edit_plan_render(&plan, &text);
    put(text.data, text.size);
    assert_int_equal(laser_edit_plan_read(path, &again, &err), LASER_OK);
    assert_string_equal(again.base, base);
    assert_true(again.items[0].change_hash == item.change_hash);
    laser_edit_plan_free(&again);
    laser_text_free(&text);
}

static void a_plan_without_edits_reads_back(void **state)
{
    char model[] = "m";
    struct laser_edit_plan plan = {model, NULL, 0, NULL}, again;
    struct laser_text text = {0};
    struct laser_error err = {0};

    (void)state;
    laser_edit_plan_render(&plan, &text);
    put(text.data, text.size);
    assert_int_equal(laser_edit_plan_read(path, &again, &err), LASER_OK);
    assert_int_equal(again.n_items, 0);
    laser_edit_plan_free(&again);
    laser_text_free(&text);
}

static void what_is_wrong_is_named_with_its_line(void **state)
{
    static const struct {
        const char *text, *where, *what;
    } cases[] = {
        {"", ":1", "no plan"},
        {"- a\n- b\n", ":1", "no plan"},
        {"model: m\nedits: []\n", ":1", "`version` is missing"},
        {"version: 2\nmodel: m\nedits: []\n", ":1", "another version"},
        {"version: 1\nedits: []\n", ":1", "`model` is missing"},
        {"version: 1\nmodel: m\n", ":1", "`edits` is missing"},
        {"version: 1\nmodel: m\nedits: 3\n", ":3", "`edits` should be a list"},
        {HEAD "  - 3\n", ":4", "`tensor` is missing"},
        {HEAD "  - tensor: a\n    edit: rank=3\n    rank: 3\n    shape: [8, 4]\n    dtype: F32\n", ":4",
         "`hash` is missing"},
        {HEAD
         "  - tensor: a\n    edit: shave:3\n    rank: 3\n    shape: [8, 4]\n    dtype: F32\n    hash: 0\n",
         ":4", "`edit` is none that exists"},
        {HEAD "  - tensor: a\n    edit: rank=3\n    rank: -3\n", ":6", "whole number"},
        {HEAD "  - tensor: a\n    edit: rank=3\n    rank: 3\n    shape: [8, 4, 2]\n", ":7", "two numbers"},
        {HEAD "  - tensor: a\n    edit: rank=3\n    rank: 3\n    shape: [8, x]\n", ":7", "whole number"},
        {HEAD "  - tensor: a\n    edit: rank=3\n    rank: 3\n    shape: [8, [4]]\n", ":7",
         "a number is expected"},
        {HEAD "  - tensor: [a]\n", ":4", "`tensor` should be a single value"},
        {HEAD ITEM ITEM, ":10", "edited twice"},
        {"version: 1\nmodel: m\nbase: b\nedits:\n" ITEM, ":5", "`change_hash` is missing"},
        {"version: 1\nmodel: m\nbase: []\nedits: []\n", ":3", "`base` should be a single value"},
        {"version: 1\nmodel: \"m\nedits: []\n", "", "line"},
        {"a: [\n", "", "line"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
        struct laser_edit_plan plan;
        struct laser_error err = {0};

        put(cases[i].text, strlen(cases[i].text));
        if (laser_edit_plan_read(path, &plan, &err) != LASER_EINPUT)
            fail_msg("case %zu was taken", i);
        if (strstr(err.text, cases[i].what) == NULL || strstr(err.where, path) == NULL ||
            strstr(err.where, cases[i].where) == NULL)
            fail_msg("case %zu: %s: %s", i, err.where, err.text);
        assert_null(plan.items);
    }
}

static void every_cut_of_a_plan_is_refused_or_shorter(void **state)
{
    static const char text[] = HEAD ITEM;

    (void)state;
    for (size_t n = 0; n + 1 < sizeof text; ++n) {
        struct laser_edit_plan plan;
        struct laser_error err = {0};

        put(text, n);
        if (laser_edit_plan_read(path, &plan, &err) == LASER_OK) {
            assert_int_equal(plan.n_items, 1); /* only the hash or the line end is cut */
            assert_true(n > sizeof text - 7);
            laser_edit_plan_free(&plan);
        }
    }
}

static void a_file_that_is_not_there_is_an_error_of_input(void **state)
{
    struct laser_edit_plan plan;
    struct laser_error err = {0};

    (void)state;
    assert_int_not_equal(laser_edit_plan_read("/no/such/plan.yaml", &plan, &err), LASER_OK);
    assert_non_null(strstr(err.where, "/no/such/plan.yaml"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_rendered_reads_back),
        cmocka_unit_test(a_plan_of_differences_names_the_base_and_its_hashes),
        cmocka_unit_test(a_plan_without_edits_reads_back),
        cmocka_unit_test(what_is_wrong_is_named_with_its_line),
        cmocka_unit_test(every_cut_of_a_plan_is_refused_or_shorter),
        cmocka_unit_test(a_file_that_is_not_there_is_an_error_of_input),
    };
    const char *base = getenv("TMPDIR");
    int failed, fd;

    snprintf(path, sizeof path, "%.300s/laser-plan-XXXXXX", base != NULL ? base : "/tmp");
    fd = mkstemp(path);
    if (fd < 0)
        return 1;
    close(fd);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    remove(path);
    return failed;
}
