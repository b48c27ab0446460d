/* Reading texts: formats, fields, and every kind of bad file. */
#include "corpus_files.h"

static void a_source_is_name_path_and_field(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_text_source source;
    assert_int_equal(laser_text_source_parse("c4=some/dir/c4.json.gz:content", &source, &err), LASER_OK);
    assert_string_equal(source.name, "c4");
    assert_string_equal(source.path, "some/dir/c4.json.gz");
    assert_string_equal(source.field, "content");
    laser_text_source_free(&source);
}

static void a_path_alone_is_named_after_its_file(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_text_source source;
    assert_int_equal(laser_text_source_parse("/data/a=b/wiki.test.raw", &source, &err), LASER_OK);
    assert_string_equal(source.name, "wiki");
    assert_string_equal(source.path, "/data/a=b/wiki.test.raw");
    assert_null(source.field);
    laser_text_source_free(&source);
}

static void a_file_with_a_colon_in_its_name_has_no_field(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_text_source source;
    assert_int_equal(laser_text_source_parse(write_text("odd:name", "x"), &source, &err), LASER_OK);
    assert_null(source.field);
    assert_non_null(strstr(source.path, "odd:name"));
    laser_text_source_free(&source);
}

static void a_source_without_a_file_is_a_usage_error(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_text_source source;
    assert_int_equal(laser_text_source_parse("ptb=", &source, &err), LASER_EUSAGE);
    assert_int_equal(laser_text_source_parse("", &source, &err), LASER_EUSAGE);
}

static void the_format_follows_from_the_ending(void **state)
{
    (void)state;
    const struct {
        const char *path;
        enum laser_text_format format;
    } cases[] = {
        {"a.txt", LASER_FORMAT_TEXT},
        {"a.raw", LASER_FORMAT_TEXT},
        {"a.txt.gz", LASER_FORMAT_TEXT},
        {"a.JSONL", LASER_FORMAT_JSON_LINES},
        {"a.json.gz", LASER_FORMAT_JSON_LINES},
        {"a.csv", LASER_FORMAT_CSV},
        {"a.i32", LASER_FORMAT_IDS},
        {"a.bin", LASER_FORMAT_IDS},
        {"a.h5", LASER_FORMAT_HDF5},
        {"a.parquet", LASER_FORMAT_PARQUET},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct laser_text_source source = {.path = (char *)cases[i].path};
        assert_int_equal(laser_text_source_format(&source), cases[i].format);
    }
}

static void plain_text_is_one_document_as_it_is(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents documents;
    const char *text = " two\r\n\nlines \xff\n";
    assert_int_equal(read_documents("mine", write_text("a.txt", text), NULL, &documents, &err), LASER_OK);
    assert_int_equal(documents.n, 1);
    assert_document(&documents, 0, text);
    laser_documents_free(&documents);
}

static void a_gzipped_text_is_unpacked(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents documents;
    assert_int_equal(read_documents("mine", write_gzip("a.txt.gz", "packed\n"), NULL, &documents, &err),
                     LASER_OK);
    assert_document(&documents, 0, "packed\n");
    laser_documents_free(&documents);
}

static void a_text_longer_than_any_buffer_is_read_whole(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents documents;
    size_t n = 1000003;
    char *text = malloc(n + 1);
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = (char)('a' + i % 26);
    text[n] = 0;
    assert_int_equal(read_documents("mine", write_text("a.txt", text), NULL, &documents, &err), LASER_OK);
    assert_document(&documents, 0, text);
    laser_documents_free(&documents);
    /* and as one line of JSON */
    memcpy(text, "{\"text\":\"", 9);
    memcpy(text + n - 2, "\"}", 2);
    assert_int_equal(read_documents("mine", write_text("a.jsonl", text), NULL, &documents, &err), LASER_OK);
    assert_int_equal(documents.start[1], n - 11);
    laser_documents_free(&documents);
    free(text);
}

