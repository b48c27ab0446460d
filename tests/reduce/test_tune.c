/* What of tune needs one process: which batches a round takes, what a step is found to have done, the plan of its edits. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "reduce/tune.h"
#include "testing.h"

/* Two texts of four windows each, the second a guard; five batches of calibration of 10 tokens. */
struct fixture {
    struct laser_settings settings;
    struct laser_run run;
    struct laser_log log;
    struct laser_evaluation e;
    struct laser_window windows[8];
    int64_t items[8];
    struct laser_item_batch batches[8];
    struct laser_dataset datasets[2];
    char names[2][8];
    struct laser_item_score before[8], after[8];
    double room[24];
};

static void start(struct fixture *f)
{
    memset(f, 0, sizeof *f);
    f->run.settings = &f->settings;
    f->run.log = &f->log;
    f->e.run = &f->run;
    f->e.windows = f->windows;
    f->e.items = f->items;
    f->e.batches = f->batches;
    f->e.datasets = f->datasets;
    f->e.n_items = f->e.n_windows = 8;
    f->e.n_datasets = 2;
    f->e.n_guards = 1;
    memcpy(f->names, (char[2][8]){"wiki", "guard"}, sizeof f->names);
    f->datasets[0].name = f->names[0];
    f->datasets[1].name = f->names[1];
    for (int i = 0; i < 8; ++i) {
        f->windows[i] = (struct laser_window){.dataset = i / 4, .n_tokens = 10, .n_scored = 10};
        f->items[i] = i;
        f->batches[i] = (struct laser_item_batch){.first = i, .n = 1};
        f->before[i].window.sum_nats = f->after[i].window.sum_nats = 20;
    }
    f->e.part_item[LASER_PART_SELECTION + 1] = 4;
    for (int part = LASER_PART_SELECTION + 1; part < LASER_PARTS; ++part)
        f->e.part_item[part + 1] = part == LASER_PART_GUARD ? 8 : f->e.part_item[part];
    f->e.part_batch[LASER_PART_CALIBRATION] = 2;
    f->e.part_batch[LASER_PART_CALIBRATION + 1] = 7;
}

static void assert_batches(struct fixture *f, int round, int64_t first, int64_t end)
{
    int64_t a, b;

    laser_tune_batches(&f->e, round, &a, &b);
    assert_int_equal(a, first);
    assert_int_equal(b, end);
}

static void rounds_take_the_next_batches_and_begin_again(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    f.settings.reduce.calibration_tokens = 15; /* two batches */
    assert_batches(&f, 0, 2, 4);
    assert_batches(&f, 1, 4, 6);
    assert_batches(&f, 2, 5, 7); /* not behind the last */
    assert_batches(&f, 3, 3, 5);
}

static void without_a_number_of_tokens_all_batches_are_taken(void **state)
{
    struct fixture f;

    (void)state;
    start(&f);
    assert_batches(&f, 0, 2, 7);
    assert_batches(&f, 1, 2, 7);
}

static json_t *judge(struct fixture *f, struct laser_line_step *step)
{
    struct laser_tune_scores scores = {&f->e, f->before, f->after, f->room};
    json_t *list = json_array();

    laser_tune_judge(&scores, -0.125, step, list);
    return list;
}

static void the_selection_alone_gives_the_difference(void **state)
{
    struct fixture f;
    struct laser_line_step step = {.length = 0.5};
    json_t *list;

    (void)state;
    start(&f);
    for (int i = 0; i < 4; ++i)
        f.after[i].window.sum_nats = 19;
    list = judge(&f, &step);
    assert_true(fabs(step.difference + 0.1) < 1e-12 && step.error < 1e-12);
    assert_false(step.harms);
    assert_true(json_real_value(json_object_get(json_array_get(list, 0), "predicted")) == -0.125);
    json_decref(list);
}

