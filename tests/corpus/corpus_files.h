/* Temporary files of the tests of src/corpus. */
#ifndef LASER_TESTS_CORPUS_FILES_H
#define LASER_TESTS_CORPUS_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "corpus/source.h"
#include "testing.h"

/* One folder a test program; files are overwritten from test to test. */
static char test_folder[256];

static int make_folder(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(test_folder, sizeof test_folder, "%.200s/laser-corpus-XXXXXX", base ? base : "/tmp");
    return mkdtemp(test_folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    char command[300];
    snprintf(command, sizeof command, "rm -rf '%s'", test_folder);
    return system(command);
}

static inline const char *file_path(const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%s/%s", test_folder, name);
    return path;
}

static inline const char *write_file(const char *name, const void *bytes, size_t n)
{
    const char *path = file_path(name);
    FILE *out = fopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
    return path;
}

static inline const char *write_text(const char *name, const char *text)
{
    return write_file(name, text, strlen(text));
}

static inline const char *write_gzip(const char *name, const char *text)
{
    const char *path = file_path(name);
    gzFile out = gzopen(path, "wb");
    assert_non_null(out);
    assert_int_equal(gzwrite(out, text, (unsigned)strlen(text)), (int)strlen(text));
    assert_int_equal(gzclose(out), Z_OK);
    return path;
}

/* A source of the given name, file and field (may be NULL). */
static inline struct laser_text_source source_of(const char *name, const char *path, const char *field)
{
    return (struct laser_text_source){
        .name = strdup(name), .path = strdup(path), .field = field ? strdup(field) : NULL};
}

/* Reads documents; text of document i is compared with assert_document(). */
static inline int read_documents(const char *name, const char *path, const char *field,
                                 struct laser_documents *documents, struct laser_error *err)
{
    struct laser_text_source source = source_of(name, path, field);
    int result = laser_documents_read(&source, documents, err);
    laser_text_source_free(&source);
    return result;
}

static inline void assert_document(const struct laser_documents *documents, int64_t i, const char *expected)
{
    assert_true(i < documents->n);
    assert_int_equal(documents->start[i + 1] - documents->start[i], strlen(expected));
    assert_memory_equal(documents->text + documents->start[i], expected, strlen(expected));
}

/* Reading must fail with this result, a where that ends like this and a text that contains this. */
static inline void assert_refused(const char *name, const char *path, const char *field, int result,
                                  const char *where_end, const char *text)
{
    struct laser_documents documents;
    struct laser_error err = {0};
    assert_int_equal(read_documents(name, path, field, &documents, &err), result);
    assert_null(documents.text);
    size_t n = strlen(err.where), m = strlen(where_end);
    if (n < m || strcmp(err.where + n - m, where_end) != 0)
        fail_msg("where is \"%s\", expected to end in \"%s\"", err.where, where_end);
    if (!strstr(err.text, text))
        fail_msg("text is \"%s\", expected to contain \"%s\"", err.text, text);
}

#endif
