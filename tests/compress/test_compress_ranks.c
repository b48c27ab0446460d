/* Ranks for all matrices under one target. */
#include "testing.h"

#include "compress/ranks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 12 };

struct set {
    struct laser_rank_matrix m[MOST];
    double *s[MOST];
    int64_t n, ranks[MOST];
    struct laser_rank_summary summary;
    struct laser_error err;
};

/* decay: how fast the values of a matrix fall. */
static void add(struct set *set, int64_t rows, int64_t columns, double largest, double decay, int64_t group)
{
    int64_t n = rows < columns ? rows : columns;
    double *s = malloc((size_t)n * sizeof *s);

    assert_true(s != NULL && set->n < MOST);
    for (int64_t i = 0; i < n; ++i)
        s[i] = largest * pow(1 + (double)i, -decay);
    set->s[set->n] = s;
    set->m[set->n++] = (struct laser_rank_matrix){
        .name = "a matrix", .rows = rows, .columns = columns, .s = s, .coefficient = 1, .group = group};
}

static void make_mixed(struct set *set)
{
    *set = (struct set){.n = 0};
    add(set, 40, 60, 3, 0.9, -1);
    add(set, 60, 40, 1, 0.3, -1);
    add(set, 40, 40, 2, 0.6, -1);
    add(set, 16, 40, 5, 1.5, -1);
    add(set, 80, 30, 0.5, 0.2, -1);
}

static void release(struct set *set)
{
    for (int64_t i = 0; i < set->n; ++i)
        free(set->s[i]);
}

static int choose(struct set *set, struct laser_rank_options options)
{
    return laser_ranks_choose(set->m, set->n, &options, set->ranks, &set->summary, &set->err);
}

static void choose_or_fail(struct set *set, struct laser_rank_options options)
{
    if (choose(set, options) != LASER_OK)
        fail_msg("%s: %s", set->err.where, set->err.text);
}

static struct laser_rank_options remove_share(double share)
{
    return (struct laser_rank_options){LASER_RANKS_THRESHOLD, LASER_TARGET_REMOVE, share, 1};
}

static void a_share_is_removed_to_the_last_matrix_step(void **state)
{
    struct set set;

    (void)state;
    for (double share = 0.05; share < 0.9; share += 0.05) {
        make_mixed(&set);
        choose_or_fail(&set, remove_share(share));
        int64_t limit =
            set.summary.parameters_before - (int64_t)ceil(share * (double)set.summary.parameters_before);
        assert_true(set.summary.parameters_after <= limit);
        assert_true(set.summary.parameters_after >
                    limit - 110); /* the dearest step: a rank of 110 parameters */
        release(&set);
    }
}

static void nothing_to_remove_leaves_all_dense(void **state)
{
    struct set set;

    (void)state;
    make_mixed(&set);
    choose_or_fail(&set, remove_share(0));
    for (int64_t i = 0; i < set.n; ++i)
        assert_int_equal(set.ranks[i], LASER_RANK_DENSE);
    assert_int_equal(set.summary.dense, set.n);
    assert_true(set.summary.rise == 0);
    release(&set);
}

static void ranks_that_save_nothing_are_dense(void **state)
{
    struct set set;

    (void)state;
    make_mixed(&set);
    choose_or_fail(&set, remove_share(0.3));
    for (int64_t i = 0; i < set.n; ++i)
        if (set.ranks[i] != LASER_RANK_DENSE)
            assert_true(set.ranks[i] * (set.m[i].rows + set.m[i].columns) < set.m[i].rows * set.m[i].columns);
    release(&set);
}

/* All ranks of three small matrices. */
static double least_rise(const struct set *set, int64_t limit)
{
    double least = INFINITY;
    int64_t ranks[3];
    struct laser_rank_summary summary = {0};

    for (ranks[0] = 0; ranks[0] <= 6; ++ranks[0])
        for (ranks[1] = 0; ranks[1] <= 6; ++ranks[1])
            for (ranks[2] = 0; ranks[2] <= 6; ++ranks[2]) {
                int64_t r[3];
                for (int i = 0; i < 3; ++i)
                    r[i] = ranks[i] == 0 ? LASER_RANK_DENSE : ranks[i];
                laser_ranks_summarise(set->m, 3, r, &summary);
                if (summary.parameters_after <= limit && summary.rise < least)
                    least = summary.rise;
            }
    return least;
}

