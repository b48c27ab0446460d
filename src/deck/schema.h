/* The tables that everything about the deck comes from: keys, options that are no keys, commands. */
#ifndef LASER_DECK_SCHEMA_H
#define LASER_DECK_SCHEMA_H

#include <stddef.h>

#include "deck/settings.h"

enum laser_deck_type {
    LASER_TYPE_BOOL,
    LASER_TYPE_INT,
    LASER_TYPE_REAL,
    LASER_TYPE_STRING,
    LASER_TYPE_ENUM,
    LASER_TYPE_WORD,     /* of a table of another module, which looks it up */
    LASER_TYPE_SIZE,     /* bytes: 4GiB, 500MB */
    LASER_TYPE_DURATION, /* 2h30m, 1-12:00:00, seconds */
    LASER_TYPE_PATH,
    LASER_TYPE_MODEL, /* a path if there is something at it, else a hub id */
    LASER_TYPE_LIST,  /* of strings; this one and those below have any number of items */
    LASER_TYPE_PAIRS, /* of name=path */
    LASER_TYPE_TEXTS  /* a list of strings that commas do not cut: one for each option */
};

enum { LASER_DECK_VERSION = 1 };

/* A key, as its row in keys.def says. */
struct laser_deck_key {
    const char *key, *section; /* "section.name" or "name"; its section, "" at the top */
    enum laser_deck_type type;
    size_t offset;       /* of its field in struct laser_settings */
    const char *initial; /* default as text; "" = empty or unset */
    unsigned commands;   /* 1 << enum laser_command of those that read it */
    void (*forms)(int limits, char text[LASER_FORMS_SIZE]); /* ends the help; NULL = it is whole */
    const char *help;                                       /* one sentence, no capital, no full stop */
    const char *words;                                      /* those that it may be, "a|b"; NULL = any */
    const int *ids;                                         /* enumerators of the words; NULL = none */
    double low, high;                                       /* inclusive range of numbers; equal: none */
    int (*check)(const char *item, char expected[LASER_FORMS_SIZE]); /* syntax of each item; NULL = none */
    const char *laserrmt;          /* default under compat: laserrmt; NULL = the same */
    const char *option, *argument; /* long option without dashes, its argument's name; NULL = none */
    char letter;                   /* short form; 0 = none */
    bool matters;                  /* can change results, so it is part of the identity */
};

/* All keys by their numbers, in the order of help and --print-deck; keys of a section stand together. */
extern const struct laser_deck_key laser_deck_keys[LASER_KEYS];

/* Number of a key, or -1. */
int laser_deck_find(const char *key);

/* What the name of a section means to a person; NULL for an unknown one.  "" is the top. */
const char *laser_deck_section_title(const char *section);

/* An option that is no key. */
struct laser_deck_flag {
    const char *option, *argument;
    char letter;
    const char *key, *value; /* sets this key to this value; NULL: handled by itself */
    const char *help;
};
extern const struct laser_deck_flag laser_deck_flags[]; /* the last has no option */

/* A command, as its row in commands.def says; the first is NONE, without a name. */
struct laser_deck_command {
    const char *name, *arguments;
    int min_args, max_args, deck_first;
    const char *brief, *text;
};
extern const struct laser_deck_command laser_deck_commands[LASER_COMMANDS];

/* Syntax checks of items, 1 = good, else expected says what would be. */
int laser_check_threshold(const char *item, char expected[LASER_FORMS_SIZE]);
int laser_check_edit(const char *item, char expected[LASER_FORMS_SIZE]);
int laser_check_layers(const char *item, char expected[LASER_FORMS_SIZE]);
int laser_check_fraction(const char *item, char expected[LASER_FORMS_SIZE]);

#endif
