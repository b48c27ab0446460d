/* Temporary directories, small files and committed checkpoints for the tests of src/checkpoint. */
#ifndef LASER_TESTS_CHECKPOINT_FIXTURE_H
#define LASER_TESTS_CHECKPOINT_FIXTURE_H

#include "config.h" /* _GNU_SOURCE */

#include "testing.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "checkpoint/checkpoint.h"

#define GOLDEN SRCDIR "/tests/golden/checkpoint"

/* dir/name, alive for the next 64 calls. */
static inline const char *path_of(const char *dir, const char *name)
{
    static char *ring[64];
    static unsigned next;
    char **path = &ring[next++ % 64], *old = *path;

    assert_true(asprintf(path, "%s/%s", dir, name) > 0);
    free(old);
    return *path;
}

static inline int make_temporary(void **state)
{
    const char *base = getenv("TMPDIR");
    char path[400];

    snprintf(path, sizeof path, "%s/laser-checkpoint-XXXXXX", base != NULL ? base : "/tmp");
    if (mkdtemp(path) == NULL)
        return -1;
    *state = strdup(path);
    return *state != NULL ? 0 : -1;
}

static inline int remove_entry(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
    (void)status;
    (void)type;
    (void)ftw;
    return remove(path);
}

static inline int remove_temporary(void **state)
{
    const int failed = nftw(*state, remove_entry, 16, FTW_DEPTH | FTW_PHYS);

    free(*state);
    return failed;
}

static inline void put_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static inline void put_text(const char *path, const char *text)
{
    put_file(path, text, strlen(text));
}

static inline char *get_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    char *bytes = malloc(1 << 20);

    assert_non_null(f);
    assert_non_null(bytes);
    *n = fread(bytes, 1, 1 << 20, f);
    fclose(f);
    return bytes;
}

static inline void assert_same_file(const char *a, const char *b)
{
    size_t n = 0, m = 0;
    char *x = get_file(a, &n), *y = get_file(b, &m);

    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
    free(x);
    free(y);
}

/* A safetensors file of this header text and n_data bytes of data. */
static inline void put_safetensors(const char *path, const char *header, size_t n_data)
{
    const size_t length = strlen(header);
    char *bytes = calloc(1, 8 + length + n_data);

    assert_non_null(bytes);
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)(length >> (8 * i) & 0xff);
    memcpy(bytes + 8, header, length);
    for (size_t i = 0; i < n_data; i++)
        bytes[8 + length + i] = (char)(i * 7 + 1);
    put_file(path, bytes, 8 + length + n_data);
    free(bytes);
}

static inline struct laser_checkpoint *open_model(const char *model)
{
    struct laser_checkpoint *c = NULL;
    struct laser_error err = {0};
    const int code = laser_checkpoint_open(model, &c, &err);

    if (code != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return c;
}

/* Opening fails with this code, and the message holds this text. */
static inline void assert_refused(const char *model, int code, const char *text)
{
    struct laser_checkpoint *c = NULL;
    struct laser_error err = {0};

    assert_int_equal(laser_checkpoint_open(model, &c, &err), code);
    assert_null(c);
    if (strstr(err.text, text) == NULL)
        fail_msg("\"%s\" is not in the message \"%s\"", text, err.text);
}

/* All bytes of t; the caller frees them. */
static inline char *read_tensor(const struct laser_checkpoint *c, const struct laser_tensor *t)
{
    char *bytes = malloc((size_t)t->size_bytes + 1);
    struct laser_error err = {0};

    assert_non_null(bytes);
    if (laser_checkpoint_read(c, t, 0, t->size_bytes, bytes, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return bytes;
}

#endif
