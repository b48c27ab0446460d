/* LoRA adapters of PEFT: fixtures of tools/golden/make_adapter.py. */
#include "checkpoint_fixture.h"

#include <math.h>

#include "checkpoint/adapter.h"
#include "checkpoint/coded.h"
#include "checkpoint/matrix.h"
#include "linalg/product.h"

#define ADAPTER SRCDIR "/tests/golden/adapter"

/* The values of a tensor, widened. */
static double *values_of(const struct laser_checkpoint *c, const char *name, int64_t *n)
{
    const struct laser_tensor *t = laser_checkpoint_find(c, name);
    struct laser_error err = {0};
    double *values;
    char *bytes;

    if (t == NULL)
        fail_msg("no tensor %s", name);
    *n = t->size_bytes / (int64_t)laser_dtype_size(t->dtype);
    bytes = malloc((size_t)t->size_bytes + 1);
    values = malloc((size_t)*n * sizeof *values + 1);
    assert_non_null(bytes);
    assert_non_null(values);
    if (laser_checkpoint_read(c, t, 0, t->size_bytes, bytes, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    laser_dtype_to_f64(t->dtype, bytes, *n, values);
    free(bytes);
    return values;
}

static void assert_near(const struct laser_checkpoint *c, const struct laser_checkpoint *golden,
                        const char *name, double tolerance)
{
    int64_t n = 0, m = 0;
    double *found = values_of(c, name, &n), *wanted = values_of(golden, name, &m);

    assert_int_equal(n, m);
    for (int64_t i = 0; i < n; i++) {
        if (!(fabs(found[i] - wanted[i]) <= tolerance))
            fail_msg("%s: element %lld is %.17g, expected %.17g", name, (long long)i, found[i], wanted[i]);
    }
    free(found);
    free(wanted);
}

/* The changes of an adapter, and their singular values from the factors. */
static void check_changes(const char *adapter, const char *golden_dir)
{
    struct laser_checkpoint *c = open_model(adapter), *golden = open_model(golden_dir);
    struct laser_matrix_list list;
    struct laser_error err = {0};

    assert_int_equal(laser_matrix_list(c, NULL, &list, &err), LASER_OK);
    assert_int_equal(list.n_matrices, 4);
    for (int64_t i = 0; i < list.n_matrices; i++) {
        const struct laser_matrix *m = &list.matrices[i];
        char sigma_name[200];
        double *left, *right, sigma[16], *wanted;
        int64_t rank, n;

        assert_near(c, golden, m->name, 1e-15);
        assert_int_equal(laser_matrix_factors(c, m, &rank, &left, &right, &err), LASER_OK);
        assert_true(rank > 0);
        assert_int_equal(laser_product_values(left, right, m->rows, rank, m->cols, sigma, &err), LASER_OK);
        snprintf(sigma_name, sizeof sigma_name, "%.*ssigma", (int)strlen(m->name) - 6, m->name);
        wanted = values_of(golden, sigma_name, &n);
        assert_int_equal(n, m->rows < m->cols ? m->rows : m->cols);
        for (int64_t k = 0; k < n; k++)
            assert_true(fabs(sigma[k] - wanted[k]) <= 1e-14 * wanted[0]);
        free(left);
        free(right);
        free(wanted);
    }
    laser_matrix_list_free(&list);
    laser_checkpoint_close(c);
    laser_checkpoint_close(golden);
}

static void changes_have_the_ranks_and_scales_of_peft(void **state)
{
    (void)state;
    check_changes(ADAPTER "/lora", ADAPTER "/expect/lora/change");
}

static void rank_stabilised_adapters_divide_by_the_root(void **state)
{
    (void)state;
    check_changes(ADAPTER "/rslora", ADAPTER "/expect/rslora/change");
}

static void the_factors_of_dora_are_scanned_and_named(void **state)
{
    struct laser_checkpoint *c = open_model(ADAPTER "/dora");

    (void)state;
    check_changes(ADAPTER "/dora", ADAPTER "/expect/dora/change");
    assert_string_equal(
        laser_coded_format(laser_checkpoint_find(c, "model.layers.0.self_attn.q_proj.weight")),
        "DoRA rank 2");
    laser_checkpoint_close(c);
}

/* Every weight of the model with the adapter is that of PEFT's merge, in float32. */
static void check_merge(const char *adapter_dir, const char *golden_dir)
{
    struct laser_checkpoint *c = open_model(ADAPTER "/model"), *adapter = open_model(adapter_dir),
                            *copy = NULL;
    struct laser_checkpoint *golden = open_model(golden_dir);
    struct laser_error err = {0};
    void *packed = NULL;
    size_t n = 0;

    if (laser_checkpoint_adapt(c, adapter, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    laser_checkpoint_close(adapter);
    assert_int_equal(laser_checkpoint_pack(c, &packed, &n, &err), LASER_OK);
    assert_int_equal(laser_checkpoint_unpack(packed, n, &copy, &err), LASER_OK);
    free(packed);
    assert_int_equal(c->n_tensors, golden->n_tensors);
    for (int64_t i = 0; i < golden->n_tensors; i++) {
        assert_near(c, golden, golden->tensors[i].name, 1e-7);
        assert_near(copy, golden, golden->tensors[i].name, 1e-7);
    }
    laser_checkpoint_close(c);
    laser_checkpoint_close(copy);
    laser_checkpoint_close(golden);
}

static void a_model_with_an_adapter_is_that_of_pefts_merge(void **state)
{
    (void)state;
    check_merge(ADAPTER "/lora", ADAPTER "/expect/lora/merged");
    check_merge(ADAPTER "/rslora", ADAPTER "/expect/rslora/merged");
}

static void assert_not_adapted(const char *model, const char *adapter_dir, const char *text)
{
    struct laser_checkpoint *c = open_model(model), *adapter = open_model(adapter_dir);
    struct laser_error err = {0};

    assert_int_equal(laser_checkpoint_adapt(c, adapter, &err), LASER_EINPUT);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" is not in the message \"%s\"", text, err.text);
    laser_checkpoint_close(c);
    laser_checkpoint_close(adapter);
}

static void adapters_of_another_base_are_refused(void **state)
{
    (void)state;
    assert_not_adapted(GOLDEN "/gpt2", ADAPTER "/lora", "which the model lacks");
    assert_not_adapted(GOLDEN "/llama", ADAPTER "/rslora", "another shape");
    assert_not_adapted(ADAPTER "/model", ADAPTER "/model", "no adapter");
    assert_not_adapted(ADAPTER "/model", ADAPTER "/dora", "merge this adapter with peft");
}

static void other_kinds_and_lone_factors_are_refused(void **state)
{
    static const char alone[] =
        "{\"x.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[2,4],\"data_offsets\":[0,32]}}";

    put_safetensors(path_of(*state, "adapter_model.safetensors"), alone, 32);
    put_text(path_of(*state, "adapter_config.json"), "{\"peft_type\":\"IA3\"}");
    assert_refused(*state, LASER_EINPUT, "an adapter of the kind IA3");
    put_text(path_of(*state, "adapter_config.json"), "{\"peft_type\":\"LORA\",\"lora_alpha\":2,\"r\":2}");
    assert_refused(*state, LASER_EINPUT, "its other factor \"x.lora_B.weight\" is missing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_have_the_ranks_and_scales_of_peft),
        cmocka_unit_test(rank_stabilised_adapters_divide_by_the_root),
        cmocka_unit_test(the_factors_of_dora_are_scanned_and_named),
        cmocka_unit_test(a_model_with_an_adapter_is_that_of_pefts_merge),
        cmocka_unit_test(adapters_of_another_base_are_refused),
        cmocka_unit_test_setup_teardown(other_kinds_and_lone_factors_are_refused, make_temporary,
                                        remove_temporary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
