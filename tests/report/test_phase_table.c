/* The table of phases: what a log shows, what results.json gets. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/phase_table.h"
#include "testing.h"

static const struct laser_phase_row rows[] = {
    {"scan", 30, 10, 20, 25, 6e12, 2e9, 1e6, 100e6, 300e6},
    {"other", 10, 0, 0, 0, 0, 0, 5e6, 110e6, 290e6},
};

static char *line(char *text, int n)
{
    while (n-- > 0)
        text = strchr(text, '\n') + 1;
    return text;
}

static void test_a_line_for_each_phase_and_one_for_all(void **state)
{
    struct laser_text text = {0};
    char name[16];
    double v[5], rate;

    (void)state;
    laser_phase_table(&text, rows, 2);
    assert_int_equal(sscanf(line(text.data, 2), "%15s %lf %lf%% %lf %lf %lf %lf", name, v, v + 1, v + 2,
                            v + 3, v + 4, &rate),
                     7);
    assert_string_equal(name, "scan");
    assert_true(v[0] == 30 && v[1] == 75 && v[2] == 10 && v[3] == 20 && v[4] == 25);
    assert_true(rate == 200); /* 6e12 flops in 30 s */
    assert_int_equal(sscanf(line(text.data, 4), "%15s %lf %lf%%", name, v, v + 1), 3);
    assert_string_equal(name, "total");
    assert_true(v[0] == 40 && v[1] == 100);
    laser_text_free(&text);
}

static void test_a_line_fits_the_width(void **state)
{
    struct laser_text text = {0};

    (void)state;
    laser_phase_table(&text, rows, 2);
    for (char *l = text.data; *l != '\0'; l = strchr(l, '\n') + 1)
        assert_true(strcspn(l, "\n") <= 110);
    laser_text_free(&text);
}

static void test_phases_without_counted_work_have_no_rate(void **state)
{
    struct laser_text text = {0};
    char rate[16];

    (void)state;
    laser_phase_table(&text, rows, 2);
    assert_int_equal(sscanf(line(text.data, 3), "other %*f %*f%% %*f %*f %*f %15s", rate), 1);
    assert_string_equal(rate, "-");
    laser_text_free(&text);
}

static void test_json_has_the_same_numbers(void **state)
{
    json_t *list = laser_phase_json(rows, 2), *scan = json_array_get(list, 0);

    (void)state;
    assert_int_equal(json_array_size(list), 2);
    assert_true(json_number_value(json_object_get(scan, "share")) == 0.75);
    assert_true(json_number_value(json_object_get(scan, "gflops_per_second")) == 200);
    assert_int_equal(json_integer_value(json_object_get(scan, "node_peak_bytes")), 300000000);
    assert_true(json_number_value(json_object_get(json_object_get(scan, "work_seconds"), "max")) == 25);
    json_decref(list);
}

static void test_a_run_without_time_divides_by_nothing(void **state)
{
    struct laser_phase_row none = {.name = "other"};
    struct laser_text text = {0};
    json_t *list = laser_phase_json(&none, 1);

    (void)state;
    laser_phase_table(&text, &none, 1);
    assert_null(strstr(text.data, "nan"));
    assert_true(json_number_value(json_object_get(json_array_get(list, 0), "share")) == 0);
    json_decref(list);
    laser_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_line_for_each_phase_and_one_for_all),
        cmocka_unit_test(test_a_line_fits_the_width),
        cmocka_unit_test(test_phases_without_counted_work_have_no_rate),
        cmocka_unit_test(test_json_has_the_same_numbers),
        cmocka_unit_test(test_a_run_without_time_divides_by_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
