/* Edits: what is done to the singular values of one matrix.
 *
 *   none             nothing
 *   laserrmt, marchenko-pastur, gavish-donoho, rank:RHO, energy:E
 *                    the hard cut of that rule: S_i -> 0 for i >= k
 *   rank=K           the hard cut at exactly K
 *   shrink:FRACTION  optimal shrinkage for Frobenius loss (Gavish and Donoho, IEEE Trans. Inf. Theory 2017,
 *                    section III): with u = S / a,
 *                    S -> a sqrt((u^2 - beta - 1)^2 - 4 beta) / u for u > 1 + sqrt(beta), else 0
 *   wiener:FRACTION  S -> S^3 / (S^2 + a^2)
 *   values:HASH      S -> values that were found by other means (laser_mpi reduce --strategy tune), in a file
 *                    of their own
 *
 * a = FRACTION * median(S) / sqrt(mu_beta) is the noise's sqrt(m) sigma: at FRACTION = 1 the whole bulk
 * counts as noise, 1/2 and 1/4 leave part of it to the weights.
 */
#ifndef LASER_SPECTRUM_EDIT_H
#define LASER_SPECTRUM_EDIT_H

#include "base/error.h"
#include "spectrum/rule.h"

enum laser_edit_kind {
    LASER_EDIT_NONE,
    LASER_EDIT_RULE,
    LASER_EDIT_RANK,
    LASER_EDIT_SHRINK,
    LASER_EDIT_WIENER,
    LASER_EDIT_VALUES
};

struct laser_edit {
    enum laser_edit_kind kind;
    struct laser_rule rule; /* LASER_EDIT_RULE */
    int64_t k;              /* LASER_EDIT_RANK */
    double fraction;        /* LASER_EDIT_SHRINK, LASER_EDIT_WIENER: > 0 */
    uint64_t hash;          /* LASER_EDIT_VALUES: of the file that has the values */
    const double *values; /* LASER_EDIT_VALUES: the new values, the caller's; laser_edit_parse leaves NULL */
};

/* LASER_EUSAGE, where = the given text, names the valid forms. */
int laser_edit_parse(const char *text, struct laser_edit *edit, struct laser_error *err);

/* The shortest text that reads back as the same edit. */
void laser_edit_print(const struct laser_edit *edit, char text[LASER_RULE_TEXT_MAX]);

/* S (min(rows, columns) values, largest first) -> s_new of the same length, in the same order, 0 <= s_new <=
 * s (given values may be larger); the two may be one array.  Returns the number of values that stay above 0:
 * the rank of the edited matrix. */
int64_t laser_edit_apply(const struct laser_edit *edit, const double *s, int64_t rows, int64_t columns,
                         double *s_new);

/* The median estimate of the noise's sqrt(m) sigma: median(S) / sqrt(mu_beta). */
double laser_noise_level(const double *s, int64_t rows, int64_t columns);

#endif
