#include "kernels_testing.h"

#include "kernels/linear.h"

struct fixture {
    int64_t out, in, tokens;
    enum laser_storage stored;
    enum laser_precision precision;
    unsigned char *weights; /* [out, in] as stored, one byte off any alignment */
    float *wide;            /* the same numbers, as the layer should see them */
    struct laser_linear linear;
    struct laser_scratch scratch;
    float *x;
};

static void store(enum laser_storage stored, float value, unsigned char *to)
{
    double wide = value;
    uint32_t bits;
    uint16_t narrow;

    memcpy(&bits, &value, sizeof bits);
    switch (stored) {
    case LASER_STORED_F64:
        memcpy(to, &wide, 8);
        return;
    case LASER_STORED_F32:
        memcpy(to, &value, 4);
        return;
    case LASER_STORED_F16: /* any bits but infinities and NaN will do */
        narrow = (uint16_t)((bits >> 16 & 0x8000) | (bits >> 8 & 0x3ff) | (8 + bits % 8) << 10);
        memcpy(to, &narrow, 2);
        return;
    case LASER_STORED_BF16:
        narrow = laser_bfloat16_from_float(value);
        memcpy(to, &narrow, 2);
        return;
    case LASER_STORED_F8_E4M3:
        *to = (unsigned char)((bits >> 24 & 0x80) | bits % 0x40);
        return;
    case LASER_STORED_F8_E5M2:
        *to = (unsigned char)((bits >> 24 & 0x80) | bits % 0x44);
        return;
    }
}

static void make(struct fixture *f)
{
    int bytes = laser_storage_bytes(f->stored);
    int64_t size = laser_linear_size(f->precision, f->stored, f->out, f->in);

    f->weights = (unsigned char *)new_bytes(f->out * f->in * bytes + 1) + 1;
    f->wide = new_floats(f->out * f->in);
    for (int64_t i = 0; i < f->out * f->in; i++) {
        store(f->stored, f->wide[i], f->weights + i * bytes);
        laser_storage_widen(f->stored, 1, f->weights + i * bytes, 1, &f->wide[i]);
        if (f->precision == LASER_BFLOAT16)
            f->wide[i] = laser_bfloat16_to_float(laser_bfloat16_from_float(f->wide[i]));
    }
    f->x = new_floats(f->tokens * f->in);
    assert_true(size > 0 && size % 64 == 0);
    assert_int_equal(
        laser_linear_init(&f->linear, f->precision, f->stored, f->out, f->in, new_bytes(size), NULL, NULL),
        LASER_OK);
    memset(f->linear.packed, 0xff, (size_t)size); /* NaN wherever packing forgets a place */
    f->scratch = (struct laser_scratch){0};
    assert_int_equal(
        laser_scratch_reserve(&f->scratch, laser_linear_scratch_size(&f->linear, f->tokens), NULL), 0);
    memset(f->scratch.data, 0xff, (size_t)f->scratch.size_bytes);
}

static void pack_in_slabs(struct fixture *f)
{
    int bytes = laser_storage_bytes(f->stored);

    for (int64_t first = 0; first < f->out;) {
        int64_t count = 1 + random_below(50);

        if (count > f->out - first)
            count = f->out - first;
        laser_linear_pack_rows(&f->linear, first, count, f->weights + first * f->in * bytes, f->in);
        first += count;
    }
}

static void discard(struct fixture *f)
{
    free(f->weights - 1);
    free(f->wide);
    free(f->x);
    free(f->linear.packed);
    laser_scratch_free(&f->scratch);
}

/* Compares y with x W^T (+ start) in float64; the error of a sum may grow with the sum of magnitudes. */
static void compare(const struct fixture *f, int64_t first, int64_t count, const float *y, int64_t y_stride,
                    double start)
{
    for (int64_t t = 0; t < f->tokens; t++)
        for (int64_t o = 0; o < count; o++) {
            double sum = start, size = fabs(start);

            for (int64_t k = 0; k < f->in; k++) {
                float x = f->x[t * f->in + k];
                double term;

                if (f->precision == LASER_BFLOAT16)
                    x = laser_bfloat16_to_float(laser_bfloat16_from_float(x));
                term = (double)x * f->wide[(first + o) * f->in + k];
                sum += term;
                size += fabs(term);
            }
            assert_near(y[t * y_stride + o], sum, 2e-6 * size + 1e-30);
        }
}

