/* Weights of low rank as two thin products. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "model_testing.h"
#include "testing.h"

enum { MOST = 8, RANK = 3 };

struct factors {
    const char *names[MOST];
    int n;
    float *left[MOST], *right[MOST];
    const struct laser_tensor *tensors[MOST];
    bool undo;
};

/* -1/4, 0, 1/4: sums of products that every dtype holds. */
static void fill(float *x, int64_t n, uint32_t *seed)
{
    for (int64_t i = 0; i < n; i++) {
        *seed = *seed * 1664525u + 1013904223u;
        x[i] = 0.25f * (float)((int)(*seed >> 8) % 3 - 1);
    }
}

static void make_factors(const struct golden *g, struct factors *f)
{
    uint32_t seed = 7;

    for (f->n = 0; f->n < MOST && f->names[f->n]; f->n++) {
        const struct laser_tensor *t = laser_checkpoint_find(g->checkpoint, f->names[f->n]);

        assert_non_null(t);
        f->tensors[f->n] = t;
        f->left[f->n] = malloc((size_t)(t->shape[0] * RANK) * sizeof(float));
        f->right[f->n] = malloc((size_t)(t->shape[1] * RANK) * sizeof(float));
        assert_true(f->left[f->n] && f->right[f->n]);
        fill(f->left[f->n], t->shape[0] * RANK, &seed);
        fill(f->right[f->n], t->shape[1] * RANK, &seed);
    }
}

static void free_factors(struct factors *f)
{
    for (int i = 0; i < f->n; i++) {
        free(f->left[i]);
        free(f->right[i]);
    }
}

/* The products as dense matrices in place of the tensors. */
static void redirect_to_products(const struct golden *g, const struct factors *f, const char *path)
{
    struct laser_safetensors_item items[MOST];
    void *products[MOST];
    struct laser_error err = {0};

    for (int i = 0; i < f->n; i++) {
        int64_t rows = f->tensors[i]->shape[0], columns = f->tensors[i]->shape[1];

        double *product = calloc((size_t)(rows * columns), sizeof *product);

        products[i] = malloc((size_t)f->tensors[i]->size_bytes);
        assert_true(product && products[i]);
        for (int64_t at = 0; at < rows * columns; at++) {
            double sum = 0;
            for (int j = 0; j < RANK; j++)
                sum += (double)f->left[i][at / columns * RANK + j] *
                       (double)f->right[i][j * columns + at % columns];
            product[at] = sum;
        }
        assert_true(laser_dtype_from_f64(f->tensors[i]->dtype, product, rows * columns, products[i]));
        free(product);
        items[i] = (struct laser_safetensors_item){.name = f->names[i],
                                                   .dtype = f->tensors[i]->dtype,
                                                   .n_dims = 2,
                                                   .shape = {rows, columns},
                                                   .data = products[i]};
    }
    assert_int_equal(laser_safetensors_write(path, items, f->n, &err), LASER_OK);
    for (int i = 0; i < f->n; i++) {
        free(products[i]);
        if (laser_checkpoint_redirect(g->checkpoint, f->names[i], path, -1, &err) != LASER_OK)
            fail_msg("%s: %s", err.where, err.text);
    }
}

static int set_factors(void *context, struct laser_model *model, struct laser_error *err)
{
    const struct factors *f = context;
    int code = LASER_OK;

    for (int i = f->n - 1; code == LASER_OK && i >= 0; i--) /* parts have them in order all the same */
        code = laser_model_thin(model, f->names[i], RANK, f->left[i], f->right[i], err);
    for (int i = 0; f->undo && code == LASER_OK && i < f->n; i++)
        code = laser_model_thin(model, f->names[i], 0, NULL, NULL, err);
    return code;
}

