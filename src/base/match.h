/* Names: patterns that they match, and how far apart two of them are. */
#ifndef LASER_BASE_MATCH_H
#define LASER_BASE_MATCH_H

#include <stdbool.h>
#include <stddef.h>

/* Does the whole name match the glob?  `*` is any run of characters (dots too), `?` is one, `[a-c]` and `[!a-c]` are
 * one of a set, and a bracket also matches itself (names of matrices hold brackets).  The one rule for all globs of
 * this program. */
bool laser_glob_match(const char *glob, const char *name);

/* Insertions, deletions, replacements and swaps of neighbours from a to b (optimal string alignment), of the first 512
 * bytes of each. */
size_t laser_edit_distance(const char *a, const char *b);

#endif