static void json_lines_give_the_field_of_each_record(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents documents;
    const char *path =
        write_text("a.jsonl", "\xef\xbb\xbf{\"text\": \"one\", \"n\": 1}\r\n\n {\"text\": "
                              "\"caf\\u00e9 \\ud83d\\ude00\"}\n{\"text\":\"\"}\n{\"text\":\"end\"}");
    assert_int_equal(read_documents("mine", path, NULL, &documents, &err), LASER_OK);
    assert_int_equal(documents.n, 4);
    assert_document(&documents, 0, "one");
    assert_document(&documents, 1, "caf\xc3\xa9 \xf0\x9f\x98\x80");
    assert_document(&documents, 2, "");
    assert_document(&documents, 3, "end");
    laser_documents_free(&documents);
}

static void numbers_beyond_strict_json_do_no_harm_in_other_fields(void **state)
{
    struct laser_documents documents = {0};
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(read_documents("mine",
                                    write_text("a.jsonl", "{\"text\": \"one\", \"score\": NaN, \"id\": "
                                                          "18446744073709551615}\n"),
                                    NULL, &documents, &err),
                     LASER_OK);
    assert_int_equal(documents.n, 1);
    laser_documents_free(&documents);
    assert_refused("mine", write_text("a.jsonl", "{\"text\": NaN}\n"), NULL, LASER_EINPUT, "a.jsonl:1",
                   "text");
}

static void a_json_array_is_read_like_json_lines(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents documents;
    const char *path = write_text("a.json", "[\n {\"body\": \"one\"},\n {\"body\": \"two\"}\n]\n");
    assert_int_equal(read_documents("mine", path, "body", &documents, &err), LASER_OK);
    assert_int_equal(documents.n, 2);
    assert_document(&documents, 1, "two");
    laser_documents_free(&documents);
}

static void known_data_sets_have_their_own_field(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents documents;
    const char *path = write_text("a.jsonl", "{\"text\": \"t\", \"question\": \"q\", \"sentence\": \"s\"}\n");
    assert_int_equal(read_documents("gsm8k", path, NULL, &documents, &err), LASER_OK);
    assert_document(&documents, 0, "q");
    laser_documents_free(&documents);
    assert_int_equal(read_documents("ptb", path, NULL, &documents, &err), LASER_OK);
    assert_document(&documents, 0, "s");
    laser_documents_free(&documents);
}

static void c4_stops_after_8192_documents(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents documents;
    const char *path = file_path("c4.json.gz");
    gzFile out = gzopen(path, "wb");
    assert_non_null(out);
    for (int i = 0; i < 8192; i++)
        gzputs(out, "{\"text\": \"x\"}\n");
    gzputs(out, "this line is never read\n");
    assert_int_equal(gzclose(out), Z_OK);
    assert_int_equal(read_documents("c4", path, NULL, &documents, &err), LASER_OK);
    assert_int_equal(documents.n, 8192);
    laser_documents_free(&documents);
    assert_refused("other", path, NULL, LASER_EINPUT, "c4.json.gz:8193", "not JSON");
}

static void csv_fields_may_be_quoted_over_lines(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents documents;
    const char *path = write_text(
        "a.csv", "\xef\xbb\xbfid,\"text\"\r\n1,\"a, \"\"b\"\"\r\nc\"\r\n\r\n2,plain\n3,\n4,\"\"\n5,end");
    assert_int_equal(read_documents("mine", path, NULL, &documents, &err), LASER_OK);
    assert_int_equal(documents.n, 5);
    assert_document(&documents, 0, "a, \"b\"\r\nc");
    assert_document(&documents, 1, "plain");
    assert_document(&documents, 2, "");
    assert_document(&documents, 3, "");
    assert_document(&documents, 4, "end");
    laser_documents_free(&documents);
}

static void raw_token_ids_are_little_endian(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int32_t *ids;
    int64_t n;
    struct laser_text_source source =
        source_of("mine", write_file("a.i32", "\x01\x00\x00\x00\x02\x01\x00\x00\xff\xff\xff\xff", 12), NULL);
    assert_int_equal(laser_token_ids_read(&source, &ids, &n, &err), LASER_OK);
    assert_int_equal(n, 3);
    assert_int_equal(ids[0], 1);
    assert_int_equal(ids[1], 258);
    assert_int_equal(ids[2], -1);
    free(ids);
    laser_text_source_free(&source);
}

