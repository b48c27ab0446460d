/* One column of a CSV file (base/csv.h), with the same number of fields in each record. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/csv.h"
#include "corpus/reader.h"

/* Number of columns, and which of them is wanted. */
static int scan_header(struct laser_csv *csv, const char *name, size_t *columns, size_t *wanted,
                       struct laser_error *err)
{
    char names[256] = "";
    size_t used = 0;
    bool found = false;
    struct laser_csv_field field = {0};
    *columns = 0;
    do {
        int result = laser_csv_next(csv, &field, err);
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
    return laser_error_set(err, LASER_EINPUT, csv->path,
                           "no column \"%s\"; the header line names: %s (name=path:column)", name, names);
}

static int scan_record(struct laser_csv *csv, size_t columns, size_t wanted,
                       struct laser_documents *documents, struct laser_error *err)
{
    int64_t begin = csv->line;
    struct laser_csv_field field = {0}, text = {0};
    size_t i = 0;
    do {
        int result = laser_csv_next(csv, &field, err);
        if (result != LASER_OK)
            return result;
        if (i == wanted)
            text = field;
        i++;
    } while (!field.last);
    if (i != columns) {
        char message[128];
        snprintf(message, sizeof message, "%zu fields where the header line has %zu", i, columns);
        return laser_csv_fail(csv, begin, message, err);
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
    struct laser_csv csv;
    laser_csv_begin(&csv, reader->path, text, n);
    if (laser_csv_more(&csv))
        result = scan_header(&csv, field, &columns, &wanted, err);
    while (result == LASER_OK && laser_csv_more(&csv) &&
           (limit_documents == 0 || documents->n < limit_documents))
        result = scan_record(&csv, columns, wanted, documents, err);
    free(text);
    return result;
}
