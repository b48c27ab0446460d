#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "deck/internal.h"

int laser_texts_add(struct laser_texts *list, const char *text, size_t size)
{
    char *copy;

    if (list->count == list->capacity) {
        int capacity = list->capacity > 0 ? list->capacity : 4;
        char **grown;

        if (capacity > INT_MAX / 2)
            return 0;
        capacity *= 2;
        grown = realloc(list->items, (size_t)capacity * sizeof *grown);
        if (grown == NULL)
            return 0;
        list->items = grown;
        list->capacity = capacity;
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

int laser_texts_split(struct laser_texts *list, const char *text)
{
    size_t length = strlen(text), n = 0;
    char *item = malloc(length + 1);
    int good = item != NULL;

    for (size_t i = 0; good && i <= length; i++) {
        if (text[i] == '\\' && text[i + 1] == ',') {
            item[n++] = ',';
            i++;
        } else if (text[i] == ',' || text[i] == '\0') {
            if (n > 0)
                good = laser_texts_add(list, item, n);
            n = 0;
        } else {
            item[n++] = text[i];
        }
    }
    free(item);
    return good;
}

int laser_texts_read(struct laser_texts *list, enum laser_deck_type type, const char *text)
{
    if (type == LASER_TYPE_LIST || type == LASER_TYPE_PAIRS)
        return laser_texts_split(list, text);
    return (type == LASER_TYPE_TEXTS && *text == '\0') || laser_texts_add(list, text, strlen(text));
}

int laser_words_have(const char *words, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = words; n > 0 && *p != '\0';) {
        size_t length = strcspn(p, "|");

        if (length == n && memcmp(p, word, n) == 0)
            return 1;
        p += length + (p[length] == '|');
    }
    return 0;
}
