#include "checkpoint_fixture.h"

#include <math.h>

#include "checkpoint/json.h"

static json_t *parse(const char *text)
{
    json_t *root = NULL;
    struct laser_error err = {0};

    if (laser_json_parse("config.json", text, strlen(text), 0, &root, &err) != LASER_OK)
        fail_msg("%s: %s", err.where, err.text);
    return root;
}

static void assert_says(const struct laser_error *err, const char *text)
{
    assert_string_equal(err->where, "config.json");
    if (strstr(err->text, text) == NULL)
        fail_msg("\"%s\" is not in the message \"%s\"", text, err->text);
}

static void bom_and_crlf_are_accepted(void **state)
{
    json_t *root = NULL;
    struct laser_error err = {0};
    const char *text = NULL;

    (void)state;
    assert_int_equal(laser_json_load(GOLDEN "/llama/tokenizer_config.json", 0, &root, &err), LASER_OK);
    assert_int_equal(laser_json_get_string(root, "f", "bos_token", &text, &err), LASER_OK);
    assert_string_equal(text, "<s>");
    json_decref(root);
}

static void bare_infinity_and_nan_are_numbers(void **state)
{
    json_t *root =
        parse("{\"a\": Infinity, \"b\": -Infinity, \"c\": NaN, \"d\": \"say \\\"NaN\\\" NaN\", \"e\": 2}");
    struct laser_error err = {0};
    const char *text = NULL;
    double a = 0, b = 0, c = 0, e = 0;

    (void)state;
    assert_int_equal(laser_json_get_real(root, "f", "a", &a, &err), LASER_OK);
    assert_int_equal(laser_json_get_real(root, "f", "b", &b, &err), LASER_OK);
    assert_int_equal(laser_json_get_real(root, "f", "c", &c, &err), LASER_OK);
    assert_int_equal(laser_json_get_real(root, "f", "e", &e, &err), LASER_OK);
    assert_true(isinf(a) && a > 0 && isinf(b) && b < 0 && isnan(c));
    assert_true(e == 2);
    assert_int_equal(laser_json_get_string(root, "f", "d", &text, &err), LASER_OK);
    assert_string_equal(text, "say \"NaN\" NaN"); /* inside a string they are text */
    json_decref(root);
}

static void fractions_are_no_integers(void **state)
{
    json_t *root = parse("{\"n\": 2.0}");
    struct laser_error err = {0};
    int64_t n = 7;

    (void)state;
    assert_int_equal(laser_json_get_int(root, "config.json", "n", &n, &err), LASER_EINPUT);
    assert_says(&err, "key \"n\" is a fractional number: 2.0, expected an integer");
    assert_int_equal(n, 7);
    json_decref(root);
}

static void negative_numbers_are_no_sizes(void **state)
{
    json_t *root = parse("{\"n\": -2}");
    struct laser_error err = {0};
    int64_t n = 0;

    (void)state;
    assert_int_equal(laser_json_get_int(root, "config.json", "n", &n, &err), LASER_OK);
    assert_int_equal(n, -2);
    assert_int_equal(laser_json_get_size(root, "config.json", "n", &n, &err), LASER_EINPUT);
    assert_says(&err, "-2, expected an integer that is not negative");
    json_decref(root);
}

static void wrong_types_are_named_with_key_found_and_expected(void **state)
{
    json_t *root = parse("{\"s\": \"text\", \"o\": {}, \"t\": true, \"z\": null}");
    struct laser_error err = {0};
    const char *text;
    json_t *value;
    bool flag;
    double real;

    (void)state;
    assert_int_equal(laser_json_get_bool(root, "config.json", "s", &flag, &err), LASER_EINPUT);
    assert_says(&err, "key \"s\" is a string: \"text\", expected true or false");
    assert_int_equal(laser_json_get_string(root, "config.json", "o", &text, &err), LASER_EINPUT);
    assert_says(&err, "key \"o\" is an object, expected a string");
    assert_int_equal(laser_json_get_array(root, "config.json", "o", &value, &err), LASER_EINPUT);
    assert_says(&err, "expected an array");
    assert_int_equal(laser_json_get_object(root, "config.json", "t", &value, &err), LASER_EINPUT);
    assert_says(&err, "key \"t\" is true: true, expected an object");
    assert_int_equal(laser_json_get_real(root, "config.json", "z", &real, &err), LASER_EINPUT);
    assert_says(&err, "key \"z\" is null");
    assert_int_equal(laser_json_get_real(root, "config.json", "none", &real, &err), LASER_EINPUT);
    assert_says(&err, "key \"none\" is missing, expected a number");
    assert_false(laser_json_has(root, "z"));
    assert_true(laser_json_has(root, "t"));
    json_decref(root);
}

static void duplicate_keys_are_refused_where_asked(void **state)
{
    const char *text = "{\"a\": 1, \"a\": 2}";
    json_t *root = parse(text);
    struct laser_error err = {0};

    (void)state;
    json_decref(root);
    assert_int_equal(laser_json_parse("config.json", text, strlen(text), LASER_JSON_UNIQUE_KEYS, &root, &err),
                     LASER_EINPUT);
    assert_says(&err, "duplicate object key");
}

static void the_depth_is_limited_to_64(void **state)
{
    char text[2 * 65 + 1];
    json_t *root = NULL;
    struct laser_error err = {0};

    (void)state;
    memset(text, '[', 64);
    memset(text + 64, ']', 64);
    assert_int_equal(laser_json_parse("config.json", text, 128, 0, &root, &err), LASER_OK);
    json_decref(root);
    memset(text, '[', 65);
    memset(text + 65, ']', 65);
    assert_int_equal(laser_json_parse("config.json", text, 130, 0, &root, &err), LASER_EINPUT);
    assert_says(&err, "deeper than 64");
}

static void syntax_errors_have_line_and_column(void **state)
{
    const char *text = "{\n  \"a\": 1,\n  oops\n}";
    json_t *root = NULL;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_json_parse("config.json", text, strlen(text), 0, &root, &err), LASER_EINPUT);
    assert_says(&err, "line 3");
}

static void a_missing_file_is_named(void **state)
{
    json_t *root = NULL;
    struct laser_error err = {0};

    (void)state;
    assert_int_equal(laser_json_load("/no/such/config.json", 0, &root, &err), LASER_EIO);
    assert_string_equal(err.where, "/no/such/config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bom_and_crlf_are_accepted),
        cmocka_unit_test(bare_infinity_and_nan_are_numbers),
        cmocka_unit_test(fractions_are_no_integers),
        cmocka_unit_test(negative_numbers_are_no_sizes),
        cmocka_unit_test(wrong_types_are_named_with_key_found_and_expected),
        cmocka_unit_test(duplicate_keys_are_refused_where_asked),
        cmocka_unit_test(the_depth_is_limited_to_64),
        cmocka_unit_test(syntax_errors_have_line_and_column),
        cmocka_unit_test(a_missing_file_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
