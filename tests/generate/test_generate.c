/* Generation without a model: draws against transformers' warpers, streamed text against text decoded in one
 * piece, columns, and which tokens end a text. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "generate/columns.h"
#include "generate/sample.h"
#include "generate/stop.h"
#include "generate/stream.h"
#include "tokenizer/tokenizer_files.h"

/* ---- draws ---- */

enum { V = 40 };

static json_t *sampling_cases(json_t **root)
{
    *root = json_load_file(SRCDIR "/tests/golden/generate_sampling.json", 0, NULL);
    assert_non_null(*root);
    return json_object_get(*root, "cases");
}

static struct laser_sampling read_case(const json_t *c, float *logits)
{
    for (size_t i = 0; i < V; i++)
        logits[i] = (float)json_number_value(json_array_get(json_object_get(c, "logits"), i));
    return (struct laser_sampling){.temperature = json_number_value(json_object_get(c, "temperature")),
                                   .top_k = json_integer_value(json_object_get(c, "top_k")),
                                   .top_p = json_number_value(json_object_get(c, "top_p"))};
}

static void distributions_are_those_of_transformers(void **state)
{
    json_t *root, *cases = sampling_cases(&root), *c;
    size_t n;

    (void)state;
    assert_int_equal(json_array_size(cases), 10);
    json_array_foreach(cases, n, c)
    {
        const json_t *kept = json_object_get(c, "kept");
        struct laser_sampling_token tokens[V];
        struct laser_error err;
        float logits[V];
        struct laser_sampling s = read_case(c, logits);
        int64_t count;

        assert_int_equal(laser_sampling_distribution(&s, V, logits, tokens, &count, &err), LASER_OK);
        assert_int_equal(count, json_array_size(kept));
        for (int64_t i = 0; i < count; i++) {
            const json_t *pair = json_array_get(kept, (size_t)i);

            assert_int_equal(tokens[i].id, json_integer_value(json_array_get(pair, 0)));
            assert_true(fabs(tokens[i].probability / json_number_value(json_array_get(pair, 1)) - 1) < 1e-9);
        }
    }
    json_decref(root);
}

static void draws_have_the_distribution(void **state)
{
    enum { DRAWS = 200000 };
    json_t *root, *cases = sampling_cases(&root);
    struct laser_sampling_token tokens[V], work[V];
    static int count[V];
    struct laser_error err;
    float logits[V];
    struct laser_sampling s = read_case(json_array_get(cases, 7), logits);
    int64_t kept;

    (void)state;
    s.seed = 5;
    memset(count, 0, sizeof count);
    assert_int_equal(laser_sampling_distribution(&s, V, logits, tokens, &kept, &err), LASER_OK);
    for (int i = 0; i < DRAWS; i++) {
        int32_t next;

        assert_int_equal(
            laser_sampling_next(&s, V, logits, (uint64_t)i / 1000, (uint64_t)i % 1000, work, &next, &err),
            LASER_OK);
        count[next]++;
    }
    for (int64_t i = 0; i < kept; i++) {
        double p = tokens[i].probability, sigma = sqrt(p * (1 - p) * DRAWS);

        assert_true(fabs(count[tokens[i].id] - p * DRAWS) < 5 * sigma);
        count[tokens[i].id] = 0;
    }
    for (int i = 0; i < V; i++)
        assert_int_equal(count[i], 0);
    json_decref(root);
}

static void a_seed_repeats_its_draws_and_another_does_not(void **state)
{
    struct laser_sampling one = {.temperature = 1, .top_p = 1, .seed = 1}, two = one;
    struct laser_sampling_token work[V];
    struct laser_error err;
    float logits[V] = {0};
    int same = 0;

    (void)state;
    two.seed = 2;
    for (uint64_t i = 0; i < 200; i++) {
        int32_t a, b, c;

        assert_int_equal(laser_sampling_next(&one, V, logits, 0, i, work, &a, &err), LASER_OK);
        assert_int_equal(laser_sampling_next(&one, V, logits, 0, i, work, &b, &err), LASER_OK);
        assert_int_equal(laser_sampling_next(&two, V, logits, 0, i, work, &c, &err), LASER_OK);
        assert_int_equal(a, b);
        same += a == c;
    }
    assert_in_range(same, 0, 20);
}

