#include "kernels_testing.h"

#include "kernels/act.h"
#include "kernels/norm.h"
#include "kernels/rope.h"
#include "kernels/vec.h"

/* The vector functions as the kernels use them, over an array. */
LASER_INLINE void exp_all_body(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i += LASER_LANES) {
        laser_vec v;

        laser_vec_load(&v, x + i, n - i);
        laser_vec_exp(&v);
        laser_vec_store(&v, x + i, n - i);
    }
}
LASER_VARIANTS(exp_all, (int64_t n, float *x), (n, x))

LASER_INLINE void erf_all_body(int64_t n, float *x)
{
    for (int64_t i = 0; i < n; i += LASER_LANES) {
        laser_vec v;

        laser_vec_load(&v, x + i, n - i);
        laser_vec_erf(&v);
        laser_vec_store(&v, x + i, n - i);
    }
}
LASER_VARIANTS(erf_all, (int64_t n, float *x), (n, x))

static void check_exp(void)
{
    enum { N = 17500 };
    float *x = new_floats(N), *y = new_floats(N);

    for (int i = 0; i < N; i++)
        x[i] = y[i] = -87 + (float)i * 0.01f;
    exp_all(N, y);
    for (int i = 0; i < N; i++)
        assert_near(y[i] / exp((double)x[i]), 1, 2.4e-7);
    free(x);
    free(y);
}

static void test_exp_is_good_to_two_units_in_the_last_place(void **state)
{
    (void)state;
    with_all_simd(check_exp);
}

static void check_exp_limits(void)
{
    float x[7] = {-INFINITY, -1000, INFINITY, NAN, 0, -87.5f, 200};

    exp_all(7, x);
    assert_true(x[0] == 0 && x[1] == 0 && x[4] == 1 && x[5] == 0);
    assert_true(x[2] > 1e38f && x[6] > 1e38f);
    assert_true(isnan(x[3]));
}

static void test_exp_keeps_nan_and_ends_at_zero(void **state)
{
    (void)state;
    with_all_simd(check_exp_limits);
}

static void check_erf(void)
{
    enum { N = 12001 };
    float *x = new_floats(N), *y = new_floats(N);

    for (int i = 0; i < N; i++)
        x[i] = y[i] = (float)(i - N / 2) * 0.001f;
    erf_all(N, y);
    for (int i = 0; i < N; i++)
        assert_near(y[i], erf((double)x[i]), 1e-7);
    free(x);
    free(y);
}

static void test_erf_is_good_to_1e_7(void **state)
{
    (void)state;
    with_all_simd(check_erf);
}

static double reference(enum laser_activation activation, double x)
{
    switch (activation) {
    case LASER_ACT_SILU:
        return x / (1 + exp(-x));
    case LASER_ACT_GELU:
        return 0.5 * x * (1 + erf(x * sqrt(0.5)));
    case LASER_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(sqrt(2 / acos(-1)) * (x + 0.044715 * x * x * x)));
    case LASER_ACT_GELU_QUICK:
        return x / (1 + exp(-1.702 * x));
    case LASER_ACT_RELU:
        return fmax(x, 0);
    case LASER_ACT_RELU_SQUARED:
        return fmax(x, 0) * fmax(x, 0);
    case LASER_ACT_TANH:
        return tanh(x);
    case LASER_ACT_XIELU: /* have parameters */
    case LASER_ACT_SWIGLU_CLAMPED:
        break;
    }
    return NAN;
}

static void check_activations(void)
{
    enum { WIDTH = 2001, STRIDE = 2005 };
    float *x = new_floats(2 * STRIDE), *y = new_floats(2 * STRIDE);

    for (int a = LASER_ACT_SILU; a <= LASER_ACT_TANH; a++) {
        for (int i = 0; i < 2 * STRIDE; i++)
            y[i] = x[i] = (float)(i % STRIDE - WIDTH / 2) * 0.013f;
        laser_activation_apply((enum laser_activation)a, 2, WIDTH, y, STRIDE);
        for (int i = 0; i < 2 * STRIDE; i++)
            if (i % STRIDE < WIDTH) {
                double expected = reference((enum laser_activation)a, x[i]);

                assert_near(y[i], expected, 2e-7 * (1 + fabs((double)x[i]) + fabs(expected)));
            } else {
                assert_true(y[i] == x[i]);
            }
    }
    free(x);
    free(y);
}

