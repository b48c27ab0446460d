/* What the files of this room share. */
#ifndef LASER_DECK_INTERNAL_H
#define LASER_DECK_INTERNAL_H

#include "deck/deck.h"
#include "deck/schema.h"

/* A value: its items as canonical text (one for a scalar), and what they mean. */
struct laser_deck_value {
    char **items;
    int count;
    struct laser_deck_pair *pairs; /* LASER_TYPE_PAIRS: paths point into items */
    int64_t integer;               /* bool, int, size */
    double real;                   /* real, duration */
    enum laser_deck_origin_kind kind;
    char *origin; /* as laser_deck_origin() tells it */
};

struct laser_deck {
    struct laser_deck_value *values; /* one per key of the schema */
    size_t count;
    char *directory;   /* working directory when it was made: what relative paths mean in a printed deck */
    char **misuse;     /* one string, behind a pointer so that a getter of a const deck can note it */
    char *deck_path;   /* the deck file that was read, or NULL */
    const char **args; /* arguments of the command, pointing into argv */
};

/* ---- texts.c: lists of strings ---- */

struct laser_texts {
    char **items;
    int count, capacity;
};

int laser_texts_add(struct laser_texts *list, const char *text, size_t size); /* 0 without memory */
/* What text means as the value of a key: items between commas, or itself.  0 without memory. */
int laser_texts_read(struct laser_texts *list, enum laser_deck_type type, const char *text);

void laser_texts_free(struct laser_texts *list);

/* Items between commas; "\," is a comma, "" is no item.  0 without memory. */
int laser_texts_split(struct laser_texts *list, const char *text);

/* 1 when word is one of "a|b|c". */
int laser_words_have(const char *words, const char *word);

/* ---- print.c ---- */

/* Parses count items as the key wants them into *value (kind and origin untouched).  dir: directory that
 * relative paths are relative to; NULL leaves them.  LASER_EUSAGE, LASER_ENOMEM. */
int laser_value_parse(const struct laser_deck_key *key, char *const *items, int count, const char *dir,
                      struct laser_deck_value *value, const char *where, struct laser_error *err);
void laser_value_free(struct laser_deck_value *value);

int laser_value_is_list(enum laser_deck_type type);

/* ---- units.c: 1 when text was one ---- */
int laser_units_size(const char *text, int64_t *size_bytes);
int laser_units_duration(const char *text, double *time_s);
void laser_units_size_text(int64_t size_bytes, char text[32]);
void laser_units_duration_text(double time_s, char text[32]);

/* ---- deck.c ---- */

/* Gives a key a value; append adds to the items that it has.  where: FILE:LINE, option or variable. */
int laser_deck_assign(struct laser_deck *deck, int index, char *const *items, int count, const char *dir,
                      int append, enum laser_deck_origin_kind kind, const char *where,
                      struct laser_error *err);

/* LASER_EUSAGE for a key that the schema lacks, with the nearest one that it has. */
int laser_deck_unknown_key(const char *key, const char *where, struct laser_error *err);

/* ---- nearest.c ---- */

/* The best of the words tried so far. */
struct laser_nearest {
    const char *word, *best;
    size_t distance;
};
void laser_nearest_try(struct laser_nearest *nearest, const char *candidate);
void laser_nearest_try_words(struct laser_nearest *nearest, const char *words, char *space, size_t size);

/* ", did you mean X?" into hint, or "" when nothing is near enough.  Returns hint. */
const char *laser_nearest_hint(const struct laser_nearest *nearest, char *hint, size_t size);

/* ---- value.c ---- */
struct laser_text;
void laser_yaml_scalar(struct laser_text *out, const char *text); /* quoted where YAML needs it */

#endif
