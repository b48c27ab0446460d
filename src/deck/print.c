/* The deck as YAML and as JSON. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json_text.h"
#include "deck/internal.h"

/* A scalar that every reader takes for a text (or for the number that it is) without quotes; YAML 1.1 has
 * words for true, false and null. */
static int is_plain(const char *text)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./+-";
    static const char *const special[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n"};

    if (*text == '\0' || text[strspn(text, safe)] != '\0' || strchr("-+.", *text) != NULL)
        return 0;
    for (size_t i = 0; i < sizeof special / sizeof special[0]; i++)
        if (strcasecmp(text, special[i]) == 0)
            return 0;
    return 1;
}

/* Quoted where YAML needs it. */
static void print_scalar(struct laser_text *out, const char *text)
{
    if (is_plain(text)) {
        laser_text_puts(out, text);
        return;
    }
    /* A YAML stream may not hold control characters: C0, DEL and (two bytes of UTF-8 from 0xC2) C1. */
    laser_text_fill(out, '"', 1);
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
        if (*p == '"' || *p == '\\')
            laser_text_printf(out, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7F)
            laser_text_printf(out, "\\x%02X", *p);
        else if (*p == 0xC2 && p[1] >= 0x80 && p[1] < 0xA0)
            laser_text_printf(out, "\\x%02X", *++p);
        else
            laser_text_fill(out, (char)*p, 1);
    }
    laser_text_fill(out, '"', 1);
}

/* A path as it is from anywhere; a model only if there is something at it. */
static void print_path(struct laser_text *out, const struct laser_deck *deck, enum laser_deck_type type,
                       const char *item)
{
    int stays =
        type != LASER_TYPE_PAIRS && (*item == '\0' || (type == LASER_TYPE_MODEL && access(item, F_OK) != 0));
    char *path = stays ? strdup(item) : laser_file_join(deck->directory, item);

    if (path == NULL)
        out->failed = 1;
    else
        print_scalar(out, path);
    free(path);
}

static void print_item(struct laser_text *out, const struct laser_deck *deck, int key, int i)
{
    const struct laser_deck_value *value = &deck->values[key];
    enum laser_deck_type type = laser_deck_keys[key].type;

    if (type == LASER_TYPE_PAIRS) {
        print_scalar(out, value->pairs[i].name);
        laser_text_puts(out, ": ");
        print_path(out, deck, type, value->pairs[i].path);
    } else if (type == LASER_TYPE_PATH || type == LASER_TYPE_MODEL) {
        print_path(out, deck, type, value->items[i]);
    } else if (type == LASER_TYPE_BOOL) {
        laser_text_puts(out, value->items[i]);
    } else {
        print_scalar(out, value->items[i]);
    }
}

/* The comment's column, two blanks at least behind the value. */
static void print_origin(struct laser_text *out, size_t line_start, const char *origin)
{
    size_t column = out->failed ? 0 : laser_text_columns(out->data + line_start);

    laser_text_fill(out, ' ', column < 46 ? 48 - column : 2);
    laser_text_puts(out, "# ");
    /* An origin may hold a file name, a comment may not hold a line break. */
    for (const char *p = origin; *p != '\0'; p++)
        laser_text_fill(out, (unsigned char)*p < 0x20 || *p == 0x7F ? '?' : *p, 1);
    laser_text_fill(out, '\n', 1);
}

/* A key; the `command` of the printed deck is the command that runs, whoever named it. */
static void print_key(struct laser_text *out, const struct laser_deck *deck, int i,
                      enum laser_command command)
{
    const struct laser_deck_key *key = &laser_deck_keys[i];
    const struct laser_deck_value *value = &deck->values[i];
    const char *dot = strchr(key->key, '.'), *runs = laser_command_name(command);
    int is_list = laser_value_is_list(key->type), is_pairs = key->type == LASER_TYPE_PAIRS;
    size_t line = out->size, indent = dot != NULL ? 2 : 0;

