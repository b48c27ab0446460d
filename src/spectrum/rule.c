#include "spectrum/rule.h"

#include "spectrum/mp.h"
#include "spectrum/text.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

double laser_quantile(const double *s, int64_t n, double q)
{
    double position = q * (double)(n - 1);
    int64_t below = (int64_t)floor(position);
    if (below >= n - 1)
        return s[0];
    double low = s[n - 1 - below], high = s[n - 2 - below], part = position - (double)below;
    /* numpy's and torch's interpolation, which is exact at both ends */
    return part < 0.5 ? low + part * (high - low) : high - (1 - part) * (high - low);
}

int64_t laser_rank_of_share(double rho, int64_t n)
{
    double product = rho * (double)n, nearest = nearbyint(product);
    double k = fabs(product - nearest) <= 1e-9 * fmax(1, nearest) ? nearest : floor(product);
    return (int64_t)fmin((double)n, fmax(0, k));
}

double laser_omega(double beta)
{
    double lambda = sqrt(2 * (beta + 1) + 8 * beta / ((beta + 1) + sqrt(beta * beta + 14 * beta + 1)));
    return lambda / sqrt(laser_mp_median(beta));
}

double laser_compat_kappa(double beta)
{
    double iqr = sqrt(laser_mp_quantile(beta, 0.75)) - sqrt(laser_mp_quantile(beta, 0.25));
    return 1.349 / iqr;
}

double laser_compat_beta_limit(void)
{
    /* compat t = (1 + c) / kappa meets the lower edge 1 - c; below the limit it lies under it. */
    double low = 0.2, high = 0.4;
    for (int i = 0; i < 60; i++) {
        double beta = (low + high) / 2, c = sqrt(beta);
        if ((1 + c) / laser_compat_kappa(beta) < 1 - c)
            low = beta;
        else
            high = beta;
    }
    return (low + high) / 2;
}

/* ---- what the rows of rules.def name ---- */

static double marchenko_pastur(double value, const struct laser_quartiles *q, double beta)
{
    (void)value;
    return (1 + sqrt(beta)) * q->q50 / sqrt(laser_mp_median(beta));
}

static double gavish_donoho(double value, const struct laser_quartiles *q, double beta)
{
    (void)value;
    return laser_omega(beta) * q->q50;
}

static double laserrmt(double value, const struct laser_quartiles *q, double beta)
{
    (void)value;
    return (q->q75 - q->q25) / 1.349 * (1 + sqrt(beta));
}

static int laserrmt_never_cuts(double beta)
{
    return beta < laser_compat_beta_limit();
}

static int64_t count_of_share(double share, const double *s, int64_t n)
{
    (void)s;
    return laser_rank_of_share(share, n);
}

static int64_t count_of_energy(double share, const double *s, int64_t n)
{
    double total = 0, sum = 0;
    if (!(s[0] > 0))
        return 0;
    for (int64_t i = 0; i < n; i++)
        total += (s[i] / s[0]) * (s[i] / s[0]);
    int64_t k = 0;
    while (k < n && sum < share * total) {
        sum += (s[k] / s[0]) * (s[k] / s[0]);
        k++;
    }
    return k;
}

/* 1 if no error could move the k of energy:SHARE. */
static int energy_is_clear(double share, int64_t k, const double *s, int64_t n)
{
    double total = 0, with = 0, without = 0, margin = 1e-12;
    for (int64_t i = n - 1; i >= 0; i--) {
        double square = (s[i] / s[0]) * (s[i] / s[0]);
        total += square;
        with += i < k ? square : 0;
        without += i < k - 1 ? square : 0;
    }
    return k == 0 || k == n || (with / total - share > margin && share - without / total > margin);
}

static const struct laser_rule_row {
    struct laser_form form;
    /* The threshold above which values stay, or how many stay. */
    double (*threshold)(double value, const struct laser_quartiles *q, double beta);
    int64_t (*count)(double value, const double *s, int64_t n);
    /* laser_rule_is_clear and laser_rule_never_cuts; NULL: always clear, and it cuts. */
    int (*is_clear)(double value, int64_t k, const double *s, int64_t n);
    int (*never_cuts)(double beta);
} ROWS[LASER_RULES] = {
#define RULE(id, ...) [LASER_RULE_##id] = {__VA_ARGS__},
#include "spectrum/rules.def"
};

/* ---- rules by their rows ---- */

