#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include <utf8proc.h>

#include "base/file.h"
#include "base/number.h"
#include "deck/internal.h"

/* What is being parsed, for its messages. */
struct parsing {
    const struct laser_deck_key *key;
    struct laser_deck_value *value;
    const char *dir, *where;
    struct laser_error *err;
};

int laser_value_is_list(enum laser_deck_type type)
{
    return type >= LASER_TYPE_LIST;
}

void laser_value_free(struct laser_deck_value *value)
{
    for (int i = 0; i < value->count; i++) {
        if (value->pairs != NULL)
            free((char *)value->pairs[i].name);
        free(value->items[i]);
    }
    free(value->pairs);
    free(value->items);
    free(value->origin);
    memset(value, 0, sizeof *value);
}

static int wrong(const struct parsing *p, const char *item, const char *expected)
{
    return laser_error_set(p->err, LASER_EUSAGE, p->where, "%s is \"%s\", expected %s", p->key->key, item,
                           expected);
}

static int is_text(const char *item)
{
    utf8proc_int32_t code;
    utf8proc_ssize_t n;

    for (const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)item; *p != 0; p += n) {
        n = utf8proc_iterate(p, -1, &code);
        if (n <= 0)
            return 0;
    }
    return 1;
}

/* One of the key's words; notes its enumerator. */
static int parse_word(const struct parsing *p, const char *item)
{
    struct laser_nearest nearest = {item, NULL, 0};
    char space[160], hint[200], expected[200], *save = NULL;
    int place = laser_words_find(p->key->words, item);

    if (place >= 0) {
        p->value->integer = p->key->ids != NULL ? p->key->ids[place] : place;
        p->value->set |= 1u << p->value->integer;
        return LASER_OK;
    }
    snprintf(space, sizeof space, "%s", p->key->words);
    for (char *word = strtok_r(space, "|", &save); word != NULL; word = strtok_r(NULL, "|", &save))
        laser_nearest_try(&nearest, word);
    laser_nearest_hint(&nearest, hint, sizeof hint);
    laser_words_spread(p->key->words, '|', expected, sizeof expected);
    return laser_error_set(p->err, LASER_EUSAGE, p->where, "%s is \"%s\", expected one of %s%s", p->key->key,
                           item, expected, hint);
}

static int parse_bool(const char *item, int64_t *value)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(item, words[i]) == 0) {
            *value = (int64_t)(i % 2);
            return 1;
        }
    }
    return 0;
}

static int parse_int(const char *item, int64_t *value)
{
    const char *digits = *item == '-' || *item == '+' ? item + 1 : item;
    size_t n = strspn(digits, "0123456789");

    if (n == 0 || n > 18 || digits[n] != '\0')
        return 0;
    *value = strtoll(item, NULL, 10);
    return 1;
}

static int parse_real(const char *item, double *value)
{
    char *end;

    if (*item == '\0' || item[strspn(item, "0123456789.eE+-")] != '\0')
        return 0;
    *value = strtod(item, &end);
    return *end == '\0' && end != item && isfinite(*value);
}

/* The number of a scalar and its canonical text. */
static int parse_number(const struct parsing *p, const char *item, char text[32])
{
    static const char *const expected[] = {
        [LASER_TYPE_BOOL] = "true or false",
        [LASER_TYPE_INT] = "a whole number",
        [LASER_TYPE_REAL] = "a number",
        [LASER_TYPE_SIZE] = "a size in bytes such as 4GiB or 500MB",
        [LASER_TYPE_DURATION] = "a time such as 2h30m, 90s or 1-12:00:00",
    };
    const struct laser_deck_key *key = p->key;
    struct laser_deck_value *value = p->value;
    int is_whole = key->type != LASER_TYPE_REAL && key->type != LASER_TYPE_DURATION,
        good = key->type == LASER_TYPE_BOOL   ? parse_bool(item, &value->integer)
               : key->type == LASER_TYPE_INT  ? parse_int(item, &value->integer)
               : key->type == LASER_TYPE_SIZE ? laser_units_size(item, &value->integer)
               : key->type == LASER_TYPE_REAL ? parse_real(item, &value->real)
                                              : laser_units_duration(item, &value->real);
    double x = is_whole ? (double)value->integer : value->real;
    char range[160];

    if (!good)
        return wrong(p, item, expected[key->type]);
    if (key->low < key->high && !(x >= key->low && x <= key->high)) {
        snprintf(range, sizeof range, "%s from %.12g to %.12g", expected[key->type], key->low, key->high);
        return wrong(p, item, range);
    }
    if (key->type == LASER_TYPE_BOOL)
        snprintf(text, 32, "%s", value->integer ? "true" : "false");
    else if (key->type == LASER_TYPE_INT)
        snprintf(text, 32, "%lld", (long long)value->integer);
    else if (key->type == LASER_TYPE_SIZE)
        laser_units_size_text(value->integer, text);
    else if (key->type == LASER_TYPE_REAL)
        laser_number_shortest(x, text);
    else
        laser_units_duration_text(x, text);
    return LASER_OK;
}

