/* The backward of each kernel against float64, with every set of instructions. */
#include "kernels_testing.h"

#include "kernels/act.h"
#include "kernels/attention.h"
#include "kernels/head.h"
#include "kernels/norm.h"
#include "kernels/rope.h"

/* found[n] is expected[n] within `tolerance` of the norm, or of rounding where nothing is left. */
static void assert_same(const float *found, const double *expected, int64_t n, double tolerance)
{
    double error = 0, size = 0;

    for (int64_t i = 0; i < n; i++) {
        error += ((double)found[i] - expected[i]) * ((double)found[i] - expected[i]);
        size += expected[i] * expected[i];
    }
    if (!(sqrt(error) <= tolerance * sqrt(size) + 1e-7))
        fail_msg("relative difference %.2e", sqrt(error / size));
}

static double act(enum laser_activation activation, double x)
{
    switch (activation) {
    case LASER_ACT_SILU:
        return x / (1 + exp(-x));
    case LASER_ACT_GELU:
        return x / 2 * (1 + erf(x / sqrt(2)));
    case LASER_ACT_GELU_TANH:
        return x / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case LASER_ACT_GELU_QUICK:
        return x / (1 + exp(-1.702 * x));
    case LASER_ACT_RELU:
        return x > 0 ? x : 0;
    case LASER_ACT_RELU_SQUARED:
        return x > 0 ? x * x : 0;
    case LASER_ACT_TANH:
        return tanh(x);
    case LASER_ACT_XIELU: /* have parameters */
    case LASER_ACT_SWIGLU_CLAMPED:
        break;
    }
    return 0;
}

static double act_slope(enum laser_activation activation, double x)
{
    return (act(activation, x + 1e-5) - act(activation, x - 1e-5)) / 2e-5;
}

static void activations(void)
{
    enum { WIDTH = 37, ROWS = 5, STRIDE = 41 };

    for (int a = LASER_ACT_SILU; a <= LASER_ACT_TANH; a++) {
        float *gate = new_floats(ROWS * STRIDE), *up = new_floats(ROWS * STRIDE),
              *dy = new_floats(ROWS * STRIDE);
        float *x = new_bytes(ROWS * STRIDE * (int64_t)sizeof *x);
        double slope, expected_up;

        for (int i = 0; i < ROWS * STRIDE; i++)
            x[i] = gate[i] *= 6;
        memcpy(x, gate, ROWS * STRIDE * sizeof *x);
        laser_activation_backward((enum laser_activation)a, ROWS, WIDTH, x, STRIDE, dy, STRIDE);
        for (int r = 0; r < ROWS; r++)
            for (int i = r * STRIDE; i < r * STRIDE + WIDTH; i++) {
                slope = act_slope((enum laser_activation)a, gate[i]);
                assert_near(x[i], slope * (double)dy[i], 3e-6);
            }
        memcpy(x, gate, ROWS * STRIDE * sizeof *x);
        {
            float *u = new_bytes(ROWS * STRIDE * (int64_t)sizeof *u);

            memcpy(u, up, ROWS * STRIDE * sizeof *u);
            laser_activation_gated_backward((enum laser_activation)a, ROWS, WIDTH, x, STRIDE, u, STRIDE, dy,
                                            STRIDE);
            for (int r = 0; r < ROWS; r++)
                for (int i = r * STRIDE; i < r * STRIDE + WIDTH; i++) {
                    slope = act_slope((enum laser_activation)a, gate[i]);
                    expected_up = act((enum laser_activation)a, gate[i]) * (double)dy[i];
                    assert_near(x[i], slope * (double)dy[i] * (double)up[i], 3e-6);
                    assert_near(u[i], expected_up, 3e-6 * (1 + fabs(expected_up)));
                }
            for (int r = 0; r < ROWS; r++) /* what lies between the rows stays */
                for (int i = r * STRIDE + WIDTH; i < (r + 1) * STRIDE; i++)
                    assert_true(x[i] == gate[i] && u[i] == up[i]);
            free(u);
        }
        free(gate);
        free(up);
        free(dy);
        free(x);
    }
}

