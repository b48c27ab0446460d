/* The command line: getopt_long over a table made from the keys and flags. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "deck/internal.h"

/* Values that getopt_long returns: above all letters, the number of a key or flag. */
enum { FIRST_KEY = 1000, FIRST_FLAG = 2000, MOST_OPTIONS = 128 };

struct set_value {
    int key;
    const char *text;
    char where[80];
};

struct command_line {
    struct option options[MOST_OPTIONS];
    char letters[2 * MOST_OPTIONS];
    int of_letter[128]; /* what a letter stands for, as the value of its long option */
    struct set_value *sets;
    size_t nsets;
    const char *deck; /* --deck */
    struct laser_deck_request *request;
};

static void add_option(struct command_line *c, const char *name, const char *argument, char letter, int value)
{
    struct option *o = c->options;

    while (o->name != NULL)
        o++;
    *o = (struct option){name, argument != NULL ? required_argument : no_argument, NULL, value};
    if (letter != 0) {
        c->of_letter[(int)letter] = value;
        snprintf(c->letters + strlen(c->letters), 3, "%c%s", letter, argument != NULL ? ":" : "");
    }
}

/* Leading ':' makes a missing argument tell itself apart from an unknown option. */
static void make_table(struct command_line *c)
{
    const struct laser_deck_flag *flags = laser_deck_flags;

    c->letters[0] = ':';
    for (int i = 0; i < LASER_KEYS; i++) {
        const struct laser_deck_key *key = &laser_deck_keys[i];

        if (key->option != NULL)
            add_option(c, key->option, key->argument, key->letter, FIRST_KEY + i);
    }
    for (int i = 0; flags[i].option != NULL; i++)
        add_option(c, flags[i].option, flags[i].argument, flags[i].letter, FIRST_FLAG + i);
}

static int add_set(struct command_line *c, int key, const char *text, const char *option, const char *more,
                   struct laser_error *err)
{
    struct set_value *grown = realloc(c->sets, (c->nsets + 1) * sizeof *grown);

    if (grown == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for options");
    c->sets = grown;
    grown[c->nsets].key = key;
    grown[c->nsets].text = text;
    snprintf(grown[c->nsets].where, sizeof grown->where, "--%s%s", option, more);
    c->nsets++;
    return LASER_OK;
}

/* --set KEY=VALUE */
static int take_set(struct command_line *c, const char *argument, struct laser_error *err)
{
    const char *equals = strchr(argument, '=');
    char name[80];
    int key;

    if (equals == NULL || equals == argument || (size_t)(equals - argument) >= sizeof name)
        return laser_error_set(err, LASER_EUSAGE, "--set", "\"%s\" is not KEY=VALUE", argument);
    snprintf(name, sizeof name, "%.*s", (int)(equals - argument), argument);
    key = laser_deck_find(name);
    return key < 0 ? laser_deck_unknown_key(name, "--set", err)
                   : add_set(c, key, equals + 1, "set ", name, err);
}

static int take(struct command_line *c, int value, const char *argument, struct laser_error *err)
{
    const struct laser_deck_flag *flag;

    if (value < FIRST_FLAG)
        return add_set(c, value - FIRST_KEY, argument != NULL ? argument : "true",
                       laser_deck_keys[value - FIRST_KEY].option, "", err);
    flag = &laser_deck_flags[value - FIRST_FLAG];
    if (flag->key != NULL)
        return add_set(c, laser_deck_find(flag->key), flag->value, flag->option, "", err);
    if (strcmp(flag->option, "set") == 0)
        return take_set(c, argument, err);
    if (strcmp(flag->option, "deck") == 0)
        c->deck = argument;
    else if (strcmp(flag->option, "print-deck") == 0)
        c->request->print_deck = 1;
    else if (strcmp(flag->option, "help") == 0)
        c->request->help = 1;
    else
        c->request->version = 1;
    return LASER_OK;
}

/* argv[i] was not understood. */
static int complain(struct command_line *c, const char *argument, struct laser_error *err)
{
    struct laser_nearest nearest = {NULL, NULL, 0};
    char name[64], near[128], hint[160];

    if (strncmp(argument, "--", 2) != 0)
        return laser_error_set(err, LASER_EUSAGE, argument, "there is no such option; --help lists them");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(argument + 2, "="), argument + 2);
    nearest.word = name;
    for (struct option *o = c->options; o->name != NULL; o++) {
        laser_nearest_try(&nearest, o->name);
        if (strcmp(o->name, name) == 0)
            return laser_error_set(err, LASER_EUSAGE, argument, "--%s takes no argument", name);
    }
    laser_nearest_hint(&nearest, near, sizeof near);
    snprintf(hint, sizeof hint, *near != '\0' ? ", did you mean --%s?" : "; --help lists them", nearest.best);
    return laser_error_set(err, LASER_EUSAGE, argument, "there is no such option%s", hint);
}

