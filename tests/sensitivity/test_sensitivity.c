/* Exact sums, and steps from gradients and Fisher information. */
#include "testing.h"

#include "search/line.h"
#include "sensitivity/exact.h"
#include "sensitivity/fisher.h"
#include "sensitivity/site_part.h"

#include <math.h>
#include <string.h>

enum { N = 4 };

static void close_to(double value, double expected, double tolerance)
{
    if (!(fabs(value - expected) <= tolerance))
        fail_msg("%.15g, expected %.15g within %g", value, expected, tolerance);
}

static double random_term(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return ((double)(*state >> 11) / 9007199254740992.0 - 0.5) * 3;
}

static void exact_sums_do_not_depend_on_the_order(void **state)
{
    enum { TERMS = 5000 };
    static double terms[TERMS];
    double unit = laser_exact_unit(1.5), forward = 0, backward = 0, parts[7] = {0}, together = 0, plain = 0;
    uint64_t seed = 1;
    (void)state;
    for (int i = 0; i < TERMS; i++)
        terms[i] = random_term(&seed);
    for (int i = 0; i < TERMS; i++) {
        assert_true(laser_exact_add(&forward, &terms[i], 1, unit));
        assert_true(laser_exact_add(&backward, &terms[TERMS - 1 - i], 1, unit));
        assert_true(laser_exact_add(&parts[i % 7], &terms[i], 1, unit));
        plain += terms[i];
    }
    for (int i = 6; i >= 0; i--)
        together += parts[i];
    assert_memory_equal(&forward, &backward, sizeof forward);
    assert_memory_equal(&forward, &together, sizeof forward);
    close_to(forward, plain, TERMS * unit);
}

static void a_unit_is_a_power_of_two_and_small(void **state)
{
    int exponent;
    (void)state;
    assert_true(frexp(laser_exact_unit(0.7), &exponent) == 0.5);
    close_to(laser_exact_unit(1), ldexp(1, -35), 0);
    close_to(laser_exact_unit(0), 0, 0);
    close_to(laser_exact_unit(INFINITY), 0, 0);
}

static void exact_sums_say_when_they_are_not(void **state)
{
    double sum = 0, nan = NAN, huge = 1e9, one = 1, zero = 0, unit = laser_exact_unit(1);
    (void)state;
    assert_false(laser_exact_add(&sum, &nan, 1, unit));
    sum = 0;
    assert_false(laser_exact_add(&sum, &huge, 1, unit));
    assert_false(laser_exact_add(&sum, &one, 1, 0));
    assert_true(laser_exact_add(&sum, &zero, 1, 0));
}

static void float_terms_add_up_as_double_ones(void **state)
{
    double a = 0, b = 0, unit = laser_exact_unit(2), wide;
    float narrow;
    uint64_t seed = 9;
    (void)state;
    for (int i = 0; i < 100; i++) {
        narrow = (float)random_term(&seed);
        wide = narrow;
        assert_true(laser_exact_add(&a, &wide, 1, unit));
        assert_true(laser_exact_add_float(&b, &narrow, 1, unit));
    }
    assert_memory_equal(&a, &b, sizeof a);
}

/* ---- steps ---- */

static double gradient[N] = {0.5, -0.25, 0.125, 1}, squares[N] = {1, 1, 1, 1};
static double block[N * N] = {4, 1, 0, 0.5, 0, 3, 0.25, 0, 0, 0, 2, 0, 0, 0, 0, 1},
                        diagonal[N] = {4, 3, 2, 1};
static const double values[N] = {8, 4, 2, 1};

static struct laser_fisher with_block(void)
{
    return (struct laser_fisher){N, true, 100, 4, gradient, squares, block};
}

static struct laser_fisher with_diagonal(void)
{
    return (struct laser_fisher){N, false, 100, 4, gradient, squares, diagonal};
}

