/* What the tokenizer tests read: golden files, texts, shared data. */
#ifndef LASER_TESTS_TOKENIZER_FILES_H
#define LASER_TESTS_TOKENIZER_FILES_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "testing.h"

#define GOLDEN_DIR SRCDIR "/tests/golden/tokenizer/"

static inline json_t *golden_json(const char *name)
{
    char path[4096];
    json_error_t e;
    snprintf(path, sizeof(path), GOLDEN_DIR "%s", name);
    json_t *j = json_load_file(path, JSON_ALLOW_NUL, &e);
    if (!j)
        fail_msg("%s:%d: %s", path, e.line, e.text);
    return j;
}

/* A whole file, malloc'ed and NUL-terminated; NULL if it cannot be read. */
static inline char *file_text(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    *n = 0;
    if (!f)
        return NULL;
    assert_int_equal(fseek(f, 0, SEEK_END), 0);
    long size = ftell(f);
    assert_true(size >= 0);
    rewind(f);
    char *s = malloc((size_t)size + 1);
    assert_non_null(s);
    *n = fread(s, 1, (size_t)size, f);
    assert_int_equal(*n, size);
    s[*n] = '\0';
    fclose(f);
    return s;
}

/* XXH3 of 32-bit little-endian numbers, as 16 hexadecimal digits. */
static inline void ids_digest(const int32_t *ids, int64_t n, char out[17])
{
    XXH3_state_t *state = XXH3_createState();
    assert_non_null(state);
    XXH3_64bits_reset(state);
    for (int64_t i = 0; i < n; i++) {
        uint32_t u = (uint32_t)ids[i];
        unsigned char b[4] = {u & 255, u >> 8 & 255, u >> 16 & 255, u >> 24};
        XXH3_64bits_update(state, b, 4);
    }
    snprintf(out, 17, "%016llx", (unsigned long long)XXH3_64bits_digest(state));
    XXH3_freeState(state);
}

/* The folder with data/text and data/tokenizers, NULL if there is none here. */
static inline const char *shared_dir(void)
{
    const char *dir = getenv("LASER_SHARED");
    FILE *f;
    char path[4096];
    if (!dir)
        dir = SRCDIR "/../shared";
    snprintf(path, sizeof(path), "%s/data/text/wiki.test.raw", dir);
    f = fopen(path, "rb");
    if (!f)
        return NULL;
    fclose(f);
    return dir;
}

#endif
