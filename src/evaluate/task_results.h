/* What the questions of an evaluation say of a model, as JSON and for people. */
#ifndef LASER_EVALUATE_TASK_RESULTS_H
#define LASER_EVALUATE_TASK_RESULTS_H

#include <jansson.h>

#include "evaluate/evaluate.h"

/* The questions of items first .. end - 1, their tasks by name: kind, questions, metrics with standard
 * errors. scores: of every item.  b: of another model on the same items, NULL: none; then each metric has
 * "after", "difference" with its standard error, how many questions became better and worse, and p_better
 * (McNemar) too.  NULL without memory. */
json_t *laser_tasks_json(const struct laser_evaluation *evaluation, int64_t first, int64_t end,
                         const struct laser_item_score *scores, const struct laser_item_score *b);

/* The same as lines of the log; label: what stands before them. */
void laser_tasks_say(const struct laser_evaluation *evaluation, const char *label, int64_t first, int64_t end,
                     const struct laser_item_score *scores, const struct laser_item_score *b);

/* Log probabilities of all options (evaluation->option_nats) belong to scores. */
struct laser_answers {
    const struct laser_item_score *scores; /* of every item */
    const double *option_nats;             /* of every option */
};

/* One JSON line for each question, in the order of tasks and files: task, line, part where there are two,
 * metrics, log_probabilities and tokens of its options, the best of them, the right one of a choice; those of
 * b, unless it is NULL, as "after", log_probabilities_after and best_after. */
int laser_questions_write(const struct laser_evaluation *evaluation, const char *path,
                          const struct laser_answers *a, const struct laser_answers *b,
                          struct laser_error *err);

#endif
