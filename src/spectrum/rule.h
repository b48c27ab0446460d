/* Threshold rules: where the singular values of a matrix are cut, and how the two parts compare.
 *
 * S is always the array of the min(rows, columns) singular values, finite, largest first; n and m are the
 * short and the long side, beta = n / m.  Quantiles are linear-interpolated at position q (n - 1), as numpy
 * and torch do.
 *
 *   laserrmt          t = (q75 - q25) / 1.349 * (1 + sqrt(beta))         (laserRMT's own estimate)
 *   marchenko-pastur  t = (1 + sqrt(beta)) * median / sqrt(mu_beta)      (the true edge of the noise bulk)
 *   gavish-donoho     t = omega(beta) * median                           (arXiv 1305.5870, unknown noise level)
 *   rank:RHO          k = floor(RHO n), 0 <= RHO <= 1
 *   energy:E          smallest k with sum_{i<=k} S_i^2 >= E sum S^2, 0 <= E <= 1
 */
#ifndef LASER_SPECTRUM_RULE_H
#define LASER_SPECTRUM_RULE_H

#include "base/error.h"
#include "base/words.h"

#include <stddef.h>
#include <stdint.h>

enum laser_rule_kind {
    LASER_RULE_LASERRMT,
    LASER_RULE_MARCHENKO_PASTUR,
    LASER_RULE_GAVISH_DONOHO,
    LASER_RULE_RANK,
    LASER_RULE_ENERGY
};

struct laser_rule {
    enum laser_rule_kind kind;
    double value; /* RHO or E; 0 for the others */
};

/* Longest text of a rule or an edit, with its final zero. */
#define LASER_RULE_TEXT_MAX 48

/* Reads "laserrmt", "rank:0.5", ...  LASER_EUSAGE, where = the given text, names the valid forms. */
int laser_rule_parse(const char *text, struct laser_rule *rule, struct laser_error *err);

/* Writes the shortest text that laser_rule_parse turns into the same rule. */
void laser_rule_print(const struct laser_rule *rule, char text[LASER_RULE_TEXT_MAX]);

/* What a rule makes of one spectrum. */
struct laser_cut {
    double threshold;      /* NaN for rank:RHO and energy:E */
    int64_t k;             /* values kept: S > threshold, or the rule's own count */
    double signal;         /* sum of the kept values */
    double noise;          /* sum of the others */
    double snr;            /* signal / noise, Infinity when noise = 0, NaN of a zero matrix */
    double snr_normalized; /* snr / S[0], Infinity and NaN likewise */
};

void laser_rule_apply(const struct laser_rule *rule, const double *s, int64_t rows, int64_t columns,
                      struct laser_cut *cut);

/* The cut of a given k, whatever the reason for it; threshold NaN. */
void laser_cut_at(const double *s, int64_t n, int64_t k, struct laser_cut *cut);

/* Which of the two scores ranks the matrices. */
#define LASER_SCORE_WORDS(W) W(LASER_SCORE_SNR, "snr") W(LASER_SCORE_SNR_NORMALIZED, "snr-normalized")
enum laser_score { LASER_SCORE_WORDS(LASER_WORD_ID) };

/* "snr" or "snr-normalized"; LASER_EUSAGE otherwise. */
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
