/* Regular expressions: cut as Oniguruma cuts them, or refused. */
#include "tokenizer/pattern.h"
#include "tokenizer_files.h"

static void cut(struct laser_pattern *p, const json_t *text, int32_t **lengths, int64_t *n, int64_t *cap)
{
    struct laser_matcher m = {0};
    struct laser_spans spans = {0};
    struct laser_error err = {0};
    int rc = laser_pattern_find(p, &m, json_string_value(text), json_string_length(text), &spans, &err);
    assert_int_equal(rc, LASER_OK);
    for (size_t i = 0; i < spans.n; i++) {
        if (spans.at[i].start == spans.at[i].end)
            continue;
        if (*n == *cap) {
            *cap = 2 * *cap + 1024;
            *lengths = realloc(*lengths, (size_t)*cap * sizeof(**lengths));
            assert_non_null(*lengths);
        }
        (*lengths)[(*n)++] = (int32_t)(spans.at[i].end - spans.at[i].start);
    }
    laser_spans_free(&spans);
    laser_matcher_free(&m);
}

static void patterns_cut_as_oniguruma_does(void **state)
{
    json_t *expected = golden_json("expected.json"), *torture = golden_json("torture.json");
    const json_t *list = json_object_get(expected, "patterns");
    (void)state;
    assert_true(json_array_size(list) > 40);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *want = json_array_get(list, i);
        const char *regex = json_string_value(json_object_get(want, "regex"));
        struct laser_pattern *p;
        struct laser_error err = {0};
        int32_t *lengths = NULL;
        int64_t n = 0, cap = 0;
        char digest[17];
        if (laser_pattern_compile(regex, strlen(regex), &p, &err) != LASER_OK)
            fail_msg("%s", err.text);
        for (size_t k = 0; k < json_array_size(torture); k++)
            cut(p, json_array_get(torture, k), &lengths, &n, &cap);
        if (n != json_integer_value(json_object_get(want, "n")))
            fail_msg("\"%s\" cuts into %lld pieces", regex, (long long)n);
        ids_digest(lengths, n, digest);
        if (strcmp(digest, json_string_value(json_object_get(want, "cuts"))) != 0)
            fail_msg("\"%s\" cuts at other places", regex);
        free(lengths);
        laser_pattern_free(p);
    }
    json_decref(expected);
    json_decref(torture);
}

static void what_could_differ_is_refused_by_name(void **state)
{
    static const char *const cases[][2] = {
        {"", "empty pattern"},
        {"(a)\\1", "\\1"},
        {"\\k<x>", "\\k"},
        {"\\G", "\\G"},
        {"\\X", "\\X"},
        {"\\R", "\\R"},
        {"\\p{Balinese}", "the property Balinese"},
        {"\\pL", "\\p without braces"},
        {"[[:alpha:]]", "POSIX bracket"},
        {"[a", "unclosed character class"},
        {"[]a]", "empty or unclosed character class"},
        {"[z-a]", "range"},
        {"[\\w-.]", "'-'"},
        {"(?i:\\p{Lu})", "ignored case beyond ASCII"},
        {"(?i)\xc3\xa9", "ignored case beyond ASCII"},
        {"(?i:ss)", "ligature"},
        {"(?i:waffle)", "ligature"},
        {"(?x)a b", "group"},
        {"(?~abc)", "group"},
        {"(?{x})", "group"},
        {"(*FAIL)", "callout"},
        {"(?:a*)*", "can be empty"},
        {"(?:a|)+", "can be empty"},
        {"a**", "quantifier of a quantifier"},
        {"a{2}{3}", "quantifier of a quantifier"},
        {"*a", "quantifier of nothing"},
        {"(?=a)*", "quantifier of an anchor"},
        {"a{3,2}", "{n,m}"},
        {"a{0,99999}", "{n,m}"},
        {"(a", "unclosed group"},
        {"a)", "unmatched parenthesis"},
        {"(?<=a+)b", "PCRE2 says"},
        {"a\\", "backslash at the end"},
        {"\\x{110000}", "escape"},
        {"\\xe9", "escape"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        struct laser_pattern *p = (struct laser_pattern *)&p;
        struct laser_error err = {0};
        int rc = laser_pattern_compile(cases[i][0], strlen(cases[i][0]), &p, &err);
        if (rc != LASER_EINPUT || p != NULL || !strstr(err.text, cases[i][1]))
            fail_msg("\"%s\": result %d, \"%s\"", cases[i][0], rc, err.text);
    }
}

static void deep_nesting_is_refused_and_does_not_overflow(void **state)
{
    char regex[2000];
    struct laser_pattern *p;
    struct laser_error err = {0};
    (void)state;
    memset(regex, '(', 1000);
    memset(regex + 1000, ')', 1000);
    assert_int_equal(laser_pattern_compile(regex, sizeof(regex), &p, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "deep nesting"));
    memset(regex, '[', sizeof(regex));
    assert_int_equal(laser_pattern_compile(regex, sizeof(regex), &p, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "deep nesting"));
}

static void catastrophic_backtracking_is_an_error(void **state)
{
    static const char regex[] = "(?:a+)+$";
    struct laser_pattern *p;
    struct laser_matcher m = {0};
    struct laser_spans spans = {0};
    struct laser_error err = {0};
    char text[60];
    (void)state;
    memset(text, 'a', sizeof(text));
    text[sizeof(text) - 1] = 'b';
    assert_int_equal(laser_pattern_compile(regex, strlen(regex), &p, &err), LASER_OK);
    assert_int_equal(laser_pattern_find(p, &m, text, sizeof(text), &spans, &err), LASER_EINPUT);
    assert_non_null(strstr(err.text, "PCRE2 gave up"));
    laser_spans_free(&spans);
    laser_matcher_free(&m);
    laser_pattern_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_cut_as_oniguruma_does),
        cmocka_unit_test(what_could_differ_is_refused_by_name),
        cmocka_unit_test(deep_nesting_is_refused_and_does_not_overflow),
        cmocka_unit_test(catastrophic_backtracking_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
