/* Token for token what the `tokenizers` library gives; the numbers are made by
 * tools/golden/make_tokenizer.py. */
#include "tokenizer/tokenizer.h"
#include "tokenizer_files.h"

#define GGUF_DIR SRCDIR "/tests/golden/gguf/tokenizers/"

static json_t *expected, *torture;

static struct laser_tokenizer *load(const char *path)
{
    struct laser_error err = {0};
    struct laser_tokenizer *t = NULL;
    if (laser_tokenizer_load(path, &t, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return t;
}

static const char *text_of(const json_t *obj, const char *key)
{
    const char *s = json_string_value(json_object_get(obj, key));
    assert_non_null(s);
    return s;
}

static void check_row(const struct laser_tokenizer *t, const char *family, size_t row, const json_t *want)
{
    const json_t *text = json_array_get(torture, row), *list = json_object_get(want, "list");
    struct laser_error err = {0};
    char digest[17];
    int32_t *ids, *bare;
    int64_t n, n_bare;
    char *back;
    size_t n_back;
    if (laser_tokenizer_encode(t, json_string_value(text), json_string_length(text), true, &ids, &n, &err) !=
            LASER_OK ||
        laser_tokenizer_encode(t, json_string_value(text), json_string_length(text), false, &bare, &n_bare,
                               &err) != LASER_OK ||
        laser_tokenizer_decode(t, ids, n, false, &back, &n_back, &err) != LASER_OK)
        fail_msg("%s, torture text %zu: %s", family, row, err.text);
    if (n != json_integer_value(json_object_get(want, "n")))
        fail_msg("%s, torture text %zu: %lld ids", family, row, (long long)n);
    for (int64_t i = 0; list && i < n; i++)
        assert_int_equal(ids[i], json_integer_value(json_array_get(list, (size_t)i)));
    ids_digest(ids, n, digest);
    if (strcmp(digest, text_of(want, "ids")) != 0)
        fail_msg("%s, torture text %zu: other ids", family, row);
    ids_digest(bare, n_bare, digest);
    if (strcmp(digest, text_of(want, "bare")) != 0)
        fail_msg("%s, torture text %zu: other ids without special tokens", family, row);
    snprintf(digest, sizeof(digest), "%016llx", (unsigned long long)XXH3_64bits(back, n_back));
    if (strcmp(digest, text_of(want, "text")) != 0)
        fail_msg("%s, torture text %zu: decodes to \"%s\"", family, row, back);
    free(ids);
    free(bare);
    free(back);
}

/* Every file of {path below dir: {n, ids}}. */
static void check_files(const struct laser_tokenizer *t, const char *dir, json_t *files)
{
    const char *name;
    json_t *want;
    assert_true(json_object_size(files) > 0);
    json_object_foreach(files, name, want)
    {
        struct laser_error err = {0};
        char path[4096], digest[17];
        size_t bytes;
        int32_t *ids;
        int64_t n;
        snprintf(path, sizeof(path), "%s/%s", dir, name);
        char *text = file_text(path, &bytes);
        assert_non_null(text);
        if (laser_tokenizer_encode(t, text, bytes, true, &ids, &n, &err) != LASER_OK)
            fail_msg("%s: %s", path, err.text);
        assert_int_equal(n, json_integer_value(json_object_get(want, "n")));
        ids_digest(ids, n, digest);
        assert_string_equal(digest, text_of(want, "ids"));
        free(ids);
        free(text);
    }
}

static void check_family(const char *family, const char *path, const json_t *want)
{
    const json_t *rows = json_object_get(want, "rows");
    struct laser_tokenizer *t = load(path);
    assert_int_equal(laser_tokenizer_vocab_size(t), json_integer_value(json_object_get(want, "size")));
    assert_true(json_array_size(rows) > 50);
    assert_int_equal(json_array_size(rows), json_array_size(torture));
    for (size_t i = 0; i < json_array_size(rows); i++)
        check_row(t, family, i, json_array_get(rows, i));
    check_files(t, SRCDIR, json_object_get(want, "files"));
    laser_tokenizer_free(t);
}

static void family_equals_the_library(void **state)
{
    const char *family = *state;
    char path[4096];
    snprintf(path, sizeof(path), GOLDEN_DIR "%s.json", family);
    check_family(family, path, json_object_get(json_object_get(expected, "families"), family));
}

/* The same tokenizer in the metadata of a GGUF file: tools/golden/make_gguf_tokenizer.py. */
static void gguf_equals_the_library(void **state)
{
    const char *family = *state;
    char path[4096];
    snprintf(path, sizeof(path), GGUF_DIR "%s.gguf", family);
    check_family(family, path, json_object_get(json_object_get(expected, "families"), family));
}

static void sentencepiece_of_gguf_equals_the_library(void **state)
{
    struct laser_error err = {0};
    size_t n;
    char *text = file_text(GGUF_DIR "expected.json", &n);
    json_t *want;
    (void)state;
    assert_non_null(text);
    want = json_loadb(text, n, 0, NULL);
    check_family("llama2", GGUF_DIR "llama2.gguf", json_object_get(want, "llama2"));
    struct laser_tokenizer *t = NULL;
    assert_int_equal(laser_tokenizer_load(GGUF_DIR "llama2.gguf", &t, &err), LASER_OK);
    assert_int_equal(laser_tokenizer_role_id(t, LASER_TOKEN_BOS), 1);
    assert_int_equal(laser_tokenizer_role_id(t, LASER_TOKEN_EOS), 2);
    assert_int_equal(laser_tokenizer_role_id(t, LASER_TOKEN_UNK), 0);
    assert_true(laser_tokenizer_adds_bos(t));
    assert_true(laser_tokenizer_is_special(t, 1));
    laser_tokenizer_free(t);
    json_decref(want);
    free(text);
}

static void gguf_without_a_known_tokenizer_is_refused(void **state)
{
    struct laser_error err = {0};
    struct laser_tokenizer *t;
    (void)state;
    assert_int_equal(laser_tokenizer_load(GGUF_DIR "unknown.gguf", &t, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "tokenizer.ggml.pre \"no-such-pre\" is not known"));
    assert_int_equal(laser_tokenizer_load(SRCDIR "/tests/golden/gguf/llama.gguf", &t, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "there is no tokenizer in its metadata"));
    assert_null(t);
}

static void whole_files_of_shared_data_equal_the_library(void **state)
{
    const char *shared = shared_dir(), *name;
    json_t *want;
    (void)state;
    if (!shared) {
        print_message("no shared data (LASER_SHARED): skipped\n");
        skip();
    }
    assert_true(json_object_size(json_object_get(expected, "shared")) > 0);
    json_object_foreach(json_object_get(expected, "shared"), name, want)
    {
        char path[4096];
        snprintf(path, sizeof(path), "%s/%s", shared, name);
        struct laser_tokenizer *t = load(path);
        assert_int_equal(laser_tokenizer_vocab_size(t), json_integer_value(json_object_get(want, "size")));
        check_files(t, shared, json_object_get(want, "files"));
        laser_tokenizer_free(t);
    }
}

#define GGUF(name)                                                                                           \
    {                                                                                                        \
        "gguf " name, gguf_equals_the_library, NULL, NULL, (void *)(uintptr_t)name                           \
    }
#define FAMILY(name)                                                                                         \
    {                                                                                                        \
        name, family_equals_the_library, NULL, NULL, (void *)(uintptr_t)name                                 \
    }

int main(void)
{
    expected = golden_json("expected.json");
    torture = golden_json("torture.json");
    const struct CMUnitTest tests[] = {
        GGUF("gpt2"),
        GGUF("llama3"),
        GGUF("qwen2"),
        GGUF("starcoder"),
        cmocka_unit_test(sentencepiece_of_gguf_equals_the_library),
        cmocka_unit_test(gguf_without_a_known_tokenizer_is_refused),
        FAMILY("gpt2"),
        FAMILY("llama3"),
        FAMILY("qwen2"),
        FAMILY("starcoder"),
        FAMILY("neox"),
        FAMILY("o200k"),
        FAMILY("deepseek"),
        FAMILY("roberta"),
        FAMILY("clip"),
        FAMILY("llama2"),
        FAMILY("metaspace_first"),
        FAMILY("metaspace_unk"),
        FAMILY("gemma"),
        FAMILY("unigram"),
        FAMILY("unigram_bytes"),
        FAMILY("wordpiece"),
        FAMILY("wordlevel"),
        FAMILY("t5"),
        FAMILY("graphemes"),
        FAMILY("scripts"),
        cmocka_unit_test(whole_files_of_shared_data_equal_the_library),
    };
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    json_decref(expected);
    json_decref(torture);
    return rc;
}
