#include <string.h>

#include "deck/internal.h"

static const struct laser_deck_value *value_of(const struct laser_deck *deck, const char *key)
{
    return &deck->values[laser_deck_find(key)];
}

const char *laser_deck_string(const struct laser_deck *deck, const char *key)
{
    return value_of(deck, key)->items[0];
}

int64_t laser_deck_int(const struct laser_deck *deck, const char *key)
{
    return value_of(deck, key)->integer;
}

double laser_deck_real(const struct laser_deck *deck, const char *key)
{
    return value_of(deck, key)->real;
}

int laser_deck_bool(const struct laser_deck *deck, const char *key)
{
    return value_of(deck, key)->integer != 0;
}

int laser_deck_is(const struct laser_deck *deck, const char *key, const char *word)
{
    return strcmp(value_of(deck, key)->items[0], word) == 0;
}

const char *const *laser_deck_list(const struct laser_deck *deck, const char *key, int *count)
{
    *count = value_of(deck, key)->count;
    return (const char *const *)value_of(deck, key)->items;
}

const struct laser_deck_pair *laser_deck_pairs(const struct laser_deck *deck, const char *key, int *count)
{
    *count = value_of(deck, key)->count;
    return value_of(deck, key)->pairs;
}
