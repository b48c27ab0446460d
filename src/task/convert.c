#include "task/convert.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "base/file.h"
#include "base/json_read.h"
#include "base/json_text.h"
#include "base/kind.h"
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
    char *prompt;          /* the template without escapes */
    char first_where[512]; /* of the first record that was left out */
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

/* A shell passes \n on as two characters. */
static char *without_escapes(const char *text)
{
    char *out = malloc(strlen(text) + 1), *end = out;

    for (; out != NULL && *text != '\0'; ++text) {
        bool escape = *text == '\\' && text[1] != '\0' && strchr("nt\\", text[1]) != NULL;
        *end++ = !escape ? *text : text[1] == 'n' ? '\n' : text[1] == 't' ? '\t' : '\\';
        text += escape;
    }
    if (out != NULL)
        *end = '\0';
    return out;
}

static int begin(struct conversion *c, const char *adapter, const struct laser_task_mapping *mapping,
                 struct laser_error *err)
{
    int code = LASER_OK;

    c->adapter = find_adapter(adapter, err);
    if (c->adapter == NULL)
        return LASER_EUSAGE;
    memcpy(c->at.fields, c->adapter->fields, sizeof c->at.fields);
    c->at.adapter = c->adapter;
    c->at.prompt = c->adapter->prompt;
    if (mapping->prompt != NULL && *mapping->prompt != '\0') {
        c->at.prompt = c->prompt = without_escapes(mapping->prompt);
        if (c->prompt == NULL)
            return laser_error_set(err, LASER_ENOMEM, "--template", "no memory");
    }
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

/* A record, and where it stands. */
struct place {
    const char *where; /* path:line or path: record N */
    int64_t number;
};

static int leave_out(struct conversion *c, const struct place *place, const char *reason,
                     struct laser_error *err)
{
    if (c->converted->n_left_out == 0)
        snprintf(c->first_where, sizeof c->first_where, "%s", place->where);
    return laser_task_leave_out(&c->converted->left_out, &c->converted->n_left_out, place->number, reason)
               ? LASER_OK
               : laser_error_set(err, LASER_ENOMEM, c->path, "no memory");
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

/* odd: why the reader could not make it a record, or NULL. */
static int convert_record(struct conversion *c, const json_t *record, const struct place *place,
                          const char *odd, struct laser_error *err)
{
    struct laser_error problem = {0};
    json_t *question = NULL;
    int code;

    ++c->converted->records;
    if (odd != NULL || !json_is_object(record))
        return leave_out(c, place, odd != NULL ? odd : "a record is no JSON object", err);
    c->at.record = record;
    c->at.where = place->where;
    code = c->adapter->make(&c->at, &question, &problem);
    if (code == LASER_OK && question == NULL)
        ++c->converted->skipped;
    else if (code == LASER_OK)
        code = put(c, question, &problem);
    json_decref(question);
    if (code == LASER_EINPUT)
        return leave_out(c, place, problem.text, err);
    return code == LASER_OK ? LASER_OK : laser_error_set(err, code, problem.where, "%s", problem.text);
}

static int convert_list(struct conversion *c, const json_t *list, struct laser_error *err)
{
    char where[512];
    const json_t *record;
    size_t i;
    int code = LASER_OK;

    c->converted->by_record = true;
    json_array_foreach(list, i, record)
    {
        struct place place = {where, (int64_t)i + 1};
        snprintf(where, sizeof where, "%.450s: record %zu", c->path, i + 1);
        code = convert_record(c, record, &place, NULL, err);
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
        struct place place = {where, ++number};
        json_t *record;
        while (blank < n && strchr(" \t\r", text[blank]) != NULL)
            ++blank;
        if (blank < n) {
            snprintf(where, sizeof where, "%.450s:%lld", c->path, (long long)number);
            record = laser_json_read(text, n, JSON_DECODE_ANY, LASER_JSON_WORDS_NULL, &problem);
            code = record == NULL ? laser_error_set(err, LASER_EINPUT, where, "not JSON: %s (column %d)",
                                                    problem.text, problem.column)
                                  : convert_record(c, record, &place, NULL, err);
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

/* The fields of one record, by the names of the header (or as names, where there is none yet).  *odd: why it
 * is no record, else NULL. */
static int read_record(struct laser_csv *csv, const json_t *names, json_t *record, const char **odd,
                       struct laser_error *err)
{
    struct laser_csv_field field = {0};
    size_t i = 0;

    *odd = NULL;
    do {
        int code = laser_csv_next(csv, &field, err);
        json_t *value;
        if (code != LASER_OK)
            return code;
        value = json_stringn(field.text, field.n);
        if (value == NULL)
            *odd = "a field is not UTF-8";
        else if (names == NULL)
            json_array_append_new(record, value);
        else if (i < json_array_size(names))
            json_object_set_new(record, json_string_value(json_array_get(names, i)), value);
        else
            json_decref(value);
        ++i;
    } while (!field.last);
    if (names != NULL && i != json_array_size(names) && *odd == NULL)
        *odd = "another number of fields than in the header line";
    return LASER_OK;
}

static int convert_csv(struct conversion *c, char *text, size_t size, struct laser_error *err)
{
    struct laser_csv csv;
    json_t *names = json_array();
    const char *odd = NULL;
    int code;

    laser_csv_begin(&csv, c->path, text, size);
    code = laser_csv_more(&csv) ? read_record(&csv, NULL, names, &odd, err)
                                : laser_error_set(err, LASER_EINPUT, c->path, "the file is empty");
    if (code == LASER_OK && odd != NULL)
        code = laser_csv_fail(&csv, 1, odd, err);
    while (code == LASER_OK && laser_csv_more(&csv)) {
        json_t *record = json_object();
        char where[512];
        struct place place = {where, csv.line};
        snprintf(where, sizeof where, "%.450s:%lld", c->path, (long long)csv.line);
        code = read_record(&csv, names, record, &odd, err);
        if (code == LASER_OK)
            code = convert_record(c, record, &place, odd, err);
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
        code = laser_kind_refuse(path, text, size, err);
    if (code == LASER_OK)
        code = c.adapter->format == LASER_READ_CSV || is_csv(path) ? convert_csv(&c, text, size, err)
                                                                   : convert_json(&c, text, size, err);
    if (code == LASER_OK && converted->questions == 0 && converted->n_left_out > 0)
        code = laser_error_set(err, LASER_EINPUT, c.first_where,
                               "%s; there is no question in the file (%lld records, %lld left out)",
                               converted->left_out[0].reason, (long long)converted->records,
                               (long long)converted->n_left_out);
    else if (code == LASER_OK && converted->questions == 0)
        code =
            laser_error_set(err, LASER_EINPUT, path, "there is no question in it (%lld records, %lld %s)",
                            (long long)converted->records, (long long)converted->skipped, converted->reason);
    json_decref(c.at.seen);
    free(c.prompt);
    free(text);
    return code;
}

void laser_task_converted_free(struct laser_task_converted *converted)
{
    free(converted->left_out);
    converted->left_out = NULL;
    converted->n_left_out = 0;
}
