/* Reads a deck: YAML as far as settings need it.  One mapping of keys, sections one level down, a scalar, a
 * list of scalars or (for pairs) a mapping of scalars as value.  Anchors, aliases, tags and further documents
 * are refused: a setting stands where it is read.
 *
 * First all entries are collected, with their lines, then the schema looks at them: a deck of another version
 * gets told so before it is told that a key is unknown.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/file.h"
#include "deck/internal.h"

enum { MOST_ENTRIES = 1000, LARGEST_DECK = 1 << 20 };

struct entry {
    char *key;
    size_t key_line, line;
    struct laser_texts items;
    int is_list, is_null;
};

struct reader {
    yaml_parser_t parser;
    const char *name, *text;
    size_t size;
    struct laser_error *err;
    struct entry *entries;
    size_t count;
};

static int complain(struct reader *r, size_t line, const char *what, const char *detail)
{
    char where[512];

    snprintf(where, sizeof where, "%s:%zu", r->name, line);
    return laser_error_set(r->err, LASER_EUSAGE, where, "%s%s", what, detail);
}

static int no_memory(struct reader *r)
{
    return laser_error_set(r->err, LASER_ENOMEM, r->name, "no memory for the deck");
}

static size_t line_of(const yaml_event_t *event)
{
    return event->start_mark.line + 1;
}

static int has_anchor_or_tag(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return 1;
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor != NULL || event->data.scalar.tag != NULL;
    case YAML_SEQUENCE_START_EVENT:
        return event->data.sequence_start.anchor != NULL || event->data.sequence_start.tag != NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor != NULL || event->data.mapping_start.tag != NULL;
    default:
        return 0;
    }
}

/* Where the parser stopped: of a bad character it knows the offset only. */
static size_t line_of_error(const struct reader *r)
{
    size_t line = 1;

    if (r->parser.error != YAML_READER_ERROR)
        return r->parser.problem_mark.line + 1;
    for (size_t i = 0; i < r->size && i < r->parser.problem_offset; i++)
        line += r->text[i] == '\n';
    return line;
}

/* The next event, which the caller deletes on success. */
static int next(struct reader *r, yaml_event_t *event)
{
    if (!yaml_parser_parse(&r->parser, event)) {
        if (r->parser.error == YAML_MEMORY_ERROR)
            return no_memory(r);
        return complain(r, line_of_error(r),
                        "not valid YAML: ", r->parser.problem != NULL ? r->parser.problem : "unknown cause");
    }
    if (has_anchor_or_tag(event)) {
        int rc = complain(r, line_of(event), "anchors, aliases and tags are not used in decks", "");

        yaml_event_delete(event);
        return rc;
    }
    return LASER_OK;
}

static int is_null(const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;

    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*value == '\0' || strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
}

/* Adds a scalar, with "name=" before it when prefix is given. */
static int add_item(struct reader *r, struct entry *entry, const char *prefix, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t length = event->data.scalar.length, nprefix = prefix != NULL ? strlen(prefix) + 1 : 0;
    char *text;
    int good;

    if (memchr(value, '\0', length) != NULL)
        return complain(r, line_of(event), "a NUL character in a value", "");
    text = malloc(nprefix + length + 1);
    if (text == NULL)
        return no_memory(r);
    if (prefix != NULL)
        snprintf(text, nprefix + 1, "%s=", prefix);
    memcpy(text + nprefix, value, length);
    good = laser_texts_add(&entry->items, text, nprefix + length);
    free(text);
    return good ? LASER_OK : no_memory(r);
}

static int read_sequence(struct reader *r, struct entry *entry)
{
    yaml_event_t event;
    int rc, ended = 0;

    entry->is_list = 1;
    do {
        rc = next(r, &event);
        if (rc != LASER_OK)
            return rc;
        if (event.type == YAML_SCALAR_EVENT)
            rc = add_item(r, entry, NULL, &event);
        else if (event.type == YAML_SEQUENCE_END_EVENT)
            ended = 1;
        else
            rc = complain(r, line_of(&event), "a list holds plain values only, in ", entry->key);
        yaml_event_delete(&event);
    } while (rc == LASER_OK && !ended);
    return rc;
}

/* The key of a mapping: a scalar without NUL or '='. */
static int read_key(struct reader *r, const yaml_event_t *event, char **key)
{
    const char *value = (const char *)event->data.scalar.value;

    if (event->type != YAML_SCALAR_EVENT)
        return complain(r, line_of(event), "a key has to be a word", "");
    if (event->data.scalar.length == 0 || event->data.scalar.length > 200 ||
        strlen(value) != event->data.scalar.length || strchr(value, '=') != NULL)
        return complain(r, line_of(event), "a key has to be a word", "");
    *key = strdup(value);
    return *key != NULL ? LASER_OK : no_memory(r);
}

