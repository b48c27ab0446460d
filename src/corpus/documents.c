#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/kind.h"
#include "corpus/reader.h"
#include "corpus/source.h"

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Lines without the blanks around them; for LASER_JOIN_ROWS as the hub's loader of wikitext makes rows: a
 * blank line becomes empty, any other one keeps its blanks and its line end. */
static int read_lines(struct laser_reader *reader, enum laser_join join, struct laser_documents *documents,
                      struct laser_error *err)
{
    const char *line;
    size_t n;
    int result;
    while ((result = laser_reader_line(reader, &line, &n, err)) == LASER_OK && line) {
        size_t begin = 0, end = n;
        while (end > 0 && is_blank(line[end - 1]))
            end--;
        while (begin < end && is_blank(line[begin]))
            begin++;
        if (join == LASER_JOIN_ROWS && begin < end) {
            begin = 0;
            end = n + (reader->line_complete ? 1 : 0);
        }
        result = laser_documents_add(documents, line + begin, end - begin, err);
        if (result != LASER_OK)
            break;
    }
    return result;
}

static int read_whole(struct laser_reader *reader, struct laser_documents *documents, struct laser_error *err)
{
    char *text;
    size_t n;
    int result = laser_reader_rest(reader, &text, &n, err);
    if (result == LASER_OK)
        result = laser_documents_add(documents, text, n, err);
    free(text);
    return result;
}

static int refuse_format(const struct laser_text_source *source, enum laser_text_format format,
                         struct laser_error *err)
{
    if (format == LASER_FORMAT_PARQUET) /* by its name */
        return laser_kind_refuse(source->path, "PAR1", 4, err);
    if (format == LASER_FORMAT_IDS || format == LASER_FORMAT_HDF5)
        return laser_error_set(err, LASER_EINPUT, source->path, "holds token ids, where text is needed");
    return LASER_OK;
}

int laser_documents_read(const struct laser_text_source *source, struct laser_documents *documents,
                         struct laser_error *err)
{
    const struct laser_known_dataset *known = laser_known_dataset_find(source->name);
    enum laser_text_format format = laser_text_source_format(source);
    enum laser_join join = known ? known->join : LASER_JOIN_NONE;
    const char *field = source->field ? source->field : known ? known->field : "text";
    int64_t limit = known ? known->limit_documents : 0;
    struct laser_reader reader;
    memset(documents, 0, sizeof *documents);
    int result = laser_reader_open(&reader, source, err);
    if (result == LASER_OK)
        result = refuse_format(source, format, err);
    if (result == LASER_OK) {
        if (format == LASER_FORMAT_JSON_LINES)
            result = laser_documents_read_json(&reader, field, limit, documents, err);
        else if (format == LASER_FORMAT_CSV)
            result = laser_documents_read_csv(&reader, field, limit, documents, err);
        else if (join == LASER_JOIN_NONE)
            result = read_whole(&reader, documents, err);
        else
            result = read_lines(&reader, join, documents, err);
    }
    if (result == LASER_OK)
        result = laser_reader_unchanged(&reader, err);
    laser_reader_close(&reader);
    if (result == LASER_OK && (documents->n == 0 || documents->start[documents->n] == 0))
        result = laser_error_set(err, LASER_EINPUT, source->path, "the file has no text");
    if (result != LASER_OK) {
        laser_documents_free(documents);
        if (err && !err->where[0])
            snprintf(err->where, sizeof err->where, "%s", source->path);
    }
    return result;
}
