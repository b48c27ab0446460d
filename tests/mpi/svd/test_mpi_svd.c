#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mpi/grid/testing_grid.h"
#include "svd/values.h"

enum spectrum { FLAT, DECAY, ILL, DEFICIENT, ZERO, OUTLIER };

static double *make_sigma(int64_t side, enum spectrum kind, double scale)
{
    double *s = calloc((size_t)side, sizeof *s);
    int64_t i;

    for (i = 0; i < side; i++) {
        double x = side > 1 ? (double)i / (double)(side - 1) : 0;

        switch (kind) {
        case FLAT:
            s[i] = 1;
            break;
        case DECAY:
            s[i] = 1 - 0.9 * x;
            break;
        case ILL:
            s[i] = pow(10, -12 * x);
            break;
        case DEFICIENT:
            s[i] = 2 * i < side ? 1 - x : 0;
            break;
        case OUTLIER:
            s[i] = i == 0 ? 1e6 : 1 - 0.5 * x;
            break;
        case ZERO:
            break;
        }
        s[i] *= scale;
    }
    return s;
}

/* Worst error over S[0]: where S > 1e-5 S[0], and below. */
struct errors {
    double large, small;
};

static struct errors compare(const double *got, const double *want, int64_t side)
{
    struct errors e = {0, 0};
    int64_t i;

    for (i = 0; i < side; i++) {
        double d = fabs(got[i] - want[i]) / (want[0] > 0 ? want[0] : 1);

        if (!(got[i] >= 0) || (i > 0 && got[i] > got[i - 1]))
            d = INFINITY;
        if (want[i] > 1e-5 * want[0])
            e.large = fmax(e.large, d);
        else
            e.small = fmax(e.small, d);
    }
    return e;
}

static void check(int64_t rows, int64_t cols, enum spectrum kind, double scale, int nprow, int npcol, int nb)
{
    int64_t side = rows < cols ? rows : cols;
    double *want = make_sigma(side, kind, scale), *got = calloc((size_t)side, sizeof *got);
    struct stored *w = stored_with_values(rows, cols, want, 11);
    struct laser_error err = {0};
    struct errors gram, gesvd;
    struct spread s;
    int gram_ok, gesvd_ok;

    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, nprow, npcol, nb, &err) == LASER_OK));
    gram_ok = laser_mpi_svd_gram(&s.a, got, &err) == LASER_OK;
    gram = compare(got, want, side);
    gram_ok = all_ranks(gram_ok && gram.large <= 1e-10 && gram.small <= 2e-8) &&
              same_on_all(got, (size_t)side * sizeof *got);
    gesvd_ok = laser_mpi_svd_gesvd(&s.a, got, &err) == LASER_OK;
    gesvd = compare(got, want, side);
    gesvd_ok = all_ranks(gesvd_ok && gesvd.large <= 1e-12 && gesvd.small <= 1e-12) &&
               same_on_all(got, (size_t)side * sizeof *got);
    if (world_rank() == 0 && !(gram_ok && gesvd_ok))
        fprintf(stderr,
                "%lld x %lld, spectrum %d, scale %g, grid %d x %d, nb %d: gram %g %g, gesvd %g %g (%s)\n",
                (long long)rows, (long long)cols, (int)kind, scale, s.grid.nprow, s.grid.npcol, s.a.nb,
                gram.large, gram.small, gesvd.large, gesvd.small, err.text);
    assert_true(gram_ok);
    assert_true(gesvd_ok);
    spread_close(&s);
    stored_free(w);
    free(want);
    free(got);
}

static void check_spectra(int64_t rows, int64_t cols)
{
    enum spectrum kind;

    for (kind = FLAT; kind <= OUTLIER; kind++)
        check(rows, cols, kind, 1, 0, 0, 0);
}

static void test_square_wide_tall_and_long_matrices_keep_their_values(void **state)
{
    (void)state;
    check_spectra(96, 96);
    check_spectra(60, 90);
    check_spectra(90, 60);
    check_spectra(40, 300);
    check_spectra(300, 40);
}

static void test_vectors_and_tiny_matrices_keep_their_values(void **state)
{
    int64_t n;

    (void)state;
    for (n = 1; n <= 9; n++) {
        check(1, n, DECAY, 1, 0, 0, 0);
        check(n, 1, DECAY, 1, 0, 0, 0);
        check(n, n + 1, DECAY, 1, 0, 0, 0);
        check(n, n, DECAY, 1, 0, 0, 0);
    }
    check(1, 500, FLAT, 3, 0, 0, 0);
    check(500, 1, FLAT, 3, 0, 0, 0);
}

