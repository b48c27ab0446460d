#include "testing.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "layout/blockcyclic.h"
#include "testing_grid.h"

/* Load and store on one grid. */
static void roundtrip_on(int64_t rows, int64_t cols, int nb, int p, int q)
{
    struct stored *w = stored_new(rows, cols, 7), *back = stored_new(rows, cols, 8);
    struct laser_error err = {0};
    struct spread s;
    int64_t i;
    int once = 1, equal;

    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, p, q, nb, &err) == LASER_OK));
    assert_true(all_ranks(laser_mpi_matrix_store(&s.a, stored_write, back, &err) == LASER_OK));
    MPI_Allreduce(MPI_IN_PLACE, w->touched, (int)rows, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (i = 0; i < rows; i++)
        once &= w->touched[i] == 1;
    assert_true(all_ranks(once));
    equal = 1;
    for (i = 0; i < rows; i++)
        if (back->touched[i])
            equal &= memcmp(back->data + i * cols, w->data + i * cols, (size_t)cols * sizeof(double)) == 0;
    assert_true(all_ranks(equal));
    MPI_Allreduce(MPI_IN_PLACE, back->touched, (int)rows, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
    for (i = 0; i < rows; i++)
        once &= back->touched[i] == 1;
    assert_true(all_ranks(once));
    spread_close(&s);
    stored_free(w);
    stored_free(back);
}

/* On every grid of the world. */
static void roundtrip(int64_t rows, int64_t cols, int nb)
{
    int p, q;

    for (p = 1; p <= world_size(); p++)
        for (q = 1; p * q <= world_size(); q++)
            roundtrip_on(rows, cols, nb, p, q);
}

static void test_rows_are_read_once_and_come_back_as_they_were(void **state)
{
    (void)state;
    roundtrip(37, 23, 4);
    roundtrip(23, 37, 8);
    roundtrip(64, 64, 16);
}

static void test_matrices_smaller_than_a_block_or_the_grid_come_back(void **state)
{
    (void)state;
    roundtrip(1, 1, 8);
    roundtrip(1, 40, 8);
    roundtrip(40, 1, 8);
    roundtrip(3, 2, 64);
}

static void test_slabs_of_several_rounds_come_back(void **state)
{
    (void)state;
    /* 16 MiB a slab: two rows of 2^20 float64, so several rounds on a few ranks. */
    roundtrip_on(11, 1 << 20, 64, 1, world_size());
    roundtrip_on(11, 1 << 20, 64, world_size(), 1);
}

static void test_elements_lie_where_scalapack_expects_them(void **state)
{
    struct stored *w = stored_new(19, 31, 3);
    struct laser_error err = {0};
    struct spread s;
    int i, j, right = 1;

    (void)state;
    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 1, world_size(), 4, &err) == LASER_OK));
    assert_int_equal(s.a.m, 31);
    assert_int_equal(s.a.n, 19);
    for (j = 0; j < s.a.nloc; j++)
        for (i = 0; i < s.a.mloc; i++)
            right &= s.a.a[(size_t)j * (size_t)s.a.lld + (size_t)i] ==
                     w->data[laser_layout_global(j, 4, s.grid.mycol, world_size()) * 31 + i];
    assert_true(all_ranks(right));
    spread_close(&s);
    stored_free(w);
}

static void test_an_unreadable_row_is_the_same_error_on_every_rank(void **state)
{
    struct laser_error err;
    struct spread s;
    int64_t row;

    (void)state;
    for (row = 0; row < 9; row++) {
        struct stored *w = stored_new(9, 5, 3);

        memset(&err, 0, sizeof err);
        w->fail_row = row;
        assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_EIO));
        assert_true(same_on_all(&err, sizeof err));
        assert_string_equal(err.where, "weights.bin");
        stored_free(w);
    }
}

static void test_a_row_that_cannot_be_written_is_the_same_error_on_every_rank(void **state)
{
    struct stored *w = stored_new(9, 5, 3);
    struct laser_error err = {0};
    struct spread s;

    (void)state;
    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_OK));
    w->fail_row = 8;
    assert_true(all_ranks(laser_mpi_matrix_store(&s.a, stored_write, w, &err) == LASER_EIO));
    assert_true(same_on_all(&err, sizeof err));
    spread_close(&s);
    stored_free(w);
}

static void test_nan_and_infinity_are_refused_with_their_place(void **state)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    struct laser_error err;
    struct spread s;
    int b;

    (void)state;
    for (b = 0; b < 3; b++) {
        struct stored *w = stored_new(9, 5, 3);

        memset(&err, 0, sizeof err);
        w->data[8 * 5 + 4] = bad[b];
        assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 0, &err) == LASER_ENUMERIC));
        assert_true(same_on_all(&err, sizeof err));
        assert_string_equal(err.where, "layers.0.weight");
        assert_non_null(strstr(err.text, "row 8, column 4"));
        assert_non_null(strstr(err.text, b == 0 ? "NaN" : "infinite"));
        stored_free(w);
    }
}

