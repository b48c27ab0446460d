#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deck/internal.h"

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the deck");
}

/* Every key that still has its default gets the default's value, or the preset's. */
static int set_defaults(struct laser_deck *deck, int laserrmt, struct laser_error *err)
{
    const struct laser_deck_key *keys = laser_schema_keys(&deck->count);
    enum laser_deck_origin_kind kind = laserrmt ? LASER_DECK_PRESET : LASER_DECK_DEFAULT;
    int rc = LASER_OK;

    for (size_t i = 0; rc == LASER_OK && i < deck->count; i++) {
        const char *initial = laserrmt ? keys[i].laserrmt : keys[i].initial;
        struct laser_texts items = {0};

        if (initial == NULL || deck->values[i].kind != LASER_DECK_DEFAULT)
            continue;
        if (!laser_texts_read(&items, keys[i].type, initial))
            rc = no_memory(err);
        /* An unset string passes no check of its syntax. */
        if (rc == LASER_OK)
            rc = laser_deck_assign(deck, (int)i, items.items, items.count, NULL, 0, kind,
                                   laserrmt ? "compat: laserrmt" : "default", err);
        laser_texts_free(&items);
    }
    return rc;
}

int laser_deck_new(struct laser_deck **deck, struct laser_error *err)
{
    struct laser_deck *d = calloc(1, sizeof *d);
    int rc;

    *deck = NULL;
    if (d == NULL)
        return no_memory(err);
    laser_schema_keys(&d->count);
    d->values = calloc(d->count, sizeof *d->values);
    d->misuse = calloc(1, sizeof *d->misuse);
    d->directory = getcwd(NULL, 0);
    if (d->directory == NULL)
        d->directory = strdup("");
    if (d->values == NULL || d->misuse == NULL || d->directory == NULL) {
        laser_deck_free(d);
        return no_memory(err);
    }
    rc = set_defaults(d, 0, err);
    if (rc != LASER_OK) {
        laser_deck_free(d);
        return rc;
    }
    *deck = d;
    return LASER_OK;
}

void laser_deck_free(struct laser_deck *deck)
{
    if (deck == NULL)
        return;
    for (size_t i = 0; deck->values != NULL && i < deck->count; i++)
        laser_value_free(&deck->values[i]);
    if (deck->misuse != NULL)
        free(*deck->misuse);
    free(deck->misuse);
    free(deck->values);
    free(deck->directory);
    free(deck->deck_path);
    free(deck->args);
    free(deck);
}

static char *origin_text(enum laser_deck_origin_kind kind, const char *where)
{
    static const char *const prefix[] = {
        [LASER_DECK_DEFAULT] = "",
        [LASER_DECK_PRESET] = "preset ",
        [LASER_DECK_ENVIRONMENT] = "environment: ",
        [LASER_DECK_FILE] = "",
        [LASER_DECK_COMMAND_LINE] = "command line: ",
    };
    size_t size = strlen(prefix[kind]) + strlen(where) + 1;
    char *text = malloc(size);

    if (text != NULL)
        snprintf(text, size, "%s%s", prefix[kind], where);
    return text;
}

int laser_deck_assign(struct laser_deck *deck, int index, char *const *items, int count, const char *dir,
                      int append, enum laser_deck_origin_kind kind, const char *where,
                      struct laser_error *err)
{
    const struct laser_deck_key *key = &laser_schema_keys(&deck->count)[index];
    struct laser_deck_value *old = &deck->values[index], fresh;
    char **all = NULL;
    int rc;

    if (append && laser_value_is_list(key->type) && old->count > 0) {
        all = calloc((size_t)old->count + (size_t)count, sizeof *all);
        if (all == NULL)
            return no_memory(err);
        memcpy(all, old->items, (size_t)old->count * sizeof *all);
        memcpy(all + old->count, items, (size_t)count * sizeof *all);
        items = all;
        count += old->count;
    }
    rc = laser_value_parse(key, items, count, dir, &fresh, where, err);
    free(all);
    if (rc != LASER_OK)
        return rc;
    fresh.kind = kind;
    fresh.origin = origin_text(kind, where);
    if (fresh.origin == NULL) {
        laser_value_free(&fresh);
        return no_memory(err);
    }
    laser_value_free(old);
    *old = fresh;
    return LASER_OK;
}

int laser_deck_unknown_key(const char *key, const char *where, struct laser_error *err)
{
    /* "threshold" alone is near to scan.threshold, and so is "perplexity.seqlen" to evaluate.seqlen. */
    const char *dot = strrchr(key, '.'), *last = dot != NULL ? dot + 1 : key;
    struct laser_nearest whole = {key, NULL, 0}, part = {last, NULL, 0};
    const struct laser_deck_key *keys;
    const char *best = NULL;
    char hint[200];
    size_t count;

    keys = laser_schema_keys(&count);
    for (size_t i = 0; i < count; i++) {
        size_t section = laser_schema_section_length(keys[i].key);
        size_t before = part.distance;

        laser_nearest_try(&whole, keys[i].key);
        if (section == 0)
            continue;
        laser_nearest_try(&part, keys[i].key + section + 1);
        if (best == NULL || part.distance < before)
            best = keys[i].key;
    }
    if (part.distance < whole.distance) {
        whole.best = best;
        whole.distance = part.distance;
    }
    laser_nearest_hint(&whole, hint, sizeof hint);
    return laser_error_set(err, LASER_EUSAGE, where, "there is no key \"%s\"%s", key, hint);
}

