#include "checkpoint/zip.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint/io.h"

enum {
    END_BYTES = 22,
    LOCATOR_BYTES = 20,
    RECORD_BYTES = 56,
    ENTRY_BYTES = 46,
    HEADER_BYTES = 30,
    MOST_COMMENT = 65535
};

#define MOST_DIRECTORY (INT64_C(1) << 28)

static uint64_t number(const unsigned char *p, int n)
{
    uint64_t value = 0;

    for (int i = n - 1; i >= 0; i--)
        value = value << 8 | p[i];
    return value;
}

static int64_t bounded(uint64_t value)
{
    return value > INT64_MAX / 4 ? INT64_MAX / 4 : (int64_t)value;
}

static int damaged(const char *file, const char *what, struct laser_error *err)
{
    return laser_error_set(err, LASER_EINPUT, file, "a damaged archive: %s", what);
}

int laser_zip_find(const char *file, const unsigned char *tail, int64_t n, int64_t size_bytes,
                   const unsigned char *record, int64_t *wants, int64_t *at, int64_t *length,
                   struct laser_error *err)
{
    int64_t end = n - END_BYTES;
    bool is64;

    *wants = -1;
    while (end >= 0 && memcmp(tail + end, "PK\5\6", 4) != 0)
        end--;
    if (end < 0)
        return laser_error_set(
            err, LASER_EINPUT, file,
            "no archive as torch.save writes them since version 1.6: no end of a directory (truncated, or "
            "an older file: load it with torch and save it again)");
    *length = bounded(number(tail + end + 12, 4));
    *at = bounded(number(tail + end + 16, 4));
    is64 = end >= LOCATOR_BYTES && memcmp(tail + end - LOCATOR_BYTES, "PK\6\7", 4) == 0;
    if (is64 && record == NULL) {
        *wants = bounded(number(tail + end - LOCATOR_BYTES + 8, 8));
        if (*wants > size_bytes - RECORD_BYTES)
            return damaged(file, "its end record lies outside the file", err);
        return LASER_OK;
    }
    if (is64) {
        if (memcmp(record, "PK\6\6", 4) != 0)
            return damaged(file, "no end record where its place says", err);
        *length = bounded(number(record + 40, 8));
        *at = bounded(number(record + 48, 8));
    }
    if (*length > MOST_DIRECTORY || *at > size_bytes || *length > size_bytes - *at)
        return damaged(file, "its directory lies outside the file", err);
    return LASER_OK;
}

/* The sizes that ZIP64 keeps in an extra field, in this order, where the usual place holds ones. */
static bool read_extra(const unsigned char *p, int64_t n, int64_t *size, int64_t *packed, int64_t *header)
{
    int64_t *const wanted[] = {size, packed, header};

    while (n >= 4) {
        const int64_t length = (int64_t)number(p + 2, 2);
        const unsigned char *field = p + 4, *stop;

        if (length > n - 4)
            return false;
        stop = field + length;
        for (int i = 0; number(p, 2) == 1 && i < 3; i++) {
            if (*wanted[i] != UINT32_MAX)
                continue;
            if (stop - field < 8)
                return false;
            *wanted[i] = bounded(number(field, 8));
            field += 8;
        }
        p += 4 + length;
        n -= 4 + length;
    }
    return true;
}

/* One entry of the directory; *taken are its bytes. */
static int parse_entry(const char *file, const unsigned char *p, int64_t n, int64_t size_bytes,
                       struct laser_zip_entry *e, int64_t *taken, struct laser_error *err)
{
    int64_t name, extra, packed;

    if (n < ENTRY_BYTES || memcmp(p, "PK\1\2", 4) != 0)
        return damaged(file, "an entry of its directory does not begin as one", err);
    name = (int64_t)number(p + 28, 2);
    extra = (int64_t)number(p + 30, 2);
    *taken = ENTRY_BYTES + name + extra + (int64_t)number(p + 32, 2);
    if (*taken > n)
        return damaged(file, "an entry of its directory is cut off", err);
    e->name = strndup((const char *)p + ENTRY_BYTES, (size_t)name);
    if (e->name == NULL)
        return laser_error_set(err, LASER_ENOMEM, file, "no memory for its directory");
    packed = (int64_t)number(p + 20, 4);
    e->size_bytes = (int64_t)number(p + 24, 4);
    e->header = (int64_t)number(p + 42, 4);
    if (!read_extra(p + ENTRY_BYTES + name, extra, &e->size_bytes, &packed, &e->header))
        return damaged(file, "an extra field is cut off", err);
    if ((number(p + 8, 2) & 1) != 0 || number(p + 10, 2) != 0 || packed != e->size_bytes)
        return laser_error_set(err, LASER_EINPUT, file,
                               "\"%.200s\" is compressed or encrypted, expected stored bytes", e->name);
    if (e->header > size_bytes - HEADER_BYTES || e->size_bytes > size_bytes - HEADER_BYTES - e->header)
        return laser_error_set(err, LASER_EINPUT, file, "\"%.200s\" lies outside the file (truncated?)",
                               e->name);
    return LASER_OK;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct laser_zip_entry *)a)->name, ((const struct laser_zip_entry *)b)->name);
}

