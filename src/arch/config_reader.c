#include "arch/config_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/config_policy.h"

void laser_config_refuse(struct laser_config *config, const char *key, const char *fmt, ...)
{
    char text[512];
    va_list args;

    if (config->result != LASER_OK)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    config->result =
        laser_error_set(config->err, LASER_EINPUT, config->path, "%s%s: %s", config->prefix, key, text);
}

static bool was_asked(const struct laser_config *config, const char *key)
{
    for (int i = 0; i < config->asked_count; i++)
        if (strcmp(config->asked[i], key) == 0)
            return true;
    return false;
}

json_t *laser_config_value(struct laser_config *config, const char *key)
{
    json_t *value = json_object_get(config->object, key);

    if (!was_asked(config, key)) {
        if (config->asked_count == LASER_CONFIG_KEYS) {
            if (config->result == LASER_OK)
                config->result = laser_error_set(config->err, LASER_EINTERNAL, config->path, "too many keys");
            return NULL;
        }
        config->asked[config->asked_count++] = key;
    }
    return json_is_null(value) ? NULL : value;
}

static void refuse_missing(struct laser_config *config, const char *key)
{
    laser_config_refuse(config, key, "is missing");
}

int64_t laser_config_integer(struct laser_config *config, const char *key, int64_t otherwise, int64_t least,
                             int64_t most)
{
    json_t *value = laser_config_value(config, key);
    int64_t number = otherwise;

    if (!value) {
        if (otherwise == LASER_CONFIG_REQUIRED)
            refuse_missing(config, key);
        return otherwise == LASER_CONFIG_REQUIRED ? least : otherwise;
    }
    if (json_is_integer(value))
        number = json_integer_value(value);
    if (!json_is_integer(value) || number < least || number > most) {
        char *found = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        laser_config_refuse(config, key, "found %.80s, expected an integer from %lld to %lld",
                            found ? found : "something", (long long)least, (long long)most);
        free(found);
        return least;
    }
    return number;
}

int64_t laser_config_layer(struct laser_config *config, const char *key, size_t index, const json_t *entry,
                           int64_t layers, bool within)
{
    int64_t layer = json_is_integer(entry) ? json_integer_value(entry) : -1;

    if (layer < 0 || (within && layer >= layers))
        laser_config_refuse(config, key, "entry %zu is not a layer number", index);
    return layer < layers ? layer : -1;
}

int64_t laser_config_period(struct laser_config *config, const char *period_key, int64_t period,
                            const char *offset_key, int64_t offset, int64_t *first)
{
    period = laser_config_integer(config, period_key, period, 1, 1 << 30);
    *first = laser_config_integer(config, offset_key, offset, 0, 1 << 30);
    if (*first >= period)
        laser_config_refuse(config, offset_key, "%lld is not below %s %lld", (long long)*first, period_key,
                            (long long)period);
    return period;
}

double laser_config_real(struct laser_config *config, const char *key, double otherwise, double least,
                         double most)
{
    json_t *value = laser_config_value(config, key);
    double number;

    if (!value)
        return otherwise;
    number = json_number_value(value);
    if (!json_is_number(value) || !(number >= least && number <= most)) {
        char *found = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        laser_config_refuse(config, key, "found %.80s, expected a number from %g to %g",
                            found ? found : "something", least, most);
        free(found);
        return least;
    }
    return number;
}

bool laser_config_bool(struct laser_config *config, const char *key, bool otherwise)
{
    json_t *value = laser_config_value(config, key);

    if (!value)
        return otherwise;
    if (!json_is_boolean(value))
        laser_config_refuse(config, key, "expected true or false");
    return json_is_true(value);
}

const char *laser_config_text(struct laser_config *config, const char *key, const char *otherwise)
{
    json_t *value = laser_config_value(config, key);

    if (!value)
        return otherwise;
    if (!json_is_string(value)) {
        laser_config_refuse(config, key, "expected a string");
        return otherwise;
    }
    return json_string_value(value);
}

static bool is_listed(const char *const *list, const char *key)
{
    for (; list && *list; list++) {
        size_t n = strlen(*list);
        if ((*list)[n - 1] == '*' ? strncmp(*list, key, n - 1) == 0 : strcmp(*list, key) == 0)
            return true;
    }
    return false;
}

static bool is_nothing(const json_t *value)
{
    return json_is_null(value) || json_is_false(value) ||
           (json_is_number(value) && json_number_value(value) == 0) ||
           (json_is_string(value) && json_string_length(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) ||
           (json_is_object(value) && json_object_size(value) == 0);
}

/* Whether a value is the guard's, written as JSON. */
static bool is_neutral(const json_t *value, const char *neutral)
{
    json_t *expected = json_loads(neutral, JSON_DECODE_ANY, NULL);
    bool same = is_nothing(value) ? is_nothing(expected) : json_equal(value, expected);

    json_decref(expected);
    return same;
}

void laser_config_ignore(struct laser_config *config, const char *keys)
{
    static const char rest[] = ", ...";
    size_t n = strlen(config->ignored), room = sizeof config->ignored - n;

    if (n >= sizeof rest && strcmp(config->ignored + n + 1 - sizeof rest, rest) == 0)
        return;
    if (strlen(keys) + 2 * sizeof rest < room)
        snprintf(config->ignored + n, room, "%s%s", n > 0 ? ", " : "", keys);
    else
        snprintf(config->ignored + n, room, "%s", rest);
}

static const struct laser_config_guard *guard_of(const struct laser_config_guard *guards, const char *key)
{
    for (; guards && guards->key; guards++)
        if (strcmp(guards->key, key) == 0)
            return guards;
    return NULL;
}

void laser_config_judge(struct laser_config *config, const struct laser_config_guard *guards,
                        const char *const *bookkeeping, const char *model_type)
{
    const char *key;
    json_t *value;

    json_object_foreach(config->object, key, value)
    {
        const struct laser_config_guard *guard = guard_of(guards, key);

        if (was_asked(config, key) || json_is_null(value))
            continue;
        if (guard && !is_neutral(value, guard->neutral)) {
            char *found = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            laser_config_refuse(config, key,
                                "found %.100s, expected %s: other values are not supported for models of "
                                "type %s",
                                found ? found : "something", guard->neutral, model_type);
            free(found);
        } else if (!guard && !is_listed(bookkeeping, key) && !is_nothing(value)) {
            char name[128];
            snprintf(name, sizeof name, "%s%.90s", config->prefix, key);
            laser_config_ignore(config, name);
        }
    }
}
