#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "deck/internal.h"

static int no_memory(struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, NULL, "no memory for the deck");
}

/* Every key that still has its default gets the default's value, or the preset's. */
static int set_defaults(struct laser_deck *deck, int laserrmt, struct laser_error *err)
{
    int rc = LASER_OK;

    for (int i = 0; rc == LASER_OK && i < LASER_KEYS; i++) {
        const struct laser_deck_key *key = &laser_deck_keys[i];
        const char *initial = laserrmt ? key->laserrmt : key->initial;

        if (initial != NULL && deck->values[i].kind == LASER_DECK_DEFAULT)
            rc =
                laser_deck_assign_text(deck, i, initial, 0, laserrmt ? LASER_DECK_PRESET : LASER_DECK_DEFAULT,
                                       laserrmt ? "compat: laserrmt" : "default", err);
    }
    return rc;
}

int laser_deck_new(struct laser_deck **deck, struct laser_error *err)
{
    struct laser_deck *d = calloc(1, sizeof *d);
    int rc = LASER_OK;

    *deck = NULL;
    if (d == NULL)
        return no_memory(err);
    d->directory = getcwd(NULL, 0);
    if (d->directory == NULL)
        d->directory = strdup("");
    rc = d->directory != NULL ? set_defaults(d, 0, err) : no_memory(err);
    if (rc == LASER_OK)
        *deck = d;
    else
        laser_deck_free(d);
    return rc;
}

void laser_deck_free(struct laser_deck *deck)
{
    if (deck == NULL)
        return;
    for (int i = 0; i < LASER_KEYS; i++)
        laser_value_free(&deck->values[i]);
    free(deck->directory);
    free(deck->deck_path);
    free(deck->args);
    free(deck);
}

/* ---- reading ---- */

const struct laser_settings *laser_deck_settings(const struct laser_deck *deck)
{
    return &deck->settings;
}

bool laser_deck_is_set(const struct laser_deck *deck, enum laser_key key)
{
    return deck->values[key].kind > LASER_DECK_PRESET;
}

const char *laser_deck_origin(const struct laser_deck *deck, enum laser_key key)
{
    return deck->values[key].origin;
}

const char *laser_deck_value_text(const struct laser_deck *deck, enum laser_key key)
{
    return deck->values[key].count > 0 ? deck->values[key].items[0] : "";
}

/* ---- setting ---- */

/* The field of struct laser_settings that the key's row has. */
static void fill_field(struct laser_settings *settings, const struct laser_deck_key *key,
                       const struct laser_deck_value *value)
{
    void *field = (char *)settings + key->offset;
    int id = (int)value->integer;

    switch (key->type) {
    case LASER_TYPE_BOOL:
        *(bool *)field = value->integer != 0;
        break;
    case LASER_TYPE_INT:
    case LASER_TYPE_SIZE:
        *(int64_t *)field = value->integer;
        break;
    case LASER_TYPE_REAL:
    case LASER_TYPE_DURATION:
        *(double *)field = value->real;
        break;
    case LASER_TYPE_ENUM:
        memcpy(field, &id, sizeof id); /* an enum of whatever tag */
        break;
    case LASER_TYPE_LIST:
    case LASER_TYPE_TEXTS:
        *(struct laser_deck_list *)field =
            (struct laser_deck_list){(const char *const *)value->items, value->count, value->set};
        break;
    case LASER_TYPE_PAIRS:
        *(struct laser_deck_pairs *)field = (struct laser_deck_pairs){value->pairs, value->count};
        break;
    default:
        *(const char **)field = value->items[0];
    }
}

int laser_deck_put(struct laser_deck *deck, int key, struct laser_deck_value *value,
                   enum laser_deck_origin_kind kind, const char *origin)
{
    value->kind = kind;
    value->origin = strdup(origin);
    if (value->origin == NULL) {
        laser_value_free(value);
        return 0;
    }
    laser_value_free(&deck->values[key]);
    deck->values[key] = *value;
    fill_field(&deck->settings, &laser_deck_keys[key], value);
    return 1;
}

int laser_deck_assign(struct laser_deck *deck, int key, char *const *items, int count, const char *dir,
                      int append, enum laser_deck_origin_kind kind, const char *where,
                      struct laser_error *err)
{
    static const char *const before[] = {[LASER_DECK_DEFAULT] = "",
                                         [LASER_DECK_PRESET] = "preset ",
                                         [LASER_DECK_ENVIRONMENT] = "environment: ",
                                         [LASER_DECK_FILE] = "",
                                         [LASER_DECK_COMMAND_LINE] = "command line: "};
    const struct laser_deck_value *old = &deck->values[key];
    struct laser_deck_value fresh;
    struct laser_text origin = {0};
    char **all = NULL;
    int rc;

