#include "base/csv.h"

#include <stdio.h>
#include <string.h>

int laser_csv_fail(const struct laser_csv *csv, int64_t line, const char *text, struct laser_error *err)
{
    char where[512];

    snprintf(where, sizeof where, "%.450s:%lld", csv->path, (long long)line);
    return laser_error_set(err, LASER_EINPUT, where, "%s", text);
}

void laser_csv_begin(struct laser_csv *csv, const char *path, char *text, size_t size)
{
    bool mark = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;

    *csv = (struct laser_csv){.path = path, .at = text + (mark ? 3 : 0), .end = text + size, .line = 1};
}

static int next_quoted(struct laser_csv *csv, struct laser_csv_field *field, struct laser_error *err)
{
    int64_t begin = csv->line;
    char *out = ++csv->at;

    field->text = out;
    while (csv->at < csv->end) {
        if (*csv->at == '"') {
            csv->at++;
            if (csv->at == csv->end || *csv->at != '"') {
                field->n = (size_t)(out - field->text);
                return LASER_OK;
            }
        } else if (*csv->at == '\n') {
            csv->line++;
        }
        *out++ = *csv->at++;
    }
    return laser_csv_fail(csv, begin, "a quoted field begins here and does not end", err);
}

static int next_plain(struct laser_csv *csv, struct laser_csv_field *field, struct laser_error *err)
{
    field->text = csv->at;
    while (csv->at < csv->end && *csv->at != ',' && *csv->at != '\n') {
        if (*csv->at == '"')
            return laser_csv_fail(csv, csv->line, "a quote inside a field that is not quoted", err);
        csv->at++;
    }
    field->n = (size_t)(csv->at - field->text);
    if (field->n > 0 && field->text[field->n - 1] == '\r' && (csv->at == csv->end || *csv->at == '\n'))
        field->n--;
    return LASER_OK;
}

int laser_csv_next(struct laser_csv *csv, struct laser_csv_field *field, struct laser_error *err)
{
    bool quoted = csv->at < csv->end && *csv->at == '"';
    int code = quoted ? next_quoted(csv, field, err) : next_plain(csv, field, err);

    if (code != LASER_OK)
        return code;
    if (quoted && csv->at < csv->end && *csv->at == '\r')
        csv->at++;
    field->last = csv->at == csv->end || *csv->at == '\n';
    if (!field->last && *csv->at != ',')
        return laser_csv_fail(csv, csv->line, "text behind the quote that ends a field", err);
    if (csv->at < csv->end)
        csv->line += *csv->at++ == '\n';
    else
        csv->at = NULL;
    return LASER_OK;
}

bool laser_csv_more(struct laser_csv *csv)
{
    while (csv->at != NULL && csv->at < csv->end) {
        const char *line = *csv->at == '\r' && csv->at + 1 < csv->end ? csv->at + 1 : csv->at;

        if (*line != '\n')
            return true;
        csv->at += line - csv->at + 1;
        csv->line++;
    }
    return false;
}
