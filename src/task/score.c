#include "task/score.h"

#include <math.h>
#include <string.h>

#include "base/mcnemar.h"

static const struct {
    const char *name;
    bool rises, share;
    unsigned kinds; /* bits of enum laser_task_kind */
} metrics[LASER_METRICS] = {
    [LASER_METRIC_ACCURACY] = {"accuracy", true, true, 1u << LASER_TASK_CHOICE | 1u << LASER_TASK_COMPLETION},
    [LASER_METRIC_ACCURACY_PER_TOKEN] = {"accuracy_per_token", true, true, 1u << LASER_TASK_CHOICE},
    [LASER_METRIC_ACCURACY_PER_CHARACTER] = {"accuracy_per_character", true, true, 1u << LASER_TASK_CHOICE},
    [LASER_METRIC_ACCURACY_PER_BYTE] = {"accuracy_per_byte", true, true, 1u << LASER_TASK_CHOICE},
    [LASER_METRIC_LOG_LOSS] = {"log_loss", false, false,
                               1u << LASER_TASK_CHOICE | 1u << LASER_TASK_COMPLETION},
    [LASER_METRIC_LOG_LOSS_SUM] = {"log_loss_sum", false, false, 1u << LASER_TASK_COMPLETION},
    [LASER_METRIC_BRIER] = {"brier", false, false, 1u << LASER_TASK_CHOICE},
    [LASER_METRIC_TOP_1] = {"top_1", true, true, 1u << LASER_TASK_COMPLETION},
    [LASER_METRIC_TOP_5] = {"top_5", true, true, 1u << LASER_TASK_COMPLETION},
    [LASER_METRIC_TOP_10] = {"top_10", true, true, 1u << LASER_TASK_COMPLETION},
    [LASER_METRIC_PREFERENCE] = {"preference", true, true, 1u << LASER_TASK_PREFERENCE},
    [LASER_METRIC_PREFERENCE_NORM] = {"preference_norm", true, true, 1u << LASER_TASK_PREFERENCE},
    [LASER_METRIC_MARGIN] = {"margin", true, false, 1u << LASER_TASK_PREFERENCE},
    [LASER_METRIC_MARGIN_NORM] = {"margin_norm", true, false, 1u << LASER_TASK_PREFERENCE},
};

const char *laser_metric_name(int metric)
{
    return metrics[metric].name;
}

int laser_metric_find(const char *name)
{
    for (int m = 0; m < LASER_METRICS; ++m)
        if (strcmp(name, metrics[m].name) == 0)
            return m;
    return -1;
}

bool laser_metric_of(int metric, enum laser_task_kind kind)
{
    return (metrics[metric].kinds >> kind & 1u) != 0;
}

bool laser_metric_rises(int metric)
{
    return metrics[metric].rises;
}

bool laser_metric_is_share(int metric)
{
    return metrics[metric].share;
}

static double per_token(const struct laser_option_score *o)
{
    return o->log_probability / o->n_tokens;
}

static double per_character(const struct laser_option_score *o)
{
    return o->log_probability / o->n_characters;
}

static double per_byte(const struct laser_option_score *o)
{
    return o->log_probability / o->n_bytes;
}

/* Is one option above all others? */
static bool is_first(const struct laser_option_score *options, int n, int which,
                     double (*value)(const struct laser_option_score *))
{
    for (int i = 0; i < n; ++i)
        if (i != which && !(value(&options[which]) > value(&options[i])))
            return false;
    return true;
}

static double whole(const struct laser_option_score *o)
{
    return o->log_probability;
}

static void score_choice(const struct laser_option_score *options, int n, int answer, double *v)
{
    double right = options[answer].log_probability, wrong = 0, largest = right, brier = 0;

    for (int i = 0; i < n; ++i)
        largest = fmax(largest, options[i].log_probability);
    for (int i = 0; i < n; ++i)
        if (i != answer)
            wrong += exp(options[i].log_probability - largest);
    right = exp(right - largest);
    for (int i = 0; i < n; ++i) {
        /* 1 - share of the right one without the cancellation. */
        double d = (i == answer ? wrong : exp(options[i].log_probability - largest)) / (right + wrong);
        brier += d * d;
    }
    v[LASER_METRIC_ACCURACY] = is_first(options, n, answer, whole);
    v[LASER_METRIC_ACCURACY_PER_TOKEN] = is_first(options, n, answer, per_token);
    v[LASER_METRIC_ACCURACY_PER_CHARACTER] = is_first(options, n, answer, per_character);
    v[LASER_METRIC_ACCURACY_PER_BYTE] = is_first(options, n, answer, per_byte);
    v[LASER_METRIC_LOG_LOSS] =
        right == 1 ? log1p(wrong) : log(right + wrong) + largest - options[answer].log_probability;
    v[LASER_METRIC_BRIER] = brier;
}

