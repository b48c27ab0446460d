#include "tokenizer/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/json_read.h"

char *laser_strndup(const char *s, size_t n)
{
    char *p = malloc(n + 1);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

const char *laser_json_type(const json_t *obj)
{
    const char *s = json_string_value(json_object_get(obj, "type"));
    return s ? s : "(none)";
}

int laser_json_string(const json_t *obj, const char *key, const char **s, size_t *n, struct laser_error *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!json_is_string(v))
        return laser_error_set(err, LASER_EINPUT, NULL, "\"%s\" of %.50s is missing or not a string", key,
                               laser_json_type(obj));
    *s = json_string_value(v);
    *n = json_string_length(v);
    return LASER_OK;
}

int laser_json_bool(const json_t *obj, const char *key, bool fallback, bool *out, struct laser_error *err)
{
    const json_t *v = json_object_get(obj, key);
    *out = fallback;
    if (!v || json_is_null(v))
        return LASER_OK;
    if (!json_is_boolean(v))
        return laser_error_set(err, LASER_EINPUT, NULL, "\"%s\" of %.50s is not true or false", key,
                               laser_json_type(obj));
    *out = json_is_true(v);
    return LASER_OK;
}

int laser_json_pattern(const json_t *obj, struct laser_pattern **out, struct laser_error *err)
{
    const json_t *literal = json_object_get(obj, "String"), *regex = json_object_get(obj, "Regex");
    if (json_is_string(literal))
        return laser_pattern_literal(json_string_value(literal), json_string_length(literal), out, err);
    if (json_is_string(regex))
        return laser_pattern_compile(json_string_value(regex), json_string_length(regex), out, err);
    return laser_error_set(err, LASER_EINPUT, NULL, "a pattern is neither {\"String\"} nor {\"Regex\"}");
}

json_t *laser_tokenizer_json(const char *text, size_t n, const char *name, struct laser_error *err)
{
    json_error_t e;
    json_t *j = laser_json_read(text, n, JSON_ALLOW_NUL, LASER_JSON_WORDS_NULL, &e);
    if (!j)
        laser_error_set(err, json_error_code(&e) == json_error_out_of_memory ? LASER_ENOMEM : LASER_EINPUT,
                        name, "not valid JSON: line %d, column %d: %s", e.line, e.column, e.text);
    return j;
}

int laser_tokenizer_file(const char *path, char **text, size_t *n, struct laser_error *err)
{
    char *buf;
    size_t size;
    int rc = laser_file_read(path, (size_t)1 << 30, &buf, &size, err);

    *text = NULL;
    if (rc != LASER_OK)
        return rc;
    if (size >= 3 && memcmp(buf, "\xef\xbb\xbf", 3) == 0) {
        size -= 3;
        memmove(buf, buf + 3, size);
    }
    buf[size] = '\0';
    *text = buf;
    *n = size;
    return LASER_OK;
}