static void test_empty_ranks_and_blocks_larger_than_the_matrix_do_no_harm(void **state)
{
    int size = world_size(), p;

    (void)state;
    for (p = 1; p <= size; p++) {
        check(50, 30, DECAY, 1, p, 1, 64);
        check(50, 30, DECAY, 1, 1, p, 64);
        check(30, 50, DECAY, 1, p, size / p, 16);
        check(5, 3, DECAY, 1, p, size / p, 64);
        check(3, 70, DECAY, 1, p, size / p, 8);
    }
    check(40, 40, DECAY, 1, 1, 1, 8);
}

static void test_tiny_and_huge_scales_lose_nothing(void **state)
{
    const double scales[] = {1e-30, 1e30, 1e-300, 1e300, 1e-160, 1e160};
    int i;

    (void)state;
    for (i = 0; i < 6; i++) {
        check(50, 40, DECAY, scales[i], 0, 0, 0);
        check(20, 90, DEFICIENT, scales[i], 0, 0, 0);
    }
}

static void test_gram_leaves_the_matrix_as_it_was(void **state)
{
    struct stored *w = stored_new(33, 21, 5), *back = stored_new(33, 21, 6);
    struct laser_error err = {0};
    struct spread s;
    double sigma[21];
    int64_t i;
    int equal = 1;

    (void)state;
    for (i = 0; i < 33 * 21; i++)
        w->data[i] *= 1e-200;
    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK));
    assert_true(all_ranks(laser_mpi_svd_gram(&s.a, sigma, &err) == LASER_OK));
    assert_true(all_ranks(laser_mpi_matrix_store(&s.a, stored_write, back, &err) == LASER_OK));
    for (i = 0; i < 33; i++)
        if (back->touched[i])
            equal &= memcmp(back->data + i * 21, w->data + i * 21, 21 * sizeof(double)) == 0;
    assert_true(all_ranks(equal));
    spread_close(&s);
    stored_free(w);
    stored_free(back);
}

static void test_the_same_bits_come_out_again(void **state)
{
    struct stored *w = stored_new(90, 70, 5);
    double sigma[4][70];
    int i;

    (void)state;
    for (i = 0; i < 4; i++) {
        struct laser_error err = {0};
        struct spread s;

        assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK));
        assert_true(
            all_ranks((i < 2 ? laser_mpi_svd_gram : laser_mpi_svd_gesvd)(&s.a, sigma[i], &err) == LASER_OK));
        spread_close(&s);
    }
    assert_true(all_ranks(memcmp(sigma[0], sigma[1], sizeof sigma[0]) == 0));
    assert_true(all_ranks(memcmp(sigma[2], sigma[3], sizeof sigma[2]) == 0));
    stored_free(w);
}

static void test_a_nan_fails_on_every_rank_with_the_same_error(void **state)
{
    struct stored *w = stored_new(30, 20, 5);
    double sigma[20];
    int i;

    (void)state;
    for (i = 0; i < 2; i++) {
        struct laser_error err = {0};
        struct spread s;

        assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK));
        if (laser_mpi_grid_active(&s.grid) && s.a.a != NULL && world_rank() == 0)
            s.a.a[0] = i == 0 ? NAN : INFINITY;
        assert_true(all_ranks((i == 0 ? laser_mpi_svd_gram : laser_mpi_svd_gesvd)(&s.a, sigma, &err) ==
                              LASER_ENUMERIC));
        assert_true(same_on_all(&err, sizeof err));
        assert_non_null(strstr(err.text, "row 0, column 0"));
        spread_close(&s);
    }
    stored_free(w);
}

struct verdict {
    int good, calls;
    int64_t count;
};

static int verdict_of(void *context, const double *sigma, int64_t count)
{
    struct verdict *v = context;

    v->calls++;
    v->count = count;
    return v->good && sigma[0] > 0;
}

static void test_auto_goes_to_gesvd_only_where_gram_is_not_enough(void **state)
{
    double *want = make_sigma(30, ILL, 1), sigma[30];
    struct stored *w = stored_with_values(30, 44, want, 5);
    int good;

    (void)state;
    for (good = 0; good < 2; good++) {
        struct verdict v = {.good = good};
        struct laser_error err = {0};
        enum laser_mpi_solver used;
        struct spread s;

        assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK));
        assert_true(all_ranks(laser_mpi_svd_values(&s.a, LASER_MPI_SOLVER_AUTO, verdict_of, &v, sigma, &used,
                                                   &err) == LASER_OK));
        assert_true(all_ranks(used == (good ? LASER_MPI_SOLVER_GRAM : LASER_MPI_SOLVER_GESVD)));
        assert_int_equal(v.calls, world_rank() == 0);
        assert_true(all_ranks(world_rank() != 0 || v.count == 30));
        /* 1e-12 is far below what the squares can hold: only gesvd sees it. */
        assert_true(all_ranks((fabs(sigma[29] - want[29]) < 1e-14) == !good));
        spread_close(&s);
    }
    stored_free(w);
    free(want);
}