static void a_missing_known_file_says_where_the_data_set_is_to_be_had(void **state)
{
    (void)state;
    assert_refused("wikitext2", "no/such/file", NULL, LASER_EINPUT, "no/such/file", "wiki.test.raw");
    assert_refused("ptb", "no/such/file", NULL, LASER_EINPUT, "no/such/file", "ptb.test.txt");
    assert_refused("c4", "no/such/file", NULL, LASER_EINPUT, "no/such/file",
                   "c4-validation.00000-of-00008.json.gz");
    assert_refused("gsm8k", "no/such/file", NULL, LASER_EINPUT, "no/such/file", "test.jsonl");
}

static void a_missing_other_file_is_named(void **state)
{
    (void)state;
    assert_refused("mine", "no/such/file", NULL, LASER_EINPUT, "no/such/file", "data set mine");
}

static void a_directory_is_refused(void **state)
{
    (void)state;
    assert_refused("mine", test_folder, NULL, LASER_EINPUT, test_folder, "is a directory");
}

static void an_empty_file_is_refused(void **state)
{
    (void)state;
    assert_refused("mine", write_text("a.txt", ""), NULL, LASER_EINPUT, "a.txt", "no text");
    assert_refused("mine", write_text("a.jsonl", "\n\n"), NULL, LASER_EINPUT, "a.jsonl", "no text");
    assert_refused("mine", write_text("a.csv", ""), NULL, LASER_EINPUT, "a.csv", "no text");
    assert_refused("mine", write_text("a.csv", "text\n"), NULL, LASER_EINPUT, "a.csv", "no text");
    assert_refused("ptb", write_text("a.txt", " \n \n"), NULL, LASER_EINPUT, "a.txt", "no text");
}

static void truncated_gzip_data_is_refused(void **state)
{
    (void)state;
    char text[4000];
    for (size_t i = 0; i < sizeof text - 1; i++)
        text[i] = (char)(33 + (i * i + i / 7) % 90);
    text[sizeof text - 1] = 0;
    const char *path = write_gzip("a.txt.gz", text);
    assert_int_equal(truncate(path, 200), 0);
    assert_refused("mine", path, NULL, LASER_EINPUT, "a.txt.gz", "gzip");
}

static void damaged_gzip_data_is_refused(void **state)
{
    (void)state;
    const char *path =
        write_gzip("a.jsonl.gz", "{\"text\": \"some text that is long enough to be packed\"}\n");
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    fseek(file, 20, SEEK_SET);
    fputs("????????", file);
    fclose(file);
    assert_refused("mine", path, NULL, LASER_EINPUT, "a.jsonl.gz", "gzip");
}

static void a_line_that_is_not_json_is_named(void **state)
{
    (void)state;
    const char *path = write_text("a.jsonl", "{\"text\": \"one\"}\n{\"text\": \n");
    assert_refused("mine", path, NULL, LASER_EINPUT, "a.jsonl:2", "not JSON");
}

static void a_record_that_is_no_object_is_refused(void **state)
{
    (void)state;
    assert_refused("mine", write_text("a.jsonl", "\"text\"\n"), NULL, LASER_EINPUT, "a.jsonl:1",
                   "JSON object");
    assert_refused("mine", write_text("a.json", "[1]"), NULL, LASER_EINPUT, "record 1", "JSON object");
}

static void a_missing_field_lists_those_that_are_there(void **state)
{
    (void)state;
    const char *path = write_text("a.jsonl", "{\"content\": \"one\", \"n\": 1, \"title\": \"t\"}\n");
    assert_refused("mine", path, NULL, LASER_EINPUT, "a.jsonl:1", "content, title");
}

