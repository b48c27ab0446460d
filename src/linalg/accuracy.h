/* Whether the singular values of the Gram route are good enough, or the reference route is needed.
 *
 * Rounding moves the eigenvalues of G by about eps * |G|_F at most (measured: 0.1 to 0.8 of it away from the
 * top, over random, geometric, spiked, two-level and rank-deficient spectra of 64 to 4500; the bound takes 2
 * eps |G|_F) and by a relative n eps / 5; a value S then moves by the change of the root.
 */
#ifndef LASER_LINALG_ACCURACY_H
#define LASER_LINALG_ACCURACY_H

#include "spectrum/rule.h"

#include <stddef.h>
#include <stdint.h>

/* Relative tolerance of a score that the program promises. */
#define LASER_SCORE_TOLERANCE 1e-9

/* bound[i] >= |error of s[i]|, for n values of the Gram route, largest first. */
void laser_gram_errors(const double *s, int64_t n, double *bound);

/* 1 if k, the threshold's side of every value and the scores (within `tolerance`, relative) cannot depend on
 * the route, and every value can be told from zero; else 0 and the reason ("...") in `reason` (may be NULL,
 * size reason_size).  s: as laser_gram_values returned them.  0 also where memory for the bounds is missing.
 */
int laser_gram_is_enough(const double *s, int64_t rows, int64_t columns, const struct laser_rule *rule,
                         double tolerance, char *reason, size_t reason_size);

#endif
