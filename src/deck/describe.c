/* What the table of keys says of a key, in plain text: for the help, the man page and the page of settings. */
#include <stdio.h>
#include <string.h>

#include "deck/internal.h"

int laser_deck_belongs(const struct laser_deck_key *key, enum laser_command command)
{
    return command == LASER_COMMAND_NONE || (key->commands >> command & 1u) != 0;
}

const char *laser_deck_help_of(const struct laser_deck_key *key, char text[LASER_HELP_SIZE])
{
    char forms[LASER_FORMS_SIZE] = "";

    if (key->forms != NULL)
        key->forms(0, forms);
    snprintf(text, LASER_HELP_SIZE, "%s%s", key->help, forms);
    return text;
}

void laser_deck_sentence(struct laser_text *out, const char *help)
{
    char first = help[0];
    /* A name (scan.matrices, wikitext2, org/name) keeps its case. */
    int is_word = help[strcspn(help, " .0123456789_/")] == ' ';

    if (is_word && first >= 'a' && first <= 'z')
        first = (char)(first - 32);
    laser_text_fill(out, first, 1);
    laser_text_printf(out, "%s.", help + 1);
}

static void put_spread(struct laser_text *out, const char *list, char mark)
{
    char text[600];

    laser_words_spread(list, mark, text, sizeof text);
    laser_text_puts(out, text);
}

void laser_deck_domain(struct laser_text *out, const struct laser_deck_key *key)
{
    static const char *const names[] = {
        [LASER_TYPE_BOOL] = "true or false", [LASER_TYPE_INT] = "whole number",
        [LASER_TYPE_REAL] = "number",        [LASER_TYPE_STRING] = "text",
        [LASER_TYPE_ENUM] = "one of",        [LASER_TYPE_WORD] = "one of",
        [LASER_TYPE_SIZE] = "size",          [LASER_TYPE_DURATION] = "time",
        [LASER_TYPE_PATH] = "path",          [LASER_TYPE_MODEL] = "path or hub id",
        [LASER_TYPE_LIST] = "list",          [LASER_TYPE_PAIRS] = "names with paths",
        [LASER_TYPE_TEXTS] = "texts",
    };
    int is_list = laser_value_is_list(key->type);

    laser_text_puts(out, names[key->type]);
    if (key->words != NULL) {
        laser_text_puts(out, is_list ? " of " : " ");
        put_spread(out, key->words, '|');
    }
    if (key->type == LASER_TYPE_INT || key->type == LASER_TYPE_REAL)
        laser_text_printf(out, " from %.12g to %.12g", key->low, key->high);
    laser_text_puts(out, "; default ");
    put_spread(out, *key->initial != '\0' ? key->initial : is_list ? "empty" : "unset", is_list ? ',' : '\0');
    if (key->laserrmt != NULL && strcmp(key->laserrmt, key->initial) != 0)
        laser_text_printf(out, ", under compat laserrmt %s", key->laserrmt);
}

void laser_deck_users(struct laser_text *out, const struct laser_deck_key *key)
{
    const char *separator = "Used by ";

    for (int i = LASER_COMMAND_NONE + 1; i < LASER_COMMANDS; i++) {
        if (!laser_deck_belongs(key, (enum laser_command)i))
            continue;
        laser_text_printf(out, "%s%s", separator, laser_deck_commands[i].name);
        separator = ", ";
    }
    laser_text_puts(out, ".");
}
