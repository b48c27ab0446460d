/* tokenize TOKENIZER FILE...: prints the number of ids, their XXH3 as little-endian int32, the seconds that
 * it took and the name of each file. tokenize --ids TOKENIZER: reads records of 4 bytes length
 * (little-endian) and text from the standard input, and answers each with a line of ids, with and without
 * special tokens, and what they decode to: for tools/check_tokenizers.py. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <xxhash.h>

#include "tokenizer/tokenizer.h"

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const struct laser_error *err)
{
    fprintf(stderr, "%s: %s\n", err->where, err->text);
    return err->code;
}

static char *read_all(FILE *f, size_t *n)
{
    char *buf = NULL;
    size_t cap = 0;
    for (*n = 0;;) {
        if (cap - *n < 65536) {
            char *p = realloc(buf, cap = 2 * cap + 131072);
            if (!p) {
                free(buf);
                return NULL;
            }
            buf = p;
        }
        size_t k = fread(buf + *n, 1, cap - *n, f);
        if (k == 0)
            return buf;
        *n += k;
    }
}

static int time_file(const struct laser_tokenizer *t, const char *path)
{
    struct laser_error err = {0};
    size_t bytes;
    int32_t *ids;
    int64_t n;
    FILE *f = fopen(path, "rb");
    char *text = f ? read_all(f, &bytes) : NULL;
    if (f)
        fclose(f);
    if (!text) {
        fprintf(stderr, "%s: cannot read\n", path);
        return LASER_EIO;
    }
    double start_s = now_s();
    int rc = laser_tokenizer_encode(t, text, bytes, true, &ids, &n, &err);
    double took_s = now_s() - start_s;
    free(text);
    if (rc != LASER_OK)
        return fail(&err);
    printf("%lld %016llx %.4f %s\n", (long long)n,
           (unsigned long long)XXH3_64bits(ids, (size_t)n * sizeof(*ids)), took_s, path);
    free(ids);
    return LASER_OK;
}

static void print_ids(const struct laser_tokenizer *t, const char *text, size_t n_bytes, bool special)
{
    struct laser_error err = {0};
    int32_t *ids;
    int64_t n;
    if (laser_tokenizer_encode(t, text, n_bytes, special, &ids, &n, &err) != LASER_OK) {
        printf("error %s\n", err.text);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        printf(i ? " %d" : "%d", (int)ids[i]);
    printf("\n");
    if (special) {
        char *back;
        size_t bytes;
        if (laser_tokenizer_decode(t, ids, n, false, &back, &bytes, &err) == LASER_OK) {
            for (size_t i = 0; i < bytes; i++)
                printf("%02x", (unsigned)(unsigned char)back[i]);
            printf("\n");
            free(back);
        } else {
            printf("error %s\n", err.text);
        }
    }
    free(ids);
}

static int answer(const struct laser_tokenizer *t)
{
    unsigned char head[4];
    while (fread(head, 1, 4, stdin) == 4) {
        size_t n = (size_t)head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        char *text = malloc(n + 1);
        if (!text || fread(text, 1, n, stdin) != n) {
            free(text);
            return LASER_EIO;
        }
        print_ids(t, text, n, true);
        print_ids(t, text, n, false);
        fflush(stdout);
        free(text);
    }
    return LASER_OK;
}

int main(int argc, char **argv)
{
    struct laser_error err = {0};
    struct laser_tokenizer *t;
    bool ids = argc > 1 && strcmp(argv[1], "--ids") == 0;
    int rc = LASER_OK;
    if (argc < 3) {
        fprintf(stderr, "usage: tokenize TOKENIZER FILE... | tokenize --ids TOKENIZER\n");
        return LASER_EUSAGE;
    }
    double start_s = now_s();
    if (laser_tokenizer_load(argv[1 + ids], &t, &err) != LASER_OK)
        return fail(&err);
    if (!ids)
        printf("loaded in %.3f s: %lld tokens\n", now_s() - start_s,
               (long long)laser_tokenizer_vocab_size(t));
    if (ids)
        rc = answer(t);
    for (int i = 2; !ids && i < argc && rc == LASER_OK; i++)
        rc = time_file(t, argv[i]);
    laser_tokenizer_free(t);
    return rc;
}
