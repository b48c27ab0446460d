#include "task/slope.h"

#include <math.h>
#include <string.h>

/* Of a question with these options. */
struct question {
    const struct laser_option_score *options;
    int n, answer;
    struct laser_option_slope *slopes;
};

/* What the log probability of an option is divided by. */
enum unit { WHOLE, PER_TOKEN, PER_CHARACTER, PER_BYTE };

static double length_of(const struct laser_option_score *o, enum unit unit)
{
    switch (unit) {
    case PER_TOKEN:
        return o->n_tokens;
    case PER_CHARACTER:
        return o->n_characters;
    case PER_BYTE:
        return o->n_bytes;
    default:
        return 1;
    }
}

static double value_of(const struct laser_option_score *o, enum unit unit)
{
    return o->log_probability / length_of(o, unit);
}

static double largest_of(const struct question *q, enum unit unit)
{
    double largest = -INFINITY;

    for (int i = 0; i < q->n; ++i)
        largest = fmax(largest, value_of(&q->options[i], unit));
    return largest;
}

/* The share of option i, and what is missing to 1 of the others without cancellation. */
static double share_of(const struct question *q, int i, enum unit unit, double *others)
{
    double largest = largest_of(q, unit), mine = 0, rest = 0;

    for (int k = 0; k < q->n; ++k) {
        double p = exp(value_of(&q->options[k], unit) - largest);

        if (k == i)
            mine = p;
        else
            rest += p;
    }
    *others = rest / (mine + rest);
    return mine / (mine + rest);
}

/* -ln share of the right choice. */
static double add_choice(const struct question *q, double factor, enum unit unit)
{
    double others, share = share_of(q, q->answer, unit, &others);

    for (int i = 0; i < q->n; ++i) {
        double rest, mine = share_of(q, i, unit, &rest);

        q->slopes[i].all += factor * (i == q->answer ? rest : -mine) / length_of(&q->options[i], unit);
    }
    return factor * (others < 0.5 ? -log1p(-others) : -log(share));
}

/* The sum of (share - is right)^2. */
static double add_brier(const struct question *q, double factor)
{
    double sum = 0, mean = 0;

    for (int i = 0; i < q->n; ++i) {
        double others, share = share_of(q, i, WHOLE, &others), d = i == q->answer ? -others : share;

        sum += d * d;
        mean += d * share;
    }
    for (int i = 0; i < q->n; ++i) {
        double others, share = share_of(q, i, WHOLE, &others), d = i == q->answer ? -others : share;

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
static double add_margin(const struct question *q, double factor, enum unit unit, bool logistic)
{
    double margin = value_of(&q->options[0], unit) - value_of(&q->options[1], unit), slope = 1,
           loss = -margin;

    if (logistic) {
        slope = 1 / (1 + exp(margin));
        loss = margin > 0 ? log1p(exp(-margin)) : log1p(exp(margin)) - margin;
    }
    for (int i = 0; i < 2; ++i)
        q->slopes[i].all += factor * (i == 0 ? slope : -slope) / length_of(&q->options[i], unit);
    return factor * loss;
}

static double add(const struct question *q, enum laser_task_kind kind, int metric, double factor)
{
    switch (metric) {
    case LASER_METRIC_ACCURACY:
        return kind == LASER_TASK_CHOICE ? add_choice(q, factor, WHOLE) : add_answer(q, factor, false);
    case LASER_METRIC_ACCURACY_PER_TOKEN:
        return add_choice(q, factor, PER_TOKEN);
    case LASER_METRIC_ACCURACY_PER_CHARACTER:
        return add_choice(q, factor, PER_CHARACTER);
    case LASER_METRIC_ACCURACY_PER_BYTE:
        return add_choice(q, factor, PER_BYTE);
    case LASER_METRIC_LOG_LOSS:
        return kind == LASER_TASK_CHOICE ? add_choice(q, factor, WHOLE) : add_answer(q, factor, true);
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
        return add_margin(q, factor, metric == LASER_METRIC_PREFERENCE_NORM ? PER_TOKEN : WHOLE, true);
    default:
        return add_margin(q, factor, metric == LASER_METRIC_MARGIN_NORM ? PER_TOKEN : WHOLE, false);
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
