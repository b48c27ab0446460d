/* From the log probabilities of a question's options to its scores, and from those to the figures of a task.
 *
 * choice: accuracy = 1 if the right choice has the highest log probability (a tie is none),
 * accuracy_per_token, _per_character and _per_byte the same by log probability a token, character or byte of the
 * choice (without the blank that it begins with); log_loss = -ln of the right choice's share, brier = sum (share - is
 * right)^2 with shares = softmax of the log probabilities. completion: of the accepted answers the most
 * probable one counts: log_loss = -log p of it a token (mean log prob of LASER, with the other sign),
 * log_loss_sum that of all its tokens together; accuracy = 1 if every token of an accepted answer is the
 * model's first choice (what greedy decoding gives); top_k = 1 if its first token is among the k best, where
 * other spellings of a one-token answer (case, blanks) count too, as in LASER's program for CounterFact.
 * preference: preference = 1 if log p(chosen) > log p(rejected), margin = the difference; *_norm: a token.
 */
#ifndef LASER_TASK_SCORE_H
#define LASER_TASK_SCORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/mcnemar.h"
#include "task/task.h"

enum laser_metric {
    LASER_METRIC_ACCURACY,
    LASER_METRIC_ACCURACY_PER_TOKEN,
    LASER_METRIC_ACCURACY_PER_CHARACTER,
    LASER_METRIC_ACCURACY_PER_BYTE,
    LASER_METRIC_LOG_LOSS,
    LASER_METRIC_LOG_LOSS_SUM,
    LASER_METRIC_BRIER,
    LASER_METRIC_TOP_1,
    LASER_METRIC_TOP_5,
    LASER_METRIC_TOP_10,
    LASER_METRIC_PREFERENCE,
    LASER_METRIC_PREFERENCE_NORM,
    LASER_METRIC_MARGIN,
    LASER_METRIC_MARGIN_NORM,
    LASER_METRICS
};

/* "accuracy", "accuracy_per_token", ...; -1 for another word. */
const char *laser_metric_name(int metric);
int laser_metric_find(const char *name);

/* Does a task of this kind have it?  Is more of it better?  Is it 0 or 1 for each question? */
bool laser_metric_of(int metric, enum laser_task_kind kind);
bool laser_metric_rises(int metric);
bool laser_metric_is_share(int metric);

/* What the model says of one option. */
struct laser_option_score {
    double log_probability;       /* of all its tokens together, nats */
    double first_log_probability; /* of its first token */
    int32_t n_tokens, n_characters, n_bytes;
    bool is_greedy;    /* completion: each token is the first of the highest */
    int64_t best_rank; /* completion: of its first token, or of another spelling; 0 the best */
};

/* The scores of one question: NaN where its kind has none.  All of them NaN if a log probability is not
 * finite (then also log_loss and preference). */
struct laser_task_score {
    double values[LASER_METRICS];
};

void laser_task_score(enum laser_task_kind kind, const struct laser_option_score *options, int n_options,
                      int answer, struct laser_task_score *score);

/* A figure of n questions: mean and its standard error, s / sqrt(n) (NaN for one question or none). */
struct laser_task_figure {
    int64_t n;
    double mean, stderr_;
};

/* Over the scores that have this metric, in order. */
struct laser_task_figure laser_task_figure(const struct laser_task_score *scores, int64_t n, int metric);

/* Two models on the same questions. */
struct laser_task_pair {
    int64_t n, better, worse; /* questions where b is better or worse than a */
    double difference;        /* mean of b - a */
    double stderr_;           /* of the paired differences: NaN for one question */
    double p_better;          /* exact McNemar test, one-sided, of a metric that is 0 or 1: the chance of so
                                 many better ones among those that differ, were both models equally good; NaN
                                 for another metric */
    enum laser_verdict
        verdict; /* of b: beyond two standard errors, or by McNemar's test where it is 0 or 1 */
};

struct laser_task_pair laser_task_pair(const struct laser_task_score *a, const struct laser_task_score *b,
                                       int64_t n, int metric);

#endif