static int scan_options(struct command_line *c, int argc, char **argv, struct laser_error *err)
{
    int rc = LASER_OK, value;

    make_table(c);
    opterr = 0;
    optind = 0; /* glibc: begin anew, whatever was parsed before */
    while (rc == LASER_OK && (value = getopt_long(argc, argv, c->letters, c->options, NULL)) != -1) {
        char letter[3] = {'-', (char)optopt, '\0'};

        if (value == ':')
            rc = laser_error_set(err, LASER_EUSAGE, argv[optind - 1], "this option needs an argument");
        else if (value == '?')
            rc = complain(c, optopt > 0 && optopt < FIRST_KEY ? letter : argv[optind - 1], err);
        else
            rc = take(c, value < FIRST_KEY ? c->of_letter[value] : value, optarg, err);
    }
    return rc;
}

static int ends_in_yaml(const char *name)
{
    size_t n = strlen(name);

    return (n > 5 && strcmp(name + n - 5, ".yaml") == 0) || (n > 4 && strcmp(name + n - 4, ".yml") == 0);
}

static int unknown_command(const char *word, struct laser_error *err)
{
    struct laser_nearest nearest = {word, NULL, 0};
    char hint[128];

    for (int i = LASER_COMMAND_NONE + 1; i < LASER_COMMANDS; i++)
        laser_nearest_try(&nearest, laser_deck_commands[i].name);
    laser_nearest_hint(&nearest, hint, sizeof hint);
    return laser_error_set(err, LASER_EUSAGE, word,
                           "there is no such command (and a deck's name ends in .yaml)%s",
                           *hint != '\0' ? hint : "; --help lists them");
}

/* Sorts what stands beside the options into command, deck and arguments. */
static int sort_words(struct laser_deck *deck, struct command_line *c, int nwords, char **words,
                      struct laser_error *err)
{
    struct laser_deck_request *q = c->request;
    int i = 0;

    if (nwords > 0) {
        q->command = laser_command_find(words[0]);
        if (q->command != LASER_COMMAND_NONE)
            i++;
        else if (!ends_in_yaml(words[0]))
            return unknown_command(words[0], err);
    }
    if (i < nwords && laser_deck_commands[q->command].deck_first &&
        (ends_in_yaml(words[i]) || q->command == LASER_COMMAND_RUN)) {
        if (c->deck != NULL)
            return laser_error_set(err, LASER_EUSAGE, words[i], "a second deck beside --deck %s", c->deck);
        c->deck = words[i++];
    }
    deck->args = calloc((size_t)(nwords - i) + 1, sizeof *deck->args);
    if (deck->args == NULL)
        return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for arguments");
    while (i < nwords)
        deck->args[q->nargs++] = words[i++];
    q->args = deck->args;
    return LASER_OK;
}

static int check_arguments(const struct laser_deck_request *q, struct laser_error *err)
{
    const struct laser_deck_command *c = &laser_deck_commands[q->command];

    if (q->nargs > c->max_args)
        return laser_error_set(err, LASER_EUSAGE, q->args[c->max_args],
                               "one argument too many; usage: laser_mpi %s %s",
                               q->command != LASER_COMMAND_NONE ? c->name : "[COMMAND]", c->arguments);
    if (q->nargs < c->min_args)
        return laser_error_set(err, LASER_EUSAGE, c->name, "an argument is missing; usage: laser_mpi %s %s",
                               c->name, c->arguments);
    return LASER_OK;
}

/* OMP_NUM_THREADS: the outermost level where it is a list of them. */
static int read_openmp(struct laser_deck *deck, struct laser_error *err)
{
    const char *text = getenv("OMP_NUM_THREADS");
    char first[32];
    size_t n;

    if (text == NULL || *text == '\0')
        return LASER_OK;
    n = strcspn(text, ",");
    snprintf(first, sizeof first, "%.*s", (int)(n < sizeof first ? n : sizeof first - 1), text);
    return laser_deck_assign_text(deck, LASER_KEY_parallel_threads, first, 0, LASER_DECK_ENVIRONMENT,
                                  "OMP_NUM_THREADS", err);
}

/* LASER_MPI_SECTION_KEY */
static int read_environment(struct laser_deck *deck, struct laser_error *err)
{
    int rc = LASER_OK;

    for (int i = 0; rc == LASER_OK && i < LASER_KEYS; i++) {
        const char *text;
        char name[64];
        int n = snprintf(name, sizeof name, "LASER_MPI_%s", laser_deck_keys[i].key);

        for (int j = 0; j < n; j++)
            name[j] = name[j] == '.'                     ? '_'
                      : name[j] >= 'a' && name[j] <= 'z' ? (char)(name[j] - 32)
                                                         : name[j];
        text = getenv(name);
        if (text != NULL)
            rc = laser_deck_assign_text(deck, i, text, 0, LASER_DECK_ENVIRONMENT, name, err);
    }
    return rc;
}

