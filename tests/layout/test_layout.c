#include "testing.h"

#include "layout/blockcyclic.h"
#include "layout/gridshape.h"

static void test_local_and_global_indices_are_inverse(void **state)
{
    int n, nb, p, np;

    (void)state;
    for (n = 1; n < 70; n += 3)
        for (nb = 1; nb < 20; nb += 4)
            for (np = 1; np < 6; np++) {
                int64_t total = 0, g;

                for (p = 0; p < np; p++)
                    total += laser_layout_numroc(n, nb, p, np);
                assert_int_equal(total, n);
                for (g = 0; g < n; g++) {
                    int owner = laser_layout_owner(g, nb, np);
                    int64_t local = laser_layout_local(g, nb, np);

                    assert_true(local < laser_layout_numroc(n, nb, owner, np));
                    assert_int_equal(laser_layout_global(local, nb, owner, np), g);
                    assert_int_equal(laser_layout_numroc(g, nb, owner, np), local);
                }
            }
}

static void test_numroc_agrees_with_the_users_guide(void **state)
{
    (void)state;
    /* 9 rows in blocks of 2 on 2 processes: rows 0 1 4 5 8 and 2 3 6 7 (section 4.3, the 9 x 9 example). */
    assert_int_equal(laser_layout_numroc(9, 2, 0, 2), 5);
    assert_int_equal(laser_layout_numroc(9, 2, 1, 2), 4);
    assert_int_equal(laser_layout_global(4, 2, 0, 2), 8);
}

static void test_indices_beyond_32_bits_stay_exact(void **state)
{
    int64_t n = (1LL << 40) + 5;

    (void)state;
    assert_int_equal(laser_layout_numroc(n, 64, 0, 3) + laser_layout_numroc(n, 64, 1, 3) +
                         laser_layout_numroc(n, 64, 2, 3),
                     n);
    assert_int_equal(
        laser_layout_global(laser_layout_local(n - 1, 64, 3), 64, laser_layout_owner(n - 1, 64, 3), 3),
        n - 1);
}

static void test_parts_cover_the_range_in_order(void **state)
{
    int64_t n, first, count;
    int parts, part;

    (void)state;
    for (n = 0; n < 20; n++)
        for (parts = 1; parts < 8; parts++) {
            int64_t next = 0;

            for (part = 0; part < parts; part++) {
                laser_layout_part(n, part, parts, &first, &count);
                assert_int_equal(first, next);
                assert_in_range(count, n / parts, n / parts + 1);
                next = first + count;
            }
            assert_int_equal(next, n);
        }
}

static void test_grids_fit_and_use_most_ranks(void **state)
{
    int ranks;

    (void)state;
    for (ranks = 1; ranks <= 300; ranks++) {
        struct laser_grid_shape s = laser_layout_gridshape(4096, 14336, ranks);

        assert_true(s.nprow * s.npcol <= ranks);
        assert_true(s.nprow * s.npcol * 4 > ranks * 3);
        assert_true(s.nprow <= s.npcol);
        assert_int_equal(s.nb, 64 < 4096 / (4 * s.npcol) / 8 * 8 ? 64 : s.nb);
        assert_in_range(s.nb, 8, 64);
    }
}

static void test_small_numbers_of_ranks_have_the_known_grids(void **state)
{
    const int want[][3] = {{1, 1, 1}, {2, 1, 2}, {3, 1, 3},  {4, 2, 2},
                           {6, 2, 3}, {8, 2, 4}, {16, 4, 4}, {64, 8, 8}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof want / sizeof want[0]; i++) {
        struct laser_grid_shape wide = laser_layout_gridshape(2048, 5632, want[i][0]);
        struct laser_grid_shape tall = laser_layout_gridshape(5632, 2048, want[i][0]);

        assert_int_equal(wide.nprow, want[i][1]);
        assert_int_equal(wide.npcol, want[i][2]);
        assert_int_equal(tall.nprow, want[i][2]);
        assert_int_equal(tall.npcol, want[i][1]);
    }
}

static void test_a_tiny_matrix_is_not_spread_over_more_ranks_than_blocks(void **state)
{
    struct laser_grid_shape s = laser_layout_gridshape(1, 100000, 64);

    (void)state;
    assert_int_equal(s.nprow * s.npcol, 1);
    s = laser_layout_gridshape(17, 17, 64);
    assert_true(s.nprow <= 3 && s.npcol <= 3);
    assert_int_equal(s.nb, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_and_global_indices_are_inverse),
        cmocka_unit_test(test_numroc_agrees_with_the_users_guide),
        cmocka_unit_test(test_indices_beyond_32_bits_stay_exact),
        cmocka_unit_test(test_parts_cover_the_range_in_order),
        cmocka_unit_test(test_grids_fit_and_use_most_ranks),
        cmocka_unit_test(test_small_numbers_of_ranks_have_the_known_grids),
        cmocka_unit_test(test_a_tiny_matrix_is_not_spread_over_more_ranks_than_blocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