/* dx of one row of a norm from central differences of L = sum dy y. */
static double norm_loss(bool layer, int width, const double *x, const float *w, double shift, const float *dy)
{
    double mean = 0, square = 0, sum = 0;

    for (int i = 0; layer && i < width; i++)
        mean += x[i] / width;
    for (int i = 0; i < width; i++)
        square += (x[i] - mean) * (x[i] - mean) / width;
    for (int i = 0; i < width; i++)
        sum += (double)dy[i] * ((double)w[i] + shift) * (x[i] - mean) / sqrt(square + 1e-3);
    return sum;
}

static void check_norm(bool layer, bool plus_one, int width)
{
    enum { ROWS = 3 };
    int64_t stride = width + 2;
    float *x = new_floats(ROWS * stride), *w = new_floats(width), *dy = new_floats(ROWS * stride);
    float *dx = new_floats(ROWS * stride), *added = new_bytes(ROWS * stride * (int64_t)sizeof *added);
    double expected[256], moved[256];

    memcpy(added, dx, (size_t)(ROWS * stride) * sizeof *dx);
    if (layer) {
        laser_layernorm_backward(ROWS, width, x, stride, w, 1e-3f, dy, stride, dx, stride, false);
        laser_layernorm_backward(ROWS, width, x, stride, w, 1e-3f, dy, stride, added, stride, true);
    } else {
        laser_rmsnorm_backward(ROWS, width, x, stride, w, 1e-3f, plus_one, dy, stride, dx, stride, false);
        laser_rmsnorm_backward(ROWS, width, x, stride, w, 1e-3f, plus_one, dy, stride, added, stride, true);
    }
    random_state = 88172645463325252u;
    for (int r = 0; r < ROWS; r++) {
        for (int i = 0; i < width; i++)
            moved[i] = (double)x[r * stride + i];
        for (int i = 0; i < width; i++) {
            double up, down;

            moved[i] += 1e-5;
            up = norm_loss(layer, width, moved, w, plus_one, dy + r * stride);
            moved[i] -= 2e-5;
            down = norm_loss(layer, width, moved, w, plus_one, dy + r * stride);
            moved[i] += 1e-5;
            expected[i] = (up - down) / 2e-5;
        }
        assert_same(dx + r * stride, expected, width, 1e-6);
    }
    memcpy(added, dy, (size_t)(ROWS * stride) * sizeof *dy); /* in place */
    if (layer)
        laser_layernorm_backward(ROWS, width, x, stride, w, 1e-3f, added, stride, added, stride, false);
    else
        laser_rmsnorm_backward(ROWS, width, x, stride, w, 1e-3f, plus_one, added, stride, added, stride,
                               false);
    for (int r = 0; r < ROWS; r++)
        for (int i = 0; i < width; i++)
            assert_true(added[r * stride + i] == dx[r * stride + i]);
    free(x);
    free(w);
    free(dy);
    free(dx);
    free(added);
}

static void norms(void)
{
    static const int widths[] = {3, 5, 16, 24, 100};

    for (int i = 0; i < 5; i++) {
        check_norm(false, false, widths[i]);
        check_norm(false, true, widths[i]);
        if (widths[i] > 3) /* of few values little is left of the gradient */
            check_norm(true, false, widths[i]);
    }
}