static void test_activations_equal_their_formulas(void **state)
{
    (void)state;
    with_all_simd(check_activations);
}

/* arXiv 2411.13010 (2.1, xIELU); gpt-oss. */
static void test_activations_with_parameters_equal_their_formulas(void **state)
{
    static const struct laser_xielu f = {.alpha_p = 0.8f, .alpha_n = 1.3f, .beta = 0.5f, .eps = -1e-6f};
    float x[41], pairs[82];

    (void)state;
    for (int i = 0; i < 41; i++) {
        x[i] = (float)(i - 20) * 0.3f;
        pairs[2 * i] = x[i] * 2;
        pairs[2 * i + 1] = (float)((i * 7) % 41 - 20) * 0.6f;
    }
    for (int i = 0; i < 41; i++) {
        double v = x[i], gate = fmin(pairs[2 * i], 7), up = fmin(fmax(pairs[2 * i + 1], -7), 7);
        float one = x[i], two[2] = {pairs[2 * i], pairs[2 * i + 1]};

        laser_activation_xielu(&f, 1, 1, &one, 1);
        assert_near(one, v > 0 ? 0.8 * v * v + 0.5 * v : 1.3 * (expm1(fmin(v, -1e-6)) - v) + 0.5 * v,
                    1e-6 * (1 + v * v));
        laser_activation_swiglu_pairs(7, 1.702f, 1, 1, two, 2, two, 2);
        assert_near(two[0], (up + 1) * gate / (1 + exp(-1.702 * gate)), 1e-6 * (1 + fabs(gate * up)));
    }
}

/* Against differences of the functions in steps of 1e-3 either way. */
static void test_slopes_of_activations_with_parameters(void **state)
{
    static const struct laser_xielu f = {.alpha_p = 0.8f, .alpha_n = 1.3f, .beta = 0.5f, .eps = -1e-6f};
    static const float at[] = {-3, -0.7f, 0.3f, 2, 6.5f, 8}, step = 1e-3f, two = 2;

    (void)state;
    for (int i = 0; i < 36; i++) {
        float x = at[i / 6], pair[2] = {at[i / 6], at[i % 6] - 5 * (i % 2)}, up = x + step, down = x - step,
              y[4];

        laser_activation_xielu(&f, 1, 1, &up, 1);
        laser_activation_xielu(&f, 1, 1, &down, 1);
        laser_activation_xielu_backward(&f, 1, 1, &x, 1, &two, 1);
        assert_near(x, 2 * (up - down) / (2 * step), 1e-2);
        for (int k = 0; k < 4; k++) {
            float moved[2] = {pair[0], pair[1]};

            moved[k / 2] += k % 2 ? step : -step;
            laser_activation_swiglu_pairs(7, 1.702f, 1, 1, moved, 2, &y[k], 1);
        }
        laser_activation_swiglu_pairs_backward(7, 1.702f, 1, 1, pair, 2, &two, 1);
        assert_near(pair[0], (y[1] - y[0]) / step, 3e-2);
        assert_near(pair[1], (y[3] - y[2]) / step, 3e-2);
    }
}

static void test_activations_of_extreme_inputs_stay_finite(void **state)
{
    float x[4];

    (void)state;
    for (int a = LASER_ACT_SILU; a <= LASER_ACT_GELU_QUICK; a++) {
        memcpy(x, (float[]){-1e30f, -200, 200, 1e30f}, sizeof x);
        laser_activation_apply((enum laser_activation)a, 1, 4, x, 4);
        assert_near(x[1], 0, 1e-30);
        assert_near(x[2], 200, 1e-4);
        assert_true(x[3] == 1e30f && fabsf(x[0]) < 1e-5f);
    }
}

