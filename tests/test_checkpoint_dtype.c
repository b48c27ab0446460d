#include "testing.h"

#include <math.h>
#include <string.h>

#include "checkpoint/dtype.h"

static void names_parse_to_the_type_that_printed_them(void **state)
{
    (void)state;
    for (int i = 0; i < LASER_DTYPE_COUNT; i++) {
        enum laser_dtype dtype = LASER_DTYPE_COUNT;

        assert_true(laser_dtype_parse(laser_dtype_name((enum laser_dtype)i), &dtype));
        assert_int_equal(dtype, i);
    }
}

static void unknown_names_are_refused(void **state)
{
    enum laser_dtype dtype;

    (void)state;
    assert_false(laser_dtype_parse("F128", &dtype));
    assert_false(laser_dtype_parse("bf16", &dtype));
    assert_false(laser_dtype_parse("", &dtype));
}

/* Every value of a small type, widened and rounded back, is itself. */
static void round_trip(enum laser_dtype dtype, uint32_t count)
{
    for (uint32_t bits = 0; bits < count; bits++) {
        uint16_t stored = (uint16_t)bits, back = 0;
        uint8_t stored8 = (uint8_t)bits, back8 = 0;
        const int wide = laser_dtype_size(dtype) == 2;
        double d;
        float f;

        laser_dtype_to_f64(dtype, wide ? (void *)&stored : (void *)&stored8, 1, &d);
        laser_dtype_to_f32(dtype, wide ? (void *)&stored : (void *)&stored8, 1, &f);
        if (isnan(d)) {
            assert_true(isnan(f));
            continue;
        }
        assert_true((double)f == d);
        assert_true(laser_dtype_from_f64(dtype, &d, 1, wide ? (void *)&back : (void *)&back8));
        assert_int_equal(wide ? back : back8, bits);
        assert_true(laser_dtype_from_f32(dtype, &f, 1, wide ? (void *)&back : (void *)&back8));
        assert_int_equal(wide ? back : back8, bits);
    }
}

static void every_f16_survives_the_round_trip(void **state)
{
    (void)state;
    round_trip(LASER_F16, 65536);
}

static void every_bf16_survives_the_round_trip(void **state)
{
    (void)state;
    round_trip(LASER_BF16, 65536);
}

static void every_e4m3_survives_the_round_trip(void **state)
{
    (void)state;
    round_trip(LASER_F8_E4M3, 256);
}

static void every_e5m2_survives_the_round_trip(void **state)
{
    (void)state;
    round_trip(LASER_F8_E5M2, 256);
}

/* A double just above the middle of two bf16 values that a float32 in between would round onto the middle. */
static void float64_is_rounded_once(void **state)
{
    const double above = 1.0 + 0x1p-8 + 0x1p-40, middle = 1.0 + 0x1p-8;
    uint16_t bits = 0;

    (void)state;
    laser_dtype_from_f64(LASER_BF16, &above, 1, &bits);
    assert_int_equal(bits, 0x3f81);
    laser_dtype_from_f64(LASER_BF16, &middle, 1, &bits);
    assert_int_equal(bits, 0x3f80);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_parse_to_the_type_that_printed_them),
        cmocka_unit_test(unknown_names_are_refused),
        cmocka_unit_test(every_f16_survives_the_round_trip),
        cmocka_unit_test(every_bf16_survives_the_round_trip),
        cmocka_unit_test(every_e4m3_survives_the_round_trip),
        cmocka_unit_test(every_e5m2_survives_the_round_trip),
        cmocka_unit_test(float64_is_rounded_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
