/* Window layouts against the loops of the reference programs (tools/golden/make_corpus.py), and the split. */
#include "corpus/overlap.h"
#include "corpus/split.h"
#include "corpus/window.h"
#include "corpus_testing.h"

static void check_case(const json_t *item)
{
    struct laser_error err = {0};
    struct laser_dataset dataset = counting_dataset(json_object_get(item, "lengths"));
    struct laser_window_options options = golden_options(item);
    struct laser_window *windows;
    int64_t n;
    assert_int_equal(laser_windows_make(&dataset, 1, &options, &windows, &n, &err), LASER_OK);
    const json_t *expected = json_object_get(item, "windows");
    assert_int_equal(n, json_array_size(expected));
    for (int64_t i = 0; i < n; i++) {
        int32_t input[64], target[64];
        const json_t *window = json_array_get(expected, (size_t)i);
        const json_t *inputs = json_object_get(window, "input"), *targets = json_object_get(window, "target");
        assert_int_equal(windows[i].n_tokens, json_array_size(inputs));
        laser_window_fill(&windows[i], dataset.tokens, input, target);
        int32_t scored = 0;
        for (int32_t p = 0; p < windows[i].n_tokens; p++) {
            assert_int_equal(input[p], json_integer_value(json_array_get(inputs, (size_t)p)));
            assert_int_equal(target[p], json_integer_value(json_array_get(targets, (size_t)p)));
            scored += target[p] >= 0;
        }
        assert_int_equal(windows[i].n_scored, scored);
    }
    assert_int_equal(laser_windows_scored(windows, n),
                     golden_int(json_object_get(item, "perplexity"), "tokens", -1));
    free(windows);
    laser_dataset_free(&dataset);
}

static void laserrmt_windows_are_those_of_its_loop(void **state)
{
    (void)state;
    check_golden_windows("laserrmt", check_case);
}

static void strided_windows_are_those_of_the_transformers_page(void **state)
{
    (void)state;
    check_golden_windows("hf-strided", check_case);
}

static void llama_cpp_windows_are_those_of_llama_perplexity(void **state)
{
    (void)state;
    check_golden_windows("llama.cpp", check_case);
}

static void rolling_windows_are_those_of_lm_eval(void **state)
{
    (void)state;
    check_golden_windows("lm-eval", check_case);
}

/* As many windows and scored tokens as transformers evaluated (tools/golden/make_demo_perplexity.py). */
static void the_demo_text_has_the_windows_that_transformers_scored(void **state)
{
    (void)state;
    json_error_t problem;
    json_t *golden = json_load_file(SRCDIR "/tests/golden/demo_perplexity.json", 0, &problem), *expected;
    assert_non_null(golden);
    json_int_t n_tokens =
        golden_int(json_object_get(json_object_get(golden, "texts"), "selection"), "tokens", -1);
    const char *name;
    json_object_foreach(json_object_get(golden, "selection_by_convention"), name, expected)
    {
        /* llama.cpp drops the final newline, which is a token of its own */
        json_t *lengths = json_pack("[I]", n_tokens - (strcmp(name, "llama.cpp") == 0));
        struct laser_dataset dataset = counting_dataset(lengths);
        struct laser_window_options options = {.seqlen = golden_int(expected, "seqlen", 0),
                                               .stride = golden_int(expected, "stride", 0),
                                               .bos = (int32_t)golden_int(expected, "bos", -1)};
        struct laser_error err = {0};
        struct laser_window *windows;
        int64_t n;
        assert_int_equal(laser_convention_parse(name, &options.convention, &err), LASER_OK);
        assert_int_equal(laser_windows_make(&dataset, 1, &options, &windows, &n, &err), LASER_OK);
        assert_int_equal(n, golden_int(expected, "windows", -1));
        assert_int_equal(laser_windows_scored(windows, n), golden_int(expected, "tokens", -1));
        free(windows);
        laser_dataset_free(&dataset);
        json_decref(lengths);
    }
    json_decref(golden);
}

static struct laser_dataset count_to(int n)
{
    json_t *lengths = json_pack("[i]", n);
    struct laser_dataset dataset = counting_dataset(lengths);
    json_decref(lengths);
    return dataset;
}

