/* The Gram route on matrices whose singular values are known. */
#include "testing_linalg.h"

#include "linalg/gram.h"
#include "linalg/sturm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Adds a in slabs of `count` and returns the values. */
static void values_by_slabs(const double *a, int64_t rows, int64_t columns, int64_t count,
                            enum laser_stages stages, double *s)
{
    struct laser_gram gram;
    int64_t total = rows >= columns ? rows : columns, n = rows < columns ? rows : columns;
    double *slab = malloc((size_t)(count * n) * sizeof *slab);
    assert_non_null(slab);
    assert_int_equal(laser_gram_init(&gram, rows, columns, NULL), LASER_OK);
    for (int64_t first = 0; first < total; first += count) {
        int64_t here = total - first < count ? total - first : count;
        copy_slab(a, rows, columns, first, here, slab);
        assert_int_equal(laser_gram_add(&gram, slab, here, NULL), LASER_OK);
    }
    assert_int_equal(laser_gram_values(&gram, stages, s, NULL), LASER_OK);
    laser_gram_free(&gram);
    free(slab);
}

static void check(int64_t rows, int64_t columns, double top, double bottom, double scale,
                  enum laser_stages stages)
{
    int64_t n = rows < columns ? rows : columns;
    double *s = calloc((size_t)n, sizeof *s), *found = malloc((size_t)n * sizeof *found);
    assert_true(s != NULL && found != NULL);
    for (int64_t i = 0; i < n; i++)
        s[i] = n == 1 ? top : top * pow(bottom / top, (double)i / (double)(n - 1));
    double *a = known_matrix(rows, columns, s, scale);
    values_by_slabs(a, rows, columns, 37, stages, found);
    for (int64_t i = 0; i < n; i++) {
        double tolerance = (s[i] > 1e-5 * s[0] ? 1e-10 : 2e-8) * s[0];
        if (!(fabs(found[i] / scale - s[i]) <= tolerance))
            fail_msg("%lld x %lld: S[%lld] = %.17g, expected %.17g", (long long)rows, (long long)columns,
                     (long long)i, found[i] / scale, s[i]);
    }
    free(a);
    free(s);
    free(found);
}

static void tall_and_wide_matrices(void **state)
{
    (void)state;
    check(90, 40, 1, 0.01, 1, LASER_STAGES_AUTO);
    check(40, 90, 1, 0.01, 1, LASER_STAGES_AUTO);
    check(400, 400, 3, 1e-3, 1, LASER_STAGES_TWO);
}

static void single_rows_and_columns(void **state)
{
    (void)state;
    check(1, 1, 5, 5, 1, LASER_STAGES_AUTO);
    check(1, 200, 5, 5, 1, LASER_STAGES_AUTO);
    check(200, 1, 5, 5, 1, LASER_STAGES_AUTO);
    check(2, 3, 5, 1, 1, LASER_STAGES_AUTO);
}

static void two_stages_at_every_size_around_the_bandwidth(void **state)
{
    static const int sizes[] = {1,   2,   3,   63,  64,  65,  66,  67,  127,
                                128, 129, 130, 191, 192, 193, 200, 257, 300};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        check(sizes[i], sizes[i] + 5, 1, 1e-3, 1, LASER_STAGES_TWO);
}

static void ill_conditioned_matrices(void **state)
{
    (void)state;
    check(150, 300, 1, 1e-8, 1, LASER_STAGES_ONE);
    check(150, 300, 1, 1e-8, 1, LASER_STAGES_TWO);
    check(150, 300, 1, 1e-14, 1, LASER_STAGES_TWO);
}

static void tiny_and_huge_matrices(void **state)
{
    (void)state;
    check(80, 60, 1, 1e-2, 1e-30, LASER_STAGES_AUTO);
    check(80, 60, 1, 1e-2, 1e30, LASER_STAGES_AUTO);
    check(80, 60, 1, 1e-2, 1e-170, LASER_STAGES_AUTO);
    check(60, 80, 1, 1e-2, 1e200, LASER_STAGES_TWO);
    check(80, 60, 1, 1e-2, 1e-300, LASER_STAGES_AUTO);
}

