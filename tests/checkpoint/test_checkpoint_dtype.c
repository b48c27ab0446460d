#include "checkpoint_fixture.h"

#include <math.h>

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

/* The bytes of a tensor of a golden file. */
static void *load(const struct laser_checkpoint *c, const char *name, int64_t *n)
{
    const struct laser_tensor *t = laser_checkpoint_find(c, name);
    struct laser_error err = {0};
    void *bytes;

    if (t == NULL)
        fail_msg("no tensor %s", name);
    bytes = malloc((size_t)t->size_bytes + 1);
    assert_non_null(bytes);
    assert_int_equal(laser_checkpoint_read(c, t, 0, t->size_bytes, bytes, &err), LASER_OK);
    *n = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);
    return bytes;
}

static void every_type_widens_as_torch_does(void **state)
{
    struct laser_checkpoint *c = open_model(GOLDEN "/dtypes.safetensors");

    (void)state;
    for (int d = 0; d < LASER_DTYPE_COUNT; d++) {
        const char *name = laser_dtype_name((enum laser_dtype)d);
        char expected_name[40];
        int64_t n = 0, m = 0;
        double *expected, wide[700];
        float single[700];
        void *stored;

        snprintf(expected_name, sizeof expected_name, "expect.%s", name);
        stored = load(c, name, &n);
        expected = load(c, expected_name, &m);
        assert_int_equal(n, m);
        assert_true(n <= 700);
        laser_dtype_to_f64((enum laser_dtype)d, stored, n, wide);
        laser_dtype_to_f32((enum laser_dtype)d, stored, n, single);
        for (int64_t i = 0; i < n; i++) {
            if (!(wide[i] == expected[i]) && !(isnan(wide[i]) && isnan(expected[i])))
                fail_msg("%s %lld: %.17g, expected %.17g", name, (long long)i, wide[i], expected[i]);
            if (!(single[i] == (float)expected[i]) && !(isnan(single[i]) && isnan(expected[i])))
                fail_msg("%s %lld: float32 %.9g, expected %.17g", name, (long long)i, single[i], expected[i]);
        }
        free(stored);
        free(expected);
    }
    laser_checkpoint_close(c);
}

/* Rounds a golden vector to each small type and compares bits; any NaN is as good as another. */
static void check_rounding(const char *source)
{
    static const enum laser_dtype dtypes[] = {LASER_F16, LASER_BF16, LASER_F8_E4M3, LASER_F8_E5M2};
    struct laser_checkpoint *c = open_model(GOLDEN "/rounding.safetensors");
    int64_t n = 0, m = 0;
    void *values = load(c, source, &n);

    for (size_t k = 0; k < sizeof dtypes / sizeof dtypes[0]; k++) {
        const size_t size = laser_dtype_size(dtypes[k]);
        unsigned char *expected, *found = malloc((size_t)n * size);
        char name[40];

        snprintf(name, sizeof name, "%s.%s", source, laser_dtype_name(dtypes[k]));
        expected = load(c, name, &m);
        assert_non_null(found);
        assert_int_equal(n, m);
        if (strcmp(source, "f64") == 0)
            assert_true(laser_dtype_from_f64(dtypes[k], values, n, found));
        else
            assert_true(laser_dtype_from_f32(dtypes[k], values, n, found));
        for (int64_t i = 0; i < n; i++) {
            double x, y;

            laser_dtype_to_f64(dtypes[k], found + (size_t)i * size, 1, &x);
            laser_dtype_to_f64(dtypes[k], expected + (size_t)i * size, 1, &y);
            if (memcmp(found + (size_t)i * size, expected + (size_t)i * size, size) != 0 &&
                !(isnan(x) && isnan(y)))
                fail_msg("%s, element %lld: %.9g, expected %.9g", name, (long long)i, x, y);
        }
        free(found);
        free(expected);
    }
    free(values);
    laser_checkpoint_close(c);
}

static void float32_rounds_as_torch_does(void **state)
{
    (void)state;
    check_rounding("f32");
}

static void float64_rounds_to_the_nearest_value_of_the_type(void **state)
{
    (void)state;
    check_rounding("f64");
}

static void unaligned_elements_and_odd_counts_are_converted(void **state)
{
    unsigned char bytes[2 * 600 + 1];
    float found[600];

    (void)state;
    for (int i = 0; i < 600; i++) {
        const uint16_t bits = (uint16_t)(0x3f80 + i);

        memcpy(bytes + 1 + 2 * i, &bits, 2);
    }
    for (int n = 0; n <= 600; n += 59) {
        memset(found, 0, sizeof found);
        laser_dtype_to_f32(LASER_BF16, bytes + 1, n, found);
        for (int i = 0; i < 600; i++) {
            const uint32_t bits = (uint32_t)(0x3f80 + i) << 16;
            float expected;

            memcpy(&expected, &bits, sizeof expected);
            assert_true(found[i] == (i < n ? expected : 0.0f));
        }
    }
}

static void overflow_gives_infinity_or_saturates_as_torch_does(void **state)
{
    const double huge = 1e300, infinity = INFINITY;
    uint16_t half = 0;
    uint8_t eight = 0;
    float single = 0;

    (void)state;
    laser_dtype_from_f64(LASER_F16, &huge, 1, &half);
    assert_int_equal(half, 0x7c00);
    laser_dtype_from_f64(LASER_BF16, &huge, 1, &half);
    assert_int_equal(half, 0x7f80);
    laser_dtype_from_f64(LASER_F32, &huge, 1, &single);
    assert_true(isinf(single));
    laser_dtype_from_f64(LASER_F8_E5M2, &infinity, 1, &eight);
    assert_int_equal(eight, 0x7c);
    laser_dtype_from_f64(LASER_F8_E4M3, &huge, 1, &eight);
    assert_int_equal(eight, 0x7e); /* 448 */
}

static void integers_are_not_written(void **state)
{
    const double one = 1;
    const float single = 1;
    uint8_t byte = 9;

    (void)state;
    assert_false(laser_dtype_from_f64(LASER_U8, &one, 1, &byte));
    assert_false(laser_dtype_from_f32(LASER_BOOL, &single, 1, &byte));
    assert_int_equal(byte, 9);
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
        cmocka_unit_test(every_type_widens_as_torch_does),
        cmocka_unit_test(float32_rounds_as_torch_does),
        cmocka_unit_test(float64_rounds_to_the_nearest_value_of_the_type),
        cmocka_unit_test(unaligned_elements_and_odd_counts_are_converted),
        cmocka_unit_test(overflow_gives_infinity_or_saturates_as_torch_does),
        cmocka_unit_test(integers_are_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
