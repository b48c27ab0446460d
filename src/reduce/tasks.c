/* All figures of texts and tasks before and after a reduction, on the part that selects and the other. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mcnemar.h"
#include "base/number.h"
#include "evaluate/task_results.h"
#include "reduce/reduce.h"

/* Mean nats a token of the windows of some items; NaN without any. */
static double mean_nll(const struct laser_evaluation *e, int64_t first, int64_t end,
                       const struct laser_item_score *scores)
{
    double sum = 0, tokens = 0;
    int64_t w;

    for (int64_t i = first; i < end; ++i)
        if (!laser_item_is_question(e, i, &w)) {
            sum += scores[i].window.sum_nats;
            tokens += e->windows[w].n_scored;
        }
    return tokens > 0 ? sum / tokens : NAN;
}

/* Of the texts among some items: mean change of the loss and its error, window by window.  False without
 * windows or memory. */
static bool text_change(const struct laser_reduction *r, int64_t first, int64_t end, double *mean,
                        double *error)
{
    size_t bytes = (size_t)(end - first) * sizeof(double) + 1;
    double *a = malloc(bytes), *b = malloc(bytes), *weights = malloc(bytes);
    bool known = a != NULL && b != NULL && weights != NULL;
    int n = 0;
    int64_t w;

    for (int64_t i = first; known && i < end; ++i)
        if (!laser_item_is_question(r->setup.e, i, &w)) {
            weights[n] = r->setup.e->windows[w].n_scored;
            a[n] = r->report.after[i].window.sum_nats / weights[n];
            b[n] = r->report.before[i].window.sum_nats / weights[n];
            ++n;
        }
    known = known && n > 0;
    if (known)
        laser_search_paired(a, b, weights, n, mean, error);
    free(a);
    free(b);
    free(weights);
    return known;
}

static void part_range(const struct laser_evaluation *e, bool report, int64_t *first, int64_t *end)
{
    *first = e->part_item[report ? LASER_PART_REPORT : LASER_PART_SELECTION];
    *end = e->part_item[report ? LASER_PARTS : LASER_PART_REPORT];
}

void laser_reduction_tasks_say(const struct laser_reduction *r)
{
    for (int report = 0; report < 2 && r->report.before != NULL; ++report) {
        char number[LASER_NUMBER_SIZE];
        int64_t first, end;
        double before, change, error;
        part_range(r->setup.e, report, &first, &end);
        before = mean_nll(r->setup.e, first, end, r->report.before);
        laser_tasks_say(r->setup.e, report ? "TEST" : "VALIDATION", first, end, r->report.before,
                        r->report.after);
        if (!laser_reduction_has_ppl(&r->setup) && text_change(r, first, end, &change, &error))
            laser_log_line(r->setup.run->log, report ? "TEST" : "VALIDATION",
                           "texts: perplexity %.6f -> %.6f (%s +- %.6f nats): %s", exp(before),
                           exp(mean_nll(r->setup.e, first, end, r->report.after)),
                           laser_number_change(change, 6, number), error,
                           laser_verdict_name(laser_verdict_paired(change, error)));
    }
}

static json_t *number(double x)
{
    return isfinite(x) ? json_real(x) : json_null();
}

static json_t *part_json(const struct laser_reduction *r, bool report)
{
    int64_t first, end;
    double before;
    json_t *o;

    part_range(r->setup.e, report, &first, &end);
    before = mean_nll(r->setup.e, first, end, r->report.before);
    o = json_pack("{s:o}", "tasks",
                  laser_tasks_json(r->setup.e, first, end, r->report.before, r->report.after));
    if (o != NULL && isfinite(before)) {
        double after = mean_nll(r->setup.e, first, end, r->report.after), change = NAN, error = NAN;
        text_change(r, first, end, &change, &error);
        json_object_set_new(o, "perplexity",
                            json_pack("{s:o, s:o, s:o, s:o, s:s}", "before", number(exp(before)), "after",
                                      number(exp(after)), "difference_nats", number(change),
                                      "difference_stderr", number(error), "verdict",
                                      laser_verdict_name(laser_verdict_paired(change, error))));
    }
    return o;
}

int laser_reduction_tasks_json(const struct laser_reduction *r, json_t *results)
{
    struct laser_text text = {0};
    int bad;

    laser_objective_describe(&r->setup.e->objective, &text);
    bad = text.failed || json_object_set_new(results, "objective", json_string(text.data)) != 0;
    laser_text_free(&text);
    bad |= json_object_set_new(
               results, "objective_rises",
               json_boolean(laser_objective_shown_difference(&r->setup.e->objective, 1) < 0)) != 0;
    if (r->report.before == NULL)
        return bad;
    bad |= json_object_set_new(results, "seed", json_integer(r->setup.run->settings->evaluate.seed)) |
           json_object_set_new(results, "validation_share",
                               json_real(r->setup.run->settings->evaluate.validation_share)) |
           json_object_set_new(results, "validation", part_json(r, false)) |
           json_object_set_new(results, "test", part_json(r, true));
    return bad;
}

int laser_reduction_tasks_write(const struct laser_reduction *r, struct laser_error *err)
{
    const struct laser_answers before = {r->report.before, r->report.options_before},
                               after = {r->report.after, r->setup.e->option_nats};

    if (r->report.before == NULL)
        return LASER_OK;
    return laser_questions_write(r->setup.e, laser_run_path(r->setup.run, "questions.jsonl"), &before, &after,
                                 err);
}
