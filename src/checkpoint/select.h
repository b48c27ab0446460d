/* Selection of tensors by name. */
#ifndef LASER_CHECKPOINT_SELECT_H
#define LASER_CHECKPOINT_SELECT_H

#include <stdbool.h>

#include "base/error.h"

/* Patterns that a whole name must match: never a substring.
 *
 * A glob, by base/match.h; with the prefix `re:` a Perl-compatible regular expression, anchored at both ends. */
struct laser_select;

/* LASER_EUSAGE (a bad regular expression, with the position), LASER_ENOMEM.  n = 0 matches nothing. */
int laser_select_compile(const char *const *patterns, int n, struct laser_select **out,
                         struct laser_error *err);
void laser_select_free(struct laser_select *select); /* NULL is allowed */

/* Index of the first pattern that matches, or -1.  select may be NULL. */
int laser_select_match(const struct laser_select *select, const char *name);

#endif
