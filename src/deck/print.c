#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <jansson.h>

#include "base/file.h"
#include "base/json_text.h"
#include "base/text.h"
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

void laser_yaml_scalar(struct laser_text *out, const char *text)
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
static char *absolute(const struct laser_deck *deck, enum laser_deck_type type, const char *path)
{
    if (*path == '\0' || (type == LASER_TYPE_MODEL && access(path, F_OK) != 0))
        return strdup(path);
    return laser_file_join(deck->directory, path);
}

static void print_item(struct laser_text *out, const struct laser_deck *deck,
                       const struct laser_deck_key *key, const struct laser_deck_value *value, int i)
{
    const char *item = value->items[i];
    char *path;

    if (key->type == LASER_TYPE_PATH || key->type == LASER_TYPE_MODEL) {
        path = absolute(deck, key->type, item);
        if (path == NULL)
            out->failed = 1;
        else
            laser_yaml_scalar(out, path);
        free(path);
    } else if (key->type == LASER_TYPE_PAIRS) {
        laser_yaml_scalar(out, value->pairs[i].name);
        laser_text_puts(out, ": ");
        path = laser_file_join(deck->directory, value->pairs[i].path);
        if (path == NULL)
            out->failed = 1;
        else
            laser_yaml_scalar(out, path);
        free(path);
    } else if (key->type == LASER_TYPE_BOOL) {
        laser_text_puts(out, item);
    } else {
        laser_yaml_scalar(out, item);
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

/* One key, its section's name printed before the first of the section. */
static void print_key(struct laser_text *out, const struct laser_deck *deck, size_t index)
{
    size_t count, line = out->size;
    const struct laser_deck_key *key = &laser_schema_keys(&count)[index];
    const struct laser_deck_value *value = &deck->values[index];
    size_t section = laser_schema_section_length(key->key);
    const char *name = section > 0 ? key->key + section + 1 : key->key;
    size_t indent = section > 0 ? 2 : 0;

    laser_text_fill(out, ' ', indent);
    laser_text_printf(out, "%s:", name);
    if (!laser_value_is_list(key->type)) {
        laser_text_fill(out, ' ', 1);
        print_item(out, deck, key, value, 0);
    } else if (value->count == 0) {
        laser_text_puts(out, key->type == LASER_TYPE_PAIRS ? " {}" : " []");
    }
    print_origin(out, line, value->origin);
    for (int i = 0; laser_value_is_list(key->type) && i < value->count; i++) {
        laser_text_fill(out, ' ', indent + 2);
        laser_text_puts(out, key->type == LASER_TYPE_PAIRS ? "" : "- ");
        print_item(out, deck, key, value, i);
        laser_text_fill(out, '\n', 1);
    }
}

static int belongs(const struct laser_deck_key *key, enum laser_command command)
{
    return command == LASER_COMMAND_NONE || (key->commands >> command & 1u) != 0;
}

/* The `command` key of the printed deck is the command that runs, whoever named it. */
static int is_command_key(const struct laser_deck_key *key, enum laser_command command)
{
    return strcmp(key->key, "command") == 0 && command != LASER_COMMAND_NONE &&
           laser_words_have(key->words, laser_command_name(command));
}

char *laser_deck_print(const struct laser_deck *deck, enum laser_command command)
{
    const struct laser_deck_key *keys;
    struct laser_text out = {0};
    size_t count, last = 0;
    const char *section = "";

    keys = laser_schema_keys(&count);
    laser_text_printf(&out, "version: %d\n", LASER_DECK_VERSION);
    for (size_t i = 0; i < count; i++) {
        size_t n = laser_schema_section_length(keys[i].key), line = out.size;

        if (!belongs(&keys[i], command) && !laser_deck_is_set(deck, keys[i].key))
            continue;
        if (n != last || strncmp(section, keys[i].key, n) != 0)
            laser_text_printf(&out, "\n%.*s:\n", (int)n, keys[i].key);
        section = keys[i].key;
        last = n;
        if (is_command_key(&keys[i], command) &&
            strcmp(deck->values[i].items[0], laser_command_name(command)) != 0) {
            laser_text_printf(&out, "command: %s", laser_command_name(command));
            print_origin(&out, line, "command line");
        } else {
            print_key(&out, deck, i);
        }
    }
    return laser_text_take(&out);
}

/* The value of a key as JSON of its type; names only of paths when for the identity. */
static json_t *value_json(const struct laser_deck_key *key, const struct laser_deck_value *value,
                          int identity)
{
    json_t *list;

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
            if (json_array_append_new(list,
                                      json_string(identity && value->pairs != NULL ? value->pairs[i].name
                                                                                   : value->items[i])) != 0) {
                json_decref(list);
                return NULL;
            }
        return list;
    default:
        return json_string(value->items[0]);
    }
}

static int compare_keys(const void *a, const void *b)
{
    const struct laser_deck_key *const *x = a, *const *y = b;

    return strcmp((*x)->key, (*y)->key);
}

char *laser_deck_json(const struct laser_deck *deck, enum laser_command command, int identity)
{
    const struct laser_deck_key *keys, **sorted;
    struct laser_text out = {0};
    json_t *object = json_object();
    size_t count;
    int failed = object == NULL;

    keys = laser_schema_keys(&count);
    sorted = calloc(count, sizeof *sorted);
    failed |= sorted == NULL;
    for (size_t i = 0; sorted != NULL && i < count; i++)
        sorted[i] = &keys[i];
    if (sorted != NULL)
        qsort(sorted, count, sizeof *sorted, compare_keys);
    for (size_t i = 0; !failed && i < count; i++) {
        const struct laser_deck_value *value = &deck->values[sorted[i] - keys];
        json_t *item;

        if (!belongs(sorted[i], command) || (identity && !sorted[i]->matters))
            continue;
        item = value_json(sorted[i], value, identity);
        if (!identity && item != NULL)
            item = json_pack("{s:o, s:s}", "value", item, "origin", value->origin);
        failed = json_object_set_new(object, sorted[i]->key, item) != 0;
    }
    if (!failed)
        laser_json_render(&out, object, 0);
    json_decref(object);
    free(sorted);
    return failed ? NULL : laser_text_take(&out);
}