static int make(int n_tokens, struct laser_window_options options, int64_t *n, struct laser_error *err)
{
    struct laser_dataset dataset = count_to(n_tokens);
    struct laser_window *windows = NULL;
    int result = laser_windows_make(&dataset, 1, &options, &windows, n, err);
    free(windows);
    laser_dataset_free(&dataset);
    return result;
}

static void text_shorter_than_a_window_is_an_input_error(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int64_t n;
    struct laser_window_options options = {.convention = LASER_CONVENTION_LASERRMT, .seqlen = 128, .bos = -1};
    assert_int_equal(make(127, options, &n, &err), LASER_EINPUT);
    assert_string_equal(err.where, "counting.txt");
    assert_non_null(strstr(err.text, "has 127 tokens"));
    assert_non_null(strstr(err.text, "at least 128"));
}

static void llama_cpp_needs_two_windows_of_text(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int64_t n;
    struct laser_window_options options = {.convention = LASER_CONVENTION_LLAMA_CPP, .seqlen = 16, .bos = -1};
    assert_int_equal(make(31, options, &n, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "at least 32"));
    assert_int_equal(make(32, options, &n, &err), LASER_OK);
    assert_int_equal(n, 2);
}

static void one_token_is_too_short_for_strided_windows(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int64_t n;
    struct laser_window_options options = {
        .convention = LASER_CONVENTION_HF_STRIDED, .seqlen = 16, .bos = -1};
    assert_int_equal(make(1, options, &n, &err), LASER_EINPUT);
}

static void a_window_length_below_2_is_a_usage_error(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int64_t n;
    struct laser_window_options options = {.convention = LASER_CONVENTION_LASERRMT, .seqlen = 1, .bos = -1};
    assert_int_equal(make(100, options, &n, &err), LASER_EUSAGE);
    assert_string_equal(err.where, "seqlen");
}

static void a_huge_window_length_is_a_usage_error(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int64_t n;
    struct laser_window_options options = {.convention = LASER_CONVENTION_LLAMA_CPP, .seqlen = INT64_MAX};
    assert_int_equal(make(100, options, &n, &err), LASER_EUSAGE);
}

static void a_stride_beyond_the_window_is_a_usage_error(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int64_t n;
    struct laser_window_options options = {
        .convention = LASER_CONVENTION_HF_STRIDED, .seqlen = 16, .stride = 17};
    assert_int_equal(make(100, options, &n, &err), LASER_EUSAGE);
    assert_string_equal(err.where, "stride");
}

static void lm_eval_without_a_prefix_token_is_a_usage_error(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int64_t n;
    struct laser_window_options options = {.convention = LASER_CONVENTION_LM_EVAL, .seqlen = 16, .bos = -1};
    assert_int_equal(make(100, options, &n, &err), LASER_EUSAGE);
    assert_string_equal(err.where, "bos");
}

static void max_windows_keeps_the_first_windows_of_each_data_set(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset sets[2] = {count_to(100), count_to(40)};
    struct laser_window_options options = {.seqlen = 16, .bos = -1, .max_windows = 3};
    struct laser_window *windows;
    int64_t n;
    assert_int_equal(laser_windows_make(sets, 2, &options, &windows, &n, &err), LASER_OK);
    assert_int_equal(n, 5);
    assert_int_equal(windows[2].first, 32);
    assert_int_equal(windows[3].dataset, 1);
    assert_int_equal(windows[3].first, 0);
    free(windows);
    laser_dataset_free(&sets[0]);
    laser_dataset_free(&sets[1]);
}

/* rmt_laser_snr_math.py: nsamples = 70 rows // 32. */
static void laserrmt_rows_scores_one_row_in_seqlen(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset rows = count_to(70 * 32);
    rows.n_rows = 70;
    struct laser_window_options options = {.seqlen = 32, .bos = -1, .laserrmt_rows = true};
    struct laser_window *windows;
    int64_t n;
    assert_int_equal(laser_windows_make(&rows, 1, &options, &windows, &n, &err), LASER_OK);
    assert_int_equal(n, 2);
    free(windows);
    options.laserrmt_rows = false;
    assert_int_equal(laser_windows_make(&rows, 1, &options, &windows, &n, &err), LASER_OK);
    assert_int_equal(n, 70);
    free(windows);
    laser_dataset_free(&rows);
}