    laser_text_fill(out, ' ', indent);
    laser_text_printf(out, "%s:", dot != NULL ? dot + 1 : key->key);
    if (i == LASER_KEY_command && laser_words_find(key->words, runs) >= 0 &&
        strcmp(value->items[0], runs) != 0) {
        laser_text_printf(out, " %s", runs);
        print_origin(out, line, "command line");
        return;
    }
    if (!is_list) {
        laser_text_fill(out, ' ', 1);
        print_item(out, deck, i, 0);
    } else if (value->count == 0) {
        laser_text_puts(out, is_pairs ? " {}" : " []");
    }
    print_origin(out, line, value->origin);
    for (int j = 0; is_list && j < value->count; j++) {
        laser_text_fill(out, ' ', indent + 2);
        laser_text_puts(out, is_pairs ? "" : "- ");
        print_item(out, deck, i, j);
        laser_text_fill(out, '\n', 1);
    }
}

char *laser_deck_print(const struct laser_deck *deck, enum laser_command command)
{
    struct laser_text out = {0};
    const char *section = "";

    laser_text_printf(&out, "version: %d\n", LASER_DECK_VERSION);
    for (int i = 0; i < LASER_KEYS; i++) {
        const struct laser_deck_key *key = &laser_deck_keys[i];

        if (!laser_deck_belongs(key, command) && !laser_deck_is_set(deck, (enum laser_key)i))
            continue;
        if (strcmp(section, key->section) != 0)
            laser_text_printf(&out, "\n%s:\n", key->section);
        section = key->section;
        print_key(&out, deck, i, command);
    }
    return laser_text_take(&out);
}

/* The value of a key as JSON of its type; names only of paths when for the identity. */
static json_t *value_json(const struct laser_deck_key *key, const struct laser_deck_value *value,
                          int identity)
{
    json_t *list = NULL;
    int bad = 0;

    switch (key->type) {
    case LASER_TYPE_BOOL:
        return json_boolean(value->integer);
    case LASER_TYPE_INT:
    case LASER_TYPE_SIZE:
        return json_integer(value->integer);
    case LASER_TYPE_REAL:
    case LASER_TYPE_DURATION:
        return json_real(value->real);
    case LASER_TYPE_LIST:
    case LASER_TYPE_PAIRS:
    case LASER_TYPE_TEXTS:
        list = json_array();
        for (int i = 0; i < value->count; i++)
            bad |= json_array_append_new(
                list, json_string(identity && value->pairs != NULL ? value->pairs[i].name : value->items[i]));
        if (!bad)
            return list;
        json_decref(list);
        return NULL;
    default:
        return json_string(value->items[0]);
    }
}

static int compare_keys(const void *a, const void *b)
{
    return strcmp(laser_deck_keys[*(const int *)a].key, laser_deck_keys[*(const int *)b].key);
}

char *laser_deck_json(const struct laser_deck *deck, enum laser_command command, int identity)
{
    struct laser_text out = {0};
    json_t *object = json_object();
    int sorted[LASER_KEYS], failed = object == NULL;

    for (int i = 0; i < LASER_KEYS; i++)
        sorted[i] = i;
    qsort(sorted, LASER_KEYS, sizeof *sorted, compare_keys);
    for (int i = 0; !failed && i < LASER_KEYS; i++) {
        const struct laser_deck_key *key = &laser_deck_keys[sorted[i]];
        const struct laser_deck_value *value = &deck->values[sorted[i]];
        json_t *item;

        if (!laser_deck_belongs(key, command) || (identity && !key->matters))
            continue;
        item = value_json(key, value, identity);
        if (!identity && item != NULL)
            item = json_pack("{s:o, s:s}", "value", item, "origin", value->origin);
        failed = json_object_set_new(object, key->key, item) != 0;
    }
    if (!failed)
        laser_json_render(&out, object, 0);
    json_decref(object);
    return failed ? NULL : laser_text_take(&out);
}