static void a_field_that_is_not_text_is_refused(void **state)
{
    (void)state;
    const char *path = write_text("a.jsonl", "{\"text\": 17}\n");
    assert_refused("mine", path, NULL, LASER_EINPUT, "a.jsonl:1", "not a string");
}

static void invalid_utf8_in_json_is_refused(void **state)
{
    (void)state;
    assert_refused("mine", write_text("a.jsonl", "{\"text\": \"\xff\"}\n"), NULL, LASER_EINPUT, "a.jsonl:1",
                   "unable to decode byte 0xff");
}

static void an_unfinished_json_array_is_refused(void **state)
{
    (void)state;
    assert_refused("mine", write_text("a.json", "[{\"text\": \"a\"},\n"), NULL, LASER_EINPUT, "a.json",
                   "not JSON");
}

static void json_nested_beyond_reason_is_refused(void **state)
{
    (void)state;
    char deep[20001];
    memset(deep, '[', sizeof deep - 1);
    deep[sizeof deep - 1] = 0;
    assert_refused("mine", write_text("a.json", deep), NULL, LASER_EINPUT, "a.json", "not JSON");
}

static void a_missing_csv_column_lists_the_header(void **state)
{
    (void)state;
    const char *path = write_text("a.csv", "id,body\n1,x\n");
    assert_refused("mine", path, NULL, LASER_EINPUT, "a.csv", "id, body");
    assert_refused("mine", path, "BODY", LASER_EINPUT, "a.csv", "no column \"BODY\"");
}

static void a_csv_record_with_another_number_of_fields_is_refused(void **state)
{
    (void)state;
    assert_refused("mine", write_text("a.csv", "id,text\n1,\"x\ny\"\n1,x,3\n"), NULL, LASER_EINPUT, "a.csv:4",
                   "3 fields where the header line has 2");
}

static void an_unfinished_csv_quote_is_refused(void **state)
{
    (void)state;
    assert_refused("mine", write_text("a.csv", "id,text\n1,\"x\n\n"), NULL, LASER_EINPUT, "a.csv:2",
                   "does not end");
}

static void a_csv_quote_in_the_wrong_place_is_refused(void **state)
{
    (void)state;
    assert_refused("mine", write_text("a.csv", "id,text\n1,a\"b\"\n"), NULL, LASER_EINPUT, "a.csv:2",
                   "not quoted");
    assert_refused("mine", write_text("a.csv", "id,text\n1,\"a\"b\n"), NULL, LASER_EINPUT, "a.csv:2",
                   "behind");
}

static void parquet_is_refused_with_the_line_that_converts_it(void **state)
{
    (void)state;
    assert_refused("mine", write_text("a.parquet", "PAR1...."), NULL, LASER_EINPUT, "a.parquet",
                   "read_parquet");
    assert_refused("mine", write_text("a.txt", "PAR1...."), NULL, LASER_EINPUT, "a.txt", "python3 -c");
}

static void what_is_no_text_is_known_by_its_first_bytes(void **state)
{
    static const struct {
        const char *bytes;
        size_t n;
        const char *words;
    } cases[] = {
        {"\x28\xb5\x2f\xfd....", 8, "compressed by zstd, where text is needed; convert it once: zstd -d '"},
        {"ARROW1\0\0....", 12, "an Arrow file, where text is needed; convert it once: python3 -c"},
        {"\xff\xff\xff\xff\x10\0\0\0", 8, "Dataset.from_file('"},
        {"\xfd"
         "7zXZ\0...",
         9, "xz -dk '"},
        {"BZh91AY&SY....", 14, "bunzip2 -k '"},
        {"\x04\x22\x4d\x18....", 8, "lz4 -d '"},
        {"PK\x03\x04....", 8, "a zip archive"},
        {"\x89HDF\r\n\x1a\n....", 12, "HDF5"},
        {"%PDF-1.7....", 12, "pdftotext '"},
        {"\xff\xfeh\0i\0", 6, "UTF-16, where text is needed; convert it once: iconv"},
        {"GGUF\x03\0\0\0....", 12, "a GGUF model"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_refused("mine", write_file("a.txt", cases[i].bytes, cases[i].n), NULL, LASER_EINPUT, "a.txt",
                       cases[i].words);
        assert_refused("mine", write_file("a.jsonl", cases[i].bytes, cases[i].n), NULL, LASER_EINPUT,
                       "a.jsonl", cases[i].words);
    }
}

static void text_about_formats_is_text(void **state)
{
    static const char *const texts[] = {"GGUF is a format of models.", "PKZIP made zip known.",
                                        "ustar and pax"};
    struct laser_error err = {0};
    struct laser_documents documents;

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_int_equal(read_documents("mine", write_text("a.txt", texts[i]), NULL, &documents, &err),
                         LASER_OK);
        assert_document(&documents, 0, texts[i]);
        laser_documents_free(&documents);
    }
}

