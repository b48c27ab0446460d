#include "kernels_testing.h"

#include "kernels/divergence.h"

enum { TOKENS = 5, WIDTH = 40 };

struct table {
    const float *logits; /* [TOKENS, vocabulary] */
    int64_t vocabulary;
};

static void read_table(const void *context, int64_t token, int64_t v, int64_t n, float *logits)
{
    const struct table *table = context;

    memcpy(logits, table->logits + token * table->vocabulary + v, (size_t)n * sizeof *logits);
}

/* The definition, two passes in long double. */
static struct laser_pair_values expected_of(const float *a, const float *b, int64_t n, int64_t target)
{
    long double za = 0, zb = 0, kl = 0;
    int64_t top_a = 0, top_b = 0;

    for (int64_t v = 0; v < n; v++) {
        top_a = a[v] > a[top_a] ? v : top_a;
        top_b = b[v] > b[top_b] ? v : top_b;
        za += expl((long double)a[v]);
        zb += expl((long double)b[v]);
    }
    for (int64_t v = 0; v < n; v++)
        kl += expl((long double)a[v]) / za * ((long double)a[v] - logl(za) - (long double)b[v] + logl(zb));
    return (struct laser_pair_values){(double)kl, (double)(logl(za) - (long double)a[target]),
                                      (double)(logl(zb) - (long double)b[target]), top_a == top_b};
}

static void assert_relative(double found, double expected, double tolerance)
{
    assert_near(found, expected, tolerance * fabs(expected));
}

/* Logits of two models that differ by about `spread`, scanned in two slices. */
static void check(int64_t vocabulary, int64_t split, float spread)
{
    float *a = new_floats(TOKENS * vocabulary), *b = new_floats(TOKENS * vocabulary);
    struct table tables[2] = {{a, vocabulary}, {b, vocabulary}};
    struct laser_logits base = {.read = read_table, .context = &tables[0]},
                        other = {.read = read_table, .context = &tables[1]};
    struct laser_pair_token tokens[TOKENS], rest[TOKENS];
    struct laser_scratch scratch = {0};
    int64_t targets[TOKENS];

    for (int64_t i = 0; i < TOKENS * vocabulary; i++) {
        a[i] = 8 * a[i] + 20;
        b[i] = a[i] + spread * b[i] - 3; /* an offset of all is no difference */
    }
    for (int t = 0; t < TOKENS; t++)
        targets[t] = random_below((int)vocabulary);
    assert_int_equal(laser_scratch_reserve(&scratch, laser_pair_scratch_size(NULL, NULL, TOKENS), NULL),
                     LASER_OK);
    laser_pair_scan(&base, &other, 0, split, vocabulary, TOKENS, targets, tokens, NULL, &scratch);
    laser_pair_scan(&base, &other, split, vocabulary - split, vocabulary, TOKENS, targets, rest, NULL,
                    &scratch);
    laser_pair_merge(TOKENS, rest, tokens);
    for (int t = 0; t < TOKENS; t++) {
        struct laser_pair_values found = laser_pair_values(&tokens[t]),
                                 expected = expected_of(a + t * vocabulary, b + t * vocabulary, vocabulary,
                                                        targets[t]);
        assert_relative(found.kl, expected.kl, 1e-8);
        assert_near(found.nll_base, expected.nll_base, 1e-12);
        assert_near(found.nll_other, expected.nll_other, 1e-12);
        assert_int_equal(found.same_top, expected.same_top);
    }
    laser_scratch_free(&scratch);
    free(a);
    free(b);
}

static void check_sizes(void)
{
    check(2, 1, 1);
    check(100, 37, 0.1F);
    check(4200, 2048, 1);
    check(4200, 4199, 3);
    check(4199, 600, 0.01F);
}

static void test_divergence_and_losses_equal_their_definition_in_slices(void **state)
{
    (void)state;
    with_all_simd(check_sizes);
}

static void test_equal_logits_have_no_divergence(void **state)
{
    enum { N = 3001 };
    float *a = new_floats(TOKENS * N);
    struct table table = {a, N};
    struct laser_logits source = {.read = read_table, .context = &table};
    struct laser_pair_token tokens[TOKENS];
    struct laser_scratch scratch = {0};
    int64_t targets[TOKENS] = {0, 1, 2, -1, 5};

    (void)state;
    assert_int_equal(laser_scratch_reserve(&scratch, laser_pair_scratch_size(NULL, NULL, TOKENS), NULL),
                     LASER_OK);
    laser_pair_scan(&source, &source, 0, N, N, TOKENS, targets, tokens, NULL, &scratch);
    for (int t = 0; t < TOKENS; t++) {
        struct laser_pair_values found = laser_pair_values(&tokens[t]);
        assert_true(found.kl == 0);
        assert_true(found.same_top);
        assert_true(found.nll_base == found.nll_other);
        assert_int_equal(found.nll_base > 0, t != 3); /* no target, no loss */
    }
    laser_scratch_free(&scratch);
    free(a);
}

