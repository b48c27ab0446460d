/* What the files of this module share. */
#ifndef LASER_DECK_INTERNAL_H
#define LASER_DECK_INTERNAL_H

#include "base/text.h"
#include "deck/deck.h"
#include "deck/schema.h"

/* A value: its items as canonical text (one for a scalar), and what they mean. */
struct laser_deck_value {
    char **items;
    int count;
    struct laser_deck_pair *pairs; /* LASER_TYPE_PAIRS: paths point into items */
    int64_t integer;               /* bool, int, size, enum (its enumerator) */
    double real;                   /* real, duration */
    unsigned set;                  /* list of words that are a choice: 1 << enumerator */
    enum laser_deck_origin_kind kind;
    char *origin; /* as laser_deck_origin() tells it */
};

struct laser_deck {
    struct laser_settings settings; /* points into values */
    struct laser_deck_value values[LASER_KEYS];
    char *directory;   /* working directory when it was made: what relative paths mean in a printed deck */
    char *deck_path;   /* the deck file that was read, or NULL */
    const char **args; /* arguments of the command, pointing into argv */
};

/* ---- deck.c ---- */

/* Gives a key a value; append adds to the items that it has.  dir: directory that relative paths are relative
 * to; NULL leaves them.  where: FILE:LINE, option or variable. */
int laser_deck_assign(struct laser_deck *deck, int key, char *const *items, int count, const char *dir,
                      int append, enum laser_deck_origin_kind kind, const char *where,
                      struct laser_error *err);

/* The same from a text as --set takes it. */
int laser_deck_assign_text(struct laser_deck *deck, int key, const char *text, int append,
                           enum laser_deck_origin_kind kind, const char *where, struct laser_error *err);

/* Puts a value in the place of the old one; takes it over.  origin is copied.  0 without memory. */
int laser_deck_put(struct laser_deck *deck, int key, struct laser_deck_value *value,
                   enum laser_deck_origin_kind kind, const char *origin);

/* LASER_EUSAGE for a key that there is not, with the nearest one that there is. */
int laser_deck_unknown_key(const char *key, const char *where, struct laser_error *err);

/* ---- value.c ---- */

int laser_value_is_list(enum laser_deck_type type);

/* Parses count items as the key wants them into *value (kind and origin untouched).  LASER_EUSAGE,
 * LASER_ENOMEM. */
int laser_value_parse(const struct laser_deck_key *key, char *const *items, int count, const char *dir,
                      struct laser_deck_value *value, const char *where, struct laser_error *err);
void laser_value_free(struct laser_deck_value *value);

/* ---- words.c: lists of strings, and near ones ---- */

struct laser_texts {
    char **items;
    int count, capacity;
};

int laser_texts_add(struct laser_texts *list, const char *text, size_t size); /* 0 without memory */
/* What text means as the value of a key: items between commas ("\," is a comma, "" is no item), or itself.  0
 * without memory. */
int laser_texts_read(struct laser_texts *list, enum laser_deck_type type, const char *text);
void laser_texts_free(struct laser_texts *list);

/* Place of the word among "a|b|c", or -1. */
int laser_words_find(const char *words, const char *word);

/* text with ", " for every mark, so that it can be wrapped. */
void laser_words_spread(const char *text, char mark, char *out, size_t size);

/* The best of the words tried so far. */
struct laser_nearest {
    const char *word, *best;
    size_t distance;
};
void laser_nearest_try(struct laser_nearest *nearest, const char *candidate);

/* ", did you mean X?" into hint, or "" when nothing is near enough.  Returns hint. */
const char *laser_nearest_hint(const struct laser_nearest *nearest, char *hint, size_t size);

/* ---- units.c: 1 when text was one ---- */
int laser_units_size(const char *text, int64_t *size_bytes);
int laser_units_duration(const char *text, double *time_s);
void laser_units_size_text(int64_t size_bytes, char text[32]);
void laser_units_duration_text(double time_s, char text[32]);

/* ---- describe.c: a key in plain text ---- */

/* Whether the command, or any (NONE), reads the key. */
int laser_deck_belongs(const struct laser_deck_key *key, enum laser_command command);

enum { LASER_HELP_SIZE = 600 };

/* The help of a key with the forms that end it.  Returns text. */
const char *laser_deck_help_of(const struct laser_deck_key *key, char text[LASER_HELP_SIZE]);

/* Help as a sentence: with a capital and a full stop. */
void laser_deck_sentence(struct laser_text *out, const char *help);

/* Type, choices, range and default of a key; the commands that read it. */
void laser_deck_domain(struct laser_text *out, const struct laser_deck_key *key);
void laser_deck_users(struct laser_text *out, const struct laser_deck_key *key);

#endif
