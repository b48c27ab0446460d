/* Lines or the rest of a file that may be packed with gzip.  Internal to this folder. */
#ifndef LASER_CORPUS_READER_H
#define LASER_CORPUS_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <zlib.h>

#include "base/error.h"
#include "corpus/source.h"

struct laser_reader {
    const char *path;
    gzFile file;
    struct stat before; /* to notice a file that changes while it is read */
    char *buffer;       /* bytes begin .. end are read and not handed out */
    size_t capacity, begin, end;
    bool ended;
    int64_t line;       /* number of the last line handed out, from 1 */
    bool line_complete; /* it ended with '\n', which stands at line[n] */
};

/* LASER_EINPUT where the file is missing, a directory, or no text by its first bytes (base/kind.h); the text
 * says where a known data set is to be had.
 */
int laser_reader_open(struct laser_reader *reader, const struct laser_text_source *source,
                      struct laser_error *err);

/* The next line, n bytes without its '\n'; *line is NULL at the end of the file and is valid until the next
 * call. */
int laser_reader_line(struct laser_reader *reader, const char **line, size_t *n, struct laser_error *err);

/* All that is left, with a NUL behind it.  The caller frees *text. */
int laser_reader_rest(struct laser_reader *reader, char **text, size_t *n, struct laser_error *err);

/* LASER_OK, or LASER_EINPUT where the file is other than at laser_reader_open(). */
int laser_reader_unchanged(const struct laser_reader *reader, struct laser_error *err);

void laser_reader_close(struct laser_reader *reader);

/* Growing documents: adds one of n bytes.  *documents begins as all zero. */
int laser_documents_add(struct laser_documents *documents, const char *text, size_t n,
                        struct laser_error *err);

/* The two formats with records; field NULL = the default of the data set's name. */
int laser_documents_read_json(struct laser_reader *reader, const char *field, int64_t limit_documents,
                              struct laser_documents *documents, struct laser_error *err);
int laser_documents_read_csv(struct laser_reader *reader, const char *field, int64_t limit_documents,
                             struct laser_documents *documents, struct laser_error *err);

#endif