static void make_small(struct set *set)
{
    *set = (struct set){.n = 0};
    add(set, 12, 14, 3, 0.5, -1);
    add(set, 13, 13, 1, 0.1, -1);
    add(set, 14, 12, 2, 1, -1);
}

static void what_a_rise_allows_is_the_best_of_its_size(void **state)
{
    struct set set;

    (void)state;
    for (double rise = 0.05; rise < 20; rise *= 1.1) {
        make_small(&set);
        choose_or_fail(&set, (struct laser_rank_options){LASER_RANKS_THRESHOLD, LASER_TARGET_RISE, rise, 1});
        assert_true(set.summary.rise <= least_rise(&set, set.summary.parameters_after) * (1 + 1e-12));
        release(&set);
    }
}

/* The rule without the hull: values above one threshold, dense where that is no larger. */
static double rise_of_plain_threshold(const struct set *set, int64_t limit)
{
    double least = INFINITY;
    struct laser_rank_summary summary = {0};

    for (double t = 1e-4; t < 100; t *= 1.01) {
        int64_t ranks[MOST];
        for (int64_t i = 0; i < set->n; ++i) {
            const struct laser_rank_matrix *m = &set->m[i];
            int64_t n = m->rows < m->columns ? m->rows : m->columns, k = 0;
            while (k < n && m->s[k] * m->s[k] > t * (double)(m->rows + m->columns))
                ++k;
            k = k < 1 ? 1 : k;
            ranks[i] = k * (m->rows + m->columns) < m->rows * m->columns ? k : LASER_RANK_DENSE;
        }
        laser_ranks_summarise(set->m, set->n, ranks, &summary);
        if (summary.parameters_after <= limit && summary.rise < least)
            least = summary.rise;
    }
    return least;
}

static void the_hull_is_better_than_a_plain_threshold(void **state)
{
    struct set set;
    double won = 0;

    (void)state;
    for (double share = 0.05; share < 0.8; share += 0.05) {
        make_mixed(&set);
        choose_or_fail(&set, remove_share(share));
        double plain =
            rise_of_plain_threshold(&set, (int64_t)((1 - share) * (double)set.summary.parameters_before));
        assert_true(set.summary.rise <= plain);
        won = fmax(won, plain / set.summary.rise);
        release(&set);
    }
    assert_true(won > 1.05);
}

static void a_uniform_cut_costs_more(void **state)
{
    struct set set;
    struct laser_rank_options options = remove_share(0.4);
    double rise;

    (void)state;
    make_mixed(&set);
    choose_or_fail(&set, options);
    rise = set.summary.rise;
    options.rule = LASER_RANKS_UNIFORM;
    choose_or_fail(&set, options);
    assert_true(set.summary.rise > rise);
    assert_int_equal(set.summary.dense, 0);
    release(&set);
}

static void a_uniform_cut_takes_the_same_share_of_each(void **state)
{
    struct set set;
    struct laser_rank_options options = {LASER_RANKS_UNIFORM, LASER_TARGET_REMOVE, 0.5, 1};

    (void)state;
    make_mixed(&set);
    choose_or_fail(&set, options);
    for (int64_t i = 0; i < set.n; ++i) {
        double left = (double)(set.ranks[i] * (set.m[i].rows + set.m[i].columns)) /
                      (double)(set.m[i].rows * set.m[i].columns);
        assert_true(left <= 0.55 && left > 0.4);
    }
    assert_true(set.summary.parameters_after * 2 <= set.summary.parameters_before);
    release(&set);
}

static void ranks_are_multiples(void **state)
{
    static const enum laser_rank_rule rules[] = {LASER_RANKS_THRESHOLD, LASER_RANKS_UNIFORM};
    struct set set;

    (void)state;
    for (int rule = 0; rule < 2; ++rule) {
        make_mixed(&set);
        choose_or_fail(&set, (struct laser_rank_options){rules[rule], LASER_TARGET_REMOVE, 0.4, 8});
        assert_true(set.summary.parameters_after <= set.summary.parameters_before * 6 / 10);
        for (int64_t i = 0; i < set.n; ++i)
            if (set.ranks[i] != LASER_RANK_DENSE)
                assert_true(set.ranks[i] > 0 && set.ranks[i] % 8 == 0);
        release(&set);
    }
}