/* name: path lines below a key. */
static int read_pairs(struct reader *r, struct entry *entry)
{
    yaml_event_t event;
    char *name = NULL;
    int rc, ended = 0;

    entry->is_list = 1;
    do {
        rc = next(r, &event);
        if (rc != LASER_OK)
            break;
        if (name == NULL && event.type == YAML_MAPPING_END_EVENT) {
            ended = 1;
        } else if (name == NULL) {
            rc = read_key(r, &event, &name);
        } else if (event.type == YAML_SCALAR_EVENT) {
            rc = add_item(r, entry, name, &event);
            free(name);
            name = NULL;
        } else {
            rc = complain(r, line_of(&event), "nested too deeply, in ", entry->key);
        }
        yaml_event_delete(&event);
    } while (rc == LASER_OK && !ended);
    free(name);
    return rc;
}

static int check_version(struct reader *r, const struct entry *entry)
{
    char expected[120];

    if (entry->items.count == 1 && !entry->is_list && strcmp(entry->items.items[0], "1") == 0)
        return LASER_OK;
    snprintf(expected, sizeof expected, "%s; this program reads version %d",
             entry->items.count == 1 ? entry->items.items[0] : "not a number", LASER_DECK_VERSION);
    return complain(r, entry->line, "the deck's version is ", expected);
}

/* Room for one more entry, which owns key from now on (key is freed on failure). */
static int add_entry(struct reader *r, char *key, size_t line, struct entry **entry)
{
    struct entry *grown;

    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(r->entries[i].key, key) == 0) {
            char detail[300];
            int rc;

            snprintf(detail, sizeof detail, "%s is given twice, before in line %zu", key,
                     r->entries[i].key_line);
            rc = complain(r, line, detail, "");
            free(key);
            return rc;
        }
    }
    if (r->count == MOST_ENTRIES) {
        free(key);
        return complain(r, line, "more keys than there can be", "");
    }
    grown = realloc(r->entries, (r->count + 1) * sizeof *grown);
    if (grown == NULL) {
        free(key);
        return no_memory(r);
    }
    r->entries = grown;
    *entry = &grown[r->count++];
    memset(*entry, 0, sizeof **entry);
    (*entry)->key = key;
    (*entry)->key_line = line;
    return LASER_OK;
}

/* The value of key, whose first event is given. */
static int read_value(struct reader *r, char *key, size_t key_line, const yaml_event_t *event)
{
    struct entry *entry = NULL;
    int rc = add_entry(r, key, key_line, &entry);

    if (rc != LASER_OK)
        return rc;
    entry->line = line_of(event);
    if (event->type == YAML_SCALAR_EVENT) {
        entry->is_null = is_null(event);
        /* An absent value ends before the next line begins; the key's line is where it is looked for. */
        if (entry->is_null)
            entry->line = key_line;
        rc = add_item(r, entry, NULL, event);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        rc = read_sequence(r, entry);
    } else {
        rc = read_pairs(r, entry);
    }
    if (rc == LASER_OK && strcmp(entry->key, "version") == 0)
        rc = check_version(r, entry);
    return rc;
}

static int is_section(const char *key)
{
    return *key != '\0' && laser_schema_section_title(key) != NULL;
}

/* "section.name", or name at the top. */
static char *full_key(const char *section, const char *name)
{
    size_t size = strlen(section) + strlen(name) + 2;
    char *key = malloc(size);

    if (key != NULL)
        snprintf(key, size, "%s%s%s", section, *section != '\0' ? "." : "", name);
    return key;
}

static int read_mapping(struct reader *r, const char *section);

/* What follows a key of a section: a section of its own, or a value. */
static int read_after_key(struct reader *r, const char *section, char *name, size_t line)
{
    yaml_event_t event;
    char *key;
    int rc = next(r, &event);

    if (rc != LASER_OK)
        return rc;
    if (*section == '\0' && is_section(name) && event.type == YAML_MAPPING_START_EVENT) {
        rc = read_mapping(r, name);
    } else if (*section == '\0' && is_section(name) && event.type == YAML_SCALAR_EVENT && is_null(&event)) {
        rc = LASER_OK; /* a section with all its keys commented out */
    } else if (*section == '\0' && is_section(name)) {
        rc = complain(r, line_of(&event), name, " is a section: its keys stand below it, indented");
    } else {
        key = full_key(section, name);
        rc = key != NULL ? read_value(r, key, line, &event) : no_memory(r);
    }
    yaml_event_delete(&event);
    return rc;
}

