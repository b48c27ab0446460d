#include "kernels_testing.h"

#include "kernels/head.h"

enum { TOKENS = 9, WIDTH = 40 };

struct fixture {
    struct laser_head head;
    struct laser_linear linear;
    float *weights; /* [vocabulary, WIDTH] */
    struct laser_scratch scratch;
};

static void make(struct fixture *f, int64_t first, int64_t size, const float *weights)
{
    int64_t bytes = laser_linear_size(LASER_FLOAT32, LASER_STORED_F32, size, WIDTH);

    assert_int_equal(laser_linear_init(&f->linear, LASER_FLOAT32, LASER_STORED_F32, size, WIDTH,
                                       new_bytes(bytes), NULL, NULL),
                     LASER_OK);
    laser_linear_pack_rows(&f->linear, 0, size, weights + first * WIDTH, WIDTH);
    f->head = (struct laser_head){.linear = &f->linear, .first = first, .size = size, .scale = 1};
    f->scratch = (struct laser_scratch){0};
    assert_int_equal(laser_scratch_reserve(&f->scratch, laser_head_scratch_size(&f->head, TOKENS), NULL),
                     LASER_OK);
}

static void discard(struct fixture *f)
{
    free(f->linear.packed);
    laser_scratch_free(&f->scratch);
}

static void logits_of(const float *x, const float *weights, int64_t vocabulary, float scale, float cap,
                      double *logits)
{
    for (int64_t v = 0; v < vocabulary; v++) {
        logits[v] = 0;
        for (int k = 0; k < WIDTH; k++)
            logits[v] += (double)x[k] * weights[v * WIDTH + k];
        logits[v] *= scale;
        if (cap > 0)
            logits[v] = cap * tanh(logits[v] / cap);
    }
}

static void compare(const struct laser_head_token *token, const double *logits, int64_t vocabulary,
                    int64_t target)
{
    double largest = -INFINITY, sum = 0;
    int64_t argmax = 0, greater = 0;

    for (int64_t v = 0; v < vocabulary; v++) {
        if (logits[v] > largest) {
            largest = logits[v];
            argmax = v;
        }
        greater += logits[v] > logits[target];
    }
    for (int64_t v = 0; v < vocabulary; v++)
        sum += exp(logits[v] - largest);
    assert_near(token->largest, largest, 2e-5);
    assert_near(token->target, logits[target], 2e-5);
    assert_int_equal(token->argmax, argmax);
    assert_near(laser_head_nll_nats(token), log(sum) + largest - logits[target], 2e-5);
    if (token->greater >= 0)
        assert_int_equal(token->greater, greater);
}

/* The vocabulary in two slices (the second may be empty), scanned and merged. */
static void check(int64_t vocabulary, int64_t split, float scale, float cap)
{
    float *weights = new_floats(vocabulary * WIDTH), *x = new_floats(TOKENS * WIDTH), reference[TOKENS];
    double *logits = new_bytes(vocabulary * (int64_t)sizeof *logits);
    struct laser_head_token tokens[TOKENS], other[TOKENS];
    int64_t targets[TOKENS];

    for (int t = 0; t < TOKENS; t++)
        targets[t] = t == 0 ? 0 : t == 1 ? vocabulary - 1 : random_below((int)vocabulary);
    for (int pass = 0; pass < 2; pass++) {
        for (int slice = 0; slice < (split < vocabulary ? 2 : 1); slice++) {
            struct fixture f;

            make(&f, slice ? split : 0, slice ? vocabulary - split : split, weights);
            f.head.scale = scale;
            f.head.soft_cap = cap;
            laser_head_scan(&f.head, TOKENS, x, WIDTH, targets, pass ? reference : NULL,
                            slice ? other : tokens, &f.scratch);
            if (slice)
                laser_head_merge(TOKENS, other, tokens);
            discard(&f);
        }
        for (int t = 0; t < TOKENS; t++) {
            reference[t] = tokens[t].target;
            if (!pass)
                tokens[t].greater = -1;
            logits_of(x + t * WIDTH, weights, vocabulary, scale, cap, logits);
            compare(&tokens[t], logits, vocabulary, targets[t]);
        }
    }
    free(weights);
    free(x);
    free(logits);
}

static void check_vocabularies(void)
{
    check(1, 1, 1, 0);
    check(100, 100, 1, 0);
    check(4200, 1700, 1, 0);
    check(4200, 1, 1, 0);
    check(4200, 600, 1, 0);
}

static void test_scan_equals_float64_and_slices_merge(void **state)
{
    (void)state;
    with_all_kernels(check_vocabularies);
    with_all_simd(check_vocabularies);
}

static void test_scan_scales_and_caps_logits(void **state)
{
    (void)state;
    check(300, 130, 2.5f, 0);
    check(300, 130, 1, 3);
    check(300, 300, 0.5f, 3);
}

