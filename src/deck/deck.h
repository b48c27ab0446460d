/* The input deck: every setting of a run, from defaults, environment, a YAML file and the command line.
 *
 * One table (keys.def) says what keys there are; struct laser_settings, parsing, options, help, the printed
 * deck and the man page all come from it.  A value's origin is kept: an error or --print-deck can say where it was set.
 *
 * Precedence, lowest first: default, preset (compat: laserrmt), OMP_NUM_THREADS, deck file,
 * LASER_MPI_SECTION_KEY from the environment, command line.
 *
 * Paths: a relative path in a deck is relative to the deck's directory, one from the command line or the
 * environment to the working directory.
 */
#ifndef LASER_DECK_DECK_H
#define LASER_DECK_DECK_H

#include <stddef.h>

#include "base/error.h"
#include "deck/settings.h"

struct laser_deck;

enum laser_deck_origin_kind {
    LASER_DECK_DEFAULT,
    LASER_DECK_PRESET,
    LASER_DECK_ENVIRONMENT,
    LASER_DECK_FILE,
    LASER_DECK_COMMAND_LINE
};

/* What the command line asked for besides values of keys.  Strings belong to the deck. */
struct laser_deck_request {
    enum laser_command command; /* resolved: never NONE or RUN on success */
    const char *deck_path;      /* the deck file that was read; NULL when none was */
    int help;                   /* --help: show help_command's help and stop */
    enum laser_command help_command;
    int version;    /* --version: show it and stop */
    int print_deck; /* --print-deck: show the effective deck and stop */
    int is_demo;    /* neither a command nor a deck was given: the demo's deck was read */
    int nargs;      /* arguments of the command (spectra.h5, directories, plan.yaml) */
    const char *const *args;
};

/* ---- making one ---- */

/* All defaults.  LASER_ENOMEM. */
int laser_deck_new(struct laser_deck **deck, struct laser_error *err);

void laser_deck_free(struct laser_deck *deck); /* NULL is fine */

/* The whole way of a program: reads argv, the environment and the deck file (demo_path when neither a command
 * nor a deck is given; NULL: there is no demo), applies presets and checks values against each other.  Files
 * that values name are not looked at: laser_deck_check_files().
 *
 * LASER_EUSAGE: where = FILE:LINE or the option, text with the nearest valid word.  argv is permuted.  Not
 * thread-safe (getopt).
 */
int laser_deck_from_command_line(struct laser_deck *deck, int argc, char **argv, const char *demo_path,
                                 struct laser_deck_request *request, struct laser_error *err);

/* Reads one deck.  name is used in messages and its directory for relative paths; text need not end in NUL.
 * LASER_EUSAGE (where = name:line), LASER_ENOMEM. */
int laser_deck_read_text(struct laser_deck *deck, const char *name, const char *text, size_t size,
                         struct laser_error *err);
int laser_deck_read_file(struct laser_deck *deck, const char *path, struct laser_error *err);

/* One key from text as --set takes it: lists (but of texts) are comma-separated ("\," is a comma); where as
 * in an error. A relative path stays as it is.  LASER_EUSAGE, LASER_ENOMEM. */
int laser_deck_set(struct laser_deck *deck, const char *key, const char *text,
                   enum laser_deck_origin_kind kind, const char *where, struct laser_error *err);

/* Fills in what compat and a strategy imply and checks values against each other (for a command; NONE:
 * generally). laser_deck_from_command_line() has done it.  LASER_EUSAGE. */
int laser_deck_resolve(struct laser_deck *deck, enum laser_command command, struct laser_error *err);

/* That the model and the texts which the command needs exist (on the rank that calls it).  hint may be NULL;
 * given a data set's name it may return a sentence on where to get it, or NULL.  A model like "org/name" that
 * is no directory is left to the hub cache.  LASER_EUSAGE: where = origin of the value. */
int laser_deck_check_files(const struct laser_deck *deck, enum laser_command command,
                           const char *(*hint)(const char *name), struct laser_error *err);

/* ---- reading it ---- */

/* The values, as they are now: the struct belongs to the deck and follows its changes, texts in it last until
 * their key is set again. */
const struct laser_settings *laser_deck_settings(const struct laser_deck *deck);

/* Whether something other than the default or a preset gave the value. */
bool laser_deck_is_set(const struct laser_deck *deck, enum laser_key key);

/* "default", "preset compat: laserrmt", "inputs/demo.yaml:7", "command line: --threshold", "environment:
 * LASER_MPI_MODEL". */
const char *laser_deck_origin(const struct laser_deck *deck, enum laser_key key);

/* The value as --print-deck shows it, a list's first item. */
const char *laser_deck_value_text(const struct laser_deck *deck, enum laser_key key);

/* ---- rendering: the caller frees; NULL without memory ---- */

/* A valid deck with an origin comment per value: the keys of the command and those that were set (NONE: all).
 * Paths are absolute, so that the text means the same wherever it is stored. */
char *laser_deck_print(const struct laser_deck *deck, enum laser_command command);

/* JSON object with every key of the command, values typed, keys sorted, no blanks.  identity: only the keys
 * that can change results, without paths (the contents of files are hashed by whoever reads them); else
 * everything, as
 * {"key": {"value": ..., "origin": "..."}}, for storing. */
char *laser_deck_json(const struct laser_deck *deck, enum laser_command command, int identity);

/* Help for the program (NONE) or a command, wrapped to width columns. */
char *laser_deck_help(enum laser_command command, int width);

/* The man page's OPTIONS and DECK KEYS sections in roff. */
char *laser_deck_roff(void);

/* doc/settings.md: every option and key. */
char *laser_deck_markdown(void);

/* Scripts that complete commands, options, their choices and keys. */
char *laser_deck_bash(void);
char *laser_deck_zsh(void);

/* ---- sending it ---- */

/* Bytes for another rank of the same program; the caller frees *data.  LASER_ENOMEM. */
int laser_deck_pack(const struct laser_deck *deck, char **data, size_t *size, struct laser_error *err);

/* The deck of laser_deck_pack.  LASER_EINTERNAL when the bytes are not one. */
int laser_deck_unpack(struct laser_deck **deck, const char *data, size_t size, struct laser_error *err);

/* "scan", "plan", ...; "" for NONE.  And back: LASER_COMMAND_NONE for an unknown word. */
const char *laser_command_name(enum laser_command command);
enum laser_command laser_command_find(const char *name);

#endif
