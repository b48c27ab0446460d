#include "testing.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/cost.h"
#include "plan/schedule.h"

#define MANY 300

static struct laser_cost_rates defaults(void)
{
    struct laser_cost_rates rates;

    laser_cost_defaults(&rates);
    return rates;
}

static struct laser_plan_matrix matrix(const char *name, int64_t rows, int64_t cols)
{
    return (struct laser_plan_matrix){name, rows, cols, 2, LASER_ROUTE_SERIAL_GRAM};
}

static void test_seconds_are_near_what_was_measured(void **state)
{
    /* Gram route, one rank, one thread (short side, long side, seconds). */
    const double serial[][3] = {{576, 1536, .024}, {2048, 2048, .64}, {2048, 5632, .96}, {4096, 11008, 6.4}};
    /* Two ranks. */
    const double gram[][3] = {{2048, 2048, .87}, {2048, 5632, 1.0}, {4096, 4096, 6.2}, {4096, 14336, 10.4}};
    const double gesvd[][3] = {{2048, 2048, 1.2}, {4096, 4096, 12.0}};
    struct laser_cost_rates rates = defaults();
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        double s = laser_cost_route_seconds(&rates, LASER_ROUTE_SERIAL_GRAM, (int64_t)serial[i][0],
                                            (int64_t)serial[i][1], 1, 2);

        assert_true(s > serial[i][2] / 1.5 && s < serial[i][2] * 1.5);
        s = laser_cost_route_seconds(&rates, LASER_ROUTE_GRAM, (int64_t)gram[i][0], (int64_t)gram[i][1], 2,
                                     2);
        assert_true(s > gram[i][2] / 1.5 && s < gram[i][2] * 1.5);
    }
    for (i = 0; i < 2; i++) {
        double s = laser_cost_route_seconds(&rates, LASER_ROUTE_GESVD, (int64_t)gesvd[i][0],
                                            (int64_t)gesvd[i][1], 2, 2);

        assert_true(s > gesvd[i][2] / 1.5 && s < gesvd[i][2] * 1.5);
    }
}

static void test_costs_do_not_care_which_side_is_short(void **state)
{
    struct laser_cost_rates rates = defaults();
    enum laser_route route;

    (void)state;
    for (route = 0; route < LASER_ROUTES; route++) {
        assert_true(laser_cost_flops(route, 100, 300) == laser_cost_flops(route, 300, 100));
        assert_true(laser_cost_route_seconds(&rates, route, 100, 300, 4, 2) ==
                    laser_cost_route_seconds(&rates, route, 300, 100, 4, 2));
        assert_true(laser_cost_memory(&rates, route, 100, 300, 4) ==
                    laser_cost_memory(&rates, route, 300, 100, 4));
        assert_true(strlen(laser_route_name(route)) > 3);
    }
    assert_true(laser_cost_flops(LASER_ROUTE_GRAM, 2048, 5632) ==
                2048.0 * 2048 * 5632 + 4.0 / 3 * 2048 * 2048 * 2048);
}

static void test_rates_can_be_set(void **state)
{
    struct laser_cost_rates rates = defaults();
    double before = laser_cost_route_seconds(&rates, LASER_ROUTE_SERIAL_GRAM, 1000, 1000, 1, 2);

    (void)state;
    laser_cost_calibrate(&rates, rates.gemm_flops / 10);
    assert_true(laser_cost_route_seconds(&rates, LASER_ROUTE_SERIAL_GRAM, 1000, 1000, 1, 2) > 5 * before);
}

static void test_a_serial_scan_stays_below_the_promised_memory(void **state)
{
    struct laser_cost_rates rates = defaults();

    (void)state;
    assert_true(laser_cost_memory(&rates, LASER_ROUTE_SERIAL_GRAM, 4096, 14336, 1) <
                24.0 * 4096 * 4096 + 200e6);
    assert_true(laser_cost_memory(&rates, LASER_ROUTE_SERIAL_GRAM, 64, 1 << 20, 1) < 24.0 * 64 * 64 + 200e6);
}

static void test_the_smallest_group_that_fits_is_chosen(void **state)
{
    struct laser_cost_rates rates = defaults();
    struct laser_error err = {0};
    int g, size;

    (void)state;
    for (g = 1; g <= 8; g++) {
        double limit = laser_cost_memory(&rates, laser_route_for(LASER_ROUTE_GESVD, g), 4096, 14336, g);

        assert_int_equal(
            laser_cost_group_size(&rates, LASER_ROUTE_GESVD, "w", 4096, 14336, 64, limit, &size, &err),
            LASER_OK);
        assert_true(size <= g);
        assert_true(laser_cost_memory(&rates, laser_route_for(LASER_ROUTE_GESVD, size), 4096, 14336, size) <=
                    limit);
        if (size > 1)
            assert_true(laser_cost_memory(&rates, laser_route_for(LASER_ROUTE_GESVD, size - 1), 4096, 14336,
                                          size - 1) > limit);
    }
    assert_int_equal(laser_cost_group_size(&rates, LASER_ROUTE_GRAM, "w", 40960, 143360, 1, 0, &size, &err),
                     LASER_OK);
    assert_int_equal(size, 1);
}