/* The transpose: (R x) . y = x . (R^T y). */
static void rotations(void)
{
    enum { TOKENS = 6, HEADS = 3, DIM = 40, ROTATED = 36, STRIDE = HEADS * DIM + 3 };
    float *x = new_floats(TOKENS * STRIDE), *y = new_floats(TOKENS * STRIDE);
    float *turned = new_bytes(TOKENS * STRIDE * (int64_t)sizeof *turned);
    float *cosines = new_floats(3 * ROTATED / 2), *sines = new_floats(3 * ROTATED / 2);

    for (int style = LASER_ROPE_HALVES; style <= LASER_ROPE_INTERLEAVED; style++) {
        double forward = 0, backward = 0;

        memcpy(turned, x, TOKENS * STRIDE * sizeof *x);
        laser_rope_apply((enum laser_rope_style)style, TOKENS, 3, HEADS, DIM, ROTATED, cosines, sines, turned,
                         STRIDE);
        for (int i = 0; i < TOKENS * STRIDE; i++)
            forward += (double)turned[i] * (double)y[i];
        memcpy(turned, y, TOKENS * STRIDE * sizeof *y);
        laser_rope_backward((enum laser_rope_style)style, TOKENS, 3, HEADS, DIM, ROTATED, cosines, sines,
                            turned, STRIDE);
        for (int i = 0; i < TOKENS * STRIDE; i++)
            backward += (double)turned[i] * (double)x[i];
        assert_near(backward, forward, 1e-4);
        assert_true(fabs(forward) > 1e-3);
    }
    free(x);
    free(y);
    free(turned);
    free(cosines);
    free(sines);
}

/* Attention: one head of one sequence in float64. */
struct head {
    const struct laser_attention *a;
    const struct laser_attention_gradient *g;
    int64_t sequence;
    int head, kv;
};

static double at(const float *x, int64_t stride, int64_t row, int head, const struct laser_attention *a,
                 int64_t d)
{
    return x[row * stride + (int64_t)head * a->head_dim + d];
}

static bool is_seen(const struct laser_attention *a, int64_t t, int64_t s)
{
    int64_t distance = a->query_offset + t - s;

    return !(a->causal && distance < 0) && (!a->window || llabs(distance) < a->window) &&
           (!a->chunk || s >= (a->query_offset + t) / a->chunk * a->chunk);
}

/* Adds one query's share of dk and dv; *slope of each score; p and dq are filled. */
static void back_query(const struct head *h, int64_t t, double *dq, double *dk, double *dv, int64_t kv_width)
{
    const struct laser_attention *a = h->a;
    const struct laser_attention_gradient *g = h->g;
    int64_t row = h->sequence * a->queries + t, first = h->sequence * a->keys;
    double p[256] = {0}, dp[256] = {0}, slope[256] = {0}, along = 0;
    double total = a->sinks ? exp((double)a->sinks[h->head]) : 0;

    for (int64_t s = 0; s < a->keys; s++) {
        double score = 0;

        if (!is_seen(a, t, s))
            continue;
        for (int d = 0; d < a->head_dim; d++) {
            score += a->scale * at(g->q, g->q_stride, row, h->head, a, d) *
                     at(g->k, g->k_stride, first + s, h->kv, a, d);
            dp[s] += at(g->dout, g->dout_stride, row, h->head, a, d) *
                     at(g->v, g->v_stride, first + s, h->kv, a, d);
        }
        slope[s] = a->soft_cap > 0 ? 1 - pow(tanh(score / a->soft_cap), 2) : 1;
        score = a->soft_cap > 0 ? a->soft_cap * tanh(score / a->soft_cap) : score;
        p[s] = exp(score - (a->slopes ? (double)a->slopes[h->head] * (double)(a->query_offset + t - s) : 0));
        total += p[s];
    }
    for (int64_t s = 0; s < a->keys; s++) {
        p[s] /= total;
        along += p[s] * dp[s];
    }
    for (int64_t s = 0; s < a->keys; s++)
        for (int d = 0; d < a->head_dim; d++) {
            double ds = p[s] * (dp[s] - along) * slope[s] * a->scale;
            int64_t key = (first + s) * kv_width + (int64_t)h->kv * a->head_dim + d;

            dq[(row * a->heads + h->head) * a->head_dim + d] +=
                ds * at(g->k, g->k_stride, first + s, h->kv, a, d);
            dk[key] += ds * at(g->q, g->q_stride, row, h->head, a, d);
            dv[key] += p[s] * at(g->dout, g->dout_stride, row, h->head, a, d);
        }
}

static void compare_rows(const float *found, int64_t stride, const double *expected, int64_t rows,
                         int64_t width)
{
    float *dense = new_bytes(rows * width * (int64_t)sizeof *dense);

    for (int64_t r = 0; r < rows; r++)
        memcpy(dense + r * width, found + r * stride, (size_t)width * sizeof *dense);
    assert_same(dense, expected, rows * width, 2e-6);
    free(dense);
}

