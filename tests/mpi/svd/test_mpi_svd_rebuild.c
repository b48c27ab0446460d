#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden/grid_rebuild.h"
#include "mpi/grid/testing_grid.h"
#include "svd/rebuild.h"
#include "svd/values.h"

struct shape {
    int nprow, npcol, nb; /* 0: chosen */
};

static const struct shape chosen = {0, 0, 0};

/* The whole W' on every rank. */
static struct stored *rebuilt(struct stored *w, const double *ratio, struct shape shape,
                              enum laser_mpi_rebuild_route *route)
{
    struct stored *back = stored_new(w->rows, w->cols, 1);
    struct laser_error err = {0};
    struct spread s;
    int ok;

    memset(back->data, 0, (size_t)(w->rows * w->cols) * sizeof *back->data);
    ok = spread_open(&s, MPI_COMM_WORLD, w, shape.nprow, shape.npcol, shape.nb, &err) == LASER_OK &&
         laser_mpi_svd_rebuild(&s.a, ratio, route, &err) == LASER_OK &&
         laser_mpi_matrix_store(&s.a, stored_write, back, &err) == LASER_OK;
    if (!ok && world_rank() == 0)
        fprintf(stderr, "%s\n", err.text);
    assert_true(all_ranks(ok));
    MPI_Allreduce(MPI_IN_PLACE, back->data, (int)(w->rows * w->cols), MPI_DOUBLE, MPI_SUM, MPI_COMM_WORLD);
    spread_close(&s);
    return back;
}

static double norm(const struct stored *a)
{
    double sum = 0;
    int64_t i;

    for (i = 0; i < a->rows * a->cols; i++)
        sum += a->data[i] * a->data[i];
    return sqrt(sum);
}

static double distance(const struct stored *a, const struct stored *b)
{
    double sum = 0;
    int64_t i;

    for (i = 0; i < a->rows * a->cols; i++)
        sum += (a->data[i] - b->data[i]) * (a->data[i] - b->data[i]);
    return sqrt(sum);
}

static void hard_cut(double *ratio, int64_t side, int64_t k)
{
    int64_t i;

    for (i = 0; i < side; i++)
        ratio[i] = i < k;
}

/* sigma falls linearly from 1 to 0.1; the expectation has the same singular vectors and sigma * ratio. */
static void check(int64_t rows, int64_t cols, const double *ratio, struct shape shape)
{
    int64_t side = rows < cols ? rows : cols, i;
    double *sigma = calloc((size_t)side, sizeof *sigma), error, size;
    struct stored *w, *want, *got;
    enum laser_mpi_rebuild_route route;

    for (i = 0; i < side; i++)
        sigma[i] = 1 - 0.9 * (double)i / (double)side;
    w = stored_with_values(rows, cols, sigma, 3);
    for (i = 0; i < side; i++)
        sigma[i] *= ratio[i];
    want = stored_with_values(rows, cols, sigma, 3);
    got = rebuilt(w, ratio, shape, &route);
    error = distance(got, want);
    size = norm(want);
    if (world_rank() == 0 && !(error <= 1e-12 * (1 + size)))
        fprintf(stderr, "%lld x %lld: error %g of %g\n", (long long)rows, (long long)cols, error, size);
    assert_true(all_ranks(error <= 1e-12 * (1 + size)));
    assert_int_equal(route, LASER_MPI_REBUILD_GRAM);
    free(sigma);
    stored_free(w);
    stored_free(want);
    stored_free(got);
}

static void check_cuts(int64_t rows, int64_t cols)
{
    int64_t side = rows < cols ? rows : cols, k;
    double *ratio = calloc((size_t)side, sizeof *ratio);
    const int64_t cuts[] = {0, 1, 2, side / 3, side / 2, side - side / 3, side - 1, side};
    size_t i;

    for (i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        k = cuts[i] < 0 ? 0 : cuts[i] > side ? side : cuts[i];
        hard_cut(ratio, side, k);
        check(rows, cols, ratio, chosen);
    }
    free(ratio);
}

static void test_hard_cuts_equal_the_truncated_expansion(void **state)
{
    (void)state;
    check_cuts(48, 48);
    check_cuts(30, 75);
    check_cuts(75, 30);
    check_cuts(20, 200);
}

