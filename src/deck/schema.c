/* The tables of the deck: keys (keys.def), options that are no keys, commands, sections. */
#include <stddef.h>
#include <string.h>

#include "deck/internal.h"

/* Sets of commands. */
#define IN(command) (1u << LASER_COMMAND_##command)
#define SCAN_LIKE   (IN(SCAN) | IN(PLAN) | IN(REDUCE) | IN(SENSITIVITY) | IN(COMPRESS))
#define SELECTS     (SCAN_LIKE | IN(DERIVE))
#define EVALUATES                                                                                            \
    (IN(PERPLEXITY) | IN(EVALUATE) | IN(REDUCE) | IN(PLAN) | IN(SENSITIVITY) | IN(COMPRESS) | IN(COMPARE) |  \
     IN(APPLY))
#define ASKS      (IN(EVALUATE) | IN(REDUCE) | IN(PLAN) | IN(SENSITIVITY))
#define REDUCES   (IN(REDUCE) | IN(PLAN))
#define HOLDS_OUT (REDUCES | IN(COMPRESS))
#define PREDICTS  (REDUCES | IN(SENSITIVITY))
#define WORKS     (SCAN_LIKE | IN(PERPLEXITY) | IN(EVALUATE) | IN(APPLY))
#define RUNS      (WORKS | IN(COMPARE))
#define REPORTS                                                                                              \
    (IN(SCAN) | IN(DERIVE) | IN(PERPLEXITY) | IN(EVALUATE) | IN(REDUCE) | IN(SENSITIVITY) | IN(REPORT))
#define WITH_MODEL  (WORKS | IN(EXPORT) | IN(GENERATE) | IN(TOKENIZE))
#define RUNS_MODEL  (EVALUATES | IN(GENERATE))
#define WITH_OUTPUT (REPORTS | IN(COMPRESS) | IN(APPLY) | IN(COMPARE) | IN(EXPORT) | IN(TASK))
#define ALL                                                                                                  \
    (WORKS | IN(DERIVE) | IN(COMPARE) | IN(SHOW) | IN(REPORT) | IN(EXPORT) | IN(GENERATE) | IN(TASK) |       \
     IN(MODELS) | IN(TOKENIZE))
#define EXPORTS (IN(DERIVE) | IN(EXPORT))

/* Types of rows, and their attributes. */
#define TYPE_BOOL             .type = LASER_TYPE_BOOL
#define TYPE_INT              .type = LASER_TYPE_INT
#define TYPE_REAL             .type = LASER_TYPE_REAL
#define TYPE_STRING           .type = LASER_TYPE_STRING
#define TYPE_PATH             .type = LASER_TYPE_PATH
#define TYPE_MODEL            .type = LASER_TYPE_MODEL
#define TYPE_WORD             .type = LASER_TYPE_WORD
#define TYPE_SIZE             .type = LASER_TYPE_SIZE
#define TYPE_DURATION         .type = LASER_TYPE_DURATION
#define TYPE_LIST             .type = LASER_TYPE_LIST
#define TYPE_TEXTS            .type = LASER_TYPE_TEXTS
#define TYPE_PAIRS            .type = LASER_TYPE_PAIRS
#define TYPE_ENUM(tag, words) .type = LASER_TYPE_ENUM, CHOICE(words)
#define TYPE_SET(words)       .type = LASER_TYPE_LIST, CHOICE(words)
#define CHOICE(list)                                                                                         \
    .words = &("" list(LASER_WORD_BAR))[1], .ids = (const int[])                                             \
    {                                                                                                        \
        list(LASER_WORD_ID)                                                                                  \
    }
#define RANGE(from, to)   .low = (double)(from), .high = (double)(to)
#define WORDS(text)       .words = (text)
#define FORMS(function)   .forms = function
#define CHECK(function)   .check = function
#define LASERRMT(text)    .laserrmt = (text)
#define OPTION(name, arg) .option = (name), .argument = (arg)
#define SWITCH(name)      .option = (name)
#define LETTER(c)         .letter = (c)
#define MATTERS           .matters = true

const struct laser_deck_key laser_deck_keys[LASER_KEYS] = {
#define TOP(row, name, value, in, ...)                                                                       \
    {.key = #name,                                                                                           \
     .section = "",                                                                                          \
     TYPE_##row,                                                                                             \
     .offset = offsetof(struct laser_settings, name),                                                        \
     .initial = (value),                                                                                     \
     .commands = (in),                                                                                       \
     .help = __VA_ARGS__},
#define KEY(row, part, name, value, in, ...)                                                                 \
    {.key = #part "." #name,                                                                                 \
     .section = #part,                                                                                       \
     TYPE_##row,                                                                                             \
     .offset = offsetof(struct laser_settings, part.name),                                                   \
     .initial = (value),                                                                                     \
     .commands = (in),                                                                                       \
     .help = __VA_ARGS__},
#include "deck/keys.def"
};

static const struct {
    const char *section, *title;
} sections[] = {
    {"", "What to do"},
#define TOP(...)
#define KEY(...)
#define SECTION(name, words) {#name, words},
#include "deck/keys.def"
};

const struct laser_deck_flag laser_deck_flags[] = {
    {"deck", "FILE", 'd', NULL, NULL, "read this deck (if the arguments of the command are other files)"},
    {"set", "KEY=VALUE", 's', NULL, NULL,
     "set any configuration key, may be repeated; commas separate list items"},
    {"print-deck", NULL, 0, NULL, NULL, "print the effective settings, each with its origin, and exit"},
    {"verbose", NULL, 'v', "log.level", "verbose", "print more"},
    {"quiet", NULL, 'q', "log.level", "quiet", "print only errors and the result"},
    {"help", NULL, 'h', NULL, NULL, "print this help, or that of the command, and exit"},
    {"version", NULL, 'V', NULL, NULL, "print the versions of the program and its libraries and exit"},
    {0},
};

const struct laser_deck_command laser_deck_commands[LASER_COMMANDS] = {
    {"", "[DECK.yaml] [OPTIONS]", 0, 0, 1, NULL, NULL},
#define COMMAND(id, ...) {__VA_ARGS__},
#include "deck/commands.def"
};

int laser_deck_find(const char *key)
{
    for (int i = 0; i < LASER_KEYS; i++)
        if (strcmp(laser_deck_keys[i].key, key) == 0)
            return i;
    return -1;
}

const char *laser_deck_section_title(const char *section)
{
    for (size_t i = 0; i < sizeof sections / sizeof sections[0]; i++)
        if (strcmp(sections[i].section, section) == 0)
            return sections[i].title;
    return NULL;
}

const char *laser_command_name(enum laser_command command)
{
    return laser_deck_commands[command].name;
}

enum laser_command laser_command_find(const char *name)
{
    for (int i = LASER_COMMAND_NONE + 1; i < LASER_COMMANDS; i++)
        if (strcmp(laser_deck_commands[i].name, name) == 0)
            return (enum laser_command)i;
    return LASER_COMMAND_NONE;
}