static void token_ids_of_an_odd_size_are_refused(void **state)
{
    (void)state;
    struct laser_error err = {0};
    int32_t *ids;
    int64_t n;
    struct laser_text_source source = source_of("mine", write_file("a.i32", "12345", 5), NULL);
    assert_int_equal(laser_token_ids_read(&source, &ids, &n, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "multiple of 4"));
    laser_text_source_free(&source);
    source = source_of("mine", write_file("a.i32", "", 0), NULL);
    assert_int_equal(laser_token_ids_read(&source, &ids, &n, &err), LASER_EINPUT);
    laser_text_source_free(&source);
    source = source_of("mine", "no/such.i32", NULL);
    assert_int_equal(laser_token_ids_read(&source, &ids, &n, &err), LASER_EINPUT);
    laser_text_source_free(&source);
}

/* Bytes of a good file changed at random (the same ones in every run): read or refused, never worse. */
static void damage(const char *name, const char *good, uint32_t seed)
{
    static const char odd[] = "\"\\,\n\r{}[]:u0\xff\xc3 ";
    char bytes[256];
    size_t n = strlen(good);
    int refused = 0;
    for (int round = 0; round < 1000; round++) {
        memcpy(bytes, good, n);
        for (int change = 0; change < 3; change++) {
            seed = seed * 1664525u + 1013904223u;
            bytes[(seed >> 8) % n] = odd[(seed >> 24) % (sizeof odd - 1)];
        }
        struct laser_error err = {0};
        struct laser_documents documents;
        int result =
            read_documents("mine", write_file(name, bytes, n - (seed >> 16) % 4), NULL, &documents, &err);
        if (result != LASER_OK) {
            assert_int_equal(result, LASER_EINPUT);
            assert_true(err.text[0] && err.where[0]);
            refused++;
        }
        laser_documents_free(&documents);
    }
    assert_true(refused > 100 && refused < 1000);
}

static void damaged_csv_is_read_or_refused(void **state)
{
    (void)state;
    damage("a.csv",
           "id,text\r\n1,\"a \"\"quoted\"\" one, with\nlines\"\r\n2,plain text that is not quoted\n3,end", 1);
}

static void damaged_json_is_read_or_refused(void **state)
{
    (void)state;
    damage("a.jsonl",
           "{\"text\": \"caf\\u00e9 \\ud83d\\ude00\", \"n\": [1, 2]}\n{\"text\": \"some longer text\"}\n", 2);
    damage("a.json", "[{\"text\": \"one\", \"n\": {}},\n{\"text\": \"some longer text in an array\"}]\n", 3);
}

/* A file of the reference data, which only lies beside a checkout. */
static const char *shared_file(const char *name)
{
    static char path[1024];
    const char *shared = getenv("LASER_SHARED");
    snprintf(path, sizeof path, "%s/data/text/%s", shared ? shared : SRCDIR "/../shared", name);
    if (access(path, R_OK) != 0) {
        print_message("skipped: no %s (set LASER_SHARED)\n", path);
        skip();
    }
    return path;
}