static void a_group_has_one_rank(void **state)
{
    struct set set;

    (void)state;
    for (double share = 0.1; share < 0.8; share += 0.1) {
        set = (struct set){.n = 0};
        add(&set, 48, 48, 3, 0.4, 7);
        add(&set, 60, 48, 1, 0.2, -1);
        add(&set, 16, 48, 6, 0.9, 7);
        add(&set, 16, 48, 2, 0.1, 7);
        choose_or_fail(&set, remove_share(share));
        assert_int_equal(set.ranks[0], set.ranks[2]);
        assert_int_equal(set.ranks[0], set.ranks[3]);
        assert_true((double)set.summary.parameters_after <=
                    (1 - share) * (double)set.summary.parameters_before);
        release(&set);
    }
}

static void a_coefficient_shifts_ranks(void **state)
{
    struct set set;
    int64_t before;

    (void)state;
    make_mixed(&set);
    choose_or_fail(&set, remove_share(0.5));
    before = set.ranks[0];
    set.m[0].coefficient = 50;
    choose_or_fail(&set, remove_share(0.5));
    assert_true(before != LASER_RANK_DENSE);
    assert_true(set.ranks[0] == LASER_RANK_DENSE || set.ranks[0] > before);
    release(&set);
}

static void a_rise_is_not_exceeded(void **state)
{
    static const enum laser_rank_rule rules[] = {LASER_RANKS_THRESHOLD, LASER_RANKS_UNIFORM};
    struct set set;
    int64_t size = 0;

    (void)state;
    for (int rule = 0; rule < 2; ++rule)
        for (double rise = 0.1; rise < 5; rise *= 1.7) {
            make_mixed(&set);
            choose_or_fail(&set, (struct laser_rank_options){rules[rule], LASER_TARGET_RISE, rise, 1});
            assert_true(set.summary.rise <= rise);
            assert_true(rise == 0.1 || set.summary.parameters_after <= size);
            size = set.summary.parameters_after;
            release(&set);
        }
}

static void a_size_and_its_share_give_the_same(void **state)
{
    struct set set;
    int64_t ranks[MOST];

    (void)state;
    make_mixed(&set);
    choose_or_fail(&set, remove_share(0.25));
    memcpy(ranks, set.ranks, sizeof ranks);
    choose_or_fail(&set, (struct laser_rank_options){LASER_RANKS_THRESHOLD, LASER_TARGET_PARAMETERS,
                                                     0.75 * (double)set.summary.parameters_before, 1});
    assert_memory_equal(ranks, set.ranks, (size_t)set.n * sizeof *ranks);
    release(&set);
}

static void a_target_that_cannot_be_met_names_the_smallest(void **state)
{
    struct set set;
    char smallest[64];

    (void)state;
    make_mixed(&set);
    /* rank 1 each: 100 + 100 + 80 + 56 + 110 */
    assert_int_equal(choose(&set, remove_share(0.97)), LASER_EUSAGE);
    snprintf(smallest, sizeof smallest, "smallest size is %d of", 446);
    if (strstr(set.err.text, smallest) == NULL)
        fail_msg("%s", set.err.text);
    choose_or_fail(&set, (struct laser_rank_options){LASER_RANKS_THRESHOLD, LASER_TARGET_PARAMETERS, 446, 1});
    assert_int_equal(set.summary.parameters_after, 446);
    release(&set);
}

static void equal_matrices_are_cut_in_their_order(void **state)
{
    struct set set = {.n = 0};

    (void)state;
    for (int i = 0; i < 4; ++i)
        add(&set, 20, 20, 1, 0, -1); /* all values of all matrices are equal */
    choose_or_fail(&set, remove_share(0.5));
    for (int64_t i = 1; i < set.n; ++i) /* the earlier ones gave more */
        assert_true(set.ranks[i] == LASER_RANK_DENSE ||
                    (set.ranks[i - 1] != LASER_RANK_DENSE && set.ranks[i - 1] <= set.ranks[i]));
    assert_true(set.summary.parameters_after * 2 <= set.summary.parameters_before);
    release(&set);
}

static void spectra_that_are_none_are_refused(void **state)
{
    struct set set;

    (void)state;
    make_mixed(&set);
    set.s[2][5] = NAN;
    set.m[2].name = "the third";
    assert_int_equal(choose(&set, remove_share(0.1)), LASER_ENUMERIC);
    assert_string_equal(set.err.where, "the third");
    set.s[2][5] = 100;
    assert_int_equal(choose(&set, remove_share(0.1)), LASER_ENUMERIC);
    release(&set);
}

