/* The tokenizer's interface: bad text, bad files, tokens by name, roles. */
#include "tokenizer/tokenizer.h"

#include <pthread.h>
#include <unistd.h>

#include "tokenizer/charsmap.h"
#include "tokenizer_files.h"

static struct laser_tokenizer *load(const char *path)
{
    struct laser_error err = {0};
    struct laser_tokenizer *t = NULL;
    if (laser_tokenizer_load(path, &t, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return t;
}

static void text_that_is_not_utf8_is_refused_with_its_place(void **state)
{
    struct laser_tokenizer *t = load(GOLDEN_DIR "gpt2.json");
    struct laser_error err = {0};
    int32_t *ids = (int32_t *)&err;
    int64_t n = 7;
    (void)state;
    assert_int_equal(laser_tokenizer_encode(t, "abc\xe2\x82zz", 7, true, &ids, &n, &err), LASER_EINPUT);
    assert_null(ids);
    assert_int_equal(n, 0);
    assert_non_null(strstr(err.text, "byte 3 (0xe2)"));
    laser_tokenizer_free(t);
}

static void valid_prefix_ends_at_the_first_ill_formed_byte(void **state)
{
    (void)state;
    assert_int_equal(laser_utf8_valid_prefix("", 0), 0);
    assert_int_equal(laser_utf8_valid_prefix("0123456789abcdef\xff", 17), 16);
    assert_int_equal(laser_utf8_valid_prefix("\xf4\x8f\xbf\xbf\xf4\x90\x80\x80", 8), 4);
    assert_int_equal(laser_utf8_valid_prefix("a\xed\xa0\x80", 4), 1);
    assert_int_equal(laser_utf8_valid_prefix("\xc0\xaf", 2), 0);
    assert_int_equal(laser_utf8_valid_prefix("\xe4\xb8\xad", 2), 0);
    assert_int_equal(laser_utf8_valid_prefix("a\0b", 3), 3);
}

/* bytes.decode(errors="replace") of Python 3.11. */
static void repair_replaces_as_python_does(void **state)
{
    static const char *const cases[][2] = {
        {"\xff", "\ufffd"},
        {"a\xe2\x82", "a\ufffd"},
        {"\xe2\x82"
         "b",
         "\ufffdb"},
        {"\xed\xa0\x80", "\ufffd\ufffd\ufffd"},
        {"\xc0\xaf", "\ufffd\ufffd"},
        {"\xf0\x9f\x98", "\ufffd"},
        {"\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd"},
        {"ok\x80\x80\xe4\xb8\xad\xf5", "ok\ufffd\ufffd\u4e2d\ufffd"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        char *out;
        size_t n;
        assert_int_equal(laser_utf8_repair(cases[i][0], strlen(cases[i][0]), &out, &n, NULL), LASER_OK);
        assert_string_equal(out, cases[i][1]);
        assert_int_equal(n, strlen(cases[i][1]));
        free(out);
    }
}

static void bom_and_crlf_in_the_file_do_not_matter(void **state)
{
    size_t n, k = 3;
    char *json = file_text(GOLDEN_DIR "llama2.json", &n), *other = malloc(2 * n + 4);
    struct laser_tokenizer *t = NULL;
    struct laser_error err = {0};
    int32_t *ids;
    int64_t n_ids;
    (void)state;
    assert_non_null(json);
    assert_non_null(other);
    memcpy(other, "\xef\xbb\xbf", 3);
    for (size_t i = 0; i < n; i++) {
        if (json[i] == '\n' || (json[i] == '{' && i < 2))
            other[k++] = '\r', other[k++] = '\n';
        other[k++] = json[i];
    }
    assert_int_equal(laser_tokenizer_load_buffer(other, k, "other", &t, &err), LASER_OK);
    assert_int_equal(laser_tokenizer_encode(t, "a", 1, true, &ids, &n_ids, &err), LASER_OK);
    assert_int_equal(n_ids, 2);
    assert_int_equal(ids[0], 1);
    free(ids);
    laser_tokenizer_free(t);
    free(json);
    free(other);
}

static void tokens_are_found_by_name_and_by_id(void **state)
{
    struct laser_tokenizer *t = load(GOLDEN_DIR "llama2.json");
    size_t n;
    (void)state;
    assert_int_equal(laser_tokenizer_token_to_id(t, "<s>", 3), 1);
    assert_int_equal(laser_tokenizer_token_to_id(t, "<0x0A>", 6), 13);
    assert_int_equal(laser_tokenizer_token_to_id(t, "no such token", 13), -1);
    assert_string_equal(laser_tokenizer_id_to_token(t, 1, &n), "<s>");
    assert_int_equal(n, 3);
    assert_null(laser_tokenizer_id_to_token(t, -1, NULL));
    assert_null(laser_tokenizer_id_to_token(t, 1 << 30, NULL));
    assert_true(laser_tokenizer_is_special(t, 1));
    assert_false(laser_tokenizer_is_special(t, 13));
    assert_int_equal(laser_tokenizer_id_end(t), laser_tokenizer_vocab_size(t));
    assert_int_equal(laser_tokenizer_role_id(t, LASER_TOKEN_BOS), -1); /* no files beside this one say */
    laser_tokenizer_free(t);
}

static void special_tokens_can_be_left_out_of_decoded_text(void **state)
{
    struct laser_tokenizer *t = load(GOLDEN_DIR "llama2.json");
    static const int32_t ids[] = {1, 3 + 'h', 3 + 'i', 2, 1 << 20};
    struct laser_error err = {0};
    char *text;
    (void)state;
    assert_int_equal(laser_tokenizer_decode(t, ids, 5, true, &text, NULL, &err), LASER_OK);
    assert_string_equal(text, "hi");
    free(text);
    assert_int_equal(laser_tokenizer_decode(t, ids, 5, false, &text, NULL, &err), LASER_OK);
    assert_string_equal(text, "<s>hi</s>");
    free(text);
    laser_tokenizer_free(t);
}

static void roles_come_from_the_files_of_a_model_directory(void **state)
{
    char dir[] = "/tmp/laser_tokenizer_XXXXXX", path[4096];
    size_t n;
    char *json = file_text(GOLDEN_DIR "llama2.json", &n);
    static const char config[] =
        "{\"bos_token\": {\"content\": \"<s>\"}, \"eos_token\": \"</s>\", \"pad_token\": null, "
        "\"mask_token\": {\"content\": \"<unk>\"}, \"model_max_length\": 1000000000000000019884624838656}";
    static const char *const names[] = {"tokenizer.json", "tokenizer_config.json"};
    (void)state;
    assert_non_null(json);
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        FILE *f = fopen(path, "wb");
        assert_non_null(f);
        fwrite(i ? config : json, 1, i ? strlen(config) : n, f);
        fclose(f);
    }
    struct laser_tokenizer *t = load(dir);
    int64_t n_prefix;
    assert_int_equal(laser_tokenizer_role_id(t, LASER_TOKEN_BOS), 1);
    assert_int_equal(laser_tokenizer_role_id(t, LASER_TOKEN_EOS), 2);
    assert_int_equal(laser_tokenizer_role_id(t, LASER_TOKEN_PAD), -1);
    assert_int_equal(laser_tokenizer_role_id(t, LASER_TOKEN_MASK), 0);
    assert_true(laser_tokenizer_adds_bos(t));
    assert_int_equal(laser_tokenizer_prefix(t, &n_prefix)[0], 1);
    assert_int_equal(n_prefix, 1);
    laser_tokenizer_free(t);
    for (int i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
    free(json);
}

static void a_missing_file_is_refused_by_name(void **state)
{
    struct laser_tokenizer *t;
    struct laser_error err = {0};
    (void)state;
    assert_int_equal(laser_tokenizer_load("/nonexistent/model", &t, &err), LASER_EINPUT);
    assert_null(t);
    assert_string_equal(err.where, "/nonexistent/model");
}

#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"

static void what_is_not_supported_or_wrong_is_refused_by_name(void **state)
{
    static const char *const cases[][2] = {
        {"", "not valid JSON"},
        {"{\"model\":", "not valid JSON"},
        {"[]", "not a JSON object"},
        {"{}", "\"model\" is missing"},
        {"{\"version\":\"2.0\"," MODEL "}", "version \"2.0\""},
        {"{\"model\":{\"type\":\"Markov\"}}", "model \"Markov\""},
        {"{\"model\":{\"type\":\"BPE\",\"merges\":[]}}", "\"vocab\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":-1},\"merges\":[]}}", "token \"a\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":1.5},\"merges\":[]}}", "token \"a\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":4000000000},\"merges\":[]}}", "token \"a\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0}}}", "\"merges\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a b\"]}}", "merge token \"b\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a a\"]}}", "merge token \"aa\""},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[\"a\"]}}", "merge number 0"},
        {"{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0},\"merges\":[[\"a\"]]}}", "merge number 0"},
        {"{\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{},\"merges\":[]}}", "dropout"},
        {"{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\"]]}}", "vocabulary entry 0"},
        {"{\"model\":{\"type\":\"Unigram\",\"unk_id\":3,\"vocab\":[[\"a\",0.0]]}}", "unk_id"},
        {"{\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}", "unk_token"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Sponge\"}}", "normalizer \"Sponge\""},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Precompiled\"}}", "\"precompiled_charsmap\" of Precompiled"},
        {"{" MODEL ",\"normalizer\":{\"type\":\"Replace\",\"content\":\"\",\"pattern\":{\"Regex\":\"a*\"}}}",
         "empty string"},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Shuffle\"}}", "pre_tokenizer \"Shuffle\""},
        {"{" MODEL ",\"decoder\":{\"type\":\"CTC\",\"pad_token\":\"x\"}}", "\"word_delimiter_token\" of CTC"},
        {"{" MODEL
         ",\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Kept\"}}",
         "behavior \"Kept\""},
        {"{" MODEL ",\"pre_tokenizer\":{\"type\":\"Metaspace\",\"replacement\":\"ab\"}}", "replacement"},
        {"{" MODEL ",\"post_processor\":{\"type\":\"Magic\"}}", "post_processor \"Magic\""},
        {"{" MODEL ",\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{"
         "\"id\":\"x\"}}]}}",
         "post_processor"},
        {"{" MODEL ",\"added_tokens\":7}", "added_tokens"},
        {"{" MODEL ",\"added_tokens\":[{\"content\":\"A\"},{\"content\":\"a\"}],\"normalizer\":{\"type\":"
         "\"Lowercase\"}}",
         "two added tokens"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct laser_tokenizer *t;
        struct laser_error err = {0};
        int rc = laser_tokenizer_load_buffer(cases[i][0], strlen(cases[i][0]), "file.json", &t, &err);
        if (rc != LASER_EINPUT || t || !strstr(err.text, cases[i][1]) || strcmp(err.where, "file.json") != 0)
            fail_msg("%s: result %d, where \"%s\", \"%s\"", cases[i][0], rc, err.where, err.text);
    }
}

