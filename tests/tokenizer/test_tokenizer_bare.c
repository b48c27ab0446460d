/* Directories without tokenizer.json: the ids of transformers for a SentencePiece model, and for vocab.json with merges.txt,
 * by class; cases and numbers are made by tools/golden/make_bare_tokenizers.py. */
#include <unistd.h>

#include "tokenizer/sentencepiece.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer_files.h"

#define BARE_DIR SRCDIR "/tests/golden/bare_tokenizers/"

static json_t *golden, *torture;
static char dir[] = "/tmp/laser_tokenizer_XXXXXX";

static void write_file(const char *name, const char *text, size_t n)
{
    char path[4096];
    FILE *f;

    snprintf(path, sizeof path, "%s/%s", dir, name);
    f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void write_json(const char *name, json_t *value)
{
    char *text = json_dumps(value, 0);

    assert_non_null(text);
    write_file(name, text, strlen(text));
    free(text);
}

static void copy_file(const char *from, const char *name)
{
    char path[4096];
    size_t n;
    char *text;

    snprintf(path, sizeof path, BARE_DIR "%s", from);
    text = file_text(path, &n);
    assert_non_null(text);
    write_file(name, text, n);
    free(text);
}

static void clear(void)
{
    static const char *const names[] = {
        "tokenizer.model", "sentencepiece.bpe.model", "spiece.model", "spm.model", "vocab.json",
        "merges.txt",      "tokenizer_config.json",   "config.json"};
    char path[4096];

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        unlink(path);
    }
}

static void write_case(json_t *row)
{
    const char *model = json_string_value(json_object_get(row, "model")),
               *file = json_string_value(json_object_get(row, "file"));
    json_t *type = json_object_get(row, "model_type"), *config = json_object();
    char from[128];

    snprintf(from, sizeof from, file ? "%s.model" : "%s/vocab.json", model);
    copy_file(from, file ? file : "vocab.json");
    if (!file) {
        snprintf(from, sizeof from, "%s/merges.txt", model);
        copy_file(from, "merges.txt");
    }
    if (json_is_string(type))
        json_object_set(config, "model_type", type);
    write_json("config.json", config);
    write_json("tokenizer_config.json", json_object_get(row, "config"));
    json_decref(config);
}

/* All ids, each text's behind their number, and what they decode to, with NULs between. */
struct answer {
    int32_t *ids;
    int64_t n;
    char *text;
    size_t n_text;
};

static void encode(const struct laser_tokenizer *t, const char *text, size_t n, bool special, bool decode,
                   struct answer *a)
{
    struct laser_error err = {0};
    int32_t *ids;
    int64_t count;
    char *back;
    size_t n_back;

    if (laser_tokenizer_encode(t, text, n, special, &ids, &count, &err) != LASER_OK)
        fail_msg("\"%.60s\": %s", text, err.text);
    a->ids = realloc(a->ids, (size_t)(a->n + count + 1) * sizeof *a->ids);
    a->ids[a->n++] = (int32_t)count;
    memcpy(a->ids + a->n, ids, (size_t)count * sizeof *ids);
    a->n += count;
    if (decode) {
        assert_int_equal(laser_tokenizer_decode(t, ids, count, false, &back, &n_back, &err), LASER_OK);
        a->text = realloc(a->text, a->n_text + n_back + 1);
        memcpy(a->text + a->n_text, back, n_back + 1);
        a->n_text += n_back + 1;
        free(back);
    }
    free(ids);
}

static struct answer answer_all(const struct laser_tokenizer *t, bool special)
{
    struct answer a = {0};
    json_t *lists[] = {torture, json_object_get(golden, "texts")}, *text;
    size_t i, n;
    char *soup = file_text(GOLDEN_DIR "soup.txt", &n);

    for (int k = 0; k < 2; k++)
        json_array_foreach(lists[k], i, text)
            encode(t, json_string_value(text), json_string_length(text), special, true, &a);
    encode(t, soup, n, special, false, &a);
    free(soup);
    return a;
}

static bool is(json_t *row, const char *key, const void *data, size_t n)
{
    char digest[17];

    snprintf(digest, sizeof digest, "%016llx", (unsigned long long)XXH3_64bits(data, n));
    if (strcmp(digest, json_string_value(json_object_get(row, key))) == 0)
        return true;
    print_error("%s differs: %s %s\n", key, json_string_value(json_object_get(row, "model")),
                json_string_value(json_object_get(row, "file")));
    return false;
}

static void each_class_has_the_ids_of_transformers(void **state)
{
    json_t *row;
    size_t i;
    int wrong = 0;

    (void)state;
    assert_true(json_array_size(json_object_get(golden, "cases")) > 30);
    json_array_foreach(json_object_get(golden, "cases"), i, row)
    {
        struct laser_tokenizer *t;
        struct laser_error err = {0};
        struct answer special, bare;

        clear();
        write_case(row);
        if (laser_tokenizer_load(dir, &t, &err) != LASER_OK)
            fail_msg("case %zu: %s: %s", i, err.where, err.text);
        assert_int_equal(laser_tokenizer_vocab_size(t), json_integer_value(json_object_get(row, "size")));
        special = answer_all(t, true);
        bare = answer_all(t, false);
        wrong += !is(row, "ids", special.ids, (size_t)special.n * sizeof *special.ids);
        wrong += !is(row, "bare", bare.ids, (size_t)bare.n * sizeof *bare.ids);
        wrong += !is(row, "text", special.text, special.n_text - 1);
        free(special.ids);
        free(special.text);
        free(bare.ids);
        free(bare.text);
        laser_tokenizer_free(t);
    }
    clear();
    assert_int_equal(wrong, 0);
}

