/* What a search minimises: perplexity, a metric of tasks, or a weighted sum of them.
 *
 *   objective = sum over its terms k of weight_k * mean of loss_k over the items that have it
 *
 * An item is a window of text or a question.  The loss of perplexity is the mean NLL of a window (nats a
 * token, weighted by tokens), that of a metric the metric itself, or 1 - metric for a share that rises
 * (accuracy) and -metric for a margin.  The objective is cut into one number an item, lower is better, whose
 * weighted mean it is, so that differences of two models pair item by item (search/search.h).
 */
#ifndef LASER_TASK_OBJECTIVE_H
#define LASER_TASK_OBJECTIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/text.h"
#include "task/score.h"

#define LASER_TERM_PERPLEXITY LASER_METRICS
#define LASER_TERMS           (LASER_METRICS + 1)

struct laser_objective {
    double weight[LASER_TERMS]; /* 0: no term */
    int n_terms;
};

/* "accuracy", "log_loss", ..., "perplexity", or "0.7*accuracy + 0.3*log_loss".  LASER_EUSAGE: a word that is
 * no metric (the metrics are named), a weight that is not above 0, a metric twice.  A term alone has
 * weight 1. */
int laser_objective_parse(const char *text, struct laser_objective *objective, struct laser_error *err);

/* What was left out where the deck says nothing: perplexity where there are texts, else the first of accuracy
 * and preference that a task has.  kinds: bit for each kind of task; 0: none. */
void laser_objective_default(bool has_text, unsigned kinds, struct laser_objective *objective);

/* Do texts and tasks have every term?  LASER_EUSAGE, the term named. */
int laser_objective_check(const struct laser_objective *objective, bool has_text, unsigned kinds,
                          struct laser_error *err);

/* Is an item of the objective: a window, or a question of a kind. */
bool laser_objective_has_text(const struct laser_objective *objective);
bool laser_objective_has_kind(const struct laser_objective *objective, enum laser_task_kind kind);

/* Is one of its terms right or wrong for each question? */
bool laser_objective_has_share(const struct laser_objective *objective);

/* Of one part (selection or report): how its items make the objective. */
struct laser_objective_part {
    double factor[LASER_TERMS]; /* of each loss in an item's number */
    double text_weight;         /* of a window in the mean, for each of its scored tokens */
    double question_weight;     /* of a question */
};

/* tokens: scored in the part's windows; questions[kind]: how many of each kind are in the part. */
void laser_objective_prepare(const struct laser_objective *objective, double tokens,
                             const int64_t questions[LASER_TASK_KINDS], struct laser_objective_part *part);

/* The number of one item: NaN if a loss is not finite. */
double laser_objective_window(const struct laser_objective_part *part, double nll_nats);
double laser_objective_question(const struct laser_objective_part *part, enum laser_task_kind kind,
                                const struct laser_task_score *score);

/* The single metric that is 0 or 1 for each question and is all of the objective, so that McNemar's test
 * applies; -1: none. */
int laser_objective_share(const struct laser_objective *objective);

/* The objective as text, and its value (a mean of the numbers above) for people: "perplexity 6.39",
 * "accuracy 0.4321", "objective 1.234".  laser_objective_shown is the number of that. */
void laser_objective_describe(const struct laser_objective *objective, struct laser_text *out);
const char *laser_objective_label(const struct laser_objective *objective);
double laser_objective_shown(const struct laser_objective *objective, double mean);

/* A difference of two such means for people: above 0 is better where the metric rises. */
double laser_objective_shown_difference(const struct laser_objective *objective, double difference);

/* Can no loss be below 0, so that a sum over some items is a lower bound of that over all? */
bool laser_objective_is_positive(const struct laser_objective *objective);

#endif