    if (append && laser_value_is_list(laser_deck_keys[key].type) && old->count > 0) {
        all = calloc((size_t)old->count + (size_t)count, sizeof *all);
        if (all == NULL)
            return no_memory(err);
        memcpy(all, old->items, (size_t)old->count * sizeof *all);
        memcpy(all + old->count, items, (size_t)count * sizeof *all);
        items = all;
        count += old->count;
    }
    rc = laser_value_parse(&laser_deck_keys[key], items, count, dir, &fresh, where, err);
    free(all);
    if (rc != LASER_OK)
        return rc;
    laser_text_printf(&origin, "%s%s", before[kind], where);
    if (!laser_deck_put(deck, key, &fresh, kind, origin.failed ? "" : origin.data) || origin.failed)
        rc = no_memory(err);
    laser_text_free(&origin);
    return rc;
}

int laser_deck_assign_text(struct laser_deck *deck, int key, const char *text, int append,
                           enum laser_deck_origin_kind kind, const char *where, struct laser_error *err)
{
    struct laser_texts items = {0};
    int rc = laser_texts_read(&items, laser_deck_keys[key].type, text)
                 ? laser_deck_assign(deck, key, items.items, items.count, NULL, append, kind, where, err)
                 : no_memory(err);

    laser_texts_free(&items);
    return rc;
}

int laser_deck_set(struct laser_deck *deck, const char *key, const char *text,
                   enum laser_deck_origin_kind kind, const char *where, struct laser_error *err)
{
    int index = laser_deck_find(key);

    return index < 0 ? laser_deck_unknown_key(key, where, err)
                     : laser_deck_assign_text(deck, index, text, 0, kind, where, err);
}

int laser_deck_unknown_key(const char *key, const char *where, struct laser_error *err)
{
    /* "threshold" alone is near to scan.threshold, and so is "perplexity.seqlen" to evaluate.seqlen. */
    const char *dot = strrchr(key, '.'), *best = NULL;
    struct laser_nearest whole = {key, NULL, 0}, part = {dot != NULL ? dot + 1 : key, NULL, 0};
    char hint[200];

    for (int i = 0; i < LASER_KEYS; i++) {
        const char *candidate = laser_deck_keys[i].key;
        size_t before = part.distance;

        laser_nearest_try(&whole, candidate);
        if (*laser_deck_keys[i].section == '\0')
            continue;
        laser_nearest_try(&part, strchr(candidate, '.') + 1);
        if (best == NULL || part.distance < before)
            best = candidate;
    }
    if (part.distance < whole.distance) {
        whole.best = best;
        whole.distance = part.distance;
    }
    laser_nearest_hint(&whole, hint, sizeof hint);
    return laser_error_set(err, LASER_EUSAGE, where, "there is no key \"%s\"%s", key, hint);
}

/* ---- what settings imply ---- */

/* A cut difference leaves a matrix of full rank. */
static int check_base(const struct laser_deck *deck, enum laser_command command, struct laser_error *err)
{
    const struct laser_settings *s = &deck->settings;

    if ((command != LASER_COMMAND_REDUCE && command != LASER_COMMAND_APPLY) || s->scan.base[0] == '\0' ||
        (s->reduce.also.set >> LASER_DECK_ALSO_FACTORED & 1u) == 0)
        return LASER_OK;
    return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, LASER_KEY_reduce_also),
                           "factored: with scan.base a difference is cut, and the matrices keep their "
                           "rank; lora is possible");
}

/* A range check between two keys names the one that is set. */
static int check_together(const struct laser_deck *deck, enum laser_command command, struct laser_error *err)
{
    const struct laser_settings *s = &deck->settings;

    if (s->evaluate.stride > s->evaluate.seqlen)
        return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, LASER_KEY_evaluate_stride),
                               "evaluate.stride is %lld, expected at most evaluate.seqlen (%lld)",
                               (long long)s->evaluate.stride, (long long)s->evaluate.seqlen);
    if (command == LASER_COMMAND_REDUCE && s->reduce.strategy == LASER_STRATEGY_BUDGET &&
        !(s->reduce.tolerance > 0.0))
        return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, LASER_KEY_reduce_strategy),
                               "strategy budget needs reduce.tolerance above 0, the loss to put up with");
    return check_base(deck, command, err);
}

