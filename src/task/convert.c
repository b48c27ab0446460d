#include "task/convert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/json_read.h"
#include "base/json_text.h"
#include "task/adapters.h"
#include "task/task.h"

/* The largest file that is read (HotpotQA's training set has 0.6 GB). */
#define MOST_BYTES (INT64_C(4) << 30)

struct conversion {
    const struct laser_adapter *adapter;
    struct laser_adapting at;
    struct laser_text *out;
    struct laser_task_converted *converted;
    const char *path;
    enum laser_task_kind kind;
};

static const struct laser_adapter *find_adapter(const char *name, struct laser_error *err)
{
    for (int i = 0; i < laser_n_adapters; ++i)
        if (strcmp(laser_adapters[i].name, name) == 0)
            return &laser_adapters[i];
    laser_error_set(err, LASER_EUSAGE, "--from", "\"%s\" is none of %s", name, LASER_TASK_ADAPTERS);
    return NULL;
}

/* "field=key" over the adapter's own. */
static int map_field(struct conversion *c, const char *item, struct laser_error *err)
{
    const char *equals = strchr(item, '=');
    struct laser_text names = {0};
    int code;

    for (int i = 0; i < LASER_ADAPTER_FIELDS && c->adapter->fields[i].field != NULL; ++i) {
        const char *field = c->adapter->fields[i].field;
        if (equals != NULL && strlen(field) == (size_t)(equals - item) &&
            strncmp(field, item, strlen(field)) == 0) {
            c->at.fields[i].key = equals + 1;
            laser_text_free(&names);
            return LASER_OK;
        }
        laser_text_printf(&names, "%s%s", i > 0 ? ", " : "", field);
    }
    code = laser_error_set(err, LASER_EUSAGE, "--map", "\"%s\" is not FIELD=KEY with a field of %s: %s", item,
                           c->adapter->name, names.data != NULL ? names.data : "");
    laser_text_free(&names);
    return code;
}

static int begin(struct conversion *c, const char *adapter, const struct laser_task_mapping *mapping,
                 struct laser_error *err)
{
    int code = LASER_OK;

    c->adapter = find_adapter(adapter, err);
    if (c->adapter == NULL)
        return LASER_EUSAGE;
    memcpy(c->at.fields, c->adapter->fields, sizeof c->at.fields);
    c->at.prompt = mapping->prompt != NULL && *mapping->prompt != '\0' ? mapping->prompt : c->adapter->prompt;
    if (strstr(c->at.prompt, "{prompt}") == NULL)
        return laser_error_set(err, LASER_EUSAGE, "--template", "\"%s\" lacks {prompt}", c->at.prompt);
    for (int i = 0; code == LASER_OK && i < mapping->n_fields; ++i)
        code = map_field(c, mapping->fields[i], err);
    c->at.seen = json_object();
    if (code == LASER_OK && c->at.seen == NULL)
        code = laser_error_set(err, LASER_ENOMEM, c->path, "no memory");
    c->converted->reason = c->adapter->reason;
    return code;
}

/* What comes out must be what a task file may hold. */
static int put(struct conversion *c, const json_t *question, struct laser_error *err)
{
    struct laser_task_question parsed;
    enum laser_task_kind kind;
    int code = laser_task_parse(question, c->at.where, &kind, &parsed, err);

    if (code != LASER_OK)
        return code;
    laser_task_question_free(&parsed);
    if (c->converted->questions > 0 && kind != c->kind)
        return laser_error_set(err, LASER_EINPUT, c->at.where,
                               "a question of kind %s after those of kind %s; a task file holds one kind",
                               laser_task_kind_name(kind), laser_task_kind_name(c->kind));
    c->kind = kind;
    laser_json_render(c->out, question, 0);
    laser_text_puts(c->out, "\n");
    ++c->converted->questions;
    return c->out->failed ? laser_error_set(err, LASER_ENOMEM, c->path, "no memory") : LASER_OK;
}

static int convert_record(struct conversion *c, const json_t *record, const char *where,
                          struct laser_error *err)
{
    json_t *question = NULL;
    int code;

    if (!json_is_object(record))
        return laser_error_set(err, LASER_EINPUT, where, "a record is no JSON object");
    c->at.record = record;
    c->at.where = where;
    ++c->converted->records;
    code = c->adapter->make(&c->at, &question, err);
    if (code == LASER_OK && question == NULL)
        ++c->converted->skipped;
    else if (code == LASER_OK)
        code = put(c, question, err);
    json_decref(question);
    return code;
}

static int convert_list(struct conversion *c, const json_t *list, struct laser_error *err)
{
    char where[512];
    const json_t *record;
    size_t i;
    int code = LASER_OK;

    json_array_foreach(list, i, record)
    {
        snprintf(where, sizeof where, "%.450s: record %zu", c->path, i + 1);
        code = convert_record(c, record, where, err);
        if (code != LASER_OK)
            break;
    }
    return code;
}