static void the_diagonal_step_divides_by_the_damped_information(void **state)
{
    struct laser_fisher f = with_diagonal();
    double step[N];
    (void)state;
    assert_int_equal(laser_fisher_direction(&f, values, 2, step, NULL), LASER_OK);
    for (int i = 0; i < N; i++)
        close_to(step[i], -gradient[i] / (diagonal[i] + 2 * 2.5), 1e-15);
}

static void the_block_step_solves_the_damped_system(void **state)
{
    struct laser_fisher f = with_block();
    double step[N];
    (void)state;
    assert_int_equal(laser_fisher_direction(&f, values, 1, step, NULL), LASER_OK);
    for (int i = 0; i < N; i++) {
        double sum = 2.5 * step[i];
        for (int j = 0; j < N; j++)
            sum += laser_fisher_at(&f, i, j) * step[j];
        close_to(sum, -gradient[i], 1e-14);
    }
}

/* With F twice as large, and g, the step of a given curvature is twice as long; that of F itself is not. */
static void a_scaled_step_takes_only_the_shape_of_the_information(void **state)
{
    double s[3] = {3, 2, 1}, g[3] = {4, -2, 1}, fisher[9] = {4, 1, 0, 1, 3, 0, 0, 0, 2}, step[3], twice[3],
           scale;
    struct laser_fisher f = {.n = 3, .block = true, .gradient = g, .fisher = fisher};

    (void)state;
    assert_int_equal(laser_fisher_direction_scaled(&f, s, 1, 30, step, &scale, NULL), LASER_OK);
    close_to(scale, 10, 1e-14); /* the mean of the diagonal is 3 */
    /* (10 F + 30 I) step = -g */
    for (int i = 0; i < 3; i++) {
        double sum = 30 * step[i];

        for (int j = 0; j < 3; j++)
            sum += 10 * fisher[3 * i + j] * step[j];
        close_to(sum, -g[i], 1e-13);
    }
    for (int i = 0; i < 9; i++)
        fisher[i] *= 2;
    for (int i = 0; i < 3; i++)
        g[i] *= 2;
    assert_int_equal(laser_fisher_direction_scaled(&f, s, 1, 30, twice, &scale, NULL), LASER_OK);
    for (int i = 0; i < 3; i++)
        close_to(twice[i], 2 * step[i], 1e-13);
    memset(fisher, 0, sizeof fisher);
    assert_int_equal(laser_fisher_direction_scaled(&f, s, 1, 30, step, &scale, NULL), LASER_OK);
    assert_true(scale == 0 && step[0] == 0 && step[1] == 0 && step[2] == 0);
}

static void equal_values_move_together(void **state)
{
    const double equal[N] = {8, 2, 2, 1};
    struct laser_fisher f = with_block();
    double step[N], g = gradient[1] + gradient[2];
    (void)state;
    assert_int_equal(laser_fisher_direction(&f, equal, 1, step, NULL), LASER_OK);
    close_to(step[1], step[2], 0);
    assert_true(step[1] != 0);
    f = with_diagonal();
    assert_int_equal(laser_fisher_direction(&f, equal, 1, step, NULL), LASER_OK);
    close_to(step[1], -g / (diagonal[1] + diagonal[2] + 2 * 2.5), 1e-15);
    close_to(step[2], step[1], 0);
}

/* A rotation Q of two equal values rotates g and F as g = diag(Q G Q^T); the sums that a step is made from
 * stay. */
