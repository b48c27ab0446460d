/* Joins, limits and checks of token ids, with a tokenizer of one token a byte. */
#include "corpus/dataset.h"
#include "corpus_files.h"
#include "corpus_testing.h"

enum { BOS = 256, PAD = 257, VOCABULARY = 258 };

/* What the test's tokenizer adds around a text. */
struct bytes_tokenizer {
    bool bos, eos;
    int calls;
};

static int encode_bytes(void *ctx, const char *text, size_t n, bool add_special, int32_t **ids,
                        int64_t *n_ids, struct laser_error *err)
{
    struct bytes_tokenizer *tokenizer = ctx;
    int64_t at = 0;
    (void)err;
    tokenizer->calls++;
    *ids = malloc((n + 2) * sizeof **ids);
    assert_non_null(*ids);
    if (add_special && tokenizer->bos)
        (*ids)[at++] = BOS;
    for (size_t i = 0; i < n; i++)
        (*ids)[at++] = (unsigned char)text[i];
    if (add_special && tokenizer->eos)
        (*ids)[at++] = PAD;
    *n_ids = at;
    return LASER_OK;
}

static int refuse_to_encode(void *ctx, const char *text, size_t n, bool add_special, int32_t **ids,
                            int64_t *n_ids, struct laser_error *err)
{
    (void)ctx, (void)text, (void)n, (void)add_special, (void)ids, (void)n_ids;
    return laser_error_set(err, LASER_EINPUT, NULL, "not today");
}

static struct bytes_tokenizer plain_tokenizer, bos_tokenizer = {.bos = true},
                                               both_tokenizer = {.bos = true, .eos = true};

static struct laser_encoder encoder_of(struct bytes_tokenizer *tokenizer)
{
    return (struct laser_encoder){
        .encode = encode_bytes, .ctx = tokenizer, .eos = PAD, .pad = -1, .vocab_size = VOCABULARY};
}

static int load_limited(const char *name, const char *path, enum laser_convention convention, int64_t seqlen,
                        struct laser_encoder encoder, int64_t limit_bytes, int64_t limit_tokens,
                        struct laser_dataset *dataset, struct laser_error *err)
{
    struct laser_text_source source = source_of(name, path, NULL);
    source.limit_bytes = limit_bytes;
    source.limit_tokens = limit_tokens;
    int result = laser_dataset_load(&source, convention, seqlen, &encoder, dataset, err);
    laser_text_source_free(&source);
    return result;
}

static int load(const char *name, const char *path, enum laser_convention convention, int64_t seqlen,
                struct bytes_tokenizer *tokenizer, struct laser_dataset *dataset, struct laser_error *err)
{
    return load_limited(name, path, convention, seqlen, encoder_of(tokenizer), 0, 0, dataset, err);
}

static const char *golden_file(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/tests/golden/corpus/%s", SRCDIR, name);
    return path;
}

static void assert_tokens_are_text(const struct laser_dataset *dataset, int64_t from, const char *text)
{
    assert_int_equal(dataset->n_tokens - from, strlen(text));
    for (size_t i = 0; text[i]; i++)
        assert_int_equal(dataset->tokens[from + (int64_t)i], (unsigned char)text[i]);
}

/* The joined text of a file is that of the golden script. */
static void check_join(const char *name, const char *file, const char *key)
{
    struct laser_error err = {0};
    struct laser_dataset dataset;
    json_t *golden = golden_corpus();
    const char *expected = json_string_value(json_object_get(json_object_get(golden, "texts"), key));
    assert_non_null(expected);
    assert_int_equal(
        load(name, golden_file(file), LASER_CONVENTION_LASERRMT, 8, &bos_tokenizer, &dataset, &err),
        LASER_OK);
    assert_int_equal(dataset.tokens[0], BOS);
    assert_tokens_are_text(&dataset, 1, expected);
    assert_int_equal(dataset.n_bytes, strlen(expected));
    assert_int_equal(dataset.n_documents, 1);
    assert_int_equal(dataset.document_start[1], dataset.n_tokens);
    laser_dataset_free(&dataset);
    json_decref(golden);
}

