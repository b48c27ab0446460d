/* Help on the terminal, and the man page's lists of options and keys (doc/laser_mpi.1 holds them between two
 * marks). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deck/internal.h"

enum { OPTION_COLUMN = 30 };

/* ---- help ---- */

/* A help and what is behind it, wrapped beside what stands in the line since start. */
static void describe(struct laser_text *out, size_t start, const char *help, const char *more, int width)
{
    size_t column = out->size - start;

    if (column + 2 > OPTION_COLUMN) {
        laser_text_fill(out, '\n', 1);
        column = 0;
    }
    laser_text_fill(out, ' ', OPTION_COLUMN - column);
    column = laser_text_wrap(out, help, OPTION_COLUMN, OPTION_COLUMN, (size_t)width);
    laser_text_wrap(out, more, OPTION_COLUMN, column, (size_t)width);
    laser_text_fill(out, '\n', 1);
}

/* "  -m, --model DIR" and its help. */
static void describe_option(struct laser_text *out, char letter, const char *option, const char *argument,
                            const char *help, const char *more, int width)
{
    size_t start = out->size;

    if (letter != 0)
        laser_text_printf(out, "  -%c, ", letter);
    else
        laser_text_puts(out, "      ");
    laser_text_printf(out, "--%s%s%s", option, argument != NULL ? " " : "", argument != NULL ? argument : "");
    describe(out, start, help, more, width);
}

/* " (choices; default ...)" behind a key's help. */
static void key_details(const struct laser_deck_key *key, char *text, size_t size)
{
    char words[160], initial[200];

    laser_words_spread(key->words != NULL ? key->words : "", '|', words, sizeof words);
    laser_words_spread(key->initial, laser_value_is_list(key->type) ? ',' : '\0', initial, sizeof initial);
    text[0] = '\0';
    if (*initial != '\0' && *words != '\0')
        snprintf(text, size, " (%s; default %s)", words, initial);
    else if (*words != '\0')
        snprintf(text, size, " (%s)", words);
    else if (*initial != '\0' && key->type != LASER_TYPE_BOOL && strstr(key->help, "0 = ") == NULL)
        snprintf(text, size, " (default %s)", initial);
}

/* The keys of the command that have options, under the titles of their sections, or those that only a deck or
 * --set gives. */
static void describe_keys(struct laser_text *out, enum laser_command command, int with_option, int width)
{
    const char *section = NULL;
    char details[400], help[LASER_HELP_SIZE];

    for (int i = 0; i < LASER_KEYS; i++) {
        const struct laser_deck_key *key = &laser_deck_keys[i];
        size_t start;

        if (!laser_deck_belongs(key, command) || (key->option != NULL) != with_option)
            continue;
        if (section == NULL || (with_option && strcmp(section, key->section) != 0))
            laser_text_printf(out, "\n%s:\n",
                              with_option ? laser_deck_section_title(key->section)
                                          : "In a deck, or with --set KEY=VALUE");
        section = key->section;
        key_details(key, details, sizeof details);
        laser_deck_help_of(key, help);
        start = out->size;
        if (with_option)
            describe_option(out, key->letter, key->option, key->argument, help, details, width);
        else {
            laser_text_printf(out, "  %s", key->key);
            describe(out, start, help, details, width);
        }
    }
}

static void program_help(struct laser_text *out, int width)
{
    laser_text_puts(out, "Usage: laser_mpi [COMMAND] [DECK.yaml] [OPTIONS] [ARGUMENTS]\n\n");
    laser_text_wrap(
        out,
        "Measures how much of a language model's weights is signal and how much is noise, and makes a model that is "
        "better or smaller. mpirun or srun starts it on several ranks. Without any argument it runs the demo.",
        0, 0, (size_t)width);
    laser_text_puts(out, "\n\nCommands:\n");
    for (int i = LASER_COMMAND_NONE + 1; i < LASER_COMMANDS; i++) {
        laser_text_printf(out, "  %-12s", laser_deck_commands[i].name);
        laser_text_wrap(out, laser_deck_commands[i].brief, 14, 14, (size_t)width);
        laser_text_fill(out, '\n', 1);
    }
}

