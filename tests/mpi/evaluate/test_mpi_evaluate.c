/* Parts of an evaluation that need no model: factors of edits, which edit counts, batches of questions. */
#include "testing.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checkpoint/safetensors.h"
#include "evaluate/evaluate.h"
#include "evaluate/overlay.h"
#include "evaluate/thin.h"
#include "plan/layout.h"

static char path[64];

static int make_file(void **state)
{
    int fd;

    (void)state;
    snprintf(path, sizeof path, "/tmp/laser_thin_XXXXXX");
    fd = mkstemp(path);
    return fd < 0 || close(fd) != 0;
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void test_factors_pay_up_to_half_of_the_work(void **state)
{
    (void)state;
    assert_true(laser_thin_pays(100, 100, 25));
    assert_false(laser_thin_pays(100, 100, 26));
    assert_false(laser_thin_pays(100, 100, 0));
}

static void test_factors_come_back_as_they_were(void **state)
{
    struct laser_thin_factors thin, back;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_thin_init(&thin, 3, 5, 2, &err), LASER_OK);
    for (int i = 0; i < 16; ++i)
        thin.left[i] = (float)i;
    assert_int_equal(laser_thin_write(path, &thin, &err), LASER_OK);
    assert_int_equal(laser_thin_read(path, &back, &err), LASER_OK);
    assert_true(back.rows == 3 && back.columns == 5 && back.k == 2);
    assert_memory_equal(thin.left, back.left, 16 * sizeof(float));
    assert_true(back.right == back.left + 6);
    laser_thin_free(&thin);
    laser_thin_free(&back);
}

static void test_factors_that_do_not_fit_each_other_are_refused(void **state)
{
    static const float data[16] = {0};
    const struct laser_safetensors_item items[] = {
        {.name = "left", .dtype = LASER_F32, .n_dims = 2, .shape = {3, 2}, .data = data},
        {.name = "right", .dtype = LASER_F32, .n_dims = 2, .shape = {3, 5}, .data = data}};
    struct laser_thin_factors back;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_safetensors_write(path, items, 2, &err), LASER_OK);
    assert_int_equal(laser_thin_read(path, &back, &err), LASER_EINPUT);
}

static void test_of_several_edits_of_a_matrix_the_last_counts(void **state)
{
    struct laser_matrix a = {0}, b = {0};
    struct laser_edit_file edits[3] = {{.matrix = &a}, {.matrix = &b}, {.matrix = &a}};
    const struct laser_evaluation e = {.edits = edits, .n_edits = 3};

    (void)state;
    assert_int_equal(laser_overlay_edit_of(&e, (int32_t[]){0, 1, 2}, 3, &a), 2);
    assert_int_equal(laser_overlay_edit_of(&e, (int32_t[]){2, 1, 0}, 3, &a), 0);
    assert_int_equal(laser_overlay_edit_of(&e, (int32_t[]){0, 1, 2}, 1, &b), -1);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_factors_pay_up_to_half_of_the_work),
        cmocka_unit_test_setup_teardown(test_factors_come_back_as_they_were, make_file, remove_file),
        cmocka_unit_test_setup_teardown(test_factors_that_do_not_fit_each_other_are_refused, make_file,
                                        remove_file),
        cmocka_unit_test(test_of_several_edits_of_a_matrix_the_last_counts),
    };
    int failures;

    MPI_Init(&argc, &argv);
    failures = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failures;
}
