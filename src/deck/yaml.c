/* Reads a deck: YAML as far as settings need it.  One mapping of keys, sections one level down, a scalar, a
 * list of scalars or (for pairs) a mapping of scalars as value.  Anchors, aliases, tags and further documents
 * are refused: a setting stands where it is read.
 *
 * First all entries are collected, with their lines, then the keys are looked at: a deck of another version
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

/* What the next event may be. */
enum place {
    OUTSIDE,    /* of the deck's mapping */
    KEY,        /* of it or of a section */
    AFTER_KEY,  /* a section or a value */
    ITEM,       /* of a list */
    PAIR,       /* the name of a pair */
    AFTER_PAIR, /* its path */
};

struct reader {
    yaml_parser_t parser;
    const char *name, *text;
    size_t size;
    struct laser_error *err;
    struct entry *entries;
    size_t count;
    enum place place;
    char *section, *word; /* where the reader is, NULL at the top; the key or name that was read last */
    size_t line;          /* of the event, and of the key before it */
    size_t key_line;
    int documents;
};

static int complain_at(struct reader *r, size_t line, const char *what, const char *detail)
{
    char where[512];

    snprintf(where, sizeof where, "%s:%zu", r->name, line);
    return laser_error_set(r->err, LASER_EUSAGE, where, "%s%s", what, detail);
}

static int complain(struct reader *r, const char *what, const char *detail)
{
    return complain_at(r, r->line, what, detail);
}

static int no_memory(struct reader *r)
{
    return laser_error_set(r->err, LASER_ENOMEM, r->name, "no memory for the deck");
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

/* Where and why the parser stopped: of a bad character it knows the offset only. */
static int complain_of_yaml(struct reader *r)
{
    size_t line = 1;

    if (r->parser.error == YAML_MEMORY_ERROR)
        return no_memory(r);
    if (r->parser.error != YAML_READER_ERROR)
        line = r->parser.problem_mark.line + 1;
    else
        for (size_t i = 0; i < r->size && i < r->parser.problem_offset; i++)
            line += r->text[i] == '\n';
    return complain_at(r, line,
                       "not valid YAML: ", r->parser.problem != NULL ? r->parser.problem : "unknown cause");
}

static int is_null(const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;

    return event->type == YAML_SCALAR_EVENT && event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (*value == '\0' || strcmp(value, "~") == 0 || strcmp(value, "null") == 0);
}

/* Adds a scalar to the last entry, with "name=" before it when a name is given. */
static int add_item(struct reader *r, const char *name, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    struct laser_text text = {0};
    int good;

    if (memchr(value, '\0', event->data.scalar.length) != NULL)
        return complain(r, "a NUL character in a value", "");
    laser_text_printf(&text, "%s%s%s", name != NULL ? name : "", name != NULL ? "=" : "", value);
    good = !text.failed && laser_texts_add(&r->entries[r->count - 1].items, text.data, text.size);
    laser_text_free(&text);
    return good ? LASER_OK : no_memory(r);
}

/* The key of a mapping: a scalar without NUL or '='. */
static int take_key(struct reader *r, const yaml_event_t *event, enum place next)
{
    const char *value = (const char *)event->data.scalar.value;

    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.length == 0 ||
        event->data.scalar.length > 200 || strlen(value) != event->data.scalar.length ||
        strchr(value, '=') != NULL)
        return complain(r, "a key has to be a word", "");
    free(r->word);
    r->word = strdup(value);
    r->key_line = r->line;
    r->place = next;
    return r->word != NULL ? LASER_OK : no_memory(r);
}

/* A new entry of the key that was read. */
static int add_entry(struct reader *r)
{
    struct entry *grown;
    struct laser_text key = {0};
    char detail[300];

    laser_text_printf(&key, "%s%s%s", r->section != NULL ? r->section : "", r->section != NULL ? "." : "",
                      r->word);
    grown = key.failed ? NULL : realloc(r->entries, (r->count + 1) * sizeof *grown);
    if (grown == NULL) {
        laser_text_free(&key);
        return no_memory(r);
    }
    r->entries = grown;
    grown[r->count] = (struct entry){.key = key.data, .key_line = r->key_line, .line = r->line};
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(grown[i].key, key.data) == 0) {
            snprintf(detail, sizeof detail, "%s is given twice, before in line %zu", key.data,
                     grown[i].key_line);
            laser_text_free(&key);
            return complain_at(r, r->key_line, detail, "");
        }
    }
    if (r->count == MOST_ENTRIES) {
        laser_text_free(&key);
        return complain_at(r, r->key_line, "more keys than there can be", "");
    }
    r->count++;
    return LASER_OK;
}

static int check_version(struct reader *r)
{
    const struct entry *entry = &r->entries[r->count - 1];
    char expected[120];

    if (strcmp(entry->key, "version") != 0 ||
        (entry->items.count == 1 && !entry->is_list && strcmp(entry->items.items[0], "1") == 0))
        return LASER_OK;
    snprintf(expected, sizeof expected, "%s; this program reads version %d",
             entry->items.count == 1 ? entry->items.items[0] : "not a number", LASER_DECK_VERSION);
    return complain_at(r, entry->line, "the deck's version is ", expected);
}