static void test_a_matrix_too_large_is_named_with_bytes_and_ranks_that_would_do(void **state)
{
    struct laser_cost_rates rates = defaults();
    struct laser_error err = {0};
    char *would;
    int size, ranks;

    (void)state;
    assert_int_equal(
        laser_cost_group_size(&rates, LASER_ROUTE_GESVD, "lm_head", 8192, 128256, 2, 1e9, &size, &err),
        LASER_ENOMEM);
    assert_string_equal(err.where, "lm_head");
    assert_non_null(strstr(err.text, "8192 x 128256"));
    would = strstr(err.text, "; ");
    assert_non_null(would);
    ranks = atoi(would + 2);
    assert_in_range(ranks, 3, 100);
    assert_int_equal(
        laser_cost_group_size(&rates, LASER_ROUTE_GESVD, "lm_head", 8192, 128256, ranks, 1e9, &size, &err),
        LASER_OK);
    /* Less than the program itself needs. */
    assert_int_equal(
        laser_cost_group_size(&rates, LASER_ROUTE_GESVD, "lm_head", 8192, 128256, 2, 1e3, &size, &err),
        LASER_ENOMEM);
    assert_non_null(strstr(err.text, "no number of ranks"));
}

/* Every matrix once, phases in descending size, within a phase largest first, no group used twice at a time.
 */
static void check_plan(const struct laser_plan *plan, int64_t count)
{
    int *seen = calloc((size_t)count + 1, sizeof *seen);
    double total = 0;
    int64_t i, next = 0;
    int p;

    assert_int_equal(plan->njobs, count);
    for (i = 0; i < count; i++)
        seen[plan->jobs[i].matrix]++;
    for (i = 0; i < count; i++)
        assert_int_equal(seen[i], 1);
    for (p = 0; p < plan->nphases; p++) {
        const struct laser_plan_phase *phase = &plan->phases[p];

        assert_true(p == 0 || phase->group_size < plan->phases[p - 1].group_size);
        assert_int_equal(phase->groups, plan->workers / phase->group_size);
        assert_true(phase->groups >= 1);
        assert_int_equal(phase->first, next);
        assert_true(phase->count > 0);
        for (i = phase->first; i < phase->first + phase->count; i++) {
            const struct laser_plan_job *job = &plan->jobs[i];

            assert_int_equal(job->code, LASER_OK);
            assert_int_equal(job->group_size, phase->group_size);
            assert_true(job->group_size >= job->min_group);
            assert_in_range(job->group, 0, phase->groups - 1);
            assert_true(i == phase->first || job->seconds <= job[-1].seconds);
            assert_true(i == phase->first || job->start_s >= job[-1].start_s);
        }
        next += phase->count;
        total += phase->makespan_s;
    }
    assert_int_equal(next, count - plan->misfits);
    assert_true(fabs(total - plan->makespan_s) <= 1e-9 * (1 + total));
    assert_true(plan->work_s <= plan->makespan_s * plan->workers * (1 + 1e-9));
    free(seen);
}

static int random_int(uint64_t *seed, int n)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (int)((*seed >> 33) % (uint64_t)n);
}

static void test_every_plan_has_each_matrix_once_and_is_repeatable(void **state)
{
    static struct laser_plan_matrix m[MANY];
    struct laser_cost_rates rates = defaults();
    uint64_t seed = 1;
    int run;

    (void)state;
    for (run = 0; run < 60; run++) {
        struct laser_plan_limits limits = {
            .workers = 1 + random_int(&seed, 20), .group_size = 0, .limit_bytes = 0};
        int64_t count = random_int(&seed, run % 2 ? 12 : MANY), i;
        struct laser_error err = {0};
        struct laser_plan a, b;

        if (run % 3 == 0)
            limits.limit_bytes = 2e8;
        if (run % 5 == 0)
            limits.group_size = 1 + random_int(&seed, limits.workers);
        for (i = 0; i < count; i++)
            m[i] = matrix("w", 1 + random_int(&seed, 4096), 1 + random_int(&seed, 4096));
        assert_int_equal(laser_plan_make(&a, m, count, &rates, &limits, &err), LASER_OK);
        assert_int_equal(laser_plan_make(&b, m, count, &rates, &limits, &err), LASER_OK);
        check_plan(&a, count);
        assert_memory_equal(a.jobs, b.jobs, (size_t)count * sizeof *a.jobs);
        laser_plan_free(&a);
        laser_plan_free(&b);
    }
}