static void check_shape(int64_t tokens, int64_t out, int64_t in, enum laser_storage stored,
                        enum laser_precision precision)
{
    struct fixture f = {.out = out, .in = in, .tokens = tokens, .stored = stored, .precision = precision};
    int64_t stride = out + 3;
    float *y = new_floats(tokens * stride);

    make(&f);
    pack_in_slabs(&f);
    for (int64_t t = 0; t < tokens; t++)
        y[t * stride + out] = 42;
    laser_linear_apply(&f.linear, tokens, f.x, in, y, stride, LASER_STORE, &f.scratch);
    compare(&f, 0, out, y, stride, 0);
    for (int64_t t = 0; t < tokens; t++)
        assert_true(y[t * stride + out] == 42);
    for (int64_t i = 0; i < tokens * stride; i++)
        y[i] = 0.25f;
    laser_linear_apply(&f.linear, tokens, f.x, in, y, stride, LASER_ADD, &f.scratch);
    compare(&f, 0, out, y, stride, 0.25);
    discard(&f);
    free(y);
}

static void check_odd_shapes(void)
{
    static const int64_t shapes[][3] = {{1, 1, 1},     {1, 33, 7},    {3, 5, 129},   {2, 64, 64},
                                        {13, 31, 50},  {14, 32, 64},  {15, 40, 100}, {29, 65, 33},
                                        {57, 100, 96}, {130, 96, 257}};

    for (int i = 0; i < (int)(sizeof shapes / sizeof *shapes); i++)
        for (int precision = LASER_FLOAT32; precision <= LASER_BFLOAT16; precision++)
            check_shape(shapes[i][0], shapes[i][1], shapes[i][2],
                        i % 2 ? LASER_STORED_F32 : LASER_STORED_BF16, (enum laser_precision)precision);
}

static void test_linear_equals_float64_sums_for_odd_shapes(void **state)
{
    (void)state;
    with_all_kernels(check_odd_shapes);
}

static void check_storages(void)
{
    for (int stored = LASER_STORED_F64; stored <= LASER_STORED_F8_E5M2; stored++)
        for (int precision = LASER_FLOAT32; precision <= LASER_BFLOAT16; precision++) {
            check_shape(40, 70, 131, (enum laser_storage)stored, (enum laser_precision)precision);
            check_shape(2, 70, 131, (enum laser_storage)stored, (enum laser_precision)precision);
        }
}

static void test_linear_takes_every_storage(void **state)
{
    (void)state;
    with_all_kernels(check_storages);
}

static void check_deep(void)
{
    check_shape(20, 40, 2500, LASER_STORED_BF16, LASER_FLOAT32);
    check_shape(20, 40, 2500, LASER_STORED_BF16, LASER_BFLOAT16);
    check_shape(600, 33, 70, LASER_STORED_F32, LASER_FLOAT32);
    check_shape(1100, 33, 70, LASER_STORED_BF16, LASER_BFLOAT16);
    check_shape(30, 600, 70, LASER_STORED_BF16, LASER_FLOAT32);
    check_shape(30, 600, 70, LASER_STORED_BF16, LASER_BFLOAT16);
}

static void test_linear_crosses_its_own_blocks(void **state)
{
    (void)state;
    with_all_kernels(check_deep);
}

static void check_range(void)
{
    struct fixture f = {
        .out = 200, .in = 66, .tokens = 17, .stored = LASER_STORED_BF16, .precision = LASER_FLOAT32};
    float *y = new_floats(17 * 70);

    make(&f);
    pack_in_slabs(&f);
    laser_linear_apply_range(&f.linear, 96, 70, 17, f.x, 66, y, 70, LASER_STORE, &f.scratch);
    compare(&f, 96, 70, y, 70, 0);
    discard(&f);
    free(y);
}