static int convert_lines(struct conversion *c, const char *text, size_t size, struct laser_error *err)
{
    const char *end = text + size;
    int64_t number = 0;
    int code = LASER_OK;

    while (code == LASER_OK && text < end) {
        const char *stop = memchr(text, '\n', (size_t)(end - text));
        size_t n = stop != NULL ? (size_t)(stop - text) : (size_t)(end - text), blank = 0;
        json_error_t problem;
        char where[512];
        json_t *record;
        ++number;
        while (blank < n && strchr(" \t\r", text[blank]) != NULL)
            ++blank;
        if (blank < n) {
            snprintf(where, sizeof where, "%.450s:%lld", c->path, (long long)number);
            record = laser_json_read(text, n, JSON_DECODE_ANY, LASER_JSON_WORDS_NULL, &problem);
            code = record == NULL ? laser_error_set(err, LASER_EINPUT, where, "not JSON: %s (column %d)",
                                                    problem.text, problem.column)
                                  : convert_record(c, record, where, err);
            json_decref(record);
        }
        text += n + 1;
    }
    return code;
}

/* One array, one object with a list in it, or lines. */
static int convert_json(struct conversion *c, const char *text, size_t size, struct laser_error *err)
{
    json_error_t problem;
    json_t *whole, *list;
    int code;

    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0) {
        text += 3;
        size -= 3;
    }
    whole = laser_json_read(text, size, 0, LASER_JSON_WORDS_NULL, &problem);
    list = c->adapter->list != NULL ? json_object_get(whole, c->adapter->list) : NULL;
    if (json_is_array(whole)) {
        code = convert_list(c, whole, err);
    } else if (json_is_array(list)) {
        c->at.file = whole;
        code = convert_list(c, list, err);
    } else if (c->adapter->list != NULL && json_is_object(whole)) {
        code = laser_error_set(err, LASER_EINPUT, c->path, "field \"%s\" is missing, a list was expected",
                               c->adapter->list);
    } else {
        code = convert_lines(c, text, size, err);
    }
    json_decref(whole);
    return code;
}

/* The fields of one record, by the names of the header (or as names, where there is none yet). */
static int read_record(struct laser_csv *csv, const json_t *names, json_t *record, struct laser_error *err)
{
    struct laser_csv_field field = {0};
    int64_t line = csv->line;
    size_t i = 0;

    do {
        int code = laser_csv_next(csv, &field, err);
        json_t *value;
        if (code != LASER_OK)
            return code;
        value = json_stringn(field.text, field.n);
        if (value == NULL)
            return laser_csv_fail(csv, line, "a field is not UTF-8", err);
        if (names == NULL)
            json_array_append_new(record, value);
        else if (i < json_array_size(names))
            json_object_set_new(record, json_string_value(json_array_get(names, i)), value);
        else
            json_decref(value);
        ++i;
    } while (!field.last);
    return names == NULL || i == json_array_size(names)
               ? LASER_OK
               : laser_csv_fail(csv, line, "another number of fields than in the header line", err);
}

static int convert_csv(struct conversion *c, char *text, size_t size, struct laser_error *err)
{
    struct laser_csv csv;
    json_t *names = json_array();
    int code;

    laser_csv_begin(&csv, c->path, text, size);
    code = laser_csv_more(&csv) ? read_record(&csv, NULL, names, err)
                                : laser_error_set(err, LASER_EINPUT, c->path, "the file is empty");
    while (code == LASER_OK && laser_csv_more(&csv)) {
        json_t *record = json_object();
        char where[512];
        snprintf(where, sizeof where, "%.450s:%lld", c->path, (long long)csv.line);
        code = read_record(&csv, names, record, err);
        if (code == LASER_OK)
            code = convert_record(c, record, where, err);
        json_decref(record);
    }
    json_decref(names);
    return code;
}

static int is_csv(const char *path)
{
    size_t n = strlen(path);

    return n > 4 && strcmp(path + n - 4, ".csv") == 0;
}

int laser_task_convert(const char *adapter, const char *path, const struct laser_task_mapping *mapping,
                       struct laser_text *out, struct laser_task_converted *converted,
                       struct laser_error *err)
{
    struct conversion c = {.out = out, .converted = converted, .path = path};
    char *text = NULL;
    size_t size = 0;
    int code;

    memset(converted, 0, sizeof *converted);
    code = begin(&c, adapter, mapping, err);
    if (code == LASER_OK)
        code = laser_file_read(path, (size_t)MOST_BYTES, &text, &size, err);
    if (code == LASER_OK)
        code = c.adapter->format == LASER_READ_CSV || is_csv(path) ? convert_csv(&c, text, size, err)
                                                                   : convert_json(&c, text, size, err);
    if (code == LASER_OK && converted->questions == 0)
        code =
            laser_error_set(err, LASER_EINPUT, path, "there is no question in it (%lld records, %lld %s)",
                            (long long)converted->records, (long long)converted->skipped, converted->reason);
    json_decref(c.at.seen);
    free(text);
    return code;
}