static void test_sides_beyond_scalapack_and_grids_beyond_the_group_are_refused(void **state)
{
    struct laser_error err = {0};
    struct laser_mpi_grid grid;
    struct laser_mpi_matrix a;

    (void)state;
    assert_int_equal(laser_mpi_grid_create(MPI_COMM_WORLD, 1, world_size() + 1, &grid, &err), LASER_EUSAGE);
    assert_int_equal(laser_mpi_grid_create(MPI_COMM_WORLD, 0, 1, &grid, &err), LASER_EUSAGE);
    assert_int_equal(laser_mpi_grid_create(MPI_COMM_WORLD, 1, 1, &grid, &err), LASER_OK);
    assert_int_equal(laser_mpi_matrix_create(&grid, "big", 1LL << 31, 1, 64, &a, &err), LASER_EINPUT);
    assert_int_equal(laser_mpi_matrix_create(&grid, "empty", 0, 1, 64, &a, &err), LASER_EINPUT);
    assert_int_equal(laser_mpi_matrix_create(&grid, "big", 100000, 100000, 64, &a, &err), LASER_ENOMEM);
    assert_non_null(strstr(err.text, "more ranks"));
    assert_true(same_on_all(&err, sizeof err));
    laser_mpi_grid_free(&grid);
}

static void test_thousands_of_grids_leave_no_context_and_no_communicator_behind(void **state)
{
    struct laser_error err = {0};
    struct laser_mpi_grid grid;
    int i, first_context = -1, first_comm = -1, ok = 1;
    MPI_Comm group, probe;

    (void)state;
    MPI_Comm_split(MPI_COMM_WORLD, world_rank() % 2, world_rank(), &group);
    for (i = 0; i < 5000 && ok; i++) {
        int size, comm;

        MPI_Comm_size(group, &size);
        /* With and without a rank that idles. */
        ok = laser_mpi_grid_create(group, 1, i % 2 && size > 1 ? size - 1 : size, &grid, &err) == LASER_OK;
        if (i % 1000 == 0) {
            /* Handles of freed communicators are given out again: a leak shows as a growing number. */
            MPI_Comm_dup(group, &probe);
            comm = MPI_Comm_c2f(probe);
            MPI_Comm_free(&probe);
            if (i == 0) {
                first_context = grid.context;
                first_comm = comm;
            }
            ok &= grid.context == first_context && comm == first_comm;
        }
        laser_mpi_grid_free(&grid);
    }
    MPI_Comm_free(&group);
    assert_true(all_ranks(ok));
}

/* What was computed, not read: on the last rank that has an element. */
static void test_an_element_that_became_nan_is_named_by_every_rank(void **state)
{
    struct stored *w = stored_new(12, 10, 5);
    struct spread s;
    struct laser_error err = {0};
    double largest;
    int last, mine;

    (void)state;
    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 2, &err) == LASER_OK));
    assert_true(all_ranks(laser_mpi_matrix_maxabs(&s.a, &largest, &err) == LASER_OK));
    mine = s.a.a != NULL ? world_rank() : -1;
    MPI_Allreduce(&mine, &last, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD);
    if (last == world_rank())
        s.a.a[0] = NAN;
    assert_true(all_ranks(laser_mpi_matrix_maxabs(&s.a, &largest, &err) == LASER_ENUMERIC));
    assert_non_null(strstr(err.text, "NaN"));
    spread_close(&s);
    stored_free(w);
}

static void test_a_matrix_is_scaled_by_a_power_of_two(void **state)
{
    struct stored *w = stored_new(12, 10, 6);
    struct spread s;
    struct laser_error err = {0};
    double before, after;

    (void)state;
    assert_true(all_ranks(spread_open(&s, MPI_COMM_WORLD, w, 0, 0, 2, &err) == LASER_OK));
    assert_true(all_ranks(laser_mpi_matrix_maxabs(&s.a, &before, &err) == LASER_OK));
    laser_mpi_matrix_scale(&s.a, 11);
    assert_true(all_ranks(laser_mpi_matrix_maxabs(&s.a, &after, &err) == LASER_OK));
    assert_true(after == 2048 * before);
    laser_mpi_matrix_scale(&s.a, -11);
    assert_true(all_ranks(laser_mpi_matrix_maxabs(&s.a, &after, &err) == LASER_OK));
    assert_true(after == before);
    spread_close(&s);
    stored_free(w);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_rows_are_read_once_and_come_back_as_they_were),
    cmocka_unit_test(test_matrices_smaller_than_a_block_or_the_grid_come_back),
    cmocka_unit_test(test_slabs_of_several_rounds_come_back),
    cmocka_unit_test(test_elements_lie_where_scalapack_expects_them),
    cmocka_unit_test(test_an_unreadable_row_is_the_same_error_on_every_rank),
    cmocka_unit_test(test_a_row_that_cannot_be_written_is_the_same_error_on_every_rank),
    cmocka_unit_test(test_nan_and_infinity_are_refused_with_their_place),
    cmocka_unit_test(test_sides_beyond_scalapack_and_grids_beyond_the_group_are_refused),
    cmocka_unit_test(test_thousands_of_grids_leave_no_context_and_no_communicator_behind),
    cmocka_unit_test(test_an_element_that_became_nan_is_named_by_every_rank),
    cmocka_unit_test(test_a_matrix_is_scaled_by_a_power_of_two),
};

GRID_MAIN(tests)
