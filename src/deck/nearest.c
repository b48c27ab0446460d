#include <stdio.h>
#include <string.h>

#include "deck/internal.h"

enum { LONGEST = 48 };

size_t laser_edit_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    size_t na = strlen(a), nb = strlen(b);

    if (na > LONGEST || nb > LONGEST)
        return na > nb ? na : nb;
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

void laser_nearest_try(struct laser_nearest *nearest, const char *candidate)
{
    size_t distance = laser_edit_distance(nearest->word, candidate);

    if (nearest->best == NULL || distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

void laser_nearest_try_words(struct laser_nearest *nearest, const char *words, char *space, size_t size)
{
    char *save = NULL;

    snprintf(space, size, "%s", words);
    for (char *word = strtok_r(space, "|", &save); word != NULL; word = strtok_r(NULL, "|", &save))
        laser_nearest_try(nearest, word);
}

const char *laser_nearest_hint(const struct laser_nearest *nearest, char *hint, size_t size)
{
    size_t length = strlen(nearest->word), limit = length / 3 > 2 ? length / 3 : 2;

    hint[0] = '\0';
    if (nearest->best != NULL && nearest->distance <= limit && nearest->distance < length)
        snprintf(hint, size, ", did you mean %s?", nearest->best);
    return hint;
}