int laser_zip_parse(const char *file, const unsigned char *bytes, int64_t n, int64_t size_bytes,
                    struct laser_zip *zip, struct laser_error *err)
{
    int code = LASER_OK;

    zip->n_entries = 0;
    zip->entries = calloc((size_t)(n / ENTRY_BYTES) + 1, sizeof *zip->entries);
    if (zip->entries == NULL)
        return laser_error_set(err, LASER_ENOMEM, file, "no memory for its directory");
    for (int64_t at = 0, taken = 0; code == LASER_OK && at < n; at += taken)
        code =
            parse_entry(file, bytes + at, n - at, size_bytes, &zip->entries[zip->n_entries++], &taken, err);
    if (code == LASER_OK)
        qsort(zip->entries, (size_t)zip->n_entries, sizeof *zip->entries, by_name);
    for (int64_t i = 1; code == LASER_OK && i < zip->n_entries; i++) {
        if (strcmp(zip->entries[i - 1].name, zip->entries[i].name) == 0)
            code = damaged(file, "two entries have the same name", err);
    }
    if (code != LASER_OK)
        laser_zip_free(zip);
    return code;
}

/* An entry's bytes follow its own header, whose fields may be of another length than the directory's. */
static int find_bytes(int fd, const char *file, int64_t size_bytes, struct laser_zip_entry *e,
                      struct laser_error *err)
{
    unsigned char header[HEADER_BYTES];
    const int code = laser_io_read_at(fd, file, e->header, HEADER_BYTES, header, err);

    if (code != LASER_OK)
        return code;
    e->offset = e->header + HEADER_BYTES + (int64_t)number(header + 26, 2) + (int64_t)number(header + 28, 2);
    if (memcmp(header, "PK\3\4", 4) != 0 || e->offset > size_bytes - e->size_bytes)
        return laser_error_set(err, LASER_EINPUT, file,
                               "a damaged archive: no \"%.200s\" where its place says", e->name);
    return LASER_OK;
}

static int read_directory(int fd, const char *file, int64_t size_bytes, unsigned char **bytes,
                          int64_t *length, struct laser_error *err)
{
    const int64_t most = END_BYTES + LOCATOR_BYTES + MOST_COMMENT, n = size_bytes < most ? size_bytes : most;
    unsigned char record[RECORD_BYTES], *tail = malloc((size_t)n + 1);
    int64_t wants = -1, at = 0;
    int code = tail != NULL ? laser_io_read_at(fd, file, size_bytes - n, n, tail, err)
                            : laser_error_set(err, LASER_ENOMEM, file, "no memory for its directory");

    if (code == LASER_OK)
        code = laser_zip_find(file, tail, n, size_bytes, NULL, &wants, &at, length, err);
    if (code == LASER_OK && wants >= 0) {
        code = laser_io_read_at(fd, file, wants, RECORD_BYTES, record, err);
        if (code == LASER_OK)
            code = laser_zip_find(file, tail, n, size_bytes, record, &wants, &at, length, err);
    }
    free(tail);
    if (code != LASER_OK)
        return code;
    *bytes = malloc((size_t)*length + 1);
    return *bytes != NULL ? laser_io_read_at(fd, file, at, *length, *bytes, err)
                          : laser_error_set(err, LASER_ENOMEM, file, "no memory for its directory");
}

int laser_zip_open(int fd, const char *file, int64_t size_bytes, struct laser_zip *zip,
                   struct laser_error *err)
{
    unsigned char *bytes = NULL;
    int64_t length = 0;
    int code = read_directory(fd, file, size_bytes, &bytes, &length, err);

    memset(zip, 0, sizeof *zip);
    if (code == LASER_OK)
        code = laser_zip_parse(file, bytes, length, size_bytes, zip, err);
    free(bytes);
    for (int64_t i = 0; code == LASER_OK && i < zip->n_entries; i++)
        code = find_bytes(fd, file, size_bytes, &zip->entries[i], err);
    if (code != LASER_OK)
        laser_zip_free(zip);
    return code;
}

const struct laser_zip_entry *laser_zip_get(const struct laser_zip *zip, const char *name)
{
    const struct laser_zip_entry key = {.name = (char *)(uintptr_t)name};

    return zip->n_entries > 0
               ? bsearch(&key, zip->entries, (size_t)zip->n_entries, sizeof *zip->entries, by_name)
               : NULL;
}

void laser_zip_free(struct laser_zip *zip)
{
    for (int64_t i = 0; i < zip->n_entries; i++)
        free(zip->entries[i].name);
    free(zip->entries);
    memset(zip, 0, sizeof *zip);
}
