#include "kernels_testing.h"

#include "kernels/attention.h"

struct fixture {
    struct laser_attention attention;
    int kv_heads;
    int64_t q_stride, k_stride;
    float *q, *k, *v, *out;
    struct laser_scratch scratch;
};

static void make(struct fixture *f)
{
    const struct laser_attention *a = &f->attention;

    f->q_stride = (int64_t)a->heads * a->head_dim + 3;
    f->k_stride = (int64_t)f->kv_heads * a->head_dim + 1;
    f->q = new_floats(a->batch * a->queries * f->q_stride);
    f->k = new_floats(a->batch * a->keys * f->k_stride);
    f->v = new_floats(a->batch * a->keys * f->k_stride);
    f->out = new_floats(a->batch * a->queries * f->q_stride);
    f->scratch = (struct laser_scratch){0};
    assert_int_equal(laser_scratch_reserve(&f->scratch, laser_attention_scratch_size(a), NULL), LASER_OK);
    memset(f->scratch.data, 0xff, (size_t)f->scratch.size_bytes);
}

static void discard(struct fixture *f)
{
    free(f->q);
    free(f->k);
    free(f->v);
    free(f->out);
    laser_scratch_free(&f->scratch);
}

static void apply(struct fixture *f)
{
    laser_attention_apply(&f->attention, f->q, f->q_stride, f->k, f->k_stride, f->v, f->k_stride, f->out,
                          f->q_stride, &f->scratch);
}

static bool is_seen(const struct laser_attention *a, int64_t b, int64_t t, int64_t s)
{
    int64_t distance = a->query_offset + t - s;

    if ((a->lengths && s >= a->lengths[b]) || (a->causal && distance < 0))
        return false;
    if (a->chunk && (a->query_offset + t) / a->chunk != s / a->chunk)
        return false;
    return !a->window || llabs(distance) < a->window;
}

static double score(const struct fixture *f, int64_t row, int64_t key_row, int head, int kv, double distance)
{
    const struct laser_attention *a = &f->attention;
    double sum = 0;

    for (int d = 0; d < a->head_dim; d++)
        sum += (double)f->q[row * f->q_stride + head * a->head_dim + d] *
               f->k[key_row * f->k_stride + kv * a->head_dim + d];
    sum *= a->scale;
    sum = a->soft_cap > 0 ? a->soft_cap * tanh(sum / a->soft_cap) : sum;
    return a->slopes ? sum - (double)a->slopes[head] * distance : sum;
}

/* One query of one head in float64: out[head_dim]. */
static void reference(const struct fixture *f, int64_t b, int64_t t, int head, double *out)
{
    const struct laser_attention *a = &f->attention;
    int kv = a->kv_of_head ? a->kv_of_head[head] : head;
    double total = a->sinks ? exp((double)a->sinks[head]) : 0;

    for (int d = 0; d < a->head_dim; d++)
        out[d] = 0;
    for (int64_t s = 0; s < a->keys; s++)
        if (is_seen(a, b, t, s)) {
            double weight = exp(
                score(f, b * a->queries + t, b * a->keys + s, head, kv, (double)(a->query_offset + t - s)));

            total += weight;
            for (int d = 0; d < a->head_dim; d++)
                out[d] += weight * f->v[(b * a->keys + s) * f->k_stride + kv * a->head_dim + d];
        }
    for (int d = 0; d < a->head_dim && total > 0; d++)
        out[d] /= total;
}

static void compare(const struct fixture *f, const float *out)
{
    const struct laser_attention *a = &f->attention;
    double expected[256];

    for (int64_t b = 0; b < a->batch; b++)
        for (int64_t t = 0; t < a->queries; t++)
            for (int h = 0; h < a->heads; h++) {
                reference(f, b, t, h, expected);
                for (int d = 0; d < a->head_dim; d++)
                    assert_near(out[(b * a->queries + t) * f->q_stride + h * a->head_dim + d], expected[d],
                                3e-6);
            }
}

static void check(struct laser_attention attention, int kv_heads)
{
    struct fixture f = {.attention = attention, .kv_heads = kv_heads};

    make(&f);
    apply(&f);
    compare(&f, f.out);
    discard(&f);
}

static struct laser_attention prompt(int64_t batch, int64_t tokens, int heads, int head_dim)
{
    return (struct laser_attention){.batch = batch,
                                    .queries = tokens,
                                    .keys = tokens,
                                    .heads = heads,
                                    .head_dim = head_dim,
                                    .scale = 1 / sqrtf((float)head_dim),
                                    .causal = true};
}

static void check_sizes(void)
{
    static const int64_t tokens[] = {1, 2, 13, 14, 15, 31, 33, 64, 100};
    static const int dims[] = {1, 6, 14, 16, 32, 64, 80, 100};

    for (int i = 0; i < 9; i++)
        check(prompt(2, tokens[i], 2, dims[i % 8]), 2);
    for (int i = 0; i < 8; i++)
        check(prompt(1, 40, 1, dims[i]), 1);
}

static void test_causal_attention_equals_float64_for_odd_sizes(void **state)
{
    (void)state;
    with_all_simd(check_sizes);
}

