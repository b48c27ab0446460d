#include "task/slope.h"

#include <math.h>
#include <string.h>

/* Of a question with these options. */
struct question {
    const struct laser_option_score *options;
    int n, answer;
    struct laser_option_slope *slopes;
};

static double value_of(const struct laser_option_score *o, bool norm)
{
    return norm ? o->log_probability / o->n_tokens : o->log_probability;
}

static double largest_of(const struct question *q, bool norm)
{
    double largest = -INFINITY;

    for (int i = 0; i < q->n; ++i)
        largest = fmax(largest, value_of(&q->options[i], norm));
    return largest;
}

/* The share of option i, and what is missing to 1 of the others without cancellation. */
static double share_of(const struct question *q, int i, bool norm, double *others)
{
    double largest = largest_of(q, norm), mine = 0, rest = 0;

    for (int k = 0; k < q->n; ++k) {
        double p = exp(value_of(&q->options[k], norm) - largest);

        if (k == i)
            mine = p;
        else
            rest += p;
    }
    *others = rest / (mine + rest);
    return mine / (mine + rest);
}

/* -ln share of the right choice. */
static double add_choice(const struct question *q, double factor, bool norm)
{
    double others, share = share_of(q, q->answer, norm, &others);

    for (int i = 0; i < q->n; ++i) {
        double rest, mine = share_of(q, i, norm, &rest);

        q->slopes[i].all +=
            factor * (i == q->answer ? rest : -mine) / (norm ? (double)q->options[i].n_tokens : 1);
    }
    return factor * (others < 0.5 ? -log1p(-others) : -log(share));
}

/* The sum of (share - is right)^2. */
static double add_brier(const struct question *q, double factor)
{
    double sum = 0, mean = 0;

    for (int i = 0; i < q->n; ++i) {
        double others, share = share_of(q, i, false, &others), d = i == q->answer ? -others : share;

        sum += d * d;
        mean += d * share;
    }
    for (int i = 0; i < q->n; ++i) {
        double others, share = share_of(q, i, false, &others), d = i == q->answer ? -others : share;

        q->slopes[i].all += factor * 2 * share * (mean - d);
    }
    return factor * sum;
}

static int most_probable(const struct question *q)
{
    int best = 0;

    for (int i = 0; i < q->n; ++i)
        if (q->options[i].log_probability > q->options[best].log_probability)
            best = i;
    return best;
}

static double add_answer(const struct question *q, double factor, bool per_token)
{
    int best = most_probable(q);
    double each = factor / (per_token ? (double)q->options[best].n_tokens : 1);

    q->slopes[best].all += each;
    return -each * q->options[best].log_probability;
}

static double add_first(const struct question *q, double factor)
{
    int best = most_probable(q);

    q->slopes[best].first += factor;
    return -factor * q->options[best].first_log_probability;
}

/* The margin with the other sign, or ln(1 + exp(-margin)). */
static double add_margin(const struct question *q, double factor, bool norm, bool logistic)
{
    double margin = value_of(&q->options[0], norm) - value_of(&q->options[1], norm), slope = 1,
           loss = -margin;

    if (logistic) {
        slope = 1 / (1 + exp(margin));
        loss = margin > 0 ? log1p(exp(-margin)) : log1p(exp(margin)) - margin;
    }
    for (int i = 0; i < 2; ++i)
        q->slopes[i].all += factor * (i == 0 ? slope : -slope) / (norm ? (double)q->options[i].n_tokens : 1);
    return factor * loss;
}

static double add(const struct question *q, enum laser_task_kind kind, int metric, double factor)
{
    switch (metric) {
    case LASER_METRIC_ACCURACY:
        return kind == LASER_TASK_CHOICE ? add_choice(q, factor, false) : add_answer(q, factor, false);
    case LASER_METRIC_ACCURACY_NORM:
        return add_choice(q, factor, true);
    case LASER_METRIC_LOG_LOSS:
        return kind == LASER_TASK_CHOICE ? add_choice(q, factor, false) : add_answer(q, factor, true);
    case LASER_METRIC_LOG_LOSS_SUM:
        return add_answer(q, factor, false);
    case LASER_METRIC_BRIER:
        return add_brier(q, factor);
    case LASER_METRIC_TOP_1:
    case LASER_METRIC_TOP_5:
    case LASER_METRIC_TOP_10:
        return add_first(q, factor);
    case LASER_METRIC_PREFERENCE:
    case LASER_METRIC_PREFERENCE_NORM:
        return add_margin(q, factor, metric == LASER_METRIC_PREFERENCE_NORM, true);
    default:
        return add_margin(q, factor, metric == LASER_METRIC_MARGIN_NORM, false);
    }
}

double laser_objective_slopes(const struct laser_objective_part *part, enum laser_task_kind kind,
                              const struct laser_option_score *options, int n, int answer,
                              struct laser_option_slope *slopes)
{
    const struct question q = {options, n, answer, slopes};
    double sum = 0;

    memset(slopes, 0, (size_t)n * sizeof *slopes);
    for (int m = 0; m < LASER_METRICS; ++m)
        if (part->factor[m] > 0 && laser_metric_of(m, kind))
            sum += add(&q, kind, m, part->factor[m]);
    return sum;
}
