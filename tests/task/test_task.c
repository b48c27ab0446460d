/* Task files, the scores of a question, figures and pairs, objectives. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mcnemar.h"
#include "task/objective.h"
#include "task/score.h"
#include "task/set.h"
#include "task/slope.h"
#include "task/task.h"
#include "testing.h"

static char path[64];

static int setup(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "task-XXXXXX");
    close(mkstemp(path));
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return 0;
}

static int read_text(const char *text, struct laser_task *task, struct laser_error *err)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    return laser_task_read("t", path, task, err);
}

static void three_kinds_are_read(void **state)
{
    struct laser_task task;
    struct laser_error err;

    (void)state;
    assert_int_equal(
        read_text("\xef\xbb\xbf{\"prompt\": \"p\", \"choices\": [\" a\", \" b\"], \"answer\": 1}\n"
                  "\r\n{\"id\": 7, \"kind\": \"choice\", \"prompt\": \"\", \"choices\": [\"x\", "
                  "\"y\", \"z\"], \"answer\": 0}\n",
                  &task, &err),
        LASER_OK);
    assert_int_equal(task.kind, LASER_TASK_CHOICE);
    assert_int_equal(task.n_questions, 2);
    assert_int_equal(task.questions[0].answer, 1);
    assert_string_equal(task.questions[1].options[2], "z");
    assert_int_equal(task.questions[1].line, 3);
    laser_task_free(&task);
    assert_int_equal(read_text("{\"prompt\": \"p\", \"answer\": \" x\"}\n"
                               "{\"prompt\": \"q\", \"answers\": [\" x\", \" y\"]}",
                               &task, &err),
                     LASER_OK);
    assert_int_equal(task.kind, LASER_TASK_COMPLETION);
    assert_int_equal(task.questions[1].n_options, 2);
    laser_task_free(&task);
    assert_int_equal(read_text("{\"prompt\": \"p\", \"chosen\": \"c\", \"rejected\": \"r\"}", &task, &err),
                     LASER_OK);
    assert_int_equal(task.kind, LASER_TASK_PREFERENCE);
    assert_string_equal(task.questions[0].options[1], "r");
    laser_task_free(&task);
}

static void a_row_that_is_no_question_is_left_out_with_its_reason(void **state)
{
    static const struct {
        const char *line, *text;
    } bad[] = {
        {"[1]", "a JSON object was expected, found a list"},
        {"{\"prompt\": 3, \"choices\": [\"a\", \"b\"], \"answer\": 0}", "\"prompt\" is a number"},
        {"{\"choices\": [\"a\", \"b\"], \"answer\": 0}", "\"prompt\" is missing"},
        {"{\"prompt\": \"\", \"choices\": [\"a\", \"b\"]}", "\"answer\" is missing"},
        {"{\"prompt\": \"\", \"choices\": [\"a\", \"b\"], \"answer\": 2}", "an index from 0 to 1"},
        {"{\"prompt\": \"\", \"choices\": [\"a\", \"b\"], \"answer\": -1}", "an index from 0 to 1"},
        {"{\"prompt\": \"\", \"choices\": [\"a\", \"b\"], \"answer\": \"a\"}", "\"answer\" is a string"},
        {"{\"prompt\": \"\", \"choices\": [\"a\"], \"answer\": 0}", "one item, two are needed"},
        {"{\"prompt\": \"\", \"choices\": [], \"answer\": 0}", "has 0 items"},
        {"{\"prompt\": \"\", \"choices\": \"ab\", \"answer\": 0}", "a list of strings was expected"},
        {"{\"prompt\": \"\", \"choices\": [\"a\", 1], \"answer\": 0}", "item 1 of field \"choices\""},
        {"{\"prompt\": \"\", \"choices\": [\"a\", \" \"], \"answer\": 0}", "item 1 of field \"choices\" is "
                                                                           "empty"},
        {"{\"prompt\": \"\", \"choices\": [\"a\", \"b\", \"a\"], \"answer\": 0}", "items 0 and 2"},
        {"{\"kind\": \"essay\", \"prompt\": \"\"}", "\"kind\" is \"essay\""},
        {"{\"prompt\": \"\", \"chosen\": \"x\", \"rejected\": \"x\"}", "are the same"},
        {"{\"prompt\": \"\", \"chosen\": \"x\"}", "\"rejected\" is missing"},
    };
    char text[400];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        struct laser_task task;
        struct laser_error err;
        snprintf(text, sizeof text, "{\"prompt\": \"p\", \"choices\": [\"a\", \"b\"], \"answer\": 0}\n%s\n",
                 bad[i].line);
        assert_int_equal(read_text(text, &task, &err), LASER_OK);
        assert_int_equal(task.n_questions, 1);
        assert_int_equal(task.n_left_out, 1);
        assert_int_equal(task.left_out[0].line, 2);
        if (strstr(task.left_out[0].reason, bad[i].text) == NULL)
            fail_msg("\"%s\" lacks \"%s\"", task.left_out[0].reason, bad[i].text);
        laser_task_free(&task);
    }
}

static void many_rows_can_be_left_out(void **state)
{
    struct laser_text text = {0};
    struct laser_task task;
    struct laser_error err;

    (void)state;
    for (int i = 0; i < 100; ++i)
        laser_text_puts(&text, "{\"prompt\": \"\", \"choices\": [\"a\", \"a\"], \"answer\": 0}\n");
    assert_int_equal(read_text(text.data, &task, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "no question in the file; line 1, the first of 100: items 0 and 1"));
    laser_task_free(&task);
    laser_text_puts(&text, "{\"prompt\": \"\", \"choices\": [\"a\", \"b\"], \"answer\": 0}\n");
    assert_int_equal(read_text(text.data, &task, &err), LASER_OK);
    assert_int_equal(task.n_left_out, 100);
    assert_int_equal(task.left_out[99].line, 100);
    assert_int_equal(task.questions[0].line, 101);
    laser_task_free(&task);
    laser_text_free(&text);
}

static void a_file_that_is_no_task_file_is_refused_by_line(void **state)
{
    static const char *const bad[][2] = {{"{\"prompt\": \"p\"", "not JSON"},
                                         {"{\"prompt\": \"\", \"prompt\": \"\"}", "not JSON: duplicate"},
                                         {"{\"prompt\": \"\", \"answer\": \"x\"}", "a file holds one kind"}};
    char text[400];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; ++i) {
        struct laser_task task;
        struct laser_error err;
        snprintf(text, sizeof text, "{\"prompt\": \"p\", \"choices\": [\"a\", \"b\"], \"answer\": 0}\n%s\n",
                 bad[i][0]);
        assert_int_equal(read_text(text, &task, &err), LASER_EINPUT);
        assert_non_null(strstr(err.where, ":2"));
        assert_non_null(strstr(err.text, bad[i][1]));
        laser_task_free(&task);
    }
}

/* What Python's json writes and reads, in fields that nobody asks for. */
static void numbers_beyond_strict_json_do_no_harm_in_other_fields(void **state)
{
    struct laser_task task;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("{\"prompt\": \"p\", \"answer\": \" x\", \"score\": NaN, \"seed\": "
                               "18446744073709551615, \"loss\": [-Infinity]}\n",
                               &task, &err),
                     LASER_OK);
    assert_string_equal(task.questions[0].prompt, "p");
    laser_task_free(&task);
    assert_int_equal(read_text("{\"prompt\": NaN, \"answer\": \" x\"}\n", &task, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "\"prompt\""));
    laser_task_free(&task);
}

