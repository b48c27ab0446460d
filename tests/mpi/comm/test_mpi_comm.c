/* Agreement on errors, who leads whom, and the account of phases. */
#include "testing.h"

#include <mpi.h>
#include <stdio.h>
#include <string.h>

#include "comm/agree.h"
#include "comm/phases.h"
#include "comm/team.h"

static int world_rank, world_size;

/* The ranks of the world backwards. */
static MPI_Comm backwards(void)
{
    MPI_Comm comm;

    MPI_Comm_split(MPI_COMM_WORLD, 0, -world_rank, &comm);
    return comm;
}

static int fail_here(struct laser_error *err)
{
    return laser_error_set(err, LASER_EIO, "here", "rank %d", world_rank);
}

static void test_an_error_names_its_rank_in_the_world(void **state)
{
    MPI_Comm comm = backwards();

    (void)state;
    for (int r = 0; r < world_size; ++r) {
        struct laser_error err = {0};
        char text[32];
        snprintf(text, sizeof text, "rank %d", r);
        assert_int_equal(laser_mpi_agree(comm, r == world_rank ? fail_here(&err) : LASER_OK, &err),
                         LASER_EIO);
        assert_int_equal(err.rank, r);
        assert_string_equal(err.text, text);
        assert_int_equal(err.code, LASER_EIO);
    }
    MPI_Comm_free(&comm);
}

static void test_of_equal_errors_the_first_of_the_group_speaks(void **state)
{
    MPI_Comm comm = backwards();
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_mpi_agree(comm, fail_here(&err), &err), LASER_EIO);
    assert_int_equal(err.rank, world_size - 1);
    MPI_Comm_free(&comm);
}

static void test_the_worst_error_wins(void **state)
{
    struct laser_error err = {0};
    int code =
        world_rank == world_size - 1 ? laser_error_set(&err, LASER_EINTERNAL, "", "worst") : fail_here(&err);

    (void)state;
    assert_int_equal(laser_mpi_agree(MPI_COMM_WORLD, code, &err), LASER_EINTERNAL);
    assert_string_equal(err.text, "worst");
}

static void test_groups_have_consecutive_ranks_behind_the_coordinator(void **state)
{
    const struct laser_mpi_team pairs = {.size = 8, .group_size = 2};
    struct laser_mpi_team team;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_mpi_team_leader(&pairs, 0), 1);
    assert_int_equal(laser_mpi_team_leader(&pairs, 2), 5);
    assert_int_equal(laser_mpi_team_create(MPI_COMM_WORLD, 2, &team, &err), LASER_OK);
    if (world_size == 4) { /* one group of two, and a rank that is left over */
        assert_int_equal(team.n_groups, 1);
        assert_int_equal(team.group, world_rank == 1 || world_rank == 2 ? 0 : -1);
    }
    assert_int_equal(team.group < 0, team.group_comm == MPI_COMM_NULL);
    laser_mpi_team_free(&team);
}

static void test_phases_beyond_the_room_count_as_the_rest_which_comes_last(void **state)
{
    static char names[2 * LASER_MPI_MAX_PHASES][24];
    struct laser_mpi_phases phases;
    struct laser_phase_row rows[LASER_MPI_MAX_PHASES];
    int n;

    (void)state;
    laser_mpi_phases_start(&phases);
    for (int i = 0; i < 2 * LASER_MPI_MAX_PHASES && phases.n <= LASER_MPI_MAX_PHASES; ++i) {
        snprintf(names[i], sizeof names[i], "phase %d", i);
        laser_mpi_phases_enter(&phases, names[i]);
        assert_in_range(phases.n, 1, LASER_MPI_MAX_PHASES);
    }
    n = laser_mpi_phases_collect(&phases, MPI_COMM_WORLD, rows);
    assert_int_equal(n, LASER_MPI_MAX_PHASES);
    if (world_rank == 0) {
        assert_string_equal(rows[0].name, "phase 0");
        assert_string_equal(rows[n - 1].name, "other");
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_error_names_its_rank_in_the_world),
        cmocka_unit_test(test_of_equal_errors_the_first_of_the_group_speaks),
        cmocka_unit_test(test_the_worst_error_wins),
        cmocka_unit_test(test_groups_have_consecutive_ranks_behind_the_coordinator),
        cmocka_unit_test(test_phases_beyond_the_room_count_as_the_rest_which_comes_last),
    };
    int failures;

    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &world_rank);
    MPI_Comm_size(MPI_COMM_WORLD, &world_size);
    failures = cmocka_run_group_tests(tests, NULL, NULL);
    MPI_Finalize();
    return failures;
}
