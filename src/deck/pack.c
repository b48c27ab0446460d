/* The deck as bytes: strings, each with its NUL, of the directory and of each key its name, origin kind,
 * origin, number of items and items.  Both ends are the same program, so the canonical items are parsed again. */
#include <stdlib.h>
#include <string.h>

#include "deck/internal.h"

static const char mark[] = "laser-deck-2";

static void put(struct laser_text *out, const char *string)
{
    laser_text_add(out, string, strlen(string) + 1);
}

int laser_deck_pack(const struct laser_deck *deck, char **data, size_t *size, struct laser_error *err)
{
    struct laser_text out = {0};

    put(&out, mark);
    put(&out, deck->directory);
    for (int i = 0; i < LASER_KEYS; i++) {
        const struct laser_deck_value *v = &deck->values[i];

        put(&out, laser_deck_keys[i].key);
        laser_text_printf(&out, "%d %d", (int)v->kind, v->count);
        put(&out, "");
        put(&out, v->origin);
        for (int j = 0; j < v->count; j++)
            put(&out, v->items[j]);
    }
    *size = out.size;
    *data = laser_text_take(&out);
    return *data != NULL ? LASER_OK
                         : laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the deck's bytes");
}

struct source {
    const char *data;
    size_t left;
};

/* The next string, which stays where it is; NULL behind the last one. */
static const char *get(struct source *in)
{
    const char *string = in->data, *end = in->left > 0 ? memchr(string, '\0', in->left) : NULL;

    if (end == NULL)
        return NULL;
    in->left -= (size_t)(end + 1 - string);
    in->data = end + 1;
    return string;
}

/* One key's value; 0 when the bytes are not one. */
static int get_value(struct source *in, struct laser_deck *deck, int key)
{
    const char *name = get(in), *numbers = get(in), *origin = get(in), *item;
    struct laser_texts items = {0};
    struct laser_deck_value value;
    char *end = NULL;
    long kind = numbers != NULL ? strtol(numbers, &end, 10) : -1, count;
    int good = origin != NULL && strcmp(name, laser_deck_keys[key].key) == 0 && kind >= 0 &&
               kind <= LASER_DECK_COMMAND_LINE && *end == ' ';

    count = good ? strtol(end, NULL, 10) : 0;
    while (good && items.count < count)
        good = (item = get(in)) != NULL && laser_texts_add(&items, item, strlen(item));
    good = good && laser_value_parse(&laser_deck_keys[key], items.items, items.count, NULL, &value, NULL,
                                     NULL) == LASER_OK;
    laser_texts_free(&items);
    return good && laser_deck_put(deck, key, &value, (enum laser_deck_origin_kind)kind, origin);
}

int laser_deck_unpack(struct laser_deck **deck, const char *data, size_t size, struct laser_error *err)
{
    struct source in = {data, size};
    const char *found = get(&in), *directory = get(&in);
    int rc = laser_deck_new(deck, err), good;

    if (rc != LASER_OK)
        return rc;
    good = directory != NULL && strcmp(found, mark) == 0;
    if (good) {
        free((*deck)->directory);
        (*deck)->directory = strdup(directory);
        good = (*deck)->directory != NULL;
    }
    for (int i = 0; good && i < LASER_KEYS; i++)
        good = get_value(&in, *deck, i);
    if (good && in.left == 0)
        return LASER_OK;
    laser_deck_free(*deck);
    *deck = NULL;
    return laser_error_set(err, LASER_EINTERNAL, NULL, "the bytes received are not a deck of this program");
}