static void a_file_without_a_question_is_refused(void **state)
{
    struct laser_task task;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("\n \n", &task, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "no question"));
    laser_task_free(&task);
    assert_int_equal(laser_task_read("t", "no-such-file.jsonl", &task, &err), LASER_EINPUT);
    laser_task_free(&task);
}

static void near(double a, double b)
{
    if (!(fabs(a - b) <= 1e-12 * fmax(1, fabs(b))))
        fail_msg("%.17g is not %.17g", a, b);
}

static void a_choice_is_scored_by_sum_by_token_by_character_and_by_byte(void **state)
{
    /* The best of all, a token, a character and a byte are different ones. */
    const struct laser_option_score o[] = {
        {.log_probability = log(0.2), .n_tokens = 1, .n_characters = 4, .n_bytes = 4},
        {.log_probability = log(0.1), .n_tokens = 4, .n_characters = 4, .n_bytes = 5},
        {.log_probability = log(0.1), .n_tokens = 2, .n_characters = 9, .n_bytes = 9}};
    struct laser_task_score s;

    (void)state;
    laser_task_score(LASER_TASK_CHOICE, o, 3, 1, &s);
    near(s.values[LASER_METRIC_ACCURACY], 0);
    near(s.values[LASER_METRIC_ACCURACY_PER_TOKEN], 1);
    near(s.values[LASER_METRIC_ACCURACY_PER_CHARACTER], 0);
    near(s.values[LASER_METRIC_ACCURACY_PER_BYTE], 0);
    near(s.values[LASER_METRIC_LOG_LOSS], -log(0.25));
    near(s.values[LASER_METRIC_BRIER], 0.5 * 0.5 + 0.75 * 0.75 + 0.25 * 0.25);
    assert_true(isnan(s.values[LASER_METRIC_PREFERENCE]));
    laser_task_score(LASER_TASK_CHOICE, o, 3, 0, &s);
    near(s.values[LASER_METRIC_ACCURACY], 1);
    laser_task_score(LASER_TASK_CHOICE, o, 3, 2, &s);
    near(s.values[LASER_METRIC_ACCURACY], 0);
    near(s.values[LASER_METRIC_ACCURACY_PER_TOKEN], 0);
    near(s.values[LASER_METRIC_ACCURACY_PER_CHARACTER], 1);
    near(s.values[LASER_METRIC_ACCURACY_PER_BYTE], 1);
}

