/* CSV as RFC 4180 has it: comma, quotes doubled inside quoted fields, line ends inside quoted fields, CRLF or
 * LF between records, the same number of fields in each. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "corpus/reader.h"

struct scanner {
    const char *path;
    char *at, *end;
    int64_t line;
};

/* One field; quoted ones are unpacked in place. */
struct field {
    char *text;
    size_t n;
    bool last; /* of its record */
};

static int fail(const struct scanner *scan, int64_t line, const char *text, struct laser_error *err)
{
    char where[512];
    snprintf(where, sizeof where, "%.450s:%lld", scan->path, (long long)line);
    return laser_error_set(err, LASER_EINPUT, where, "%s", text);
}

static int scan_quoted(struct scanner *scan, struct field *field, struct laser_error *err)
{
    int64_t begin = scan->line;
    char *out = ++scan->at;
    field->text = out;
    while (scan->at < scan->end) {
        if (*scan->at == '"') {
            scan->at++;
            if (scan->at == scan->end || *scan->at != '"') {
                field->n = (size_t)(out - field->text);
                return LASER_OK;
            }
        } else if (*scan->at == '\n') {
            scan->line++;
        }
        *out++ = *scan->at++;
    }
    return fail(scan, begin, "a quoted field begins here and does not end", err);
}

static int scan_plain(struct scanner *scan, struct field *field, struct laser_error *err)
{
    field->text = scan->at;
    while (scan->at < scan->end && *scan->at != ',' && *scan->at != '\n') {
        if (*scan->at == '"')
            return fail(scan, scan->line, "a quote inside a field that is not quoted", err);
        scan->at++;
    }
    field->n = (size_t)(scan->at - field->text);
    if (field->n > 0 && field->text[field->n - 1] == '\r' && (scan->at == scan->end || *scan->at == '\n'))
        field->n--;
    return LASER_OK;
}

static int scan_field(struct scanner *scan, struct field *field, struct laser_error *err)
{
    bool quoted = scan->at < scan->end && *scan->at == '"';
    int result = quoted ? scan_quoted(scan, field, err) : scan_plain(scan, field, err);
    if (result != LASER_OK)
        return result;
    if (quoted && scan->at < scan->end && *scan->at == '\r')
        scan->at++;
    field->last = scan->at == scan->end || *scan->at == '\n';
    if (!field->last && *scan->at != ',')
        return fail(scan, scan->line, "text behind the quote that ends a field", err);
    if (scan->at < scan->end)
        scan->line += *scan->at++ == '\n';
    else
        scan->at = NULL; /* a last record without a line end */
    return LASER_OK;
}

/* Passes over empty lines; is there a record behind them? */
static bool has_record(struct scanner *scan)
{
    while (scan->at && scan->at < scan->end) {
        const char *line = *scan->at == '\r' && scan->at + 1 < scan->end ? scan->at + 1 : scan->at;
        if (*line != '\n')
            return true;
        scan->at += line - scan->at + 1;
        scan->line++;
    }
    return false;
}

/* Number of columns, and which of them is wanted. */
static int scan_header(struct scanner *scan, const char *name, size_t *columns, size_t *wanted,
                       struct laser_error *err)
{
    char names[256] = "";
    size_t used = 0;
    bool found = false;
    struct field field = {0};
    *columns = 0;
    do {
        int result = scan_field(scan, &field, err);
        if (result != LASER_OK)
            return result;
        if (!found && field.n == strlen(name) && memcmp(field.text, name, field.n) == 0) {
            *wanted = *columns;
            found = true;
        }
        if (used + field.n + 3 < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%.*s", used ? ", " : "",
                                     (int)field.n, field.text);
        ++*columns;
    } while (!field.last);
    if (found)
        return LASER_OK;
    return laser_error_set(err, LASER_EINPUT, scan->path,
                           "no column \"%s\"; the header line names: %s (name=path:column)", name, names);
}

static int scan_record(struct scanner *scan, size_t columns, size_t wanted, struct laser_documents *documents,
                       struct laser_error *err)
{
    int64_t begin = scan->line;
    struct field field = {0}, text = {0};
    size_t i = 0;
    do {
        int result = scan_field(scan, &field, err);
        if (result != LASER_OK)
            return result;
        if (i == wanted)
            text = field;
        i++;
    } while (!field.last);
    if (i != columns) {
        char message[128];
        snprintf(message, sizeof message, "%zu fields where the header line has %zu", i, columns);
        return fail(scan, begin, message, err);
    }
    return laser_documents_add(documents, text.text, text.n, err);
}

int laser_documents_read_csv(struct laser_reader *reader, const char *field, int64_t limit_documents,
                             struct laser_documents *documents, struct laser_error *err)
{
    char *text;
    size_t n, columns = 0, wanted = 0;
    int result = laser_reader_rest(reader, &text, &n, err);
    if (result != LASER_OK)
        return result;
    bool mark = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    struct scanner scan = {.path = reader->path, .at = text + (mark ? 3 : 0), .end = text + n, .line = 1};
    if (has_record(&scan))
        result = scan_header(&scan, field, &columns, &wanted, err);
    while (result == LASER_OK && has_record(&scan) &&
           (limit_documents == 0 || documents->n < limit_documents))
        result = scan_record(&scan, columns, wanted, documents, err);
    free(text);
    return result;
}
