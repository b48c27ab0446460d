/* Edits: what is done to the singular values of one matrix.
 *
 * The edits are the rows of edits.def.
 */
#ifndef LASER_SPECTRUM_EDIT_H
#define LASER_SPECTRUM_EDIT_H

#include "base/error.h"
#include "spectrum/rule.h"

enum laser_edit_kind {
#define EDIT(id, ...) LASER_EDIT_##id,
#include "spectrum/edits.def"
    LASER_EDITS
};

struct laser_edit {
    enum laser_edit_kind kind;
    struct laser_rule rule; /* LASER_EDIT_RULE */
    double value;           /* the argument of the others: K, F */
    uint64_t hash;          /* LASER_EDIT_VALUES: of the file that has the values */
    const double *values; /* LASER_EDIT_VALUES: the new values, the caller's; laser_edit_parse leaves NULL */
};

/* "none, a threshold rule (...), rank=K, ...", as laser_rule_forms. */
void laser_edit_forms(int limits, char text[LASER_FORMS_SIZE]);

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
