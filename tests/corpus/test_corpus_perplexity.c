/* Pooled figures, standard errors and paired differences against numpy (tools/golden/make_corpus.py). */
#include <math.h>

#include "corpus/perplexity.h"
#include "corpus_testing.h"

/* Windows of data sets of consecutive ids, with the made-up NLL. */
static struct laser_window_nll *score(const struct laser_dataset *datasets,
                                      const struct laser_window *windows, int64_t n)
{
    struct laser_window_nll *nll = calloc((size_t)n, sizeof *nll);
    assert_non_null(nll);
    for (int64_t i = 0; i < n; i++) {
        int32_t input[64], target[64];
        laser_window_fill(&windows[i], datasets[windows[i].dataset].tokens, input, target);
        for (int32_t p = 0; p < windows[i].n_tokens; p++) {
            double v = target[p] >= 0 ? made_up_nll(target[p]) : 0;
            nll[i].sum_nats += v;
            nll[i].sum_squares_nats2 += v * v;
        }
    }
    return nll;
}

static void check_case(const json_t *item)
{
    struct laser_error err = {0};
    struct laser_window_options options = golden_options(item);
    struct laser_dataset dataset = counting_dataset(json_object_get(item, "lengths"));
    dataset.n_words = golden_int(item, "words", 0);
    dataset.n_bytes = golden_int(item, "bytes", 0);
    struct laser_window *windows;
    struct laser_perplexity each, pooled;
    int64_t n;
    assert_int_equal(laser_windows_make(&dataset, 1, &options, &windows, &n, &err), LASER_OK);
    struct laser_window_nll *nll = score(&dataset, windows, n);
    assert_int_equal(
        laser_perplexity_compute(options.convention, &dataset, 1, windows, nll, n, &each, &pooled, &err),
        LASER_OK);
    const json_t *expected = json_object_get(item, "perplexity");
    assert_int_equal(pooled.windows, golden_int(expected, "windows", -1));
    assert_int_equal(pooled.tokens, golden_int(expected, "tokens", -1));
    assert_close(pooled.nll_nats, golden_number(expected, "nll"), 1e-13);
    assert_close(pooled.ppl, golden_number(expected, "ppl"), 1e-12);
    if (json_is_null(json_object_get(expected, "stderr")))
        assert_true(isnan(pooled.stderr_nats));
    else
        assert_close(pooled.stderr_nats, golden_number(expected, "stderr"), 1e-9);
    if (dataset.n_bytes > 0) {
        assert_close(pooled.word_ppl, golden_number(expected, "word_ppl"), 1e-12);
        assert_close(pooled.byte_ppl, golden_number(expected, "byte_ppl"), 1e-12);
        assert_close(pooled.bits_per_byte, golden_number(expected, "bits_per_byte"), 1e-13);
    } else {
        assert_true(isnan(pooled.word_ppl) && isnan(pooled.byte_ppl) && isnan(pooled.bits_per_byte));
    }
    assert_true(each.nll_nats == pooled.nll_nats);
    free(nll);
    free(windows);
    laser_dataset_free(&dataset);
}

static void laserrmt_perplexity_is_that_of_its_loop(void **state)
{
    (void)state;
    check_golden_windows("laserrmt", check_case);
}

static void strided_perplexity_weights_every_scored_token_once(void **state)
{
    (void)state;
    check_golden_windows("hf-strided", check_case);
}

static void llama_cpp_perplexity_has_its_error_over_tokens(void **state)
{
    (void)state;
    check_golden_windows("llama.cpp", check_case);
}

static void lm_eval_perplexity_is_by_word_and_by_byte_too(void **state)
{
    (void)state;
    check_golden_windows("lm-eval", check_case);
}

static void data_sets_are_pooled_by_window(void **state)
{
    (void)state;
    struct laser_error err = {0};
    json_t *golden = golden_corpus(), *item = json_object_get(golden, "pooled");
    struct laser_dataset sets[2];
    for (size_t i = 0; i < 2; i++) {
        json_t *length =
            json_pack("[I]", json_integer_value(json_array_get(json_object_get(item, "lengths"), i)));
        sets[i] = counting_dataset(length);
        json_decref(length);
    }
    struct laser_window_options options = {.seqlen = 16, .bos = -1};
    struct laser_window *windows;
    struct laser_perplexity each[2], pooled;
    int64_t n;
    assert_int_equal(laser_windows_make(sets, 2, &options, &windows, &n, &err), LASER_OK);
    struct laser_window_nll *nll = score(sets, windows, n);
    assert_int_equal(
        laser_perplexity_compute(LASER_CONVENTION_LASERRMT, sets, 2, windows, nll, n, each, &pooled, &err),
        LASER_OK);
    assert_int_equal(pooled.windows, golden_int(item, "windows", -1));
    assert_close(pooled.nll_nats, golden_number(item, "nll"), 1e-13);
    assert_close(pooled.ppl, golden_number(item, "ppl"), 1e-12);
    assert_close(pooled.stderr_ppl, pooled.ppl * pooled.stderr_nats, 1e-15);
    for (size_t i = 0; i < 2; i++) {
        const json_t *expected = json_array_get(json_object_get(item, "datasets"), i);
        assert_int_equal(each[i].windows, golden_int(expected, "windows", -1));
        assert_close(each[i].ppl, golden_number(expected, "ppl"), 1e-12);
        assert_close(each[i].stderr_nats, golden_number(expected, "stderr"), 1e-9);
    }
    free(nll);
    free(windows);
    laser_dataset_free(&sets[0]);
    laser_dataset_free(&sets[1]);
    json_decref(golden);
}

