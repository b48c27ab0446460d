/* A short, repeatable run of the fuzz target on broken copies of the golden files. */
#include "fuzz_tokenizer.h"
#include "tokenizer_files.h"

static uint64_t seed = 88172645463325252u;

static size_t below(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return n ? (size_t)(seed % n) : 0;
}

/* Changes, removes, repeats or moves some bytes; returns the new length, at most n + 64. */
static size_t damage(char *s, size_t n)
{
    static const char *const words[] = {"null", "-1", "\"",          "{",    "]", "1e999", "\\u0000",
                                        "true", "[[", "99999999999", "\"\"", "(", "*"};
    for (size_t k = 1 + below(3); k > 0 && n > 8; k--) {
        size_t at = below(n - 4);
        const char *w = words[below(sizeof(words) / sizeof(*words))];
        switch (below(4)) {
        case 0:
            s[at] = (char)below(256);
            break;
        case 1: {
            size_t len = below(n - at < 40 ? n - at : 40);
            memmove(s + at, s + at + len, n - at - len);
            n -= len;
            break;
        }
        case 2:
            memmove(s + at + strlen(w), s + at, n - at);
            memcpy(s + at, w, strlen(w));
            n += strlen(w);
            break;
        default:
            memmove(s + at, s + below(n - 4), 4);
        }
    }
    return n;
}

static void broken_files_do_not_crash(void **state)
{
    static const char *const names[] = {"wordlevel", "wordpiece", "gemma",         "clip",      "unigram",
                                        "deepseek",  "roberta",   "metaspace_unk", "graphemes", "scripts"};
    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        char path[4096];
        size_t n, m;
        snprintf(path, sizeof(path), GOLDEN_DIR "%s.json", names[i]);
        char *json = file_text(path, &n);
        assert_non_null(json);
        /* The vocabulary is most of the file and the least of the trouble: half of the runs spare it. */
        const char *vocab = strstr(json, "\"vocab\"");
        assert_non_null(vocab);
        for (int k = 0; k < 60; k++) {
            size_t head = k % 2 ? (size_t)(vocab - json) : n;
            char *copy = malloc(n + 128);
            assert_non_null(copy);
            memcpy(copy, json, head);
            m = damage(copy, head);
            memcpy(copy + m, json + head, n - head);
            assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)copy, m + n - head), 0);
            free(copy);
        }
        for (int k = 0; k < 10; k++)
            assert_int_equal(LLVMFuzzerTestOneInput((const uint8_t *)json, below(n)), 0);
        free(json);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(broken_files_do_not_crash)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