/* Keys up to the end of the mapping; sections do not nest, so neither does this beyond two levels. */
static int read_mapping(struct reader *r, const char *section)
{
    yaml_event_t event;
    int rc, ended = 0;

    do {
        char *name = NULL;
        size_t line;

        rc = next(r, &event);
        if (rc != LASER_OK)
            return rc;
        line = line_of(&event);
        ended = event.type == YAML_MAPPING_END_EVENT;
        if (!ended)
            rc = read_key(r, &event, &name);
        yaml_event_delete(&event);
        if (rc == LASER_OK && !ended)
            rc = read_after_key(r, section, name, line);
        free(name);
    } while (rc == LASER_OK && !ended);
    return rc;
}

/* Stream start, one document (or none), stream end. */
static int read_stream(struct reader *r)
{
    yaml_event_t event;
    int rc = LASER_OK, ended = 0, documents = 0;

    while (rc == LASER_OK && !ended) {
        rc = next(r, &event);
        if (rc != LASER_OK)
            return rc;
        if (event.type == YAML_STREAM_END_EVENT)
            ended = 1;
        else if (event.type == YAML_DOCUMENT_START_EVENT && documents++ > 0)
            rc = complain(r, line_of(&event), "a second document; a deck is one", "");
        else if (event.type == YAML_MAPPING_START_EVENT)
            rc = read_mapping(r, "");
        else if (event.type == YAML_SEQUENCE_START_EVENT ||
                 (event.type == YAML_SCALAR_EVENT && !is_null(&event)))
            rc = complain(r, line_of(&event), "a deck consists of lines like `key: value`", "");
        yaml_event_delete(&event);
    }
    return rc;
}

/* Gives the entry's value to its key. */
static int apply(struct reader *r, struct laser_deck *deck, const struct entry *entry, const char *dir)
{
    char where[512];
    int index = laser_schema_find(entry->key);

    if (strcmp(entry->key, "version") == 0)
        return LASER_OK;
    snprintf(where, sizeof where, "%s:%zu", r->name, index < 0 ? entry->key_line : entry->line);
    if (index < 0)
        return laser_deck_unknown_key(entry->key, where, r->err);
    if (entry->is_null)
        return laser_error_set(r->err, LASER_EUSAGE, where, "%s has no value (\"\" is the empty one)",
                               entry->key);
    /* A list of one may be written as the item alone, an empty one as "". */
    if (!entry->is_list && *entry->items.items[0] == '\0' &&
        laser_value_is_list(laser_schema_keys(&deck->count)[index].type))
        return laser_deck_assign(deck, index, NULL, 0, dir, 0, LASER_DECK_FILE, where, r->err);
    if (entry->is_list && !laser_value_is_list(laser_schema_keys(&deck->count)[index].type))
        return laser_error_set(r->err, LASER_EUSAGE, where, "%s takes one value, not a list", entry->key);
    return laser_deck_assign(deck, index, entry->items.items, entry->items.count, dir, 0, LASER_DECK_FILE,
                             where, r->err);
}

int laser_deck_read_text(struct laser_deck *deck, const char *name, const char *text, size_t size,
                         struct laser_error *err)
{
    struct reader r = {.name = name, .text = text, .size = size, .err = err};
    char *dir = laser_file_directory(name);
    int rc;

    if (dir == NULL || !yaml_parser_initialize(&r.parser)) {
        free(dir);
        return no_memory(&r);
    }
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, size);
    rc = read_stream(&r);
    for (size_t i = 0; rc == LASER_OK && i < r.count; i++)
        rc = apply(&r, deck, &r.entries[i], dir);
    for (size_t i = 0; i < r.count; i++) {
        free(r.entries[i].key);
        laser_texts_free(&r.entries[i].items);
    }
    free(r.entries);
    yaml_parser_delete(&r.parser);
    free(dir);
    return rc;
}

int laser_deck_read_file(struct laser_deck *deck, const char *path, struct laser_error *err)
{
    char *text, *copy = strdup(path);
    size_t size;
    int rc;

    if (copy == NULL)
        return laser_error_set(err, LASER_ENOMEM, path, "no memory for the deck");
    rc = laser_file_read(path, LARGEST_DECK, &text, &size, err);
    if (rc != LASER_OK) {
        free(copy);
        return rc == LASER_EINPUT && err != NULL ? err->code = LASER_EUSAGE : rc;
    }
    rc = laser_deck_read_text(deck, path, text, size, err);
    free(text);
    free(deck->deck_path);
    deck->deck_path = copy;
    return rc;
}
