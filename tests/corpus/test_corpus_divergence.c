/* Figures of divergence against torch and numpy (tools/golden/make_divergence.py figures). */
#include <math.h>

#include "corpus/divergence.h"
#include "corpus_testing.h"

enum { MOST = 200 };

struct fixture {
    json_t *golden;
    struct laser_token_divergence tokens[MOST];
    int64_t counts[MOST], n;
};

static double element(const json_t *golden, const char *key, size_t i)
{
    return json_number_value(json_array_get(json_object_get(golden, key), i));
}

static void open_golden(struct fixture *f)
{
    json_error_t problem;

    f->golden = json_load_file(SRCDIR "/tests/golden/divergence.json", 0, &problem);
    assert_non_null(f->golden);
    f->n = (int64_t)json_array_size(json_object_get(f->golden, "counts"));
    for (size_t w = 0; w < (size_t)f->n; w++)
        f->counts[w] = json_integer_value(json_array_get(json_object_get(f->golden, "counts"), w));
    for (size_t i = 0; i < json_array_size(json_object_get(f->golden, "kl")); i++) {
        assert_true(i < MOST);
        f->tokens[i] = (struct laser_token_divergence){
            element(f->golden, "kl", i), element(f->golden, "nll_base", i),
            element(f->golden, "nll_other", i), element(f->golden, "same_top", i)};
    }
}

static void assert_figure(const json_t *figures, const char *name, struct laser_divergence_figure found)
{
    const json_t *expected = json_object_get(figures, name);

    assert_close(found.value, golden_number(expected, "value"), 1e-12);
    assert_close(found.stderr_, golden_number(expected, "stderr"), 1e-9);
}

static void test_all_figures_are_those_of_torch_and_numpy(void **state)
{
    struct fixture f = {0};
    struct laser_divergence d;
    const json_t *figures;

    (void)state;
    open_golden(&f);
    figures = json_object_get(f.golden, "figures");
    assert_int_equal(laser_divergence_compute(f.tokens, f.counts, f.n, &d, NULL), LASER_OK);
    assert_int_equal(d.windows, golden_int(figures, "windows", -1));
    assert_int_equal(d.tokens, golden_int(figures, "tokens", -1));
    assert_figure(figures, "kl", d.kl);
    assert_figure(figures, "same_top", d.same_top);
    assert_figure(figures, "dp", d.dp);
    assert_figure(figures, "dp_rms", d.dp_rms);
    assert_close(d.largest, golden_number(figures, "largest"), 1e-15);
    for (int k = 0; k < LASER_KL_PERCENTILES; k++)
        assert_figure(figures, laser_divergence_percentile_name(k), d.percentiles[k]);
    json_decref(f.golden);
}

static void test_a_single_window_has_no_standard_error(void **state)
{
    static const struct laser_token_divergence tokens[] = {{0.5, 1, 2, 1}, {0.25, 3, 3, 0}};
    const int64_t counts[] = {2};
    struct laser_divergence d;

    (void)state;
    assert_int_equal(laser_divergence_compute(tokens, counts, 1, &d, NULL), LASER_OK);
    assert_true(d.kl.value == 0.375 && isnan(d.kl.stderr_));
    assert_true(d.percentiles[LASER_KL_MEDIAN].value == 0.375 && isnan(d.percentiles[0].stderr_));
    assert_true(d.same_top.value == 0.5 && isnan(d.dp.stderr_) && isnan(d.dp_rms.stderr_));
}

static void test_a_model_has_no_divergence_from_itself(void **state)
{
    static const struct laser_token_divergence tokens[] = {{0, 1, 1, 1}, {0, 3, 3, 1}, {0, 2, 2, 1}};
    const int64_t counts[] = {1, 2};
    struct laser_divergence d;

    (void)state;
    assert_int_equal(laser_divergence_compute(tokens, counts, 2, &d, NULL), LASER_OK);
    assert_true(d.kl.value == 0 && d.kl.stderr_ == 0 && d.largest == 0);
    assert_true(d.percentiles[LASER_KL_999].value == 0 && d.percentiles[LASER_KL_999].stderr_ == 0);
    assert_true(d.dp.value == 0 && d.dp_rms.value == 0 && d.dp_rms.stderr_ == 0);
    assert_true(d.same_top.value == 1 && d.same_top.stderr_ == 0);
}

static void test_what_is_not_finite_is_refused_by_window_and_place(void **state)
{
    struct laser_token_divergence tokens[] = {{0, 1, 1, 1}, {0, 3, 3, 1}, {0, 2, 2, 1}};
    const int64_t counts[] = {1, 2};
    struct laser_divergence d;
    struct laser_error err = {0};

    (void)state;
    tokens[2].kl_nats = NAN;
    assert_int_equal(laser_divergence_compute(tokens, counts, 2, &d, &err), LASER_ENUMERIC);
    assert_non_null(strstr(err.text, "scored token 1 of window 1"));
    assert_int_equal(laser_divergence_compute(tokens, counts, 0, &d, &err), LASER_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_figures_are_those_of_torch_and_numpy),
        cmocka_unit_test(test_a_single_window_has_no_standard_error),
        cmocka_unit_test(test_a_model_has_no_divergence_from_itself),
        cmocka_unit_test(test_what_is_not_finite_is_refused_by_window_and_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