static void the_choice_of_vectors_of_equal_values_does_not_matter(void **state)
{
    enum { TOKENS = 40 };
    double a[2] = {0}, b[2] = {0}, fa[4] = {0}, fb[4] = {0}, sa[2] = {1, 1}, step_a[2], step_b[2];
    const double s[2] = {3, 3}, c = cos(0.7), d = sin(0.7);
    struct laser_fisher f = {2, true, TOKENS, 1, a, sa, fa}, g = {2, true, TOKENS, 1, b, sa, fb};
    uint64_t seed = 5;
    (void)state;
    for (int t = 0; t < TOKENS; t++) {
        double u[2], v[2], pa[2], pb[2];
        for (int i = 0; i < 2; i++) {
            u[i] = random_term(&seed);
            v[i] = random_term(&seed);
            pa[i] = u[i] * v[i];
        }
        pb[0] = (c * u[0] + d * u[1]) * (c * v[0] + d * v[1]);
        pb[1] = (c * u[1] - d * u[0]) * (c * v[1] - d * v[0]);
        for (int i = 0; i < 2; i++) {
            a[i] += pa[i];
            b[i] += pb[i];
            for (int j = 0; j < 2; j++) {
                fa[2 * i + j] += pa[i] * pa[j];
                fb[2 * i + j] += pb[i] * pb[j];
            }
        }
    }
    assert_int_equal(laser_fisher_direction(&f, s, 0.5, step_a, NULL), LASER_OK);
    assert_int_equal(laser_fisher_direction(&g, s, 0.5, step_b, NULL), LASER_OK);
    close_to(step_a[0], step_b[0], 1e-13 * fabs(step_a[0]));
    close_to(step_a[1], step_a[0], 0);
}

static void equal_values_share_what_a_token_says(void **state)
{
    const double s[N] = {5, 2, 2, 0};
    float p[N] = {1, 2, 4, 8};
    int64_t unknown[N];
    (void)state;
    assert_int_equal(laser_fisher_unknowns(s, N, unknown), 2);
    assert_int_equal(unknown[1], unknown[2]);
    assert_int_equal(unknown[3], -1);
    laser_fisher_share(unknown, N, p);
    close_to(p[0], 1, 0);
    close_to(p[1], 6 / sqrt(2), 1e-6);
    close_to(p[2], 6 / sqrt(2), 1e-6);
    close_to(p[3], 8, 0);
}

static void a_value_of_zero_stays(void **state)
{
    const double last[N] = {8, 4, 2, 0};
    struct laser_fisher f = with_block();
    double step[N];
    (void)state;
    assert_int_equal(laser_fisher_direction(&f, last, 1, step, NULL), LASER_OK);
    close_to(step[3], 0, 0);
    assert_true(step[0] != 0);
}

static void no_information_gives_no_step(void **state)
{
    double zero[N] = {0}, step[N] = {1, 1, 1, 1};
    struct laser_fisher f = {N, false, 100, 4, zero, zero, zero};
    (void)state;
    assert_int_equal(laser_fisher_direction(&f, values, 1, step, NULL), LASER_OK);
    for (int i = 0; i < N; i++)
        close_to(step[i], 0, 0);
}

static void information_that_is_not_finite_is_an_error(void **state)
{
    double bad[N] = {1, NAN, 1, 1}, step[N];
    struct laser_fisher f = {N, false, 100, 4, gradient, squares, bad};
    struct laser_error err;
    (void)state;
    assert_int_equal(laser_fisher_direction(&f, values, 1, step, &err), LASER_ENUMERIC);
}

static void a_prediction_is_linear_plus_half_the_square(void **state)
{
    const double d[N] = {0.5, -1, 0, 2};
    struct laser_fisher f = with_block();
    double expected = 0;
    (void)state;
    for (int i = 0; i < N; i++) {
        expected += gradient[i] * d[i];
        for (int j = 0; j < N; j++)
            expected += laser_fisher_at(&f, i, j) * d[i] * d[j] / 2;
    }
    close_to(laser_fisher_predict(&f, d), expected, 1e-15);
}

static void moved_values_stay_above_zero_and_may_only_shrink(void **state)
{
    const double original[2] = {1, 1}, direction[2] = {2, -3};
    double moved[2];
    (void)state;
    laser_fisher_move(2, original, direction, 0.5, false, original, moved);
    close_to(moved[0], 2, 0);
    close_to(moved[1], 0, 0);
    laser_fisher_move(2, original, direction, 0.1, true, original, moved);
    close_to(moved[0], 1, 0);
    close_to(moved[1], 0.7, 1e-15);
}

