/* Packed integer weights are known by their tensors' names. */
#include "testing.h"

#include "checkpoint/packing.h"

#include <string.h>

#define OF(n, type)                                                                                          \
    {                                                                                                        \
        .name = (char *)(size_t)(n), .dtype = (type)                                                         \
    }
#define INTEGERS(n) OF(n, LASER_I32)
#define BYTES(n)    OF(n, LASER_U8)
#define FLOATS(n)   OF(n, LASER_F16)

static void is(const struct laser_tensor *tensors, int64_t n, const char *name, int64_t n_matrices)
{
    struct laser_packing found;
    char text[600];

    assert_true(laser_packing_find(tensors, n, &found));
    assert_string_equal(found.name, name);
    assert_int_equal(found.n_matrices, n_matrices);
    assert_true(laser_packing_describe(tensors, n, text, sizeof text));
    assert_non_null(strstr(text, name));
    assert_non_null(strstr(text, found.tensor));
}

static void test_packings_are_known_by_their_names(void **state)
{
    const struct laser_tensor gptq[] = {
        FLOATS("lm_head.weight"), INTEGERS("l.0.q.qweight"), INTEGERS("l.0.q.qzeros"),
        FLOATS("l.0.q.scales"),   INTEGERS("l.0.q.g_idx"),   INTEGERS("l.1.q.qweight"),
        INTEGERS("l.1.q.qzeros"), FLOATS("l.1.q.scales"),    INTEGERS("l.1.q.g_idx")};
    const struct laser_tensor awq[] = {INTEGERS("l.0.q.qweight"), INTEGERS("l.0.q.qzeros"),
                                       FLOATS("l.0.q.scales")};
    const struct laser_tensor four[] = {BYTES("l.0.q.weight"), FLOATS("l.0.q.weight.absmax")};
    const struct laser_tensor eight[] = {BYTES("l.0.q.weight"), FLOATS("l.0.q.SCB")};
    const struct laser_tensor mlx[] = {INTEGERS("l.0.q.weight"), FLOATS("l.0.q.scales"),
                                       FLOATS("l.0.q.biases")};
    const struct laser_tensor packed[] = {INTEGERS("l.0.q.weight_packed"), FLOATS("l.0.q.weight_scale")};
    const struct laser_tensor hqq[] = {BYTES("l.0.q.W_q")};
    const struct laser_tensor aqlm[] = {INTEGERS("l.0.q.codes"), FLOATS("l.0.q.codebooks")};
    const struct laser_tensor mxfp4[] = {BYTES("l.0.e_blocks"), BYTES("l.0.e_scales")};

    (void)state;
    is(gptq, 9, "GPTQ", 2);
    is(awq, 3, "AWQ or GPTQ", 1);
    is(four, 2, "bitsandbytes, 4 bits", 1);
    is(eight, 2, "bitsandbytes, 8 bits", 1);
    is(mlx, 3, "MLX", 1);
    is(packed, 2, "compressed-tensors", 1);
    is(hqq, 1, "HQQ", 1);
    is(aqlm, 2, "AQLM", 1);
    is(mxfp4, 2, "MXFP4", 1);
}

static void test_floats_and_tables_are_no_packing(void **state)
{
    const struct laser_tensor plain[] = {FLOATS("l.0.q.weight"), FLOATS("l.0.q.biases"),
                                         INTEGERS("position_ids"), INTEGERS("l.0.table.weight")};
    struct laser_packing found;

    (void)state;
    assert_false(laser_packing_find(plain, 4, &found));
    assert_false(laser_packing_find(plain, 0, &found));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_packings_are_known_by_their_names),
        cmocka_unit_test(test_floats_and_tables_are_no_packing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