static void test_cuts_of_tiny_matrices_and_vectors_are_right(void **state)
{
    int64_t n;

    (void)state;
    for (n = 1; n <= 5; n++) {
        check_cuts(1, n);
        check_cuts(n, 1);
        check_cuts(n, n + 1);
        check_cuts(n, n);
    }
}

static void test_every_grid_gives_the_same_matrix(void **state)
{
    double ratio[40];
    int size = world_size(), p;

    (void)state;
    for (p = 1; p <= size; p++) {
        hard_cut(ratio, 40, 9);
        check(40, 66, ratio, (struct shape){p, size / p, 8});
        check(66, 40, ratio, (struct shape){p, 1, 16});
        hard_cut(ratio, 40, 33);
        check(40, 66, ratio, (struct shape){1, p, 64});
        check(66, 40, ratio, (struct shape){p, size / p, 7});
    }
    check(40, 40, ratio, (struct shape){1, 1, 8});
}

static void test_shrinkage_scales_each_singular_value_by_its_own_ratio(void **state)
{
    double ratio[33];
    int i;

    (void)state;
    for (i = 0; i < 33; i++)
        ratio[i] = 1.0 / (1 + i);
    check(33, 50, ratio, chosen);
    for (i = 0; i < 33; i++)
        ratio[i] = i < 10 ? 1 - 0.01 * i : 0;
    check(50, 33, ratio, chosen);
    for (i = 0; i < 33; i++)
        ratio[i] = i < 25 ? 1 : 0.5;
    check(33, 50, ratio, chosen);
    ratio[3] = 1.5;
    ratio[4] = -1;
    check(50, 33, ratio, chosen);
}

static void test_no_change_keeps_every_bit(void **state)
{
    struct stored *w = stored_new(31, 20, 9), *got;
    double ratio[20];

    (void)state;
    hard_cut(ratio, 20, 20);
    got = rebuilt(w, ratio, chosen, NULL);
    assert_true(all_ranks(memcmp(got->data, w->data, 31 * 20 * sizeof(double)) == 0));
    stored_free(w);
    stored_free(got);
}

static void test_small_matrix_agrees_with_numpy(void **state)
{
    struct stored *w = stored_new(GOLDEN_ROWS, GOLDEN_COLS, 0), *got;
    double ratio[GOLDEN_COLS], sigma[GOLDEN_COLS];
    struct laser_error err = {0};
    struct spread s;
    int i, j, close = 1;

    (void)state;
    memcpy(w->data, golden_w, sizeof golden_w);
    for (i = 0; i < GOLDEN_RANKS; i++) {
        hard_cut(ratio, GOLDEN_COLS, golden_k[i]);
        got = rebuilt(w, ratio, chosen, NULL);
        for (j = 0; j < GOLDEN_ROWS * GOLDEN_COLS; j++)
            close &= fabs(got->data[j] - golden_wk[i][j]) < 1e-13;
        stored_free(got);
    }
    assert_true(all_ranks(close));
    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK));
    assert_true(all_ranks(laser_mpi_svd_gram(&s.a, sigma, &err) == LASER_OK));
    for (i = 0; i < GOLDEN_COLS; i++)
        close &= fabs(sigma[i] - golden_sigma[i]) < 1e-13;
    assert_true(all_ranks(close));
    spread_close(&s);
    stored_free(w);
}

/* Where the cut falls between equal singular values, W_k is not unique; it must be one of the best ones: the
 * residual has the norm of what was cut, and is orthogonal to W_k. */
static void test_a_cut_between_equal_values_is_a_best_approximation(void **state)
{
    double sigma[30], ratio[30], dot = 0;
    enum laser_mpi_rebuild_route route;
    struct stored *w, *got;
    int64_t i;

    (void)state;
    for (i = 0; i < 30; i++)
        sigma[i] = 1;
    hard_cut(ratio, 30, 12);
    w = stored_with_values(30, 41, sigma, 5);
    got = rebuilt(w, ratio, chosen, &route);
    for (i = 0; i < 30 * 41; i++)
        dot += got->data[i] * (w->data[i] - got->data[i]);
    assert_true(all_ranks(fabs(dot) < 1e-12));
    assert_true(all_ranks(fabs(distance(w, got) - sqrt(18)) < 1e-12));
    assert_true(all_ranks(fabs(norm(got) - sqrt(12)) < 1e-12));
    assert_int_equal(route, LASER_MPI_REBUILD_GRAM);
    stored_free(w);
    stored_free(got);
}

