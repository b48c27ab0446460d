/* Into how many shards a model is divided: the fewest that fit, or the fastest if it is worth it. */
#include "plan/shards.h"
#include "testing.h"

/* A model of 100 bytes; seconds[n] for n shards. */
struct machine {
    const double *seconds;
    int asked[9], n;
};

static int measure(void *context, int shards, double *bytes, double *seconds, struct laser_error *err)
{
    struct machine *m = context;

    (void)err;
    m->asked[m->n++] = shards;
    *bytes = 100.0 / shards;
    *seconds = m->seconds[shards];
    return LASER_OK;
}

static int choose(double limit, int64_t asked, bool by_speed, struct machine *m)
{
    struct laser_settings settings = {.parallel = {.shards = asked}};
    struct laser_run run = {.settings = &settings, .memory_limit_bytes = limit};
    struct laser_error err;
    int shards;

    assert_int_equal(laser_shards_choose(&run, 8, by_speed, measure, m, &shards, &err), LASER_OK);
    return shards;
}

static const double halving[] = {0, 8, 4, 2.7, 2, 1.6, 1.4, 1.2, 1},
                    level[] = {0, 8, 7.7, 7.7, 7.7, 7.7, 7.7, 7.7, 7.7};

static void a_search_takes_the_fewest_that_fit(void **state)
{
    (void)state;
    assert_int_equal(choose(1000, 0, false, &(struct machine){.seconds = halving}), 1);
    assert_int_equal(choose(40, 0, false, &(struct machine){.seconds = halving}), 3);
}

static void others_take_the_fastest(void **state)
{
    (void)state;
    assert_int_equal(choose(1000, 0, true, &(struct machine){.seconds = halving}), 8);
}

static void more_shards_must_be_worth_five_percent(void **state)
{
    (void)state;
    assert_int_equal(choose(1000, 0, true, &(struct machine){.seconds = level}), 1);
    assert_int_equal(choose(60, 0, true, &(struct machine){.seconds = level}), 2);
}

static void what_is_asked_for_is_measured_alone(void **state)
{
    struct machine m = {.seconds = halving}, more = {.seconds = halving};

    (void)state;
    assert_int_equal(choose(1000, 4, true, &m), 4);
    assert_int_equal(m.n, 1);
    assert_int_equal(choose(1000, 100, true, &more), 8);
}

static void none_is_chosen_where_none_fits(void **state)
{
    struct machine m = {.seconds = halving};

    (void)state;
    assert_int_equal(choose(10, 0, true, &m), 0);
    assert_int_equal(m.asked[m.n - 1], 8);
}

static void sums_cost_nothing_on_one_shard(void **state)
{
    (void)state;
    assert_true(laser_shards_sum_s(1, 100, 1e9) == 0);
    assert_true(laser_shards_sum_s(2, 100, 0) > 0);
    assert_true(laser_shards_sum_s(2, 100, 1e9) > laser_shards_sum_s(2, 100, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_search_takes_the_fewest_that_fit),
        cmocka_unit_test(others_take_the_fastest),
        cmocka_unit_test(more_shards_must_be_worth_five_percent),
        cmocka_unit_test(what_is_asked_for_is_measured_alone),
        cmocka_unit_test(none_is_chosen_where_none_fits),
        cmocka_unit_test(sums_cost_nothing_on_one_shard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