static void test_many_equal_matrices_go_to_single_ranks(void **state)
{
    struct laser_plan_matrix m[40];
    struct laser_cost_rates rates = defaults();
    struct laser_plan_limits limits = {.workers = 4, .group_size = 0, .limit_bytes = 0};
    struct laser_error err = {0};
    struct laser_plan plan;
    int i;

    (void)state;
    for (i = 0; i < 40; i++)
        m[i] = matrix("w", 2048, 5632);
    assert_int_equal(laser_plan_make(&plan, m, 40, &rates, &limits, &err), LASER_OK);
    assert_int_equal(plan.nphases, 1);
    assert_int_equal(plan.phases[0].group_size, 1);
    assert_int_equal(plan.jobs[0].matrix, 0);
    assert_int_equal(plan.jobs[39].matrix, 39);
    laser_plan_free(&plan);
}

static void test_one_large_matrix_gets_more_ranks_where_that_is_faster(void **state)
{
    struct laser_plan_matrix m = matrix("w", 4096, 14336);
    struct laser_cost_rates rates = defaults();
    struct laser_plan_limits limits = {.workers = 16, .group_size = 0, .limit_bytes = 0};
    struct laser_error err = {0};
    struct laser_plan plan;
    double alone = laser_cost_route_seconds(&rates, LASER_ROUTE_SERIAL_GRAM, 4096, 14336, 1, 2);

    (void)state;
    assert_int_equal(laser_plan_make(&plan, &m, 1, &rates, &limits, &err), LASER_OK);
    assert_true(plan.jobs[0].group_size > 1);
    assert_true(plan.makespan_s < alone);
    laser_plan_free(&plan);
    /* Two ranks with the slower distributed reduction do not help enough. */
    limits.workers = 2;
    m = matrix("w", 1024, 1024);
    assert_int_equal(laser_plan_make(&plan, &m, 1, &rates, &limits, &err), LASER_OK);
    assert_int_equal(plan.jobs[0].group_size, 1);
    laser_plan_free(&plan);
}

static void test_memory_makes_groups_larger_and_misfits_are_told(void **state)
{
    struct laser_plan_matrix m[3] = {matrix("small", 512, 512), matrix("large", 4096, 4096),
                                     matrix("giant", 65536, 65536)};
    struct laser_cost_rates rates = defaults();
    struct laser_plan_limits limits = {.workers = 4, .group_size = 0, .limit_bytes = 230e6};
    struct laser_error err = {0};
    struct laser_plan plan;

    (void)state;
    assert_int_equal(laser_plan_make(&plan, m, 3, &rates, &limits, &err), LASER_OK);
    check_plan(&plan, 3);
    assert_int_equal(plan.misfits, 1);
    assert_int_equal(plan.jobs[2].matrix, 2);
    assert_int_equal(plan.jobs[2].code, LASER_ENOMEM);
    assert_int_equal(plan.jobs[0].matrix, 1);
    assert_true(plan.jobs[0].min_group > 1);
    laser_plan_free(&plan);
}

static void test_a_given_group_size_is_kept(void **state)
{
    struct laser_plan_matrix m[5];
    struct laser_cost_rates rates = defaults();
    struct laser_plan_limits limits = {.workers = 7, .group_size = 3, .limit_bytes = 0};
    struct laser_error err = {0};
    struct laser_plan plan;
    int i;

    (void)state;
    for (i = 0; i < 5; i++)
        m[i] = matrix("w", 100 + i, 100);
    assert_int_equal(laser_plan_make(&plan, m, 5, &rates, &limits, &err), LASER_OK);
    assert_int_equal(plan.nphases, 1);
    assert_int_equal(plan.phases[0].group_size, 3);
    assert_int_equal(plan.phases[0].groups, 2);
    laser_plan_free(&plan);
    limits.group_size = 8;
    assert_int_equal(laser_plan_make(&plan, m, 5, &rates, &limits, &err), LASER_EUSAGE);
    limits.group_size = 0;
    m[2].rows = 0;
    assert_int_equal(laser_plan_make(&plan, m, 5, &rates, &limits, &err), LASER_EUSAGE);
}