static void ill_conditioned(int64_t rows, int64_t cols)
{
    double sigma[20], ratio[20];
    enum laser_mpi_rebuild_route route;
    struct stored *w, *want, *got;
    int i;

    /* The cut falls into a gap of 1e-9: the squares hold it to three digits only. */
    for (i = 0; i < 20; i++)
        sigma[i] = i == 0 ? 1 : i < 10 ? 1e-4 * (1 + 1e-5 + 0.1 * (9 - i)) : 1e-4 / (1 + 0.1 * (i - 10));
    hard_cut(ratio, 20, 10);
    w = stored_with_values(rows, cols, sigma, 5);
    for (i = 10; i < 20; i++)
        sigma[i] = 0;
    want = stored_with_values(rows, cols, sigma, 5);
    got = rebuilt(w, ratio, chosen, &route);
    assert_int_equal(route, LASER_MPI_REBUILD_GESVD);
    assert_true(all_ranks(distance(got, want) < 1e-9));
    stored_free(w);
    stored_free(want);
    stored_free(got);
}

static void test_a_gap_lost_in_the_squares_goes_to_gesvd(void **state)
{
    (void)state;
    ill_conditioned(20, 20);
    ill_conditioned(20, 55);
    ill_conditioned(55, 20);
}

static void test_deficient_zero_tiny_and_huge_matrices_are_cut(void **state)
{
    const double scales[] = {0, 1e-30, 1e30, 1e-250, 1e250};
    int i, s;

    (void)state;
    for (s = 0; s < 5; s++) {
        double sigma[24], ratio[24];
        struct stored *w, *want, *got;

        for (i = 0; i < 24; i++)
            sigma[i] = i < 10 ? scales[s] / (1 + i) : 0;
        w = stored_with_values(24, 37, sigma, 5);
        for (i = 6; i < 24; i++)
            sigma[i] = 0;
        want = stored_with_values(24, 37, sigma, 5);
        hard_cut(ratio, 24, 6);
        got = rebuilt(w, ratio, chosen, NULL);
        for (i = 0; i < 24 * 37 && scales[s] > 0; i++) {
            got->data[i] /= scales[s];
            want->data[i] /= scales[s];
        }
        assert_true(all_ranks(distance(got, want) < 1e-12));
        stored_free(got);
        /* Beyond the rank nothing is cut but rounding. */
        hard_cut(ratio, 24, 17);
        got = rebuilt(w, ratio, chosen, NULL);
        for (i = 0; i < 24 * 37 && scales[s] > 0; i++) {
            got->data[i] /= scales[s];
            w->data[i] /= scales[s];
        }
        assert_true(all_ranks(distance(got, w) < 1e-12));
        stored_free(w);
        stored_free(want);
        stored_free(got);
    }
}

static void test_a_ratio_that_is_no_number_is_refused(void **state)
{
    struct stored *w = stored_new(6, 4, 9);
    double ratio[4] = {1, NAN, 0, 0};
    struct laser_error err = {0};
    struct spread s;

    (void)state;
    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK));
    assert_true(all_ranks(laser_mpi_svd_rebuild(&s.a, ratio, NULL, &err) == LASER_ENUMERIC));
    assert_true(same_on_all(&err, sizeof err));
    spread_close(&s);
    stored_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_hard_cuts_equal_the_truncated_expansion),
    cmocka_unit_test(test_cuts_of_tiny_matrices_and_vectors_are_right),
    cmocka_unit_test(test_every_grid_gives_the_same_matrix),
    cmocka_unit_test(test_shrinkage_scales_each_singular_value_by_its_own_ratio),
    cmocka_unit_test(test_no_change_keeps_every_bit),
    cmocka_unit_test(test_small_matrix_agrees_with_numpy),
    cmocka_unit_test(test_a_cut_between_equal_values_is_a_best_approximation),
    cmocka_unit_test(test_a_gap_lost_in_the_squares_goes_to_gesvd),
    cmocka_unit_test(test_deficient_zero_tiny_and_huge_matrices_are_cut),
    cmocka_unit_test(test_a_ratio_that_is_no_number_is_refused),
};

GRID_MAIN(tests)