static void targets_out_of_range_are_refused(void **state)
{
    struct set set;

    (void)state;
    make_mixed(&set);
    assert_int_equal(choose(&set, remove_share(1)), LASER_EUSAGE);
    assert_int_equal(choose(&set, remove_share(-0.1)), LASER_EUSAGE);
    assert_int_equal(choose(&set, remove_share(NAN)), LASER_EUSAGE);
    assert_int_equal(
        choose(&set, (struct laser_rank_options){LASER_RANKS_THRESHOLD, LASER_TARGET_REMOVE, 0.1, 0}),
        LASER_EUSAGE);
    release(&set);
}

/* The rank of one matrix n x n with these singular values. */
static int64_t rank_of_one(int64_t n, const double *s, enum laser_rank_target target, double value)
{
    const struct laser_rank_matrix m = {
        .name = "one", .rows = n, .columns = n, .s = s, .coefficient = 1, .group = -1};
    const struct laser_rank_options o = {
        .rule = LASER_RANKS_THRESHOLD, .target = target, .value = value, .multiple = 1};
    struct laser_rank_summary summary;
    struct laser_error err;
    int64_t rank;

    assert_int_equal(laser_ranks_choose(&m, 1, &o, &rank, &summary, &err), LASER_OK);
    return rank;
}

static void a_share_that_is_no_whole_number_is_rounded_up(void **state)
{
    const double s[8] = {8, 7, 6, 5, 4, 3, 2, 1};

    (void)state;
    /* Of 64 parameters a rank takes 16: three ranks are 48, which are 16 less. */
    assert_int_equal(rank_of_one(8, s, LASER_TARGET_REMOVE, 0.25), 3);
    assert_int_equal(rank_of_one(8, s, LASER_TARGET_REMOVE, 0.26), 2);
}

static void a_rank_with_as_many_parameters_is_no_choice(void **state)
{
    const double s[4] = {1, 1, 0, 0}, one[2] = {1, 0};

    (void)state;
    /* Rank 2 would cost nothing, and save nothing: 2 (4 + 4) = 16.  Of two rows there is no smaller rank beside it. */
    assert_int_equal(rank_of_one(4, s, LASER_TARGET_RISE, 0.1), LASER_RANK_DENSE);
    assert_int_equal(rank_of_one(2, one, LASER_TARGET_RISE, 0.1), LASER_RANK_DENSE);
}

static void the_predicted_rise_is_half_of_the_squares(void **state)
{
    const double s[6] = {9, 4, 1, 1, 1, 1};

    (void)state;
    /* Rank 2 leaves four ones out: a rise of 2. */
    assert_int_equal(rank_of_one(6, s, LASER_TARGET_RISE, 2.2), 2);
    assert_int_equal(rank_of_one(6, s, LASER_TARGET_RISE, 1.9), LASER_RANK_DENSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_is_removed_to_the_last_matrix_step),
        cmocka_unit_test(nothing_to_remove_leaves_all_dense),
        cmocka_unit_test(ranks_that_save_nothing_are_dense),
        cmocka_unit_test(what_a_rise_allows_is_the_best_of_its_size),
        cmocka_unit_test(the_hull_is_better_than_a_plain_threshold),
        cmocka_unit_test(a_uniform_cut_costs_more),
        cmocka_unit_test(a_uniform_cut_takes_the_same_share_of_each),
        cmocka_unit_test(ranks_are_multiples),
        cmocka_unit_test(a_group_has_one_rank),
        cmocka_unit_test(a_coefficient_shifts_ranks),
        cmocka_unit_test(a_rise_is_not_exceeded),
        cmocka_unit_test(a_size_and_its_share_give_the_same),
        cmocka_unit_test(a_target_that_cannot_be_met_names_the_smallest),
        cmocka_unit_test(equal_matrices_are_cut_in_their_order),
        cmocka_unit_test(spectra_that_are_none_are_refused),
        cmocka_unit_test(targets_out_of_range_are_refused),
        cmocka_unit_test(a_share_that_is_no_whole_number_is_rounded_up),
        cmocka_unit_test(a_rank_with_as_many_parameters_is_no_choice),
        cmocka_unit_test(the_predicted_rise_is_half_of_the_squares),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
