/* Lists of strings, words of a choice, and the word that was meant. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/match.h"
#include "deck/internal.h"

int laser_texts_add(struct laser_texts *list, const char *text, size_t size)
{
    char *copy;

    if (list->count == list->capacity) {
        int capacity = list->capacity > 0 ? list->capacity : 4;
        char **grown;

        if (capacity > INT_MAX / 2)
            return 0;
        grown = realloc(list->items, 2 * (size_t)capacity * sizeof *grown);
        if (grown == NULL)
            return 0;
        list->items = grown;
        list->capacity = 2 * capacity;
    }
    copy = malloc(size + 1);
    if (copy == NULL)
        return 0;
    memcpy(copy, text, size);
    copy[size] = '\0';
    list->items[list->count++] = copy;
    return 1;
}

void laser_texts_free(struct laser_texts *list)
{
    for (int i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    memset(list, 0, sizeof *list);
}

int laser_texts_read(struct laser_texts *list, enum laser_deck_type type, const char *text)
{
    size_t length = strlen(text), n = 0;
    int good;
    char *item;

    if (type != LASER_TYPE_LIST && type != LASER_TYPE_PAIRS)
        return (type == LASER_TYPE_TEXTS && length == 0) || laser_texts_add(list, text, length);
    item = malloc(length + 1);
    good = item != NULL;
    for (size_t i = 0; good && i <= length; i++) {
        if (text[i] == '\\' && text[i + 1] == ',') {
            item[n++] = text[++i];
        } else if (text[i] != ',' && text[i] != '\0') {
            item[n++] = text[i];
        } else {
            good = n == 0 || laser_texts_add(list, item, n);
            n = 0;
        }
    }
    free(item);
    return good;
}

int laser_words_find(const char *words, const char *word)
{
    size_t n = strlen(word);
    int place = 0;

    for (const char *p = words; n > 0 && *p != '\0'; place++) {
        size_t length = strcspn(p, "|");

        if (length == n && memcmp(p, word, n) == 0)
            return place;
        p += length + (p[length] == '|');
    }
    return -1;
}

void laser_words_spread(const char *text, char mark, char *out, size_t size)
{
    size_t n = 0;

    for (; *text != '\0' && n + 3 < size; text++) {
        out[n++] = *text == mark ? ',' : *text;
        if (*text == mark)
            out[n++] = ' ';
    }
    out[n] = '\0';
}

void laser_nearest_try(struct laser_nearest *nearest, const char *candidate)
{
    size_t distance = laser_edit_distance(nearest->word, candidate);

    if (nearest->best == NULL || distance < nearest->distance) {
        nearest->best = candidate;
        nearest->distance = distance;
    }
}

const char *laser_nearest_hint(const struct laser_nearest *nearest, char *hint, size_t size)
{
    size_t length = strlen(nearest->word), limit = length / 3 > 2 ? length / 3 : 2;

    hint[0] = '\0';
    if (nearest->best != NULL && nearest->distance <= limit && nearest->distance < length)
        snprintf(hint, size, ", did you mean %s?", nearest->best);
    return hint;
}