char *laser_deck_help(enum laser_command command, int width)
{
    const struct laser_deck_command *c = &laser_deck_commands[command];
    int whole = command == LASER_COMMAND_NONE, any = whole || command == LASER_COMMAND_RUN;
    struct laser_text out = {0};

    width = width < 60 ? 60 : width > 110 ? 110 : width;
    if (whole) {
        program_help(&out, width);
    } else {
        laser_text_printf(&out, "Usage: laser_mpi %s %s\n\n", c->name, c->arguments);
        laser_text_wrap(&out, c->text, 0, 0, (size_t)width);
        laser_text_fill(&out, '\n', 1);
    }
    if (command != LASER_COMMAND_VERSION && command != LASER_COMMAND_HELP) {
        describe_keys(&out, any ? LASER_COMMAND_NONE : command, 1, width);
        if (!whole)
            describe_keys(&out, any ? LASER_COMMAND_NONE : command, 0, width);
    }
    laser_text_puts(&out, "\nGeneral:\n");
    for (const struct laser_deck_flag *f = laser_deck_flags; f->option != NULL; f++)
        describe_option(&out, f->letter, f->option, f->argument, f->help, "", width);
    if (whole) {
        laser_text_fill(&out, '\n', 1);
        laser_text_wrap(
            &out,
            "laser_mpi COMMAND --help describes a command and lists all of its keys; man laser_mpi describes decks "
            "(configuration files in YAML), output files and exit codes.",
            0, 0, (size_t)width);
        laser_text_fill(&out, '\n', 1);
    }
    return laser_text_take(&out);
}

/* ---- roff ---- */

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

static void put_sentence(struct laser_text *out, const char *help)
{
    struct laser_text plain = {0};
    char *text;

    laser_deck_sentence(&plain, help);
    text = laser_text_take(&plain);
    put(out, text != NULL ? text : "");
    free(text);
    laser_text_fill(out, '\n', 1);
}

/* What a function of describe.c says, so escaped. */
static void put_described(struct laser_text *out,
                          void (*say)(struct laser_text *out, const struct laser_deck_key *key),
                          const struct laser_deck_key *key)
{
    struct laser_text plain = {0};
    char *text;

    say(&plain, key);
    text = laser_text_take(&plain);
    put(out, text != NULL ? text : "");
    free(text);
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

static void say_help(struct laser_text *out, const struct laser_deck_key *key)
{
    char help[LASER_HELP_SIZE];

    laser_deck_sentence(out, laser_deck_help_of(key, help));
}

static void put_key(struct laser_text *out, const struct laser_deck_key *key)
{
    laser_text_puts(out, ".TP\n\\fB");
    put(out, key->key);
    laser_text_puts(out, "\\fR (");
    put_described(out, laser_deck_domain, key);
    laser_text_puts(out, ")\n");
    put_described(out, say_help, key);
    laser_text_puts(out, "\n");
    put_described(out, laser_deck_users, key);
    laser_text_puts(out, "\n");
}

char *laser_deck_roff(void)
{
    const char *section = NULL;
    char help[LASER_HELP_SIZE];
    struct laser_text out = {0};

    laser_text_puts(&out, ".SH OPTIONS\n");
    for (const struct laser_deck_flag *f = laser_deck_flags; f->option != NULL; f++) {
        put_option(&out, f->letter, f->option, f->argument);
        put_sentence(&out, f->help);
    }
    for (const struct laser_deck_key *key = laser_deck_keys; key < laser_deck_keys + LASER_KEYS; key++) {
        if (key->option == NULL)
            continue;
        put_option(&out, key->letter, key->option, key->argument);
        laser_text_puts(&out, "Sets \\fB");
        put(&out, key->key);
        laser_text_puts(&out, "\\fR: ");
        put(&out, laser_deck_help_of(key, help));
        laser_text_puts(&out, ".\n");
    }
    laser_text_puts(&out, ".SH DECK KEYS\n");
    for (const struct laser_deck_key *key = laser_deck_keys; key < laser_deck_keys + LASER_KEYS; key++) {
        if (section == NULL || strcmp(section, key->section) != 0)
            laser_text_printf(&out, ".SS %s\n", laser_deck_section_title(key->section));
        section = key->section;
        put_key(&out, key);
    }
    return laser_text_take(&out);
}