static void rank_deficiency_shows_as_zeros(void **state)
{
    enum { ROWS = 200, COLUMNS = 170, RANK = 100 };
    double s[COLUMNS], found[COLUMNS];
    (void)state;
    for (int stages = LASER_STAGES_ONE; stages <= LASER_STAGES_TWO; stages++) {
        for (int i = 0; i < COLUMNS; i++)
            s[i] = i < RANK ? 1 - 0.005 * i : 0;
        double *a = known_matrix(ROWS, COLUMNS, s, 1);
        values_by_slabs(a, ROWS, COLUMNS, 64, (enum laser_stages)stages, found);
        for (int i = 0; i < COLUMNS; i++)
            assert_true(fabs(found[i] - s[i]) <= (i < RANK ? 1e-10 : 2e-8));
        free(a);
    }
}

static void zero_matrix(void **state)
{
    double s[90], *a = calloc(90 * 100, sizeof *a);
    (void)state;
    assert_non_null(a);
    for (int stages = LASER_STAGES_ONE; stages <= LASER_STAGES_TWO; stages++) {
        values_by_slabs(a, 90, 100, 7, (enum laser_stages)stages, s);
        for (int i = 0; i < 90; i++)
            assert_true(s[i] == 0);
    }
    free(a);
}

static void scale_follows_larger_entries_exactly(void **state)
{
    /* one row after another, each far larger than all before */
    double rows[][2] = {{0, 0}, {1e-200, 0}, {0, 3e-180}, {1e-5, 0}, {0, 4}, {3e200, 0}, {0, 5e200}};
    struct laser_gram gram;
    double s[2];
    (void)state;
    assert_int_equal(laser_gram_init(&gram, 7, 2, NULL), LASER_OK);
    for (int i = 0; i < 7; i++)
        assert_int_equal(laser_gram_add(&gram, rows[i], 1, NULL), LASER_OK);
    assert_int_equal(laser_gram_values(&gram, LASER_STAGES_AUTO, s, NULL), LASER_OK);
    assert_true(fabs(s[0] / 5e200 - 1) < 1e-15 && fabs(s[1] / 3e200 - 1) < 1e-15);
    laser_gram_free(&gram);
}

static void not_a_number_is_named_with_its_place(void **state)
{
    double tall[12] = {0}, wide[12] = {0};
    struct laser_gram gram;
    struct laser_error err;
    (void)state;
    assert_int_equal(laser_gram_init(&gram, 6, 4, NULL), LASER_OK);
    assert_int_equal(laser_gram_add(&gram, tall, 3, &err), LASER_OK);
    tall[6] = NAN;
    assert_int_equal(laser_gram_add(&gram, tall, 3, &err), LASER_ENUMERIC);
    assert_string_equal(err.text, "entry [4, 2] is NaN");
    laser_gram_free(&gram);
    assert_int_equal(laser_gram_init(&gram, 4, 6, NULL), LASER_OK);
    assert_int_equal(laser_gram_add(&gram, wide, 3, &err), LASER_OK);
    wide[11] = -INFINITY;
    assert_int_equal(laser_gram_add(&gram, wide, 3, &err), LASER_ENUMERIC);
    assert_string_equal(err.text, "entry [3, 5] is infinite");
    laser_gram_free(&gram);
}

static void missing_and_surplus_rows_are_refused(void **state)
{
    double rows[6] = {1, 2, 3, 4, 5, 6}, s[2];
    struct laser_gram gram;
    (void)state;
    assert_int_equal(laser_gram_init(&gram, 3, 2, NULL), LASER_OK);
    assert_int_equal(laser_gram_add(&gram, rows, 2, NULL), LASER_OK);
    assert_int_equal(laser_gram_values(&gram, LASER_STAGES_AUTO, s, NULL), LASER_EINTERNAL);
    assert_int_equal(laser_gram_add(&gram, rows, 2, NULL), LASER_EINTERNAL);
    laser_gram_free(&gram);
    assert_int_equal(laser_gram_init(&gram, 0, 2, NULL), LASER_EINPUT);
}