static void unknown_decoder_is_refused_only_when_it_is_needed(void **state)
{
    static const char json[] = "{" MODEL ",\"decoder\":{\"type\":\"Echo\"}}";
    struct laser_tokenizer *t;
    struct laser_error err = {0};
    int32_t *ids;
    int64_t n;
    char *text;
    (void)state;
    assert_int_equal(laser_tokenizer_load_buffer(json, strlen(json), NULL, &t, &err), LASER_OK);
    assert_int_equal(laser_tokenizer_encode(t, "ab", 2, true, &ids, &n, &err), LASER_OK);
    assert_int_equal(n, 1);
    assert_int_equal(ids[0], 2);
    assert_int_equal(laser_tokenizer_decode(t, ids, n, false, &text, NULL, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "Echo"));
    free(ids);
    laser_tokenizer_free(t);
}

/* A charsmap of one key: "a" is replaced by "b". */
static size_t make_charsmap(unsigned char *bytes)
{
    const uint32_t units = 768;
    const uint32_t at[][2] = {
        {0, 256u << 10}, {256 ^ 'a', 'a' | 1u << 8 | ((256 ^ 'a') ^ 512u) << 10}, {512, 1u << 31}};

    memset(bytes, 0, 4 + 4 * units);
    for (int k = 0; k < 4; k++)
        bytes[k] = (unsigned char)(4 * units >> 8 * k);
    for (size_t i = 0; i < 3; i++)
        for (int k = 0; k < 4; k++)
            bytes[4 + 4 * at[i][0] + (size_t)k] = (unsigned char)(at[i][1] >> 8 * k);
    memcpy(bytes + 4 + 4 * units, "b", 2);
    return 4 + 4 * units + 2;
}

