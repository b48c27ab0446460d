#include "task/convert.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/csv.h"
#include "base/json_read.h"
#include "base/json_text.h"
#include "corpus/reader.h"
#include "task/adapters.h"
#include "task/task.h"

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
    c->at.path = c->path;
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
    c->at.number = c->converted->records - 1;
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

static const char another_number[] = "another number of fields than in the header line";

/* The names of columns that a file without a header line has. */
static json_t *columns_of(const char *text)
{
    json_t *names = json_array();

    for (size_t n; *text != '\0'; text += n + (text[n] == ',')) {
        n = strcspn(text, ",");
        json_array_append_new(names, json_stringn(text, n));
    }
    return names;
}

/* Is a first record the header line?  It is where it names the prompt. */
static bool is_header(const struct conversion *c, const json_t *names)
{
    const json_t *name;
    size_t i;

    json_array_foreach((json_t *)(uintptr_t)names, i,
                       name) if (strcmp(json_string_value(name), laser_adapting_key(&c->at, "prompt")) ==
                                 0) return true;
    return c->adapter->columns == NULL;
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
        *odd = another_number;
    return LASER_OK;
}

/* The first record of a file without a header line. */
static int convert_first(struct conversion *c, const json_t *names, const json_t *values,
                         struct laser_error *err)
{
    json_t *record = json_object(), *value;
    char where[512];
    struct place place = {where, 1};
    size_t i;
    int code;

    snprintf(where, sizeof where, "%.450s:1", c->path);
    json_array_foreach((json_t *)(uintptr_t)values, i, value) if (i < json_array_size(names))
        json_object_set(record, json_string_value(json_array_get(names, i)), value);
    code = convert_record(c, record, &place, i != json_array_size(names) ? another_number : NULL, err);
    json_decref(record);
    return code;
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
    if (code == LASER_OK && !is_header(c, names)) {
        json_t *values = names;
        names = columns_of(c->adapter->columns);
        code = convert_first(c, names, values, err);
        json_decref(values);
    }
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

static bool ends_in(const char *text, size_t n, const char *end)
{
    size_t m = strlen(end);

    return n > m && strncmp(text + n - m, end, m) == 0;
}

/* Bytes of the path without what gzip adds. */
static size_t bare_length(const char *path)
{
    size_t n = strlen(path);

    return ends_in(path, n, ".gz") ? n - 3 : n;
}

/* By its name, or else as the data set is distributed. */
static bool is_csv(const struct conversion *c)
{
    size_t n = bare_length(c->path);

    if (ends_in(c->path, n, ".csv"))
        return true;
    return c->adapter->format == LASER_READ_CSV && !ends_in(c->path, n, ".jsonl") &&
           !ends_in(c->path, n, ".json");
}

/* All of a file, out of gzip; the caller frees it. */
static int read_whole(const char *path, char **text, size_t *size, struct laser_error *err)
{
    struct laser_text_source source = {.name = (char *)(uintptr_t) "data set",
                                       .path = (char *)(uintptr_t)path};
    struct laser_reader reader;
    int code = laser_reader_open(&reader, &source, err);

    if (code != LASER_OK)
        return code;
    code = laser_reader_rest(&reader, text, size, err);
    laser_reader_close(&reader);
    return code;
}

/* Labels that stand in a file of their own, one a line: valid-labels.lst beside valid.jsonl. */
static int read_labels(struct conversion *c, struct laser_error *err)
{
    size_t n = bare_length(c->path), size = 0;
    char beside[4200], *text = NULL, *line, *rest;
    json_t *labels;
    int code;

    if (c->adapter->labels == NULL || !ends_in(c->path, n, ".jsonl"))
        return LASER_OK;
    snprintf(beside, sizeof beside, "%.*s%s", (int)(n - strlen(".jsonl")), c->path, c->adapter->labels);
    if (access(beside, F_OK) != 0)
        return LASER_OK;
    code = read_whole(beside, &text, &size, err);
    labels = json_array();
    for (line = text; code == LASER_OK && line != NULL && *line != '\0'; line = rest) {
        size_t length = strcspn(line, "\r\n");
        rest = line + length + strspn(line + length, "\r\n");
        json_array_append_new(labels, json_stringn(line, length));
    }
    free(text);
    c->at.labels = labels;
    return code;
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
        code = read_whole(path, &text, &size, err);
    if (code == LASER_OK)
        code = read_labels(&c, err);
    if (code == LASER_OK)
        code = is_csv(&c) ? convert_csv(&c, text, size, err) : convert_json(&c, text, size, err);
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
    json_decref((json_t *)(uintptr_t)c.at.labels);
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