static void check_attention(struct laser_attention a, int kv_heads)
{
    int64_t q_stride = (int64_t)a.heads * a.head_dim + 3, k_stride = (int64_t)kv_heads * a.head_dim + 1;
    int64_t rows = a.batch * a.queries, keys = a.batch * a.keys, kv_width = (int64_t)kv_heads * a.head_dim;
    float *q = new_floats(rows * q_stride), *k = new_floats(keys * k_stride),
          *v = new_floats(keys * k_stride);
    float *out = new_floats(rows * q_stride), *dout = new_floats(rows * q_stride);
    double *dq = calloc((size_t)(rows * a.heads * a.head_dim), sizeof *dq);
    double *dk = calloc((size_t)(keys * kv_width), sizeof *dk),
           *dv = calloc((size_t)(keys * kv_width), sizeof *dv);
    struct laser_attention_gradient g = {q,    k,        v, out, q_stride, k_stride, k_stride, q_stride,
                                         dout, q_stride, q, k,   v,        q_stride, k_stride, k_stride};
    struct laser_scratch scratch = {0};
    int64_t bytes = laser_attention_backward_scratch_size(&a);

    a.softmax = new_floats(rows * a.heads * 2);
    bytes = bytes > laser_attention_scratch_size(&a) ? bytes : laser_attention_scratch_size(&a);
    assert_int_equal(laser_scratch_reserve(&scratch, bytes, NULL), LASER_OK);
    memset(scratch.data, 0xff, (size_t)bytes);
    laser_attention_apply(&a, q, q_stride, k, k_stride, v, k_stride, out, q_stride, &scratch);
    for (int64_t b = 0; b < a.batch; b++)
        for (int h = 0; h < a.heads; h++)
            for (int64_t t = 0; t < a.queries; t++)
                back_query(&(struct head){&a, &g, b, h, a.kv_of_head ? a.kv_of_head[h] : h}, t, dq, dk, dv,
                           kv_width);
    memset(scratch.data, 0xff, (size_t)bytes);
    laser_attention_backward(&a, &g, &scratch); /* in place */
    compare_rows(q, q_stride, dq, rows, (int64_t)a.heads * a.head_dim);
    compare_rows(k, k_stride, dk, keys, kv_width);
    compare_rows(v, k_stride, dv, keys, kv_width);
    free(q);
    free(k);
    free(v);
    free(out);
    free(dout);
    free(dq);
    free(dk);
    free(dv);
    free(a.softmax);
    laser_scratch_free(&scratch);
}

static void attention(void)
{
    static const int grouped[] = {0, 0, 0, 1, 1, 1}, uneven[] = {0, 1, 1};
    static const float sinks[] = {0.5f, -1}, slopes[] = {0.1f, 0.01f};

    check_attention((struct laser_attention){.batch = 2,
                                             .queries = 70,
                                             .keys = 70,
                                             .heads = 2,
                                             .head_dim = 64,
                                             .scale = 0.125f,
                                             .causal = true},
                    2);
    check_attention((struct laser_attention){.batch = 2,
                                             .queries = 33,
                                             .keys = 33,
                                             .heads = 6,
                                             .head_dim = 10,
                                             .kv_of_head = grouped,
                                             .scale = 0.4f,
                                             .soft_cap = 1.5f,
                                             .causal = true},
                    2);
    check_attention((struct laser_attention){.batch = 1,
                                             .queries = 150,
                                             .keys = 150,
                                             .heads = 3,
                                             .head_dim = 35,
                                             .kv_of_head = uneven,
                                             .scale = 0.3f,
                                             .window = 40,
                                             .causal = true},
                    2);
    check_attention(
        (struct laser_attention){
            .batch = 3, .queries = 45, .keys = 45, .heads = 2, .head_dim = 12, .scale = 0.5f},
        2);
    check_attention(
        (struct laser_attention){
            .batch = 1, .queries = 130, .keys = 130, .heads = 1, .head_dim = 5, .scale = 0.5f, .window = 9},
        1);
    check_attention((struct laser_attention){.batch = 2,
                                             .queries = 75,
                                             .keys = 75,
                                             .heads = 2,
                                             .head_dim = 9,
                                             .scale = 0.4f,
                                             .chunk = 20,
                                             .sinks = sinks,
                                             .causal = true},
                    2);
    check_attention((struct laser_attention){.batch = 1,
                                             .queries = 140,
                                             .keys = 140,
                                             .heads = 2,
                                             .head_dim = 16,
                                             .scale = 0.4f,
                                             .slopes = slopes,
                                             .causal = true},
                    2);
    check_attention(
        (struct laser_attention){
            .batch = 1, .queries = 1, .keys = 1, .heads = 1, .head_dim = 3, .scale = 1, .causal = true},
        1);
}