static void nll_or_fail(const struct golden *g, int count, struct factors *f, double *nll)
{
    struct laser_error err = {0};

    if (nll_of_changed(g, LASER_FLOAT32, count, f ? set_factors : NULL, f, nll, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
}

static const struct {
    const char *golden, *names[MOST];
} cases[] = {
    {"llama", {"model.layers.0.mlp.up_proj.weight"}},
    {"llama", {"model.layers.0.mlp.gate_proj.weight"}},
    {"llama",
     {"model.layers.1.mlp.gate_proj.weight", "model.layers.1.mlp.up_proj.weight",
      "model.layers.1.mlp.down_proj.weight", "model.layers.1.self_attn.q_proj.weight",
      "model.layers.1.self_attn.v_proj.weight", "model.layers.1.self_attn.o_proj.weight"}},
    /* with biases */
    {"qwen2", {"model.layers.0.self_attn.k_proj.weight", "model.layers.1.self_attn.v_proj.weight"}},
    {"gpt2", {"h.0.mlp.c_fc.weight", "h.0.mlp.c_proj.weight", "h.1.attn.c_proj.weight"}},
    {"gpt_neox",
     {"gpt_neox.layers.0.mlp.dense_h_to_4h.weight", "gpt_neox.layers.0.mlp.dense_4h_to_h.weight",
      "gpt_neox.layers.1.attention.dense.weight"}},
    {"qwen2_moe",
     {"model.layers.0.mlp.experts.0.up_proj.weight", "model.layers.0.mlp.experts.0.down_proj.weight",
      "model.layers.0.mlp.shared_expert.gate_proj.weight",
      "model.layers.0.mlp.shared_expert.down_proj.weight"}},
};

static void factors_give_what_their_product_gives_in_any_number_of_shards(void **state)
{
    static const int counts[] = {1, 2, 3};
    const char *dir = getenv("TMPDIR");
    char path[512];

    (void)state;
    snprintf(path, sizeof path, "%s/laser-thin-%ld.safetensors", dir ? dir : "/tmp", (long)getpid());
    for (size_t c = 0; c < sizeof cases / sizeof cases[0]; c++) {
        struct golden g;
        struct factors f = {0};
        int64_t n;
        double *dense, *thin;

        golden_open(&g, cases[c].golden);
        memcpy(f.names, cases[c].names, sizeof f.names);
        make_factors(&g, &f);
        n = g.sequences * g.length;
        dense = calloc((size_t)n, sizeof *dense);
        thin = calloc((size_t)n, sizeof *thin);
        assert_true(dense && thin);
        for (int i = 0; i < 3; i++) {
            nll_or_fail(&g, counts[i], &f, thin);
            redirect_to_products(&g, &f, path);
            nll_or_fail(&g, counts[i], NULL, dense);
            for (int k = 0; k < f.n; k++)
                laser_checkpoint_redirect(g.checkpoint, f.names[k], NULL, 0, NULL);
            if (!(largest_difference(dense, thin, n) < 2e-5))
                fail_msg("%s in %d shards: off by %g", f.names[0], counts[i],
                         largest_difference(dense, thin, n));
            nll_or_fail(&g, counts[i], NULL, dense);
            if (!(largest_difference(dense, thin, n) > 1e-3))
                fail_msg("%s: the factors changed nothing", f.names[0]);
        }
        remove(path);
        free(dense);
        free(thin);
        free_factors(&f);
        golden_close(&g);
    }
}

static void a_model_without_its_factors_is_the_old_one(void **state)
{
    struct golden g;
    struct factors f = {
        .names = {"model.layers.1.mlp.gate_proj.weight", "model.layers.0.self_attn.o_proj.weight"},
        .undo = true};
    double *before, *after;
    int64_t n;

    (void)state;
    golden_open(&g, "llama");
    make_factors(&g, &f);
    n = g.sequences * g.length;
    before = calloc((size_t)n, sizeof *before);
    after = calloc((size_t)n, sizeof *after);
    assert_true(before && after);
    nll_or_fail(&g, 1, NULL, before);
    nll_or_fail(&g, 1, &f, after);
    assert_memory_equal(before, after, (size_t)n * sizeof *before);
    free(before);
    free(after);
    free_factors(&f);
    golden_close(&g);
}

static void only_weights_of_their_own_inside_layers_take_factors(void **state)
{
    static const struct {
        const char *golden, *name;
        bool takes;
    } expected[] = {
        {"llama", "model.layers.0.mlp.up_proj.weight", true},
        {"llama", "lm_head.weight", false},
        {"llama", "model.embed_tokens.weight", false},
        {"llama", "model.layers.0.input_layernorm.weight", false},
        {"gpt2", "h.0.mlp.c_fc.weight", true},
        {"gpt2", "h.0.attn.c_attn.weight", false},
        {"phi3", "model.layers.0.mlp.gate_up_proj.weight", false},
        {"phi3", "model.layers.0.mlp.down_proj.weight", true},
        {"gpt_neox", "gpt_neox.layers.0.attention.query_key_value.weight", false},
        {"qwen2_moe-stacked", "model.layers.0.mlp.experts.down_proj", false},
    };

    (void)state;
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        struct golden g;
        struct laser_model *model;
        struct laser_error err = {0};
        const float one[4096] = {1};

        golden_open(&g, expected[i].golden);
        assert_int_equal(laser_model_open(g.checkpoint, LASER_FLOAT32, &model, &err), LASER_OK);
        if (laser_model_takes_thin(model, expected[i].name) != expected[i].takes)
            fail_msg("%s", expected[i].name);
        if (!expected[i].takes)
            assert_int_equal(laser_model_thin(model, expected[i].name, 1, one, one, &err), LASER_EINPUT);
        laser_model_free(model);
        golden_close(&g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_give_what_their_product_gives_in_any_number_of_shards),
        cmocka_unit_test(a_model_without_its_factors_is_the_old_one),
        cmocka_unit_test(only_weights_of_their_own_inside_layers_take_factors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