static void check_gated(void)
{
    enum { WIDTH = 37 };
    float *gate = new_floats(3 * 80), *expected = new_floats(3 * WIDTH);

    for (int r = 0; r < 3; r++)
        for (int i = 0; i < WIDTH; i++)
            expected[r * WIDTH + i] =
                (float)(reference(LASER_ACT_SILU, gate[r * 80 + i]) * gate[r * 80 + 40 + i]);
    laser_activation_gated(LASER_ACT_SILU, 3, WIDTH, gate, 80, gate + 40, 80, gate, 80);
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < WIDTH; i++)
            assert_near(gate[r * 80 + i], expected[r * WIDTH + i], 1e-6);
    free(gate);
    free(expected);
}

static void test_gated_activation_may_overwrite_its_gate(void **state)
{
    (void)state;
    with_all_simd(check_gated);
}

static void check_rmsnorm(void)
{
    static const int widths[] = {1, 15, 16, 63, 64, 130, 576};

    for (int w = 0; w < 7; w++) {
        int width = widths[w];
        float *x = new_floats(3 * (width + 2)), *weight = new_floats(width), *y = new_floats(3 * width);

        for (int one = 0; one < 2; one++) {
            laser_rmsnorm(3, width, x, width + 2, weight, 1e-5f, one, y, width);
            for (int r = 0; r < 3; r++) {
                double sum = 0;

                for (int i = 0; i < width; i++)
                    sum += (double)x[r * (width + 2) + i] * x[r * (width + 2) + i];
                for (int i = 0; i < width; i++)
                    assert_near(y[r * width + i],
                                x[r * (width + 2) + i] / sqrt(sum / width + 1e-5) * (weight[i] + one), 2e-6);
            }
        }
        free(x);
        free(weight);
        free(y);
    }
}

static void test_rmsnorm_equals_its_formula(void **state)
{
    (void)state;
    with_all_simd(check_rmsnorm);
}

static void test_rmsnorm_of_heads_is_that_of_each_head(void **state)
{
    float *x = new_floats(2 * 50), *weight = new_floats(12), *y = new_floats(12);

    (void)state;
    laser_rmsnorm(1, 12, x + 50 + 24, 12, weight, 1e-6f, false, y, 12);
    laser_rmsnorm_heads(2, 4, 12, x, 50, weight, 1e-6f, false);
    for (int i = 0; i < 12; i++)
        assert_true(x[50 + 24 + i] == y[i]);
    free(x);
    free(weight);
    free(y);
}

static void check_layernorm(void)
{
    enum { WIDTH = 131 };
    float *x = new_floats(2 * WIDTH), *weight = new_floats(WIDTH), *bias = new_floats(WIDTH),
          *y = new_floats(2 * WIDTH);

    for (int given = 0; given < 4; given++) {
        for (int i = 0; i < 2 * WIDTH; i++)
            x[i] += 100;
        laser_layernorm(2, WIDTH, x, WIDTH, given & 1 ? weight : NULL, given & 2 ? bias : NULL, 1e-5f, y,
                        WIDTH);
        for (int r = 0; r < 2; r++) {
            double mean = 0, variance = 0;

            for (int i = 0; i < WIDTH; i++)
                mean += x[r * WIDTH + i] / (double)WIDTH;
            for (int i = 0; i < WIDTH; i++)
                variance += (x[r * WIDTH + i] - mean) * (x[r * WIDTH + i] - mean) / WIDTH;
            for (int i = 0; i < WIDTH; i++)
                assert_near(y[r * WIDTH + i],
                            (x[r * WIDTH + i] - mean) / sqrt(variance + 1e-5) * (given & 1 ? weight[i] : 1) +
                                (given & 2 ? bias[i] : 0),
                            1e-4);
        }
    }
    free(x);
    free(weight);
    free(bias);
    free(y);
}

static void test_layernorm_equals_its_formula_far_from_zero(void **state)
{
    (void)state;
    with_all_simd(check_layernorm);
}