static void charsmap_replaces_what_it_has(void **state)
{
    unsigned char bytes[4096];
    struct laser_charsmap map;
    struct laser_normalized text = {0};
    struct laser_error err = {0};
    (void)state;
    assert_int_equal(laser_charsmap_read(bytes, make_charsmap(bytes), &map, &err), LASER_OK);
    laser_normalized_add(&text, "banana", 6, false);
    assert_int_equal(laser_charsmap_normalize(&map, &text, &err), LASER_OK);
    assert_int_equal(text.n, 6);
    assert_memory_equal(text.s, "bbnbnb", 6);
    laser_normalized_free(&text);
    laser_charsmap_free(&map);
}

static void torn_charsmap_is_refused(void **state)
{
    /* where a byte is changed, to what, how many bytes are left (0: all) and what the message says */
    static const struct {
        size_t at;
        unsigned char to;
        size_t n;
        const char *says;
    } cases[] = {{0, 0, 3, "shorter than the double array"},
                 {1, 0xff, 0, "shorter than the double array"},
                 {0, 0, 2000, "shorter than the double array"},
                 {3076, 0x80, 0, "not UTF-8"},
                 {4 + 2, 0xff, 0, "points behind the end"},
                 {1, 0x09, 0, "points behind the end"},
                 {4 + 4 * (256 ^ 'a') + 2, 0xff, 0, "points behind the end"},
                 {4 + 4 * 512, 9, 0, "points at no replacement"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        unsigned char bytes[4096];
        size_t n = make_charsmap(bytes);
        struct laser_charsmap map;
        struct laser_error err = {0};
        bytes[cases[i].at] = cases[i].n ? bytes[cases[i].at] : cases[i].to;
        assert_int_equal(laser_charsmap_read(bytes, cases[i].n ? cases[i].n : n, &map, &err), LASER_EINPUT);
        if (!strstr(err.text, "Precompiled: its charsmap is torn") || !strstr(err.text, cases[i].says))
            fail_msg("case %zu: %s", i, err.text);
        assert_null(map.unit);
    }
}

static void charsmap_without_units_or_base64_is_refused(void **state)
{
    static const char *const cases[][2] = {
        {"AAAAAA==", "empty"}, {"AAA", "base64"}, {"AA!A", "base64"}, {"A=AA", "base64"}, {"", "shorter"}};
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct laser_charsmap map;
        struct laser_error err = {0};
        assert_int_equal(laser_charsmap_decode(cases[i][0], strlen(cases[i][0]), &map, &err), LASER_EINPUT);
        assert_non_null(strstr(err.text, cases[i][1]));
    }
}

