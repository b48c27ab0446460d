/* The table that everything about the deck comes from: what keys there are, of what type, for which commands.
 */
#ifndef LASER_DECK_SCHEMA_H
#define LASER_DECK_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "deck/deck.h"

enum laser_deck_type {
    LASER_TYPE_BOOL,
    LASER_TYPE_INT,
    LASER_TYPE_REAL,
    LASER_TYPE_STRING,
    LASER_TYPE_ENUM,
    LASER_TYPE_SIZE,     /* bytes: 4GiB, 500MB */
    LASER_TYPE_DURATION, /* 2h30m, 1-12:00:00, seconds */
    LASER_TYPE_PATH,
    LASER_TYPE_MODEL, /* a path if there is something at it, else a hub id */
    LASER_TYPE_LIST,  /* of strings */
    LASER_TYPE_PAIRS, /* of name=path */
    LASER_TYPE_TEXTS  /* a list of strings that commas do not cut: one for each option */
};

enum { LASER_DECK_VERSION = 1 };

/* Commands as a set. */
enum {
    LASER_IN_SCAN = 1 << LASER_COMMAND_SCAN,
    LASER_IN_PLAN = 1 << LASER_COMMAND_PLAN,
    LASER_IN_DERIVE = 1 << LASER_COMMAND_DERIVE,
    LASER_IN_PERPLEXITY = 1 << LASER_COMMAND_PERPLEXITY,
    LASER_IN_EVALUATE = 1 << LASER_COMMAND_EVALUATE,
    LASER_IN_TASK = 1 << LASER_COMMAND_TASK,
    LASER_IN_COMPARE = 1 << LASER_COMMAND_COMPARE,
    LASER_IN_REDUCE = 1 << LASER_COMMAND_REDUCE,
    LASER_IN_APPLY = 1 << LASER_COMMAND_APPLY,
    LASER_IN_SHOW = 1 << LASER_COMMAND_SHOW,
    LASER_IN_REPORT = 1 << LASER_COMMAND_REPORT,
    LASER_IN_EXPORT = 1 << LASER_COMMAND_EXPORT,
    LASER_IN_GENERATE = 1 << LASER_COMMAND_GENERATE,
    LASER_IN_MODELS = 1 << LASER_COMMAND_MODELS,
    LASER_IN_SENSITIVITY = 1 << LASER_COMMAND_SENSITIVITY,
    LASER_IN_COMPRESS = 1 << LASER_COMMAND_COMPRESS
};

/* A key.  Where the words of an enum or list are limited, words names them, separated by '|'. */
struct laser_deck_key {
    const char *key; /* "section.name" or "name" */
    enum laser_deck_type type;
    const char *initial;                                   /* default as text; "" = empty or unset */
    const char *words;                                     /* enum, or list of such words; NULL = any */
    double low, high;                                      /* inclusive range of numbers; low > high: none */
    int (*check)(const char *item, const char **expected); /* syntax of each item; NULL = none */
    const char *laserrmt;          /* default under compat: laserrmt; NULL = the same */
    int matters;                   /* 1: can change results, so it is part of the identity */
    unsigned commands;             /* LASER_IN_* */
    const char *option, *argument; /* long option without dashes, its argument's name; NULL = none */
    char letter;                   /* short form; 0 = none */
    const char *help;              /* one sentence, small first letter, no full stop */
};

/* All keys, in the order of help and --print-deck; keys of a section stand together. */
const struct laser_deck_key *laser_schema_keys(size_t *count);

/* Index of a key, or -1. */
int laser_schema_find(const char *key);

/* A section, what its name means to a person; NULL for an unknown one.  "" is the top. */
const char *laser_schema_section_title(const char *section);

/* Length of the section's name in a key (0 at the top). */
size_t laser_schema_section_length(const char *key);

/* An option that is no key. */
struct laser_deck_flag {
    const char *option, *argument;
    char letter;
    const char *key, *value; /* sets this key to this value; NULL: handled by itself */
    const char *help;
};
const struct laser_deck_flag *laser_schema_flags(size_t *count);

/* A command: how it is called and what it is for. */
struct laser_deck_command {
    enum laser_command command;
    const char *name;
    const char *arguments;  /* as in the usage line */
    int min_args, max_args; /* arguments beside the deck */
    int deck_first;         /* 1: the first argument may be a deck; else a deck comes by --deck */
    const char *brief;      /* for the list of commands */
    const char *text;       /* for its own help */
};
const struct laser_deck_command *laser_schema_commands(size_t *count);
const struct laser_deck_command *laser_schema_command(enum laser_command command); /* NULL for NONE */

/* Syntax checks of items, 1 = good, else *expected says what would be. */
int laser_check_threshold(const char *item, const char **expected);
int laser_check_edit(const char *item, const char **expected);
int laser_check_layers(const char *item, const char **expected);
int laser_check_fraction(const char *item, const char **expected);

#endif