/* laserRMT's two scripts have windows of two lengths: rmt_laser.py, which goes backward, has 384 tokens. */
static int set_backward(struct laser_deck *deck, struct laser_error *err)
{
    if (deck->settings.reduce.strategy != LASER_STRATEGY_BACKWARD ||
        laser_deck_is_set(deck, LASER_KEY_evaluate_seqlen))
        return LASER_OK;
    return laser_deck_assign_text(deck, LASER_KEY_evaluate_seqlen, "384", 0, LASER_DECK_PRESET,
                                  "compat: laserrmt, strategy backward", err);
}

/* With a text there is a loss to take gradients of. */
static int choose_strategy(struct laser_deck *deck, struct laser_error *err)
{
    const char *objective = deck->settings.evaluate.objective;
    bool by_text = deck->settings.evaluate.text.count > 0 &&
                   (objective[0] == '\0' || strcmp(objective, "perplexity") == 0);

    if (deck->settings.reduce.strategy != LASER_STRATEGY_AUTO)
        return LASER_OK;
    if (deck->settings.scan.base[0] != '\0')
        return laser_deck_assign_text(deck, LASER_KEY_reduce_strategy, "denoise", 0, LASER_DECK_PRESET,
                                      "auto: differences from a base are edited", err);
    return laser_deck_assign_text(deck, LASER_KEY_reduce_strategy, by_text ? "tune" : "denoise", 0,
                                  LASER_DECK_PRESET,
                                  by_text ? "auto: a text is given" : "auto: no text decides", err);
}

int laser_deck_resolve(struct laser_deck *deck, enum laser_command command, struct laser_error *err)
{
    int rc = LASER_OK;

    if (deck->settings.compat == LASER_DECK_COMPAT_LASERRMT) {
        rc = set_defaults(deck, 1, err);
        if (rc == LASER_OK && command == LASER_COMMAND_REDUCE)
            rc = set_backward(deck, err);
    }
    if (rc == LASER_OK && (command == LASER_COMMAND_REDUCE || command == LASER_COMMAND_PLAN))
        rc = choose_strategy(deck, err);
    return rc == LASER_OK ? check_together(deck, command, err) : rc;
}

/* ---- files that values name ---- */

/* "org/name": one slash, nothing that a relative path would begin with. */
static int is_hub_id(const char *model)
{
    const char *slash = strchr(model, '/');

    return slash != NULL && slash != model && slash[1] != '\0' && strchr(slash + 1, '/') == NULL &&
           *model != '.' && *model != '~';
}

static int check_model(const struct laser_deck *deck, enum laser_command command, struct laser_error *err)
{
    const char *model = deck->settings.model;
    struct stat info;

    if (*model == '\0')
        return laser_error_set(err, LASER_EUSAGE, laser_command_name(command),
                               "which model? give --model DIR, or `model:` in a deck");
    if (stat(model, &info) == 0 || is_hub_id(model))
        return LASER_OK;
    return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, LASER_KEY_model), "model is \"%s\": %s",
                           model, strerror(errno));
}

static int check_texts(const struct laser_deck *deck, enum laser_command command,
                       const char *(*hint)(const char *name), struct laser_error *err)
{
    const struct laser_deck_pairs *texts = &deck->settings.evaluate.text;
    struct stat info;

    if (texts->count == 0 && deck->settings.evaluate.task.count == 0 && command != LASER_COMMAND_PLAN)
        return laser_error_set(err, LASER_EUSAGE, laser_command_name(command),
                               "which text? give --text NAME=PATH, or `text:` in a deck's evaluate section");
    for (int i = 0; i < texts->count; i++) {
        const struct laser_deck_pair *text = &texts->items[i];
        const char *cause = NULL, *more = hint != NULL ? hint(text->name) : NULL;

        if (stat(text->path, &info) != 0)
            cause = strerror(errno);
        else if (S_ISDIR(info.st_mode))
            cause = "is a directory, a text is a file";
        if (cause != NULL)
            return laser_error_set(err, LASER_EUSAGE, laser_deck_origin(deck, LASER_KEY_evaluate_text),
                                   "text %s is \"%s\": %s%s%s", text->name, text->path, cause,
                                   more != NULL ? ". " : "", more != NULL ? more : "");
    }
    return LASER_OK;
}

int laser_deck_check_files(const struct laser_deck *deck, enum laser_command command,
                           const char *(*hint)(const char *name), struct laser_error *err)
{
    int rc = LASER_OK;

    if ((laser_deck_keys[LASER_KEY_model].commands >> command & 1u) != 0)
        rc = check_model(deck, command, err);
    if (rc == LASER_OK && (laser_deck_keys[LASER_KEY_evaluate_text].commands >> command & 1u) != 0)
        rc = check_texts(deck, command, hint, err);
    return rc;
}