static void characters_are_not_bytes(void **state)
{
    const struct laser_option_score o[] = {
        {.log_probability = -4, .n_tokens = 1, .n_characters = 4, .n_bytes = 12},
        {.log_probability = -4, .n_tokens = 1, .n_characters = 5, .n_bytes = 5}};
    struct laser_task_score s;

    (void)state;
    laser_task_score(LASER_TASK_CHOICE, o, 2, 0, &s);
    near(s.values[LASER_METRIC_ACCURACY_PER_CHARACTER], 0);
    near(s.values[LASER_METRIC_ACCURACY_PER_BYTE], 1);
}

static void a_sure_choice_keeps_its_small_loss(void **state)
{
    const struct laser_option_score o[] = {{.log_probability = -41, .n_tokens = 1},
                                           {.log_probability = -1, .n_tokens = 1}};
    struct laser_task_score s;

    (void)state;
    laser_task_score(LASER_TASK_CHOICE, o, 2, 1, &s);
    assert_true(fabs(s.values[LASER_METRIC_LOG_LOSS] / exp(-40) - 1) < 1e-12);
    assert_true(fabs(s.values[LASER_METRIC_BRIER] / (2 * exp(-80)) - 1) < 1e-12);
    laser_task_score(LASER_TASK_CHOICE, o, 2, 0, &s);
    assert_true(fabs(s.values[LASER_METRIC_LOG_LOSS] - 40) < 1e-12);
    assert_true(fabs(s.values[LASER_METRIC_BRIER] - 2) < 1e-12);
}

static void a_tie_is_no_hit(void **state)
{
    const struct laser_option_score o[] = {{.log_probability = -1, .n_tokens = 1},
                                           {.log_probability = -1, .n_tokens = 1}};
    struct laser_task_score s;

    (void)state;
    laser_task_score(LASER_TASK_CHOICE, o, 2, 0, &s);
    near(s.values[LASER_METRIC_ACCURACY], 0);
    laser_task_score(LASER_TASK_PREFERENCE, o, 2, 0, &s);
    near(s.values[LASER_METRIC_PREFERENCE], 0);
}

static void the_best_accepted_answer_counts(void **state)
{
    const struct laser_option_score o[] = {
        {.log_probability = -4, .n_tokens = 2, .is_greedy = false, .best_rank = 3},
        {.log_probability = -3, .n_tokens = 1, .is_greedy = false, .best_rank = 7},
        {.log_probability = -9, .n_tokens = 1, .is_greedy = true, .best_rank = 9}};
    struct laser_task_score s;

    (void)state;
    laser_task_score(LASER_TASK_COMPLETION, o, 3, 0, &s);
    near(s.values[LASER_METRIC_LOG_LOSS], 3);
    near(s.values[LASER_METRIC_LOG_LOSS_SUM], 3);
    near(s.values[LASER_METRIC_ACCURACY], 1);
    near(s.values[LASER_METRIC_TOP_1], 0);
    near(s.values[LASER_METRIC_TOP_5], 1);
    laser_task_score(LASER_TASK_COMPLETION, o, 1, 0, &s);
    near(s.values[LASER_METRIC_LOG_LOSS], 2);
    near(s.values[LASER_METRIC_LOG_LOSS_SUM], 4);
    near(s.values[LASER_METRIC_ACCURACY], 0);
}