static void temperature_zero_takes_the_first_of_the_likeliest(void **state)
{
    const float logits[] = {-1, 3, 2, 3};
    const struct laser_sampling greedy = {.top_p = 1};
    struct laser_error err;
    int32_t next;

    (void)state;
    assert_int_equal(laser_sampling_next(&greedy, 4, logits, 0, 0, NULL, &next, &err), LASER_OK);
    assert_int_equal(next, 1);
}

static void logits_that_are_not_finite_are_an_error(void **state)
{
    const float nan[] = {0, NAN, 1}, inf[] = {0, INFINITY, 1}, none[] = {-INFINITY, -INFINITY, -INFINITY};
    const float masked[] = {0, -INFINITY, 1};
    struct laser_sampling s = {.temperature = 1, .top_p = 1};
    struct laser_sampling_token work[3];
    struct laser_error err;
    int32_t next;

    (void)state;
    for (int k = 0; k < 2; k++) {
        s.temperature = k;
        assert_int_equal(laser_sampling_next(&s, 3, nan, 0, 0, work, &next, &err), LASER_ENUMERIC);
        assert_int_equal(laser_sampling_next(&s, 3, inf, 0, 0, work, &next, &err), LASER_ENUMERIC);
        assert_int_equal(laser_sampling_next(&s, 3, none, 0, 0, work, &next, &err), LASER_ENUMERIC);
        assert_int_equal(laser_sampling_next(&s, 3, masked, 0, 0, work, &next, &err), LASER_OK);
        assert_int_not_equal(next, 1);
    }
}

/* ---- text, token by token ---- */

static void assert_streamed(const struct laser_tokenizer *t, const char *text, size_t n_text,
                            const char *name)
{
    struct laser_stream stream;
    struct laser_text out = {0};
    struct laser_error err;
    int32_t *ids;
    int64_t n;
    size_t n_start, n_whole;
    char *start, *whole;

    assert_int_equal(laser_tokenizer_encode(t, text, n_text, false, &ids, &n, &err), LASER_OK);
    for (int64_t prompt = 1; prompt < n && prompt < 4; prompt++) {
        out.size = 0;
        assert_int_equal(laser_tokenizer_decode(t, ids, prompt, true, &start, &n_start, &err), LASER_OK);
        assert_int_equal(laser_tokenizer_decode(t, ids, n, true, &whole, &n_whole, &err), LASER_OK);
        laser_stream_start(&stream, t, ids, prompt);
        for (int64_t i = prompt; i < n; i++)
            assert_int_equal(laser_stream_push(&stream, &out, &err), LASER_OK);
        assert_int_equal(laser_stream_end(&stream, &out, &err), LASER_OK);
        /* a prompt that ends within a character has a replacement for it */
        if (n_start >= 3 && memcmp(start + n_start - 3, "\xef\xbf\xbd", 3) == 0)
            n_start = SIZE_MAX;
        if (n_start != SIZE_MAX && (n_start + out.size != n_whole ||
                                    memcmp(whole + n_start, out.size ? out.data : "", out.size) != 0))
            fail_msg("%s, prompt of %lld: \"%.*s\" and \"%s\" are not \"%s\"", name, (long long)prompt,
                     (int)n_start, start, out.data, whole);
        free(start);
        free(whole);
    }
    laser_text_free(&out);
    free(ids);
}

