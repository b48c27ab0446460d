/* Threshold rules: where the singular values of a matrix are cut, and how the two parts compare.
 *
 * S is always the array of the min(rows, columns) singular values, finite, largest first; n and m are the
 * short and the long side, beta = n / m.  Quantiles are linear-interpolated at position q (n - 1), as numpy
 * and torch do.
 *
 * The rules are the rows of rules.def.
 */
#ifndef LASER_SPECTRUM_RULE_H
#define LASER_SPECTRUM_RULE_H

#include "base/error.h"
#include "base/words.h"

#include <stddef.h>
#include <stdint.h>

enum laser_rule_kind {
#define RULE(id, ...) LASER_RULE_##id,
#include "spectrum/rules.def"
    LASER_RULES
};

struct laser_rule {
    enum laser_rule_kind kind;
    double value; /* its argument; 0 where it has none */
};

/* Longest text of a rule or an edit, with its final zero. */
#define LASER_RULE_TEXT_MAX 48

/* Reads "laserrmt", "rank:0.5", ...  LASER_EUSAGE, where = the given text, names the valid forms. */
int laser_rule_parse(const char *text, struct laser_rule *rule, struct laser_error *err);

/* "marchenko-pastur, ..., rank:SHARE or energy:SHARE", and " with 0 <= SHARE <= 1" where limits are wanted. */
enum { LASER_FORMS_SIZE = 300 };
void laser_rule_forms(int limits, char text[LASER_FORMS_SIZE]);

const char *laser_rule_name(const struct laser_rule *rule);

/* Writes the shortest text that laser_rule_parse turns into the same rule. */
void laser_rule_print(const struct laser_rule *rule, char text[LASER_RULE_TEXT_MAX]);

/* What a rule makes of one spectrum. */
struct laser_cut {
    double threshold;      /* NaN where the rule counts */
    int64_t k;             /* values kept: S > threshold, or the rule's own count */
    double signal;         /* sum of the kept values */
    double noise;          /* sum of the others */
    double snr;            /* signal / noise, Infinity when noise = 0, NaN of a zero matrix */
    double snr_normalized; /* snr / S[0], Infinity and NaN likewise */
};

void laser_rule_apply(const struct laser_rule *rule, const double *s, int64_t rows, int64_t columns,
                      struct laser_cut *cut);

/* Linear-interpolated quantiles 0.25, 0.5 and 0.75, or what may be wrong with them. */
struct laser_quartiles {
    double q25, q50, q75;
};

/* The threshold of these quartiles, in which it is linear; NaN where the rule counts. */
double laser_rule_threshold(const struct laser_rule *rule, const struct laser_quartiles *q, double beta);

/* 1 if rounding of the values can not move k by itself; the threshold is another matter. */
int laser_rule_is_clear(const struct laser_rule *rule, int64_t k, const double *s, int64_t n);

/* The cut of a given k, whatever the reason for it; threshold NaN. */
void laser_cut_at(const double *s, int64_t n, int64_t k, struct laser_cut *cut);

/* Which of the two scores ranks the matrices. */
#define LASER_SCORE_ROWS(ROW, W) /* ROW(W, ENUMERATOR, "word", member of struct laser_cut) */                \
    ROW(W, LASER_SCORE_SNR, "snr", snr)                                                                      \
    ROW(W, LASER_SCORE_SNR_NORMALIZED, "snr-normalized", snr_normalized)
#define LASER_SCORE_WORD(W, id, word, member) W(id, word)
#define LASER_SCORE_WORDS(W)                  LASER_SCORE_ROWS(LASER_SCORE_WORD, W)
enum laser_score { LASER_SCORE_WORDS(LASER_WORD_ID) };

/* LASER_EUSAGE, naming those that there are, for any other word. */
int laser_score_parse(const char *text, enum laser_score *score, struct laser_error *err);
const char *laser_score_name(enum laser_score score);
double laser_score_of(enum laser_score score, const struct laser_cut *cut);

/* Linear-interpolated quantile q in [0, 1] of n >= 1 values, largest first. */
double laser_quantile(const double *s, int64_t n, double q);

/* floor(rho n) without the slip of a rho such as (10 - 9.9) * 0.1, which is a hair below 0.01: a product
 * within 1e-9 of an integer is that integer. */
int64_t laser_rank_of_share(double rho, int64_t n);

/* Factors between rule and noise, for tests, plans and reports. */
double laser_omega(double beta);        /* t / median of gavish-donoho */
double laser_compat_kappa(double beta); /* true edge / compat threshold on pure noise of any size */
double laser_compat_beta_limit(void);   /* 0.27038...: see laser_rule_never_cuts */

/* 1 where the compat rule cannot cut a matrix of this shape whose bulk is noise: below beta = 0.27038 its
 * threshold lies under the lower edge of the bulk, so that every value is kept and the score is Infinity.  0
 * for other rules. */
int laser_rule_never_cuts(const struct laser_rule *rule, int64_t rows, int64_t columns);

#endif