/* 2 - 2 cos: the eigenvalues of the second difference are known. */
static void tridiagonal_values_are_right_to_the_last_digits(void **state)
{
    static const int sizes[] = {1, 2, 3, 7, 33, 100, 1000};
    static double d[1000], e[1000];
    (void)state;
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        int n = sizes[k];
        for (int i = 0; i < n; i++) {
            d[i] = 2;
            e[i] = i % 2 ? 1 : -1;
        }
        assert_int_equal(laser_tridiagonal_values(n, d, e, NULL), LASER_OK);
        for (int i = 0; i < n; i++) {
            double half = sin(M_PI * (i + 1) / (2. * (n + 1)));
            if (!(fabs(d[i] - 4 * half * half) <= 4e-15))
                fail_msg("n = %d: value %d off by %g", n, i, d[i] - 4 * half * half);
        }
    }
}

static void tridiagonal_values_of_uncoupled_and_equal_blocks(void **state)
{
    double d[90], e[90];
    (void)state;
    for (int i = 0; i < 90; i++) { /* thirty blocks [[0 1][1 0]], [2] and couplings of 0 */
        d[i] = i % 3 == 2 ? 2 : 0;
        e[i] = i % 3 == 0 ? 1 : 0;
    }
    assert_int_equal(laser_tridiagonal_values(90, d, e, NULL), LASER_OK);
    for (int i = 0; i < 90; i++)
        assert_true(fabs(d[i] - (i < 30 ? -1 : i < 60 ? 1 : 2)) <= 1e-15);
    for (int i = 0; i < 90; i++)
        d[i] = e[i] = 0;
    assert_int_equal(laser_tridiagonal_values(90, d, e, NULL), LASER_OK);
    for (int i = 0; i < 90; i++)
        assert_true(fabs(d[i]) <= 1e-17);
}

static void tridiagonal_values_keep_graded_and_extreme_scales(void **state)
{
    double d[60], e[60];
    (void)state;
    for (int i = 0; i < 60; i++) {
        d[i] = 1e200 * pow(10, -0.25 * i);
        e[i] = 0;
    }
    assert_int_equal(laser_tridiagonal_values(60, d, e, NULL), LASER_OK);
    for (int i = 0; i < 60; i++)
        assert_true(fabs(d[59 - i] - 1e200 * pow(10, -0.25 * i)) <=
                    3e-16 * 1e200 * pow(10, -0.25 * i) + 1e183);
}

static void huge_entries_after_large_ones_keep_both(void **state)
{
    /* 1e90 needs no scaling, 1e91 does: what was added before is scaled by its square. */
    const double a[] = {1e90, 0, 0, 1e91, 0, 0};
    double s[2];

    (void)state;
    values_by_slabs(a, 3, 2, 1, LASER_STAGES_AUTO, s);
    assert_float_equal(s[0] / 1e91, 1, 1e-12);
    assert_float_equal(s[1] / 1e90, 1, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tridiagonal_values_are_right_to_the_last_digits),
        cmocka_unit_test(tridiagonal_values_of_uncoupled_and_equal_blocks),
        cmocka_unit_test(tridiagonal_values_keep_graded_and_extreme_scales),
        cmocka_unit_test(tall_and_wide_matrices),
        cmocka_unit_test(single_rows_and_columns),
        cmocka_unit_test(two_stages_at_every_size_around_the_bandwidth),
        cmocka_unit_test(ill_conditioned_matrices),
        cmocka_unit_test(tiny_and_huge_matrices),
        cmocka_unit_test(rank_deficiency_shows_as_zeros),
        cmocka_unit_test(zero_matrix),
        cmocka_unit_test(scale_follows_larger_entries_exactly),
        cmocka_unit_test(not_a_number_is_named_with_its_place),
        cmocka_unit_test(missing_and_surplus_rows_are_refused),
        cmocka_unit_test(huge_entries_after_large_ones_keep_both),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