static void wikitext2_is_the_raw_file(void **state)
{
    (void)state;
    check_join("wikitext2", "wiki.raw", "wikitext2");
}

static void wikitext2_rows_are_those_of_the_hub(void **state)
{
    (void)state;
    check_join("wikitext2-rows", "wiki.raw", "wikitext2-rows");
}

static void ptb_is_stripped_lines_joined_with_blanks(void **state)
{
    (void)state;
    check_join("ptb", "ptb.txt", "ptb");
}

static void c4_is_documents_joined_with_blanks(void **state)
{
    (void)state;
    check_join("c4", "c4.jsonl", "c4");
}

static void other_json_is_documents_joined_with_empty_lines(void **state)
{
    (void)state;
    check_join("mine", "c4.jsonl", "jsonl");
}

static void csv_is_read_as_python_reads_it(void **state)
{
    (void)state;
    check_join("mine", "rows.csv", "csv");
}

static void c4_is_cut_to_256_windows(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    FILE *out = fopen(file_path("long.jsonl"), "w");
    assert_non_null(out);
    for (int i = 0; i < 100; i++)
        fprintf(out, "{\"text\": \"document number %d\"}\n", i);
    fclose(out);
    assert_int_equal(
        load("c4", file_path("long.jsonl"), LASER_CONVENTION_LASERRMT, 4, &plain_tokenizer, &dataset, &err),
        LASER_OK);
    assert_int_equal(dataset.n_tokens, 1024);
    assert_int_equal(dataset.document_start[1], 1024);
    laser_dataset_free(&dataset);
}

/* Rows of 32: BOS, at most 31 bytes, padding. */
static void gsm8k_questions_are_rows_of_one_window(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    json_t *golden = golden_corpus(), *rows = json_object_get(json_object_get(golden, "texts"), "gsm8k");
    assert_int_equal(load("gsm8k", golden_file("gsm8k.jsonl"), LASER_CONVENTION_LASERRMT, 32, &bos_tokenizer,
                          &dataset, &err),
                     LASER_OK);
    assert_int_equal(dataset.n_rows, json_array_size(rows));
    assert_int_equal(dataset.n_tokens, 32 * dataset.n_rows);
    for (int64_t i = 0; i < dataset.n_rows; i++) {
        const json_t *row = json_array_get(rows, (size_t)i);
        size_t n = json_array_size(row);
        assert_int_equal(dataset.tokens[32 * i], BOS);
        for (size_t p = 0; p < 31; p++)
            assert_int_equal(dataset.tokens[32 * i + 1 + (int64_t)p],
                             p < n ? json_integer_value(json_array_get(row, p)) : PAD);
    }
    laser_dataset_free(&dataset);
    json_decref(golden);
}

static void a_cut_row_keeps_the_special_token_at_its_end(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    const char *path = write_text("q.jsonl", "{\"question\": \"abcdefgh\"}\n{\"question\": \"ab\"}\n");
    assert_int_equal(load("gsm8k", path, LASER_CONVENTION_LASERRMT, 6, &both_tokenizer, &dataset, &err),
                     LASER_OK);
    const int32_t expected[] = {BOS, 'a', 'b', 'c', 'd', PAD, BOS, 'a', 'b', PAD, PAD, PAD};
    assert_int_equal(dataset.n_tokens, 12);
    assert_memory_equal(dataset.tokens, expected, sizeof expected);
    laser_dataset_free(&dataset);
}

static void rows_without_a_padding_token_are_refused(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    struct laser_encoder encoder = encoder_of(&plain_tokenizer);
    encoder.eos = -1;
    assert_int_equal(load_limited("gsm8k", golden_file("gsm8k.jsonl"), LASER_CONVENTION_LASERRMT, 32, encoder,
                                  0, 0, &dataset, &err),
                     LASER_EINPUT);
    assert_non_null(strstr(err.text, "padding"));
}

