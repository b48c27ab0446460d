#include "config.h" /* _GNU_SOURCE */

#include "checkpoint/json.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/json_read.h"
#include "checkpoint/io.h"

static int depth_of(const json_t *value, int limit)
{
    int deepest = 0;

    if (limit == 0)
        return 1;
    if (json_is_object(value)) {
        for (void *i = json_object_iter((json_t *)value); i != NULL;
             i = json_object_iter_next((json_t *)value, i)) {
            const int depth = depth_of(json_object_iter_value(i), limit - 1);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    if (json_is_array(value)) {
        for (size_t i = 0; i < json_array_size(value); i++) {
            const int depth = depth_of(json_array_get(value, i), limit - 1);
            deepest = depth > deepest ? depth : deepest;
        }
        return deepest + 1;
    }
    return 0;
}

int laser_json_parse(const char *file, const char *text, size_t length, unsigned flags, json_t **root,
                     struct laser_error *err)
{
    const size_t json_flags = flags & LASER_JSON_UNIQUE_KEYS ? JSON_REJECT_DUPLICATES : 0;
    json_error_t what;

    *root = NULL;
    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        length -= 3;
    }
    *root = flags & LASER_JSON_STRICT
                ? json_loadb(text, length, json_flags, &what)
                : laser_json_read(text, length, json_flags, LASER_JSON_WORDS_STRING, &what);
    if (*root == NULL)
        return laser_error_set(err, LASER_EINPUT, file, "not valid JSON: line %d, column %d: %s", what.line,
                               what.column, what.text);
    if (depth_of(*root, LASER_JSON_MAX_DEPTH) > LASER_JSON_MAX_DEPTH) {
        json_decref(*root);
        *root = NULL;
        return laser_error_set(err, LASER_EINPUT, file, "JSON nested deeper than %d levels",
                               LASER_JSON_MAX_DEPTH);
    }
    return LASER_OK;
}

int laser_json_load(const char *file, unsigned flags, json_t **root, struct laser_error *err)
{
    char *text = NULL;
    int64_t length = 0;
    int code;

    *root = NULL;
    code = laser_io_read_file(file, LASER_JSON_MAX_BYTES, &text, &length, err);
    if (code == LASER_OK)
        code = laser_json_parse(file, text, (size_t)length, flags, root, err);
    free(text);
    return code;
}

bool laser_json_has(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return value != NULL && !json_is_null(value);
}

const char *laser_json_type_name(const json_t *value)
{
    if (value == NULL)
        return "nothing";
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_STRING:
        return "a string";
    case JSON_INTEGER:
        return "an integer";
    case JSON_REAL:
        return "a fractional number";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    default:
        return "null";
    }
}

static int wrong_type(const json_t *value, const char *file, const char *key, const char *expected,
                      struct laser_error *err)
{
    char *dump = value != NULL && !json_is_object(value) && !json_is_array(value)
                     ? json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT)
                     : NULL;
    int code;

    if (value == NULL)
        code = laser_error_set(err, LASER_EINPUT, file, "key \"%s\" is missing, expected %s", key, expected);
    else
        code = laser_error_set(err, LASER_EINPUT, file, "key \"%s\" is %s%s%.80s, expected %s", key,
                               laser_json_type_name(value), dump != NULL ? ": " : "",
                               dump != NULL ? dump : "", expected);
    free(dump);
    return code;
}

int laser_json_get_int(const json_t *object, const char *file, const char *key, int64_t *value,
                       struct laser_error *err)
{
    const json_t *found = json_object_get(object, key);

    if (!json_is_integer(found))
        return wrong_type(found, file, key, "an integer", err);
    *value = json_integer_value(found);
    return LASER_OK;
}

int laser_json_get_size(const json_t *object, const char *file, const char *key, int64_t *value,
                        struct laser_error *err)
{
    const json_t *found = json_object_get(object, key);

    if (!json_is_integer(found) || json_integer_value(found) < 0)
        return wrong_type(found, file, key, "an integer that is not negative", err);
    *value = json_integer_value(found);
    return LASER_OK;
}

int laser_json_get_real(const json_t *object, const char *file, const char *key, double *value,
                        struct laser_error *err)
{
    const json_t *found = json_object_get(object, key);
    const char *word = json_string_value(found);

    if (json_is_number(found))
        *value = json_number_value(found);
    else if (word != NULL && strcmp(word, "NaN") == 0)
        *value = NAN;
    else if (word != NULL && strcmp(word, "Infinity") == 0)
        *value = INFINITY;
    else if (word != NULL && strcmp(word, "-Infinity") == 0)
        *value = -INFINITY;
    else
        return wrong_type(found, file, key, "a number", err);
    return LASER_OK;
}

int laser_json_get_bool(const json_t *object, const char *file, const char *key, bool *value,
                        struct laser_error *err)
{
    const json_t *found = json_object_get(object, key);

    if (!json_is_boolean(found))
        return wrong_type(found, file, key, "true or false", err);
    *value = json_is_true(found);
    return LASER_OK;
}

int laser_json_get_string(const json_t *object, const char *file, const char *key, const char **value,
                          struct laser_error *err)
{
    const json_t *found = json_object_get(object, key);

    if (!json_is_string(found))
        return wrong_type(found, file, key, "a string", err);
    *value = json_string_value(found);
    return LASER_OK;
}

int laser_json_get_object(const json_t *object, const char *file, const char *key, json_t **value,
                          struct laser_error *err)
{
    json_t *found = json_object_get(object, key);

    if (!json_is_object(found))
        return wrong_type(found, file, key, "an object", err);
    *value = found;
    return LASER_OK;
}

int laser_json_get_array(const json_t *object, const char *file, const char *key, json_t **value,
                         struct laser_error *err)
{
    json_t *found = json_object_get(object, key);

    if (!json_is_array(found))
        return wrong_type(found, file, key, "an array", err);
    *value = found;
    return LASER_OK;
}