static void the_error_of_a_gradient_is_that_of_a_sum_over_windows(void **state)
{
    /* windows 1, 2, 3, 6: sum 12, squares 50, standard error of the sum sqrt(4 / 3 (50 - 36)) */
    double g = 12, q = 50, f = 1, error;
    struct laser_fisher one = {1, false, 100, 4, &g, &q, &f};
    (void)state;
    laser_fisher_error(&one, &error);
    close_to(error, sqrt(4.0 / 3 * 14), 1e-14);
    one.windows = 1;
    laser_fisher_error(&one, &error);
    assert_true(isnan(error));
}

/* ---- the line search ---- */

/* Measures everything asked for on a curve with its lowest point at `best`. */
static int run_line(struct laser_line *line, double start, double best, double depth, double harmful)
{
    int measured = 0;

    laser_line_begin(line, start, 2);
    do {
        for (int i = line->n_measured; i < line->n; i++, measured++) {
            double x = line->steps[i].length / best;
            line->steps[i].difference = depth * (x * x - 2 * x);
            line->steps[i].error = 0.01;
            line->steps[i].harms = line->steps[i].length > harmful;
        }
        line->n_measured = line->n;
    } while (laser_line_go_on(line));
    return measured;
}

static void a_line_search_stops_between_two_that_are_worse(void **state)
{
    struct laser_line line;
    (void)state;
    assert_int_equal(run_line(&line, 1, 1, 0.1, INFINITY), 3);
    close_to(line.steps[laser_line_best(&line)].length, 1, 0);
}

static void a_line_search_goes_on_where_the_longest_is_best(void **state)
{
    struct laser_line line;
    (void)state;
    assert_int_equal(run_line(&line, 1, 4, 0.1, INFINITY), 5);
    close_to(line.steps[laser_line_best(&line)].length, 4, 0);
}

static void a_line_search_shortens_what_is_too_long(void **state)
{
    struct laser_line line;
    (void)state;
    run_line(&line, 1, 0.25, 0.1, INFINITY);
    close_to(line.steps[laser_line_best(&line)].length, 0.25, 0);
}

static void a_step_that_harms_a_guard_is_shortened(void **state)
{
    struct laser_line line;
    (void)state;
    run_line(&line, 1, 1, 0.1, 0.3);
    close_to(line.steps[laser_line_best(&line)].length, 0.25, 0);
}

static void a_gain_within_the_error_is_not_taken(void **state)
{
    struct laser_line line;
    (void)state;
    run_line(&line, 1, 1, 0.019, INFINITY);
    assert_int_equal(laser_line_best(&line), -1);
    assert_true(line.n <= LASER_LINE_MAX);
}

/* q, k and v of 24, 12 and 12 rows, of which a shard has rows 8 .. 11, 2 .. 3 and 4 .. 5. */
static const struct laser_model_rows fused_rows[] = {{8, 4}, {26, 2}, {40, 2}};
static const struct laser_model_linear_site fused = {
    .tensor = 5, .rows = 48, .columns = 24, .row_count = 8, .pieces = 3, .piece = fused_rows};

static void a_part_of_a_fused_weight_has_its_own_rows(void **state)
{
    const struct laser_matrix k = {.tensor = 5,
                                   .rows = 12,
                                   .cols = 24,
                                   .first = 24 * 24,
                                   .block_rows = 12,
                                   .block_stride = 48,
                                   .ld = 24,
                                   .col_step = 1};
    struct laser_model_rows room[9];
    struct laser_model_linear_site part;
    int64_t offset;

    (void)state;
    assert_true(laser_site_part(&fused, &k, room, &part, &offset));
    assert_int_equal(part.rows, 12);
    assert_int_equal(part.row_count, 2);
    assert_int_equal(part.pieces, 1);
    assert_int_equal(room[0].first, 2);
    assert_int_equal(room[0].count, 2);
    assert_int_equal(offset, 4);
}

