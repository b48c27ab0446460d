#include "report/decisions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double laser_result_number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);

    if (text != NULL && strcmp(text, "Infinity") == 0)
        return INFINITY;
    if (text != NULL && strcmp(text, "-Infinity") == 0)
        return -INFINITY;
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

double laser_goal_moved(const struct laser_goal *goal, double level, double change)
{
    return goal->sign == 0 ? level * exp(change) : level + goal->sign * change;
}

void laser_goal_read(const json_t *results, struct laser_goal *goal)
{
    const json_t *base = json_object_get(json_object_get(results, "baseline"), "selection");
    const char *name = json_string_value(json_object_get(results, "objective"));

    *goal = (struct laser_goal){"perplexity", "windows", exp(laser_result_number(base, "nll")), 0};
    if (json_object_get(base, "value") != NULL)
        *goal =
            (struct laser_goal){name != NULL ? name : "objective",
                                name != NULL && strstr(name, "perplexity") != NULL ? "items" : "questions",
                                laser_result_number(base, "value"),
                                json_is_true(json_object_get(results, "objective_rises")) ? -1 : 1};
}

static struct laser_decision read_one(const json_t *d, const struct laser_goal *goal, double base_nll,
                                      double best)
{
    const char *reason = json_string_value(json_object_get(d, "reason"));
    double difference = laser_result_number(d, "difference"), of = laser_result_number(d, "of");
    int joint = laser_result_number(d, "edits") > 1;

    return (struct laser_decision){
        .tensor = joint ? NULL : json_string_value(json_object_get(d, "tensor")),
        .level = isnan(difference)
                     ? laser_goal_moved(goal, goal->base, laser_result_number(d, "nll") - base_nll)
                     : laser_goal_moved(goal, best, difference),
        .difference = difference,
        .error = laser_result_number(d, "difference_stderr"),
        .share = of > 0 ? laser_result_number(d, "rank") / of : (double)NAN,
        .kept = json_is_true(json_object_get(d, "kept")),
        .early = reason != NULL && strstr(reason, "early") != NULL,
        .measured = reason != NULL && strcmp(reason, "measured") == 0};
}

long laser_decisions_read(const json_t *results, const struct laser_goal *goal, struct laser_decision **list)
{
    static const char *const keys[] = {"sweep", "decisions"};
    size_t room = json_array_size(json_object_get(results, keys[0])) +
                  json_array_size(json_object_get(results, keys[1]));
    double best = goal->base,
           nll =
               laser_result_number(json_object_get(json_object_get(results, "baseline"), "selection"), "nll");
    long n = 0;

    *list = calloc(room + 1, sizeof **list);
    if (*list == NULL)
        return -1;
    for (int k = 0; k < 2; k++) {
        const json_t *decisions = json_object_get(results, keys[k]);
        for (size_t i = 0; i < json_array_size(decisions); i++) {
            const json_t *d = json_array_get(decisions, i);
            if (!json_is_object(d))
                continue;
            (*list)[n] = read_one(d, goal, nll, best);
            if ((*list)[n].kept && isfinite((*list)[n].level))
                best = (*list)[n].level;
            n++;
        }
    }
    return n;
}