static void streamed_text_is_that_of_all_tokens(void **state)
{
    static const char *const names[] = {"llama2", "gpt2", "qwen2",        "gemma",
                                        "llama3", "neox", "unigram_bytes"};
    static const char *const texts[] = {
        "Once upon a time, there was a little girl named Lily.\n\n  She loved to play.",
        ("na\xc3\xafve caf\xc3\xa9 \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e "
         "\xf0\x9f\xa6\x99\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x9a\x80 ok"),
        "a\tb  c   d\n e \xd8\xa7\xd9\x84\xd8\xb3\xd9\x84\xd8\xa7\xd9\x85 12345 don't"};

    (void)state;
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        char path[512];
        struct laser_tokenizer *t;
        struct laser_error err;
        char *json;
        size_t n;

        snprintf(path, sizeof path, GOLDEN_DIR "%s.json", names[k]);
        json = file_text(path, &n);
        assert_non_null(json);
        assert_int_equal(laser_tokenizer_load_buffer(json, n, names[k], &t, &err), LASER_OK);
        for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
            assert_streamed(t, texts[i], strlen(texts[i]), names[k]);
        laser_tokenizer_free(t);
        free(json);
    }
}

/* "\u00e9" is two tokens of bytes: nothing is handed out after the first. */
static void half_a_character_is_held_back(void **state)
{
    char *json;
    size_t n;
    struct laser_tokenizer *t;
    struct laser_stream stream;
    struct laser_text out = {0};
    struct laser_error err;
    int32_t ids[3];

    (void)state;
    json = file_text(GOLDEN_DIR "llama2.json", &n);
    assert_non_null(json);
    assert_int_equal(laser_tokenizer_load_buffer(json, n, "llama2", &t, &err), LASER_OK);
    ids[0] = laser_tokenizer_token_to_id(t, "<0x41>", 6);
    ids[1] = laser_tokenizer_token_to_id(t, "<0xC3>", 6);
    ids[2] = laser_tokenizer_token_to_id(t, "<0xA9>", 6);
    assert_true(ids[0] >= 0 && ids[1] >= 0 && ids[2] >= 0);
    laser_stream_start(&stream, t, ids, 1);
    assert_int_equal(laser_stream_push(&stream, &out, &err), LASER_OK);
    assert_int_equal(out.size, 0);
    assert_int_equal(laser_stream_push(&stream, &out, &err), LASER_OK);
    assert_string_equal(out.data, "\xc3\xa9");
    laser_stream_start(&stream, t, ids, 1);
    out.size = 0;
    assert_int_equal(laser_stream_push(&stream, &out, &err), LASER_OK);
    assert_int_equal(laser_stream_end(&stream, &out, &err), LASER_OK);
    assert_string_equal(out.data, "\xef\xbf\xbd");
    laser_text_free(&out);
    laser_tokenizer_free(t);
    free(json);
}

/* ---- columns ---- */

static void rows_come_once_every_column_has_its_line(void **state)
{
    struct laser_columns c;
    struct laser_text out = {0};

    (void)state;
    laser_columns_start(&c, 2, 23);
    assert_int_equal(c.width, 10);
    laser_columns_push(&c, 0, "one two three four", 18);
    laser_columns_take(&c, &out);
    assert_int_equal(out.size, 0);
    laser_columns_push(&c, 1, "alpha\nbeta", 10);
    laser_columns_take(&c, &out);
    assert_string_equal(out.data, "one two    | alpha\n");
    laser_columns_end(&c, 0);
    laser_columns_end(&c, 1);
    laser_columns_take(&c, &out);
    assert_string_equal(out.data, "one two    | alpha\nthree four | beta\n");
    laser_columns_free(&c);
    laser_text_free(&out);
}