static void test_auto_alone_meets_the_tolerance_on_a_deficient_matrix(void **state)
{
    double *want = make_sigma(60, DEFICIENT, 1), sigma[60];
    struct stored *w = stored_with_values(60, 90, want, 11);
    struct laser_error err = {0};
    enum laser_mpi_solver used;
    struct spread s;

    (void)state;
    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK));
    assert_true(all_ranks(laser_mpi_svd_values(&s.a, LASER_MPI_SOLVER_AUTO, NULL, NULL, sigma, &used, &err) ==
                          LASER_OK));
    assert_int_equal(used, LASER_MPI_SOLVER_GESVD);
    assert_true(all_ranks(compare(sigma, want, 60).small < 1e-12));
    spread_close(&s);
    stored_free(w);
    free(want);
}

static void test_groups_work_side_by_side_on_different_matrices(void **state)
{
    int color = world_rank() % 2, ok = 1, i;
    double *want = make_sigma(25, DECAY, color + 1), sigma[25];
    MPI_Comm group;

    (void)state;
    MPI_Comm_split(MPI_COMM_WORLD, color, world_rank(), &group);
    for (i = 0; i < 20; i++) {
        struct stored *w = stored_with_values(25, 25 + color + i, want, (uint64_t)i);
        struct laser_error err = {0};
        struct spread s;

        ok &= spread_open(&s, group, w, 0, 0, 0, &err) == LASER_OK;
        ok &= ok && laser_mpi_svd_gram(&s.a, sigma, &err) == LASER_OK;
        ok &= ok && compare(sigma, want, 25).large < 1e-12;
        spread_close(&s);
        stored_free(w);
    }
    MPI_Comm_free(&group);
    free(want);
    assert_true(all_ranks(ok));
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static long resident_kib(void)
{
    long pages = 0, skipped;
    FILE *f = fopen("/proc/self/statm", "r");

    if (f == NULL)
        return 0;
    if (fscanf(f, "%ld %ld", &skipped, &pages) != 2)
        pages = 0;
    fclose(f);
    return pages * 4;
}

/* pdsyntrd makes contexts of its own, on ranks of its own choice. */
static void test_thousands_of_matrices_leave_nothing_behind(void **state)
{
    const char *many = getenv("LASER_TEST_MATRICES");
    int count = many != NULL ? atoi(many) : 200, i, ok = 1, first_comm = -1, comm = -1;
    struct stored *w = stored_new(12, 30, 5);
    long before_kib = 0;
    double sigma[12];

    (void)state;
    for (i = 0; i < count && ok; i++) {
        struct laser_error err = {0};
        struct spread s;
        MPI_Comm probe;

        ok = spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK &&
             laser_mpi_svd_gram(&s.a, sigma, &err) == LASER_OK &&
             (i % 4 != 0 || laser_mpi_svd_gesvd(&s.a, sigma, &err) == LASER_OK);
        spread_close(&s);
        if (i != count / 4 && i != count - 1)
            continue;
        MPI_Comm_dup(MPI_COMM_WORLD, &probe);
        comm = MPI_Comm_c2f(probe);
        MPI_Comm_free(&probe);
        if (i == count / 4) {
            first_comm = comm;
            before_kib = resident_kib();
        }
    }
    stored_free(w);
    assert_true(all_ranks(ok));
#ifdef OPEN_MPI
    /* It numbers communicators in order; others hand out the number that was given back last. */
    assert_true(all_ranks(comm == first_comm));
#else
    (void)comm;
    (void)first_comm;
#endif
    /* Address sanitizer keeps freed memory. */
    assert_true(SANITIZED || all_ranks(resident_kib() - before_kib < 4096));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_square_wide_tall_and_long_matrices_keep_their_values),
    cmocka_unit_test(test_vectors_and_tiny_matrices_keep_their_values),
    cmocka_unit_test(test_empty_ranks_and_blocks_larger_than_the_matrix_do_no_harm),
    cmocka_unit_test(test_tiny_and_huge_scales_lose_nothing),
    cmocka_unit_test(test_gram_leaves_the_matrix_as_it_was),
    cmocka_unit_test(test_the_same_bits_come_out_again),
    cmocka_unit_test(test_a_nan_fails_on_every_rank_with_the_same_error),
    cmocka_unit_test(test_auto_goes_to_gesvd_only_where_gram_is_not_enough),
    cmocka_unit_test(test_auto_alone_meets_the_tolerance_on_a_deficient_matrix),
    cmocka_unit_test(test_groups_work_side_by_side_on_different_matrices),
    cmocka_unit_test(test_thousands_of_matrices_leave_nothing_behind),
};

GRID_MAIN(tests)
