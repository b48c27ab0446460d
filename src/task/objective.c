#include "task/objective.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"

static const char *term_name(int term)
{
    return term == LASER_TERM_PERPLEXITY ? "perplexity" : laser_metric_name(term);
}

static int unknown_term(const char *text, const char *word, struct laser_error *err)
{
    struct laser_text names = {0};
    int code;

    if (strcmp(word, "accuracy_norm") == 0)
        return laser_error_set(
            err, LASER_EUSAGE, "evaluate.objective",
            "\"%s\": accuracy_norm says not by what: accuracy_per_token (what it was here), "
            "accuracy_per_character (acc_norm of lm-evaluation-harness) or accuracy_per_byte",
            text);
    for (int t = 0; t < LASER_TERMS; ++t)
        laser_text_printf(&names, "%s%s", t > 0 ? ", " : "", term_name(t));
    code = laser_error_set(err, LASER_EUSAGE, "evaluate.objective",
                           "\"%s\": \"%s\" is none of %s, or a weighted sum of them (0.7*accuracy + "
                           "0.3*log_loss)",
                           text, word, names.data != NULL ? names.data : "");
    laser_text_free(&names);
    return code;
}

/* Cuts a word of the sum out of text: without blanks around it, "" at the end.  Returns what follows. */
static const char *next_word(const char *text, char *word, size_t size)
{
    size_t n = strcspn(text, "+"), begin = 0, end;

    /* The plus of an exponent (1e+2) parts no terms. */
    while (text[n] == '+' && n >= 2 && (text[n - 1] == 'e' || text[n - 1] == 'E') &&
           isdigit((unsigned char)text[n - 2]))
        n += 1 + strcspn(text + n + 1, "+");
    while (begin < n && isspace((unsigned char)text[begin]))
        ++begin;
    for (end = n; end > begin && isspace((unsigned char)text[end - 1]);)
        --end;
    end = end - begin < size ? end : begin + size - 1;
    memcpy(word, text + begin, end - begin);
    word[end - begin] = '\0';
    return text[n] == '+' ? text + n + 1 : NULL;
}

static int add_term(const char *text, char *word, struct laser_objective *o, struct laser_error *err)
{
    char *star = strchr(word, '*'), *name = word, *end;
    double weight = 1;

    if (star != NULL) {
        weight = strtod(word, &end);
        while (isspace((unsigned char)*end))
            ++end;
        if (end != star || end == word || !(weight > 0) || !(weight <= 1e9))
            return laser_error_set(err, LASER_EUSAGE, "evaluate.objective",
                                   "\"%s\": the weight in \"%s\" is not a number above 0", text, word);
        for (name = star + 1; isspace((unsigned char)*name);)
            ++name;
    }
    for (int t = 0; t < LASER_TERMS; ++t) {
        if (strcmp(name, term_name(t)) != 0)
            continue;
        if (o->weight[t] > 0)
            return laser_error_set(err, LASER_EUSAGE, "evaluate.objective", "\"%s\": %s stands there twice",
                                   text, name);
        o->weight[t] = weight;
        ++o->n_terms;
        return LASER_OK;
    }
    return unknown_term(text, name, err);
}

int laser_objective_parse(const char *text, struct laser_objective *o, struct laser_error *err)
{
    const char *rest = text;
    char word[128];
    int code = LASER_OK;

    memset(o, 0, sizeof *o);
    while (code == LASER_OK && rest != NULL) {
        rest = next_word(rest, word, sizeof word);
        code = add_term(text, word, o, err);
    }
    for (int t = 0; code == LASER_OK && o->n_terms == 1 && t < LASER_TERMS; ++t)
        o->weight[t] = o->weight[t] > 0; /* of one term alone, the scale is that of its metric */
    return code;
}

void laser_objective_default(bool has_text, unsigned kinds, struct laser_objective *o)
{
    int term = has_text || kinds == 0                 ? LASER_TERM_PERPLEXITY
               : kinds == 1u << LASER_TASK_PREFERENCE ? LASER_METRIC_PREFERENCE
                                                      : LASER_METRIC_ACCURACY;

    memset(o, 0, sizeof *o);
    o->weight[term] = 1;
    o->n_terms = 1;
}

static bool has_term(int term, bool has_text, unsigned kinds)
{
    if (term == LASER_TERM_PERPLEXITY)
        return has_text;
    for (int k = 0; k < LASER_TASK_KINDS; ++k)
        if ((kinds >> k & 1u) != 0 && laser_metric_of(term, (enum laser_task_kind)k))
            return true;
    return false;
}

int laser_objective_check(const struct laser_objective *o, bool has_text, unsigned kinds,
                          struct laser_error *err)
{
    for (int t = 0; t < LASER_TERMS; ++t)
        if (o->weight[t] > 0 && !has_term(t, has_text, kinds)) {
            if (t == LASER_TERM_PERPLEXITY)
                return laser_error_set(err, LASER_EUSAGE, "evaluate.objective",
                                       "perplexity needs a text: give --text NAME=PATH");
            return laser_error_set(
                err, LASER_EUSAGE, "evaluate.objective",
                "none of the tasks has %s: it belongs to tasks of kind%s%s%s%s", laser_metric_name(t),
                laser_metric_of(t, LASER_TASK_CHOICE) ? " choice" : "",
                laser_metric_of(t, LASER_TASK_CHOICE) && laser_metric_of(t, LASER_TASK_COMPLETION) ? " and"
                                                                                                   : "",
                laser_metric_of(t, LASER_TASK_COMPLETION) ? " completion" : "",
                laser_metric_of(t, LASER_TASK_PREFERENCE) ? " preference" : "");
        }
    return LASER_OK;
}