int laser_deck_set(struct laser_deck *deck, const char *key, const char *text,
                   enum laser_deck_origin_kind kind, const char *where, struct laser_error *err)
{
    int index = laser_schema_find(key), rc;
    struct laser_texts items = {0};
    size_t count;

    if (index < 0)
        return laser_deck_unknown_key(key, where, err);
    if (!laser_texts_read(&items, laser_schema_keys(&count)[index].type, text))
        rc = no_memory(err);
    else
        rc = laser_deck_assign(deck, index, items.items, items.count, NULL, 0, kind, where, err);
    laser_texts_free(&items);
    return rc;
}

/* A cut difference leaves a matrix of full rank. */
static int check_base(const struct laser_deck *deck, enum laser_command command, struct laser_error *err)
{
    int n;
    const char *const *also = laser_deck_list(deck, "reduce.also", &n);

    if ((command != LASER_COMMAND_REDUCE && command != LASER_COMMAND_APPLY) ||
        laser_deck_string(deck, "scan.base")[0] == '\0')
        return LASER_OK;
    for (int i = 0; i < n; ++i)
        if (strcmp(also[i], "factored") == 0)
            return laser_error_set(
                err, LASER_EUSAGE, laser_deck_origin(deck, "reduce.also"),
                "factored: with scan.base a difference is cut, and the matrices keep their "
                "rank; lora is possible");
    return LASER_OK;
}

/* A range check between two keys names the one that is set. */
static int check_together(const struct laser_deck *deck, enum laser_command command, struct laser_error *err)
{
    if (laser_deck_int(deck, "evaluate.stride") > laser_deck_int(deck, "evaluate.seqlen"))
        return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, "evaluate.stride"),
                               "evaluate.stride is %s, expected at most evaluate.seqlen (%s)",
                               laser_deck_string(deck, "evaluate.stride"),
                               laser_deck_string(deck, "evaluate.seqlen"));
    if (command == LASER_COMMAND_REDUCE && laser_deck_is(deck, "reduce.strategy", "budget") &&
        !(laser_deck_real(deck, "reduce.tolerance") > 0.0))
        return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, "reduce.strategy"),
                               "strategy budget needs reduce.tolerance above 0, the loss to put up with");
    return check_base(deck, command, err);
}

/* laserRMT's two scripts have windows of two lengths: rmt_laser.py, which goes backward, has 384 tokens. */
static int set_backward(struct laser_deck *deck, struct laser_error *err)
{
    const int seqlen = laser_schema_find("evaluate.seqlen");

    if (!laser_deck_is(deck, "reduce.strategy", "backward") || deck->values[seqlen].kind > LASER_DECK_PRESET)
        return LASER_OK;
    return laser_deck_set(deck, "evaluate.seqlen", "384", LASER_DECK_PRESET,
                          "compat: laserrmt, strategy backward", err);
}

/* With a text there is a loss to take gradients of. */
static int choose_strategy(struct laser_deck *deck, struct laser_error *err)
{
    const char *objective = laser_deck_string(deck, "evaluate.objective");
    int n;
    int by_text;

    if (laser_deck_is(deck, "reduce.strategy", "auto") && laser_deck_string(deck, "scan.base")[0] != '\0')
        return laser_deck_set(deck, "reduce.strategy", "denoise", LASER_DECK_PRESET,
                              "auto: differences from a base are edited", err);
    laser_deck_pairs(deck, "evaluate.text", &n);
    by_text = n > 0 && (objective[0] == '\0' || strcmp(objective, "perplexity") == 0);
    if (!laser_deck_is(deck, "reduce.strategy", "auto"))
        return LASER_OK;
    return laser_deck_set(deck, "reduce.strategy", by_text ? "tune" : "denoise", LASER_DECK_PRESET,
                          by_text ? "auto: a text is given" : "auto: no text decides", err);
}

int laser_deck_resolve(struct laser_deck *deck, enum laser_command command, struct laser_error *err)
{
    int rc = LASER_OK;

    if (laser_deck_is(deck, "compat", "laserrmt")) {
        rc = set_defaults(deck, 1, err);
        if (rc == LASER_OK && command == LASER_COMMAND_REDUCE)
            rc = set_backward(deck, err);
    }
    if (rc == LASER_OK && (command == LASER_COMMAND_REDUCE || command == LASER_COMMAND_PLAN))
        rc = choose_strategy(deck, err);
    return rc == LASER_OK ? check_together(deck, command, err) : rc;
}