static void a_preference_has_a_margin(void **state)
{
    const struct laser_option_score o[] = {{.log_probability = -6, .n_tokens = 6},
                                           {.log_probability = -4, .n_tokens = 2}};
    struct laser_task_score s;

    (void)state;
    laser_task_score(LASER_TASK_PREFERENCE, o, 2, 0, &s);
    near(s.values[LASER_METRIC_MARGIN], -2);
    near(s.values[LASER_METRIC_PREFERENCE], 0);
    near(s.values[LASER_METRIC_MARGIN_NORM], 1);
    near(s.values[LASER_METRIC_PREFERENCE_NORM], 1);
}

static void what_is_not_finite_is_no_score(void **state)
{
    const struct laser_option_score o[] = {{.log_probability = NAN, .n_tokens = 1},
                                           {.log_probability = -4, .n_tokens = 2}};
    struct laser_task_score s;

    (void)state;
    for (int k = 0; k < LASER_TASK_KINDS; ++k) {
        laser_task_score((enum laser_task_kind)k, o, 2, 0, &s);
        for (int m = 0; m < LASER_METRICS; ++m)
            assert_true(isnan(s.values[m]));
    }
}

static void differences_are_paired(void **state)
{
    struct laser_task_score a[10], b[10];
    struct laser_task_figure f;
    struct laser_task_pair p;

    (void)state;
    for (int i = 0; i < 10; ++i)
        for (int m = 0; m < LASER_METRICS; ++m)
            a[i].values[m] = b[i].values[m] = NAN;
    for (int i = 0; i < 8; ++i) { /* two questions are of another kind */
        a[i].values[LASER_METRIC_ACCURACY] = i < 3;
        b[i].values[LASER_METRIC_ACCURACY] = i > 0 && i < 7;
    }
    f = laser_task_figure(a, 10, LASER_METRIC_ACCURACY);
    assert_int_equal(f.n, 8);
    near(f.mean, 0.375);
    near(f.stderr_, sqrt(0.375 * 0.625 / 7));
    p = laser_task_pair(a, b, 10, LASER_METRIC_ACCURACY);
    assert_int_equal(p.better, 4);
    assert_int_equal(p.worse, 1);
    near(p.difference, 0.375);
    near(p.p_better, 6.0 / 32);
    near(p.stderr_, sqrt((4 * 0.625 * 0.625 + 1.375 * 1.375 + 3 * 0.375 * 0.375) / 7 / 8));
}

static void mcnemar_is_the_binomial_tail(void **state)
{
    (void)state;
    near(laser_mcnemar_p(0, 0), 1);
    near(laser_mcnemar_p(5, 0), 1.0 / 32);
    near(laser_mcnemar_p(0, 5), 1);
    near(laser_mcnemar_p(8, 2), 56.0 / 1024);
    assert_true(fabs(laser_mcnemar_p(600, 500) - 0.00140) < 2e-5); /* scipy.stats.binom.sf(599, 1100, 0.5) */
    near(laser_mcnemar_p(1, 3000), 1);
    assert_true(fabs(laser_normal_tail(2) - 0.02275013194817921) < 1e-15);
}

static void an_objective_is_a_metric_or_a_sum(void **state)
{
    struct laser_objective o;
    struct laser_error err;
    struct laser_text text = {0};

    (void)state;
    assert_int_equal(laser_objective_parse("accuracy", &o, &err), LASER_OK);
    assert_int_equal(laser_objective_share(&o), LASER_METRIC_ACCURACY);
    assert_string_equal(laser_objective_label(&o), "accuracy");
    near(laser_objective_shown(&o, 0.25), 0.75);
    assert_int_equal(laser_objective_parse("3*accuracy", &o, &err), LASER_OK);
    assert_int_equal(laser_objective_share(&o), LASER_METRIC_ACCURACY);
    near(laser_objective_shown(&o, 0.25), 0.75);
    assert_int_equal(laser_objective_parse(" 0.5*accuracy + 2e+0 * log_loss+perplexity", &o, &err), LASER_OK);
    near(o.weight[LASER_METRIC_ACCURACY], 0.5);
    near(o.weight[LASER_METRIC_LOG_LOSS], 2);
    near(o.weight[LASER_TERM_PERPLEXITY], 1);
    assert_int_equal(laser_objective_share(&o), -1);
    laser_objective_describe(&o, &text);
    assert_string_equal(text.data, "0.5*accuracy + 2.0*log_loss + 1.0*perplexity");
    laser_text_free(&text);
    assert_int_equal(laser_objective_parse("accurcy", &o, &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "accuracy_per_token"));
    assert_int_equal(laser_objective_parse("-1*accuracy", &o, &err), LASER_EUSAGE);
    assert_int_equal(laser_objective_parse("x*accuracy", &o, &err), LASER_EUSAGE);
    assert_int_equal(laser_objective_parse("accuracy+accuracy", &o, &err), LASER_EUSAGE);
    assert_int_equal(laser_objective_parse("accuracy+", &o, &err), LASER_EUSAGE);
    assert_int_equal(laser_objective_parse("", &o, &err), LASER_EUSAGE);
}