static void test_no_matrices_make_an_empty_plan(void **state)
{
    struct laser_cost_rates rates = defaults();
    struct laser_plan_limits limits = {.workers = 3, .group_size = 0, .limit_bytes = 0};
    struct laser_error err = {0};
    struct laser_plan plan;
    int workers;

    (void)state;
    assert_int_equal(laser_plan_make(&plan, NULL, 0, &rates, &limits, &err), LASER_OK);
    check_plan(&plan, 0);
    assert_int_equal(plan.nphases, 0);
    laser_plan_free(&plan);
    assert_int_equal(laser_plan_recommend(NULL, 0, &rates, 0, 64, &workers, &err), LASER_OK);
    assert_int_equal(workers, 1);
}

static void test_the_recommended_number_follows_the_work_and_the_memory(void **state)
{
    static struct laser_plan_matrix m[200];
    struct laser_cost_rates rates = defaults();
    struct laser_error err = {0};
    int i, workers;

    (void)state;
    for (i = 0; i < 200; i++)
        m[i] = matrix("w", 2048, 2048);
    assert_int_equal(laser_plan_recommend(m, 200, &rates, 0, 64, &workers, &err), LASER_OK);
    assert_in_range(workers, 48, 64);
    assert_int_equal(laser_plan_recommend(m, 1, &rates, 0, 64, &workers, &err), LASER_OK);
    assert_true(workers < 16);
    m[0] = matrix("large", 8192, 8192);
    assert_int_equal(laser_plan_recommend(m, 1, &rates, 400e6, 64, &workers, &err), LASER_OK);
    assert_true(workers >= 3);
}

/* Chan's crossover: 2 s^2 l - 2/3 s^3 and 8/3 s^3 of a long matrix, 4 s^2 l - 4/3 s^3 of a square one. */
static void test_only_long_matrices_are_counted_with_a_qr_first(void **state)
{
    (void)state;
    assert_float_equal(laser_cost_flops(LASER_ROUTE_SERIAL_GESVD, 300, 100), 6e6 + 2e6, 1);
    assert_float_equal(laser_cost_flops(LASER_ROUTE_SERIAL_GESVD, 100, 100), 8e6 / 3, 1);
}

static void test_the_ranks_that_would_do_are_few_more_than_needed(void **state)
{
    struct laser_cost_rates rates = defaults();
    struct laser_error err = {0};
    const char *text;
    double limit = rates.base_bytes + 20e6;
    int group, needed, said;

    (void)state;
    assert_int_equal(
        laser_cost_group_size(&rates, LASER_ROUTE_GRAM, "m", 20000, 10000, 4096, limit, &needed, &err),
        LASER_OK);
    assert_int_equal(
        laser_cost_group_size(&rates, LASER_ROUTE_GRAM, "m", 20000, 10000, 2, limit, &group, &err),
        LASER_ENOMEM);
    text = strrchr(err.text, ';');
    assert_non_null(text);
    said = atoi(text + 1);
    assert_in_range(said, needed, needed + needed / 8 + 1);
}

static void test_a_given_group_size_grows_where_memory_asks_for_it(void **state)
{
    struct laser_cost_rates rates = defaults();
    struct laser_plan_matrix large = matrix("large", 8000, 8000);
    struct laser_plan_limits limits = {
        .workers = 16, .group_size = 1, .limit_bytes = rates.base_bytes + 400e6};
    struct laser_plan plan;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_plan_make(&plan, &large, 1, &rates, &limits, &err), LASER_OK);
    assert_true(plan.jobs[0].min_group > 1);
    assert_int_equal(plan.jobs[0].group_size, plan.jobs[0].min_group);
    laser_plan_free(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_seconds_are_near_what_was_measured),
        cmocka_unit_test(test_costs_do_not_care_which_side_is_short),
        cmocka_unit_test(test_rates_can_be_set),
        cmocka_unit_test(test_a_serial_scan_stays_below_the_promised_memory),
        cmocka_unit_test(test_the_smallest_group_that_fits_is_chosen),
        cmocka_unit_test(test_a_matrix_too_large_is_named_with_bytes_and_ranks_that_would_do),
        cmocka_unit_test(test_every_plan_has_each_matrix_once_and_is_repeatable),
        cmocka_unit_test(test_many_equal_matrices_go_to_single_ranks),
        cmocka_unit_test(test_one_large_matrix_gets_more_ranks_where_that_is_faster),
        cmocka_unit_test(test_memory_makes_groups_larger_and_misfits_are_told),
        cmocka_unit_test(test_a_given_group_size_is_kept),
        cmocka_unit_test(test_no_matrices_make_an_empty_plan),
        cmocka_unit_test(test_the_recommended_number_follows_the_work_and_the_memory),
        cmocka_unit_test(test_only_long_matrices_are_counted_with_a_qr_first),
        cmocka_unit_test(test_the_ranks_that_would_do_are_few_more_than_needed),
        cmocka_unit_test(test_a_given_group_size_grows_where_memory_asks_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