static void long_words_are_cut_and_wide_characters_count_twice(void **state)
{
    struct laser_columns c;
    struct laser_text out = {0};

    (void)state;
    laser_columns_start(&c, 2, 19);
    assert_int_equal(c.width, 8);
    laser_columns_push(&c, 0, "abcdefghijkl", 12);
    laser_columns_push(&c, 1, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x96\x87\xe5\xad\x97", 15);
    laser_columns_end(&c, 0);
    laser_columns_end(&c, 1);
    laser_columns_take(&c, &out);
    assert_string_equal(
        out.data, "abcdefgh | \xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e\xe6\x96\x87\nijkl     | \xe5\xad\x97\n");
    laser_columns_free(&c);
    laser_text_free(&out);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
    struct laser_columns c;
    struct laser_text out = {0};

    (void)state;
    laser_columns_clean("a\x1b[31m\nb\tc\xff\xc2\x9b", 13, &out);
    assert_string_equal(out.data, "a\xef\xbf\xbd[31m\nb\tc\xef\xbf\xbd\xef\xbf\xbd");
    out.size = 0;
    laser_columns_start(&c, 1, 40);
    laser_columns_push(&c, 0, "x\x1b]0;y\x07", 7);
    laser_columns_end(&c, 0);
    laser_columns_take(&c, &out);
    assert_string_equal(out.data, "x\xef\xbf\xbd]0;y\xef\xbf\xbd\n");
    laser_columns_free(&c);
    laser_text_free(&out);
}

/* ---- the end of a text ---- */

static void write_generation_config(const char *dir, const char *text)
{
    char path[512];
    FILE *f;

    snprintf(path, sizeof path, "%s/generation_config.json", dir);
    unlink(path);
    if (!text)
        return;
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static void the_end_of_text_comes_from_the_first_file_that_names_it(void **state)
{
    static const char json[] =
        "{\"model\": {\"type\": \"WordLevel\", \"vocab\": {\"a\": 0}, \"unk_token\": \"a\"}, "
        "\"added_tokens\": []}";
    char dir[] = "/tmp/laser_generate_XXXXXX";
    struct laser_tokenizer *t;
    struct laser_error err;
    struct laser_stop stop;
    struct laser_checkpoint c = {.dir = dir, .config = json_pack("{s:i}", "eos_token_id", 7)};

    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(laser_tokenizer_load_buffer(json, sizeof json - 1, "t", &t, &err), LASER_OK);
    assert_int_equal(laser_stop_read(&c, t, &stop, &err), LASER_OK);
    assert_true(stop.n == 1 && laser_stop_has(&stop, 7));
    write_generation_config(
        dir, "{\"eos_token_id\": [3, 5], \"temperature\": NaN, \"seed\": 18446744073709551615}");
    assert_int_equal(laser_stop_read(&c, t, &stop, &err), LASER_OK);
    assert_true(stop.n == 2 && laser_stop_has(&stop, 3) && laser_stop_has(&stop, 5) &&
                !laser_stop_has(&stop, 7));
    write_generation_config(dir, "{\"eos_token_id\": null}");
    assert_int_equal(laser_stop_read(&c, t, &stop, &err), LASER_OK);
    assert_true(stop.n == 1 && laser_stop_has(&stop, 7));
    write_generation_config(dir, "{\"eos_token_id\": \"</s>\"}");
    assert_int_equal(laser_stop_read(&c, t, &stop, &err), LASER_EINPUT);
    write_generation_config(dir, NULL);
    rmdir(dir);
    json_decref(c.config);
    laser_tokenizer_free(t);
}

/* transformers keeps a token while the sum before it is below top_p. */
static void top_p_ends_where_the_sum_meets_it(void **state)
{
    const float logits[4] = {0, 0, 0, 0};
    const struct laser_sampling s = {.temperature = 1, .top_p = 0.5};
    struct laser_sampling_token tokens[4];
    struct laser_error err;
    int64_t kept;

    (void)state;
    assert_int_equal(laser_sampling_distribution(&s, 4, logits, tokens, &kept, &err), LASER_OK);
    assert_int_equal(kept, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions_are_those_of_transformers),
        cmocka_unit_test(draws_have_the_distribution),
        cmocka_unit_test(a_seed_repeats_its_draws_and_another_does_not),
        cmocka_unit_test(temperature_zero_takes_the_first_of_the_likeliest),
        cmocka_unit_test(logits_that_are_not_finite_are_an_error),
        cmocka_unit_test(streamed_text_is_that_of_all_tokens),
        cmocka_unit_test(half_a_character_is_held_back),
        cmocka_unit_test(rows_come_once_every_column_has_its_line),
        cmocka_unit_test(long_words_are_cut_and_wide_characters_count_twice),
        cmocka_unit_test(control_characters_do_not_reach_the_terminal),
        cmocka_unit_test(the_end_of_text_comes_from_the_first_file_that_names_it),
        cmocka_unit_test(top_p_ends_where_the_sum_meets_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