static void a_data_set_without_windows_has_no_figures(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset sets[2] = {{.name = (char *)"a"}, {.name = (char *)"b"}};
    struct laser_window window = {.dataset = 0, .n_tokens = 3, .n_scored = 2};
    struct laser_window_nll nll = {.sum_nats = 4};
    struct laser_perplexity each[2], pooled;
    assert_int_equal(
        laser_perplexity_compute(LASER_CONVENTION_LASERRMT, sets, 2, &window, &nll, 1, each, &pooled, &err),
        LASER_OK);
    assert_int_equal(each[1].windows, 0);
    assert_true(isnan(each[1].ppl));
    assert_close(pooled.ppl, exp(2.0), 1e-15);
}

static void a_nll_that_is_not_finite_names_data_set_and_window(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset set = {.name = (char *)"ptb"};
    struct laser_window windows[2] = {{.n_tokens = 3, .n_scored = 2},
                                      {.first = 64, .n_tokens = 3, .n_scored = 2}};
    struct laser_window_nll nll[2] = {{.sum_nats = 4}, {.sum_nats = NAN}};
    struct laser_perplexity pooled;
    assert_int_equal(
        laser_perplexity_compute(LASER_CONVENTION_LASERRMT, &set, 1, windows, nll, 2, NULL, &pooled, &err),
        LASER_ENUMERIC);
    assert_string_equal(err.where, "ptb");
    assert_non_null(strstr(err.text, "window 1 (tokens from 64"));
}

/* The paired windows of the golden file. */
struct pair {
    json_t *golden, *item;
    struct laser_window windows[40];
    struct laser_window_nll a[40], b[40];
};

static struct pair load_pair(void)
{
    struct pair pair = {.golden = golden_corpus()};
    pair.item = json_object_get(pair.golden, "paired");
    int32_t n_scored = (int32_t)golden_int(pair.item, "n_scored", 0);
    assert_int_equal(json_array_size(json_object_get(pair.item, "a")), 40);
    for (size_t i = 0; i < 40; i++) {
        pair.windows[i] = (struct laser_window){.n_tokens = n_scored + 1, .n_scored = n_scored};
        pair.a[i].sum_nats = json_number_value(json_array_get(json_object_get(pair.item, "a"), i));
        pair.b[i].sum_nats = json_number_value(json_array_get(json_object_get(pair.item, "b"), i));
    }
    return pair;
}

static void a_paired_difference_is_that_of_numpy(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_paired paired;
    struct pair pair = load_pair();
    assert_int_equal(laser_paired_compute(pair.windows, pair.a, pair.b, 40,
                                          golden_number(pair.item, "tolerance"), &paired, NULL, &err),
                     LASER_OK);
    assert_close(paired.difference_nats, golden_number(pair.item, "difference"), 1e-12);
    assert_close(paired.stderr_nats, golden_number(pair.item, "stderr"), 1e-12);
    assert_close(paired.z, paired.difference_nats / paired.stderr_nats, 1e-15);
    assert_int_equal(paired.better, golden_int(pair.item, "better", -1));
    assert_int_equal(paired.worse, golden_int(pair.item, "worse", -1));
    json_decref(pair.golden);
}

static void moved_windows_come_largest_change_first(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_paired paired;
    struct pair pair = load_pair();
    int64_t order[40];
    assert_int_equal(laser_paired_compute(pair.windows, pair.a, pair.b, 40,
                                          golden_number(pair.item, "tolerance"), &paired, order, &err),
                     LASER_OK);
    const json_t *moved = json_object_get(pair.item, "moved");
    assert_int_equal(paired.moved, json_array_size(moved));
    for (size_t i = 0; i < json_array_size(moved); i++)
        assert_int_equal(order[i], json_integer_value(json_array_get(moved, i)));
    json_decref(pair.golden);
}

static void equal_runs_differ_by_exactly_nothing(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_paired paired;
    struct pair pair = load_pair();
    int64_t order[40];
    assert_int_equal(laser_paired_compute(pair.windows, pair.a, pair.a, 40, 0, &paired, order, &err),
                     LASER_OK);
    assert_true(paired.difference_nats == 0 && paired.stderr_nats == 0 && paired.z == 0);
    assert_int_equal(paired.moved, 0);
    json_decref(pair.golden);
}

static void comparing_with_a_nan_is_a_numeric_error(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_paired paired;
    struct pair pair = load_pair();
    pair.b[7].sum_nats = INFINITY;
    assert_int_equal(laser_paired_compute(pair.windows, pair.a, pair.b, 40, 0, &paired, NULL, &err),
                     LASER_ENUMERIC);
    json_decref(pair.golden);
}

static void comparing_nothing_is_an_input_error(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_paired paired;
    assert_int_equal(laser_paired_compute(NULL, NULL, NULL, 0, 0, &paired, NULL, &err), LASER_EINPUT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laserrmt_perplexity_is_that_of_its_loop),
        cmocka_unit_test(strided_perplexity_weights_every_scored_token_once),
        cmocka_unit_test(llama_cpp_perplexity_has_its_error_over_tokens),
        cmocka_unit_test(lm_eval_perplexity_is_by_word_and_by_byte_too),
        cmocka_unit_test(data_sets_are_pooled_by_window),
        cmocka_unit_test(a_data_set_without_windows_has_no_figures),
        cmocka_unit_test(a_nll_that_is_not_finite_names_data_set_and_window),
        cmocka_unit_test(a_paired_difference_is_that_of_numpy),
        cmocka_unit_test(moved_windows_come_largest_change_first),
        cmocka_unit_test(equal_runs_differ_by_exactly_nothing),
        cmocka_unit_test(comparing_with_a_nan_is_a_numeric_error),
        cmocka_unit_test(comparing_nothing_is_an_input_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