/* A path in dir; a model in dir only if there is something. */
static char *place_path(enum laser_deck_type type, const char *item, const char *dir)
{
    char *path;

    if (dir == NULL || *item == '\0')
        return strdup(item);
    path = laser_file_join(dir, item);
    if (path == NULL || type != LASER_TYPE_MODEL || access(path, F_OK) == 0)
        return path;
    free(path);
    return strdup(item);
}

/* A name that files, JSON and HDF5 take as it is. */
static int is_name(const char *name, size_t n)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";

    return n > 0 && n <= 64 && strchr("_.-", name[0]) == NULL && strspn(name, letters) >= n;
}

/* "name=path", or a path whose stem is the name, with the path put in dir. */
static int parse_pair(const struct parsing *p, const char *item, int i)
{
    const char *equals = strchr(item, '='), *slash = strrchr(item, '/');
    const char *stem = slash != NULL ? slash + 1 : item, *path = item;
    struct laser_deck_pair *pair = &p->value->pairs[i];
    struct laser_text text = {0};
    size_t n = strcspn(stem, ".");
    char *placed;

    if (equals != NULL && (slash == NULL || equals < strchr(item, '/'))) {
        stem = item;
        n = (size_t)(equals - item);
        path = equals + 1;
    }
    if (!is_name(stem, n) || *path == '\0')
        return wrong(p, item, "NAME=PATH, a name of up to 64 letters, digits, \"_\", \".\" and \"-\"");
    pair->name = strndup(stem, n);
    placed = place_path(LASER_TYPE_PATH, path, p->dir);
    if (pair->name != NULL && placed != NULL)
        laser_text_printf(&text, "%s=%s", pair->name, placed);
    free(placed);
    p->value->items[i] = laser_text_take(&text);
    if (p->value->items[i] == NULL)
        return LASER_OK; /* no memory, as for any item */
    pair->path = p->value->items[i] + n + 1;
    for (int j = 0; j < i; j++)
        if (strcmp(p->value->pairs[j].name, pair->name) == 0)
            return laser_error_set(p->err, LASER_EUSAGE, p->where, "%s has two entries named %s", p->key->key,
                                   pair->name);
    return LASER_OK;
}

static int parse_item(const struct parsing *p, const char *item, int i)
{
    const struct laser_deck_key *key = p->key;
    char text[32], expected[LASER_FORMS_SIZE];
    int rc = LASER_OK;

    switch (key->type) {
    case LASER_TYPE_BOOL:
    case LASER_TYPE_INT:
    case LASER_TYPE_REAL:
    case LASER_TYPE_SIZE:
    case LASER_TYPE_DURATION:
        rc = parse_number(p, item, text);
        item = text;
        break;
    case LASER_TYPE_PAIRS:
        rc = parse_pair(p, item, i);
        item = NULL;
        break;
    case LASER_TYPE_PATH:
    case LASER_TYPE_MODEL:
        p->value->items[i] = place_path(key->type, item, p->dir);
        item = NULL;
        break;
    default:
        if (laser_value_is_list(key->type) && *item == '\0')
            rc = wrong(p, item, "no empty items");
        else if (key->words != NULL && (*item != '\0' || *key->initial != '\0'))
            rc = parse_word(p, item);
        else if (key->check != NULL && !key->check(item, expected))
            rc = wrong(p, item, expected);
    }
    if (rc == LASER_OK && item != NULL)
        p->value->items[i] = strdup(item);
    return rc != LASER_OK || p->value->items[i] != NULL
               ? rc
               : laser_error_set(p->err, LASER_ENOMEM, p->where, "no memory for a value of the deck");
}

int laser_value_parse(const struct laser_deck_key *key, char *const *items, int count, const char *dir,
                      struct laser_deck_value *value, const char *where, struct laser_error *err)
{
    struct parsing p = {key, value, dir, where, err};
    int rc = LASER_OK;

    memset(value, 0, sizeof *value);
    if (!laser_value_is_list(key->type) && count != 1)
        return laser_error_set(err, LASER_EUSAGE, where, "%s takes one value, not a list of %d", key->key,
                               count);
    for (int i = 0; i < count; i++)
        if (!is_text(items[i]))
            return laser_error_set(err, LASER_EUSAGE, where, "%s is not valid UTF-8", key->key);
    value->items = calloc((size_t)count + 1, sizeof *value->items);
    if (key->type == LASER_TYPE_PAIRS)
        value->pairs = calloc((size_t)count + 1, sizeof *value->pairs);
    if (value->items == NULL || (key->type == LASER_TYPE_PAIRS && value->pairs == NULL))
        rc = laser_error_set(err, LASER_ENOMEM, where, "no memory for a value of the deck");
    else
        value->count = count;
    for (int i = 0; rc == LASER_OK && i < count; i++)
        rc = parse_item(&p, items[i], i);
    if (rc != LASER_OK)
        laser_value_free(value);
    return rc;
}
