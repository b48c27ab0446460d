/* Quantised weights are seen as their reference libraries widen them: fixtures of
 * tools/golden/make_quantised.py. */
#include "checkpoint_fixture.h"

#include "checkpoint/coded.h"
#include "checkpoint/matrix.h"

#define QUANTISED SRCDIR "/tests/golden/quantised"

static char *read_range(const struct laser_checkpoint *c, const struct laser_tensor *t, int64_t first,
                        int64_t n)
{
    char *bytes = malloc((size_t)n + 1);
    struct laser_error err = {0};

    assert_non_null(bytes);
    if (laser_checkpoint_read(c, t, first, n, bytes, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return bytes;
}

/* Name, type, shape and bytes. */
static void assert_same_tensor(const struct laser_checkpoint *c, const struct laser_checkpoint *golden,
                               const struct laser_tensor *expected)
{
    const struct laser_tensor *t = laser_checkpoint_find(c, expected->name);
    char *found, *wanted;

    if (t == NULL)
        fail_msg("%s is not in the catalogue", expected->name);
    assert_string_equal(laser_dtype_name(t->dtype), laser_dtype_name(expected->dtype));
    assert_int_equal(t->n_dims, expected->n_dims);
    for (int d = 0; d < t->n_dims; d++)
        assert_int_equal(t->shape[d], expected->shape[d]);
    assert_int_equal(t->size_bytes, expected->size_bytes);
    found = read_range(c, t, 0, t->size_bytes);
    wanted = read_range(golden, expected, 0, expected->size_bytes);
    for (int64_t i = 0; i < t->size_bytes; i++) {
        if (found[i] != wanted[i]) {
            const int64_t size = (int64_t)laser_dtype_size(t->dtype), at = i / size;
            double x, y;

            laser_dtype_to_f64(t->dtype, found + at * size, 1, &x);
            laser_dtype_to_f64(t->dtype, wanted + at * size, 1, &y);
            fail_msg("%s: element %lld is %.17g, expected %.17g", t->name, (long long)at, x, y);
        }
    }
    free(found);
    free(wanted);
}

/* Every weight of a method, in the catalogue and in one that was broadcast. */
static void check_method(const char *method)
{
    struct laser_checkpoint *c = open_model(path_of(QUANTISED, method)), *copy = NULL;
    struct laser_checkpoint *golden = open_model(path_of(path_of(QUANTISED, method), "expect"));
    struct laser_error err = {0};
    void *packed = NULL;
    size_t n = 0;

    assert_int_equal(laser_checkpoint_pack(c, &packed, &n, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_unpack(packed, n, &copy, &err), LASER_OK);
    for (int64_t i = 0; i < golden->n_tensors; i++) {
        assert_same_tensor(c, golden, &golden->tensors[i]);
        assert_same_tensor(copy, golden, &golden->tensors[i]);
    }
    assert_int_equal(c->n_tensors, golden->n_tensors);
    free(packed);
    laser_checkpoint_close(c);
    laser_checkpoint_close(copy);
    laser_checkpoint_close(golden);
}

#define METHOD(name)                                                                                         \
    static void name##_is_widened_to_the_bit(void **state)                                                   \
    {                                                                                                        \
        (void)state;                                                                                         \
        check_method(#name);                                                                                 \
    }

METHOD(packed4)
METHOD(packed8)
METHOD(packed3)
METHOD(float_quantized)
METHOD(fp8_padded)
METHOD(mxfp4)
METHOD(nvfp4)
METHOD(gptq)
METHOD(gptq_v2)
METHOD(gptq8)
METHOD(gptq3)
METHOD(gptq2_uneven)
METHOD(awq)
METHOD(bitsandbytes)
METHOD(mlx3)
METHOD(mlx4)
METHOD(mlx6)
METHOD(mlx8)

static const char *const methods[] = {
    "packed4", "packed3", "float_quantized", "fp8_padded",   "mxfp4", "nvfp4", "gptq",
    "gptq3",   "awq",     "bitsandbytes",    "gptq2_uneven", "mlx3",  "mlx6"};

/* Bytes from anywhere to anywhere are those of the whole tensor. */
static void every_range_of_bytes_is_that_of_the_whole(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof methods / sizeof methods[0]; k++) {
        struct laser_checkpoint *c = open_model(path_of(QUANTISED, methods[k]));
        const struct laser_tensor *t = &c->tensors[0];
        const int64_t size = (int64_t)laser_dtype_size(t->dtype);
        char *whole = read_range(c, t, 0, t->size_bytes);

        for (int64_t first = 0; first < t->size_bytes; first += 97 * size) {
            for (int64_t n = size; n <= t->size_bytes - first; n += 31 * size) {
                char *part = read_range(c, t, first, n);

                assert_memory_equal(part, whole + first, (size_t)n);
                free(part);
            }
        }
        free(whole);
        laser_checkpoint_close(c);
    }
}

static void check_windows(const struct laser_checkpoint *c, const struct laser_matrix *m)
{
    double *whole = malloc((size_t)(m->rows * m->cols) * sizeof *whole);
    double *window = malloc((size_t)(m->rows * m->cols) * sizeof *window);
    struct laser_error err = {0};

    assert_non_null(whole);
    assert_non_null(window);
    assert_int_equal(laser_matrix_read(c, m, 0, m->rows, 0, m->cols, whole, m->cols, &err), LASER_OK);
    for (int64_t row = 0; row < m->rows; row += 5) {
        for (int64_t col = 0; col < m->cols; col += 13) {
            const int64_t n_rows = m->rows - row < 7 ? m->rows - row : 7, n_cols = m->cols - col;

            assert_int_equal(laser_matrix_read(c, m, row, n_rows, col, n_cols, window, n_cols, &err),
                             LASER_OK);
            for (int64_t i = 0; i < n_rows; i++)
                assert_memory_equal(window + i * n_cols, whole + (row + i) * m->cols + col,
                                    (size_t)n_cols * sizeof *whole);
        }
    }
    free(whole);
    free(window);
}

static void every_window_of_a_matrix_is_that_of_the_whole(void **state)
{
    struct laser_matrix_options split = {.split_fused = true};
    struct laser_matrix_list list;
    struct laser_error err = {0};

    (void)state;
    for (size_t k = 0; k < sizeof methods / sizeof methods[0]; k++) {
        struct laser_checkpoint *c = open_model(path_of(QUANTISED, methods[k]));

        assert_int_equal(laser_matrix_list(c, &split, &list, &err), LASER_OK);
        for (int64_t i = 0; i < list.n_matrices; i++)
            check_windows(c, &list.matrices[i]);
        laser_matrix_list_free(&list);
        laser_checkpoint_close(c);
    }
}

static void gate_and_up_of_gpt_oss_are_told_apart_in_mxfp4_stacks(void **state)
{
    struct laser_checkpoint *c = open_model(QUANTISED "/mxfp4"),
                            *golden = open_model(QUANTISED "/mxfp4/expect");
    const struct laser_tensor *t = laser_checkpoint_find(golden, "model.layers.0.mlp.experts.gate_up_proj");
    struct laser_matrix_options split = {.split_fused = true};
    struct laser_matrix_list list;
    struct laser_error err = {0};
    char *bytes = read_range(golden, t, 0, t->size_bytes);
    double up, values[96 * 5];
    int seen = 0;

    (void)state;
    assert_int_equal(laser_matrix_list(c, &split, &list, &err), LASER_OK);
    assert_int_equal(list.n_matrices, 3 * 2 + 3 + 1);
    for (int64_t i = 0; i < list.n_matrices; i++) {
        const struct laser_matrix *m = &list.matrices[i];

        if (strcmp(m->name, "model.layers.0.mlp.experts.gate_up_proj[2][up]") != 0)
            continue;
        seen++;
        assert_int_equal(m->rows, 96);
        assert_int_equal(m->cols, 5);
        assert_int_equal(laser_matrix_read(c, m, 0, 96, 0, 5, values, 5, &err), LASER_OK);
        for (int64_t k = 0; k < 96 * 5; k++) {
            laser_dtype_to_f64(t->dtype, bytes + 2 * (2 * 960 + k / 5 * 10 + 2 * (k % 5) + 1), 1, &up);
            assert_true(up == values[k]);
        }
    }
    assert_int_equal(seen, 1);
    free(bytes);
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
    laser_checkpoint_close(golden);
}

static void the_format_is_named(void **state)
{
    struct laser_checkpoint *c = open_model(QUANTISED "/gptq3");

    (void)state;
    assert_string_equal(laser_coded_format(&c->tensors[0]), "GPTQ int3");
    assert_true(laser_coded_any(c));
    laser_checkpoint_close(c);
}

/* A model of these tensors (a header) and this configuration. */
static const char *make_model(void **state, const char *name, const char *header, size_t n_data,
                              const char *config)
{
    const char *dir = path_of(*state, name);

    assert_int_equal(mkdir(dir, 0777), 0);
    put_safetensors(path_of(dir, "model.safetensors"), header, n_data);
    if (config != NULL)
        put_text(path_of(dir, "config.json"), config);
    return dir;
}

static void codes_without_scales_are_refused(void **state)
{
    const char *dir =
        make_model(state, "no-scale",
                   "{\"layers.0.w.qweight\":{\"dtype\":\"I32\",\"shape\":[4,8],\"data_offsets\":[0,128]}}",
                   128, "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}");

    assert_refused(dir, LASER_EINPUT, "\"layers.0.w.scales\" that it is scaled with is missing");
    dir =
        make_model(state, "no-fp8-scale",
                   "{\"layers.0.w.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[4,8],\"data_offsets\":[0,32]}}",
                   32, "{\"quantization_config\":{\"quant_method\":\"fp8\"}}");
    assert_refused(dir, LASER_EINPUT, "\"layers.0.w.weight_scale\" that it is scaled with is missing");
    dir = make_model(state, "no-exponents",
                     "{\"layers.0.w_blocks\":{\"dtype\":\"U8\",\"shape\":[2,2,16],\"data_offsets\":[0,64]}}",
                     64, NULL);
    assert_refused(dir, LASER_EINPUT, "\"layers.0.w_scales\"");
}

static void scales_on_another_grid_are_refused(void **state)
{
    const char *dir =
        make_model(state, "grid",
                   "{\"layers.0.w_blocks\":{\"dtype\":\"U8\",\"shape\":[2,2,16],\"data_offsets\":[0,64]},"
                   "\"layers.0.w_scales\":{\"dtype\":\"U8\",\"shape\":[2,3],\"data_offsets\":[64,70]}}",
                   70, NULL);

    assert_refused(dir, LASER_EINPUT, "not one a block of 32");
    dir = make_model(state, "awq-grid",
                     "{\"layers.0.w.qweight\":{\"dtype\":\"I32\",\"shape\":[4,1],\"data_offsets\":[0,16]},"
                     "\"layers.0.w.qzeros\":{\"dtype\":\"I32\",\"shape\":[2,1],\"data_offsets\":[16,24]},"
                     "\"layers.0.w.scales\":{\"dtype\":\"F16\",\"shape\":[1,8],\"data_offsets\":[24,40]}}",
                     40, "{\"quantization_config\":{\"quant_method\":\"awq\"}}");
    assert_refused(dir, LASER_EINPUT, "do not belong together");
}

/* The error of reading the only weight of an FP8 model whose scale is this float32. */
static void assert_scale_refused(void **state, const char *name, float scale, const char *text)
{
    const char *dir =
        make_model(state, name,
                   "{\"layers.0.w.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[4,2],\"data_offsets\":[0,8]},"
                   "\"layers.0.w.weight_scale\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]}}",
                   12, NULL);
    struct laser_checkpoint *c;
    struct laser_error err = {0};
    char values[32];
    size_t n = 0;
    char *bytes = get_file(path_of(dir, "model.safetensors"), &n);

    memcpy(bytes + n - 4, &scale, 4);
    put_file(path_of(dir, "model.safetensors"), bytes, n);
    free(bytes);
    c = open_model(dir);
    assert_int_equal(laser_checkpoint_read(c, &c->tensors[0], 0, 32, values, &err), LASER_EINPUT);
    assert_string_equal(err.where, "layers.0.w.weight_scale");
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" is not in the message \"%s\"", text, err.text);
    laser_checkpoint_close(c);
}

static void scales_that_are_zero_or_not_finite_are_refused(void **state)
{
    assert_scale_refused(state, "nan", __builtin_nanf(""), "nan, expected a finite number");
    assert_scale_refused(state, "inf", __builtin_inff(), "inf, expected a finite number");
    assert_scale_refused(state, "zero", 0, "the scale of the whole weight is 0");
}

static void an_unknown_method_is_named_with_what_can_be_done(void **state)
{
    const char *dir = make_model(
        state, "hqq", "{\"layers.0.w.W_q\":{\"dtype\":\"U8\",\"shape\":[4,8],\"data_offsets\":[0,32]}}", 32,
        "{\"quantization_config\":{\"quant_method\":\"hqq\"}}");

    assert_refused(dir, LASER_EINPUT, "method \"hqq\" are not read");
    assert_refused(dir, LASER_EINPUT, "dequantize it and save it in bfloat16");
}

static void groups_outside_the_scales_are_an_error_of_the_weight(void **state)
{
    const char *dir =
        make_model(state, "index",
                   "{\"layers.0.w.g_idx\":{\"dtype\":\"I32\",\"shape\":[32],\"data_offsets\":[0,128]},"
                   "\"layers.0.w.qweight\":{\"dtype\":\"I32\",\"shape\":[4,8],\"data_offsets\":[128,256]},"
                   "\"layers.0.w.qzeros\":{\"dtype\":\"I32\",\"shape\":[1,1],\"data_offsets\":[256,260]},"
                   "\"layers.0.w.scales\":{\"dtype\":\"F16\",\"shape\":[1,8],\"data_offsets\":[260,276]}}",
                   276, "{\"quantization_config\":{\"quant_method\":\"gptq\",\"bits\":4}}");
    struct laser_checkpoint *c = open_model(dir);
    struct laser_error err = {0};
    char values[512];

    assert_int_equal(laser_checkpoint_read(c, &c->tensors[0], 0, 512, values, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "is of group"));
    laser_checkpoint_close(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packed4_is_widened_to_the_bit),
        cmocka_unit_test(packed8_is_widened_to_the_bit),
        cmocka_unit_test(packed3_is_widened_to_the_bit),
        cmocka_unit_test(float_quantized_is_widened_to_the_bit),
        cmocka_unit_test(fp8_padded_is_widened_to_the_bit),
        cmocka_unit_test(mxfp4_is_widened_to_the_bit),
        cmocka_unit_test(nvfp4_is_widened_to_the_bit),
        cmocka_unit_test(gptq_is_widened_to_the_bit),
        cmocka_unit_test(gptq_v2_is_widened_to_the_bit),
        cmocka_unit_test(gptq8_is_widened_to_the_bit),
        cmocka_unit_test(gptq3_is_widened_to_the_bit),
        cmocka_unit_test(gptq2_uneven_is_widened_to_the_bit),
        cmocka_unit_test(awq_is_widened_to_the_bit),
        cmocka_unit_test(bitsandbytes_is_widened_to_the_bit),
        cmocka_unit_test(mlx3_is_widened_to_the_bit),
        cmocka_unit_test(mlx4_is_widened_to_the_bit),
        cmocka_unit_test(mlx6_is_widened_to_the_bit),
        cmocka_unit_test(mlx8_is_widened_to_the_bit),
        cmocka_unit_test(every_range_of_bytes_is_that_of_the_whole),
        cmocka_unit_test(every_window_of_a_matrix_is_that_of_the_whole),
        cmocka_unit_test(gate_and_up_of_gpt_oss_are_told_apart_in_mxfp4_stacks),
        cmocka_unit_test(the_format_is_named),
        cmocka_unit_test_setup_teardown(codes_without_scales_are_refused, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(scales_on_another_grid_are_refused, make_temporary, remove_temporary),
        cmocka_unit_test_setup_teardown(scales_that_are_zero_or_not_finite_are_refused, make_temporary,
                                        remove_temporary),
        cmocka_unit_test_setup_teardown(an_unknown_method_is_named_with_what_can_be_done, make_temporary,
                                        remove_temporary),
        cmocka_unit_test_setup_teardown(groups_outside_the_scales_are_an_error_of_the_weight, make_temporary,
                                        remove_temporary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
