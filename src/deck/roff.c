/* The man page's lists of options and keys; doc/laser_mpi.1 holds them between two marks. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "deck/internal.h"

/* Text with what roff would take for its own escaped: backslashes, hyphens that are minus signs. */
static void put(struct laser_text *out, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '\\')
            laser_text_puts(out, "\\e");
        else if (*p == '-')
            laser_text_puts(out, "\\-");
        else
            laser_text_fill(out, *p, 1);
    }
}

static void put_option(struct laser_text *out, char letter, const char *option, const char *argument)
{
    laser_text_puts(out, ".TP\n");
    if (letter != 0)
        laser_text_printf(out, "\\fB\\-%c\\fR, ", letter);
    laser_text_puts(out, "\\fB\\-\\-");
    put(out, option);
    laser_text_puts(out, "\\fR");
    if (argument != NULL) {
        laser_text_puts(out, " \\fI");
        put(out, argument);
        laser_text_puts(out, "\\fR");
    }
    laser_text_fill(out, '\n', 1);
}

/* Help as a sentence: a capital first, a full stop last. */
static void put_sentence(struct laser_text *out, const char *help)
{
    char first[2] = {help[0], '\0'};
    /* A name (scan.matrices, wikitext2, org/name) keeps its case. */
    int is_word = help[strcspn(help, " .0123456789_/")] == ' ';

    if (is_word && first[0] >= 'a' && first[0] <= 'z')
        first[0] = (char)(first[0] - 32);
    put(out, first);
    put(out, help + 1);
    laser_text_puts(out, ".\n");
}

static const char *type_name(const struct laser_deck_key *key)
{
    static const char *const names[] = {
        [LASER_TYPE_BOOL] = "true or false",
        [LASER_TYPE_INT] = "whole number",
        [LASER_TYPE_REAL] = "number",
        [LASER_TYPE_STRING] = "text",
        [LASER_TYPE_ENUM] = "one of",
        [LASER_TYPE_SIZE] = "size",
        [LASER_TYPE_DURATION] = "time",
        [LASER_TYPE_PATH] = "path",
        [LASER_TYPE_MODEL] = "path or hub id",
        [LASER_TYPE_LIST] = "list",
        [LASER_TYPE_PAIRS] = "names with paths",
        [LASER_TYPE_TEXTS] = "texts",
    };

    return names[key->type];
}

/* A list with ", " for every mark. */
static void put_list(struct laser_text *out, const char *list, char mark)
{
    for (const char *p = list; *p != '\0'; p++) {
        char c[2] = {*p, '\0'};

        put(out, *p == mark ? ", " : c);
    }
}

/* Type, choices, range and default of a key. */
static void put_domain(struct laser_text *out, const struct laser_deck_key *key)
{
    char range[80];

    put(out, type_name(key));
    if (key->words != NULL) {
        laser_text_puts(out, key->type == LASER_TYPE_LIST ? " of " : " ");
        put_list(out, key->words, '|');
    }
    if (key->type == LASER_TYPE_INT || key->type == LASER_TYPE_REAL) {
        snprintf(range, sizeof range, " from %.12g to %.12g", key->low, key->high);
        put(out, range);
    }
    laser_text_puts(out, "; default ");
    if (*key->initial != '\0')
        put_list(out, key->initial, laser_value_is_list(key->type) ? ',' : '\0');
    else
        put(out, laser_value_is_list(key->type) ? "empty" : "unset");
    if (key->laserrmt != NULL && strcmp(key->laserrmt, key->initial) != 0) {
        laser_text_puts(out, ", under compat laserrmt ");
        put(out, key->laserrmt);
    }
}

static void put_commands(struct laser_text *out, const struct laser_deck_key *key)
{
    const struct laser_deck_command *commands;
    const char *separator = "Used by ";
    size_t count;

    commands = laser_schema_commands(&count);
    for (size_t i = 0; i < count; i++) {
        if ((key->commands >> commands[i].command & 1u) == 0)
            continue;
        laser_text_puts(out, separator);
        put(out, commands[i].name);
        separator = ", ";
    }
    laser_text_puts(out, ".\n");
}

static void put_keys(struct laser_text *out, const struct laser_deck_key *keys, size_t count)
{
    const char *section = NULL;
    char name[40];

    laser_text_puts(out, ".SH DECK KEYS\n");
    for (size_t i = 0; i < count; i++) {
        size_t n = laser_schema_section_length(keys[i].key);

        if (section == NULL || n != laser_schema_section_length(section) ||
            strncmp(section, keys[i].key, n) != 0) {
            snprintf(name, sizeof name, "%.*s", (int)n, keys[i].key);
            laser_text_printf(out, ".SS %s\n", laser_schema_section_title(name));
        }
        section = keys[i].key;
        laser_text_puts(out, ".TP\n\\fB");
        put(out, keys[i].key);
        laser_text_puts(out, "\\fR (");
        put_domain(out, &keys[i]);
        laser_text_puts(out, ")\n");
        put_sentence(out, keys[i].help);
        put_commands(out, &keys[i]);
    }
}

char *laser_deck_roff(void)
{
    const struct laser_deck_flag *flags;
    const struct laser_deck_key *keys;
    struct laser_text out = {0};
    size_t nkeys, nflags;

    keys = laser_schema_keys(&nkeys);
    flags = laser_schema_flags(&nflags);
    laser_text_puts(&out, ".SH OPTIONS\n");
    for (size_t i = 0; i < nflags; i++) {
        put_option(&out, flags[i].letter, flags[i].option, flags[i].argument);
        put_sentence(&out, flags[i].help);
    }
    for (size_t i = 0; i < nkeys; i++) {
        if (keys[i].option == NULL)
            continue;
        put_option(&out, keys[i].letter, keys[i].option, keys[i].argument);
        laser_text_puts(&out, "Sets \\fB");
        put(&out, keys[i].key);
        laser_text_puts(&out, "\\fR: ");
        put(&out, keys[i].help);
        laser_text_puts(&out, ".\n");
    }
    put_keys(&out, keys, nkeys);
    return laser_text_take(&out);
}