int laser_rule_parse(const char *text, struct laser_rule *rule, struct laser_error *err)
{
    char forms[LASER_FORMS_SIZE];
    for (int kind = 0; kind < LASER_RULES; kind++) {
        double value = 0;
        if (!laser_form_read(&ROWS[kind].form, text, &value))
            continue;
        *rule = (struct laser_rule){(enum laser_rule_kind)kind, value};
        return LASER_OK;
    }
    laser_rule_forms(1, forms);
    return laser_error_set(err, LASER_EUSAGE, text, "no such threshold rule; valid: %s", forms);
}

void laser_rule_forms(int limits, char text[LASER_FORMS_SIZE])
{
    laser_form_list(ROWS, sizeof *ROWS, LASER_RULES, limits, text, LASER_FORMS_SIZE);
}

const char *laser_rule_name(const struct laser_rule *rule)
{
    return ROWS[rule->kind].form.name;
}

void laser_rule_print(const struct laser_rule *rule, char text[LASER_RULE_TEXT_MAX])
{
    laser_form_print(&ROWS[rule->kind].form, rule->value, text, LASER_RULE_TEXT_MAX);
}

int laser_rule_never_cuts(const struct laser_rule *rule, int64_t rows, int64_t columns)
{
    int (*never)(double) = ROWS[rule->kind].never_cuts;
    return never != NULL && never(laser_mp_beta(rows, columns));
}

int laser_rule_is_clear(const struct laser_rule *rule, int64_t k, const double *s, int64_t n)
{
    const struct laser_rule_row *row = &ROWS[rule->kind];
    return row->is_clear == NULL || row->is_clear(rule->value, k, s, n);
}

double laser_rule_threshold(const struct laser_rule *rule, const struct laser_quartiles *q, double beta)
{
    const struct laser_rule_row *row = &ROWS[rule->kind];
    return row->threshold != NULL ? row->threshold(rule->value, q, beta) : (double)NAN;
}

void laser_cut_at(const double *s, int64_t n, int64_t k, struct laser_cut *cut)
{
    double signal = 0, noise = 0;
    /* smallest first: the sum of the many small values then keeps its digits */
    for (int64_t i = n - 1; i >= k; i--)
        noise += s[i];
    for (int64_t i = k - 1; i >= 0; i--)
        signal += s[i];
    *cut = (struct laser_cut){.threshold = NAN, .k = k, .signal = signal, .noise = noise};
    cut->snr = noise > 0 ? signal / noise : signal > 0 ? (double)INFINITY : (double)NAN;
    cut->snr_normalized = noise > 0 ? cut->snr / s[0] : cut->snr;
}

void laser_rule_apply(const struct laser_rule *rule, const double *s, int64_t rows, int64_t columns,
                      struct laser_cut *cut)
{
    int64_t n = rows < columns ? rows : columns, k = 0;
    if (ROWS[rule->kind].count != NULL) {
        laser_cut_at(s, n, ROWS[rule->kind].count(rule->value, s, n), cut);
        return;
    }
    struct laser_quartiles q = {laser_quantile(s, n, 0.25), laser_quantile(s, n, 0.5),
                                laser_quantile(s, n, 0.75)};
    double threshold = laser_rule_threshold(rule, &q, laser_mp_beta(rows, columns));
    while (k < n && s[k] > threshold)
        k++;
    laser_cut_at(s, n, k, cut);
    cut->threshold = threshold;
}

/* ---- scores ---- */

#define SCORE_PLACE(W, id, word, member) [id] = offsetof(struct laser_cut, member),
static const char *const score_names[] = {LASER_SCORE_WORDS(LASER_WORD_TEXT)};
static const size_t score_places[] = {LASER_SCORE_ROWS(SCORE_PLACE, )};

int laser_score_parse(const char *text, enum laser_score *score, struct laser_error *err)
{
    const char *words = &("" LASER_SCORE_WORDS(LASER_WORD_LIST))[2];
    for (size_t i = 0; i < sizeof score_names / sizeof *score_names; i++) {
        if (strcmp(text, score_names[i]) != 0)
            continue;
        *score = (enum laser_score)i;
        return LASER_OK;
    }
    return laser_error_set(err, LASER_EUSAGE, text, "no such score; valid: %s", words);
}

const char *laser_score_name(enum laser_score score)
{
    return score_names[score];
}

double laser_score_of(enum laser_score score, const struct laser_cut *cut)
{
    double value;
    memcpy(&value, (const char *)cut + score_places[score], sizeof value);
    return value;
}
