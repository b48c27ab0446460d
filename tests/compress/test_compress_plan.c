/* What a compression costs: bytes, passes and operations, counted by hand. */
#include <math.h>
#include <string.h>

#include "compress/plan.h"
#include "testing.h"

/* Two layers of up [16, 8] and down [8, 16], and a router. */
struct setup {
    struct laser_tensor tensors[5];
    struct laser_matrix matrices[5];
    struct laser_checkpoint checkpoint;
    struct laser_run run;
};

static void set_up(struct setup *s)
{
    static const char *const names[] = {
        "model.layers.0.mlp.up_proj.weight", "model.layers.0.mlp.down_proj.weight",
        "model.layers.1.mlp.up_proj.weight", "model.layers.1.mlp.down_proj.weight",
        "model.layers.1.block_sparse_moe.gate.weight"};

    memset(s, 0, sizeof *s);
    for (int i = 0; i < 5; i++) {
        int64_t rows = i == 4 ? 4 : i % 2 ? 8 : 16, cols = i == 4 ? 8 : i % 2 ? 16 : 8;

        s->tensors[i] =
            (struct laser_tensor){.name = (char *)(uintptr_t)names[i], .n_dims = 2, .shape = {rows, cols}};
        s->matrices[i] = (struct laser_matrix){.name = s->tensors[i].name,
                                               .tensor = i,
                                               .rows = rows,
                                               .cols = cols,
                                               .block_rows = rows,
                                               .block_stride = rows,
                                               .ld = cols,
                                               .col_step = 1};
    }
    s->checkpoint.tensors = s->tensors;
    s->checkpoint.n_tensors = 5;
    s->checkpoint.config = json_pack("{s:s}", "model_type", "mixtral");
    s->run.checkpoint = &s->checkpoint;
    s->run.matrices.matrices = s->matrices;
    s->run.matrices.n_matrices = 5;
}

static void tear_down(struct setup *s)
{
    json_decref(s->checkpoint.config);
}

enum { PAIR = 8 * (16 * 16 + 8 * 8), ROUTER = 8 * (4 * 4 + 8 * 8) };

static void covariances_are_counted(void **state)
{
    struct setup s;
    struct laser_compress_cost cost;

    (void)state;
    set_up(&s);
    laser_compress_cost(&s.run, &laser_compress_methods[0], 1e9, &cost);
    assert_int_equal(cost.passes, 1);
    assert_true(cost.sum_bytes == 4 * PAIR + ROUTER);
    assert_true(cost.range_bytes == cost.sum_bytes);
    assert_true(cost.sum_flops == cost.sum_bytes / 8);
    tear_down(&s);
}

static void little_memory_takes_several_passes(void **state)
{
    struct setup s;
    struct laser_compress_cost cost;

    (void)state;
    set_up(&s);
    laser_compress_cost(&s.run, &laser_compress_methods[0], 2 * PAIR / LASER_COMPRESS_MEMORY_SHARE, &cost);
    assert_int_equal(cost.passes, 3); /* 2 matrices, 2, and the router */
    assert_true(cost.range_bytes == 2 * PAIR);
    assert_int_equal(laser_covariance_range(&s.run, &laser_compress_methods[0], 1, 3), 4); /* one at least */
    tear_down(&s);
}

static void operations_are_those_of_the_matrices_that_are_cut(void **state)
{
    struct setup s;
    struct laser_compress_cost cost;
    double reduce = 4 * (4.0 / 3 * (16 * 16 * 16 + 8 * 8 * 8) + 8.0 / 3 * 8 * 8 * 8);
    double roots = 14.0 / 3 * (16 * 16 * 16 + 8 * 8 * 8), svd = 8 * 16 * 8 * 8 + 8 * 8 * 8 * 8;
    /* there and back: 2 n^2 times the other side, and times the short side */
    double whiten = 2 * 16 * 16 * (8 + 8) + 2 * 8 * 8 * (16 + 8);

    (void)state;
    set_up(&s);
    laser_compress_cost(&s.run, &laser_compress_methods[0], 1e9, &cost);
    assert_true(fabs(cost.reduce_flops - reduce) < 1e-6);
    assert_true(fabs(cost.product_flops - 4 * (roots + svd + whiten)) < 1e-6);
    assert_true(fabs(cost.longest_product - (roots + svd + whiten)) < 1e-6);
    assert_int_equal(cost.largest, 0);
    assert_true(cost.largest_bytes == laser_cut_memory(16, 8, &laser_compress_methods[0]));
    tear_down(&s);
}

static void the_plain_method_needs_no_covariance(void **state)
{
    struct setup s;
    struct laser_compress_cost cost;

    (void)state;
    set_up(&s);
    laser_compress_cost(&s.run, laser_compress_method_find("plain"), 1e9, &cost);
    assert_true(cost.sum_bytes == 0);
    assert_true(fabs(cost.reduce_flops - 4 * 8.0 / 3 * 512) < 1e-6);
    tear_down(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(covariances_are_counted),
        cmocka_unit_test(little_memory_takes_several_passes),
        cmocka_unit_test(operations_are_those_of_the_matrices_that_are_cut),
        cmocka_unit_test(the_plain_method_needs_no_covariance),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