static void an_objective_that_the_tasks_lack_is_refused(void **state)
{
    struct laser_objective o;
    struct laser_error err;

    (void)state;
    laser_objective_parse("brier", &o, &err);
    assert_int_equal(laser_objective_check(&o, true, 1u << LASER_TASK_PREFERENCE, &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "kind choice"));
    assert_int_equal(laser_objective_check(&o, false, 1u << LASER_TASK_CHOICE, &err), LASER_OK);
    laser_objective_parse("perplexity", &o, &err);
    assert_int_equal(laser_objective_check(&o, false, 1u << LASER_TASK_CHOICE, &err), LASER_EUSAGE);
    laser_objective_default(false, 1u << LASER_TASK_PREFERENCE, &o);
    assert_int_equal(laser_objective_share(&o), LASER_METRIC_PREFERENCE);
    laser_objective_default(true, 1u << LASER_TASK_PREFERENCE, &o);
    assert_true(laser_objective_has_text(&o));
}

/* The weighted mean of the items' numbers is the sum of the weighted means of the losses. */
static void an_objective_is_the_mean_of_its_items(void **state)
{
    const int64_t questions[LASER_TASK_KINDS] = {3, 0, 2};
    const double nll[2] = {1.5, 2.5}, tokens[2] = {10, 30};
    struct laser_objective_part part;
    struct laser_task_score s[5];
    struct laser_objective o;
    struct laser_error err;
    double sum = 0, weight = 0;

    (void)state;
    for (int i = 0; i < 5; ++i)
        for (int m = 0; m < LASER_METRICS; ++m)
            s[i].values[m] = NAN;
    for (int i = 0; i < 3; ++i)
        s[i].values[LASER_METRIC_ACCURACY] = i == 1;
    s[3].values[LASER_METRIC_MARGIN] = 1;
    s[4].values[LASER_METRIC_MARGIN] = -4;
    laser_objective_parse("0.5*perplexity + 2*accuracy + 0.1*margin", &o, &err);
    laser_objective_prepare(&o, 40, questions, &part);
    for (int i = 0; i < 2; ++i) {
        sum += part.text_weight * tokens[i] * laser_objective_window(&part, nll[i]);
        weight += part.text_weight * tokens[i];
    }
    for (int i = 0; i < 5; ++i) {
        sum += part.question_weight *
               laser_objective_question(&part, i < 3 ? LASER_TASK_CHOICE : LASER_TASK_PREFERENCE, &s[i]);
        weight += part.question_weight;
    }
    near(sum / weight, 0.5 * 2.25 + 2 * (1 - 1.0 / 3) + 0.1 * 1.5);
    s[0].values[LASER_METRIC_ACCURACY] = NAN;
    assert_true(isnan(laser_objective_question(&part, LASER_TASK_CHOICE, &s[0])));
}

/* Numbers of a question with some options moved by h along -log p of each token of one of them, or of its first. */
static double moved(const struct laser_objective_part *part, enum laser_task_kind kind,
                    const struct laser_option_score *options, int n, int which, double all, double first)
{
    struct laser_option_score near_by[4];
    struct laser_option_slope slopes[4];

    memcpy(near_by, options, (size_t)n * sizeof *options);
    near_by[which].log_probability -= all + first;
    near_by[which].first_log_probability -= all / near_by[which].n_tokens + first;
    return laser_objective_slopes(part, kind, near_by, n, 1 % n, slopes);
}