/* Two heads of q, k and v, four rows each, bound part by part. */
static void parts_in_blocks_are_put_together(void **state)
{
    static const struct laser_model_rows rows[] = {{0, 4}, {12, 4}, {4, 4}, {16, 4}, {8, 4}, {20, 4}};
    static const struct laser_model_linear_site site = {
        .rows = 24, .columns = 8, .row_count = 24, .pieces = 6, .piece = rows};
    const struct laser_matrix v = {
        .rows = 8, .cols = 8, .first = 8 * 8, .block_rows = 4, .block_stride = 12, .ld = 8, .col_step = 1};
    struct laser_model_rows room[25];
    struct laser_model_linear_site part;
    int64_t offset;

    (void)state;
    assert_true(laser_site_part(&site, &v, room, &part, &offset));
    assert_int_equal(part.pieces, 2);
    assert_int_equal(room[1].first, 4);
    assert_int_equal(part.row_count, 8);
    assert_int_equal(offset, 16);
}

static void parts_stored_as_columns_are_found(void **state)
{
    struct laser_model_linear_site turned = fused;
    const struct laser_matrix v = {.tensor = 5,
                                   .transposed = true,
                                   .rows = 24,
                                   .cols = 12,
                                   .block_rows = 24,
                                   .block_stride = 24,
                                   .ld = 48,
                                   .col0 = 36,
                                   .col_step = 1};
    struct laser_matrix alternate = v;
    struct laser_model_rows room[9];
    struct laser_model_linear_site part;
    int64_t offset;

    (void)state;
    turned.transposed = true;
    assert_true(laser_site_part(&turned, &v, room, &part, &offset));
    assert_int_equal(room[0].first, 4);
    assert_int_equal(offset, 6);
    alternate.col_step = 2;
    assert_false(laser_site_part(&turned, &alternate, room, &part, &offset));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_of_a_fused_weight_has_its_own_rows),
        cmocka_unit_test(parts_in_blocks_are_put_together),
        cmocka_unit_test(parts_stored_as_columns_are_found),
        cmocka_unit_test(exact_sums_do_not_depend_on_the_order),
        cmocka_unit_test(a_unit_is_a_power_of_two_and_small),
        cmocka_unit_test(exact_sums_say_when_they_are_not),
        cmocka_unit_test(float_terms_add_up_as_double_ones),
        cmocka_unit_test(the_diagonal_step_divides_by_the_damped_information),
        cmocka_unit_test(the_block_step_solves_the_damped_system),
        cmocka_unit_test(a_scaled_step_takes_only_the_shape_of_the_information),
        cmocka_unit_test(equal_values_move_together),
        cmocka_unit_test(the_choice_of_vectors_of_equal_values_does_not_matter),
        cmocka_unit_test(equal_values_share_what_a_token_says),
        cmocka_unit_test(a_value_of_zero_stays),
        cmocka_unit_test(no_information_gives_no_step),
        cmocka_unit_test(information_that_is_not_finite_is_an_error),
        cmocka_unit_test(a_prediction_is_linear_plus_half_the_square),
        cmocka_unit_test(moved_values_stay_above_zero_and_may_only_shrink),
        cmocka_unit_test(the_error_of_a_gradient_is_that_of_a_sum_over_windows),
        cmocka_unit_test(a_line_search_stops_between_two_that_are_worse),
        cmocka_unit_test(a_line_search_goes_on_where_the_longest_is_best),
        cmocka_unit_test(a_line_search_shortens_what_is_too_long),
        cmocka_unit_test(a_step_that_harms_a_guard_is_shortened),
        cmocka_unit_test(a_gain_within_the_error_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