static void score_completion(const struct laser_option_score *options, int n, double *v)
{
    int best = 0;
    int64_t rank = options[0].best_rank;
    bool greedy = false;

    for (int i = 0; i < n; ++i) {
        if (options[i].log_probability > options[best].log_probability)
            best = i;
        if (options[i].best_rank < rank)
            rank = options[i].best_rank;
        greedy = greedy || options[i].is_greedy;
    }
    v[LASER_METRIC_ACCURACY] = greedy;
    v[LASER_METRIC_LOG_LOSS] = -per_token(&options[best]);
    v[LASER_METRIC_LOG_LOSS_SUM] = -options[best].log_probability;
    v[LASER_METRIC_TOP_1] = rank < 1;
    v[LASER_METRIC_TOP_5] = rank < 5;
    v[LASER_METRIC_TOP_10] = rank < 10;
}

static void score_preference(const struct laser_option_score *options, double *v)
{
    v[LASER_METRIC_MARGIN] = options[0].log_probability - options[1].log_probability;
    v[LASER_METRIC_MARGIN_NORM] = per_token(&options[0]) - per_token(&options[1]);
    v[LASER_METRIC_PREFERENCE] = v[LASER_METRIC_MARGIN] > 0;
    v[LASER_METRIC_PREFERENCE_NORM] = v[LASER_METRIC_MARGIN_NORM] > 0;
}

void laser_task_score(enum laser_task_kind kind, const struct laser_option_score *options, int n_options,
                      int answer, struct laser_task_score *score)
{
    for (int m = 0; m < LASER_METRICS; ++m)
        score->values[m] = NAN;
    for (int i = 0; i < n_options; ++i)
        if (!isfinite(options[i].log_probability))
            return;
    if (kind == LASER_TASK_CHOICE)
        score_choice(options, n_options, answer, score->values);
    else if (kind == LASER_TASK_COMPLETION)
        score_completion(options, n_options, score->values);
    else
        score_preference(options, score->values);
}

struct laser_task_figure laser_task_figure(const struct laser_task_score *scores, int64_t n, int metric)
{
    struct laser_task_figure f = {0};
    double sum = 0, spread = 0;

    for (int64_t i = 0; i < n; ++i)
        if (!isnan(scores[i].values[metric])) {
            sum += scores[i].values[metric];
            ++f.n;
        }
    f.mean = f.n > 0 ? sum / (double)f.n : NAN;
    for (int64_t i = 0; i < n; ++i)
        if (!isnan(scores[i].values[metric]))
            spread += (scores[i].values[metric] - f.mean) * (scores[i].values[metric] - f.mean);
    f.stderr_ = f.n > 1 ? sqrt(spread / (double)(f.n - 1) / (double)f.n) : NAN;
    return f;
}

struct laser_task_pair laser_task_pair(const struct laser_task_score *a, const struct laser_task_score *b,
                                       int64_t n, int metric)
{
    struct laser_task_pair p = {.p_better = NAN};
    double sum = 0, spread = 0;

    for (int64_t i = 0; i < n; ++i) {
        double d = b[i].values[metric] - a[i].values[metric];
        if (isnan(d))
            continue;
        ++p.n;
        sum += d;
        p.better += metrics[metric].rises ? d > 0 : d < 0;
        p.worse += metrics[metric].rises ? d < 0 : d > 0;
    }
    p.difference = p.n > 0 ? sum / (double)p.n : NAN;
    for (int64_t i = 0; i < n; ++i) {
        double d = b[i].values[metric] - a[i].values[metric] - p.difference;
        if (!isnan(d))
            spread += d * d;
    }
    p.stderr_ = p.n > 1 ? sqrt(spread / (double)(p.n - 1) / (double)p.n) : NAN;
    if (metrics[metric].share)
        p.p_better = laser_mcnemar_p(p.better, p.worse);
    p.verdict = metrics[metric].share
                    ? laser_verdict_counts(p.better, p.worse)
                    : laser_verdict_paired(metrics[metric].rises ? -p.difference : p.difference, p.stderr_);
    return p;
}
