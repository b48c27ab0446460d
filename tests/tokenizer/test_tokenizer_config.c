/* What the files beside tokenizer.json do to the ids, key by key, as transformers has it: the cases and
 * numbers of tests/golden/tokenizer_config.json are made by tools/golden/make_tokenizer_config.py. */
#include <unistd.h>

#include "tokenizer/tokenizer.h"
#include "tokenizer_files.h"

static json_t *golden, *torture;

static void write_file(const char *dir, const char *name, const char *text, size_t n)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_json(const char *dir, const char *name, json_t *value)
{
    char *text = json_dumps(value, 0);

    assert_non_null(text);
    write_file(dir, name, text, strlen(text));
    free(text);
}

static struct laser_tokenizer *load_case(const char *dir, json_t *row)
{
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json", "config.json",
                                        "special_tokens_map.json", "added_tokens.json"};
    char path[4096];
    const char *file;
    struct laser_tokenizer *t;
    struct laser_error err = {0};
    json_t *content, *model = json_pack("{s:O}", "model_type", json_object_get(row, "model_type"));
    size_t n;
    char *json;

    snprintf(path, sizeof path, GOLDEN_DIR "%s.json", json_string_value(json_object_get(row, "tokenizer")));
    json = file_text(path, &n);
    assert_non_null(json);
    write_file(dir, "tokenizer.json", json, n);
    free(json);
    write_json(dir, "tokenizer_config.json", json_object_get(row, "config"));
    write_json(dir, "config.json", model);
    json_decref(model);
    json_object_foreach(json_object_get(row, "files"), file, content) write_json(dir, file, content);
    if (laser_tokenizer_load(dir, &t, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
    return t;
}

/* The ids of a list of texts, each behind their number. */
static int32_t *encode_all(const struct laser_tokenizer *t, const json_t *texts, int32_t *all, int64_t *n)
{
    size_t i;
    json_t *text;

    json_array_foreach((json_t *)texts, i, text)
    {
        struct laser_error err = {0};
        int32_t *ids;
        int64_t count;

        if (laser_tokenizer_encode(t, json_string_value(text), json_string_length(text), true, &ids, &count,
                                   &err) != LASER_OK)
            fail_msg("text %zu: %s", i, err.text);
        all = realloc(all, (size_t)(*n + count + 1) * sizeof *all);
        assert_non_null(all);
        all[(*n)++] = (int32_t)count;
        memcpy(all + *n, ids, (size_t)count * sizeof *ids);
        *n += count;
        free(ids);
    }
    return all;
}

/* 0 if the ids of all texts are those of transformers. */
static int check_case(const char *dir, json_t *row)
{
    struct laser_tokenizer *t = load_case(dir, row);
    json_t *texts = json_object_get(golden, "texts");
    int64_t n = 0;
    int32_t *all = encode_all(t, torture, NULL, &n);
    char digest[17], *shown;
    int wrong;

    all = encode_all(t, texts, all, &n);
    ids_digest(all, n, digest);
    wrong = strcmp(digest, json_string_value(json_object_get(row, "ids"))) != 0;
    if (wrong) {
        shown = json_dumps(row, JSON_COMPACT);
        print_error("other ids (%lld of them): %s\n", (long long)n, shown);
        free(shown);
    }
    free(all);
    laser_tokenizer_free(t);
    return wrong;
}

static void each_key_does_to_the_ids_what_it_does_in_transformers(void **state)
{
    char dir[] = "/tmp/laser_tokenizer_XXXXXX";
    json_t *cases = json_object_get(golden, "cases"), *row;
    size_t i;
    int wrong = 0, changing = 0;

    (void)state;
    assert_non_null(mkdtemp(dir));
    json_array_foreach(cases, i, row)
    {
        wrong += check_case(dir, row);
        changing += json_integer_value(json_object_get(row, "changed")) > 0;
    }
    rmdir(dir);
    assert_true(changing > 100); /* the keys under test do something */
    assert_int_equal(wrong, 0);
}

/* As transformers 5.24 chooses: the newest version that is not newer than itself. */
static void a_tokenizer_file_of_a_version_is_taken(void **state)
{
    char dir[] = "/tmp/laser_tokenizer_XXXXXX", path[4096];
    static const char config[] = "{\"fast_tokenizer_files\": [\"tokenizer.json\", \"tokenizer.4.0.0.json\", "
                                 "\"tokenizer.99.0.0.json\", \"../x/tokenizer.5.0.0.json\"]}";
    static const char *const files[][2] = {{"tokenizer.json", "gpt2.json"},
                                           {"tokenizer.4.0.0.json", "llama2.json"}};
    struct laser_tokenizer *t;
    struct laser_error err = {0};
    size_t n;

    (void)state;
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 2; i++) {
        char *text;
        snprintf(path, sizeof path, GOLDEN_DIR "%s", files[i][1]);
        text = file_text(path, &n);
        assert_non_null(text);
        write_file(dir, files[i][0], text, n);
        free(text);
    }
    write_file(dir, "tokenizer_config.json", config, sizeof config - 1);
    if (laser_tokenizer_load(dir, &t, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_int_equal(laser_tokenizer_token_to_id(t, "<s>", 3), 1);
    laser_tokenizer_free(t);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i][0]);
        unlink(path);
    }
    snprintf(path, sizeof path, "%s/tokenizer_config.json", dir);
    unlink(path);
    rmdir(dir);
}

static int set_up(void **state)
{
    json_error_t e;

    (void)state;
    golden = json_load_file(SRCDIR "/tests/golden/tokenizer_config.json", JSON_ALLOW_NUL, &e);
    torture = golden_json("torture.json");
    return golden == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(golden);
    json_decref(torture);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_does_to_the_ids_what_it_does_in_transformers),
        cmocka_unit_test(a_tokenizer_file_of_a_version_is_taken),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
