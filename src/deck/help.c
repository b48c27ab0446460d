#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "deck/internal.h"

enum { OPTION_COLUMN = 30 };

/* "  -m, --model DIR" and its help, wrapped beside it. */
static void describe(struct laser_text *out, char letter, const char *option, const char *argument,
                     const char *help, const char *more, int width)
{
    size_t start = out->size, column;

    if (letter != 0)
        laser_text_printf(out, "  -%c, ", letter);
    else
        laser_text_puts(out, "      ");
    laser_text_printf(out, "--%s%s%s", option, argument != NULL ? " " : "", argument != NULL ? argument : "");
    column = out->size - start;
    if (column + 2 > OPTION_COLUMN) {
        laser_text_fill(out, '\n', 1);
        column = 0;
    }
    laser_text_fill(out, ' ', OPTION_COLUMN - column);
    column = laser_text_wrap(out, help, OPTION_COLUMN, OPTION_COLUMN, (size_t)width);
    laser_text_wrap(out, more, OPTION_COLUMN, column, (size_t)width);
    laser_text_fill(out, '\n', 1);
}

/* text with ", " for every mark, so that it can be wrapped. */
static void spread(const char *text, char mark, char *out, size_t size)
{
    size_t n = 0;

    for (; *text != '\0' && n + 3 < size; text++) {
        out[n++] = *text == mark ? ',' : *text;
        if (*text == mark)
            out[n++] = ' ';
    }
    out[n] = '\0';
}

/* " (choices; default ...)" behind a key's help. */
static void key_details(const struct laser_deck_key *key, char *text, size_t size)
{
    char words[160], initial[200];

    spread(key->words != NULL ? key->words : "", '|', words, sizeof words);
    spread(key->initial, laser_value_is_list(key->type) ? ',' : '\0', initial, sizeof initial);
    text[0] = '\0';
    if (*initial != '\0' && *words != '\0')
        snprintf(text, size, " (%s; default %s)", words, initial);
    else if (*words != '\0')
        snprintf(text, size, " (%s)", words);
    else if (*initial != '\0' && key->type != LASER_TYPE_BOOL && strstr(key->help, "0 = ") == NULL)
        snprintf(text, size, " (default %s)", initial);
}

static int belongs(const struct laser_deck_key *key, enum laser_command command)
{
    return command == LASER_COMMAND_NONE || command == LASER_COMMAND_RUN ||
           (key->commands >> command & 1u) != 0;
}

/* The options of a section that the command has, under the section's title. */
static void section_options(struct laser_text *out, const struct laser_deck_key *keys, size_t count,
                            enum laser_command command, int width)
{
    const char *section = NULL;
    char name[40], details[400];

    for (size_t i = 0; i < count; i++) {
        size_t n = laser_schema_section_length(keys[i].key);

        if (!belongs(&keys[i], command) || keys[i].option == NULL)
            continue;
        if (section == NULL || n != laser_schema_section_length(section) ||
            strncmp(section, keys[i].key, n) != 0) {
            snprintf(name, sizeof name, "%.*s", (int)n, keys[i].key);
            laser_text_printf(out, "\n%s:\n", laser_schema_section_title(name));
        }
        section = keys[i].key;
        key_details(&keys[i], details, sizeof details);
        describe(out, keys[i].letter, keys[i].option, keys[i].argument, keys[i].help, details, width);
    }
}

/* Keys that only a deck or --set gives. */
static void other_keys(struct laser_text *out, const struct laser_deck_key *keys, size_t count,
                       enum laser_command command, int width)
{
    char details[400];
    int any = 0;

    for (size_t i = 0; i < count; i++) {
        size_t column;

        if (!belongs(&keys[i], command) || keys[i].option != NULL)
            continue;
        if (!any)
            laser_text_puts(out, "\nIn a deck, or with --set KEY=VALUE:\n");
        any = 1;
        laser_text_printf(out, "  %-*s", OPTION_COLUMN - 2, keys[i].key);
        key_details(&keys[i], details, sizeof details);
        column = laser_text_wrap(out, keys[i].help, OPTION_COLUMN, OPTION_COLUMN, (size_t)width);
        laser_text_wrap(out, details, OPTION_COLUMN, column, (size_t)width);
        laser_text_fill(out, '\n', 1);
    }
}

static void command_list(struct laser_text *out, int width)
{
    const struct laser_deck_command *commands;
    size_t count;

    commands = laser_schema_commands(&count);
    laser_text_puts(out, "\nCommands:\n");
    for (size_t i = 0; i < count; i++) {
        laser_text_printf(out, "  %-12s", commands[i].name);
        laser_text_wrap(out, commands[i].brief, 14, 14, (size_t)width);
        laser_text_fill(out, '\n', 1);
    }
}

static void program_help(struct laser_text *out, int width)
{
    laser_text_puts(out, "Usage: laser_mpi [COMMAND] [DECK.yaml] [OPTIONS] [ARGUMENTS]\n\n");
    laser_text_wrap(
        out,
        "Finds the matrices of a language model that are noisy, reduces their rank, keeps each change only "
        "if "
        "perplexity allows it, and writes the model. Started by mpirun or srun it uses all their ranks; "
        "without any argument it runs the demo.",
        0, 0, (size_t)width);
    laser_text_fill(out, '\n', 1);
    command_list(out, width);
}

static void general_options(struct laser_text *out, int width)
{
    const struct laser_deck_flag *flags;
    size_t count;

    flags = laser_schema_flags(&count);
    laser_text_puts(out, "\nGeneral:\n");
    for (size_t i = 0; i < count; i++)
        describe(out, flags[i].letter, flags[i].option, flags[i].argument, flags[i].help, "", width);
}

char *laser_deck_help(enum laser_command command, int width)
{
    const struct laser_deck_command *c = laser_schema_command(command);
    const struct laser_deck_key *keys;
    struct laser_text out = {0};
    size_t count;

    if (width < 60)
        width = 60;
    if (width > 110)
        width = 110;
    keys = laser_schema_keys(&count);
    if (c == NULL) {
        program_help(&out, width);
    } else {
        laser_text_printf(&out, "Usage: laser_mpi %s %s\n\n", c->name, c->arguments);
        laser_text_wrap(&out, c->text, 0, 0, (size_t)width);
        laser_text_fill(&out, '\n', 1);
    }
    if (command != LASER_COMMAND_VERSION && command != LASER_COMMAND_HELP) {
        section_options(&out, keys, count, command, width);
        if (c != NULL)
            other_keys(&out, keys, count, command, width);
    }
    general_options(&out, width);
    if (c == NULL) {
        laser_text_fill(&out, '\n', 1);
        laser_text_wrap(
            &out,
            "laser_mpi COMMAND --help tells what a command does and lists every key it knows; man "
            "laser_mpi describes decks, files and exit codes.",
            0, 0, (size_t)width);
        laser_text_fill(&out, '\n', 1);
    }
    return laser_text_take(&out);
}
