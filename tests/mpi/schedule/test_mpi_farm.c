#include "testing.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "schedule/farm.h"

#define N_JOBS 500

struct order {
    int job;
};

struct result {
    int square;
    int ranks; /* of the group that did it */
};

struct bench {
    int n_handed_out;
    int answers[N_JOBS];
    int fail_work_at; /* job whose worker fails, or -1 */
    int fail_done_at; /* job whose result cannot be taken, or -1 */
    int group_size;
    double unit_s;
    struct laser_pace *pace;
};

static enum laser_mpi_next next(void *context, int group, void *order)
{
    struct bench *b = context;

    (void)group;
    if (b->n_handed_out == N_JOBS)
        return LASER_MPI_END;
    ((struct order *)order)->job = b->n_handed_out++;
    return LASER_MPI_ORDER;
}

static int done(void *context, int group, const void *order, const void *result, struct laser_error *err)
{
    struct bench *b = context;
    const struct result *r = result;
    int job = ((const struct order *)order)->job;

    (void)group;
    if (job == b->fail_done_at)
        return laser_error_set(err, LASER_EIO, "ledger", "disk full");
    assert_int_equal(r->ranks, b->group_size);
    b->answers[job] += r->square;
    return LASER_OK;
}

static int work(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                struct laser_error *err)
{
    struct bench *b = context;
    struct result *r = result;
    int one = 1, job = ((const struct order *)order)->job;

    MPI_Allreduce(&one, &r->ranks, 1, MPI_INT, MPI_SUM, team->group_comm);
    r->square = job * job;
    if (job == b->fail_work_at)
        return laser_error_set(err, LASER_EIO, "part file", "cannot write job %d", job);
    return LASER_OK;
}

static int run(struct bench *b, int group_size, struct laser_error *err)
{
    struct laser_mpi_team team;
    struct laser_mpi_farm farm = {.context = b,
                                  .order_bytes = sizeof(struct order),
                                  .result_bytes = sizeof(struct result),
                                  .pace = b->pace,
                                  .unit_s = b->unit_s,
                                  .depth = 2,
                                  .next = next,
                                  .done = done,
                                  .work = work};
    int code;

    assert_int_equal(laser_mpi_team_create(MPI_COMM_WORLD, group_size, &team, err), LASER_OK);
    b->group_size = team.group_size;
    code = laser_mpi_farm_run(&team, &farm, err);
    laser_mpi_team_free(&team);
    return code;
}

static void test_every_job_is_done_once_whatever_the_group_size(void **state)
{
    int rank;

    (void)state;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    for (int group_size = 1; group_size <= 3; ++group_size) {
        struct bench b = {.fail_work_at = -1, .fail_done_at = -1};
        struct laser_error err = {0};
        assert_int_equal(run(&b, group_size, &err), LASER_OK);
        if (rank == 0)
            for (int job = 0; job < N_JOBS; ++job)
                assert_int_equal(b.answers[job], job * job);
    }
}

static void test_a_worker_that_fails_ends_the_farm_on_every_rank(void **state)
{
    (void)state;
    for (int job = 0; job < N_JOBS; job += 100) {
        struct bench b = {.fail_work_at = job, .fail_done_at = -1};
        struct laser_error err = {0};
        char expected[64];
        snprintf(expected, sizeof expected, "cannot write job %d", job);
        assert_int_equal(run(&b, 2, &err), LASER_EIO);
        assert_string_equal(err.text, expected);
    }
}

/* Before any result, an estimate tells what would be late; without one the first order is tried. */
static void test_what_cannot_be_finished_is_not_begun(void **state)
{
    (void)state;
    for (int known = 0; known < 2; ++known)
        for (int durable = 0; durable < 2; ++durable) {
            struct laser_pace pace = {.deadline_s = laser_clock_s() + 100, .n_durable = durable};
            struct bench b = {
                .fail_work_at = -1, .fail_done_at = -1, .unit_s = known ? 1000 : 0, .pace = &pace};
            struct laser_error err = {0};
            int rank, code = run(&b, 1, &err);

            MPI_Comm_rank(MPI_COMM_WORLD, &rank);
            assert_int_equal(code, known && durable ? LASER_ESTOPPED : LASER_OK);
            if (rank == 0)
                assert_int_equal(b.answers[1], known && durable ? 0 : 1);
        }
}

static void test_a_ledger_that_fails_ends_the_farm_on_every_rank(void **state)
{
    struct bench b = {.fail_work_at = -1, .fail_done_at = 123};
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(run(&b, 1, &err), LASER_EIO);
    assert_string_equal(err.text, "disk full");
    assert_int_equal(err.rank, 0);
}

/* The first two orders of a group teach what a unit takes; two of a hundred units, one of which it holds, are
 * beyond the deadline together. */
static enum laser_mpi_next next_of_group(void *context, int group, void *order)
{
    int *handed_out = context;

    ((struct order *)order)->job = handed_out[group]++;
    return ((struct order *)order)->job < 5 ? LASER_MPI_ORDER : LASER_MPI_END;
}

static double units(void *context, const void *order)
{
    (void)context;
    return ((const struct order *)order)->job < 2 ? 1 : 100;
}

static int half_a_second(void *context, const struct laser_mpi_team *team, const void *order, void *result,
                         struct laser_error *err)
{
    const struct timespec nap = {0, 500000000};

    (void)context;
    (void)team;
    (void)err;
    if (((const struct order *)order)->job < 2)
        nanosleep(&nap, NULL);
    ((struct result *)result)->square = 0;
    return LASER_OK;
}

static int count_late(void *context, int group, const void *order, const void *result,
                      struct laser_error *err)
{
    int *handed_out = context;

    (void)group;
    (void)result;
    (void)err;
    handed_out[8] += ((const struct order *)order)->job > 2;
    return LASER_OK;
}

static void test_the_order_that_a_group_holds_counts_against_the_deadline(void **state)
{
    struct laser_pace pace = {.deadline_s = laser_clock_s() + 100, .n_durable = 1};
    int handed_out[9] = {0}, rank;
    struct laser_mpi_farm farm = {.context = handed_out,
                                  .order_bytes = sizeof(struct order),
                                  .result_bytes = sizeof(struct result),
                                  .pace = &pace,
                                  .depth = 2,
                                  .next = next_of_group,
                                  .done = count_late,
                                  .expected = units,
                                  .work = half_a_second};
    struct laser_mpi_team team;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_mpi_team_create(MPI_COMM_WORLD, 1, &team, &err), LASER_OK);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (team.size > 1) { /* one rank alone holds no orders */
        assert_int_equal(laser_mpi_farm_run(&team, &farm, &err), LASER_ESTOPPED);
        if (rank == 0)
            assert_int_equal(handed_out[8], 0);
    }
    laser_mpi_team_free(&team);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_job_is_done_once_whatever_the_group_size),
        cmocka_unit_test(test_a_worker_that_fails_ends_the_farm_on_every_rank),
        cmocka_unit_test(test_what_cannot_be_finished_is_not_begun),
        cmocka_unit_test(test_a_ledger_that_fails_ends_the_farm_on_every_rank),
        cmocka_unit_test(test_the_order_that_a_group_holds_counts_against_the_deadline),
    };
    int failures;

    MPI_Init(&argc, &argv);
    failures = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failures;
}