static void unknown_character_without_unknown_token_is_named(void **state)
{
    static const char json[] =
        "{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":0},\"unk_token\":\"[UNK]\"}}";
    struct laser_tokenizer *t;
    struct laser_error err = {0};
    int32_t *ids;
    int64_t n;
    (void)state;
    assert_int_equal(laser_tokenizer_load_buffer(json, strlen(json), NULL, &t, &err), LASER_OK);
    assert_int_equal(laser_tokenizer_encode(t, "b", 1, true, &ids, &n, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "[UNK]"));
    laser_tokenizer_free(t);
}

struct job {
    const struct laser_tokenizer *t;
    const char *text;
    size_t n_bytes;
    int32_t *ids;
    int64_t n;
    int rc;
};

static void *encode_job(void *arg)
{
    struct job *j = arg;
    struct laser_error err;
    j->rc = laser_tokenizer_encode(j->t, j->text, j->n_bytes, true, &j->ids, &j->n, &err);
    return NULL;
}

static void threads_share_a_tokenizer(void **state)
{
    size_t n_bytes;
    char *text = file_text(SRCDIR "/inputs/demo-text/selection.txt", &n_bytes);
    struct laser_tokenizer *t = load(GOLDEN_DIR "llama3.json");
    pthread_t thread[3];
    struct job job[3];
    (void)state;
    assert_non_null(text);
    for (int i = 0; i < 3; i++) {
        job[i] = (struct job){.t = t, .text = text, .n_bytes = n_bytes, .rc = -1};
        assert_int_equal(pthread_create(&thread[i], NULL, encode_job, &job[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pthread_join(thread[i], NULL), 0);
        assert_int_equal(job[i].rc, LASER_OK);
        assert_int_equal(job[i].n, job[0].n);
        assert_memory_equal(job[i].ids, job[0].ids, (size_t)job[0].n * sizeof(int32_t));
    }
    for (int i = 0; i < 3; i++)
        free(job[i].ids);
    laser_tokenizer_free(t);
    free(text);
}

/* Are these the ids of a text?  An id below 0 ends them. */
static void ids_are(const char *json, const char *text, const int32_t *expected)
{
    struct laser_tokenizer *t;
    struct laser_error err = {0};
    int32_t *ids;
    int64_t n;

    if (laser_tokenizer_load_buffer(json, strlen(json), NULL, &t, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    assert_int_equal(laser_tokenizer_encode(t, text, strlen(text), true, &ids, &n, &err), LASER_OK);
    for (int64_t i = 0; i < n; i++)
        assert_int_equal(ids[i], expected[i]);
    assert_true(expected[n] < 0);
    free(ids);
    laser_tokenizer_free(t);
}

/* tokenizers: BPE merges equal pairs from the left. */
static void of_equal_merges_the_leftmost_comes_first(void **state)
{
    static const char json[] =
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"l\":0,\"ll\":1},\"merges\":[\"l l\"]}}";
    char word[52] = "";
    int32_t ids[27];

    (void)state;
    ids_are(json, "lll", (int32_t[]){1, 0, -1});
    ids_are(json, "lllll", (int32_t[]){1, 1, 0, -1});
    memset(word, 'l', 51); /* long words have an algorithm of their own */
    for (int i = 0; i < 25; i++)
        ids[i] = 1;
    ids[25] = 0;
    ids[26] = -1;
    ids_are(json, word, ids);
}

static void a_merge_whose_symbols_are_gone_is_left_in_a_long_word(void **state)
{
    static const char json[] =
        "{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"bc\":3,\"ab\":4,\"abc\":5},"
        "\"merges\":[\"b c\",\"a b\",\"a bc\"]}}";
    char word[64] = "";
    int32_t ids[21];

    (void)state;
    for (int i = 0; i < 20; i++) {
        strcat(word, "abc");
        ids[i] = 5;
    }
    ids[20] = -1;
    ids_are(json, word, ids);
}

static void a_repeated_merge_has_its_last_rank(void **state)
{
    (void)state;
    ids_are("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"c\":2,\"bc\":3,\"ab\":4},"
            "\"merges\":[\"a b\",\"b c\",\"a b\"]}}",
            "abc", (int32_t[]){0, 3, -1});
}

/* encode_optimized() of tokenizers keeps what it found first. */
static void of_equal_segmentations_the_first_is_kept(void **state)
{
    (void)state;
    ids_are("{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"b\",-1],["
            "\"ab\",-2]]}}",
            "ab", (int32_t[]){3, -1});
}

static void an_unknown_character_costs_ten_more_than_the_rarest_token(void **state)
{
    static const char json[] =
        "{\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],[\"xa\",-10.5]]}}";

    (void)state;
    /* unknown x and a: -10.5 - 10 - 1 */
    ids_are(json, "xa", (int32_t[]){2, -1});
    ids_are(json, "x", (int32_t[]){0, -1});
}

static void blanks_that_a_token_took_are_no_token_of_their_own(void **state)
{
    (void)state;
    ids_are("{\"added_tokens\":[{\"id\":1,\"content\":\"<a>\",\"rstrip\":true,\"normalized\":false,"
            "\"special\":true},"
            "{\"id\":2,\"content\":\" \",\"lstrip\":true,\"normalized\":false,\"special\":true}],"
            "\"model\":{\"type\":\"BPE\",\"vocab\":{\"b\":0},\"merges\":[]}}",
            "<a> b", (int32_t[]){1, 0, -1});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_that_is_not_utf8_is_refused_with_its_place),
        cmocka_unit_test(valid_prefix_ends_at_the_first_ill_formed_byte),
        cmocka_unit_test(repair_replaces_as_python_does),
        cmocka_unit_test(bom_and_crlf_in_the_file_do_not_matter),
        cmocka_unit_test(tokens_are_found_by_name_and_by_id),
        cmocka_unit_test(special_tokens_can_be_left_out_of_decoded_text),
        cmocka_unit_test(roles_come_from_the_files_of_a_model_directory),
        cmocka_unit_test(a_missing_file_is_refused_by_name),
        cmocka_unit_test(what_is_not_supported_or_wrong_is_refused_by_name),
        cmocka_unit_test(unknown_decoder_is_refused_only_when_it_is_needed),
        cmocka_unit_test(unknown_character_without_unknown_token_is_named),
        cmocka_unit_test(charsmap_replaces_what_it_has),
        cmocka_unit_test(torn_charsmap_is_refused),
        cmocka_unit_test(charsmap_without_units_or_base64_is_refused),
        cmocka_unit_test(threads_share_a_tokenizer),
        cmocka_unit_test(of_equal_merges_the_leftmost_comes_first),
        cmocka_unit_test(a_merge_whose_symbols_are_gone_is_left_in_a_long_word),
        cmocka_unit_test(a_repeated_merge_has_its_last_rank),
        cmocka_unit_test(of_equal_segmentations_the_first_is_kept),
        cmocka_unit_test(an_unknown_character_costs_ten_more_than_the_rarest_token),
        cmocka_unit_test(blanks_that_a_token_took_are_no_token_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
