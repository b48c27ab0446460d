/* Which of several edits stands in the place of a matrix. */
#include "testing.h"

#include "checkpoint/checkpoint.h"
#include "evaluate/overlay.h"

static const struct laser_matrix query, key, value;
static const struct laser_edit_file files[] = {{.matrix = &query}, {.matrix = &key}, {.matrix = &query}};
static const struct laser_evaluation evaluation = {.edits = files, .n_edits = 3};

static void test_of_two_edits_of_a_matrix_the_last_counts(void **state)
{
    (void)state;
    assert_int_equal(laser_overlay_edit_of(&evaluation, (int32_t[]){0, 1, 2}, 3, &query), 2);
    assert_int_equal(laser_overlay_edit_of(&evaluation, (int32_t[]){2, 1, 0}, 3, &query), 0);
}

static void test_a_matrix_without_an_edit_in_the_list_has_none(void **state)
{
    (void)state;
    assert_int_equal(laser_overlay_edit_of(&evaluation, (int32_t[]){0, 1, 2}, 3, &value), -1);
    assert_int_equal(laser_overlay_edit_of(&evaluation, (int32_t[]){0, 2}, 2, &key), -1);
    assert_int_equal(laser_overlay_edit_of(&evaluation, NULL, 0, &query), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_of_two_edits_of_a_matrix_the_last_counts),
        cmocka_unit_test(test_a_matrix_without_an_edit_in_the_list_has_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