static void strided_windows_have_no_bos(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    assert_int_equal(load("mine", write_text("a.txt", "abc\n"), LASER_CONVENTION_HF_STRIDED, 8,
                          &bos_tokenizer, &dataset, &err),
                     LASER_OK);
    assert_tokens_are_text(&dataset, 0, "abc\n");
    laser_dataset_free(&dataset);
}

static void llama_cpp_drops_one_final_newline(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    assert_int_equal(load("mine", write_text("a.txt", "abc\n\n"), LASER_CONVENTION_LLAMA_CPP, 8,
                          &bos_tokenizer, &dataset, &err),
                     LASER_OK);
    assert_int_equal(dataset.tokens[0], BOS);
    assert_tokens_are_text(&dataset, 1, "abc\n");
    laser_dataset_free(&dataset);
}

static void lm_eval_keeps_documents_apart(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    const char *path =
        write_text("a.jsonl", "{\"text\": \"one two\"}\n{\"text\": \"\"}\n{\"text\": \"three\"}\n");
    assert_int_equal(load("mine", path, LASER_CONVENTION_LM_EVAL, 8, &bos_tokenizer, &dataset, &err),
                     LASER_OK);
    assert_tokens_are_text(&dataset, 0, "one twothree");
    assert_int_equal(dataset.n_documents, 3);
    assert_int_equal(dataset.document_start[1], 7);
    assert_int_equal(dataset.document_start[2], 7);
    assert_int_equal(dataset.document_start[3], 12);
    assert_int_equal(dataset.n_bytes, 12);
    assert_int_equal(dataset.n_words, 2 + 1 + 1);
    laser_dataset_free(&dataset);
}

static void a_text_is_tokenised_once(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    plain_tokenizer.calls = 0;
    assert_int_equal(
        load("c4", golden_file("c4.jsonl"), LASER_CONVENTION_LASERRMT, 8, &plain_tokenizer, &dataset, &err),
        LASER_OK);
    assert_int_equal(plain_tokenizer.calls, 1);
    laser_dataset_free(&dataset);
}

static void a_byte_limit_never_splits_a_character(void **state)
{
    (void)state;
    const char *text = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"; /* 1, 2, 3, 4 and 1 bytes */
    const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    for (size_t limit = 0; limit < sizeof expected / sizeof *expected; limit++)
        assert_int_equal(laser_text_cut(text, strlen(text), limit), expected[limit]);
}

