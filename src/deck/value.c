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

int laser_value_is_list(enum laser_deck_type type)
{
    return type == LASER_TYPE_LIST || type == LASER_TYPE_PAIRS || type == LASER_TYPE_TEXTS;
}

void laser_value_free(struct laser_deck_value *value)
{
    if (value->pairs != NULL)
        for (int i = 0; i < value->count; i++)
            free((char *)value->pairs[i].name);
    free(value->pairs);
    for (int i = 0; i < value->count; i++)
        free(value->items[i]);
    free(value->items);
    free(value->origin);
    memset(value, 0, sizeof *value);
}

static int wrong(const struct laser_deck_key *key, const char *item, const char *expected, const char *where,
                 struct laser_error *err)
{
    return laser_error_set(err, LASER_EUSAGE, where, "%s is \"%s\", expected %s", key->key, item, expected);
}

static int no_memory(const char *where, struct laser_error *err)
{
    return laser_error_set(err, LASER_ENOMEM, where, "no memory for a value of the deck");
}

static int is_text(const char *item)
{
    utf8proc_int32_t code;

    for (const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)item; *p != 0;) {
        utf8proc_ssize_t n = utf8proc_iterate(p, -1, &code);

        if (n <= 0)
            return 0;
        p += n;
    }
    return 1;
}

static int check_word(const struct laser_deck_key *key, const char *item, const char *where,
                      struct laser_error *err)
{
    struct laser_nearest nearest = {item, NULL, 0};
    char space[160], hint[200], expected[200];
    size_t n = 0;

    if (laser_words_have(key->words, item))
        return LASER_OK;
    laser_nearest_try_words(&nearest, key->words, space, sizeof space);
    laser_nearest_hint(&nearest, hint, sizeof hint);
    for (const char *p = key->words; *p != '\0' && n + 3 < sizeof expected; p++) {
        if (*p == '|') {
            expected[n++] = ',';
            expected[n++] = ' ';
        } else {
            expected[n++] = *p;
        }
    }
    expected[n] = '\0';
    return laser_error_set(err, LASER_EUSAGE, where, "%s is \"%s\", expected one of %s%s", key->key, item,
                           expected, hint);
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
static int parse_number(const struct laser_deck_key *key, const char *item, struct laser_deck_value *value,
                        char text[32], const char *where, struct laser_error *err)
{
    static const char *const expected[] = {
        [LASER_TYPE_INT] = "a whole number",
        [LASER_TYPE_REAL] = "a number",
        [LASER_TYPE_SIZE] = "a size in bytes such as 4GiB or 500MB",
        [LASER_TYPE_DURATION] = "a time such as 2h30m, 90s or 1-12:00:00",
    };
    char low[32], high[32], range[96];
    int good = 0;
    double x = 0.0;

    if (key->type == LASER_TYPE_INT) {
        good = parse_int(item, &value->integer);
        x = (double)value->integer;
        snprintf(text, 32, "%lld", (long long)value->integer);
    } else if (key->type == LASER_TYPE_SIZE) {
        good = laser_units_size(item, &value->integer);
        x = (double)value->integer;
        laser_units_size_text(value->integer, text);
    } else if (key->type == LASER_TYPE_DURATION) {
        good = laser_units_duration(item, &value->real);
        x = value->real;
    } else {
        good = parse_real(item, &value->real);
        x = value->real;
        laser_number_shortest(x, text);
    }
    if (!good)
        return wrong(key, item, expected[key->type], where, err);
    if (key->low <= key->high && !(x >= key->low && x <= key->high)) {
        snprintf(low, sizeof low, "%.12g", key->low);
        snprintf(high, sizeof high, "%.12g", key->high);
        snprintf(range, sizeof range, "%s from %s to %s", expected[key->type], low, high);
        return wrong(key, item, range, where, err);
    }
    if (key->type == LASER_TYPE_DURATION)
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

static int parse_scalar(const struct laser_deck_key *key, const char *item, const char *dir,
                        struct laser_deck_value *value, const char *where, struct laser_error *err)
{
    char text[32] = "";
    const char *expected = NULL;
    int rc = LASER_OK;

    switch (key->type) {
    case LASER_TYPE_BOOL:
        if (!parse_bool(item, &value->integer))
            return wrong(key, item, "true or false", where, err);
        value->items[0] = strdup(value->integer ? "true" : "false");
        break;
    case LASER_TYPE_INT:
    case LASER_TYPE_REAL:
    case LASER_TYPE_SIZE:
    case LASER_TYPE_DURATION:
        rc = parse_number(key, item, value, text, where, err);
        if (rc != LASER_OK)
            return rc;
        value->items[0] = strdup(text);
        break;
    case LASER_TYPE_ENUM:
        if (*item != '\0' || *key->initial != '\0')
            rc = check_word(key, item, where, err);
        if (rc != LASER_OK)
            return rc;
        value->items[0] = strdup(item);
        break;
    case LASER_TYPE_PATH:
    case LASER_TYPE_MODEL:
        value->items[0] = place_path(key->type, item, dir);
        break;
    default:
        if (key->check != NULL && !key->check(item, &expected))
            return wrong(key, item, expected, where, err);
        value->items[0] = strdup(item);
        break;
    }
    return value->items[0] != NULL ? LASER_OK : no_memory(where, err);
}

/* A name that files, JSON and HDF5 take as it is. */
static int is_name(const char *name, size_t n)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
                      rest[] = "_.-";

    if (n == 0 || n > 64 || strchr(rest, name[0]) != NULL)
        return 0;
    for (size_t i = 0; i < n; i++)
        if (strchr(first, name[i]) == NULL && strchr(rest, name[i]) == NULL)
            return 0;
    return 1;
}

/* "name=path", or a path whose stem is the name, with the path put in dir. */
static int parse_pair(const struct laser_deck_key *key, const char *item, const char *dir,
                      struct laser_deck_value *value, int i, const char *where, struct laser_error *err)
{
    const char *equals = strchr(item, '='), *slash = strrchr(item, '/');
    const char *stem = slash != NULL ? slash + 1 : item, *path = item;
    size_t nname = strcspn(stem, "."), npath;
    char *placed, *name;

