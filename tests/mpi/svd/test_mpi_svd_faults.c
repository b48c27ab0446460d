/* A rank fails at an agreement, for every rank and every agreement: all ranks return the same error, none
 * hangs, and nothing is left behind (the sanitizer build looks). */
#include "testing.h"

#include <string.h>

#include "comm/agree.h"
#include "mpi/grid/testing_grid.h"
#include "svd/rebuild.h"
#include "svd/values.h"

static struct stored *weight;
static double sigma[12];

static int load_and_store(struct laser_error *err)
{
    struct spread s;
    int code = spread_open(&s, MPI_COMM_WORLD, weight, 0, 0, 0, err);

    if (code == LASER_OK)
        code = laser_mpi_matrix_store(&s.a, stored_write, weight, err);
    spread_close(&s);
    return code;
}

static int values(enum laser_mpi_solver solver, struct laser_error *err)
{
    struct spread s;
    int code = spread_open(&s, MPI_COMM_WORLD, weight, 0, 0, 0, err);

    if (code == LASER_OK)
        code = laser_mpi_svd_values(&s.a, solver, NULL, NULL, sigma, NULL, err);
    spread_close(&s);
    return code;
}

static int gram(struct laser_error *err)
{
    return values(LASER_MPI_SOLVER_GRAM, err);
}

static int gesvd(struct laser_error *err)
{
    return values(LASER_MPI_SOLVER_GESVD, err);
}

static int automatic(struct laser_error *err)
{
    return values(LASER_MPI_SOLVER_AUTO, err);
}

static int rebuild(struct laser_error *err)
{
    double ratio[12] = {1, 1, 1, 1, 1};
    struct spread s;
    int code = spread_open(&s, MPI_COMM_WORLD, weight, 0, 0, 0, err);

    if (code == LASER_OK)
        code = laser_mpi_svd_rebuild(&s.a, ratio, NULL, err);
    spread_close(&s);
    return code;
}

/* Fails it at its first agreement, its second, ... on every rank, until it gets through. */
static void fail_everywhere(int (*operation)(struct laser_error *err), int least)
{
    int rank, reached = 0;

    for (rank = 0; rank < world_size(); rank++) {
        int count, code = LASER_EINTERNAL;

        for (count = 1; code != LASER_OK; count++) {
            struct laser_error err = {0};

            assert_true(count < 1000);
            laser_mpi_agree_inject(rank, count);
            code = operation(&err);
            laser_mpi_agree_inject(0, 0);
            assert_true(same_on_all(&code, sizeof code));
            if (code == LASER_OK)
                break;
            assert_int_equal(code, LASER_EINTERNAL);
            assert_true(same_on_all(&err, sizeof err));
            assert_string_equal(err.where, "fault injection");
            assert_int_equal(err.rank, rank);
            reached++;
        }
    }
    assert_true(reached >= least * world_size());
}

static void open_weight(int deficient)
{
    double values_of[12];
    int i;

    for (i = 0; i < 12; i++)
        values_of[i] = deficient && i > 5 ? 0 : 12 - i;
    weight = stored_with_values(12, 30, values_of, 3);
}

static void test_loading_and_storing_fail_alike_on_every_rank(void **state)
{
    (void)state;
    open_weight(0);
    fail_everywhere(load_and_store, 5);
    stored_free(weight);
}

static void test_singular_values_fail_alike_on_every_rank(void **state)
{
    (void)state;
    open_weight(1);
    fail_everywhere(gram, 6);
    fail_everywhere(gesvd, 6);
    fail_everywhere(automatic, 10);
    stored_free(weight);
}

static void test_rebuilding_fails_alike_on_every_rank(void **state)
{
    int i;

    (void)state;
    open_weight(0);
    fail_everywhere(rebuild, 10);
    stored_free(weight);
    /* The way over pdgesvd: see test_mpi_svd_rebuild. */
    {
        double ill[12];

        for (i = 0; i < 12; i++)
            ill[i] = i == 0 ? 1 : i < 5 ? 1e-4 * (1 + 1e-5 + 0.1 * (4 - i)) : 1e-4 / (1 + 0.1 * (i - 5));
        weight = stored_with_values(12, 30, ill, 3);
        fail_everywhere(rebuild, 14);
        stored_free(weight);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_loading_and_storing_fail_alike_on_every_rank),
    cmocka_unit_test(test_singular_values_fail_alike_on_every_rank),
    cmocka_unit_test(test_rebuilding_fails_alike_on_every_rank),
};

GRID_MAIN(tests)