/* Of every metric that a kind has, against differences. */
static void slopes_are_those_of_the_loss(void **state)
{
    const struct laser_option_score options[3] = {{.log_probability = -2.5,
                                                   .first_log_probability = -1.1,
                                                   .n_tokens = 2,
                                                   .n_characters = 7,
                                                   .n_bytes = 8},
                                                  {.log_probability = -1.75,
                                                   .first_log_probability = -0.5,
                                                   .n_tokens = 3,
                                                   .n_characters = 5,
                                                   .n_bytes = 9},
                                                  {.log_probability = -2.125,
                                                   .first_log_probability = -2.125,
                                                   .n_tokens = 1,
                                                   .n_characters = 3,
                                                   .n_bytes = 4}};
    const double h = 1e-5;
    int n_checked = 0;

    (void)state;
    for (int kind = 0; kind < LASER_TASK_KINDS; ++kind)
        for (int m = 0; m < LASER_METRICS; ++m) {
            int n = kind == LASER_TASK_PREFERENCE ? 2 : 3;
            struct laser_objective_part part = {.factor = {[LASER_METRIC_LOG_LOSS] = 0}};
            struct laser_option_slope slopes[4], other[4];

            if (!laser_metric_of(m, (enum laser_task_kind)kind))
                continue;
            part.factor[m] = 1.5;
            laser_objective_slopes(&part, (enum laser_task_kind)kind, options, n, 1, slopes);
            for (int i = 0; i < n; ++i) {
                /* A step in every token, of which all n_tokens make the sum; and one in the first alone. */
                double step = h * options[i].n_tokens,
                       all = (moved(&part, kind, options, n, i, step, 0) -
                              moved(&part, kind, options, n, i, -step, 0)) /
                             (2 * h),
                       first = (moved(&part, kind, options, n, i, 0, h) -
                                moved(&part, kind, options, n, i, 0, -h)) /
                               (2 * h);
                assert_true(fabs(all - (options[i].n_tokens * slopes[i].all + slopes[i].first)) < 1e-8);
                assert_true(fabs(first - (slopes[i].all + slopes[i].first)) < 1e-8);
                ++n_checked;
            }
            laser_objective_slopes(&part, (enum laser_task_kind)kind, options, n, 0, other);
        }
    assert_true(n_checked > 40);
}

/* What has a slope is itself; what is right or wrong has a loss in its place. */
static void a_number_with_a_slope_is_the_objectives(void **state)
{
    const struct laser_option_score options[2] = {
        {.log_probability = -1, .n_tokens = 2, .n_characters = 4, .n_bytes = 4},
        {.log_probability = -3, .n_tokens = 4, .n_characters = 9, .n_bytes = 9}};
    const int own[] = {LASER_METRIC_LOG_LOSS, LASER_METRIC_BRIER, LASER_METRIC_LOG_LOSS_SUM,
                       LASER_METRIC_MARGIN, LASER_METRIC_MARGIN_NORM};
    struct laser_objective_part part = {.factor = {[LASER_METRIC_LOG_LOSS] = 0}};
    struct laser_option_slope slopes[2];
    struct laser_task_score score;

    (void)state;
    for (int kind = 0; kind < LASER_TASK_KINDS; ++kind)
        for (size_t m = 0; m < sizeof own / sizeof *own; ++m) {
            if (!laser_metric_of(own[m], (enum laser_task_kind)kind))
                continue;
            memset(&part, 0, sizeof part);
            part.factor[own[m]] = 2;
            laser_task_score((enum laser_task_kind)kind, options, 2, 1, &score);
            near(laser_objective_slopes(&part, (enum laser_task_kind)kind, options, 2, 1, slopes),
                 laser_objective_question(&part, (enum laser_task_kind)kind, &score));
        }
    memset(&part, 0, sizeof part);
    part.factor[LASER_METRIC_PREFERENCE] = 1;
    near(laser_objective_slopes(&part, LASER_TASK_PREFERENCE, options, 2, 0, slopes), log1p(exp(-2)));
}

static void of_a_loss_less_is_better(void **state)
{
    struct laser_task_score a[3] = {{{0}}}, b[3] = {{{0}}};
    struct laser_task_pair p;

    (void)state;
    for (int i = 0; i < 3; ++i) {
        a[i].values[LASER_METRIC_LOG_LOSS] = 1;
        b[i].values[LASER_METRIC_LOG_LOSS] = i == 2 ? 2 : 0.5;
    }
    p = laser_task_pair(a, b, 3, LASER_METRIC_LOG_LOSS);
    assert_int_equal(p.better, 2);
    assert_int_equal(p.worse, 1);
}