static void the_reference_texts_have_their_known_sizes(void **state)
{
    (void)state;
    const struct {
        const char *name, *file;
        int64_t documents;
    } cases[] = {{"gsm8k", "gsm8k.test.jsonl", 1319},
                 {"ptb", "ptb.test.txt", 3761},
                 {"wikitext2", "wiki.test.raw", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct laser_error err = {0};
        struct laser_documents documents;
        assert_int_equal(read_documents(cases[i].name, shared_file(cases[i].file), NULL, &documents, &err),
                         LASER_OK);
        assert_int_equal(documents.n, cases[i].documents);
        laser_documents_free(&documents);
    }
}

static void packed_and_plain_c4_are_the_same(void **state)
{
    (void)state;
    struct laser_error err = {0};
    struct laser_documents plain, packed;
    assert_int_equal(read_documents("c4", shared_file("c4_sample.jsonl"), NULL, &plain, &err), LASER_OK);
    assert_int_equal(read_documents("c4", shared_file("c4_sample.json.gz"), NULL, &packed, &err), LASER_OK);
    int64_t least = plain.n < packed.n ? plain.n : packed.n;
    assert_true(least > 0);
    assert_memory_equal(plain.text, packed.text, plain.start[least]);
    laser_documents_free(&plain);
    laser_documents_free(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_source_is_name_path_and_field),
        cmocka_unit_test(a_path_alone_is_named_after_its_file),
        cmocka_unit_test(a_file_with_a_colon_in_its_name_has_no_field),
        cmocka_unit_test(a_source_without_a_file_is_a_usage_error),
        cmocka_unit_test(the_format_follows_from_the_ending),
        cmocka_unit_test(plain_text_is_one_document_as_it_is),
        cmocka_unit_test(a_gzipped_text_is_unpacked),
        cmocka_unit_test(a_text_longer_than_any_buffer_is_read_whole),
        cmocka_unit_test(json_lines_give_the_field_of_each_record),
        cmocka_unit_test(numbers_beyond_strict_json_do_no_harm_in_other_fields),
        cmocka_unit_test(a_json_array_is_read_like_json_lines),
        cmocka_unit_test(known_data_sets_have_their_own_field),
        cmocka_unit_test(c4_stops_after_8192_documents),
        cmocka_unit_test(csv_fields_may_be_quoted_over_lines),
        cmocka_unit_test(raw_token_ids_are_little_endian),
        cmocka_unit_test(a_missing_known_file_says_where_the_data_set_is_to_be_had),
        cmocka_unit_test(a_missing_other_file_is_named),
        cmocka_unit_test(a_directory_is_refused),
        cmocka_unit_test(an_empty_file_is_refused),
        cmocka_unit_test(truncated_gzip_data_is_refused),
        cmocka_unit_test(damaged_gzip_data_is_refused),
        cmocka_unit_test(a_line_that_is_not_json_is_named),
        cmocka_unit_test(a_record_that_is_no_object_is_refused),
        cmocka_unit_test(a_missing_field_lists_those_that_are_there),
        cmocka_unit_test(a_field_that_is_not_text_is_refused),
        cmocka_unit_test(invalid_utf8_in_json_is_refused),
        cmocka_unit_test(an_unfinished_json_array_is_refused),
        cmocka_unit_test(json_nested_beyond_reason_is_refused),
        cmocka_unit_test(a_missing_csv_column_lists_the_header),
        cmocka_unit_test(a_csv_record_with_another_number_of_fields_is_refused),
        cmocka_unit_test(an_unfinished_csv_quote_is_refused),
        cmocka_unit_test(a_csv_quote_in_the_wrong_place_is_refused),
        cmocka_unit_test(what_is_no_text_is_known_by_its_first_bytes),
        cmocka_unit_test(text_about_formats_is_text),
        cmocka_unit_test(parquet_is_refused_with_the_line_that_converts_it),
        cmocka_unit_test(token_ids_of_an_odd_size_are_refused),
        cmocka_unit_test(damaged_csv_is_read_or_refused),
        cmocka_unit_test(damaged_json_is_read_or_refused),
        cmocka_unit_test(the_reference_texts_have_their_known_sizes),
        cmocka_unit_test(packed_and_plain_c4_are_the_same),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