static void test_linear_range_is_a_slice_of_the_outputs(void **state)
{
    (void)state;
    with_all_kernels(check_range);
}

static void check_bias(void)
{
    struct fixture f = {
        .out = 37, .in = 66, .tokens = 17, .stored = LASER_STORED_F32, .precision = LASER_FLOAT32};
    float *y = new_floats(17 * 37), *bias = new_floats(37);

    make(&f);
    pack_in_slabs(&f);
    f.linear.bias = bias;
    for (int64_t o = 0; o < 37; o++)
        bias[o] = 1.5f;
    laser_linear_apply(&f.linear, 17, f.x, 66, y, 37, LASER_STORE, &f.scratch);
    compare(&f, 0, 37, y, 37, 1.5);
    laser_linear_apply_range(&f.linear, 32, 5, 17, f.x, 66, y, 37, LASER_STORE, &f.scratch);
    compare(&f, 32, 5, y, 37, 1.5);
    for (int64_t i = 0; i < 17 * 37; i++)
        y[i] = 0.5f;
    laser_linear_apply(&f.linear, 17, f.x, 66, y, 37, LASER_ADD, &f.scratch);
    compare(&f, 0, 37, y, 37, 2);
    discard(&f);
    free(y);
    free(bias);
}

static void test_linear_adds_its_bias_once(void **state)
{
    (void)state;
    with_all_kernels(check_bias);
}

static void test_linear_packs_transposed_storage_and_slices(void **state)
{
    struct fixture f = {
        .out = 45, .in = 31, .tokens = 9, .stored = LASER_STORED_F32, .precision = LASER_FLOAT32};
    float *transposed = new_floats(31 * 50), *y = new_floats(9 * 45);

    (void)state;
    make(&f);
    for (int64_t o = 0; o < 45; o++)
        for (int64_t k = 0; k < 31; k++)
            transposed[k * 50 + 5 + o] = f.wide[o * 31 + k];
    laser_linear_pack_columns(&f.linear, 40, 5, transposed + 5 + 40, 50);
    laser_linear_pack_columns(&f.linear, 0, 40, transposed + 5, 50);
    laser_linear_apply(&f.linear, 9, f.x, 31, y, 45, LASER_STORE, &f.scratch);
    compare(&f, 0, 45, y, 45, 0);
    discard(&f);
    free(transposed);
    free(y);
}

static void test_linear_row_reads_back_what_was_packed(void **state)
{
    float row[33];

    (void)state;
    for (int stored = LASER_STORED_F64; stored <= LASER_STORED_F8_E5M2; stored++)
        for (int precision = LASER_FLOAT32; precision <= LASER_BFLOAT16; precision++) {
            struct fixture f = {.out = 70,
                                .in = 33,
                                .tokens = 1,
                                .stored = (enum laser_storage)stored,
                                .precision = (enum laser_precision)precision};

            make(&f);
            pack_in_slabs(&f);
            for (int64_t o = 0; o < 70; o++) {
                laser_linear_row(&f.linear, o, row);
                for (int k = 0; k < 33; k++)
                    assert_true(row[k] == f.wide[o * 33 + k]);
            }
            discard(&f);
        }
}

static void test_linear_size_keeps_the_stored_precision(void **state)
{
    (void)state;
    assert_int_equal(laser_linear_size(LASER_FLOAT32, LASER_STORED_BF16, 64, 10), 64 * 10 * 2);
    assert_int_equal(laser_linear_size(LASER_FLOAT32, LASER_STORED_F64, 64, 10), 64 * 10 * 4);
    assert_int_equal(laser_linear_size(LASER_FLOAT32, LASER_STORED_F8_E4M3, 64, 10), 64 * 10);
    assert_int_equal(laser_linear_size(LASER_BFLOAT16, LASER_STORED_F32, 33, 9), 64 * 10 * 2);
}

