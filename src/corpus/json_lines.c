#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_read.h"
#include "corpus/reader.h"

static int report_field(const json_t *record, const char *field, const char *where, struct laser_error *err)
{
    const json_t *value = json_object_get(record, field);
    if (value)
        return laser_error_set(err, LASER_EINPUT, where, "field \"%s\" is not a string", field);
    char keys[256] = "";
    size_t used = 0;
    const char *key;
    json_t *item;
    json_object_foreach((json_t *)record, key, item)
    {
        if (!json_is_string(item) || used + strlen(key) + 3 >= sizeof keys)
            continue;
        used += (size_t)snprintf(keys + used, sizeof keys - used, "%s%s", used ? ", " : "", key);
    }
    return laser_error_set(err, LASER_EINPUT, where,
                           "no field \"%s\"; the text fields are: %s (name=path:field)", field,
                           used ? keys : "none");
}

static int add_record(const json_t *record, const char *field, const char *where,
                      struct laser_documents *documents, struct laser_error *err)
{
    if (!json_is_object(record))
        return laser_error_set(err, LASER_EINPUT, where, "expected a JSON object");
    const json_t *value = json_object_get(record, field);
    if (!json_is_string(value))
        return report_field(record, field, where, err);
    return laser_documents_add(documents, json_string_value(value), json_string_length(value), err);
}

static json_t *parse(const char *text, size_t n, const char *where, struct laser_error *err)
{
    json_error_t problem;
    json_t *value =
        laser_json_read(text, n, JSON_ALLOW_NUL | JSON_DECODE_ANY, LASER_JSON_WORDS_NULL, &problem);
    if (!value)
        laser_error_set(err, LASER_EINPUT, where, "not JSON: %s (column %d)", problem.text, problem.column);
    return value;
}

/* A file that is one array: its first line is at hand, the rest is read. */
static int read_array(struct laser_reader *reader, const char *line, size_t n, const char *field,
                      int64_t limit, struct laser_documents *documents, struct laser_error *err)
{
    char *rest = NULL, *head = malloc(n + 1);
    size_t n_rest = 0;
    json_t *array = NULL;
    if (!head)
        return laser_error_set(err, LASER_ENOMEM, reader->path, "no memory for %zu bytes of JSON", n);
    memcpy(head, line, n);
    head[n] = '\n';
    int result = laser_reader_rest(reader, &rest, &n_rest, err);
    if (result == LASER_OK) {
        char *whole = realloc(head, n + 1 + n_rest);
        if (whole) {
            head = whole;
            memcpy(head + n + 1, rest, n_rest);
            array = parse(head, n + 1 + n_rest, reader->path, err);
            result = array ? LASER_OK : LASER_EINPUT;
        } else {
            result =
                laser_error_set(err, LASER_ENOMEM, reader->path, "no memory for %zu bytes of JSON", n_rest);
        }
    }
    size_t count = array ? json_array_size(array) : 0;
    for (size_t i = 0; result == LASER_OK && i < count && (limit == 0 || documents->n < limit); i++) {
        char where[512];
        snprintf(where, sizeof where, "%.450s: record %zu", reader->path, i + 1);
        result = add_record(json_array_get(array, i), field, where, documents, err);
    }
    json_decref(array);
    free(rest);
    free(head);
    return result;
}

static size_t skip_blank(const char *line, size_t n)
{
    size_t i = n >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* byte order mark */
    while (i < n && strchr(" \t\r", line[i]) && line[i])
        i++;
    return i;
}

int laser_documents_read_json(struct laser_reader *reader, const char *field, int64_t limit_documents,
                              struct laser_documents *documents, struct laser_error *err)
{
    const char *line;
    size_t n;
    int result;
    while ((result = laser_reader_line(reader, &line, &n, err)) == LASER_OK && line) {
        char where[512];
        size_t blank = skip_blank(line, n);
        line += blank;
        n -= blank;
        if (n == 0)
            continue;
        if (documents->n == 0 && line[0] == '[')
            return read_array(reader, line, n, field, limit_documents, documents, err);
        snprintf(where, sizeof where, "%.450s:%lld", reader->path, (long long)reader->line);
        json_t *record = parse(line, n, where, err);
        result = record ? add_record(record, field, where, documents, err) : LASER_EINPUT;
        json_decref(record);
        if (result != LASER_OK || (limit_documents > 0 && documents->n >= limit_documents))
            break;
    }
    return result;
}