/* dx = dy W for outputs first .. of a layer, from the rows as they are packed. */
static void check_transposed(enum laser_precision precision, enum laser_storage stored, int64_t out,
                             int64_t in, int64_t first, int64_t count)
{
    enum { TOKENS = 40 };
    struct laser_linear linear, turned;
    void *packed = new_bytes(laser_linear_size(precision, stored, out, in)), *turned_packed;
    unsigned char *weights = new_bytes(out * in * 8);
    float *dy = new_floats(TOKENS * count), *dx = new_floats(TOKENS * in), *row = new_floats(in);
    double *expected = calloc((size_t)(TOKENS * in), sizeof *expected);
    struct laser_scratch scratch = {0};

    for (int64_t i = 0; i < out * in * laser_storage_bytes(stored); i++)
        weights[i] = (unsigned char)(random_below(64) + (i % 2 ? 16 : 0)); /* small numbers in every type */
    for (int64_t i = 0; stored == LASER_STORED_F32 && i < out * in; i++) {
        float value = random_float();
        memcpy(weights + i * 4, &value, 4);
    }
    assert_int_equal(laser_linear_init(&linear, precision, stored, out, in, packed, NULL, NULL), LASER_OK);
    laser_linear_pack_rows(&linear, 0, out, weights, in);
    turned_packed = new_bytes(laser_linear_transposed_size(&linear, count));
    memset(turned_packed, 0xff, (size_t)laser_linear_transposed_size(&linear, count));
    laser_linear_transpose(&linear, first, count, turned_packed, &turned);
    if (count > 3)
        laser_linear_clear_inputs(&turned, 2, 1);
    for (int64_t o = 0; o < count; o++) {
        laser_linear_row(&linear, first + o, row);
        for (int64_t t = 0; t < TOKENS && !(count > 3 && o == 2); t++)
            for (int64_t k = 0; k < in; k++) {
                float d = dy[t * count + o];

                if (precision == LASER_BFLOAT16)
                    d = laser_bfloat16_to_float(laser_bfloat16_from_float(d));
                expected[t * in + k] += (double)d * (double)row[k];
            }
    }
    assert_int_equal(turned.out, in);
    assert_int_equal(laser_scratch_reserve(&scratch, laser_linear_scratch_size(&turned, TOKENS), NULL),
                     LASER_OK);
    laser_linear_apply(&turned, TOKENS, dy, count, dx, in, LASER_STORE, &scratch);
    assert_same(dx, expected, TOKENS * in, 2e-6);
    free(packed);
    free(turned_packed);
    free(weights);
    free(dy);
    free(dx);
    free(row);
    free(expected);
    laser_scratch_free(&scratch);
}

static void transposed_products(void)
{
    static const enum laser_storage stored[] = {LASER_STORED_F32, LASER_STORED_F16, LASER_STORED_BF16,
                                                LASER_STORED_F8_E4M3, LASER_STORED_F8_E5M2};

    for (int precision = LASER_FLOAT32; precision <= LASER_BFLOAT16; precision++)
        for (int i = 0; i < 5; i++) {
            check_transposed((enum laser_precision)precision, stored[i], 96, 64, 0, 96);
            check_transposed((enum laser_precision)precision, stored[i], 77, 45, 32, 45);
            check_transposed((enum laser_precision)precision, stored[i], 1, 33, 0, 1);
            check_transposed((enum laser_precision)precision, stored[i], 70, 1, 0, 64);
        }
}

