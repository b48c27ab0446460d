#include "testing.h"

#include "base/error.h"

static void test_error_set_returns_its_code_and_keeps_the_text(void **state)
{
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_error_set(&err, LASER_EINPUT, "model.safetensors", "found %d, expected %d", 1, 2),
                     LASER_EINPUT);
    assert_int_equal(err.code, LASER_EINPUT);
    assert_string_equal(err.where, "model.safetensors");
    assert_string_equal(err.text, "found 1, expected 2");
    assert_int_equal(laser_error_set(NULL, LASER_EIO, NULL, "nobody listens"), LASER_EIO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_error_set_returns_its_code_and_keeps_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