static void assert_refused(const char *says)
{
    struct laser_tokenizer *t;
    struct laser_error err = {0};

    assert_int_equal(laser_tokenizer_load(dir, &t, &err), LASER_EINPUT);
    if (!strstr(err.text, says) || strncmp(err.where, dir, strlen(dir)) != 0)
        fail_msg("%s: %s does not say %s", err.where, err.text, says);
    assert_null(t);
    clear();
}

static void classes_that_are_not_made_are_refused_by_name(void **state)
{
    (void)state;
    copy_file("plain.model", "tokenizer.model");
    write_file("tokenizer_config.json", "{\"tokenizer_class\": \"XLNetTokenizerFast\"}", 41);
    assert_refused("the SentencePiece model of a XLNetTokenizerFast");
    copy_file("gpt2/vocab.json", "vocab.json");
    copy_file("gpt2/merges.txt", "merges.txt");
    write_file("config.json", "{\"model_type\": \"llama\"}", 23);
    assert_refused("vocab.json of a tokenizer of unstated class");
    copy_file("gpt2/vocab.json", "vocab.json");
    copy_file("gpt2/merges.txt", "merges.txt");
    write_file("config.json", "{\"model_type\": \"t5\"}", 20);
    assert_refused("T5Tokenizer");
}

static void bad_merges_are_named_by_their_line(void **state)
{
    (void)state;
    copy_file("gpt2/vocab.json", "vocab.json");
    write_file("config.json", "{\"model_type\": \"gpt2\"}", 22);
    write_file("merges.txt", "#version: 0.2\nt h\r\nthe\n", 23);
    assert_refused("line 3 is not two tokens");
}

static void a_piece_of_another_name_is_refused(void **state)
{
    static const char config[] = "{\"added_tokens_decoder\": {\"5\": {\"content\": \"<new>\"}}}";

    (void)state;
    copy_file("llama.model", "tokenizer.model");
    write_file("tokenizer_config.json", config, strlen(config));
    assert_refused("another name");
}

/* Every beginning of a model is torn, or lacks what is behind; none of them is read beyond its end. */
static void a_torn_model_is_refused(void **state)
{
    size_t n;
    char *bytes = file_text(BARE_DIR "plain.model", &n);
    struct laser_error err = {0};
    struct laser_spm spm;
    size_t refused = 0;

    (void)state;
    assert_non_null(bytes);
    for (size_t k = 0; k < n; k++) {
        char *part = malloc(k + 1);
        int code;

        memcpy(part, bytes, k);
        code = laser_spm_read((const unsigned char *)part, k, "x.model", &spm, &err);
        free(part);
        if (code == LASER_OK)
            laser_spm_free(&spm);
        else
            assert_int_equal(code, LASER_EINPUT);
        refused += code != LASER_OK;
    }
    assert_true(refused > n * 9 / 10);
    free(bytes);
    assert_int_equal(laser_spm_read((const unsigned char *)"", 0, "x.model", &spm, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "no pieces"));
    assert_int_equal(laser_spm_read((const unsigned char *)"IQ== 0\nIg== 1\n", 14, "x.model", &spm, &err),
                     LASER_EINPUT);
    assert_non_null(strstr(err.text, "not a SentencePiece model"));
}

/* Field 2 of the model, field 3 of it: 4. */
static void a_model_of_characters_is_refused(void **state)
{
    static const unsigned char bytes[] = {0x0a, 3, 0x0a, 1, 'a', 0x12, 2, 0x18, 4};
    struct laser_error err = {0};
    struct laser_spm spm;

    (void)state;
    assert_int_equal(laser_spm_read(bytes, sizeof bytes, "x.model", &spm, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "of type 4"));
    assert_int_equal(laser_spm_read(bytes, 5, "x.model", &spm, &err), LASER_OK);
    assert_int_equal(spm.n, 1);
    assert_string_equal(spm.piece[0].text, "a");
    assert_int_equal(spm.kind, LASER_SPM_UNIGRAM);
    laser_spm_free(&spm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_has_the_ids_of_transformers),
        cmocka_unit_test(classes_that_are_not_made_are_refused_by_name),
        cmocka_unit_test(bad_merges_are_named_by_their_line),
        cmocka_unit_test(a_piece_of_another_name_is_refused),
        cmocka_unit_test(a_torn_model_is_refused),
        cmocka_unit_test(a_model_of_characters_is_refused),
    };
    size_t n;
    char *text = file_text(BARE_DIR "cases.json", &n);
    int failed;

    golden = text ? json_loadb(text, n, 0, NULL) : NULL;
    torture = golden_json("torture.json");
    if (!golden || !mkdtemp(dir))
        return 1;
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    rmdir(dir);
    json_decref(golden);
    json_decref(torture);
    free(text);
    return failed;
}