bool laser_objective_has_text(const struct laser_objective *o)
{
    return o->weight[LASER_TERM_PERPLEXITY] > 0;
}

bool laser_objective_has_kind(const struct laser_objective *o, enum laser_task_kind kind)
{
    for (int m = 0; m < LASER_METRICS; ++m)
        if (o->weight[m] > 0 && laser_metric_of(m, kind))
            return true;
    return false;
}

void laser_objective_prepare(const struct laser_objective *o, double tokens,
                             const int64_t questions[LASER_TASK_KINDS], struct laser_objective_part *part)
{
    double all = 0, strata;

    memset(part, 0, sizeof *part);
    for (int k = 0; k < LASER_TASK_KINDS; ++k)
        if (laser_objective_has_kind(o, (enum laser_task_kind)k))
            all += (double)questions[k];
    /* One stratum keeps its natural weights, two have the same weight together. */
    strata = laser_objective_has_text(o) && all > 0 ? 2 : 1;
    part->text_weight = strata > 1 && tokens > 0 ? 1 / tokens : 1;
    part->question_weight = strata > 1 ? 1 / all : 1;
    part->factor[LASER_TERM_PERPLEXITY] = strata * o->weight[LASER_TERM_PERPLEXITY];
    for (int m = 0; m < LASER_METRICS; ++m) {
        double mine = 0;
        for (int k = 0; k < LASER_TASK_KINDS; ++k)
            if (laser_metric_of(m, (enum laser_task_kind)k))
                mine += (double)questions[k];
        part->factor[m] = o->weight[m] > 0 && mine > 0 ? strata * o->weight[m] * (all / mine) : 0;
    }
}

double laser_objective_window(const struct laser_objective_part *part, double nll_nats)
{
    return part->factor[LASER_TERM_PERPLEXITY] * nll_nats;
}

static double loss_of(int metric, double value)
{
    if (!laser_metric_rises(metric))
        return value;
    return laser_metric_is_share(metric) ? 1 - value : -value;
}

double laser_objective_question(const struct laser_objective_part *part, enum laser_task_kind kind,
                                const struct laser_task_score *score)
{
    double sum = 0;

    for (int m = 0; m < LASER_METRICS; ++m)
        if (part->factor[m] > 0 && laser_metric_of(m, kind))
            sum += part->factor[m] * loss_of(m, score->values[m]);
    return sum;
}

bool laser_objective_has_share(const struct laser_objective *o)
{
    for (int m = 0; m < LASER_METRICS; ++m)
        if (o->weight[m] > 0 && laser_metric_is_share(m))
            return true;
    return false;
}

/* The only term of an objective, -1 if there are several or it has another weight than 1. */
static int only_term(const struct laser_objective *o)
{
    for (int t = 0; t < LASER_TERMS; ++t)
        if (o->weight[t] > 0)
            return o->n_terms == 1 && !(o->weight[t] < 1) && !(o->weight[t] > 1) ? t : -1;
    return -1;
}

int laser_objective_share(const struct laser_objective *o)
{
    int term = only_term(o);

    return term >= 0 && term < LASER_METRICS && laser_metric_is_share(term) ? term : -1;
}

void laser_objective_describe(const struct laser_objective *o, struct laser_text *out)
{
    const char *between = "";
    char number[LASER_NUMBER_SIZE];

    for (int t = 0; t < LASER_TERMS; ++t)
        if (o->weight[t] > 0) {
            laser_text_puts(out, between);
            if (only_term(o) < 0)
                laser_text_printf(out, "%s*", laser_number_shortest(o->weight[t], number));
            laser_text_puts(out, term_name(t));
            between = " + ";
        }
}

const char *laser_objective_label(const struct laser_objective *o)
{
    int term = only_term(o);

    return term < 0 ? "objective" : term == LASER_TERM_PERPLEXITY ? "ppl" : laser_metric_name(term);
}

double laser_objective_shown(const struct laser_objective *o, double mean)
{
    int term = only_term(o);

    if (term == LASER_TERM_PERPLEXITY)
        return exp(mean);
    return term < 0 || !laser_metric_rises(term) ? mean : laser_metric_is_share(term) ? 1 - mean : 0 - mean;
}

double laser_objective_shown_difference(const struct laser_objective *o, double difference)
{
    int term = only_term(o);

    return term >= 0 && term < LASER_METRICS && laser_metric_rises(term) ? 0 - difference : difference;
}

bool laser_objective_is_positive(const struct laser_objective *o)
{
    return !(o->weight[LASER_METRIC_MARGIN] > 0) && !(o->weight[LASER_METRIC_MARGIN_NORM] > 0);
}
