#include <stdio.h>
#include <string.h>

#include "base/match.h"
#include "deck/internal.h"

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