static void check_variations(void)
{
    static const float slopes[] = {0.5f, 0.0625f, 1.75f}, sinks[] = {-0.5f, 2, 6};

    for (int with = 1; with < 8; with++)
        for (int64_t offset = 0; offset < 100; offset += 37) {
            struct laser_attention a = prompt(2, 70, 3, 20);

            a.query_offset = offset;
            a.keys += offset;
            a.slopes = with & 1 ? slopes : NULL;
            a.sinks = with & 2 ? sinks : NULL;
            a.chunk = with & 4 ? 17 : 0;
            check(a, 3);
        }
}

static void test_slopes_sinks_and_chunks_equal_float64(void **state)
{
    (void)state;
    with_all_simd(check_variations);
}

static void check_long(void)
{
    check(prompt(1, 500, 1, 16), 1);
}

static void test_attention_crosses_blocks_of_keys(void **state)
{
    (void)state;
    with_all_simd(check_long);
}

static void check_groups(void)
{
    static const int uneven[] = {0, 0, 1, 1, 1, 2, 0};
    struct laser_attention attention = prompt(2, 37, 7, 20);

    attention.kv_of_head = uneven;
    check(attention, 3);
}

static void test_attention_maps_query_heads_to_key_heads(void **state)
{
    (void)state;
    with_all_simd(check_groups);
}

static void check_windows(void)
{
    static const int64_t windows[] = {1, 5, 32, 70, 1000};

    for (int i = 0; i < 5; i++) {
        struct laser_attention attention = prompt(1, 120, 2, 24);

        attention.window = windows[i];
        check(attention, 2);
        attention.causal = false;
        check(attention, 2);
    }
}

static void test_sliding_window_hides_what_is_too_far(void **state)
{
    (void)state;
    with_all_simd(check_windows);
}

static void check_cap(void)
{
    struct laser_attention attention = prompt(2, 45, 2, 32);

    attention.soft_cap = 0.7f;
    attention.scale = 0.5f;
    check(attention, 2);
    attention.window = 9;
    check(attention, 2);
}

static void test_soft_cap_bounds_the_scores(void **state)
{
    (void)state;
    with_all_simd(check_cap);
}

static void check_encoder(void)
{
    static const int64_t lengths[] = {50, 1, 0, 33};
    struct laser_attention attention = prompt(4, 50, 2, 16);

    attention.causal = false;
    check(attention, 2);
    attention.lengths = lengths;
    check(attention, 2);
    attention.causal = true;
    check(attention, 2);
}

static void test_lengths_hide_padding_and_nothing_seen_gives_zero(void **state)
{
    (void)state;
    with_all_simd(check_encoder);
}

static void check_cache(void)
{
    struct laser_attention attention = prompt(2, 1, 3, 64);

    attention.keys = 300;
    attention.query_offset = 299;
    check(attention, 3);
    attention.queries = 7;
    attention.query_offset = 293;
    attention.window = 240;
    check(attention, 3);
}

static void test_few_queries_see_a_long_cache(void **state)
{
    (void)state;
    with_all_simd(check_cache);
}

static void check_in_place(void)
{
    struct fixture f = {.attention = prompt(2, 70, 3, 20), .kv_heads = 3};
    float *before;
    int64_t n;

    make(&f);
    n = f.attention.batch * f.attention.queries * f.q_stride;
    before = new_floats(n);
    memcpy(before, f.q, (size_t)n * sizeof *before);
    laser_attention_apply(&f.attention, f.q, f.q_stride, f.k, f.k_stride, f.v, f.k_stride, f.q, f.q_stride,
                          &f.scratch);
    memcpy(f.out, f.q, (size_t)n * sizeof *before);
    memcpy(f.q, before, (size_t)n * sizeof *before);
    compare(&f, f.out);
    discard(&f);
    free(before);
}

static void test_attention_may_overwrite_its_queries(void **state)
{
    (void)state;
    with_all_simd(check_in_place);
}

static void check_large_scores(void)
{
    struct fixture f = {.attention = prompt(1, 50, 1, 16), .kv_heads = 1};

    make(&f);
    f.attention.scale = 300; /* exp would overflow were the largest score not taken off */
    apply(&f);
    for (int64_t t = 0; t < 50; t++)
        for (int d = 0; d < 16; d++)
            assert_true(isfinite(f.out[t * f.q_stride + d]));
    f.k[20 * f.k_stride] = NAN;
    apply(&f);
    assert_true(isfinite(f.out[19 * f.q_stride]));
    assert_true(isnan(f.out[20 * f.q_stride]) && isnan(f.out[49 * f.q_stride + 15]));
    discard(&f);
}

static void test_large_scores_stay_finite_and_nan_spreads_to_who_sees_it(void **state)
{
    (void)state;
    with_all_simd(check_large_scores);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_causal_attention_equals_float64_for_odd_sizes),
        cmocka_unit_test(test_slopes_sinks_and_chunks_equal_float64),
        cmocka_unit_test(test_attention_crosses_blocks_of_keys),
        cmocka_unit_test(test_attention_maps_query_heads_to_key_heads),
        cmocka_unit_test(test_sliding_window_hides_what_is_too_far),
        cmocka_unit_test(test_soft_cap_bounds_the_scores),
        cmocka_unit_test(test_lengths_hide_padding_and_nothing_seen_gives_zero),
        cmocka_unit_test(test_few_queries_see_a_long_cache),
        cmocka_unit_test(test_attention_may_overwrite_its_queries),
        cmocka_unit_test(test_large_scores_stay_finite_and_nan_spreads_to_who_sees_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
