#include "corpus/reader.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/kind.h"

enum { CHUNK = 1 << 16 };

static int report_missing(const struct laser_text_source *source, struct laser_error *err)
{
    const struct laser_known_dataset *known = laser_known_dataset_find(source->name);
    if (errno == ENOENT && known)
        return laser_error_set(err, LASER_EINPUT, source->path,
                               "no such file; the data set %s needs %s (nothing is downloaded)", source->name,
                               known->file);
    return laser_error_set(err, LASER_EINPUT, source->path, "cannot open the text of data set %s: %s",
                           source->name, strerror(errno));
}

static int report_read(struct laser_reader *reader, struct laser_error *err)
{
    int code = Z_OK;
    const char *text = gzerror(reader->file, &code);
    if (code == Z_ERRNO)
        return laser_error_set(err, LASER_EIO, reader->path, "cannot read: %s", strerror(errno));
    return laser_error_set(err, LASER_EINPUT, reader->path, "broken gzip data (truncated or damaged): %s",
                           text);
}

/* Room for one more chunk behind the bytes that are still wanted. */
static int make_room(struct laser_reader *reader, struct laser_error *err)
{
    if (reader->begin > 0) {
        memmove(reader->buffer, reader->buffer + reader->begin, reader->end - reader->begin);
        reader->end -= reader->begin;
        reader->begin = 0;
    }
    if (reader->capacity - reader->end > CHUNK)
        return LASER_OK;
    if (reader->capacity > SIZE_MAX / 2 - 2 * CHUNK)
        return laser_error_set(err, LASER_ENOMEM, reader->path, "text too large for memory");
    size_t capacity = 2 * reader->capacity + 2 * CHUNK;
    char *buffer = realloc(reader->buffer, capacity);
    if (!buffer)
        return laser_error_set(err, LASER_ENOMEM, reader->path, "no memory for %zu bytes of text", capacity);
    reader->buffer = buffer;
    reader->capacity = capacity;
    return LASER_OK;
}

static int read_chunk(struct laser_reader *reader, struct laser_error *err)
{
    int result = make_room(reader, err);
    if (result != LASER_OK)
        return result;
    int got = gzread(reader->file, reader->buffer + reader->end, CHUNK);
    if (got < 0)
        return report_read(reader, err);
    if (got == 0) {
        int code = Z_OK;
        gzerror(reader->file, &code); /* a truncated gzip file ends without a failing read */
        if (code != Z_OK && code != Z_STREAM_END)
            return report_read(reader, err);
        reader->ended = true;
    }
    reader->end += (size_t)got;
    return LASER_OK;
}

int laser_reader_open(struct laser_reader *reader, const struct laser_text_source *source,
                      struct laser_error *err)
{
    memset(reader, 0, sizeof *reader);
    reader->path = source->path;
    if (stat(source->path, &reader->before) != 0)
        return report_missing(source, err);
    if (!S_ISREG(reader->before.st_mode))
        return laser_error_set(err, LASER_EINPUT, source->path, "is %s; data set %s needs one file",
                               S_ISDIR(reader->before.st_mode) ? "a directory" : "not a regular file",
                               source->name);
    errno = 0;
    reader->file = gzopen(source->path, "rb");
    if (!reader->file)
        return errno ? report_missing(source, err)
                     : laser_error_set(err, LASER_ENOMEM, source->path, "no memory to open the file");
    gzbuffer(reader->file, CHUNK);
    /* The first bytes, out of gzip, tell a file that is no text. */
    int code = read_chunk(reader, err);
    if (code == LASER_OK)
        code = laser_kind_refuse(source->path, reader->buffer, reader->end, err);
    if (code != LASER_OK)
        laser_reader_close(reader);
    return code;
}

int laser_reader_line(struct laser_reader *reader, const char **line, size_t *n, struct laser_error *err)
{
    *line = NULL;
    *n = 0;
    size_t searched = 0;
    for (;;) {
        size_t left = reader->end - reader->begin;
        const char *end =
            left > searched ? memchr(reader->buffer + reader->begin + searched, '\n', left - searched) : NULL;
        if (end || (reader->ended && left > 0)) {
            *line = reader->buffer + reader->begin;
            *n = end ? (size_t)(end - *line) : left;
            reader->begin += *n + (end ? 1 : 0);
            reader->line++;
            reader->line_complete = end != NULL;
            return LASER_OK;
        }
        if (reader->ended)
            return LASER_OK;
        searched = left;
        int result = read_chunk(reader, err);
        if (result != LASER_OK)
            return result;
    }
}

int laser_reader_rest(struct laser_reader *reader, char **text, size_t *n, struct laser_error *err)
{
    *text = NULL;
    *n = 0;
    while (!reader->ended) {
        int result = read_chunk(reader, err);
        if (result != LASER_OK)
            return result;
    }
    int result = make_room(reader, err);
    if (result != LASER_OK)
        return result;
    *text = reader->buffer;
    *n = reader->end;
    reader->buffer[reader->end] = 0;
    reader->buffer = NULL;
    reader->capacity = reader->begin = reader->end = 0;
    return LASER_OK;
}

int laser_reader_unchanged(const struct laser_reader *reader, struct laser_error *err)
{
    struct stat now;
    const struct stat *was = &reader->before;
    if (stat(reader->path, &now) != 0)
        return laser_error_set(err, LASER_EINPUT, reader->path, "the file vanished while it was read");
    if (!S_ISREG(was->st_mode))
        return LASER_OK;
    if (now.st_size != was->st_size || now.st_ino != was->st_ino ||
        now.st_mtim.tv_sec != was->st_mtim.tv_sec || now.st_mtim.tv_nsec != was->st_mtim.tv_nsec)
        return laser_error_set(err, LASER_EINPUT, reader->path,
                               "the file changed while it was read (%lld bytes before, %lld after)",
                               (long long)was->st_size, (long long)now.st_size);
    return LASER_OK;
}

void laser_reader_close(struct laser_reader *reader)
{
    if (reader->file)
        gzclose(reader->file);
    free(reader->buffer);
    memset(reader, 0, sizeof *reader);
}