static void rows_of_another_length_are_refused(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset rows = count_to(70 * 32);
    rows.n_rows = 70;
    struct laser_window_options options = {.seqlen = 16, .bos = -1};
    struct laser_window *windows;
    int64_t n;
    assert_int_equal(laser_windows_make(&rows, 1, &options, &windows, &n, &err), LASER_EUSAGE);
    laser_dataset_free(&rows);
}

/* Two data sets of 40 and 10 windows. */
static void fill_windows(struct laser_window windows[50])
{
    memset(windows, 0, 50 * sizeof *windows);
    for (int i = 0; i < 50; i++)
        windows[i] = (struct laser_window){.dataset = i >= 40, .first = i, .n_tokens = 2, .n_scored = 1};
}

static int count(const unsigned char *selected, int begin, int end)
{
    int n = 0;
    for (int i = begin; i < end; i++)
        n += selected[i];
    return n;
}

static void a_block_split_takes_the_first_windows_of_each_data_set(void **state)
{
    (void)state;
    struct laser_window windows[50];
    unsigned char selected[50];
    struct laser_error err = {0};
    fill_windows(windows);
    assert_int_equal(laser_windows_split(windows, 50, LASER_SPLIT_BLOCK, 0.25, 0, selected, &err), LASER_OK);
    assert_int_equal(count(selected, 0, 10), 10);
    assert_int_equal(count(selected, 10, 40), 0);
    assert_int_equal(count(selected, 40, 43), 3); /* 2.5 rounded up */
    assert_int_equal(count(selected, 43, 50), 0);
}

static void a_seeded_split_has_the_same_sizes_and_depends_on_the_seed(void **state)
{
    (void)state;
    struct laser_window windows[50];
    unsigned char one[50], again[50], other[50];
    struct laser_error err = {0};
    fill_windows(windows);
    assert_int_equal(laser_windows_split(windows, 50, LASER_SPLIT_SEEDED, 0.25, 1, one, &err), LASER_OK);
    assert_int_equal(laser_windows_split(windows, 50, LASER_SPLIT_SEEDED, 0.25, 1, again, &err), LASER_OK);
    assert_int_equal(laser_windows_split(windows, 50, LASER_SPLIT_SEEDED, 0.25, 2, other, &err), LASER_OK);
    assert_int_equal(count(one, 0, 40), 10);
    assert_int_equal(count(one, 40, 50), 3);
    assert_memory_equal(one, again, 50);
    assert_memory_not_equal(one, other, 50);
    assert_true(count(one, 10, 40) > 0);
}

static void both_parts_of_a_split_have_a_window(void **state)
{
    (void)state;
    struct laser_window windows[50];
    unsigned char selected[50];
    struct laser_error err = {0};
    fill_windows(windows);
    assert_int_equal(laser_windows_split(windows + 38, 4, LASER_SPLIT_BLOCK, 0.001, 0, selected, &err),
                     LASER_OK);
    assert_int_equal(count(selected, 0, 2), 1);
    assert_int_equal(laser_windows_split(windows + 38, 4, LASER_SPLIT_BLOCK, 0.999, 0, selected, &err),
                     LASER_OK);
    assert_int_equal(count(selected, 0, 2), 1);
}

static void a_single_window_cannot_be_split(void **state)
{
    (void)state;
    struct laser_window windows[50];
    unsigned char selected[50];
    struct laser_error err = {0};
    fill_windows(windows);
    assert_int_equal(laser_windows_split(windows, 41, LASER_SPLIT_BLOCK, 0.5, 0, selected, &err),
                     LASER_EINPUT);
}

static void a_fraction_of_0_or_1_or_nan_is_a_usage_error(void **state)
{
    (void)state;
    struct laser_window windows[50];
    unsigned char selected[50];
    const double bad[] = {0, 1, -1, 0.0 / 0.0};
    fill_windows(windows);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct laser_error err = {0};
        assert_int_equal(laser_windows_split(windows, 50, LASER_SPLIT_BLOCK, bad[i], 0, selected, &err),
                         LASER_EUSAGE);
    }
}

static void a_prefix_token_may_have_the_id_0(void **state)
{
    const struct laser_window window = {
        .first = 0, .n_tokens = 2, .first_scored = 0, .n_scored = 2, .prefix = 0};
    const int32_t tokens[3] = {7, 8, 9};
    int32_t input[2], target[2];

    (void)state;
    laser_window_fill(&window, tokens, input, target);
    assert_int_equal(input[0], 0);
    assert_int_equal(input[1], 8);
    assert_int_equal(target[0], 8);
}