/* The first event of what follows a key: a section or a value. */
static int take_after_key(struct reader *r, const yaml_event_t *event)
{
    struct entry *entry;
    int rc;

    r->place = KEY;
    if (r->section == NULL && laser_deck_section_title(r->word) != NULL) {
        if (is_null(event))
            return LASER_OK; /* a section with all its keys commented out */
        if (event->type != YAML_MAPPING_START_EVENT)
            return complain(r, r->word, " is a section: its keys stand below it, indented");
        r->section = r->word;
        r->word = NULL;
        return LASER_OK;
    }
    rc = add_entry(r);
    if (rc != LASER_OK)
        return rc;
    entry = &r->entries[r->count - 1];
    if (event->type != YAML_SCALAR_EVENT) {
        entry->is_list = 1;
        r->place = event->type == YAML_SEQUENCE_START_EVENT ? ITEM : PAIR;
        return LASER_OK;
    }
    entry->is_null = is_null(event);
    /* An absent value ends before the next line begins; the key's line is where it is looked for. */
    if (entry->is_null)
        entry->line = r->key_line;
    rc = add_item(r, NULL, event);
    return rc == LASER_OK ? check_version(r) : rc;
}

/* An event outside of the deck's mapping. */
static int take_outside(struct reader *r, const yaml_event_t *event)
{
    if (event->type == YAML_DOCUMENT_START_EVENT && r->documents++ > 0)
        return complain(r, "a second document; a deck is one", "");
    if (event->type == YAML_MAPPING_START_EVENT)
        r->place = KEY;
    else if (event->type == YAML_SEQUENCE_START_EVENT ||
             (event->type == YAML_SCALAR_EVENT && !is_null(event)))
        return complain(r, "a deck consists of lines like `key: value`", "");
    return LASER_OK;
}

static int take(struct reader *r, const yaml_event_t *event)
{
    const char *key = r->count > 0 ? r->entries[r->count - 1].key : ""; /* of a value that is read */
    int is_scalar = event->type == YAML_SCALAR_EVENT;

    switch (r->place) {
    case OUTSIDE:
        return take_outside(r, event);
    case KEY:
        if (event->type != YAML_MAPPING_END_EVENT)
            return take_key(r, event, AFTER_KEY);
        r->place = r->section != NULL ? KEY : OUTSIDE;
        free(r->section);
        r->section = NULL;
        return LASER_OK;
    case AFTER_KEY:
        return take_after_key(r, event);
    case AFTER_PAIR:
        r->place = PAIR;
        return is_scalar ? add_item(r, r->word, event) : complain(r, "nested too deeply, in ", key);
    case ITEM:
        if (is_scalar)
            return add_item(r, NULL, event);
        if (event->type != YAML_SEQUENCE_END_EVENT)
            return complain(r, "a list holds plain values only, in ", key);
        break;
    default:
        if (event->type != YAML_MAPPING_END_EVENT)
            return take_key(r, event, AFTER_PAIR);
    }
    r->place = KEY;
    return check_version(r);
}

static int read_stream(struct reader *r)
{
    yaml_event_t event;
    int rc = LASER_OK, ended = 0;

    while (rc == LASER_OK && !ended) {
        if (!yaml_parser_parse(&r->parser, &event))
            return complain_of_yaml(r);
        r->line = event.start_mark.line + 1;
        ended = event.type == YAML_STREAM_END_EVENT;
        if (has_anchor_or_tag(&event))
            rc = complain(r, "anchors, aliases and tags are not used in decks", "");
        else if (!ended)
            rc = take(r, &event);
        yaml_event_delete(&event);
    }
    return rc;
}

/* Gives the entry's value to its key. */
static int apply(struct reader *r, struct laser_deck *deck, const struct entry *entry, const char *dir)
{
    char where[512];
    int key = laser_deck_find(entry->key), is_list, count = entry->items.count;

    if (strcmp(entry->key, "version") == 0)
        return LASER_OK;
    snprintf(where, sizeof where, "%s:%zu", r->name, key < 0 ? entry->key_line : entry->line);
    if (key < 0)
        return laser_deck_unknown_key(entry->key, where, r->err);
    is_list = laser_value_is_list(laser_deck_keys[key].type);
    if (entry->is_null)
        return laser_error_set(r->err, LASER_EUSAGE, where, "%s has no value (\"\" is the empty one)",
                               entry->key);
    if (entry->is_list && !is_list)
        return laser_error_set(r->err, LASER_EUSAGE, where, "%s takes one value, not a list", entry->key);
    /* A list of one may be written as the item alone, an empty one as "". */
    if (is_list && !entry->is_list && *entry->items.items[0] == '\0')
        count = 0;
    return laser_deck_assign(deck, key, entry->items.items, count, dir, 0, LASER_DECK_FILE, where, r->err);
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
    free(r.section);
    free(r.word);
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