static void make_head(struct laser_linear *linear, struct laser_head *head, int64_t size,
                      const float *weights)
{
    int64_t bytes = laser_linear_size(LASER_FLOAT32, LASER_STORED_F32, size, WIDTH);

    assert_int_equal(
        laser_linear_init(linear, LASER_FLOAT32, LASER_STORED_F32, size, WIDTH, new_bytes(bytes), NULL, NULL),
        LASER_OK);
    laser_linear_pack_rows(linear, 0, size, weights, WIDTH);
    *head = (struct laser_head){.linear = linear, .first = 0, .size = size, .scale = 1, .soft_cap = 15};
}

/* A base with the smaller vocabulary: the other model's own losses are over all of its own, the divergence over the
 * common part. */
static void test_two_heads_are_compared_over_their_common_vocabulary(void **state)
{
    enum { SMALL = 2100, LARGE = 2500 };
    float *weights = new_floats(LARGE * WIDTH), *x = new_floats(2 * TOKENS * WIDTH);
    struct laser_linear linear[3];
    struct laser_head base, other, common;
    struct laser_scratch scratch = {0};
    struct laser_head_token alone[3][TOKENS], whole[TOKENS];
    struct laser_pair_token tokens[TOKENS];
    struct laser_logits a = {.head = &base, .x = x, .x_stride = WIDTH},
                        b = {.head = &other, .x = x + TOKENS * WIDTH, .x_stride = WIDTH};
    int64_t targets[TOKENS] = {0, 2099, 17, 1000, 2050};

    (void)state;
    make_head(&linear[0], &base, SMALL, weights + 3 * WIDTH);
    make_head(&linear[1], &other, LARGE, weights);
    make_head(&linear[2], &common, SMALL, weights);
    assert_int_equal(laser_scratch_reserve(&scratch, laser_pair_scratch_size(&base, &other, TOKENS), NULL),
                     LASER_OK);
    laser_pair_scan(&a, &b, 0, LARGE, SMALL, TOKENS, targets, tokens, alone[2], &scratch);
    laser_head_scan(&base, TOKENS, a.x, WIDTH, targets, NULL, alone[0], &scratch);
    laser_head_scan(&common, TOKENS, b.x, WIDTH, targets, NULL, alone[1], &scratch);
    laser_head_scan(&other, TOKENS, b.x, WIDTH, targets, NULL, whole, &scratch);
    for (int t = 0; t < TOKENS; t++) {
        struct laser_pair_values found = laser_pair_values(&tokens[t]);
        assert_near(found.nll_base, laser_head_nll_nats(&alone[0][t]), 1e-6);
        assert_near(found.nll_other, laser_head_nll_nats(&alone[1][t]), 1e-6);
        assert_int_equal(found.same_top, alone[0][t].argmax == alone[1][t].argmax);
        assert_true(found.kl > 0);
        assert_memory_equal(&alone[2][t], &whole[t], sizeof whole[t]);
    }
    for (int i = 0; i < 3; i++)
        free(linear[i].packed);
    laser_scratch_free(&scratch);
    free(weights);
    free(x);
}

static void test_a_logit_that_is_not_finite_makes_the_divergence_nan(void **state)
{
    enum { N = 50 };
    static const float odd[] = {NAN, INFINITY, -INFINITY};

    (void)state;
    for (int k = 0; k < 6; k++) {
        float *a = new_floats(N), *b = new_floats(N);
        struct table tables[2] = {{a, N}, {b, N}};
        struct laser_logits base = {.read = read_table, .context = &tables[0]},
                            other = {.read = read_table, .context = &tables[1]};
        struct laser_pair_token token;
        struct laser_scratch scratch = {0};
        int64_t target = 3;

        (k % 2 ? a : b)[k * 9] = odd[k / 2];
        assert_int_equal(laser_scratch_reserve(&scratch, laser_pair_scratch_size(NULL, NULL, 1), NULL),
                         LASER_OK);
        laser_pair_scan(&base, &other, 0, N, N, 1, &target, &token, NULL, &scratch);
        assert_false(isfinite(laser_pair_values(&token).kl));
        laser_scratch_free(&scratch);
        free(a);
        free(b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_divergence_and_losses_equal_their_definition_in_slices),
        cmocka_unit_test(test_equal_logits_have_no_divergence),
        cmocka_unit_test(test_two_heads_are_compared_over_their_common_vocabulary),
        cmocka_unit_test(test_a_logit_that_is_not_finite_makes_the_divergence_nan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
