#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deck/internal.h"

/* Notes the program's mistake for laser_deck_misuse(); the first one counts. */
static void misused(const struct laser_deck *deck, const char *key, const char *as)
{
    char text[160];

    if (*deck->misuse != NULL)
        return;
    snprintf(text, sizeof text, "%s asked for as %s", key, as);
    *deck->misuse = strdup(text);
}

/* The value of a key whose type is in the set, or NULL. */
static const struct laser_deck_value *value_of(const struct laser_deck *deck, const char *key, unsigned types,
                                               const char *as)
{
    int index = laser_schema_find(key);
    size_t count;

    if (index >= 0 && (types >> laser_schema_keys(&count)[index].type & 1u) != 0)
        return &deck->values[index];
    misused(deck, key, as);
    return NULL;
}

const char *laser_deck_string(const struct laser_deck *deck, const char *key)
{
    const struct laser_deck_value *v = value_of(
        deck, key, ~(1u << LASER_TYPE_LIST | 1u << LASER_TYPE_PAIRS | 1u << LASER_TYPE_TEXTS), "a string");

    return v != NULL ? v->items[0] : "";
}

int64_t laser_deck_int(const struct laser_deck *deck, const char *key)
{
    const struct laser_deck_value *v =
        value_of(deck, key, 1u << LASER_TYPE_INT | 1u << LASER_TYPE_SIZE, "an int");

    return v != NULL ? v->integer : 0;
}

double laser_deck_real(const struct laser_deck *deck, const char *key)
{
    const struct laser_deck_value *v =
        value_of(deck, key, 1u << LASER_TYPE_REAL | 1u << LASER_TYPE_DURATION, "a real");

    return v != NULL ? v->real : 0.0;
}

int laser_deck_bool(const struct laser_deck *deck, const char *key)
{
    const struct laser_deck_value *v = value_of(deck, key, 1u << LASER_TYPE_BOOL, "a bool");

    return v != NULL ? (int)v->integer : 0;
}

int laser_deck_is(const struct laser_deck *deck, const char *key, const char *word)
{
    const struct laser_deck_value *v = value_of(deck, key, 1u << LASER_TYPE_ENUM, "an enum");
    size_t count;

    if (v == NULL)
        return 0;
    if (!laser_words_have(laser_schema_keys(&count)[laser_schema_find(key)].words, word))
        misused(deck, key, word);
    return strcmp(v->items[0], word) == 0;
}

const char *const *laser_deck_list(const struct laser_deck *deck, const char *key, int *count)
{
    static const char *const none[] = {NULL};
    const struct laser_deck_value *v =
        value_of(deck, key, 1u << LASER_TYPE_LIST | 1u << LASER_TYPE_TEXTS, "a list");

    *count = v != NULL ? v->count : 0;
    return v != NULL ? (const char *const *)v->items : none;
}

const struct laser_deck_pair *laser_deck_pairs(const struct laser_deck *deck, const char *key, int *count)
{
    static const struct laser_deck_pair none[1];
    const struct laser_deck_value *v = value_of(deck, key, 1u << LASER_TYPE_PAIRS, "pairs");

    *count = v != NULL ? v->count : 0;
    return v != NULL ? v->pairs : none;
}

int laser_deck_has(const struct laser_deck *deck, const char *key, const char *word)
{
    int count;
    const char *const *items = laser_deck_list(deck, key, &count);

    for (int i = 0; i < count; i++)
        if (strcmp(items[i], word) == 0)
            return 1;
    return 0;
}

int laser_deck_is_set(const struct laser_deck *deck, const char *key)
{
    const struct laser_deck_value *v = value_of(deck, key, ~0u, "anything");

    return v != NULL && v->kind != LASER_DECK_DEFAULT && v->kind != LASER_DECK_PRESET;
}

const char *laser_deck_origin(const struct laser_deck *deck, const char *key)
{
    const struct laser_deck_value *v = value_of(deck, key, ~0u, "anything");

    return v != NULL ? v->origin : "";
}

const char *laser_deck_misuse(const struct laser_deck *deck)
{
    return *deck->misuse;
}