/* Two texts of counted tokens, the second 30 tokens of its own and then the first from `shift` on. */
static void fill_texts(struct laser_dataset texts[2], int32_t tokens[2][400], int64_t shift)
{
    for (int i = 0; i < 400; i++) {
        tokens[0][i] = i;
        tokens[1][i] = i < 30 ? 1000 + i : i - 30 + (int32_t)shift;
    }
    for (int i = 0; i < 2; i++)
        texts[i] = (struct laser_dataset){.tokens = tokens[i], .n_tokens = 400};
}

static void a_window_is_found_in_another_text_wherever_it_stands(void **state)
{
    const struct laser_window windows[] = {{.first = 0, .dataset = 0, .n_tokens = 100, .prefix = -1},
                                           {.first = 100, .dataset = 0, .n_tokens = 100, .prefix = -1},
                                           {.first = 200, .dataset = 0, .n_tokens = 100, .prefix = -1}};
    struct laser_dataset texts[2];
    static int32_t tokens[2][400];
    struct laser_error err = {0};
    int64_t found, of;

    (void)state;
    fill_texts(texts, tokens, 90); /* of the first window only 10 tokens stand there */
    assert_int_equal(laser_windows_overlap(texts, 1, windows, 3, &found, &of, &err), LASER_OK);
    assert_int_equal(of, 3);
    assert_int_equal(found, 2);
    fill_texts(texts, tokens, 5); /* not the first piece of the first window, but the next ones */
    assert_int_equal(laser_windows_overlap(texts, 1, windows, 3, &found, &of, &err), LASER_OK);
    assert_int_equal(found, 3);
}

static void windows_are_not_looked_for_in_their_own_text(void **state)
{
    const struct laser_window windows[] = {{.first = 0, .dataset = 0, .n_tokens = 100, .prefix = -1},
                                           {.first = 50, .dataset = 1, .n_tokens = 31, .prefix = -1}};
    struct laser_dataset texts[2];
    static int32_t tokens[2][400];
    struct laser_error err = {0};
    int64_t found, of;

    (void)state;
    fill_texts(texts, tokens, 0);
    assert_int_equal(laser_windows_overlap(texts, 0, windows, 2, &found, &of, &err), LASER_OK);
    assert_int_equal(of, 0); /* the other one is too short */
    assert_int_equal(found, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(laserrmt_windows_are_those_of_its_loop),
        cmocka_unit_test(strided_windows_are_those_of_the_transformers_page),
        cmocka_unit_test(llama_cpp_windows_are_those_of_llama_perplexity),
        cmocka_unit_test(rolling_windows_are_those_of_lm_eval),
        cmocka_unit_test(the_demo_text_has_the_windows_that_transformers_scored),
        cmocka_unit_test(text_shorter_than_a_window_is_an_input_error),
        cmocka_unit_test(llama_cpp_needs_two_windows_of_text),
        cmocka_unit_test(one_token_is_too_short_for_strided_windows),
        cmocka_unit_test(a_window_length_below_2_is_a_usage_error),
        cmocka_unit_test(a_huge_window_length_is_a_usage_error),
        cmocka_unit_test(a_stride_beyond_the_window_is_a_usage_error),
        cmocka_unit_test(lm_eval_without_a_prefix_token_is_a_usage_error),
        cmocka_unit_test(max_windows_keeps_the_first_windows_of_each_data_set),
        cmocka_unit_test(laserrmt_rows_scores_one_row_in_seqlen),
        cmocka_unit_test(rows_of_another_length_are_refused),
        cmocka_unit_test(a_block_split_takes_the_first_windows_of_each_data_set),
        cmocka_unit_test(a_seeded_split_has_the_same_sizes_and_depends_on_the_seed),
        cmocka_unit_test(both_parts_of_a_split_have_a_window),
        cmocka_unit_test(a_single_window_cannot_be_split),
        cmocka_unit_test(a_fraction_of_0_or_1_or_nan_is_a_usage_error),
        cmocka_unit_test(a_prefix_token_may_have_the_id_0),
        cmocka_unit_test(a_window_is_found_in_another_text_wherever_it_stands),
        cmocka_unit_test(windows_are_not_looked_for_in_their_own_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