    if (equals != NULL && (slash == NULL || equals < strchr(item, '/'))) {
        stem = item;
        nname = (size_t)(equals - item);
        path = equals + 1;
    }
    if (!is_name(stem, nname) || *path == '\0')
        return wrong(key, item, "NAME=PATH, a name of up to 64 letters, digits, \"_\", \".\" and \"-\"",
                     where, err);
    name = strndup(stem, nname);
    placed = place_path(LASER_TYPE_PATH, path, dir);
    if (name != NULL && placed != NULL) {
        npath = strlen(placed);
        value->items[i] = malloc(nname + npath + 2);
        if (value->items[i] != NULL) {
            snprintf(value->items[i], nname + npath + 2, "%s=%s", name, placed);
            value->pairs[i].path = value->items[i] + nname + 1;
        }
    }
    free(placed);
    value->pairs[i].name = name;
    if (name == NULL || value->items[i] == NULL)
        return no_memory(where, err);
    for (int j = 0; j < i; j++)
        if (strcmp(value->pairs[j].name, name) == 0)
            return laser_error_set(err, LASER_EUSAGE, where, "%s has two entries named %s", key->key, name);
    return LASER_OK;
}

static int parse_list(const struct laser_deck_key *key, char *const *items, const char *dir,
                      struct laser_deck_value *value, const char *where, struct laser_error *err)
{
    const char *expected = NULL;

    for (int i = 0; i < value->count; i++) {
        int rc = LASER_OK;

        if (key->type == LASER_TYPE_PAIRS) {
            rc = parse_pair(key, items[i], dir, value, i, where, err);
        } else {
            if (*items[i] == '\0')
                rc = wrong(key, items[i], "no empty items", where, err);
            else if (key->words != NULL)
                rc = check_word(key, items[i], where, err);
            else if (key->check != NULL && !key->check(items[i], &expected))
                rc = wrong(key, items[i], expected, where, err);
            if (rc == LASER_OK) {
                value->items[i] = strdup(items[i]);
                rc = value->items[i] != NULL ? LASER_OK : no_memory(where, err);
            }
        }
        if (rc != LASER_OK)
            return rc;
    }
    return LASER_OK;
}

int laser_value_parse(const struct laser_deck_key *key, char *const *items, int count, const char *dir,
                      struct laser_deck_value *value, const char *where, struct laser_error *err)
{
    int is_list = laser_value_is_list(key->type), rc;

    memset(value, 0, sizeof *value);
    if (!is_list && count != 1)
        return laser_error_set(err, LASER_EUSAGE, where, "%s takes one value, not a list of %d", key->key,
                               count);
    for (int i = 0; i < count; i++)
        if (!is_text(items[i]))
            return laser_error_set(err, LASER_EUSAGE, where, "%s is not valid UTF-8", key->key);
    value->items = calloc((size_t)count + 1, sizeof *value->items);
    if (value->items == NULL)
        return no_memory(where, err);
    value->count = count;
    if (key->type == LASER_TYPE_PAIRS) {
        value->pairs = calloc((size_t)count + 1, sizeof *value->pairs);
        if (value->pairs == NULL) {
            laser_value_free(value);
            return no_memory(where, err);
        }
    }
    rc = is_list ? parse_list(key, items, dir, value, where, err)
                 : parse_scalar(key, items[0], dir, value, where, err);
    if (rc != LASER_OK)
        laser_value_free(value);
    return rc;
}
