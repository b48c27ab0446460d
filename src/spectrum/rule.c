#include "spectrum/rule.h"

#include "spectrum/mp.h"
#include "spectrum/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const char *const NAMES[] = {"laserrmt", "marchenko-pastur", "gavish-donoho", "rank", "energy"};

int laser_rule_parse(const char *text, struct laser_rule *rule, struct laser_error *err)
{
    for (int kind = LASER_RULE_LASERRMT; kind <= LASER_RULE_ENERGY; kind++) {
        double value = 0;
        int takes_value = kind >= LASER_RULE_RANK;
        if (takes_value ? !laser_text_value(text, NAMES[kind], ':', &value) || value < 0 || value > 1
                        : strcmp(text, NAMES[kind]) != 0)
            continue;
        *rule = (struct laser_rule){(enum laser_rule_kind)kind, value};
        return LASER_OK;
    }
    return laser_error_set(
        err, LASER_EUSAGE, text,
        "no such threshold rule; valid: laserrmt, marchenko-pastur, gavish-donoho, rank:RHO, "
        "energy:E (RHO and E between 0 and 1)");
}

void laser_rule_print(const struct laser_rule *rule, char text[LASER_RULE_TEXT_MAX])
{
    if (rule->kind < LASER_RULE_RANK) {
        snprintf(text, LASER_RULE_TEXT_MAX, "%s", NAMES[rule->kind]);
        return;
    }
    char number[32];
    laser_text_number(rule->value, number, sizeof number);
    snprintf(text, LASER_RULE_TEXT_MAX, "%s:%s", NAMES[rule->kind], number);
}

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

int laser_rule_never_cuts(const struct laser_rule *rule, int64_t rows, int64_t columns)
{
    return rule->kind == LASER_RULE_LASERRMT && laser_mp_beta(rows, columns) < laser_compat_beta_limit();
}

static int64_t rank_of_energy(const double *s, int64_t n, double share)
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

/* The threshold of the first three rules. */
static double threshold_of(const struct laser_rule *rule, const double *s, int64_t n, double beta)
{
    switch (rule->kind) {
    case LASER_RULE_LASERRMT:
        return (laser_quantile(s, n, 0.75) - laser_quantile(s, n, 0.25)) / 1.349 * (1 + sqrt(beta));
    case LASER_RULE_MARCHENKO_PASTUR:
        return (1 + sqrt(beta)) * laser_quantile(s, n, 0.5) / sqrt(laser_mp_median(beta));
    case LASER_RULE_GAVISH_DONOHO:
        return laser_omega(beta) * laser_quantile(s, n, 0.5);
    default:
        return NAN;
    }
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
    if (rule->kind == LASER_RULE_RANK) {
        laser_cut_at(s, n, laser_rank_of_share(rule->value, n), cut);
        return;
    }
    if (rule->kind == LASER_RULE_ENERGY) {
        laser_cut_at(s, n, rank_of_energy(s, n, rule->value), cut);
        return;
    }
    double threshold = threshold_of(rule, s, n, laser_mp_beta(rows, columns));
    while (k < n && s[k] > threshold)
        k++;
    laser_cut_at(s, n, k, cut);
    cut->threshold = threshold;
}

int laser_score_parse(const char *text, enum laser_score *score, struct laser_error *err)
{
    if (strcmp(text, "snr") == 0)
        *score = LASER_SCORE_SNR;
    else if (strcmp(text, "snr-normalized") == 0)
        *score = LASER_SCORE_SNR_NORMALIZED;
    else
        return laser_error_set(err, LASER_EUSAGE, text, "no such score; valid: snr, snr-normalized");
    return LASER_OK;
}

const char *laser_score_name(enum laser_score score)
{
    return score == LASER_SCORE_SNR ? "snr" : "snr-normalized";
}

double laser_score_of(enum laser_score score, const struct laser_cut *cut)
{
    return score == LASER_SCORE_SNR ? cut->snr : cut->snr_normalized;
}