static void a_guard_that_gets_worse_by_more_than_its_error_is_harmed(void **state)
{
    struct fixture f;
    struct laser_line_step step = {.length = 0.5};
    json_t *list;

    (void)state;
    start(&f);
    for (int i = 4; i < 8; ++i)
        f.after[i].window.sum_nats = 21 + 0.1 * i;
    list = judge(&f, &step);
    assert_true(step.harms);
    assert_true(step.difference == 0);
    assert_true(json_is_true(json_object_get(json_array_get(list, 0), "harms_guard")));
    json_decref(list);
}

static void a_guard_within_its_error_is_not_harmed(void **state)
{
    struct fixture f;
    struct laser_line_step step = {.length = 0.5};

    (void)state;
    start(&f);
    f.after[4].window.sum_nats = 22;
    f.after[5].window.sum_nats = 18.5;
    json_decref(judge(&f, &step));
    assert_false(step.harms);
}

static void a_step_that_leads_too_far_from_the_base_is_none(void **state)
{
    struct fixture f;
    struct laser_line_step near = {.length = 0.5}, far = {.length = 1};
    json_t *list;

    (void)state;
    start(&f);
    f.settings.reduce.max_kl = 0.05; /* a token; 40 tokens select */
    f.after[0].kl_nats = 1.9;
    json_decref(judge(&f, &near));
    assert_false(near.harms);
    f.after[3].kl_nats = 0.2;
    list = judge(&f, &far);
    assert_true(far.harms);
    assert_true(json_is_true(json_object_get(json_array_get(list, 0), "too_far")));
    assert_false(json_is_true(json_object_get(json_array_get(list, 0), "harms_guard")));
    json_decref(list);
}

static void guards_are_told_with_what_did_not_decide(void **state)
{
    struct fixture f;
    struct laser_error err;
    json_t *tune = json_object(), *guard;

    (void)state;
    start(&f);
    for (int i = 4; i < 8; ++i)
        f.after[i].window.sum_nats = 21;
    assert_int_equal(
        laser_tune_guards(&(struct laser_tune_scores){&f.e, f.before, f.after, f.room}, tune, &err),
        LASER_OK);
    guard = json_object_get(json_object_get(tune, "guards"), "guard");
    assert_int_equal(json_integer_value(json_object_get(json_object_get(guard, "selection"), "windows")), 4);
    assert_true(fabs(json_real_value(json_object_get(json_object_get(guard, "selection"), "nll")) - 2) <
                1e-12);
    assert_true(json_is_null(json_object_get(guard, "report")));
    json_decref(tune);
}

static void the_edits_of_a_step_are_one_candidate_and_none_are_none(void **state)
{
    struct laser_strategy_edit edits[2] = {{.matrix = 3}, {.matrix = 5}};
    struct laser_strategy_plan plan = {0}, empty = {0};
    struct laser_error err;

    (void)state;
    assert_int_equal(laser_tune_plan(edits, 2, &plan, &err), LASER_OK);
    assert_true(plan.n_candidates == 1 && plan.n_trials == 1 && plan.trials[0].n_edits == 2);
    assert_true(plan.edits[1].matrix == 5 && plan.edit_numbers[1] == 1);
    assert_int_equal(laser_tune_plan(NULL, 0, &empty, &err), LASER_OK);
    assert_true(empty.n_candidates == 0 && empty.n_trials == 0);
    laser_strategy_free(&plan);
    laser_strategy_free(&empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rounds_take_the_next_batches_and_begin_again),
        cmocka_unit_test(without_a_number_of_tokens_all_batches_are_taken),
        cmocka_unit_test(the_selection_alone_gives_the_difference),
        cmocka_unit_test(a_guard_that_gets_worse_by_more_than_its_error_is_harmed),
        cmocka_unit_test(a_guard_within_its_error_is_not_harmed),
        cmocka_unit_test(a_step_that_leads_too_far_from_the_base_is_none),
        cmocka_unit_test(guards_are_told_with_what_did_not_decide),
        cmocka_unit_test(the_edits_of_a_step_are_one_candidate_and_none_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