static void check_head(int64_t vocabulary, int64_t size, float cap)
{
    enum { TOKENS = 21, DIM = 18 };
    struct laser_linear linear;
    int64_t bytes = laser_linear_size(LASER_FLOAT32, LASER_STORED_F32, vocabulary, DIM);
    void *packed = new_bytes(bytes);
    float *w = new_floats(vocabulary * DIM), *x = new_floats(TOKENS * DIM), *sums = new_floats(TOKENS * DIM);
    double *expected = calloc(TOKENS * DIM, sizeof *expected);
    struct laser_head head = {.linear = &linear, .first = 100, .size = size, .scale = 1, .soft_cap = cap};
    struct laser_head_token found[TOKENS], scanned[TOKENS];
    struct laser_scratch scratch = {0};
    int64_t targets[TOKENS];

    assert_int_equal(
        laser_linear_init(&linear, LASER_FLOAT32, LASER_STORED_F32, vocabulary, DIM, packed, NULL, NULL),
        LASER_OK);
    laser_linear_pack_rows(&linear, 0, vocabulary, w, DIM);
    for (int t = 0; t < TOKENS; t++)
        targets[t] = 100 + random_below((int)size);
    bytes = laser_head_backward_scratch_size(&head, TOKENS);
    assert_true(bytes >= laser_head_scratch_size(&head, TOKENS));
    assert_int_equal(laser_scratch_reserve(&scratch, bytes, NULL), LASER_OK);
    laser_head_scan(&head, TOKENS, x, DIM, targets, NULL, scanned, &scratch);
    laser_head_backward(&head, TOKENS, x, DIM, targets, found, sums, DIM, &scratch);
    for (int t = 0; t < TOKENS; t++) {
        assert_memory_equal(&found[t].largest, &scanned[t].largest, sizeof found[t].largest);
        assert_true(found[t].sum == scanned[t].sum && found[t].target == scanned[t].target);
        for (int64_t v = 0; v < size; v++) {
            double logit = 0, slope = 1;

            for (int d = 0; d < DIM; d++)
                logit += (double)w[v * DIM + d] * (double)x[t * DIM + d];
            if (cap > 0) {
                slope = 1 - pow(tanh(logit / (double)cap), 2);
                logit = (double)cap * tanh(logit / (double)cap);
            }
            for (int d = 0; d < DIM; d++)
                expected[t * DIM + d] +=
                    exp(logit - (double)found[t].largest) * slope * (double)w[v * DIM + d];
        }
    }
    assert_same(sums, expected, TOKENS * DIM, 3e-6);
    free(packed);
    free(w);
    free(x);
    free(sums);
    free(expected);
    laser_scratch_free(&scratch);
}

static void heads(void)
{
    check_head(50, 47, 0);
    check_head(50, 47, 2.5f);
    check_head(5000, 5000, 0);
}

static void activations_follow_their_slope(void **state)
{
    (void)state;
    with_all_simd(activations);
}

static void norms_follow_their_slope(void **state)
{
    (void)state;
    with_all_simd(norms);
}

static void rotations_turn_back(void **state)
{
    (void)state;
    with_all_simd(rotations);
}

static void attention_is_that_of_float64(void **state)
{
    (void)state;
    with_all_simd(attention);
}

static void transposed_weights_multiply_from_the_left(void **state)
{
    (void)state;
    with_all_kernels(transposed_products);
    with_all_simd(transposed_products);
}

static void heads_sum_the_weighted_vocabulary(void **state)
{
    (void)state;
    with_all_simd(heads);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(activations_follow_their_slope),
        cmocka_unit_test(norms_follow_their_slope),
        cmocka_unit_test(rotations_turn_back),
        cmocka_unit_test(attention_is_that_of_float64),
        cmocka_unit_test(transposed_weights_multiply_from_the_left),
        cmocka_unit_test(heads_sum_the_weighted_vocabulary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