/* Every byte is a token. */
static int bytes_as_tokens(void *context, const char *text, size_t n, bool add_special, int32_t **ids,
                           int64_t *n_ids, struct laser_error *err)
{
    (void)context;
    (void)add_special;
    (void)err;
    *ids = malloc((n + 1) * sizeof **ids);
    *n_ids = (int64_t)n;
    for (size_t i = 0; i < n; ++i)
        (*ids)[i] = (unsigned char)text[i];
    return LASER_OK;
}

static void both_cases(void *context, const char *answer, const int32_t **ids, int64_t *n_ids)
{
    static int32_t two[2];

    (void)context;
    two[0] = answer[0];
    two[1] = answer[0] ^ 32;
    *ids = two;
    *n_ids = 2;
}

static void variants_are_what_else_counts_as_the_answer(void **state)
{
    struct laser_arch arch = {.vocabulary = 256};
    struct laser_set_encoder e = {
        .encode = bytes_as_tokens, .variants = both_cases, .arch = &arch, .start = -1, .mask = -1};
    struct laser_set set = {0};
    struct laser_task task;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("{\"prompt\": \"p\", \"answer\": \"x\"}\n", &task, &err), LASER_OK);
    assert_int_equal(laser_set_add(&set, &task, &e, &err), LASER_OK);
    assert_int_equal(set.options[0].n_variants, 1);
    assert_int_equal(set.variants[0], 'X');
    laser_task_free(&task);
    laser_set_free(&set);
}

static void a_question_that_is_too_long_leaves_nothing_behind(void **state)
{
    struct laser_arch arch = {.vocabulary = 256};
    struct laser_set_encoder e = {
        .encode = bytes_as_tokens, .arch = &arch, .start = -1, .mask = -1, .max_tokens = 6};
    struct laser_set set = {0};
    struct laser_task task;
    struct laser_error err;

    (void)state;
    assert_int_equal(read_text("{\"prompt\": \"p\", \"choices\": [\"ab\", \"abcdefgh\"], \"answer\": 0}\n"
                               "{\"prompt\": \"q\", \"choices\": [\"cd\", \"ef\"], \"answer\": 0}\n",
                               &task, &err),
                     LASER_OK);
    assert_int_equal(laser_set_add(&set, &task, &e, &err), LASER_OK);
    assert_int_equal(set.n_questions, 1);
    assert_int_equal(set.n_options, 2);
    assert_int_equal(set.n_targets, 4);
    assert_int_equal(set.options[0].first_target, 0);
    assert_int_equal(set.targets[0], 'c');
    laser_task_free(&task);
    laser_set_free(&set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(three_kinds_are_read, setup, teardown),
        cmocka_unit_test_setup_teardown(numbers_beyond_strict_json_do_no_harm_in_other_fields, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_row_that_is_no_question_is_left_out_with_its_reason, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(many_rows_can_be_left_out, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_is_no_task_file_is_refused_by_line, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_without_a_question_is_refused, setup, teardown),
        cmocka_unit_test(a_choice_is_scored_by_sum_by_token_by_character_and_by_byte),
        cmocka_unit_test(characters_are_not_bytes),
        cmocka_unit_test(a_sure_choice_keeps_its_small_loss),
        cmocka_unit_test(a_tie_is_no_hit),
        cmocka_unit_test(the_best_accepted_answer_counts),
        cmocka_unit_test(a_preference_has_a_margin),
        cmocka_unit_test(what_is_not_finite_is_no_score),
        cmocka_unit_test(differences_are_paired),
        cmocka_unit_test(mcnemar_is_the_binomial_tail),
        cmocka_unit_test(an_objective_is_a_metric_or_a_sum),
        cmocka_unit_test(an_objective_that_the_tasks_lack_is_refused),
        cmocka_unit_test(an_objective_is_the_mean_of_its_items),
        cmocka_unit_test(of_a_loss_less_is_better),
        cmocka_unit_test(slopes_are_those_of_the_loss),
        cmocka_unit_test(a_number_with_a_slope_is_the_objectives),
        cmocka_unit_test_setup_teardown(variants_are_what_else_counts_as_the_answer, setup, teardown),
        cmocka_unit_test_setup_teardown(a_question_that_is_too_long_leaves_nothing_behind, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
