#include "config.h" /* _GNU_SOURCE */

#include "base/match.h"

#include <string.h>

enum { LONGEST = 512 };

/* Length of the set that starts at `[`, or 0 if it is not closed; *matches tells whether it holds c. */
static size_t match_set(const char *set, char c, int *matches)
{
    const char *p = set + 1;
    const int negated = *p == '!' || *p == '^';
    int found = 0;

    p += negated;
    do {
        if (*p == '\0')
            return 0;
        if (p[1] == '-' && p[2] != ']' && p[2] != '\0') {
            found = found || (c >= p[0] && c <= p[2]);
            p += 3;
        } else {
            found = found || *p == c;
            p++;
        }
    } while (*p != ']');
    *matches = found != negated;
    return (size_t)(p - set) + 1;
}

/* A `*` that fails needs no second look once a later one has matched, so the time is at most pattern times
 * name. */
bool laser_glob_match(const char *glob, const char *name)
{
    const char *star = NULL, *resume = NULL;

    for (;;) {
        int in_set = 0;
        size_t set = 0;

        if (*glob == '*') {
            star = ++glob;
            resume = name;
            continue;
        }
        if (*name == '\0' && *glob == '\0')
            return true;
        if (*glob == '[' && *name != '[' && *name != '\0')
            set = match_set(glob, *name, &in_set);
        if (set > 0 && in_set) {
            glob += set;
            name++;
        } else if (*name != '\0' && (*glob == '?' || *glob == *name)) {
            glob++;
            name++;
        } else if (star != NULL && *resume != '\0') {
            glob = star;
            name = ++resume;
        } else {
            return false;
        }
    }
}

size_t laser_edit_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    size_t na = strnlen(a, LONGEST), nb = strnlen(b, LONGEST);

    for (size_t j = 0; j <= nb; j++) {
        above[j] = j;
        before[j] = 0;
    }
    for (size_t i = 1; i <= na; i++) {
        size_t *spare = before;

        row[0] = i;
        for (size_t j = 1; j <= nb; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);

            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
        before = above;
        above = row;
        row = spare;
    }
    return above[nb];
}