static void a_byte_limit_leaves_bytes_that_are_no_utf8_alone(void **state)
{
    (void)state;
    assert_int_equal(laser_text_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
    assert_int_equal(laser_text_cut("ab\xff\xff", 4, 3), 3);
    assert_int_equal(laser_text_cut("\xc3\xa9\xa9\xa9", 4, 3), 3);
}

static void a_byte_limit_is_that_of_head(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    assert_int_equal(load_limited("mine", write_text("a.txt", "abc\xc3\xa9zzz"), LASER_CONVENTION_LASERRMT, 2,
                                  encoder_of(&plain_tokenizer), 4, 0, &dataset, &err),
                     LASER_OK);
    assert_tokens_are_text(&dataset, 0, "abc");
    assert_int_equal(dataset.n_bytes, 3);
    laser_dataset_free(&dataset);
}

static void a_byte_limit_cuts_documents_too(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    assert_int_equal(load_limited("mine", write_text("a.csv", "text\nabc\ndef\nghi\n"),
                                  LASER_CONVENTION_LM_EVAL, 2, encoder_of(&plain_tokenizer), 5, 0, &dataset,
                                  &err),
                     LASER_OK);
    assert_tokens_are_text(&dataset, 0, "abcde");
    assert_int_equal(dataset.n_documents, 2);
    laser_dataset_free(&dataset);
}

static void a_token_limit_keeps_whole_rows_and_documents(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    assert_int_equal(load_limited("mine", write_text("a.csv", "text\nabc\ndef\nghi\n"),
                                  LASER_CONVENTION_LM_EVAL, 2, encoder_of(&plain_tokenizer), 0, 6, &dataset,
                                  &err),
                     LASER_OK);
    assert_tokens_are_text(&dataset, 0, "abcdef");
    assert_int_equal(dataset.n_documents, 2);
    assert_int_equal(dataset.n_bytes, 0);
    laser_dataset_free(&dataset);
    assert_int_equal(load_limited("gsm8k", golden_file("gsm8k.jsonl"), LASER_CONVENTION_LASERRMT, 32,
                                  encoder_of(&plain_tokenizer), 0, 64, &dataset, &err),
                     LASER_OK);
    assert_int_equal(dataset.n_rows, 2);
    laser_dataset_free(&dataset);
}

static void token_ids_are_taken_as_they_are(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    const int32_t ids[] = {3, 1, 4, 1, 5};
    assert_int_equal(load_limited("mine", write_file("a.i32", ids, sizeof ids), LASER_CONVENTION_LASERRMT, 2,
                                  encoder_of(&plain_tokenizer), 0, 4, &dataset, &err),
                     LASER_OK);
    assert_int_equal(dataset.n_tokens, 4);
    assert_memory_equal(dataset.tokens, ids, 4 * sizeof *ids);
    assert_int_equal(dataset.n_bytes, 0);
    laser_dataset_free(&dataset);
}

static void an_id_beyond_the_vocabulary_names_its_position(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    const int32_t ids[] = {3, 1, VOCABULARY, 1};
    assert_int_equal(laser_dataset_from_ids("mine", "a.i32", ids, 4, VOCABULARY, &dataset, &err),
                     LASER_EINPUT);
    assert_string_equal(err.where, "a.i32");
    assert_non_null(strstr(err.text, "token 2 "));
    assert_non_null(strstr(err.text, "id 258"));
    assert_null(dataset.tokens);
}

static void a_negative_id_is_refused(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    const int32_t ids[] = {3, -1};
    assert_int_equal(laser_dataset_from_ids("mine", "a.i32", ids, 2, VOCABULARY, &dataset, &err),
                     LASER_EINPUT);
    assert_non_null(strstr(err.text, "token 1 "));
}

static void a_tokenizer_larger_than_the_model_is_refused(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    struct laser_encoder encoder = encoder_of(&plain_tokenizer);
    encoder.vocab_size = 'c';
    assert_int_equal(load_limited("mine", write_text("a.txt", "abc"), LASER_CONVENTION_LASERRMT, 2, encoder,
                                  0, 0, &dataset, &err),
                     LASER_EINPUT);
    assert_non_null(strstr(err.text, "does the tokenizer belong to the model"));
}

static void no_token_at_all_is_refused(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    assert_int_equal(load_limited("mine", write_text("a.txt", "\xc3\xa9"), LASER_CONVENTION_LASERRMT, 2,
                                  encoder_of(&plain_tokenizer), 1, 0, &dataset, &err),
                     LASER_EINPUT);
    assert_non_null(strstr(err.text, "no token"));
}

static void an_error_of_the_tokenizer_names_the_file(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset dataset;
    struct laser_encoder encoder = {.encode = refuse_to_encode, .vocab_size = 10};
    const char *path = write_text("a.txt", "abc");
    assert_int_equal(load_limited("mine", path, LASER_CONVENTION_LASERRMT, 2, encoder, 0, 0, &dataset, &err),
                     LASER_EINPUT);
    assert_string_equal(err.where, path);
    assert_string_equal(err.text, "not today");
}

static void the_hash_depends_on_name_and_tokens(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_dataset a, b, c;
    const int32_t ids[] = {1, 2, 3}, other[] = {1, 2, 4};
    assert_int_equal(laser_dataset_from_ids("x", "p", ids, 3, 9, &a, &err), LASER_OK);
    assert_int_equal(laser_dataset_from_ids("y", "p", ids, 3, 9, &b, &err), LASER_OK);
    assert_int_equal(laser_dataset_from_ids("x", "q", other, 3, 9, &c, &err), LASER_OK);
    assert_true(a.hash != b.hash && a.hash != c.hash);
    laser_dataset_free(&b);
    assert_int_equal(laser_dataset_from_ids("x", "r", ids, 3, 9, &b, &err), LASER_OK);
    assert_true(a.hash == b.hash);
    laser_dataset_free(&a);
    laser_dataset_free(&b);
    laser_dataset_free(&c);
}

static void words_are_counted_as_python_splits_them(void **state)
{
    (void)state;
    json_t *golden = golden_corpus(), *item;
    size_t i;
    json_array_foreach(json_object_get(golden, "words"), i, item)
    {
        const json_t *text = json_object_get(item, "text");
        assert_int_equal(laser_text_count_words(json_string_value(text), json_string_length(text)),
                         golden_int(item, "words", -1));
    }
    assert_true(i > 5);
    json_decref(golden);
}

static void an_unknown_convention_lists_the_known_ones(void **state)
{
    (void)state;
    struct laser_error err = {0};
    enum laser_convention convention;
    assert_int_equal(laser_convention_parse("hf", &convention, &err), LASER_EUSAGE);
    assert_non_null(strstr(err.text, "hf-strided"));
    assert_int_equal(laser_convention_parse("llama.cpp", &convention, &err), LASER_OK);
    assert_string_equal(laser_convention_name(convention), "llama.cpp");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wikitext2_is_the_raw_file),
        cmocka_unit_test(wikitext2_rows_are_those_of_the_hub),
        cmocka_unit_test(ptb_is_stripped_lines_joined_with_blanks),
        cmocka_unit_test(c4_is_documents_joined_with_blanks),
        cmocka_unit_test(other_json_is_documents_joined_with_empty_lines),
        cmocka_unit_test(csv_is_read_as_python_reads_it),
        cmocka_unit_test(c4_is_cut_to_256_windows),
        cmocka_unit_test(gsm8k_questions_are_rows_of_one_window),
        cmocka_unit_test(a_cut_row_keeps_the_special_token_at_its_end),
        cmocka_unit_test(rows_without_a_padding_token_are_refused),
        cmocka_unit_test(strided_windows_have_no_bos),
        cmocka_unit_test(llama_cpp_drops_one_final_newline),
        cmocka_unit_test(lm_eval_keeps_documents_apart),
        cmocka_unit_test(a_text_is_tokenised_once),
        cmocka_unit_test(a_byte_limit_never_splits_a_character),
        cmocka_unit_test(a_byte_limit_leaves_bytes_that_are_no_utf8_alone),
        cmocka_unit_test(a_byte_limit_is_that_of_head),
        cmocka_unit_test(a_byte_limit_cuts_documents_too),
        cmocka_unit_test(a_token_limit_keeps_whole_rows_and_documents),
        cmocka_unit_test(token_ids_are_taken_as_they_are),
        cmocka_unit_test(an_id_beyond_the_vocabulary_names_its_position),
        cmocka_unit_test(a_negative_id_is_refused),
        cmocka_unit_test(a_tokenizer_larger_than_the_model_is_refused),
        cmocka_unit_test(no_token_at_all_is_refused),
        cmocka_unit_test(an_error_of_the_tokenizer_names_the_file),
        cmocka_unit_test(the_hash_depends_on_name_and_tokens),
        cmocka_unit_test(words_are_counted_as_python_splits_them),
        cmocka_unit_test(an_unknown_convention_lists_the_known_ones),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
