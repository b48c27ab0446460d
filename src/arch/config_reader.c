#include "arch/config_reader.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

void laser_config_refuse_unknown(struct laser_config *config, const char *const *harmless,
                                 const char *const *harmless_here, const char *model_type)
{
    const char *key;
    json_t *value;

    json_object_foreach(config->object, key, value)
    {
        char *found;

        if (was_asked(config, key) || is_listed(harmless, key) || is_listed(harmless_here, key) ||
            is_nothing(value))
            continue;
        found = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        if (strcmp(key, "quantization_config") == 0)
            laser_config_refuse(config, key,
                                "quantised models can be scanned, not evaluated or reduced (found %.100s)",
                                found ? found : "something");
        else
            laser_config_refuse(config, key,
                                "the option is not supported for models of type %s (found %.100s)",
                                model_type, found ? found : "something");
        free(found);
        return;
    }
}