static void test_linear_size_refuses_overflow_and_nonsense(void **state)
{
    struct laser_linear linear;
    struct laser_error err = {0};
    char packed[128];

    (void)state;
    assert_int_equal(laser_linear_size(LASER_FLOAT32, LASER_STORED_F32, INT64_MAX / 8, 16), -1);
    assert_int_equal(laser_linear_size(LASER_FLOAT32, LASER_STORED_F32, INT64_MAX, 1), -1);
    assert_int_equal(laser_linear_size(LASER_FLOAT32, LASER_STORED_F32, 0, 16), -1);
    assert_int_equal(laser_linear_init(&linear, LASER_FLOAT32, LASER_STORED_F32, 0, 1, packed, NULL, &err),
                     LASER_EINTERNAL);
    assert_int_equal(laser_linear_init(&linear, LASER_FLOAT32, LASER_STORED_F32, 1, 1,
                                       packed + ((uintptr_t)packed % 64 ? 0 : 1), NULL, &err),
                     LASER_EINTERNAL);
}

static void test_bfloat16_rounds_to_nearest_even(void **state)
{
    (void)state;
    assert_int_equal(laser_bfloat16_from_float(1.0f), 0x3f80);
    assert_int_equal(laser_bfloat16_from_float(1.0f + 0x1p-8f), 0x3f80);
    assert_int_equal(laser_bfloat16_from_float(1.0f + 0x3p-8f), 0x3f82);
    assert_int_equal(laser_bfloat16_from_float(1.0f + 0x1.02p-8f), 0x3f81);
    assert_int_equal(laser_bfloat16_from_float(-INFINITY), 0xff80);
    assert_true(isnan(laser_bfloat16_to_float(laser_bfloat16_from_float(NAN))));
}

static void test_storage_widens_special_values(void **state)
{
    static const uint16_t halves[] = {0x3c00, 0x8001, 0x7c00, 0xfbff, 0x03ff};
    static const uint8_t e4m3[] = {0x38, 0x01, 0x7e, 0xb8, 0x7f}, e5m2[] = {0x3c, 0x01, 0x7b, 0xbc, 0x7c};
    float wide[5];

    (void)state;
    laser_storage_widen(LASER_STORED_F16, 5, halves, 1, wide);
    assert_true(wide[0] == 1 && wide[1] == -0x1p-24f && isinf(wide[2]) && wide[3] == -65504 &&
                wide[4] == 0x3ffp-24f);
    laser_storage_widen(LASER_STORED_F8_E4M3, 5, e4m3, 1, wide);
    assert_true(wide[0] == 1 && wide[1] == 0x1p-9f && wide[2] == 448 && wide[3] == -1 && isnan(wide[4]));
    laser_storage_widen(LASER_STORED_F8_E5M2, 5, e5m2, 1, wide);
    assert_true(wide[0] == 1 && wide[1] == 0x1p-16f && wide[2] == 57344 && wide[3] == -1 && isinf(wide[4]));
}

static void test_kernels_of_unknown_name_are_refused(void **state)
{
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_kernels_choose("cuda", &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "\"cuda\""));
    assert_int_equal(laser_kernels_choose("generic", &err), LASER_OK);
    assert_int_equal(laser_kernels_current(LASER_FLOAT32), LASER_KERNELS_GENERIC);
    assert_string_equal(laser_kernels_name(laser_kernels_current(LASER_BFLOAT16)), "generic");
    assert_int_equal(laser_kernels_choose("auto", &err), LASER_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_linear_equals_float64_sums_for_odd_shapes),
        cmocka_unit_test(test_linear_takes_every_storage),
        cmocka_unit_test(test_linear_crosses_its_own_blocks),
        cmocka_unit_test(test_linear_range_is_a_slice_of_the_outputs),
        cmocka_unit_test(test_linear_adds_its_bias_once),
        cmocka_unit_test(test_linear_packs_transposed_storage_and_slices),
        cmocka_unit_test(test_linear_row_reads_back_what_was_packed),
        cmocka_unit_test(test_linear_size_keeps_the_stored_precision),
        cmocka_unit_test(test_linear_size_refuses_overflow_and_nonsense),
        cmocka_unit_test(test_bfloat16_rounds_to_nearest_even),
        cmocka_unit_test(test_storage_widens_special_values),
        cmocka_unit_test(test_kernels_of_unknown_name_are_refused),
    };
    laser_kernels_set_threads(1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
