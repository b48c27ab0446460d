/* The deck as bytes: a mark, the number of keys, then for each key its name, origin kind, origin and items,
 * every string with its length before it.  Both ends are the same program, so the canonical items are parsed
 * again. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "deck/internal.h"

static const char mark[] = "laser-deck-1";

static void put_count(struct laser_text *out, size_t count)
{
    uint32_t n = (uint32_t)count;

    laser_text_add(out, (const char *)&n, sizeof n);
}

static void put_string(struct laser_text *out, const char *string)
{
    size_t n = strlen(string);

    put_count(out, n);
    laser_text_add(out, string, n + 1);
}

int laser_deck_pack(const struct laser_deck *deck, char **data, size_t *size, struct laser_error *err)
{
    const struct laser_deck_key *keys;
    struct laser_text out = {0};
    size_t count;

    keys = laser_schema_keys(&count);
    put_string(&out, mark);
    put_string(&out, deck->directory);
    put_count(&out, count);
    for (size_t i = 0; i < count; i++) {
        const struct laser_deck_value *v = &deck->values[i];

        put_string(&out, keys[i].key);
        put_count(&out, (size_t)v->kind);
        put_string(&out, v->origin);
        put_count(&out, (size_t)v->count);
        for (int j = 0; j < v->count; j++)
            put_string(&out, v->items[j]);
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

static int get_count(struct source *in, uint32_t *count)
{
    if (in->left < sizeof *count)
        return 0;
    memcpy(count, in->data, sizeof *count);
    in->data += sizeof *count;
    in->left -= sizeof *count;
    return 1;
}

/* Points into the bytes: the NUL behind the string is among them. */
static const char *get_string(struct source *in)
{
    const char *string;
    uint32_t n;

    if (!get_count(in, &n) || in->left <= n || in->data[n] != '\0' || memchr(in->data, '\0', n) != NULL)
        return NULL;
    string = in->data;
    in->data += n + 1;
    in->left -= n + 1;
    return string;
}

/* One key's value; 0 when the bytes are not one. */
static int get_value(struct source *in, const struct laser_deck_key *key, struct laser_deck_value *value)
{
    const char *name = get_string(in), *origin;
    struct laser_texts items = {0};
    uint32_t kind, count;
    int good;

    if (name == NULL || strcmp(name, key->key) != 0 || !get_count(in, &kind) ||
        kind > LASER_DECK_COMMAND_LINE)
        return 0;
    origin = get_string(in);
    good = origin != NULL && get_count(in, &count);
    for (uint32_t i = 0; good && i < count; i++) {
        const char *item = get_string(in);

        good = item != NULL && laser_texts_add(&items, item, strlen(item));
    }
    if (good) {
        laser_value_free(value);
        good = laser_value_parse(key, items.items, items.count, NULL, value, NULL, NULL) == LASER_OK;
    }
    laser_texts_free(&items);
    if (!good)
        return 0;
    value->kind = (enum laser_deck_origin_kind)kind;
    value->origin = strdup(origin);
    return value->origin != NULL;
}

int laser_deck_unpack(struct laser_deck **deck, const char *data, size_t size, struct laser_error *err)
{
    struct source in = {data, size};
    const struct laser_deck_key *keys;
    const char *found, *directory;
    uint32_t n = 0;
    size_t count;
    int rc = laser_deck_new(deck, err), good;

    if (rc != LASER_OK)
        return rc;
    keys = laser_schema_keys(&count);
    found = get_string(&in);
    directory = found != NULL ? get_string(&in) : NULL;
    good = directory != NULL && strcmp(found, mark) == 0 && get_count(&in, &n) && n == count;
    if (good) {
        free((*deck)->directory);
        (*deck)->directory = strdup(directory);
        good = (*deck)->directory != NULL;
    }
    for (size_t i = 0; good && i < count; i++)
        good = get_value(&in, &keys[i], &(*deck)->values[i]);
    if (good && in.left == 0)
        return LASER_OK;
    laser_deck_free(*deck);
    *deck = NULL;
    return laser_error_set(err, LASER_EINTERNAL, NULL, "the bytes received are not a deck of this program");
}