/* Options give their keys their values; of a list, the first replaces what the deck says, later ones add. */
static int apply_sets(struct laser_deck *deck, const struct command_line *c, struct laser_error *err)
{
    int rc = LASER_OK;

    for (const struct set_value *s = c->sets; rc == LASER_OK && s < c->sets + c->nsets; s++)
        rc = laser_deck_assign_text(deck, s->key, s->text,
                                    deck->values[s->key].kind == LASER_DECK_COMMAND_LINE,
                                    LASER_DECK_COMMAND_LINE, s->where, err);
    return rc;
}

/* An option that the command would not look at is a mistake. */
static int check_options_belong(const struct command_line *c, enum laser_command command,
                                struct laser_error *err)
{
    const char *name = laser_command_name(command);

    for (size_t i = 0; i < c->nsets; i++)
        if ((laser_deck_keys[c->sets[i].key].commands >> command & 1u) == 0)
            return laser_error_set(err, LASER_EUSAGE, c->sets[i].where,
                                   "%s does not use this option; see laser_mpi %s --help", name, name);
    return LASER_OK;
}

/* The command of the deck's key where the command line named none. */
static int resolve_command(const struct laser_deck *deck, struct laser_deck_request *q,
                           struct laser_error *err)
{
    if (q->command != LASER_COMMAND_NONE && q->command != LASER_COMMAND_RUN)
        return LASER_OK;
    q->command = deck->settings.command;
    if (q->command == LASER_COMMAND_NONE)
        return laser_error_set(
            err, LASER_EUSAGE, q->deck_path,
            "says no command: add `command: scan` (or another), or name it before the deck");
    return LASER_OK;
}

/* The deck's file, the demo's when nothing at all was said. */
static int read_deck(struct laser_deck *deck, const struct command_line *c, const char *demo_path,
                     struct laser_error *err)
{
    struct laser_deck_request *q = c->request;
    const char *path = c->deck;
    int rc;

    if (path == NULL && q->command == LASER_COMMAND_RUN)
        return laser_error_set(err, LASER_EUSAGE, "run",
                               "which deck? usage: laser_mpi run DECK.yaml [OPTIONS]");
    if (path == NULL && q->command == LASER_COMMAND_NONE) {
        for (size_t i = 0; i < c->nsets; i++)
            if (c->sets[i].key == LASER_KEY_model)
                return laser_error_set(err, LASER_EUSAGE, "--model",
                                       "what to do with it? laser_mpi scan, reduce, ...");
        if (demo_path == NULL)
            return laser_error_set(err, LASER_EUSAGE, NULL,
                                   "no command and no deck; --help lists the commands");
        path = demo_path;
        q->is_demo = 1;
    }
    if (path == NULL)
        return LASER_OK;
    rc = laser_deck_read_file(deck, path, err);
    q->deck_path = deck->deck_path;
    return rc;
}

/* "help COMMAND" and "COMMAND --help"; 1 when help or version is all that is wanted. */
static int wants_words_only(struct laser_deck_request *q)
{
    if (q->command == LASER_COMMAND_VERSION)
        q->version = 1;
    if (q->command == LASER_COMMAND_HELP) {
        q->help = 1;
        q->help_command = q->nargs > 0 ? laser_command_find(q->args[0]) : LASER_COMMAND_NONE;
    } else {
        q->help_command = q->command;
    }
    return q->help || q->version;
}

/* Command line, then environment, deck, environment, options: later ones win. */
static int fill(struct laser_deck *deck, struct command_line *c, int nwords, char **words,
                const char *demo_path, struct laser_error *err)
{
    struct laser_deck_request *q = c->request;
    int rc = sort_words(deck, c, nwords, words, err);

    if (rc == LASER_OK && q->command == LASER_COMMAND_HELP && q->nargs > 0 &&
        laser_command_find(q->args[0]) == LASER_COMMAND_NONE)
        rc = unknown_command(q->args[0], err);
    if (rc != LASER_OK || wants_words_only(q))
        return rc;
    rc = check_arguments(q, err);
    if (rc == LASER_OK)
        rc = read_openmp(deck, err);
    if (rc == LASER_OK)
        rc = read_deck(deck, c, demo_path, err);
    if (rc == LASER_OK)
        rc = read_environment(deck, err);
    if (rc == LASER_OK)
        rc = apply_sets(deck, c, err);
    if (rc == LASER_OK)
        rc = resolve_command(deck, q, err);
    if (rc == LASER_OK)
        rc = check_arguments(q, err);
    if (rc == LASER_OK)
        rc = check_options_belong(c, q->command, err);
    return rc == LASER_OK ? laser_deck_resolve(deck, q->command, err) : rc;
}

int laser_deck_from_command_line(struct laser_deck *deck, int argc, char **argv, const char *demo_path,
                                 struct laser_deck_request *request, struct laser_error *err)
{
    struct command_line c = {.request = request};
    int rc;

    memset(request, 0, sizeof *request);
    rc = scan_options(&c, argc, argv, err);
    if (rc == LASER_OK)
        rc = fill(deck, &c, argc - optind, argv + optind, demo_path, err);
    free(c.sets);
    return rc;
}