static void check_rope(void)
{
    enum { HEADS = 3, ROWS = 7 };
    static const int dims[][2] = {{64, 64}, {80, 32}, {6, 4}, {20, 20}};

    for (int c = 0; c < 8; c++) {
        int head_dim = dims[c / 2][0], rotary = dims[c / 2][1], half = rotary / 2;
        enum laser_rope_style style = c % 2 ? LASER_ROPE_INTERLEAVED : LASER_ROPE_HALVES;
        int64_t stride = HEADS * head_dim + 5;
        float *x = new_floats(2 * ROWS * stride), *before = new_floats(2 * ROWS * stride);
        float *inverse = new_floats(half), *cosines = new_floats(ROWS * half),
              *sines = new_floats(ROWS * half);

        memcpy(before, x, (size_t)(2 * ROWS * stride) * sizeof *x);
        for (int j = 0; j < half; j++)
            inverse[j] = powf(10000, -2 * (float)j / (float)rotary);
        laser_rope_table(3, ROWS, half, inverse, 1.5f, cosines, sines);
        laser_rope_apply(style, 2 * ROWS, ROWS, HEADS, head_dim, rotary, cosines, sines, x, stride);
        for (int t = 0; t < 2 * ROWS; t++)
            for (int i = 0; i < HEADS * head_dim; i++) {
                int d = i % head_dim, j = style == LASER_ROPE_HALVES ? d % half : d / 2;
                int other = style == LASER_ROPE_HALVES ? (d < half ? d + half : d - half) : d ^ 1;
                bool second = style == LASER_ROPE_HALVES ? d >= half : d % 2;
                double angle = (double)(3 + t % ROWS) * inverse[j < half ? j : 0],
                       expected = before[t * stride + i];

                if (d < rotary)
                    expected = 1.5 * (cos(angle) * expected +
                                      (second ? 1 : -1) * sin(angle) * before[t * stride + i - d + other]);
                assert_near(x[t * stride + i], expected, 3e-6);
            }
        for (int t = 0; t < 2 * ROWS; t++)
            assert_true(x[t * stride + stride - 1] == before[t * stride + stride - 1]);
        free(x);
        free(before);
        free(inverse);
        free(cosines);
        free(sines);
    }
}

static void test_rope_turns_each_pair_by_position_times_frequency(void **state)
{
    (void)state;
    with_all_simd(check_rope);
}

/* A row whose variance is as small as eps. */
static void check_layernorm_eps(void)
{
    enum { WIDTH = 20 };
    float x[WIDTH], y[WIDTH];

    for (int i = 0; i < WIDTH; i++)
        x[i] = i % 2 ? 1e-3f : -1e-3f;
    laser_layernorm(1, WIDTH, x, WIDTH, NULL, NULL, 1e-6f, y, WIDTH);
    for (int i = 0; i < WIDTH; i++)
        assert_near(y[i], (i % 2 ? 1 : -1) / sqrt(2), 1e-6);
    laser_rmsnorm(1, WIDTH, x, WIDTH, NULL, 1e-6f, false, y, WIDTH);
    for (int i = 0; i < WIDTH; i++)
        assert_near(y[i], (i % 2 ? 1 : -1) / sqrt(2), 1e-6);
}

static void test_eps_stands_inside_the_root(void **state)
{
    (void)state;
    with_all_simd(check_layernorm_eps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exp_is_good_to_two_units_in_the_last_place),
        cmocka_unit_test(test_exp_keeps_nan_and_ends_at_zero),
        cmocka_unit_test(test_erf_is_good_to_1e_7),
        cmocka_unit_test(test_activations_equal_their_formulas),
        cmocka_unit_test(test_activations_with_parameters_equal_their_formulas),
        cmocka_unit_test(test_slopes_of_activations_with_parameters),
        cmocka_unit_test(test_activations_of_extreme_inputs_stay_finite),
        cmocka_unit_test(test_gated_activation_may_overwrite_its_gate),
        cmocka_unit_test(test_rmsnorm_equals_its_formula),
        cmocka_unit_test(test_rmsnorm_of_heads_is_that_of_each_head),
        cmocka_unit_test(test_layernorm_equals_its_formula_far_from_zero),
        cmocka_unit_test(test_rope_turns_each_pair_by_position_times_frequency),
        cmocka_unit_test(test_eps_stands_inside_the_root),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