static void test_scan_leaves_padding_of_the_vocabulary_out(void **state)
{
    float *weights = new_floats(64 * WIDTH), *x = new_floats(WIDTH);
    struct laser_head_token token;
    int64_t target = 3;
    double logits[64];
    struct fixture f;

    (void)state;
    make(&f, 0, 64, weights);
    f.head.size = 50;
    laser_head_scan(&f.head, 1, x, WIDTH, &target, NULL, &token, &f.scratch);
    logits_of(x, weights, 50, 1, 0, logits);
    token.greater = -1;
    compare(&token, logits, 50, target);
    discard(&f);
    free(weights);
    free(x);
}

static void test_a_token_without_target_or_with_one_elsewhere_has_none(void **state)
{
    float *weights = new_floats(64 * WIDTH), *x = new_floats(2 * WIDTH);
    struct laser_head_token tokens[2];
    int64_t targets[2] = {-1, 64};
    struct fixture f;

    (void)state;
    make(&f, 0, 64, weights);
    laser_head_scan(&f.head, 2, x, WIDTH, targets, NULL, tokens, &f.scratch);
    assert_true(isinf(tokens[0].target) && tokens[0].target < 0);
    assert_true(isinf(tokens[1].target) && tokens[1].target < 0);
    assert_true(tokens[1].argmax >= 0 && tokens[1].argmax < 64);
    discard(&f);
    free(weights);
    free(x);
}

static void check_nan(void)
{
    float *weights = new_floats(600 * WIDTH), *x = new_floats(2 * WIDTH);
    struct laser_head_token tokens[2], other[2];
    int64_t targets[2] = {5, 5};
    struct fixture f;

    weights[550 * WIDTH] = NAN;
    make(&f, 0, 600, weights);
    laser_head_scan(&f.head, 2, x, WIDTH, targets, NULL, tokens, &f.scratch);
    assert_true(isnan(laser_head_nll_nats(&tokens[0])) && isnan(laser_head_nll_nats(&tokens[1])));
    discard(&f);
    weights[550 * WIDTH] = 0;
    make(&f, 0, 600, weights);
    laser_head_scan(&f.head, 2, x, WIDTH, targets, NULL, other, &f.scratch);
    laser_head_merge(2, other, tokens);
    assert_true(isnan(laser_head_nll_nats(&tokens[0])));
    discard(&f);
    free(weights);
    free(x);
}

static void test_nan_logits_give_a_nan_that_survives_merging(void **state)
{
    (void)state;
    with_all_kernels(check_nan);
}

static void test_logits_are_those_of_the_scan(void **state)
{
    float *weights = new_floats(70 * WIDTH), *x = new_floats(2 * WIDTH), logits[2 * 71];
    double expected[70];
    struct fixture f;

    (void)state;
    make(&f, 0, 70, weights);
    f.head.soft_cap = 5;
    laser_head_logits(&f.head, 2, x, WIDTH, logits, 71, &f.scratch);
    for (int t = 0; t < 2; t++) {
        logits_of(x + t * WIDTH, weights, 70, 1, 5, expected);
        for (int v = 0; v < 70; v++)
            assert_near(logits[t * 71 + v], expected[v], 1e-5);
    }
    discard(&f);
    free(weights);
    free(x);
}

static void test_of_equal_logits_the_first_in_the_vocabulary_is_the_largest(void **state)
{
    struct laser_head_token late = {.largest = 2, .sum = 1, .target = 1, .argmax = 7},
                            early = {.largest = 2, .sum = 1, .target = 1, .argmax = 3}, into;

    (void)state;
    into = late;
    laser_head_merge(1, &early, &into);
    assert_int_equal(into.argmax, 3);
    into = early;
    laser_head_merge(1, &late, &into);
    assert_int_equal(into.argmax, 3);
}

static void test_logits_that_equal_the_targets_are_not_above_it(void **state)
{
    enum { VOCABULARY = 20 };
    struct fixture f;
    struct laser_head_token token;
    float weights[VOCABULARY * WIDTH] = {0}, x[WIDTH] = {1}, reference = 1;
    int64_t target = 4;

    (void)state;
    for (int v = 0; v < VOCABULARY; v++)
        weights[v * WIDTH] = v == 9 || v == 11 ? 2 : 1;
    make(&f, 0, VOCABULARY, weights);
    laser_head_scan(&f.head, 1, x, WIDTH, &target, &reference, &token, &f.scratch);
    assert_int_equal(token.greater, 2);
    discard(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scan_equals_float64_and_slices_merge),
        cmocka_unit_test(test_scan_scales_and_caps_logits),
        cmocka_unit_test(test_scan_leaves_padding_of_the_vocabulary_out),
        cmocka_unit_test(test_a_token_without_target_or_with_one_elsewhere_has_none),
        cmocka_unit_test(test_nan_logits_give_a_nan_that_survives_merging),
        cmocka_unit_test(test_logits_are_those_of_the_scan),
        cmocka_unit_test(test_of_equal_logits_the_first_in_the_vocabulary_is_the_largest),
        cmocka_unit_test(test_logits_that_equal_the_targets_are_not_above_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
